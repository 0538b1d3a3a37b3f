#include "runtime/lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/lane_pairs.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kMin = std::numeric_limits<float>::min();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
constexpr float kSpecial[] = {0.0f,  -0.0f, 1.0f,   -1.0f,   0.5f,   -0.5f, 1.5f,       2.5f,       -2.5f,       3.0f,
                              88.7f, 88.8f, -87.4f, -103.9f, -104.f, 1e30f, kDenormal,  -kDenormal, kMin,        -kMin,
                              kMax,  -kMax, kInf,   -kInf,   kNan,   8e6f,  -8388609.f, 16777216.f, 0.99999994f, 1e-5f};

std::vector<LanePath> Paths() {
  std::vector<LanePath> paths;
  for (LanePath path : {LanePath::kPortable, LanePath::kAvx2, LanePath::kAvx512}) {
    if (LanePathSupported(path)) paths.push_back(path);
  }
  return paths;
}

std::string Describe(LanePath path, LaneOp op) {
  return absl::StrCat(LaneOpName(op), " on path ", static_cast<int>(path));
}

LaneOp OpAt(int i) { return static_cast<LaneOp>(i); }
constexpr int kNumOps = static_cast<int>(LaneOp::kCount);

bool SameBits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }
bool Same(float a, float b) { return std::isnan(a) ? std::isnan(b) : SameBits(a, b); }

// Floats of all magnitudes and both signs, then the special ones, filled up to whole vectors.
std::vector<float> Sweep(uint32_t step) {
  std::vector<float> values(std::begin(kSpecial), std::end(kSpecial));
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += step) {
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  values.resize((values.size() + kLanes - 1) / kLanes * kLanes, 1.0f);
  return values;
}

template <typename Op>  // LaneOp or LanePair
std::vector<float> ApplyOn(LanePath path, Op op, const std::vector<std::vector<float>>& x) {
  std::vector<float> y(x[0].size());
  LaneCall call = {.vectors = static_cast<int64_t>(y.size()) / kLanes, .y = y.data()};
  for (size_t i = 0; i < x.size(); ++i) {
    call.x[i] = x[i].data();
    call.vector_step[i] = kLanes;
  }
  LaneFunctionOn(path, op)(call);
  return y;
}

// How far `got` is from `want`, in units of want's last place; infinity counts as the float after the largest. With
// `flushes`, 0 stands for denormal results.
double UlpError(float got, double want, bool flushes) {
  if (flushes && got == 0 && !std::signbit(got) && want >= 0 && want < kMin) return 0;
  if (std::isnan(got) || std::isnan(want)) return std::isnan(got) && std::isnan(want) ? 0 : kInf;
  if (got == 0 && std::signbit(got) != std::signbit(want)) return kInf;
  const auto finite = [](double v) { return std::clamp(v, -0x1p128, 0x1p128); };
  const double exact = finite(want);
  const int exponent = exact == 0 ? -149 : std::max(std::ilogb(exact) - 23, -149);
  return std::abs(finite(got) - exact) / std::ldexp(1.0, std::min(exponent, 104));
}

struct Function {
  LaneOp op;
  double (*f)(double x);
  double bound;  // as runtime/lanes.h says
  bool flushes = false;
};
const Function kFunctions[] = {
    {LaneOp::kExp, [](double x) { return std::exp(x); }, 1.1, true},
    {LaneOp::kExpm1, [](double x) { return std::expm1(x); }, 1.8},
    {LaneOp::kLog, [](double x) { return std::log(x); }, 1.0},
    {LaneOp::kLog1p, [](double x) { return std::log1p(x); }, 1.6},
    {LaneOp::kTanh, [](double x) { return std::tanh(x); }, 2.7},
    {LaneOp::kSigmoid, [](double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }, 2.5,
     true},
    {LaneOp::kSoftplus, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }, 2.2, true},
};

TEST(Lanes, FunctionsAreWithinTheirBounds) {
  const std::vector<float> x = Sweep(997);
  for (const Function& function : kFunctions) {
    std::vector<double> want(x.size());
    for (size_t i = 0; i < x.size(); ++i) want[i] = std::isnan(x[i]) ? kNan : function.f(x[i]);
    for (LanePath path : Paths()) {
      const std::vector<float> y = ApplyOn(path, function.op, {x});
      size_t worst = 0;
      double error = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double e = UlpError(y[i], want[i], function.flushes);
        if (e > error) {
          error = e;
          worst = i;
        }
      }
      EXPECT_LE(error, function.bound) << Describe(path, function.op) << " of " << x[worst] << " is " << y[worst]
                                       << ", not " << want[worst];
      if (function.op == LaneOp::kTanh || function.op == LaneOp::kSigmoid) {
        for (float value : y) ASSERT_FALSE(std::abs(value) > 1) << Describe(path, function.op);
      }
    }
  }
}

struct Exact {
  LaneOp op;
  float (*f)(float x0, float x1, float x2);
};
const Exact kExact[] = {
    {LaneOp::kCopy, [](float x, float, float) { return x; }},
    {LaneOp::kNeg, [](float x, float, float) { return -x; }},
    {LaneOp::kAbs, [](float x, float, float) { return std::abs(x); }},
    {LaneOp::kSign, [](float x, float, float) { return x > 0    ? 1.0f
                                                       : x < 0  ? -1.0f
                                                       : x == 0 ? 0.0f
                                                                : x; }},
    {LaneOp::kSquare, [](float x, float, float) { return x * x; }},
    {LaneOp::kSqrt, [](float x, float, float) { return std::sqrt(x); }},
    {LaneOp::kRsqrt, [](float x, float, float) { return 1.0f / std::sqrt(x); }},
    {LaneOp::kReciprocal, [](float x, float, float) { return 1.0f / x; }},
    {LaneOp::kFloor, [](float x, float, float) { return std::floor(x); }},
    {LaneOp::kCeil, [](float x, float, float) { return std::ceil(x); }},
    {LaneOp::kRint, [](float x, float, float) { return std::nearbyint(x); }},
    {LaneOp::kRelu, [](float x, float, float) { return x < 0 ? 0.0f : x; }},
    {LaneOp::kAdd, [](float x, float y, float) { return x + y; }},
    {LaneOp::kSub, [](float x, float y, float) { return x - y; }},
    {LaneOp::kMul, [](float x, float y, float) { return x * y; }},
    {LaneOp::kDiv, [](float x, float y, float) { return x / y; }},
    {LaneOp::kMaximum, [](float x, float y, float) { return std::isnan(x) || x > y ? x : y; }},
    {LaneOp::kMinimum, [](float x, float y, float) { return std::isnan(x) || x < y ? x : y; }},
    {LaneOp::kSquaredDifference, [](float x, float y, float) { return (x - y) * (x - y); }},
    {LaneOp::kGreater, [](float x, float y, float) { return x > y ? 1.0f : 0.0f; }},
    {LaneOp::kGreaterEqual, [](float x, float y, float) { return x >= y ? 1.0f : 0.0f; }},
    {LaneOp::kLess, [](float x, float y, float) { return x < y ? 1.0f : 0.0f; }},
    {LaneOp::kLessEqual, [](float x, float y, float) { return x <= y ? 1.0f : 0.0f; }},
    {LaneOp::kEqual, [](float x, float y, float) { return x == y ? 1.0f : 0.0f; }},
    {LaneOp::kNotEqual, [](float x, float y, float) { return x != y ? 1.0f : 0.0f; }},
    {LaneOp::kReluGrad, [](float dy, float x, float) { return dy * (x > 0 ? 1.0f : 0.0f); }},
    {LaneOp::kTanhGrad,
     [](float y, float dy, float) {
       const volatile float square = y * y;
       return dy * (1 - square);
     }},
    {LaneOp::kSigmoidGrad, [](float y, float dy, float) { return dy * (y * (1 - y)); }},
    {LaneOp::kSelect, [](float c, float x, float y) { return c != 0 ? x : y; }},
};

void ExpectExact(const Exact& exact, const std::vector<std::vector<float>>& x) {
  const std::vector<std::vector<float>> operands(x.begin(), x.begin() + NumLaneOperands(exact.op));
  for (LanePath path : Paths()) {
    const std::vector<float> y = ApplyOn(path, exact.op, operands);
    for (size_t i = 0; i < y.size(); ++i) {
      const float want = exact.f(x[0][i], x[1][i], x[2][i]);
      ASSERT_TRUE(Same(want, y[i])) << Describe(path, exact.op) << " of " << x[0][i] << ", " << x[1][i] << ", "
                                    << x[2][i] << " is " << y[i] << ", not " << want;
    }
  }
}

// All triples of special values, then random ones.
std::vector<std::vector<float>> Triples() {
  std::vector<std::vector<float>> x(3);
  for (float x0 : kSpecial) {
    for (float x1 : kSpecial) {
      for (float x2 : {1.0f, -0.0f, kNan}) {
        x[0].push_back(x0);
        x[1].push_back(x1);
        x[2].push_back(x2);
      }
    }
  }
  std::mt19937 random(7);
  while (x[0].size() < 100000 || x[0].size() % kLanes != 0) {
    for (auto& operand : x) operand.push_back(static_cast<float>(static_cast<int32_t>(random())) * 0x1p-30f);
  }
  return x;
}

TEST(Lanes, ArithmeticIsExact) {
  const std::vector<std::vector<float>> x = Triples();
  for (const Exact& exact : kExact) ExpectExact(exact, x);
}

struct PairCase {
  LanePair pair;
  LaneOp first, second;
  std::vector<int> at;  // which operands of the second may be the first's result
};
const PairCase kPairs[] = {
    {LanePair::kMulAdd, LaneOp::kMul, LaneOp::kAdd, {0, 1}},   {LanePair::kMulSub, LaneOp::kMul, LaneOp::kSub, {0}},
    {LanePair::kMulSubFrom, LaneOp::kMul, LaneOp::kSub, {1}},  {LanePair::kDivSubFrom, LaneOp::kDiv, LaneOp::kSub, {1}},
    {LanePair::kSubMul, LaneOp::kSub, LaneOp::kMul, {0, 1}},   {LanePair::kAddAdd, LaneOp::kAdd, LaneOp::kAdd, {0, 1}},
    {LanePair::kSqrtAdd, LaneOp::kSqrt, LaneOp::kAdd, {0, 1}}, {LanePair::kAddRelu, LaneOp::kAdd, LaneOp::kRelu, {0}},
};

TEST(Lanes, APairGivesTheBitsOfItsTwoOperations) {
  ASSERT_EQ(std::size(kPairs) + 1, static_cast<size_t>(LanePair::kCount));  // and the pair that has a third
  const std::vector<std::vector<float>> x = Triples();
  for (const PairCase& c : kPairs) {
    const int firsts = NumLaneOperands(c.first), operands = NumLaneOperands(c.pair);
    ASSERT_EQ(operands, firsts + NumLaneOperands(c.second) - 1);
    const std::vector<std::vector<float>> used(x.begin(), x.begin() + operands);
    const std::vector<float> between = ApplyOn(LanePath::kPortable, c.first, {x.begin(), x.begin() + firsts});
    for (int at : c.at) {
      EXPECT_EQ(FindLanePair(c.first, c.second, at), c.pair);
      std::vector<std::vector<float>> then = {between};
      if (operands > firsts) then.insert(at == 0 ? then.end() : then.begin(), x[firsts]);
      const std::vector<float> want = ApplyOn(LanePath::kPortable, c.second, then);
      for (LanePath path : Paths()) {
        const std::vector<float> got = ApplyOn(path, c.pair, used);
        for (size_t i = 0; i < want.size(); ++i) {
          ASSERT_TRUE(Same(want[i], got[i]))
              << "pair " << static_cast<int>(c.pair) << " on path " << static_cast<int>(path) << " of " << x[0][i]
              << ", " << x[1][i] << ", " << x[2][i] << " is " << got[i] << ", not " << want[i];
        }
      }
    }
  }
  EXPECT_EQ(FindLanePair(LaneOp::kMul, LaneOp::kMul, 0), std::nullopt);
  EXPECT_EQ(FindLanePair(LaneOp::kAdd, LaneOp::kMul, 1), std::nullopt);
  EXPECT_EQ(FindLanePair(LaneOp::kSub, LaneOp::kSelect, 2), std::nullopt);
}

TEST(Lanes, APairWithAThirdGivesTheBitsOfBoth) {
  ASSERT_EQ(FindLanePair(LanePair::kMulAdd, LaneOp::kRelu), LanePair::kMulAddRelu);
  EXPECT_EQ(FindLanePair(LanePair::kMulSub, LaneOp::kRelu), std::nullopt);
  EXPECT_EQ(FindLanePair(LanePair::kMulAdd, LaneOp::kNeg), std::nullopt);
  const std::vector<std::vector<float>> x = Triples();
  const std::vector<float> want =
      ApplyOn(LanePath::kPortable, LaneOp::kRelu, {ApplyOn(LanePath::kPortable, LanePair::kMulAdd, x)});
  for (LanePath path : Paths()) {
    const std::vector<float> got = ApplyOn(path, LanePair::kMulAddRelu, x);
    for (size_t i = 0; i < want.size(); ++i) {
      ASSERT_TRUE(Same(want[i], got[i])) << "on path " << static_cast<int>(path) << " of " << x[0][i] << ", " << x[1][i]
                                         << ", " << x[2][i];
    }
  }
}

TEST(Lanes, ArithmeticOfOneOperandIsExactOverAllMagnitudes) {
  const std::vector<float> x = Sweep(99991);
  for (const Exact& exact : kExact) {
    if (NumLaneOperands(exact.op) == 1) ExpectExact(exact, {x, x, x});
  }
}

TEST(Lanes, EveryOperationIsInATable) {
  std::set<LaneOp> ops = {LaneOp::kSumRows};
  std::set<std::string> names;
  for (const Function& function : kFunctions) ops.insert(function.op);
  for (const Exact& exact : kExact) ops.insert(exact.op);
  for (int i = 0; i < kNumOps; ++i) {
    EXPECT_EQ(ops.count(OpAt(i)), 1) << LaneOpName(OpAt(i));
    EXPECT_TRUE(names.insert(std::string(LaneOpName(OpAt(i)))).second) << LaneOpName(OpAt(i));
  }
  EXPECT_EQ(NumLaneOperands(LaneOp::kSoftplus), 1);
  EXPECT_EQ(NumLaneOperands(LaneOp::kSigmoidGrad), 2);
  EXPECT_EQ(NumLaneOperands(LaneOp::kSelect), 3);
  EXPECT_EQ(NumLaneOperands(LaneOp::kSumRows), 1);
}

// How the operands of a strip lie in memory.
struct Layout {
  bool row_runs[3];
  bool vector_runs[3];
  int64_t padding;  // floats between the rows
};
constexpr Layout kLayouts[] = {
    {{true, true, true}, {true, true, true}, 0},     {{true, true, true}, {true, true, true}, 3 * kLanes + 1},
    {{true, false, true}, {true, true, true}, 0},    {{false, true, false}, {true, true, false}, kLanes},
    {{true, true, false}, {true, false, false}, 0},  {{true, false, false}, {true, false, true}, 5},
    {{false, false, true}, {false, false, true}, 0}, {{false, true, true}, {true, false, true}, 0},
};

class StripTest : public testing::Test {
 protected:
  static constexpr int64_t kRoom = 1 << 14;
  StripTest() : y_(kRoom) {
    std::mt19937 random(3);
    for (auto& x : x_) {
      x.resize(kRoom);
      for (float& value : x) value = static_cast<float>(static_cast<int32_t>(random())) * 0x1p-29f;
    }
  }

  LaneCall Call(int64_t rows, int64_t vectors, const Layout& layout) {
    const int64_t row = vectors * kLanes + layout.padding;
    LaneCall call = {.rows = rows, .vectors = vectors, .y = y_.data(), .y_row_step = row};
    for (int i = 0; i < 3; ++i) {
      call.x[i] = x_[i].data();
      call.row_step[i] = layout.row_runs[i] ? row : 0;
      call.vector_step[i] = layout.vector_runs[i] ? kLanes : 0;
    }
    return call;
  }

  // Vector by vector, each in a call of its own.
  static void ApplySingly(LaneFunction function, const LaneCall& call) {
    for (int64_t r = 0; r < call.rows; ++r) {
      for (int64_t v = 0; v < call.vectors; ++v) {
        LaneCall single = {.y = call.y + r * call.y_row_step + v * kLanes};
        for (int i = 0; i < 3; ++i) single.x[i] = call.x[i] + r * call.row_step[i] + v * call.vector_step[i];
        function(single);
      }
    }
  }

  std::vector<float> x_[3];
  std::vector<float> y_;
};

TEST_F(StripTest, EveryShapeGivesTheBitsOfSingleVectors) {
  std::vector<float> want(kRoom);
  for (LanePath path : Paths()) {
    for (int i = 0; i < kNumOps; ++i) {
      if (OpAt(i) == LaneOp::kSumRows) continue;
      const LaneFunction function = LaneFunctionOn(path, OpAt(i));
      for (int64_t rows : {0, 1, 2, 3, 5, 60}) {
        for (int64_t vectors = 0; vectors <= 7; ++vectors) {
          for (const Layout& layout : kLayouts) {
            LaneCall call = Call(rows, vectors, layout);
            std::fill(y_.begin(), y_.end(), 77.0f);
            std::fill(want.begin(), want.end(), 77.0f);
            function(call);
            call.y = want.data();
            ApplySingly(function, call);
            ASSERT_EQ(std::memcmp(y_.data(), want.data(), kRoom * sizeof(float)), 0)
                << Describe(path, OpAt(i)) << " " << rows << "x" << vectors << " layout " << &layout - kLayouts;
          }
        }
      }
    }
  }
}

TEST_F(StripTest, TheResultMayReplaceAnOperand) {
  for (LanePath path : Paths()) {
    for (int i = 0; i < kNumOps; ++i) {
      if (OpAt(i) == LaneOp::kSumRows) continue;
      for (auto [rows, vectors] : {std::pair<int, int>{60, 1}, {1, 7}, {5, 4}}) {
        for (int replaced = 0; replaced < NumLaneOperands(OpAt(i)); ++replaced) {
          LaneCall call = Call(rows, vectors, kLayouts[0]);
          LaneFunctionOn(path, OpAt(i))(call);
          std::vector<float> in_place = x_[replaced];
          call.x[replaced] = call.y = in_place.data();
          LaneFunctionOn(path, OpAt(i))(call);
          ASSERT_EQ(std::memcmp(y_.data(), in_place.data(), rows * vectors * kLanes * sizeof(float)), 0)
              << Describe(path, OpAt(i)) << " operand " << replaced;
        }
      }
    }
  }
}

TEST_F(StripTest, SumRowsAddsInFourSums) {
  for (LanePath path : Paths()) {
    for (int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 8, 60, 61}) {
      for (int64_t vectors : {1, 2, 5}) {
        for (const Layout& layout : {kLayouts[0], kLayouts[1], kLayouts[3], kLayouts[4]}) {
          const LaneCall call = Call(rows, vectors, layout);
          LaneFunctionOn(path, LaneOp::kSumRows)(call);
          for (int64_t j = 0; j < vectors * kLanes; ++j) {
            float sum[4] = {};
            for (int64_t r = 0; r < rows; ++r) {
              sum[r % 4] += call.x[0][r * call.row_step[0] + j / kLanes * call.vector_step[0] + j % kLanes];
            }
            ASSERT_TRUE(SameBits(call.y[j], (sum[0] + sum[1]) + (sum[2] + sum[3])))
                << "path " << static_cast<int>(path) << " " << rows << "x" << vectors << " at " << j;
          }
        }
      }
    }
  }
}

// A chain of single operations and the operation that stands for the chain round alike: products are not fused into
// the sums that follow.
TEST_F(StripTest, GradientsRoundEachStep) {
  const std::vector<float> y(x_[0].begin(), x_[0].begin() + 4096), dy(x_[1].begin(), x_[1].begin() + 4096);
  const std::vector<float> one(4096, 1.0f);
  for (LanePath path : Paths()) {
    const std::vector<float> rest = ApplyOn(path, LaneOp::kSub, {one, ApplyOn(path, LaneOp::kMul, {y, y})});
    EXPECT_EQ(ApplyOn(path, LaneOp::kTanhGrad, {y, dy}), ApplyOn(path, LaneOp::kMul, {dy, rest}));
    const std::vector<float> slope = ApplyOn(path, LaneOp::kMul, {y, ApplyOn(path, LaneOp::kSub, {one, y})});
    EXPECT_EQ(ApplyOn(path, LaneOp::kSigmoidGrad, {y, dy}), ApplyOn(path, LaneOp::kMul, {dy, slope}));
  }
}

TEST(ApplyLanes, EveryLengthGivesTheSameBitsAndNothingBeyond) {
  std::vector<float> x0(48), x1(48), want(48), got(48);
  for (int i = 0; i < 48; ++i) {
    x0[i] = 0.37f * static_cast<float>(i - 17);
    x1[i] = 1.9f - 0.1f * static_cast<float>(i);
  }
  for (int i = 0; i < kNumOps; ++i) {
    const LaneOp op = OpAt(i);
    const int operands = NumLaneOperands(op);
    if (operands == 3 || op == LaneOp::kSumRows) continue;
    LaneFunctionFor(op)({.vectors = 3, .x = {x0.data(), x1.data()}, .vector_step = {kLanes, kLanes}, .y = want.data()});
    for (int64_t n = 0; n <= 33; ++n) {
      std::fill(got.begin(), got.end(), 77.0f);
      std::vector<float> in_place = x0;
      if (operands == 1) {
        ApplyLanes(op, x0.data(), got.data(), n);
        ApplyLanes(op, in_place.data(), in_place.data(), n);
      } else {
        ApplyLanes(op, x0.data(), x1.data(), got.data(), n);
        ApplyLanes(op, in_place.data(), x1.data(), in_place.data(), n);
      }
      for (int64_t j = 0; j < 48; ++j) {
        ASSERT_TRUE(Same(got[j], j < n ? want[j] : 77.0f)) << LaneOpName(op) << " of " << n << " at " << j;
        ASSERT_TRUE(Same(in_place[j], j < n ? want[j] : x0[j])) << LaneOpName(op) << " of " << n << " at " << j;
      }
    }
  }
}

TEST(Lanes, TheBestPathIsSupported) {
  EXPECT_TRUE(LanePathSupported(BestLanePath()));
  for (int i = 0; i < kNumOps; ++i) EXPECT_EQ(LaneFunctionFor(OpAt(i)), LaneFunctionOn(BestLanePath(), OpAt(i)));
}

}  // namespace
}  // namespace staticflow
