// The messages in proto/ against files that TensorFlow wrote, and against bytes that are part of the contract.

#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "proto/checkpoint_state.pb.h"
#include "proto/control_flow.pb.h"
#include "proto/event.pb.h"
#include "proto/meta_graph.pb.h"
#include "proto/saved_tensor_slice.pb.h"
#include "proto/tensor_bundle.pb.h"
#include "proto/variable.pb.h"
#include "tests/golden/golden_case.pb.h"

namespace staticflow::proto {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::TextFormat;

// Adds "Message.number" for each field in `message`, and in the messages inside it, that our contract does not have.
void CollectUnknownFields(const Message& message, std::set<std::string>& found) {
  const auto* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    found.insert(absl::StrCat(message.GetDescriptor()->name(), ".", unknown.field(i).number()));
  }
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      CollectUnknownFields(reflection->GetMessage(message, field), found);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      CollectUnknownFields(reflection->GetRepeatedMessage(message, field, i), found);
    }
  }
}

// The bytes of `message` with map entries in the order of their keys.
std::string Bytes(const Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

// `bytes` parse as an M of which we know every field, and come back unchanged from text.
template <typename M>
void ExpectKnown(const std::string& bytes, const std::string& what) {
  SCOPED_TRACE(what);
  M message;
  ASSERT_TRUE(message.ParseFromString(bytes));
  EXPECT_EQ(message.ByteSizeLong(), bytes.size());
  std::set<std::string> unknown;
  CollectUnknownFields(message, unknown);
  unknown.erase("MetaGraphDef.7");  // Not part of the contract.
  EXPECT_TRUE(unknown.empty()) << *unknown.begin();
  message.DiscardUnknownFields();
  std::string text;
  ASSERT_TRUE(TextFormat::PrintToString(message, &text));
  M again;
  ASSERT_TRUE(TextFormat::ParseFromString(text, &again));
  EXPECT_TRUE(Bytes(again) == Bytes(message)) << "changed by its text form";
}

void ExpectKnownCollections(const std::string& bytes) {
  MetaGraphDef meta_graph;
  ASSERT_TRUE(meta_graph.ParseFromString(bytes));
  for (const auto& [key, collection] : meta_graph.collection_def()) {
    for (const std::string& value : collection.bytes_list().value()) {
      if (absl::EndsWith(key, "variables")) ExpectKnown<VariableDef>(value, key);
      if (key == "cond_context") ExpectKnown<CondContextDef>(value, key);
      if (key == "while_context") ExpectKnown<WhileContextDef>(value, key);
    }
  }
}

TEST(ContractTest, FilesThatTensorFlowWroteHoldNothingUnknown) {
  int graphs = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("tests/golden")) {
    // The folder files/ holds files that are not cases.
    if (entry.path().extension() != ".pb" || absl::StrContains(entry.path().string(), "/files/")) continue;
    SCOPED_TRACE(entry.path().string());
    std::stringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    golden::GoldenCase golden;
    ASSERT_TRUE(golden.ParseFromString(bytes.str()));
    if (absl::StrContains(golden.error_stage(), "LOAD")) continue;  // Damaged on purpose.
    if (!golden.graph_def().empty()) ExpectKnown<GraphDef>(golden.graph_def(), "graph_def");
    if (!golden.meta_graph_def().empty()) {
      ExpectKnown<MetaGraphDef>(golden.meta_graph_def(), "meta_graph_def");
      ExpectKnownCollections(golden.meta_graph_def());
    }
    for (const golden::Step& step : golden.steps()) {
      for (const auto& feed : step.feeds()) ExpectKnown<TensorProto>(feed.tensor(), feed.name());
      for (const auto& fetch : step.fetches()) ExpectKnown<TensorProto>(fetch.tensor(), fetch.name());
    }
    ++graphs;
  }
  EXPECT_GT(graphs, 0);
}

TEST(ContractTest, ReferenceTypesAreTheirTypePlus100) {
  int references = 0;
  const auto* types = DataType_descriptor();
  for (int i = 0; i < types->value_count(); ++i) {
    const std::string& name = types->value(i)->name();
    if (name == "DT_INVALID" || absl::EndsWith(name, "_REF")) continue;
    const auto* reference = types->FindValueByName(name + "_REF");
    ASSERT_NE(reference, nullptr) << name;
    EXPECT_EQ(reference->number(), types->value(i)->number() + 100) << name;
    ++references;
  }
  EXPECT_EQ(2 * references + 1, types->value_count());
}

struct WireRow {
  std::string name;
  const Message* message;
  std::string text;
  std::string hex;
};

TEST(ContractTest, BytesOnTheWire) {
  const TensorProto tensor;
  const BundleHeaderProto header;
  const BundleEntryProto entry;
  const CheckpointState state;
  const AttrValue attr;
  const Event event;
  const TensorSliceProto slice;
  const SavedTensorSlices slices;
  const std::vector<WireRow> rows = {
      {"packed floats", &tensor, "dtype: DT_FLOAT float_val: [1, -2]", "08012a080000803f000000c0"},
      {"a reference type", &attr, "type: DT_FLOAT_REF", "3065"},
      {"an empty list is set", &attr, "list { }", "0a00"},
      {"a false is set", &attr, "b: false", "2800"},
      {"header", &header, "num_shards: 1 version { producer: 1 }", "08011a020801"},
      {"fixed checksum", &entry, "dtype: DT_INT32 shape { dim { size: 3 } } size: 12 crc32c: 0x01020304",
       "0803120412020803280c3504030201"},
      {"unknown dim", &entry, "shape { dim { size: -1 } }", "120d120b08ffffffffffffffffff01"},
      {"whole dim and range", &slice, "extent { } extent { start: 1 length: 0 }", "0a000a0408011000"},
      {"state", &state, "model_checkpoint_path: 'a' all_model_checkpoint_paths: 'a'", "0a0161120161"},
      {"first event", &event, "wall_time: 1 file_version: 'v'", "09000000000000f03f1a0176"},
      {"version 1 checkpoint", &slices, "data { name: 'w' data { float_val: 1 } }", "120b0a01771a062a040000803f"},
  };
  for (const WireRow& row : rows) {
    SCOPED_TRACE(row.name);
    const std::unique_ptr<Message> message(row.message->New());
    ASSERT_TRUE(TextFormat::ParseFromString(row.text, message.get()));
    EXPECT_EQ(absl::BytesToHexString(Bytes(*message)), row.hex);
  }
}

TEST(ContractTest, FieldsOutsideTheContractSurvive) {
  const std::string object_graph("\x3a\x02\x0a\x00", 4);  // MetaGraphDef field 7, as TensorFlow 2 writes it.
  MetaGraphDef meta_graph;
  ASSERT_TRUE(meta_graph.ParseFromString(object_graph));
  EXPECT_EQ(meta_graph.SerializeAsString(), object_graph);
}

}  // namespace
}  // namespace staticflow::proto
