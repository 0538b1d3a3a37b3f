#include "runtime/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/dtype.h"
#include "graph/shape.h"

namespace staticflow {
namespace {

constexpr GemmPath kPaths[] = {GemmPath::kPortable, GemmPath::kAvx2, GemmPath::kAvx512};

std::string Describe(const GemmShape& s) {
  return absl::StrCat(s.m, "x", s.k, "x", s.n, s.transpose_a ? " A^T" : "", s.transpose_b ? " B^T" : "",
                      s.accumulate ? " accumulate" : "", " alpha ", s.alpha);
}

// Operands and result of one product, all with padded rows; what lies between the rows of C is 77.
template <typename T>
struct Problem {
  GemmShape s;
  std::vector<T> a, b, c;

  // `limit`: values are integers in [-limit, limit], or reals in [-1, 1) when it is 0.
  Problem(GemmShape shape, int limit, int padding) : s(shape) {
    s.lda = (s.transpose_a ? s.m : s.k) + padding;
    s.ldb = (s.transpose_b ? s.k : s.n) + padding;
    s.ldc = s.n + padding;
    std::mt19937 random(static_cast<uint32_t>(s.m * 1000003 + s.n * 1009 + s.k));
    const int64_t beyond = s.runs == nullptr ? 0 : s.runs[s.num_runs - 1];

    Fill(a, (s.transpose_a ? s.k : s.m) * s.lda + beyond + s.row_runs * s.row_run_step, limit, random);
    Fill(b, (s.transpose_b ? s.n : s.k) * s.ldb, limit, random);
    Fill(c, s.m * s.ldc, limit, random);
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = s.n; j < s.ldc; ++j) c[i * s.ldc + j] = T(77);
    }
  }

  static void Fill(std::vector<T>& values, int64_t count, int limit, std::mt19937& random) {
    values.resize(count);
    for (T& value : values) {
      const double real = static_cast<double>(random()) / 4294967296.0;
      value = static_cast<T>(
          static_cast<float>(limit > 0 ? static_cast<int>(random() % (2 * limit + 1)) - limit : 2 * real - 1));
    }
  }
};

// Memory that ends where the answer of GemmScratchBytes says, so that the sanitizers see a step beyond.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : memory_(std::aligned_alloc(64, (bytes + 63) / 64 * 64)) {
    std::memset(memory_, 0xff, bytes);
  }
  ~Scratch() { std::free(memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return memory_; }

 private:
  void* memory_;
};

// Small integers make every sum exact: any order of additions must give the reference's bits.
template <typename T>
void ExpectExact(GemmShape shape, int padding) {
  const Problem<T> problem(shape, 3, padding);
  const GemmShape& s = problem.s;
  std::vector<T> want = problem.c;
  GemmReference(s, problem.a.data(), problem.b.data(), want.data());
  const Scratch scratch(GemmScratchBytes<T>(s));
  if constexpr (std::is_floating_point_v<T>) {
    for (GemmPath path : kPaths) {
      if (!GemmPathSupported(path)) continue;
      std::vector<T> got = problem.c;
      GemmOnPath(path, s, problem.a.data(), problem.b.data(), got.data(), scratch.get());
      ASSERT_TRUE(got == want) << GemmPathName(path) << " " << Describe(s);
    }
  }
  std::vector<T> got = problem.c;
  Gemm(s, problem.a.data(), problem.b.data(), got.data(), scratch.get());
  ASSERT_TRUE(got == want) << Describe(s);
}

template <typename F>
void ForEachMode(F f) {
  for (bool transpose_a : {false, true}) {
    for (bool transpose_b : {false, true}) {
      for (bool accumulate : {false, true}) {
        f(GemmShape{.transpose_a = transpose_a,
                    .transpose_b = transpose_b,
                    .accumulate = accumulate,
                    .alpha = accumulate ? -2.0 : 1.0});
      }
    }
  }
}

template <typename T>
void ExpectExactOverShapes() {
  const int64_t sizes[][3] = {{1, 1, 1},    {1, 100, 10},  {2, 3, 5},     {6, 16, 7},    {7, 17, 9},    {13, 31, 4},
                              {14, 32, 33}, {15, 33, 1},   {28, 64, 16},  {29, 65, 17},  {60, 100, 10}, {60, 10, 100},
                              {3, 129, 70}, {100, 60, 47}, {61, 127, 65}, {17, 7, 2055}, {50, 300, 30}, {33, 1, 50},
                              {1, 33, 50},  {5, 8, 1024},  {5, 8, 1025},  {45, 520, 3}};
  for (const auto& size : sizes) {
    ForEachMode([&](GemmShape s) {
      s.m = size[0];
      s.n = size[1];
      s.k = size[2];
      ExpectExact<T>(s, 0);
      ExpectExact<T>(s, 3);
    });
  }
}

TEST(Gemm, FloatEqualsReference) { ExpectExactOverShapes<float>(); }
TEST(Gemm, DoubleEqualsReference) { ExpectExactOverShapes<double>(); }
TEST(Gemm, IntegersEqualReference) {
  ExpectExactOverShapes<int32_t>();
  ExpectExactOverShapes<int64_t>();
  ExpectExactOverShapes<uint8_t>();
  ExpectExactOverShapes<int16_t>();
}

TEST(Gemm, EverySmallFloatShapeEqualsReference) {
  for (int64_t m = 1; m <= 30; ++m) {
    for (int64_t n = 1; n <= 68; n += 1 + n / 20) ExpectExact<float>({.m = m, .n = n, .k = 3}, 1);
  }
}

// Up to four columns behind the last whole vector are computed with rows in the lanes, of which the last ones overlap,
// or with products in the lanes; rows come in chunks where k is deep.
TEST(Gemm, FewLastColumnsEqualReference) {
  ForEachMode([](GemmShape s) {
    for (int64_t m : {1, 2, 7, 16, 31, 47, 80, 150}) {
      for (int64_t n : {1, 2, 3, 4, 5, 10, 17, 18, 35, 100}) {
        for (int64_t k : {1, 2, 3, 4, 9, 261}) {
          s.m = m;
          s.n = n;
          s.k = k;
          ExpectExact<float>(s, 1);
        }
      }
    }
  });
}

TEST(Gemm, NothingBehindARowCounts) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ForEachMode([&](GemmShape s) {
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{17, 18, 7}, {1, 3, 130}, {40, 100, 261}}) {
      s.m = m;
      s.n = n;
      s.k = k;
      Problem<float> p(s, 3, 5);
      std::vector<float> want = p.c;
      GemmReference(p.s, p.a.data(), p.b.data(), want.data());
      const int64_t a_columns = s.transpose_a ? m : k, b_columns = s.transpose_b ? k : n;
      for (size_t i = 0; i < p.a.size(); ++i) p.a[i] = static_cast<int64_t>(i) % p.s.lda < a_columns ? p.a[i] : nan;
      for (size_t i = 0; i < p.b.size(); ++i) p.b[i] = static_cast<int64_t>(i) % p.s.ldb < b_columns ? p.b[i] : nan;
      const Scratch scratch(GemmScratchBytes<float>(p.s));
      for (GemmPath path : kPaths) {
        if (!GemmPathSupported(path)) continue;
        std::vector<float> got = p.c;
        GemmOnPath(path, p.s, p.a.data(), p.b.data(), got.data(), scratch.get());
        ASSERT_TRUE(got == want) << GemmPathName(path) << " " << Describe(p.s);
      }
    }
  });
}

TEST(Gemm, HalfTypesComputeInFloat) {
  ForEachMode([&](GemmShape s) {
    s.m = 9;
    s.n = 21;
    s.k = 20;
    ExpectExact<Half>(s, 2);
    ExpectExact<BFloat16>(s, 2);
  });
}

TEST(Gemm, IntegersWrapAround) {
  const int32_t a = 1 << 30, b = 6;
  int32_t c = 5;
  const Scratch scratch(GemmScratchBytes<int32_t>({}));
  Gemm<int32_t>({.m = 1, .n = 1, .k = 1, .lda = 1, .ldb = 1, .ldc = 1, .accumulate = true}, &a, &b, &c, scratch.get());
  EXPECT_EQ(c, std::numeric_limits<int32_t>::min() + 5);  // 6 * 2^30 is 2^31 modulo 2^32
}

TEST(Gemm, RealsAreNearReference) {
  for (GemmPath path : kPaths) {
    if (!GemmPathSupported(path)) continue;
    for (auto [m, n, k] : {std::array<int64_t, 3>{60, 100, 784}, {100, 60, 1500}}) {
      const Problem<float> problem({.m = m, .n = n, .k = k}, 0, 0);
      std::vector<float> want = problem.c, got = problem.c;
      const Scratch scratch(GemmScratchBytes<float>(problem.s));
      GemmReference(problem.s, problem.a.data(), problem.b.data(), want.data());
      GemmOnPath(path, problem.s, problem.a.data(), problem.b.data(), got.data(), scratch.get());
      for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-4) << GemmPathName(path);
    }
  }
}

// Rows [r0, r1) and columns [c0, c1) of `s`, in a call of their own.
template <typename T>
void ComputePart(GemmPath path, const Problem<T>& p, int64_t r0, int64_t r1, int64_t c0, int64_t c1, std::vector<T>& c,
                 void* scratch) {
  GemmShape part = p.s;
  part.m = r1 - r0;
  part.n = c1 - c0;
  const T* a = p.a.data() + r0 * (p.s.transpose_a ? 1 : p.s.lda);
  const T* b = p.b.data() + c0 * (p.s.transpose_b ? p.s.ldb : 1);
  GemmOnPath(path, part, a, b, c.data() + r0 * p.s.ldc + c0, scratch);
}

template <typename T>
void ExpectPartsEqualWhole(const GemmShape& shape) {
  const Problem<T> p(shape, 0, 0);
  const Scratch scratch(GemmScratchBytes<T>(p.s));
  for (GemmPath path : kPaths) {
    if (!GemmPathSupported(path)) continue;
    std::vector<T> whole = p.c;
    ComputePart(path, p, 0, p.s.m, 0, p.s.n, whole, scratch.get());
    const int64_t sizes[][2] = {{1, 48}, {1, 16}, {5, p.s.n}, {16, 32}, {p.s.m, 16}, {p.s.m, 48}};
    for (const auto& [rows, columns] : sizes) {
      std::vector<T> parts = p.c;
      for (int64_t i = 0; i < p.s.m; i += rows) {
        for (int64_t j = 0; j < p.s.n; j += columns) {
          ComputePart(path, p, i, std::min(i + rows, p.s.m), j, std::min(j + columns, p.s.n), parts, scratch.get());
        }
      }
      ASSERT_EQ(std::memcmp(parts.data(), whole.data(), whole.size() * sizeof(T)), 0)
          << GemmPathName(path) << " " << Describe(p.s) << " by " << rows << "x" << columns;
    }
  }
}

TEST(Gemm, PartsHaveTheBitsOfTheWhole) {
  ForEachMode([](GemmShape s) {
    s.m = 60;
    s.n = 100;
    for (int64_t k : {100, 1100}) {
      s.k = k;
      ExpectPartsEqualWhole<float>(s);
    }
    ExpectPartsEqualWhole<double>(s);
  });
  ExpectPartsEqualWhole<float>({.m = 50, .n = 600, .k = 40});
  ExpectPartsEqualWhole<float>({.m = 83, .n = 50, .k = 301});
  ExpectPartsEqualWhole<float>({.m = 83, .n = 20, .k = 301, .transpose_b = true});
  ExpectPartsEqualWhole<float>({.m = 20, .n = 3, .k = 50});
  ExpectPartsEqualWhole<float>({.m = 83, .n = 35, .k = 301, .accumulate = true});
}

// What is asked for meanwhile changes nothing, wherever it lies.
TEST(Gemm, AsksForMemoryThatNeedNotBeThere) {
  const std::vector<float> elsewhere(500, 1.0f);
  for (int64_t m : {1, 7, 30, 60, 100}) {
    for (int64_t k : {20, 100, 300}) {
      for (bool transpose : {false, true}) {
        for (int64_t cut : {int64_t{0}, k / 2}) {
          Problem<float> p({.m = m, .n = 100, .k = k, .transpose_a = transpose, .inner_cut = cut}, 0, 0);
          const Scratch scratch(GemmScratchBytes<float>(p.s));
          std::vector<float> want = p.c, got = p.c;
          Gemm(p.s, p.a.data(), p.b.data(), want.data(), scratch.get());
          for (const void* ahead : {static_cast<const void*>(elsewhere.data()), static_cast<const void*>(nullptr)}) {
            p.s.ahead = ahead;
            p.s.ahead_bytes = 2000;
            Gemm(p.s, p.a.data(), p.b.data(), got.data(), scratch.get());
            ASSERT_EQ(got, want) << Describe(p.s);
          }
        }
      }
    }
  }
}

TEST(Gemm, InnerPartsHaveTheBitsOfTwoProducts) {
  const int64_t sizes[][4] = {{60, 100, 784, 400}, {83, 35, 784, 400}, {30, 600, 300, 160}, {17, 100, 200, 112},
                              {200, 9, 301, 16},   {3, 70, 65, 64},    {1, 1, 300, 1}};
  for (const auto& [m, n, k, cut] : sizes) {
    for (bool transpose_a : {false, true}) {
      for (bool transpose_b : {false, true}) {
        const GemmShape shape = {.m = m,
                                 .n = n,
                                 .k = k,
                                 .transpose_a = transpose_a,
                                 .transpose_b = transpose_b,
                                 .alpha = -0.3,
                                 .inner_cut = cut};
        ExpectPartsEqualWhole<float>(shape);
        ExpectExact<double>({.m = m, .n = n, .k = k, .transpose_a = transpose_a, .inner_cut = cut}, 3);
        ExpectExact<int32_t>({.m = m, .n = n, .k = k, .transpose_b = transpose_b, .inner_cut = cut}, 1);
        const Problem<float> p(shape, 0, 0);
        const Scratch scratch(GemmScratchBytes<float>(p.s));
        std::vector<float> got = p.c, first = p.c, second = p.c;
        Gemm(p.s, p.a.data(), p.b.data(), got.data(), scratch.get());
        GemmShape part = p.s;
        part.inner_cut = 0;
        part.k = cut;
        Gemm(part, p.a.data(), p.b.data(), first.data(), scratch.get());
        part.k = k - cut;
        Gemm(part, p.a.data() + cut * (transpose_a ? p.s.lda : 1), p.b.data() + cut * (transpose_b ? 1 : p.s.ldb),
             second.data(), scratch.get());
        for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], first[i] + second[i]) << Describe(p.s);

        GemmShape added = p.s;
        added.accumulate = true;
        const Scratch more(GemmScratchBytes<float>(added));
        std::vector<float> sum = p.c;
        Gemm(added, p.a.data(), p.b.data(), sum.data(), more.get());
        for (size_t i = 0; i < sum.size(); ++i) ASSERT_EQ(sum[i], (p.c[i] + first[i]) + second[i]) << Describe(added);
        ExpectPartsEqualWhole<float>(added);
        ExpectExact<double>({.m = m, .n = n, .k = k, .transpose_b = transpose_b, .accumulate = true, .inner_cut = cut},
                            3);
      }
    }
  }
}

TEST(Gemm, AccumulateRoundsTheProductBeforeAdding) {
  for (GemmPath path : kPaths) {
    if (!GemmPathSupported(path)) continue;
    const GemmShape shape = {.m = 17, .n = 37, .k = 60, .transpose_a = true};
    const Problem<float> p(shape, 0, 0);
    const Scratch scratch(GemmScratchBytes<float>(p.s));
    std::vector<float> product = p.c, got = p.c;
    GemmOnPath(path, p.s, p.a.data(), p.b.data(), product.data(), scratch.get());
    GemmShape add = p.s;
    add.accumulate = true;
    add.alpha = -0.01f;
    GemmOnPath(path, add, p.a.data(), p.b.data(), got.data(), scratch.get());
    for (size_t i = 0; i < got.size(); ++i) {
      const volatile float scaled = -0.01f * product[i];
      ASSERT_EQ(got[i], p.c[i] + scaled) << GemmPathName(path);
    }
  }
}

// A window of 3 x 5 pixels of 2 channels over an image of 20 x 16: rows of op(A) overlap.
TEST(Gemm, RunsFindTheirOwnColumns) {
  const int64_t runs[] = {7, 7 + 32, 7 + 3 * 32};
  for (bool transpose_a : {false, true}) {
    for (int64_t n : {1, 16, 33, 100}) {
      ExpectExact<float>(
          {.m = 12, .n = n, .k = 30, .transpose_a = transpose_a, .accumulate = n == 16, .runs = runs, .num_runs = 3},
          2);
      ExpectExact<int32_t>({.m = 12, .n = n, .k = 30, .transpose_a = transpose_a, .runs = runs, .num_runs = 3}, 0);
    }
  }
}

TEST(Gemm, RunsOfRowsFindTheirOwnRows) {
  const int64_t runs[] = {0, 32, 64};
  for (int64_t n : {1, 16, 70}) {
    ExpectExact<float>({.m = 60, .n = n, .k = 30, .runs = runs, .num_runs = 3, .row_runs = 4, .row_run_step = 37}, 2);
    ExpectExact<double>({.m = 4, .n = n, .k = 30, .row_runs = 4, .row_run_step = 50}, 2);
  }
}

TEST(Gemm, EmptyDepth) {
  for (bool accumulate : {false, true}) {
    float c[] = {1, 2, 3, 4, 5, 6};
    const Scratch scratch(GemmScratchBytes<float>({}));
    Gemm<float>({.m = 2, .n = 2, .k = 0, .ldb = 2, .ldc = 3, .accumulate = accumulate}, nullptr, nullptr, c,
                scratch.get());
    const float want[2][6] = {{0, 0, 3, 0, 0, 6}, {1, 2, 3, 4, 5, 6}};
    EXPECT_EQ(std::memcmp(c, want[accumulate], sizeof(c)), 0);
  }
}

TEST(Gemm, EmptyResult) {
  const Scratch scratch(GemmScratchBytes<double>({}));
  Gemm<double>(ContiguousGemm(0, 5, 3), nullptr, nullptr, nullptr, scratch.get());
  Gemm<double>(ContiguousGemm(5, 0, 3), nullptr, nullptr, nullptr, scratch.get());
}

TEST(Gemm, HugeHalfProductsAskForTooMuch) {
  EXPECT_EQ(GemmScratchBytes<Half>(ContiguousGemm(int64_t{1} << 40, int64_t{1} << 40, 1)), kTooLarge);
}

}  // namespace
}  // namespace staticflow
