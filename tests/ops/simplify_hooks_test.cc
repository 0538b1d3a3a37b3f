// Which operand an op gives back, by its `simplify` hook: bit for bit and in shape, or none.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "graph/node_builder.h"
#include "graph/op.h"
#include "graph/shape_inference.h"
#include "ops/array.h"

namespace staticflow {
namespace {

// An operand: a constant, or a float tensor of which only the shape is known.
struct Given {
  Given(Shape shape) : shape(std::move(shape)) {}      // NOLINT
  Given(Tensor tensor) : tensor(std::move(tensor)) {}  // NOLINT
  Shape shape;
  Tensor tensor;
};

struct Case {
  std::string op;
  std::vector<Given> inputs;
  int want = -1;
  AttrMap attrs = {};
};

Tensor Ints(std::initializer_list<int32_t> values) { return Tensor::Vector<int32_t>(values); }
Tensor Pairs(std::initializer_list<std::initializer_list<int32_t>> rows) { return Tensor::Matrix<int32_t>(rows); }
const Shape kX = {2, 3};

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"Mul", {kX, Tensor(1.0f)}, 0},
      {"Mul", {Tensor(1.0f), kX}, 1},
      {"Mul", {kX, Tensor::Vector<float>({1, 1, 1})}, 0},
      {"Mul", {kX, Tensor::Vector<float>({1, 2, 1})}},
      {"Mul", {kX, Tensor(0.0f)}},
      {"Mul", {kX, kX}},
      {"RealDiv", {kX, Tensor(1.0f)}, 0},
      {"RealDiv", {Tensor(1.0f), kX}},
      {"Sub", {kX, Tensor(0.0f)}, 0},
      {"Sub", {kX, Tensor(-0.0f)}},  // -0 - -0 is 0
      {"Sub", {Tensor(0.0f), kX}},
      {"AddV2", {kX, Tensor(-0.0f)}, 0},
      {"AddV2", {kX, Tensor(0.0f)}},  // -0 + 0 is 0
      {"Pow", {kX, Tensor(1.0f)}, 0},
      {"Pow", {kX, Tensor(2.0f)}},
      {"Pow", {Tensor(1.0f), kX}},
      {"AddN", {kX}, 0},
      {"AddN", {kX, kX}},
      {"Cast", {kX}, 0, {{"DstT", DT_FLOAT}}},
      {"Cast", {kX}, -1, {{"DstT", DT_DOUBLE}}},
      {"Transpose", {kX, Ints({0, 1})}, 0},
      {"Transpose", {kX, Ints({1, 0})}},
      {"Tile", {kX, Ints({1, 1})}, 0},
      {"Tile", {kX, Ints({1, 2})}},
      {"BroadcastTo", {kX, Ints({2, 3})}, 0},
      {"BroadcastTo", {kX, Ints({1, 2, 3})}},
      {"Pad", {kX, Pairs({{0, 0}, {0, 0}})}, 0},
      {"Pad", {kX, Pairs({{0, 0}, {1, 0}})}},
      {"PadV2", {kX, Pairs({{0, 0}, {0, 0}}), Tensor(7.0f)}, 0},
      {"MirrorPad", {kX, Pairs({{0, 0}, {0, 0}})}, 0, {{"mode", "REFLECT"}}},
      {"MirrorPad", {kX, Pairs({{0, 0}, {1, 1}})}, -1, {{"mode", "REFLECT"}}},
      {"Slice", {kX, Ints({0, 0}), Ints({-1, 3})}, 0},
      {"Slice", {kX, Ints({0, 1}), Ints({2, -1})}},
      {"StridedSlice", {kX, Ints({0, 0}), Ints({2, 3}), Ints({1, 1})}, 0},
      {"StridedSlice", {kX, Ints({0}), Ints({5}), Ints({1})}, 0},
      {"StridedSlice", {kX, Ints({-1}), Ints({-9}), Ints({-1})}},  // back to front
      {"StridedSlice", {kX, Ints({0}), Ints({1}), Ints({1})}},
      {"StridedSlice",
       {Shape({1, 3}), Ints({0, 0}), Ints({0, 1}), Ints({1, 1})},
       -1,
       {{"shrink_axis_mask", int64_t{2}}, {"new_axis_mask", int64_t{1}}}},
      {"ReverseV2", {Shape({1, 3}), Ints({0})}, 0},
      {"ReverseV2", {Shape({1, 3}), Ints({0, -1})}},
      {"Sum", {kX, Ints({})}, 0},
      {"Sum", {Shape({2, 1}), Ints({1})}, 0, {{"keep_dims", true}}},
      {"Sum", {Shape({2, 1}), Ints({1})}},
      {"Mean", {kX, Ints({1})}},
      {"Mean", {kX, Ints({0})}, -1, {{"keep_dims", true}}},
      {"Max", {Shape({1, 1}), Ints({0, 1})}, 0, {{"keep_dims", true}}},
      {"Tile", {Shape::UnknownOfRank(2), Ints({1, 1})}},
  };
  return cases;
}

TEST(SimplifyHooksTest, NameTheOperandThatIsGivenBack) {
  for (const Case& row : Cases()) {
    Graph g;
    NodeBuilder builder(row.op, {});
    std::vector<Shape> shapes;
    std::vector<const Tensor*> values;
    std::vector<Output> operands;
    for (const Given& given : row.inputs) {
      const bool known = given.tensor.valid();
      shapes.push_back(known ? given.tensor.shape() : given.shape);
      values.push_back(known ? &given.tensor : nullptr);
      operands.push_back(known ? Const(g, given.tensor) : Placeholder(g, {.dtype = DT_FLOAT, .shape = given.shape}));
    }
    if (FindOp(row.op)->inputs[0].number_attr.empty()) {
      for (Output operand : operands) builder.Input(operand);
    } else {
      builder.Inputs(operands);
    }
    for (const auto& [name, value] : row.attrs) builder.Attr(name, value);
    const Node* node = builder.BuildNode();
    ASSERT_TRUE(node != nullptr && g.status().ok()) << row.op << ": " << g.status();
    ASSERT_NE(node->op().spec.simplify, nullptr) << row.op;
    const int got = node->op().spec.simplify(ShapeContext(*node, shapes, values));
    EXPECT_EQ(got, row.want) << node->DebugName() << " of " << shapes[0].ToString();
  }
}

}  // namespace
}  // namespace staticflow
