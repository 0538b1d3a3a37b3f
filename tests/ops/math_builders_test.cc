// What the builders of math add to the graph: names as Python gives them, and no more nodes than needed.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow {
namespace {

class MathBuilders : public testing::Test {
 protected:
  Output Input(const Shape& shape, DataType dtype = DT_FLOAT) {
    return Placeholder(g_, {.dtype = dtype, .shape = shape, .name = "x"});
  }
  // The nodes that `build` adds, as "name type".
  template <typename F>
  std::vector<std::string> Added(F build) {
    const int before = g_.num_nodes();
    build();
    EXPECT_TRUE(g_.status().ok()) << g_.status();
    std::vector<std::string> added;
    for (int i = before; i < g_.num_nodes(); ++i) added.push_back(g_.nodes()[i]->name() + " " + g_.nodes()[i]->type());
    return added;
  }
  Graph g_;
};

using Names = std::vector<std::string>;

TEST_F(MathBuilders, OperatorsAreNamedAsInPython) {
  const Output x = Input({2});
  EXPECT_EQ(Added([&] { x + x; }), Names({"add AddV2"}));
  EXPECT_EQ(Added([&] { x + 1.0; }), Names({"add_1/y Const", "add_1 AddV2"}));
  EXPECT_EQ(Added([&] { 2.0 - x; }), Names({"sub/x Const", "sub Sub"}));
  EXPECT_EQ(Added([&] { x* x; }), Names({"mul Mul"}));
  EXPECT_EQ(Added([&] { x / x; }), Names({"truediv RealDiv"}));
  EXPECT_EQ(Added([&] { -x; }), Names({"Neg Neg"}));
}

TEST_F(MathBuilders, IntegersDivideAsDoubles) {
  const Output x = Input({2}, DT_INT32);
  EXPECT_EQ(Added([&] { EXPECT_EQ((x / x).dtype(), DT_DOUBLE); }),
            Names({"truediv/Cast Cast", "truediv/Cast_1 Cast", "truediv RealDiv"}));
}

TEST_F(MathBuilders, ReductionsNameTheirAxesAsInPython) {
  const Output x = Input({2, 3});
  EXPECT_EQ(Added([&] { Mean(x); }), Names({"Const Const", "Mean Mean"}));
  EXPECT_EQ(Added([&] { Mean(x, {0}); }), Names({"Mean_1/reduction_indices Const", "Mean_1 Mean"}));
  EXPECT_EQ(Added([&] { Sum(x, 1); }), Names({"Sum/reduction_indices Const", "Sum Sum"}));
  EXPECT_EQ(Added([&] {
              Sum(x, {0, 1}, {.keep_dims = true, .name = "all"});
            }),
            Names({"all/reduction_indices Const", "all Sum"}));
}

TEST_F(MathBuilders, ClipByValueIsAMinimumAndAMaximum) {
  const Output x = Input({2});
  EXPECT_EQ(Added([&] { ClipByValue(x, 0, 1); }),
            Names({"clip_by_value/Minimum/y Const", "clip_by_value/Minimum Minimum", "clip_by_value/y Const",
                   "clip_by_value Maximum"}));
}

TEST_F(MathBuilders, CastToTheSameTypeIsNothing) {
  const Output x = Input({2});
  EXPECT_EQ(Added([&] { EXPECT_EQ(Cast(x, DT_FLOAT), x); }), Names());
  EXPECT_EQ(Added([&] { Cast(x, DT_INT32); }), Names({"Cast Cast"}));
}

struct SumToShapeCase {
  std::string name;
  Shape gradient;
  Shape like;
  Shape other = Shape::Unknown();
  std::vector<std::string> types;  // of the nodes it adds
  Shape result;
};
class SumToShapeTest : public testing::TestWithParam<SumToShapeCase> {};

TEST_P(SumToShapeTest, AddsWhatTheShapesAskFor) {
  Graph g;
  const auto input = [&](const Shape& shape) { return Placeholder(g, {.dtype = DT_FLOAT, .shape = shape}); };
  const Output gradient = input(GetParam().gradient), like = input(GetParam().like), other = input(GetParam().other);
  const int before = g.num_nodes();
  const Output result = SumToShapeOf(gradient, like, other);
  ASSERT_TRUE(g.status().ok()) << g.status();
  std::vector<std::string> types;
  for (int i = before; i < g.num_nodes(); ++i) types.push_back(g.nodes()[i]->type());
  EXPECT_EQ(types, GetParam().types);
  EXPECT_EQ(result.shape(), GetParam().result) << result.shape().ToString();
}

INSTANTIATE_TEST_SUITE_P(
    Math, SumToShapeTest,
    testing::ValuesIn(std::vector<SumToShapeCase>{
        {.name = "same", .gradient = {60, 100}, .like = {60, 100}, .types = {}, .result = {60, 100}},
        {.name = "row", .gradient = {60, 100}, .like = {100}, .types = {"Const", "Sum"}, .result = {100}},
        {.name = "open_batch_row", .gradient = {-1, 100}, .like = {100}, .types = {"Const", "Sum"}, .result = {100}},
        {.name = "open_batch_by_row",
         .gradient = {-1, 100},
         .like = {-1, 100},
         .other = {100},
         .types = {},
         .result = {-1, 100}},
        {.name = "column", .gradient = {60, 100}, .like = {60, 1}, .types = {"Const", "Sum"}, .result = {60, 1}},
        {.name = "scalar", .gradient = {60, 100}, .like = {}, .types = {"Const", "Sum"}, .result = {}},
        {.name = "both",
         .gradient = {5, 60, 100},
         .like = {60, 1},
         .types = {"Const", "Sum", "Const", "Reshape"},
         .result = {60, 1}},
        {.name = "two_open_batches",
         .gradient = {-1, 100},
         .like = {-1, 100},
         .other = {-1, 100},
         .types = {"Shape", "Shape", "BroadcastGradientArgs", "Sum", "Reshape"},
         .result = {-1, 100}},
    }),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace staticflow
