// Loops over memory, compared with plain ones: runtime/loop.h, runtime/loop_nest.cc.
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/executor.h"
#include "runtime/loop.h"

namespace staticflow {
namespace {

// Memory of one operand or result: `rows` rows, `stride` floats apart. What lies between rows must stay as it is.
struct Block {
  int64_t rows = 1, columns = 1, stride = 1;
  Shape shape;
  std::vector<float> data;

  Block(int64_t rows, int64_t columns, int64_t padding = 0)
      : rows(rows), columns(columns), stride(columns + padding), shape({rows, columns}), data(rows * stride, 7777) {}
  static Block Random(int64_t rows, int64_t columns, int seed, int64_t padding = 0) {
    Block block(rows, columns, padding);
    uint32_t state = seed * 2654435761u + 1;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        state = state * 1664525u + 1013904223u;
        block.at(r, c) = static_cast<float>(state >> 8) / (1 << 23) - 1;
      }
    }
    return block;
  }
  float& at(int64_t r, int64_t c) { return data[r * stride + c]; }
  TensorView view() {
    return {
        .data = data.data(), .shape = &shape, .num_elements = rows * columns, .row_stride = stride, .dtype = DT_FLOAT};
  }
};

// Runs `program` in parts that end at `cuts`; the last part runs to the end.
void RunLoop(const LoopProgram& program, const std::vector<Block*>& inputs, const std::vector<Block*>& outputs,
             std::vector<int64_t> cuts = {}) {
  const Kernel kernel = CompileLoop(program);
  std::vector<TensorView> operands, results;
  for (Block* block : inputs) operands.push_back(block->view());
  for (Block* block : outputs) results.push_back(block->view());
  cuts.push_back(program.items());
  int64_t begin = 0;
  for (int64_t end : cuts) {
    const absl::Status status = RunKernel(kernel, operands, absl::MakeSpan(results), {begin, end});
    ASSERT_TRUE(status.ok()) << status;
    begin = end;
  }
}

bool SameBits(Block a, Block b) {
  for (int64_t r = 0; r < a.rows; ++r) {
    if (std::memcmp(&a.at(r, 0), &b.at(r, 0), a.columns * sizeof(float)) != 0) return false;
  }
  return a.rows == b.rows && a.columns == b.columns;
}

// y = (x - m) * s + x, with a matrix x, a row m and a scalar s; sum = the sum of y's rows, as LaneOp::kSumRows adds.
struct Fixture {
  Block x, m, s;
  LoopProgram program;
  int y, sum;

  Fixture(int64_t rows, int64_t columns, int64_t padding = 0)
      : x(Block::Random(rows, columns, 1, padding)), m(Block::Random(1, columns, 2)), s(Block::Random(1, 1, 3)) {
    program = {.rows = rows, .columns = columns};
    const int px = program.AddInput(LaneLevel::kMatrix), pm = program.AddInput(LaneLevel::kRow),
              ps = program.AddInput(LaneLevel::kScalar);
    const int centered = program.AddStep(LaneOp::kSub, {px, pm, -1});
    const int scaled = program.AddStep(LaneOp::kMul, {centered, ps, -1});
    y = program.AddStep(LaneOp::kAdd, {scaled, px, -1});
    sum = program.AddStep(LaneOp::kSumRows, {y, -1, -1});
  }
  Block WantY() {
    Block want(x.rows, x.columns);
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t c = 0; c < x.columns; ++c) {
        const float centered = x.at(r, c) - m.at(0, c), scaled = centered * s.at(0, 0);
        want.at(r, c) = scaled + x.at(r, c);
      }
    }
    return want;
  }
  Block WantSum() {
    Block want_y = WantY(), want(1, x.columns);
    for (int64_t c = 0; c < x.columns; ++c) {
      float sums[4] = {};
      for (int64_t r = 0; r < x.rows; ++r) sums[r % 4] += want_y.at(r, c);
      want.at(0, c) = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
    return want;
  }
};

TEST(LoopNestTest, MatricesRowsScalarsAndSums) {
  for (int64_t rows : {1, 3, 60, 1000}) {
    for (int64_t columns = 1; columns <= 40; ++columns) {
      for (int64_t padding : {0, 5, 48}) {
        Fixture f(rows, columns, padding);
        f.program.results = {{f.y}, {f.sum}};
        Block y(rows, columns, padding), sum(1, columns);
        RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y, &sum});
        ASSERT_TRUE(SameBits(y, f.WantY())) << rows << "x" << columns << "+" << padding;
        ASSERT_TRUE(SameBits(sum, f.WantSum())) << rows << "x" << columns << "+" << padding;
      }
    }
  }
}

TEST(LoopNestTest, ManyColumnsInStrips) {
  for (int64_t columns : {100, 784, 3000}) {
    Fixture f(7, columns);
    f.program.results = {{f.y}, {f.sum}};
    Block y(7, columns), sum(1, columns);
    RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y, &sum});
    EXPECT_TRUE(SameBits(y, f.WantY()) && SameBits(sum, f.WantSum())) << columns;
  }
}

TEST(LoopNestTest, TheBitsDoNotDependOnTheCuts) {
  Fixture f(60, 100, 12);
  f.program.results = {{f.y}, {f.sum}};
  for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{16}, {48, 96}, {0, 32, 32, 80}, {16, 32, 48, 64}}) {
    Block y(60, 100, 12), sum(1, 100);
    RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y, &sum}, cuts);
    EXPECT_TRUE(SameBits(y, f.WantY()) && SameBits(sum, f.WantSum())) << cuts.size();
  }
}

// Rows in chunks, each with the sum of its own rows; narrow rows are computed side by side.
TEST(LoopNestTest, ChunksOfRows) {
  for (int64_t columns : {1, 3, 10, 16, 37, 100, 1500}) {
    for (int64_t rows : {1, 64, 200, 1024, 4999}) {
      if (rows * columns > 600000) continue;
      Fixture f(rows, columns);
      f.program.results = {{f.y}, {.reg = f.sum, .by_chunk = true}};
      f.program.DivideByRows();
      const int64_t chunks = f.program.items();
      EXPECT_EQ(chunks, (rows + f.program.chunk - 1) / f.program.chunk);
      Block first_sums(chunks, columns);
      for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{}, {chunks / 3, chunks / 2}}) {
        Block y(rows, columns), sums(chunks, columns);
        RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y, &sums}, cuts);
        ASSERT_TRUE(SameBits(y, f.WantY())) << rows << "x" << columns;
        if (cuts.empty()) first_sums = sums;
        ASSERT_TRUE(SameBits(sums, first_sums)) << rows << "x" << columns << ": the cuts change bits";
        for (int64_t c = 0; c < columns; ++c) {
          double got = 0, want = 0;
          for (int64_t i = 0; i < chunks; ++i) got += sums.at(i, c);
          for (int64_t r = 0; r < rows; ++r) want += y.at(r, c);
          ASSERT_NEAR(got, want, 1e-7 * rows + 1e-6) << rows << "x" << columns;
        }
      }
    }
  }
}

TEST(LoopNestTest, RowsThatNeedNotStayTogetherAreDoneInBlocks) {
  for (int64_t rows : {63, 64, 65, 1000}) {
    Fixture f(rows, 37, 11);
    f.program.results = {{f.y}};
    Block y(rows, 37);
    RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y});
    EXPECT_TRUE(SameBits(y, f.WantY())) << rows;
  }
}

// v = v - x; the result takes v's place, once with nothing else, once with v read again afterwards.
TEST(LoopNestTest, ResultsInPlaceOfOperands) {
  for (const bool read_later : {false, true}) {
    for (int64_t columns : {1, 15, 16, 33}) {
      LoopProgram program{.rows = 60, .columns = columns};
      const int v = program.AddInput(LaneLevel::kMatrix), x = program.AddInput(LaneLevel::kMatrix);
      const int updated = program.AddStep(LaneOp::kSub, {v, x, -1});
      const int before = program.AddStep(LaneOp::kSquare, {read_later ? v : updated, -1, -1});
      program.results = {{updated, 0}, {before}};
      Block bv = Block::Random(60, columns, 1), bx = Block::Random(60, columns, 2), by(60, columns);
      Block want_v = bv, want_y = by;
      for (int64_t i = 0; i < 60 * columns; ++i) {
        want_v.data[i] = bv.data[i] - bx.data[i];
        const float base = read_later ? bv.data[i] : want_v.data[i];
        want_y.data[i] = base * base;
      }
      RunLoop(program, {&bv, &bx}, {&bv, &by}, {columns / 16 * 16});
      EXPECT_TRUE(SameBits(bv, want_v) && SameBits(by, want_y)) << read_later << " " << columns;
    }
  }
}

// A row that is updated while many blocks of rows read it, before or after.
TEST(LoopNestTest, RowsInPlaceAreUpdatedOnce) {
  for (const bool read_later : {false, true}) {
    LoopProgram program{.rows = 200, .columns = 20};
    const int v = program.AddInput(LaneLevel::kRow), x = program.AddInput(LaneLevel::kMatrix);
    const int updated = program.AddStep(LaneOp::kAdd, {v, program.AddConstant(1), -1});
    const int y = program.AddStep(LaneOp::kMul, {x, read_later ? v : updated, -1});
    program.results = {{updated, 0}, {y}};
    Block bv = Block::Random(1, 20, 1), bx = Block::Random(200, 20, 2), by(200, 20), want_v = bv, want_y = by;
    for (int64_t c = 0; c < 20; ++c) {
      want_v.at(0, c) = bv.at(0, c) + 1;
      for (int64_t r = 0; r < 200; ++r) want_y.at(r, c) = bx.at(r, c) * (read_later ? bv : want_v).at(0, c);
    }
    RunLoop(program, {&bv, &bx}, {&bv, &by});
    EXPECT_TRUE(SameBits(bv, want_v) && SameBits(by, want_y)) << read_later;
  }
}

// p = a * m, apart from s = p + b by a step on rows; whether s is p's only reader, or p is wanted, too, or read again.
TEST(LoopNestTest, StepsThatGoTogetherInPairs) {
  enum { kOnlyReader, kWanted, kReadAgain, kOverwritten };
  for (int use : {kOnlyReader, kWanted, kReadAgain, kOverwritten}) {
    for (int64_t columns : {5, 33, 100}) {
      LoopProgram program{.rows = 7, .columns = columns};
      const int a = program.AddInput(LaneLevel::kMatrix), b = program.AddInput(LaneLevel::kMatrix),
                m = program.AddInput(LaneLevel::kRow);
      const int p = program.AddStep(LaneOp::kMul, {a, m, -1});
      const int n = program.AddStep(LaneOp::kNeg, {m, -1, -1});
      const int c = use == kOverwritten ? program.AddStep(LaneOp::kSub, {b, n, -1}) : b;
      const int s = program.AddStep(LaneOp::kAdd, {c, p, -1});
      const int y = program.AddStep(LaneOp::kMaximum, {s, use == kReadAgain ? p : n, -1});
      program.results = {{y}};
      if (use == kWanted) program.results.push_back({p});
      if (use == kOverwritten) program.results.push_back({c, /*same_as_input=*/0});
      Block ba = Block::Random(7, columns, 1), bb = Block::Random(7, columns, 2), bm = Block::Random(1, columns, 3);
      Block by(7, columns), bp(7, columns), want_y = by, want_second = by;
      for (int64_t r = 0; r < 7; ++r) {
        for (int64_t i = 0; i < columns; ++i) {
          const float mi = bm.at(0, i), product = ba.at(r, i) * mi;
          const float ci = use == kOverwritten ? bb.at(r, i) + mi : bb.at(r, i);
          const float sum = ci + product;
          want_y.at(r, i) = std::max(sum, use == kReadAgain ? product : -mi);
          want_second.at(r, i) = use == kOverwritten ? ci : product;
        }
      }
      Block& second = use == kOverwritten ? ba : bp;
      std::vector<Block*> outputs = {&by};
      if (program.results.size() > 1) outputs.push_back(&second);
      RunLoop(program, {&ba, &bb, &bm}, outputs);
      EXPECT_TRUE(SameBits(by, want_y)) << use << " " << columns;
      EXPECT_TRUE(outputs.size() == 1 || SameBits(second, want_second)) << use << " " << columns;
    }
  }
}

TEST(LoopNestTest, OneRegisterForSeveralResultsAndOperandsAsResults) {
  for (int64_t columns : {5, 16, 50}) {
    Fixture f(10, columns);
    f.program.results = {{f.y}, {f.y}, {f.program.inputs[0]}, {f.program.inputs[1]}, {f.program.inputs[2]}};
    Block y1(10, columns), y2(10, columns, 3), x(10, columns), m(1, columns), s(1, 1);
    RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y1, &y2, &x, &m, &s});
    EXPECT_TRUE(SameBits(y1, f.WantY()) && SameBits(y2, f.WantY())) << columns;
    EXPECT_TRUE(SameBits(x, f.x) && SameBits(m, f.m) && SameBits(s, f.s)) << columns;
  }
}

TEST(LoopNestTest, OperandsThatChangePlaces) {
  LoopProgram program{.rows = 3, .columns = 20};
  const int a = program.AddInput(LaneLevel::kMatrix), b = program.AddInput(LaneLevel::kMatrix),
            c = program.AddInput(LaneLevel::kMatrix);
  program.results = {{b, 0}, {c, 1}, {a, 2}};
  Block x = Block::Random(3, 20, 1), y = Block::Random(3, 20, 2), z = Block::Random(3, 20, 3);
  const Block was_x = x, was_y = y, was_z = z;
  RunLoop(program, {&x, &y, &z}, {&x, &y, &z});
  EXPECT_TRUE(SameBits(x, was_y) && SameBits(y, was_z) && SameBits(z, was_x));
}

TEST(LoopNestTest, ConstantsAreToldApartByTheirBits) {
  LoopProgram program{.rows = 1, .columns = 3};
  const int x = program.AddInput(LaneLevel::kRow);
  EXPECT_EQ(program.AddConstant(2.5f), program.AddConstant(2.5f));
  EXPECT_EQ(program.AddConstant(NAN), program.AddConstant(NAN));
  const int plus = program.AddConstant(0.0f), minus = program.AddConstant(-0.0f);
  EXPECT_NE(plus, minus);
  program.results = {{program.AddStep(LaneOp::kAdd, {x, plus, -1})}, {program.AddStep(LaneOp::kAdd, {x, minus, -1})}};
  Block bx(1, 3), p(1, 3), m(1, 3);
  bx.data = {-0.0f, 1, -2};
  RunLoop(program, {&bx}, {&p, &m});
  EXPECT_EQ(std::bit_cast<uint32_t>(p.data[0]), std::bit_cast<uint32_t>(0.0f));
  EXPECT_EQ(std::bit_cast<uint32_t>(m.data[0]), std::bit_cast<uint32_t>(-0.0f));
  EXPECT_EQ(m.data[2], -2);
}

TEST(LoopNestTest, FlatMatricesMayBeCutAnywhere) {
  LoopProgram program{.rows = 60, .columns = 7};
  const int x = program.AddInput(LaneLevel::kMatrix), s = program.AddInput(LaneLevel::kScalar);
  const int y = program.AddStep(LaneOp::kMul, {x, s, -1});
  program.results = {{y}};
  FlattenLoop(&program);
  EXPECT_EQ(program.rows, 1);
  EXPECT_EQ(program.columns, 420);
  Block bx = Block::Random(60, 7, 1), bs = Block::Random(1, 1, 2), by(60, 7), want(60, 7);
  for (int64_t i = 0; i < 420; ++i) want.data[i] = bx.data[i] * bs.data[0];
  for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{}, {7}, {1, 2, 3, 400}}) {
    by = Block(60, 7);
    RunLoop(program, {&bx, &bs}, {&by}, cuts);
    EXPECT_TRUE(SameBits(by, want)) << cuts.size();
  }
  Fixture with_row(60, 7);
  FlattenLoop(&with_row.program);
  EXPECT_EQ(with_row.program.rows, 60) << "a row is shared by all rows";
}

// A thousand steps over scalars, a power of beta in place of the last.
TEST(LoopNestTest, ScalarsAlone) {
  LoopProgram program;
  const int beta = program.AddInput(LaneLevel::kScalar), x = program.AddInput(LaneLevel::kScalar);
  float want = 0.25f;
  const float b = 0.9f;
  int y = x;
  for (int i = 0; i < 500; ++i) {
    y = program.AddStep(LaneOp::kMul, {y, beta, -1});
    y = program.AddStep(LaneOp::kAdd, {y, program.AddConstant(1.0f + i % 3), -1});
    want = want * b;
    want = want + (1.0f + i % 3);
  }
  program.results = {{y, 1}, {y}, {beta}};
  Block bb(1, 1), bx(1, 1), copy(1, 1), beta_again(1, 1);
  bb.data = {b};
  bx.data = {0.25f};
  RunLoop(program, {&bb, &bx}, {&bx, &copy, &beta_again});
  EXPECT_EQ(bx.data[0], want);
  EXPECT_EQ(copy.data[0], want);
  EXPECT_EQ(beta_again.data[0], b);
}

// Operands that the step before made, in either place or both, and older ones.
TEST(LoopNestTest, ScalarsFollowEachOther) {
  LoopProgram program;
  std::vector<int> registers = {program.AddInput(LaneLevel::kScalar), program.AddConstant(-0.75f)};
  std::vector<float> want = {0.3f, -0.75f};
  std::mt19937 bits(7);
  for (int i = 0; i < 300; ++i) {
    const auto operand = [&] { return bits() % 2 == 0 ? registers.size() - 1 : bits() % registers.size(); };
    const size_t a = operand(), b = operand();
    const LaneOp ops[] = {LaneOp::kAdd, LaneOp::kSub, LaneOp::kMul, LaneOp::kMaximum, LaneOp::kNeg};
    const float values[] = {want[a] + want[b], want[a] - want[b], want[a] * want[b], std::max(want[a], want[b]),
                            -want[a]};
    const int op = static_cast<int>(bits() % 5);
    if (std::fabs(values[op]) > 1e3f) continue;
    registers.push_back(program.AddStep(ops[op], {registers[a], op == 4 ? -1 : registers[b], -1}));
    want.push_back(values[op]);
  }
  program.results = {{registers.back()}, {registers[registers.size() / 2]}};
  Block x(1, 1), last(1, 1), middle(1, 1);
  x.data = {0.3f};
  RunLoop(program, {&x}, {&last, &middle});
  EXPECT_EQ(last.data[0], want.back());
  EXPECT_EQ(middle.data[0], want[want.size() / 2]);
}

TEST(LoopNestTest, AnEmptyPartDoesNothing) {
  LoopProgram program;
  const int x = program.AddInput(LaneLevel::kScalar);
  program.results = {{program.AddStep(LaneOp::kAdd, {x, program.AddConstant(1), -1}), 0}};
  Block bx(1, 1);
  bx.data = {1};
  RunLoop(program, {&bx}, {&bx}, {0, 0});
  EXPECT_EQ(bx.data[0], 2);
}

// Hooks write down everything; what no result needs must neither cost nor touch anything.
TEST(LoopNestTest, StepsThatNobodyNeeds) {
  Fixture f(4, 18);
  f.program.results = {{f.y}};
  f.program.AddStep(LaneOp::kExp, {f.y, -1, -1});
  Block y(4, 18);
  RunLoop(f.program, {&f.x, &f.m, &f.s}, {&y});
  EXPECT_TRUE(SameBits(y, f.WantY()));
}

TEST(LoopNestTest, LevelsOfShapes) {
  EXPECT_EQ(LevelIn({60, 100}, 60, 100), LaneLevel::kMatrix);
  EXPECT_EQ(LevelIn({6, 10, 100}, 60, 100), LaneLevel::kMatrix);
  EXPECT_EQ(LevelIn({100}, 60, 100), LaneLevel::kRow);
  EXPECT_EQ(LevelIn({1, 100}, 60, 100), LaneLevel::kRow);
  EXPECT_EQ(LevelIn({1, 1}, 60, 100), LaneLevel::kScalar);
  EXPECT_EQ(LevelIn({}, 60, 100), LaneLevel::kScalar);
  EXPECT_EQ(LevelIn({60, 1}, 60, 1), LaneLevel::kMatrix);
  EXPECT_FALSE(LevelIn({60, 1}, 60, 100).has_value());
  EXPECT_FALSE(LevelIn({30, 100}, 60, 100).has_value());
  EXPECT_FALSE(LevelIn({100, 60}, 60, 100).has_value());
  EXPECT_FALSE(LevelIn(Shape::UnknownOfRank(2), 60, 100).has_value());
}

TEST(LoopNestTest, AStepOfNothingIsNothing) {
  LoopProgram program{.rows = 2, .columns = 3};
  const int x = program.AddInput(LaneLevel::kMatrix);
  EXPECT_EQ(program.AddStep(LaneOp::kAdd, {x, -1, -1}), -1);
  EXPECT_TRUE(program.steps.empty());
}

}  // namespace
}  // namespace staticflow
