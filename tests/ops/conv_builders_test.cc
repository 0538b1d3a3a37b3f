// The builders of matrix products, convolutions, pools and pictures: names, types and shapes of the nodes they add.
#include <gtest/gtest.h>

#include <vector>

#include "graph/graph.h"
#include "ops/array.h"
#include "ops/conv.h"
#include "ops/image.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/pool.h"

namespace staticflow {
namespace {

struct Built {
  Output output;
  const char* name;
  const char* type;
  const char* shape;
};

TEST(ConvBuilders, NameTypeAndShape) {
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 8, 6, 4}, .name = "x"});
  const Output f = Placeholder(g, {.shape = {3, 3, 4, 5}, .name = "f"});
  const Output video = Placeholder(g, {.shape = {2, 4, 8, 6, 4}, .name = "video"});
  const Output f3 = Placeholder(g, {.shape = {1, 3, 3, 4, 5}, .name = "f3"});
  const Output y = Conv2D(x, f, {.strides = {1, 2, 2, 1}});
  const Output y3 = Conv3D(video, f3, {.padding = "VALID"});
  const auto [maxima, argmax] = MaxPoolWithArgmax(x, {.targmax = DT_INT32});
  const std::vector<Built> all = {
      {y, "Conv2D", "Conv2D", "[?,4,3,5]"},
      {Conv2DTranspose(y, f, {9, 8, 6, 4}, {.strides = {1, 2, 2, 1}}), "conv2d_transpose", "Conv2DBackpropInput",
       "[9,8,6,4]"},
      {Conv2DBackpropFilter(x, {3, 3, 4, 5}, y, {.strides = {1, 2, 2, 1}, .name = "df"}), "df", "Conv2DBackpropFilter",
       "[3,3,4,5]"},
      {DepthwiseConv2dNative(x, f, {.padding = "VALID"}), "DepthwiseConv2dNative", "DepthwiseConv2dNative",
       "[?,6,4,20]"},
      {y3, "Conv3D", "Conv3D", "[2,4,6,4,5]"},
      {Conv3DBackpropInput({2, 4, 8, 6, 4}, f3, y3, {.padding = "VALID"}), "Conv3DBackpropInputV2",
       "Conv3DBackpropInputV2", "[2,4,8,6,4]"},
      {Conv3DBackpropFilter(video, {1, 3, 3, 4, 5}, y3, {.padding = "VALID"}), "Conv3DBackpropFilterV2",
       "Conv3DBackpropFilterV2", "[1,3,3,4,5]"},
      {MaxPool(x), "MaxPool", "MaxPool", "[?,4,3,4]"},
      {AvgPool(x, {.padding = "SAME"}), "AvgPool", "AvgPool", "[?,4,3,4]"},
      {MaxPool3D(video), "MaxPool3D", "MaxPool3D", "[2,2,4,3,4]"},
      {AvgPool3D(video), "AvgPool3D", "AvgPool3D", "[2,2,4,3,4]"},
      {maxima, "MaxPoolWithArgmax", "MaxPoolWithArgmax", "[?,4,3,4]"},
      {argmax, "MaxPoolWithArgmax", "MaxPoolWithArgmax", "[?,4,3,4]"},
      {FusedPadConv2D(x, {0, 0, 1, 1, 2, 0, 0, 0}, f, {.padding = "VALID"}), "FusedPadConv2D", "FusedPadConv2D",
       "[?,8,6,5]"},
      {FusedResizeAndPadConv2D(x, {5, 7}, {0, 0, 0, 0, 0, 0, 0, 0}, f), "FusedResizeAndPadConv2D",
       "FusedResizeAndPadConv2D", "[?,5,7,5]"},
      {FractionalMaxPool(x, {.pooling_ratio = {1, 1.5, 2, 1}}).output, "FractionalMaxPool", "FractionalMaxPool",
       "[?,5,3,4]"},
      {FractionalAvgPool(x, {.seed = 7}).row_pooling_sequence, "FractionalAvgPool", "FractionalAvgPool", "[6]"},
      {Dilation2D(x, Placeholder(g, {.shape = {2, 2, 4}}), {.padding = "VALID"}), "Dilation2D", "Dilation2D",
       "[?,7,5,4]"},
      {DataFormatVecPermute(Const(g, Tensor::Vector<int32_t>({1, 2, 2, 1}))), "DataFormatVecPermute",
       "DataFormatVecPermute", "[4]"},
      {DataFormatDimMap(Const(g, -1), {.name = "axis"}), "axis", "DataFormatDimMap", "[]"},
  };
  EXPECT_EQ(argmax.dtype(), DT_INT32);
  for (const Built& built : all) {
    ASSERT_TRUE(built.output.valid()) << built.name << ": " << g.status();
    EXPECT_EQ(built.output.node()->name(), built.name);
    EXPECT_EQ(built.output.node()->type(), built.type);
    EXPECT_EQ(built.output.shape().ToString(), built.shape) << built.name;
  }
}

TEST(ImageBuilders, TypesAndShapes) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 8, 6, 3}, .name = "x"});
  const Output two = Const(g, Tensor::Vector<float>({0.5, 0.5}));
  const Output boxes = Placeholder(g, {.dtype = DT_FLOAT, .shape = {1, 5, 4}, .name = "boxes"});
  const Output seed = Const(g, Tensor::Vector<int32_t>({1, 2})), size = Const(g, Tensor::Vector<int32_t>({8, 6, 3}));
  const CombinedBoxes combined = CombinedNonMaxSuppression(Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 9, 1, 4}}),
                                                           Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 9, 2}}), 3,
                                                           10, {.pad_per_class = true});
  const std::vector<std::pair<Output, std::string>> built = {
      {ScaleAndTranslate(x, {4, 3}, two, two, {.kernel_type = "triangle"}), "ScaleAndTranslate [?,4,3,3]"},
      {ImageProjectiveTransform(x, Placeholder(g, {.shape = {-1, 8}}), {4, 3}, 0.0f),
       "ImageProjectiveTransformV3 [?,4,3,3]"},
      {DrawBoundingBoxes(x, boxes, Placeholder(g, {.shape = {2, 3}})), "DrawBoundingBoxesV2 [1,8,6,3]"},
      {SampleDistortedBoundingBox(size, boxes, 0.1f).bboxes, "SampleDistortedBoundingBoxV2 [1,1,4]"},
      {StatelessSampleDistortedBoundingBox(size, boxes, 0.1f, seed).begin, "StatelessSampleDistortedBoundingBox [3]"},
      {ExtractGlimpse(x, {2, 2}, Placeholder(g, {.shape = {-1, 2}}), {.noise = "zero"}), "ExtractGlimpseV2 [?,2,2,3]"},
      {combined.boxes, "CombinedNonMaxSuppression [?,6,4]"},
      {combined.valid, "CombinedNonMaxSuppression [?]"},
  };
  for (const auto& [output, want] : built) {
    ASSERT_TRUE(output.valid()) << want << ": " << g.status();
    EXPECT_EQ(output.node()->type() + " " + output.shape().ToString(), want);
  }
}

TEST(ConvBuilders, AMistakeKeepsTheCallersLine) {
  Graph g;
  const Output f = Placeholder(g, {.shape = {3, 3, 4, 5}, .name = "f"});
  EXPECT_FALSE(MatMul(f, f).valid());
  EXPECT_NE(g.status().message().find("MatMul 'MatMul' (conv_builders_test.cc:"), std::string::npos) << g.status();
}

TEST(ConvBuilders, BatchMatMulIsNamedAsInPython) {
  Graph g;
  const Output stack = Placeholder(g, {.shape = {7, 2, 3}, .name = "stack"});
  const Output product = BatchMatMul(stack, stack, {.adj_y = true});
  ASSERT_TRUE(product.valid()) << g.status();
  EXPECT_EQ(product.node()->name(), "MatMul");
  EXPECT_EQ(product.node()->type(), "BatchMatMulV2");
  EXPECT_EQ(product.shape().ToString(), "[7,2,2]");
}

}  // namespace
}  // namespace staticflow
