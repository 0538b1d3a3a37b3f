// Comparisons and logic. Contracts: ops/math_binary.h.
#include <algorithm>

#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/loop_arithmetic.h"
#include "ops/math_binary.h"
#include "ops/math_unary.h"

namespace staticflow {
namespace {

// An op whose result is bool: nothing to write in place, no gradient.
OpSpec ComparisonOp(std::string name, const char* type_attr, KernelSource kernel, std::string doc, LoopFunction loop,
                    OpTraits more = kNoTraits) {
  OpSpec spec = BinaryOp(std::move(name), type_attr, kernel, kNotDifferentiable, std::move(doc), more, loop);
  spec.outputs = {"z: bool"};
  spec.traits = kElementwise | more;
  return spec;
}

// Less, LessEqual, Greater, GreaterEqual: z = x < y and so on; false where either is NaN.
const OpRegistrar less_op(ComparisonOp("Less", kNumberT,
                                       BinaryKernel<NumberTypes>([](auto x, auto y) { return x < y; }),
                                       "Element-wise x < y with broadcasting.", LaneLoop<LaneOp::kLess>));
const OpRegistrar less_equal_op(ComparisonOp("LessEqual", kNumberT,
                                             BinaryKernel<NumberTypes>([](auto x, auto y) { return x <= y; }),
                                             "Element-wise x <= y with broadcasting.", LaneLoop<LaneOp::kLessEqual>));
const OpRegistrar greater_op(ComparisonOp("Greater", kNumberT,
                                          BinaryKernel<NumberTypes>([](auto x, auto y) { return x > y; }),
                                          "Element-wise x > y with broadcasting.", LaneLoop<LaneOp::kGreater>));
const OpRegistrar greater_equal_op(ComparisonOp("GreaterEqual", kNumberT,
                                                BinaryKernel<NumberTypes>([](auto x, auto y) { return x >= y; }),
                                                "Element-wise x >= y with broadcasting.",
                                                LaneLoop<LaneOp::kGreaterEqual>));

// Equal and NotEqual. Shapes that do not broadcast are an error, or with incompatible_shape_error = false make the
// whole unequal: one scalar.
struct AreEqual {
  template <typename X>
  bool operator()(const X& x, const X& y) const {
    return x == y;
  }
};
struct AreDifferent {
  template <typename X>
  bool operator()(const X& x, const X& y) const {
    return x != y;
  }
};
absl::Status EqualShape(ShapeContext& c) {
  if (c.attr<bool>("incompatible_shape_error")) return BroadcastShape(c);
  const Shape& x = c.input(0);
  const Shape& y = c.input(1);
  const absl::StatusOr<Shape> shape = BroadcastShapes(x, y);
  if (!shape.ok()) return ScalarShape(c);
  if (x.IsFullyDefined() && y.IsFullyDefined()) {
    c.set_output(0, *shape);
  }
  return absl::OkStatus();
}
bool Broadcast(const Shape& x, const Shape& y) {
  for (int i = 1; i <= std::min(x.rank(), y.rank()); ++i) {
    if (x.dim(-i) != y.dim(-i) && x.dim(-i) != 1 && y.dim(-i) != 1) return false;
  }
  return true;
}
template <typename Compare>
absl::StatusOr<Kernel> EqualKernel(const KernelSetup& setup) {
  using Types = TypeList<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t,
                         uint64_t, bool, std::string>;
  SF_ASSIGN_OR_RETURN(Kernel kernel, BinaryKernel<Types>(Compare()).Make(setup));
  if (setup.attr<bool>("incompatible_shape_error")) return kernel;
  return [kernel](KernelContext& c) {
    if (c.output(0).rank() == 0 && !Broadcast(*c.input(0).shape, *c.input(1).shape)) {
      c.out<bool>(0)[0] = Compare()(0, 1);
      return absl::OkStatus();
    }
    return kernel(c);
  };
}
template <LaneOp op>
bool EqualityLoop(LoopContext& c) {
  return c.attr<bool>("incompatible_shape_error") && LaneLoop<op>(c);
}
OpSpec EqualityOp(std::string name, KernelSource kernel, std::string doc, LoopFunction loop) {
  OpSpec spec = ComparisonOp(
      std::move(name),
      "T: {bfloat16, half, float, double, uint8, uint16, uint32, uint64, int8, int16, int32, int64, bool, string}",
      kernel, std::move(doc), loop, kCommutative);
  spec.attrs.push_back("incompatible_shape_error: bool = true");
  spec.shape = EqualShape;
  return spec;
}
const OpRegistrar equal_op(EqualityOp("Equal", &EqualKernel<AreEqual>, "Element-wise x == y with broadcasting.",
                                      EqualityLoop<LaneOp::kEqual>));
const OpRegistrar not_equal_op(EqualityOp("NotEqual", &EqualKernel<AreDifferent>,
                                          "Element-wise x != y with broadcasting.", EqualityLoop<LaneOp::kNotEqual>));

// ApproximateEqual: z = |x - y| < tolerance, of integers too.
absl::Status EqualShapes(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.input(0).MergeWith(c.input(1)));
  c.set_output(0, shape);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ApproximateEqualKernel(const KernelSetup& setup) {
  const float tolerance = setup.attr<float>("tolerance");
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0), [&]<typename T>() {
        kernel = [tolerance](KernelContext& c) {
          const auto [begin, end] = c.range();
          for (int64_t i = begin; i < end; ++i) {
            const auto x = Widen(c.in<T>(0)[i]), y = Widen(c.in<T>(1)[i]);
            const auto distance = x > y ? WrapSubtract(x, y) : WrapSubtract(y, x);
            c.out<bool>(0)[i] = static_cast<double>(distance) < static_cast<double>(tolerance);
          }
          return absl::OkStatus();
        };
      });
  if (kernel == nullptr) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
bool ApproximateEqualLoop(LoopContext& c) {
  return c.set_output(0, (abs(Lanes(c, 0) - Lanes(c, 1)) < c.attr<float>("tolerance")).reg());
}
OpSpec ApproximateEqualOp() {
  OpSpec spec =
      ComparisonOp("ApproximateEqual", kNumberT, &ApproximateEqualKernel,
                   "Element-wise |x - y| < tolerance, for operands of one shape.", ApproximateEqualLoop, kCommutative);
  spec.attrs.push_back("tolerance: float = 0.00001");
  spec.shape = EqualShapes;
  return spec;
}
const OpRegistrar approximate_equal_op(ApproximateEqualOp());

// LogicalAnd, LogicalOr, LogicalNot: of booleans, which are 1 and 0 in a loop.
OpSpec LogicalOp(std::string name, KernelSource kernel, std::string doc, LoopFunction loop) {
  OpSpec spec = ComparisonOp(std::move(name), "", kernel, std::move(doc), loop, kInPlace | kCommutative);
  spec.inputs = {"x: bool", "y: bool"};
  spec.attrs = {};
  spec.batch = spec.name == "LogicalAnd" ? LogicalAndBatch : LogicalOrBatch;
  return spec;
}
const OpRegistrar logical_and_op(LogicalOp("LogicalAnd",
                                           BinaryKernel<TypeList<bool>>([](bool x, bool y) { return bool(x & y); }),
                                           "Element-wise x and y with broadcasting.", LaneLoop<LaneOp::kMul>));
const OpRegistrar logical_or_op(LogicalOp("LogicalOr",
                                          BinaryKernel<TypeList<bool>>([](bool x, bool y) { return bool(x | y); }),
                                          "Element-wise x or y with broadcasting.", LaneLoop<LaneOp::kMaximum>));
bool LogicalNotLoop(LoopContext& c) { return c.set_output(0, IsZero(Lanes(c, 0)).reg()); }
OpSpec LogicalNotOp() {
  OpSpec spec = UnaryOp("LogicalNot", "", UnaryKernel<TypeList<bool>>([](bool x) { return !x; }), kNotDifferentiable,
                        "Element-wise not x.", LogicalNotLoop);
  spec.inputs = {"x: bool"};
  spec.outputs = {"y: bool"};
  spec.attrs = {};
  spec.batch = LogicalNotBatch;
  return spec;
}
const OpRegistrar logical_not_op(LogicalNotOp());

Output Build(const char* type, const Operand& x, const Operand& y, const OpOptions& options) {
  return NodeBuilder(type, {x, y}).Name(options.name).Build();
}

}  // namespace

Output Less(Operand x, Operand y, const OpOptions& o) { return Build("Less", x, y, o); }
Output LessEqual(Operand x, Operand y, const OpOptions& o) { return Build("LessEqual", x, y, o); }
Output Greater(Operand x, Operand y, const OpOptions& o) { return Build("Greater", x, y, o); }
Output GreaterEqual(Operand x, Operand y, const OpOptions& o) { return Build("GreaterEqual", x, y, o); }
Output Equal(Operand x, Operand y, const EqualOptions& o) {
  return NodeBuilder("Equal", {x, y}).Attr("incompatible_shape_error", o.incompatible_shape_error).Name(o.name).Build();
}
Output NotEqual(Operand x, Operand y, const EqualOptions& o) {
  return NodeBuilder("NotEqual", {x, y})
      .Attr("incompatible_shape_error", o.incompatible_shape_error)
      .Name(o.name)
      .Build();
}
Output ApproximateEqual(Operand x, Operand y, const ApproximateEqualOptions& o) {
  return NodeBuilder("ApproximateEqual", {x, y}).Attr("tolerance", o.tolerance).Name(o.name).Build();
}
Output LogicalAnd(Operand x, Operand y, const OpOptions& o) { return Build("LogicalAnd", x, y, o); }
Output LogicalOr(Operand x, Operand y, const OpOptions& o) { return Build("LogicalOr", x, y, o); }
Output LogicalNot(Operand x, const OpOptions& o) { return NodeBuilder("LogicalNot", {x}).Name(o.name).Build(); }

}  // namespace staticflow
