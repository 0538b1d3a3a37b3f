#include "graph/meta_graph.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "graph/control_flow.h"
#include "graph/gradients.h"
#include "graph/proto_bytes.h"
#include "graph/shape_inference.h"
#include "proto/control_flow.pb.h"
#include "proto/meta_graph.pb.h"
#include "proto/variable.pb.h"

namespace staticflow {
namespace {

absl::Status AttrShape(ShapeContext& c) {
  c.set_output(0, c.attr<Shape>("shape"));
  return absl::OkStatus();
}

const OpRegistrar variable({.name = "Variable",
                            .outputs = {"ref: Ref(dtype)"},
                            .attrs = {"dtype: type", "shape: shape", "container: string = ''",
                                      "shared_name: string = ''"},
                            .shape = AttrShape,
                            .gradient = kNotDifferentiable,
                            .traits = kStateful,
                            .role = OpRole::kVariable,
                            .doc = "A test's variable."});
const OpRegistrar assign({.name = "TestAssign",
                          .inputs = {"ref: Ref(T)", "value: T"},
                          .outputs = {"out: Ref(T)"},
                          .attrs = {"T: type", "validate_shape: bool = true"},
                          .shape = SameShape,
                          .gradient = kNotDifferentiable,
                          .doc = "A test's assignment."});
const OpRegistrar source({.name = "Source",
                          .outputs = {"y: dtype"},
                          .attrs = {"dtype: type", "shape: shape = scalar"},
                          .shape = AttrShape,
                          .gradient = kNotDifferentiable,
                          .doc = "A test's placeholder."});
const OpRegistrar pass({.name = "Pass",
                        .inputs = {"x: T"},
                        .outputs = {"y: T"},
                        .attrs = {"T: type"},
                        .shape = SameShape,
                        .gradient = kNotDifferentiable,
                        .role = OpRole::kIdentity,
                        .doc = "A test's identity."});

std::string NodeText(absl::string_view name, absl::string_view op, absl::string_view inputs,
                     absl::string_view type_attr = "T") {
  return absl::StrCat("node { name: '", name, "' op: '", op, "' ", inputs, " attr { key: '", type_attr,
                      "' value { type: DT_FLOAT } } } ");
}

std::string VariableNodes(absl::string_view name) {
  return absl::StrReplaceAll(
      absl::StrCat(
          "node { name: '$v' op: 'Variable' attr { key: 'dtype' value { type: DT_FLOAT } } attr { key: 'shape' "
          "value { shape { dim { size: 2 } } } } } ",
          NodeText("$v/init", "Source", "", "dtype"),
          NodeText("$v/Assign", "TestAssign", "input: '$v' input: '$v/init'"),
          NodeText("$v/read", "Pass", "input: '$v'")),
      {{"$v", name}});
}

constexpr char kNames[] = "variable_name: 'v:0' initializer_name: 'v/Assign' snapshot_name: 'v/read:0' ";

std::string Bytes(google::protobuf::Message& message, absl::string_view text) {
  const absl::Status parsed = ParseTextMessage(text, "message", &message);
  EXPECT_TRUE(parsed.ok()) << parsed;
  return *SerializeMessage(message);
}

// A graph with variables v and w, a cond in a cond, and collections of every kind.
proto::MetaGraphDef Example() {
  proto::MetaGraphDef meta;
  const std::string graph =
      absl::StrCat(VariableNodes("v"), VariableNodes("w"), NodeText("pred", "Source", "", "dtype"),
                   NodeText("t", "Pass", "input: 'pred'"), NodeText("inner_t", "Pass", "input: 't'"),
                   NodeText("x", "Pass", "input: 'v/read'"));
  const absl::Status parsed = ParseTextMessage(
      absl::StrCat("graph_def { ", graph,
                   "} saver_def { filename_tensor_name: 'save/Const:0' restore_op_name: 'r' "
                   "max_to_keep: 3 version: V2 } meta_info_def { tags: 'train' tensorflow_version: '1.15.0' } ",
                   "collection_def { key: 'update_ops' value { node_list { value: 'v/Assign' value: 'x:0' } } } "
                   "collection_def { key: 'steps' value { int64_list { value: 5 } } }"),
      "MetaGraphDef", &meta);
  EXPECT_TRUE(parsed.ok()) << parsed;
  proto::VariableDef def;
  auto& collections = *meta.mutable_collection_def();
  const std::string v = Bytes(def, absl::StrCat(kNames, "initial_value_name: 'v/init:0'"));
  const std::string w = absl::StrReplaceAll(v, {{"\003v:0", "\003w:0"}, {"v/", "w/"}});
  collections["variables"].mutable_bytes_list()->add_value(v);
  collections["variables"].mutable_bytes_list()->add_value(w);
  collections["trainable_variables"].mutable_bytes_list()->add_value(w);
  collections["notes"].mutable_bytes_list()->add_value("\377 no message");
  proto::CondContextDef cond;
  collections["cond_context"].mutable_bytes_list()->add_value(Bytes(
      cond,
      "context_name: 'cond' pred_name: 'pred:0' pivot_name: 't:0' branch: 1 values_def { values: 'pred:0' values: "
      "'t:0' "
      "values: 'x:0' values: 'inner_t:0' external_values { key: 'pred:0' value: 'pred:0' } } "
      "nested_contexts { cond_ctxt { context_name: 'cond/inner' pred_name: 'pred:0' pivot_name: 'inner_t:0' branch: 0 "
      "values_def { values: 'inner_t:0' } } }"));
  return meta;
}

void ExpectExample(Graph& g, const std::string& prefix) {
  ASSERT_EQ(g.variables().size(), 2);
  const Variable& v = g.variables()[0];
  EXPECT_EQ(v.name(), prefix + "v");
  EXPECT_EQ(v.initializer->name(), prefix + "v/Assign");
  EXPECT_EQ(v.initial_value.name(), prefix + "v/init:0");
  EXPECT_EQ(v.snapshot.name(), prefix + "v/read:0");
  EXPECT_EQ(v.dtype, DT_FLOAT);
  EXPECT_EQ(v.shape, Shape({2}));
  EXPECT_FALSE(v.trainable);
  EXPECT_FALSE(v.is_resource);
  ASSERT_EQ(g.variables(kTrainableVariables).size(), 1);
  EXPECT_EQ(g.variables(kTrainableVariables)[0]->name(), prefix + "w");
  EXPECT_TRUE(g.variables()[1].trainable);

  ASSERT_EQ(g.collection(kUpdateOps).size(), 2);
  EXPECT_EQ(g.collection(kUpdateOps)[0].name(), prefix + "v/Assign");
  EXPECT_EQ(g.collection(kUpdateOps)[1].name(), prefix + "x:0");
  EXPECT_TRUE(g.opaque_collections().contains("steps"));
  EXPECT_TRUE(g.opaque_collections().contains("notes"));

  ASSERT_EQ(g.contexts().size(), 2);
  const ControlFlowContext* outer = g.contexts()[0].get();
  const ControlFlowContext* inner = g.contexts()[1].get();
  EXPECT_EQ(outer->name(), prefix + "cond");
  EXPECT_EQ(inner->outer(), outer);
  EXPECT_EQ(g.FindNode(prefix + "x")->context(), outer);
  EXPECT_EQ(g.FindNode(prefix + "inner_t")->context(), inner);
  EXPECT_EQ(g.FindNode(prefix + "pred")->context(), nullptr);
}

TEST(MetaGraphTest, RoundTripKeepsEverything) {
  Graph g, copy;
  const absl::StatusOr<MetaGraph> meta = ImportMetaGraph(Example(), g);
  ASSERT_TRUE(meta.ok()) << meta.status();
  ExpectExample(g, "");
  EXPECT_EQ(meta->saver->max_to_keep, 3);
  EXPECT_EQ(meta->saver->filename_tensor, "save/Const:0");
  EXPECT_EQ(meta->tags, std::vector<std::string>({"train"}));
  EXPECT_EQ(meta->tensorflow_version, "1.15.0");

  const MetaGraphOptions options{.saver = meta->saver, .tags = meta->tags};
  const absl::StatusOr<std::string> bytes = MetaGraphBytes(g, options);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const absl::StatusOr<MetaGraph> again = ImportMetaGraph(*bytes, copy);
  ASSERT_TRUE(again.ok()) << again.status();
  ExpectExample(copy, "");
  EXPECT_EQ(*MetaGraphBytes(copy, {.saver = again->saver, .tags = again->tags}), *bytes);
}

TEST(MetaGraphTest, PrefixAppliesToEverything) {
  Graph g;
  const absl::StatusOr<MetaGraph> meta = ImportMetaGraph(Example(), g, {.prefix = "model"});
  ASSERT_TRUE(meta.ok()) << meta.status();
  ExpectExample(g, "model/");
  EXPECT_EQ(meta->saver->restore_op, "model/r");
}

TEST(MetaGraphTest, ListsTheOpsOfTheGraph) {
  Graph g;
  ASSERT_TRUE(ImportMetaGraph(Example(), g).ok());
  const absl::StatusOr<std::string> bytes = MetaGraphBytes(g);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  proto::MetaGraphDef meta;
  ASSERT_TRUE(ParseMessage(*bytes, "MetaGraphDef", &meta).ok());
  const proto::OpList& ops = meta.meta_info_def().stripped_op_list();
  ASSERT_EQ(ops.op_size(), 4);
  EXPECT_EQ(ops.op(2).name(), "TestAssign");
  EXPECT_TRUE(ops.op(2).input_arg(0).is_ref());
  EXPECT_EQ(ops.op(2).input_arg(0).type_attr(), "T");
  EXPECT_EQ(ops.op(2).attr(1).type(), "bool");
  EXPECT_TRUE(ops.op(2).attr(1).default_value().b());
  EXPECT_TRUE(ops.op(3).is_stateful());
  EXPECT_FALSE(meta.has_saver_def());
}

TEST(MetaGraphTest, DefaultsCanBeLeftOut) {
  Graph g, copy;
  ASSERT_TRUE(ImportMetaGraph(Example(), g).ok());
  proto::MetaGraphDef meta;
  ASSERT_TRUE(ParseMessage(*MetaGraphBytes(g, {.strip_default_attrs = true}), "MetaGraphDef", &meta).ok());
  EXPECT_EQ(meta.graph_def().node(0).attr().size(), 2);
  EXPECT_TRUE(meta.meta_info_def().stripped_default_attrs());
  ASSERT_TRUE(ImportMetaGraph(meta, copy).ok());
  EXPECT_EQ(*GraphDefBytes(copy), *GraphDefBytes(g));
}

struct BadCase {
  std::string name;
  std::string more;  // collections beside those of the example, which they replace
  std::string want;
};

class BadMetaGraphTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadMetaGraphTest, IsRefusedAndLeavesNothing) {
  proto::MetaGraphDef meta = Example(), more;
  const absl::Status parsed = ParseTextMessage(GetParam().more, "MetaGraphDef", &more);
  ASSERT_TRUE(parsed.ok()) << parsed;
  for (const auto& [key, value] : more.collection_def()) (*meta.mutable_collection_def())[key] = value;
  Graph g;
  const absl::Status status = ImportMetaGraph(meta, g).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().want)) << status;
  EXPECT_EQ(g.num_nodes(), 0);
  EXPECT_TRUE(g.variables().empty() && g.contexts().empty() && g.collection_keys().empty());
  EXPECT_TRUE(g.opaque_collections().empty());
}

std::string BytesList(absl::string_view key, google::protobuf::Message& message, absl::string_view text) {
  proto::MetaGraphDef meta;
  (*meta.mutable_collection_def())[std::string(key)].mutable_bytes_list()->add_value(Bytes(message, text));
  return PrintMessage(meta);
}

std::string VariableList(absl::string_view key, absl::string_view text) {
  proto::VariableDef message;
  return BytesList(key, message, text);
}

std::string CondList(absl::string_view text) {
  proto::CondContextDef message;
  return BytesList("cond_context", message, text);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadMetaGraphTest,
    testing::Values(
        BadCase{"missing_node", "collection_def { key: 'train_op' value { node_list { value: 'nope' } } }",
                "collection 'train_op': there is no node 'nope'"},
        BadCase{"missing_output", "collection_def { key: 'losses' value { node_list { value: 'x:1' } } }",
                "collection 'losses'"},
        BadCase{"no_variable", VariableList("variables", "variable_name: 'x:0'"), "collection 'variables'"},
        BadCase{"no_message", "collection_def { key: 'variables' value { bytes_list { value: '\\377' } } }",
                "collection 'variables'"},
        BadCase{"missing_initializer", VariableList("variables", "variable_name: 'v:0' initializer_name: 'gone'"),
                "variable 'v:0': there is no node 'gone'"},
        BadCase{"missing_snapshot",
                VariableList("variables", "variable_name: 'v:0' initializer_name: 'v/Assign' snapshot_name: 'gone:0'"),
                "variable 'v:0': the graph has no node 'gone'"},
        BadCase{"cond_without_pred", CondList("context_name: 'c' pred_name: 'gone:0' pivot_name: 't:0'"), "cond 'c'"},
        BadCase{"cond_branch", CondList("context_name: 'c' pred_name: 'pred:0' pivot_name: 't:0' branch: 2"),
                "expected 0 or 1"},
        BadCase{"cond_value",
                CondList("context_name: 'c' pred_name: 'pred:0' pivot_name: 't:0' values_def { values: "
                         "'gone:0' }"),
                "cond 'c'"}),
    [](const auto& info) { return info.param.name; });

TEST(MetaGraphTest, EveryTruncationIsHarmless) {
  const std::string bytes = *SerializeMessage(Example());
  for (size_t n = 0; n < bytes.size(); ++n) {
    Graph g;
    const absl::Status status = ImportMetaGraph(absl::string_view(bytes).substr(0, n), g).status();
    EXPECT_TRUE(status.ok() || g.num_nodes() == 0) << status;
  }
}

}  // namespace
}  // namespace staticflow
