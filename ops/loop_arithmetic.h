// Lanes: the registers of a loop, in formulas that read as on floats. For the loop hooks of ops (runtime/loop.h).
//
//   bool SoftsignLoop(LoopContext& c) {                        // y = x / (1 + |x|)
//     const Lanes x(c, 0);
//     return c.set_output(0, (x / (1 + abs(x))).reg());
//   }
//
// Every operation adds one step to the loop's program and rounds once, as the same operation on floats does. Numbers
// become constants of the loop, rounded to float. The functions that <cmath> has, too, bear its names, so that one
// template serves floats and lanes.
#ifndef STATICFLOW_OPS_LOOP_ARITHMETIC_H_
#define STATICFLOW_OPS_LOOP_ARITHMETIC_H_

#include <vector>

#include "graph/status.h"
#include "runtime/loop.h"

namespace staticflow {

class Lanes {
 public:
  Lanes() = default;
  Lanes(double number) : number_(static_cast<float>(number)) {}  // NOLINT: numbers mix with lanes
  // Input i of the node.
  Lanes(LoopContext& c, int i) : context_(&c), reg_(c.input(i)) {}

  // One operation. REQUIRES, here and below: not all operands are numbers.
  friend Lanes Apply(LaneOp op, const Lanes& x) { return {x.context(), x.context()->Apply(op, x.reg_)}; }
  friend Lanes Apply(LaneOp op, const Lanes& x0, const Lanes& x1) {
    LoopContext* c = x0.context_ != nullptr ? x0.context_ : x1.context();
    return {c, c->Apply(op, x0.In(c), x1.In(c))};
  }
  friend Lanes Apply(LaneOp op, const Lanes& x0, const Lanes& x1, const Lanes& x2) {
    LoopContext* c = x0.context_ != nullptr ? x0.context_ : x1.context_ != nullptr ? x1.context_ : x2.context();
    return {c, c->Apply(op, x0.In(c), x1.In(c), x2.In(c))};
  }
  // The sum over the rows: see LoopContext::ReducesRows.
  friend Lanes SumRows(const Lanes& x) { return {x.context(), x.context()->SumRows(x.reg_)}; }

  // The register. REQUIRES: this is no number.
  int reg() const {
    SF_CHECK(context_ != nullptr);
    return reg_;
  }

 private:
  Lanes(LoopContext* c, int reg) : context_(c), reg_(reg) {}
  LoopContext* context() const {
    SF_CHECK(context_ != nullptr);
    return context_;
  }
  int In(LoopContext* c) const { return context_ != nullptr ? reg_ : c->Constant(number_); }

  LoopContext* context_ = nullptr;  // null: a number
  int reg_ = -1;
  float number_ = 0;
};

inline Lanes operator-(const Lanes& x) { return Apply(LaneOp::kNeg, x); }
inline Lanes operator+(const Lanes& x, const Lanes& y) { return Apply(LaneOp::kAdd, x, y); }
inline Lanes operator-(const Lanes& x, const Lanes& y) { return Apply(LaneOp::kSub, x, y); }
inline Lanes operator*(const Lanes& x, const Lanes& y) { return Apply(LaneOp::kMul, x, y); }
inline Lanes operator/(const Lanes& x, const Lanes& y) { return Apply(LaneOp::kDiv, x, y); }
inline Lanes& operator+=(Lanes& x, const Lanes& y) { return x = x + y; }
inline Lanes& operator-=(Lanes& x, const Lanes& y) { return x = x - y; }

// Truth values: 1 or 0.
inline Lanes operator<(const Lanes& x, const Lanes& y) { return Apply(LaneOp::kLess, x, y); }
inline Lanes operator>(const Lanes& x, const Lanes& y) { return Apply(LaneOp::kGreater, x, y); }
inline Lanes IsZero(const Lanes& x) { return Apply(LaneOp::kEqual, x, 0); }
// x where the truth value holds, else y.
inline Lanes Choose(const Lanes& condition, const Lanes& x, const Lanes& y) {
  return Apply(LaneOp::kSelect, condition, x, y);
}

inline Lanes abs(const Lanes& x) { return Apply(LaneOp::kAbs, x); }
inline Lanes sqrt(const Lanes& x) { return Apply(LaneOp::kSqrt, x); }
inline Lanes exp(const Lanes& x) { return Apply(LaneOp::kExp, x); }
inline Lanes expm1(const Lanes& x) { return Apply(LaneOp::kExpm1, x); }
inline Lanes log(const Lanes& x) { return Apply(LaneOp::kLog, x); }
inline Lanes log1p(const Lanes& x) { return Apply(LaneOp::kLog1p, x); }
inline Lanes floor(const Lanes& x) { return Apply(LaneOp::kFloor, x); }

// For ops whose operands have one shape: the float kernel that is the hook itself, so that both give the same bits
// where the functions of <cmath> would not.
inline absl::StatusOr<Kernel> FlatLoopKernel(const KernelSetup& setup, LoopFunction loop) {
  LoopProgram program;
  std::vector<Shape> shapes;
  std::vector<int> registers;
  for (int i = 0; i < setup.num_inputs(); ++i) {
    shapes.push_back(setup.input_shape(i));
    registers.push_back(program.AddInput(LaneLevel::kRow));
  }
  const std::vector<const Tensor*> values(setup.num_inputs(), nullptr);
  LoopContext context(setup.node(), shapes, values, registers, &program);
  SF_CHECK(loop(context));
  program.results = {{.reg = context.outputs()[0], .same_as_input = 0}};
  return CompileLoop(std::move(program));
}

// Whether SumRows sums input i over all its dimensions but the last.
inline bool ReducesToLast(const LoopContext& c, int i) {
  std::vector<int64_t> axes;
  for (int d = 0; d + 1 < c.input_shape(i).rank(); ++d) axes.push_back(d);
  return c.ReducesRows(i, axes);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_LOOP_ARITHMETIC_H_
