// Loops: chains of element-wise ops, sums over rows and updates of variables as one pass over memory, strip by strip.
//
// An op takes part by a hook in its block that writes it as arithmetic on lanes (runtime/lanes.h):
//
//   bool TanhGradLoop(LoopContext& c) {                                  // dx = dy * (1 - y * y)
//     return c.set_output(0, c.Apply(LaneOp::kTanhGrad, c.input(0), c.input(1)));
//   }
//   const OpRegistrar tanh_grad({.name = "TanhGrad", ..., .loop = TanhGradLoop});
//
// The space of a loop is a matrix: the last dimension of the tensors is its columns, all others are its rows. A value
// in it is a matrix (an element each), a row (an element per column, such as a bias or the mean of a batch) or a
// scalar. A LoopProgram is what the hooks of several instructions wrote down together; RunLoop computes it for a range
// of columns, with all values between its first and its last step in the first-level cache. Fused or not, the same
// float operations are done in the same order, so that the results are the same bits (but for sums over rows: those of
// LaneOp::kSumRows).
//
// Only DT_FLOAT takes part; truth values live inside a loop as 1 and 0 and do not leave it.
//
// Thread-safety: a LoopProgram is immutable once compiled; ranges of columns may be computed at the same time.
#ifndef STATICFLOW_RUNTIME_LOOP_H_
#define STATICFLOW_RUNTIME_LOOP_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/graph.h"
#include "graph/tensor.h"
#include "runtime/kernel.h"
#include "runtime/lanes.h"

namespace staticflow {

enum class LaneLevel : uint8_t { kScalar, kRow, kMatrix };

// The steps of a loop over numbered registers. An operand's register is filled from memory, any other by one step.
struct LoopProgram {
  struct Register {
    LaneLevel level = LaneLevel::kScalar;
    int input = -1;  // the operand it comes from; -1: a step or a constant
    bool is_constant = false;
    float constant = 0;
  };
  struct Step {
    LaneOp op = LaneOp::kCopy;
    std::array<int, 3> x = {-1, -1, -1};
    int y = -1;
  };
  struct Result {
    int reg = -1;
    int same_as_input = -1;  // the operand whose memory it overwrites (a variable that is updated); -1: none
    // A sum over rows of which each chunk writes a row of its own: the result is a matrix of chunks() rows.
    bool by_chunk = false;
  };

  int64_t rows = 1;
  int64_t columns = 1;
  // 0: ranges count columns. Otherwise rows are taken in chunks of so many, and ranges count these; what is summed over
  // rows is then a result by chunk.
  int64_t chunk = 0;
  std::vector<Register> registers = {};
  std::vector<Step> steps = {};
  std::vector<int> inputs = {};  // registers, by operand
  std::vector<Result> results = {};

  int AddInput(LaneLevel level);
  int AddConstant(float value);
  // A step whose level follows from its operands. Returns the register of its result; -1 when an operand is none (-1).
  int AddStep(LaneOp op, std::array<int, 3> x);
  LaneLevel level(int reg) const { return registers[reg].level; }
  int64_t chunks() const { return chunk == 0 ? 1 : (rows + chunk - 1) / chunk; }
  // What ranges count.
  int64_t items() const { return chunk == 0 ? columns : chunks(); }
  // Takes rows in chunks, of a size that follows from the shape. REQUIRES: nothing is a row that is summed or written
  // but results by chunk.
  void DivideByRows();
  // How many rows are computed side by side as one.
  int64_t fold() const;
  bool HasLevel(LaneLevel level) const;
  bool SumsRows() const;
  // "r2 = mul(x0, 3); r3 = add(r2, x1) -> r3 into x1", for listings.
  std::string ToString() const;
};

// What a hook sees of its node: the registers of its inputs, and the program it adds to.
class LoopContext {
 public:
  // `shapes` and `values` (null: not known) are those of the node's inputs, `inputs` their registers. The space is that
  // of the largest input.
  LoopContext(const Node& node, absl::Span<const Shape> shapes, absl::Span<const Tensor* const> values,
              absl::Span<const int> inputs, LoopProgram* program);

  const Node& node() const { return node_; }
  template <typename T>
  const T& attr(absl::string_view name) const {
    return node_.attr<T>(name);
  }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  const Shape& input_shape(int i) const { return shapes_[i]; }
  // The value of input i when it is the same in every step, else null.
  const Tensor* value(int i) const { return values_[i]; }
  // The element of input i at the place that is computed; -1 for inputs without elements and of other types, which
  // leave outputs that are computed from them unsaid.
  int input(int i) const { return inputs_[i]; }

  int Constant(float value) { return program_.AddConstant(value); }
  int Apply(LaneOp op, int x) { return program_.AddStep(op, {x, -1, -1}); }
  int Apply(LaneOp op, int x0, int x1) { return program_.AddStep(op, {x0, x1, -1}); }
  int Apply(LaneOp op, int x0, int x1, int x2) { return program_.AddStep(op, {x0, x1, x2}); }
  int Add(int a, int b) { return Apply(LaneOp::kAdd, a, b); }
  int Sub(int a, int b) { return Apply(LaneOp::kSub, a, b); }
  int Mul(int a, int b) { return Apply(LaneOp::kMul, a, b); }
  int Div(int a, int b) { return Apply(LaneOp::kDiv, a, b); }

  // How many rows input i has: all its dimensions but the last, multiplied.
  int64_t rows(int i) const;
  // Whether reducing these axes of input i leaves one element per column, as SumRows does. False when there are no
  // rows.
  bool ReducesRows(int i, absl::Span<const int64_t> axes) const;
  int SumRows(int x);

  // Says what output i is. Always true, so that a hook can end with it.
  bool set_output(int i, int reg);
  // Says what the variable behind input i becomes, for ops that update one; input(i) is what it held before. A
  // reference that the op returns needs no set_output. Always true.
  bool set_variable(int i, int reg);
  // By output and by input; -1 where the hook said nothing.
  const std::vector<int>& outputs() const { return outputs_; }
  const std::vector<int>& variables() const { return variables_; }

 private:
  const Node& node_;
  absl::Span<const Shape> shapes_;
  absl::Span<const Tensor* const> values_;
  absl::Span<const int> inputs_;
  LoopProgram& program_;
  std::vector<int> outputs_;
  std::vector<int> variables_;
};

// Hooks of ops that are one operation on lanes: `.loop = LaneLoop<LaneOp::kMul>`.
template <LaneOp op>
bool LaneLoop(LoopContext& c) {
  if (NumLaneOperands(op) != c.num_inputs()) return false;
  return c.set_output(0, c.num_inputs() == 1   ? c.Apply(op, c.input(0))
                         : c.num_inputs() == 2 ? c.Apply(op, c.input(0), c.input(1))
                                               : c.Apply(op, c.input(0), c.input(1), c.input(2)));
}

// Rows of a matrix that are summed as a whole, in strips that the first-level cache holds. More are summed in chunks.
inline constexpr int64_t kMaxSummedRows = 128;

// The level of a tensor of `shape` within the space of `rows` by `columns`; nullopt when it does not fit there.
std::optional<LaneLevel> LevelIn(const Shape& shape, int64_t rows, int64_t columns);

// Makes one long row of a matrix, as it lies in memory, if no row is shared by all rows.
void FlattenLoop(LoopProgram* program);

// A kernel that runs `program`: operands and results in the program's order, c.range() counting its items. Matrices
// may have padded rows (TensorView::row_stride) unless the program is flattened or takes rows in chunks.
Kernel CompileLoop(LoopProgram program);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LOOP_H_
