#include "graph/graph_def.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "graph/proto_bytes.h"
#include "graph/shape_inference.h"
#include "graph/tensor_proto.h"
#include "proto/graph.pb.h"

namespace staticflow {
namespace {

absl::Status ConstShape(ShapeContext& c) {
  c.set_output(0, c.attr<Tensor>("value").shape());
  return absl::OkStatus();
}

absl::Status SourceShape(ShapeContext& c) {
  c.set_output(0, c.attr<Shape>("shape"));
  return absl::OkStatus();
}

const OpRegistrar source({.name = "Source",
                          .outputs = {"y: dtype"},
                          .attrs = {"dtype: type", "shape: shape = scalar"},
                          .shape = SourceShape,
                          .gradient = kNotDifferentiable,
                          .doc = "A test's placeholder."});
const OpRegistrar constant({.name = "TestConst",
                            .outputs = {"y: dtype"},
                            .attrs = {"value: tensor", "dtype: type"},
                            .shape = ConstShape,
                            .gradient = kNotDifferentiable,
                            .role = OpRole::kConst,
                            .doc = "A test's constant."});
const OpRegistrar plus({.name = "Plus",
                        .inputs = {"x: T", "y: T"},
                        .outputs = {"z: T"},
                        .attrs = {"T: {float, int32}", "carry: bool = false"},
                        .shape = BroadcastShape,
                        .gradient = kNotDifferentiable,
                        .doc = "A test's sum."});
const OpRegistrar pair({.name = "Pair",
                        .inputs = {"x: T"},
                        .outputs = {"a: T", "b: int32"},
                        .attrs = {"T: type"},
                        .shape = AnyShape,
                        .gradient = kNotDifferentiable,
                        .doc = "A test's op with two outputs."});
const OpRegistrar merge({.name = "TestMerge",
                         .inputs = {"inputs: N * T"},
                         .outputs = {"output: T"},
                         .attrs = {"T: type", "N: int >= 1"},
                         .shape = AnyShape,
                         .gradient = kNotDifferentiable,
                         .role = OpRole::kMerge,
                         .doc = "A test's merge."});
const OpRegistrar next({.name = "TestNext",
                        .inputs = {"data: T"},
                        .outputs = {"output: T"},
                        .attrs = {"T: type"},
                        .shape = SameShape,
                        .gradient = kNotDifferentiable,
                        .role = OpRole::kNextIteration,
                        .doc = "A test's back edge."});
const OpRegistrar call({.name = "TestCall",
                        .attrs = {"f: func", "lists: list(int) = [1, 2]"},
                        .shape = NoOutputs,
                        .gradient = kNotDifferentiable,
                        .doc = "A test's function call."});

constexpr char kFloat[] = "attr { key: 'dtype' value { type: DT_FLOAT } }";

std::string SourceNode(absl::string_view name, absl::string_view more = "") {
  return absl::StrCat("node { name: '", name, "' op: 'Source' ", kFloat, " ", more, " } ");
}

std::string PlusNode(absl::string_view name, absl::string_view inputs, absl::string_view more = "") {
  return absl::StrCat("node { name: '", name, "' op: 'Plus' ", inputs, " attr { key: 'T' value { type: DT_FLOAT } } ",
                      more, " } ");
}

std::string ConstNode(absl::string_view tensor) {
  return absl::StrCat("node { name: 'c' op: 'TestConst' ", kFloat, " attr { key: 'value' value { tensor { ", tensor,
                      " } } } } ");
}

std::string Function(absl::string_view name, absl::string_view callee) {
  return absl::StrCat("function { signature { name: '", name, "' } node_def { name: 'n' op: 'TestCall' ",
                      "attr { key: 'f' value { func { name: '", callee, "' } } } } } ");
}

TEST(GraphDefTest, RoundTripKeepsEverything) {
  const std::string text = absl::StrCat(
      SourceNode("a", "device: '/cpu:0' attr { key: 'shape' value { shape { dim { size: -1 } dim { size: 3 } } } }"),
      "node { name: 'p' op: 'Pair' input: 'a' attr { key: 'T' value { type: DT_FLOAT } } } ",
      PlusNode("s/sum", "input: 'a' input: 'p' input: '^p'",
               "attr { key: '_class' value { list { s: 'loc:@a' } } } attr { key: '_note' value { s: 'x' } }"
               "attr { key: 'carry' value { b: true } }"),
      "library { ", Function("f", "g"), Function("g", "h"), " } versions { producer: 27 }");
  Graph g, copy;
  ASSERT_TRUE(ImportGraphDefText(text, g).ok()) << ImportGraphDefText(text, g);
  const Node& sum = *g.FindNode("s/sum");
  EXPECT_EQ(g.FindNode("a")->device(), "/cpu:0");
  EXPECT_EQ(sum.input(1).name(), "p:0");
  EXPECT_EQ(sum.control_inputs().size(), 1);
  EXPECT_EQ(sum.attr<bool>("carry"), true);
  EXPECT_EQ(sum.attrs().at("_note").get<std::string>(), "x");
  EXPECT_EQ(g.FindNode("a")->output_shape(0), Shape({-1, 3}));

  const absl::StatusOr<std::string> bytes = GraphDefBytes(g);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  ASSERT_TRUE(ImportGraphDef(*bytes, copy).ok());
  EXPECT_EQ(*GraphDefBytes(copy), *bytes);
  EXPECT_EQ(*GraphDefText(copy), *GraphDefText(g));
  EXPECT_EQ(copy.function_library(), g.function_library());
  proto::GraphDef message;
  ASSERT_TRUE(ParseMessage(*bytes, "GraphDef", &message).ok());
  EXPECT_EQ(message.versions().producer(), kGraphDefVersion);
  EXPECT_EQ(message.library().function_size(), 2);
}

TEST(GraphDefTest, NodesKeepTheOrderOfTheFileAsFarAsEdgesAllow) {
  Graph g;
  const std::string text = absl::StrCat(PlusNode("late", "input: 'b' input: 'c'"), SourceNode("b"), SourceNode("x"),
                                        SourceNode("c"), SourceNode("y"));
  ASSERT_TRUE(ImportGraphDefText(text, g).ok());
  std::string order;
  for (const auto& node : g.nodes()) absl::StrAppend(&order, node->name(), " ");
  EXPECT_EQ(order, "b x c late y ");
}

TEST(GraphDefTest, LoopsCloseThroughNextIterationOnly) {
  const std::string loop =
      absl::StrCat(SourceNode("a"),
                   "node { name: 'm' op: 'TestMerge' input: 'a' input: 'n' attr { key: 'T' value { type: DT_FLOAT } }"
                   " attr { key: 'N' value { i: 2 } } } ",
                   "node { name: 'n' op: 'TestNext' input: 'm' attr { key: 'T' value { type: DT_FLOAT } } } ");
  Graph g, copy;
  const absl::Status status = ImportGraphDefText(loop, g);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(g.FindNode("m")->input(1).name(), "n:0");
  ASSERT_TRUE(ImportGraphDef(*GraphDefBytes(g), copy).ok());
  EXPECT_EQ(*GraphDefBytes(copy), *GraphDefBytes(g));
}

TEST(GraphDefTest, PrefixAndInputMap) {
  Graph g;
  ASSERT_TRUE(ImportGraphDefText(SourceNode("x"), g).ok());
  const std::string text =
      absl::StrCat(SourceNode("a"),
                   PlusNode("s", "input: 'a:0' input: 'a'", "attr { key: '_class' value { list { s: 'loc:@a' } } }"));
  const absl::Status status =
      ImportGraphDefText(text, g, {.prefix = "model", .input_map = {{"a", *g.FindOutput("x")}}});
  ASSERT_TRUE(status.ok()) << status;
  const Node& sum = *g.FindNode("model/s");
  EXPECT_EQ(sum.input(0).name(), "x:0");
  EXPECT_EQ(sum.attrs().at("_class").get<std::vector<std::string>>()[0], "loc:@model/a");
  EXPECT_NE(g.FindNode("model/a"), nullptr);
}

TEST(GraphDefTest, OutputShapesOfTheFileAddToWhatIsKnown) {
  const auto shape_of = [](absl::string_view own, absl::string_view given) {
    Graph g;
    const absl::Status status = ImportGraphDefText(
        SourceNode("a", absl::StrCat("attr { key: 'shape' value { shape { ", own,
                                     " } } } attr { key: '_output_shapes' value { list { shape { ", given, " } } } }")),
        g);
    EXPECT_TRUE(status.ok()) << status;
    return g.FindNode("a")->output_shape(0).ToString();
  };
  EXPECT_EQ(shape_of("dim { size: -1 } dim { size: 3 }", "dim { size: 2 } dim { size: -1 }"), "[2,3]");
  EXPECT_EQ(shape_of("dim { size: 3 }", "dim { size: 2 }"), "[3]");
  EXPECT_EQ(shape_of("dim { size: 3 }", "unknown_rank: true"), "[3]");
}

TEST(GraphDefTest, AfterAnErrorTheGraphIsAsItWas) {
  Graph g;
  ASSERT_TRUE(ImportGraphDefText(SourceNode("x"), g).ok());
  const std::string before = *GraphDefBytes(g);
  const std::string library = absl::StrCat("library { ", Function("f", "g"), "} ");
  EXPECT_FALSE(ImportGraphDefText(absl::StrCat(library, SourceNode("a"), PlusNode("s", "input: 'a'")), g).ok());
  EXPECT_FALSE(ImportGraphDefText(absl::StrCat(SourceNode("a"), SourceNode("x")), g).ok());
  EXPECT_EQ(*GraphDefBytes(g), before);
  EXPECT_EQ(g.FindNode("a"), nullptr);
  EXPECT_EQ(g.UniqueName("a"), "a");
  EXPECT_TRUE(g.status().ok());
}

TEST(GraphDefTest, BuildingErrorsComeBackFromTheExport) {
  Graph g;
  g.RecordError(absl::InvalidArgumentError("a mistake"));
  EXPECT_EQ(GraphDefBytes(g).status().message(), "a mistake");
  EXPECT_EQ(GraphDefText(g).status().message(), "a mistake");
}

TEST(GraphDefTest, WritesThroughTheGivenFunction) {
  Graph g;
  ASSERT_TRUE(ImportGraphDefText(SourceNode("x"), g).ok());
  std::string written;
  const auto write = [&](absl::string_view bytes) {
    written = std::string(bytes);
    return absl::OkStatus();
  };
  ASSERT_TRUE(WriteGraph(g, GraphFormat::kText, write).ok());
  EXPECT_TRUE(absl::StrContains(written, "op: \"Source\""));
  EXPECT_EQ(WriteGraph(g, GraphFormat::kBinary, [](absl::string_view) { return absl::DataLossError("disk"); }).code(),
            absl::StatusCode::kDataLoss);
}

TEST(GraphDefTest, EveryTruncationOfTheBytesIsAnError) {
  Graph g;
  ASSERT_TRUE(ImportGraphDefText(absl::StrCat(SourceNode("a"), PlusNode("s", "input: 'a' input: 'a'")), g).ok());
  proto::GraphDef message;
  ASSERT_TRUE(ParseMessage(*GraphDefBytes(g), "GraphDef", &message).ok());
  message.clear_versions();
  const std::string bytes = *SerializeMessage(message);
  int whole_messages = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    Graph copy;
    const absl::Status status = ImportGraphDef(absl::string_view(bytes).substr(0, n), copy);
    whole_messages += status.ok();
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  }
  EXPECT_EQ(whole_messages, 2);  // nothing at all, and node 'a' alone
}

TEST(GraphDefTest, NoFlippedByteDoesHarm) {
  Graph g;
  const std::string text =
      absl::StrCat(SourceNode("a"), ConstNode("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1"),
                   PlusNode("s", "input: 'a' input: 'c'"), "library { ", Function("f", "g"), "}");
  ASSERT_TRUE(ImportGraphDefText(text, g).ok()) << ImportGraphDefText(text, g);
  const std::string bytes = *GraphDefBytes(g);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      Graph copy;
      const absl::Status status = ImportGraphDef(flipped, copy);
      if (status.ok()) {
        EXPECT_TRUE(GraphDefBytes(copy).ok());
      } else {
        EXPECT_EQ(copy.num_nodes(), 0) << status;
      }
    }
  }
}

struct BadCase {
  std::string name;
  std::string text;
  std::string want;  // in the message
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  ImportLimits limits = {};
};

class BadGraphDefTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadGraphDefTest, IsRefused) {
  Graph g;
  const absl::Status status = ImportGraphDefText(GetParam().text, g, {.limits = GetParam().limits});
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), GetParam().want)) << status;
  EXPECT_EQ(g.num_nodes(), 0);
}

constexpr absl::StatusCode kExhausted = absl::StatusCode::kResourceExhausted;

const BadCase kBadCases[] = {
    {"text", "node { name: 'a' }}", "line 1, column 19"},
    {"op_type", "node { name: 'a' op: 'NoSuchOp' }", "node 'a': there is no op of type 'NoSuchOp'",
     absl::StatusCode::kNotFound},
    {"empty_op", "node { name: 'a' }", "node 'a': the op type is missing"},
    {"name", SourceNode("!a"), "Source '!a'"},
    {"no_name", SourceNode(""), "Source ''"},
    {"duplicate", SourceNode("a") + SourceNode("a"), "node 'a': the name occurs twice"},
    {"dangling", PlusNode("s", "input: 'a' input: 'a'"), "node 's': input 'a' is no node"},
    {"dangling_control", SourceNode("a", "input: '^b'"), "node 'a': input '^b' is no node"},
    {"index_text", SourceNode("a") + PlusNode("s", "input: 'a:x' input: 'a'"), "node 's': input 'a:x'"},
    {"index_negative", SourceNode("a") + PlusNode("s", "input: 'a:-1' input: 'a'"), "input 'a:-1'"},
    {"index_too_large", SourceNode("a") + PlusNode("s", "input: 'a:1' input: 'a'"), "'a:1' does not exist"},
    {"index_overflow", SourceNode("a") + PlusNode("s", "input: 'a:4294967296' input: 'a'"), "input 'a:4294967296'"},
    {"data_after_control", SourceNode("a") + PlusNode("s", "input: '^a' input: 'a' input: 'a'"),
     "node 's': input 'a' comes after a control input"},
    {"cycle", PlusNode("s", "input: 't' input: 't'") + PlusNode("t", "input: 's' input: 's'"), "2 nodes in a cycle"},
    {"control_cycle", SourceNode("a", "input: '^b'") + SourceNode("b", "input: '^a'"), "2 nodes in a cycle"},
    {"self_loop", PlusNode("s", "input: 's' input: 's'"), "node 's': 1 nodes in a cycle"},
    {"too_few_inputs", SourceNode("a") + PlusNode("s", "input: 'a'"), "Plus 's'"},
    {"too_many_inputs", SourceNode("a") + PlusNode("s", "input: 'a' input: 'a' input: 'a'"), "Plus 's'"},
    {"attr_kind", "node { name: 'a' op: 'Source' attr { key: 'dtype' value { i: 1 } } }", "attribute 'dtype'"},
    {"attr_empty", "node { name: 'a' op: 'Source' attr { key: 'dtype' value { } } }", "attribute 'dtype'"},
    {"attr_missing", "node { name: 'a' op: 'Source' }", "Source 'a': attribute 'dtype' is missing"},
    {"attr_unknown", SourceNode("a", "attr { key: 'colour' value { i: 1 } }"), "attribute 'colour'"},
    {"attr_placeholder", "node { name: 'a' op: 'Source' attr { key: 'dtype' value { placeholder: 'T' } } }",
     "only functions can have"},
    {"attr_list_of_two_kinds",
     "node { name: 'a' op: 'TestCall' attr { key: 'f' value { func { name: 'f' } } } attr { key: 'lists' value { list "
     "{ i: 1 f: 2 } } } }",
     "several kinds"},
    {"ref_type", "node { name: 'a' op: 'Source' attr { key: 'dtype' value { type: DT_FLOAT_REF } } }",
     "reference type"},
    {"type_not_allowed",
     "node { name: 'a' op: 'Source' attr { key: 'dtype' value { type: DT_BOOL } } } "
     "node { name: 's' op: 'Plus' input: 'a' input: 'a' attr { key: 'T' value { type: DT_BOOL } } }",
     "Plus 's': attribute 'T' is bool"},
    {"types_disagree",
     SourceNode("a") + "node { name: 's' op: 'Plus' input: 'a' input: 'a' attr { key: 'T' value { "
                       "type: DT_INT32 } } }",
     "Plus 's'"},
    {"shapes_disagree",
     SourceNode("a", "attr { key: 'shape' value { shape { dim { size: 2 } } } }") +
         SourceNode("b", "attr { key: 'shape' value { shape { dim { size: 3 } } } }") +
         PlusNode("s", "input: 'a' input: 'b'"),
     "Plus 's': shapes [2] and [3]"},
    {"output_shapes_count", SourceNode("a", "attr { key: '_output_shapes' value { list { shape { } shape { } } } }"),
     "expected 1 shapes"},
    {"negative_dimension", SourceNode("a", "attr { key: 'shape' value { shape { dim { size: -2 } } } }"),
     "attribute 'shape'"},
    {"const_too_short", ConstNode("dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: '1234567'"),
     "TestConst 'c': attribute 'value': tensor_content has 7 bytes"},
    {"const_too_big", ConstNode("dtype: DT_FLOAT tensor_shape { dim { size: 16777217 } }"), "without values",
     kExhausted},
    {"const_filled_too_big", ConstNode("dtype: DT_FLOAT tensor_shape { dim { size: 268435457 } } float_val: 1"),
     "attribute 'value'", kExhausted},
    {"const_overflow",
     ConstNode("dtype: DT_FLOAT tensor_shape { dim { size: 4611686018427387904 } dim { size: 4 } } "
               "float_val: 1"),
     "no memory holds"},
    {"min_consumer", "versions { producer: 2000 min_consumer: 1000000 }", "version 1000000"},
    {"bad_consumer", "versions { producer: 134 bad_consumers: 134 }", "refuses readers of version 134"},
    {"recursive_function", "library { " + Function("f", "f") + "}", "circle: f -> f"},
    {"mutually_recursive", "library { " + Function("f", "g") + Function("g", "h") + Function("h", "g") + "}",
     "circle: g -> h -> g"},
    {"function_twice", "library { " + Function("f", "g") + Function("f", "h") + "}", "two different functions 'f'"},
    {"deep_calls",
     "library { " + Function("f", "g") + Function("g", "h") + Function("h", "i") + Function("i", "j") + "}",
     "nests calls deeper than 3",
     kExhausted,
     {.max_function_depth = 3}},
    {"many_nodes", SourceNode("a") + SourceNode("b"), "has 2 nodes", kExhausted, {.max_nodes = 1}},
    {"many_edges", SourceNode("a") + PlusNode("s", "input: 'a' input: 'a'"), "node 's'", kExhausted, {.max_edges = 1}},
    {"many_inputs",
     SourceNode("a") + PlusNode("s", "input: 'a' input: 'a'"),
     "node 's'",
     kExhausted,
     {.max_inputs_per_node = 1}},
    {"long_name", SourceNode(std::string(4097, 'a')), "4097 characters", kExhausted},
    {"many_constants",
     ConstNode("dtype: DT_FLOAT float_val: 1"),
     "constants take more than 3 bytes",
     kExhausted,
     {.max_constant_bytes = 3}},
};

INSTANTIATE_TEST_SUITE_P(All, BadGraphDefTest, testing::ValuesIn(kBadCases),
                         [](const auto& info) { return info.param.name; });

// Nesting that only a hostile file has must not overflow the stack.
TEST(GraphDefTest, DeepNestingIsRefused) {
  std::string value = "i: 1";
  for (int i = 0; i < 2000; ++i) value = absl::StrCat("func { name: 'f' attr { key: 'a' value { ", value, " } } }");
  Graph g;
  const std::string text = absl::StrCat("node { name: 'n' op: 'TestCall' attr { key: 'f' value { ", value, " } } }");
  EXPECT_FALSE(ImportGraphDefText(text, g).ok());
}

TEST(GraphDefTest, AttributesYoungerThanTheLibraryMayKeepTheirDefault) {
  proto::OpList producer;
  ASSERT_TRUE(ParseTextMessage("op { name: 'Source' attr { name: 'colour' type: 'int' default_value { i: 7 } } }",
                               "OpList", &producer)
                  .ok());
  const auto import = [&](absl::string_view value, const proto::OpList* producer_ops) {
    Graph g;
    const std::string attr = absl::StrCat("attr { key: 'colour' value { ", value, " } }");
    const absl::Status status = ImportGraphDefText(SourceNode("a", attr), g, {.producer_ops = producer_ops});
    EXPECT_TRUE(!status.ok() || !g.FindNode("a")->has_attr("colour"));
    return status.code();
  };
  constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(import("i: 7", &producer), absl::StatusCode::kOk);
  EXPECT_EQ(import("i: 0", &producer), kInvalid);
  EXPECT_EQ(import("i: 7", nullptr), kInvalid);
  for (const char* nothing : {"i: 0", "b: false", "s: ''", "list { }"}) {
    EXPECT_EQ(import(nothing, nullptr), absl::StatusCode::kOk) << nothing;
  }
  for (const char* something : {"b: true", "s: 'x'", "f: 0", "type: DT_FLOAT", "list { i: 0 }"}) {
    EXPECT_EQ(import(something, nullptr), kInvalid) << something;
  }
}

}  // namespace
}  // namespace staticflow
