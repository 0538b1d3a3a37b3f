// A network of layers, node by node against the graph that TensorFlow wrote for the same program.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/meta_graph.h"
#include "staticflow.h"
#include "tests/golden/golden_case_check.h"

namespace staticflow {
namespace {

// "MatMul(x:0, w:0, ^c)", the control inputs sorted.
std::string Description(const Node& node) {
  std::string text = absl::StrCat(node.type(), "(");
  for (Output input : node.inputs()) absl::StrAppend(&text, input.name(), ", ");
  std::vector<std::string> control;
  for (const Node* input : node.control_inputs()) control.push_back(input->name());
  std::sort(control.begin(), control.end());
  for (const std::string& name : control) absl::StrAppend(&text, "^", name, ", ");
  return text + ")";
}

std::vector<std::string> Names(const Graph& g, absl::string_view collection) {
  std::vector<std::string> names;
  for (const CollectionItem& item : g.collection(collection)) names.push_back(item.name());
  return names;
}

std::vector<std::string> VariableNames(const Graph& g, absl::string_view collection) {
  std::vector<std::string> names;
  for (const Variable* v : g.variables(collection)) {
    if (!absl::StrContains(v->name(), "Adam") && !absl::StrContains(v->name(), "_power")) names.push_back(v->name());
  }
  return names;
}

TEST(LayersGolden, ConvolutionsDenseLayersAndBatchNormalization) {
  const absl::StatusOr<std::string> bytes = GoldenMetaGraph("tests/golden/models/convnet6_bn_adam_ref.pb");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  Graph want;
  ASSERT_TRUE(ImportMetaGraph(*bytes, want).ok());

  Graph g;
  Output x = Placeholder(g, {.shape = {-1, 8, 8, 1}, .name = "inputs"});
  const Output is_training = Placeholder(g, {.dtype = DT_BOOL, .name = "is_training"});
  for (int i = 0; i < 6; ++i) {
    x = layers::Conv2D(g, x, {.filters = i % 2 == 0 ? 4 : 3, .kernel_size = 3, .padding = "same", .use_bias = false});
    x = Relu(layers::BatchNormalization(g, x, {.training = is_training}));
  }
  x = Reshape(x, {-1, 192});
  x = layers::Dense(g, x, {.units = 12, .use_bias = false});
  x = Relu(layers::BatchNormalization(g, x, {.training = is_training}));
  layers::Dense(g, x, {.units = 10});
  ASSERT_TRUE(g.status().ok()) << g.status();

  int compared = 0;
  for (const auto& node : want.nodes()) {
    const bool of_layers = absl::StartsWith(node->name(), "conv2d") || absl::StartsWith(node->name(), "dense") ||
                           absl::StartsWith(node->name(), "batch_normalization");
    if (!of_layers || absl::StrContains(node->name(), "Adam")) continue;
    ++compared;
    const Node* mine = g.FindNode(node->name());
    ASSERT_NE(mine, nullptr) << node->name();
    EXPECT_EQ(Description(*mine), Description(*node)) << node->name();
  }
  EXPECT_GT(compared, 400);
  for (const auto& node : g.nodes()) EXPECT_NE(want.FindNode(node->name()), nullptr) << node->name();
  EXPECT_EQ(Names(g, kUpdateOps), Names(want, kUpdateOps));
  EXPECT_EQ(VariableNames(g, kGlobalVariables), VariableNames(want, kGlobalVariables));
  EXPECT_EQ(VariableNames(g, kTrainableVariables), VariableNames(want, kTrainableVariables));
}

}  // namespace
}  // namespace staticflow
