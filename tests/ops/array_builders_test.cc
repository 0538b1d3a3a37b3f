// Builders of array ops: the nodes and names that TensorFlow's Python gives, and what the graph knows of shapes.
#include <gtest/gtest.h>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/array_layout.h"
#include "ops/linalg.h"
#include "ops/math.h"
#include "ops/sparse.h"
#include "ops/strings.h"

namespace staticflow {
namespace {

// "Const a; Fill b; ..." for all nodes.
std::string Nodes(const Graph& g) {
  std::string text;
  for (const auto& node : g.nodes()) text += node->type() + " " + node->name() + "; ";
  return text;
}

TEST(ArrayBuildersTest, ZerosAreAConstBelow1000ElementsElseAFill) {
  Graph g;
  Zeros(g, DT_FLOAT, {999});
  EXPECT_EQ(Nodes(g), "Const zeros; ");
  Output ones = Ones(g, DT_INT32, {1000});
  EXPECT_EQ(Nodes(g), "Const zeros; Const ones/shape_as_tensor; Const ones/Const; Fill ones; ");
  EXPECT_EQ(ones.shape(), Shape({1000}));
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(ArrayBuildersTest, ZerosNeedACompleteShape) {
  Graph g;
  EXPECT_FALSE(Zeros(g, DT_FLOAT, {-1}).valid());
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ArrayBuildersTest, ConstantsCarryTheNameOfTheirNode) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 4}, .name = "x"});
  Transpose(x);
  Reshape(x, {-1});
  Gather(x, Const(g, 1, {.name = "i"}));
  StridedSlice(x, {0}, {1});
  PlaceholderWithDefault(g, true, {.name = "is_training"});
  EXPECT_EQ(Nodes(g),
            "Placeholder x; Const transpose/perm; Transpose transpose; Const Reshape/shape; Reshape Reshape; Const i; "
            "Const GatherV2/axis; GatherV2 GatherV2; Const strided_slice/stack; Const strided_slice/stack_1; "
            "Const strided_slice/stack_2; StridedSlice strided_slice; Const is_training/input; "
            "PlaceholderWithDefault is_training; ");
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(ArrayBuildersTest, KnownShapesAreConstants) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2, 4}, .name = "x"});
  Output y = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 4}, .name = "y"});
  EXPECT_EQ(ShapeOf(x).node()->type(), "Const");
  EXPECT_EQ(ShapeOf(y).node()->type(), "Shape");
  EXPECT_EQ(SizeOf(x).node()->attr<Tensor>("value").scalar<int32_t>(), 8);
  EXPECT_EQ(RankOf(y).node()->attr<Tensor>("value").scalar<int32_t>(), 2);
  EXPECT_EQ(ZerosLike(x).node()->type(), "Const");
  EXPECT_EQ(ZerosLike(y).node()->type(), "ZerosLike");
}

TEST(ArrayBuildersTest, ShapesAreFollowedThroughTheOpsThatComputeThem) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 4, 5}, .name = "x"});
  Output shape = ShapeOf(x);
  Output batch = StridedSlice(shape, {0}, {1}, {1}, {.shrink_axis_mask = 1});
  Output columns = StridedSlice(shape, {2}, {3}, {1}, {.shrink_axis_mask = 1});
  EXPECT_EQ(Reshape(x, Stack({batch, Const(g, 4), columns})).shape(), Shape({-1, 4, 5}));
  Output tail = Slice(shape, {1}, {2});
  EXPECT_EQ(Fill(Concat({tail, Identity(tail)}, 0), 0.0).shape(), Shape({4, 5, 4, 5}));
  EXPECT_EQ(Fill(BroadcastArgs(shape, Const(g, Tensor::Vector<int32_t>({7, 1, 1}))), 1.0).shape(), Shape({7, 4, 5}));
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(ArrayBuildersTest, ConcatOfOneValueIsAnIdentity) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}, .name = "x"});
  EXPECT_EQ(Concat({x}, 0).node()->type(), "Identity");
}

TEST(ArrayBuildersTest, PaddingsComeInPairs) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}, .name = "x"});
  EXPECT_EQ(Pad(x, {1, 2}).shape(), Shape({5}));
  EXPECT_FALSE(Pad(x, {1, 2, 3}).valid());
  EXPECT_FALSE(g.status().ok());
}

TEST(ArrayBuildersTest, BandsOfDiagonalsKeepTheirShapes) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3, 4}, .name = "x"});
  Output k = Const(g, Tensor::Vector<int32_t>({-1, 1}));
  Output band = MatrixDiagPartV3(x, k, 0.0, {.align = "LEFT_RIGHT"});
  EXPECT_EQ(band.shape(), Shape({-1, 3, 3}));
  EXPECT_EQ(MatrixDiagV3(band, k, 3, 4, 0.0, {.align = "LEFT_RIGHT", .name = "again"}).shape(), Shape({-1, 3, 4}));
  EXPECT_EQ(MatrixSetDiagV3(x, band, k).shape(), Shape({-1, 3, 4}));
  EXPECT_EQ(Bucketize(x, {.boundaries = {0, 1}}).dtype(), DT_INT32);
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(ArrayBuildersTest, FunctionsOfMatricesAndFingerprints) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3, 3}, .name = "x"});
  EXPECT_EQ(MatrixSquareRoot(x).shape(), Shape({-1, 3, 3}));
  EXPECT_EQ(MatrixExponential(x, {.name = "e"}).node()->name(), "e");
  EXPECT_EQ(Fingerprint(x).shape(), Shape({-1, 8}));
  SparseParts counts = CountInts(Placeholder(g, {.dtype = DT_INT32, .shape = {2, 3}}),
                                 Const(g, Tensor::Of<double>({0}, {})), {.maxlength = 5});
  EXPECT_EQ(counts.values.dtype(), DT_DOUBLE);
  EXPECT_TRUE(g.status().ok()) << g.status();
}

TEST(ArrayBuildersTest, BothPlaceholdersHaveTheShapeTheyDeclare) {
  for (const char* type : {"Placeholder", "PlaceholderV2"}) {
    Graph g;
    Output x = NodeBuilder(g, type, std::source_location::current())
                   .Attr("dtype", DT_FLOAT)
                   .Attr("shape", Shape({-1, 3}))
                   .Build();
    ASSERT_TRUE(x.valid()) << g.status();
    EXPECT_EQ(x.shape(), Shape({-1, 3})) << type;
    EXPECT_EQ(Neg(x).shape(), Shape({-1, 3})) << type;
  }
}

TEST(ArrayBuildersTest, PreventGradientFailsWhereStopGradientGivesNone) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}, .name = "x"});
  EXPECT_FALSE(Gradients({StopGradient(x)}, {x})[0].valid());
  EXPECT_TRUE(g.status().ok()) << g.status();
  Gradients({PreventGradient(x)}, {x});
  EXPECT_EQ(g.status().code(), absl::StatusCode::kUnimplemented) << g.status();
}

}  // namespace
}  // namespace staticflow
