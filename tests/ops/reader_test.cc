// Readers, step by step, as handles and as references. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ops/array.h"
#include "ops/queue.h"
#include "runtime/io/env.h"
#include "runtime/io/record.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr absl::StatusCode kOk = absl::StatusCode::kOk, kEmpty = absl::StatusCode::kOutOfRange;

// One call of the reader, what it gives, "FOLDER" standing for the files' folder, and what the reader has done so far.
struct ReaderStep {
  std::vector<std::string> keys, values;
  int64_t produced = 0, completed = 0;
  absl::StatusCode code = kOk;
};
struct ReaderCase {
  std::string name;
  std::string reader;  // without the ending V2
  AttrMap attrs = {};
  std::vector<std::string> files;
  int64_t at_once = 0;  // 0: ReaderRead
  std::vector<ReaderStep> steps;
  std::string state = "";  // what ReaderSerializeState gives; "": Unimplemented
};
void PrintTo(const ReaderCase& row, std::ostream* out) { *out << row.reader << " '" << row.name << "'"; }

const std::string& Folder() {
  static const std::string& folder = *new std::string(testing::TempDir() + "/reader");
  return folder;
}
std::string Named(const std::string& text) { return absl::StrReplaceAll(text, {{"FOLDER", Folder()}}); }

void WriteFiles() {
  Env* const env = PosixEnv();
  ASSERT_TRUE(env->CreateDir(Folder()).ok());
  const std::pair<const char*, const char*> files[] = {
      {"/lines", "one\r\ntwo\n\nfo\rur"}, {"/line", "five\n"}, {"/empty", ""}, {"/fixed", "HHabcdefghF"}};
  for (const auto& [name, text] : files) ASSERT_TRUE(WriteWholeFile(env, Folder() + name, text).ok());
  {
    const auto file = env->NewWritableFile(Folder() + "/records");
    ASSERT_TRUE(file.ok()) << file.status();
    RecordWriter writer(file->get());
    ASSERT_TRUE(writer.Write("x").ok() && writer.Write("yz").ok() && (*file)->Close().ok());
  }
  const auto records = ReadWholeFile(env, Folder() + "/records");
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_TRUE(WriteWholeFile(env, Folder() + "/cut", records->substr(0, records->size() - 2)).ok());
}

class ReaderTest : public testing::TestWithParam<ReaderCase> {};

TEST_P(ReaderTest, ReadsWhatTensorFlowReads) {
  ASSERT_NO_FATAL_FAILURE(WriteFiles());
  const ReaderCase& row = GetParam();
  for (const std::string ending : {"", "V2"}) {
    Graph g;
    const auto node = [&](const std::string& op) {
      return NodeBuilder(g, op + ending, std::source_location::current());
    };
    const Output queue = node("FIFOQueue").Attr("component_types", std::vector<DataType>{DT_STRING}).Build();
    NodeBuilder declaration = node(row.reader);
    for (const auto& [name, value] : row.attrs) declaration.Attr(name, value);
    const Output reader = declaration.Build();
    NodeBuilder reading = node(row.at_once > 0 ? "ReaderReadUpTo" : "ReaderRead");
    reading.Input(reader).Input(queue);
    if (row.at_once > 0) reading.Input(Const(g, Tensor(row.at_once)));
    Node* const read = reading.BuildNode();
    const std::vector<Output> counts = {node("ReaderNumRecordsProduced").Input(reader).Build(),
                                        node("ReaderNumWorkUnitsCompleted").Input(reader).Build()};
    const Output state = node("ReaderSerializeState").Input(reader).Build();
    Node* const reset = node("ReaderReset").Input(reader).BuildNode();
    ASSERT_TRUE(g.status().ok()) << g.status();

    Session session(g, {.threads = 1});
    for (const std::string& file : row.files) {
      const Operation put = QueueEnqueue(queue, {Const(g, Tensor(Folder() + "/" + file))});
      ASSERT_TRUE(session.Run({}, {}, {put}).ok());
    }
    ASSERT_TRUE(session.Run({}, {}, {QueueClose(queue)}).ok());
    for (size_t i = 0; i < row.steps.size(); ++i) {
      const ReaderStep& step = row.steps[i];
      SCOPED_TRACE(absl::StrCat("step ", i, ending));
      const auto got = session.Run({}, {read->output(0), read->output(1)});
      ASSERT_EQ(got.status().code(), step.code) << got.status();
      if (got.ok()) {
        ASSERT_EQ((*got)[0].num_elements(), static_cast<int64_t>(step.keys.size()));
        EXPECT_EQ((*got)[0].shape().rank(), row.at_once > 0 ? 1 : 0);
        for (size_t k = 0; k < step.keys.size(); ++k) {
          EXPECT_EQ((*got)[0].data<std::string>()[k], Named(step.keys[k]));
          EXPECT_EQ((*got)[1].data<std::string>()[k], Named(step.values[k]));
        }
      }
      const auto done = session.Run({}, counts);
      ASSERT_TRUE(done.ok()) << done.status();
      EXPECT_EQ((*done)[0].data<int64_t>()[0], step.produced);
      EXPECT_EQ((*done)[1].data<int64_t>()[0], step.completed);
    }
    const auto message = session.Run({}, state);
    EXPECT_EQ(message.status().code(), row.state.empty() ? absl::StatusCode::kUnimplemented : kOk) << message.status();
    if (message.ok()) {
      EXPECT_EQ(message->data<std::string>()[0], row.state);
    }
    ASSERT_TRUE(session.Run({}, {}, {reset}).ok());
    EXPECT_EQ(session.Run({}, counts[0])->data<int64_t>()[0], 0);
  }
}

std::vector<ReaderCase> Cases() {
  const std::string lines = "FOLDER/lines:", records = "FOLDER/records:", fixed = "FOLDER/fixed:";
  return {
      {.name = "lines",
       .reader = "TextLineReader",
       .files = {"lines", "empty", "line"},
       .steps = {{{lines + "1"}, {"one"}, 1, 0},
                 {{lines + "2"}, {"two"}, 2, 0},
                 {{lines + "3"}, {""}, 3, 0},
                 {{lines + "4"}, {"fo\rur"}, 4, 0},
                 {{"FOLDER/line:1"}, {"five"}, 5, 2},
                 {{}, {}, 5, 3, kEmpty},
                 {{}, {}, 5, 3, kEmpty}}},
      {.name = "without headers",
       .reader = "TextLineReader",
       .attrs = {{"skip_header_lines", int64_t{2}}},
       .files = {"lines", "line"},
       .steps = {{{lines + "3"}, {""}, 1, 0}, {{lines + "4"}, {"fo\rur"}, 2, 0}, {{}, {}, 2, 2, kEmpty}}},
      {.name = "several lines",
       .reader = "TextLineReader",
       .files = {"lines", "line"},
       .at_once = 3,
       .steps = {{{lines + "1", lines + "2", lines + "3"}, {"one", "two", ""}, 3, 0},
                 {{lines + "4"}, {"fo\rur"}, 4, 1},
                 {{"FOLDER/line:1"}, {"five"}, 5, 2},
                 {{}, {}, 5, 2, kEmpty}}},
      {.name = "a file that is missing",
       .reader = "TextLineReader",
       .files = {"nothing", "line"},
       .steps = {{{}, {}, 0, 0, absl::StatusCode::kNotFound},
                 {{"FOLDER/line:1"}, {"five"}, 1, 0},
                 {{}, {}, 1, 1, kEmpty}}},
      {.name = "files",
       .reader = "WholeFileReader",
       .files = {"line", "empty"},
       .steps = {{{"FOLDER/line"}, {"five\n"}, 1, 1}, {{"FOLDER/empty"}, {""}, 2, 2}, {{}, {}, 2, 2, kEmpty}},
       .state = "\x08\x02\x10\x02\x18\x02"},
      {.name = "one file at once",
       .reader = "WholeFileReader",
       .files = {"line", "empty"},
       .at_once = 5,
       .steps = {{{"FOLDER/line"}, {"five\n"}, 1, 1}, {{"FOLDER/empty"}, {""}, 2, 2}, {{}, {}, 2, 2, kEmpty}},
       .state = "\x08\x02\x10\x02\x18\x02"},
      {.name = "names",
       .reader = "IdentityReader",
       .files = {"any"},
       .steps = {{{"FOLDER/any"}, {"FOLDER/any"}, 1, 1}, {{}, {}, 1, 1, kEmpty}},
       .state = "\x08\x01\x10\x01\x18\x01"},
      {.name = "records",
       .reader = "TFRecordReader",
       .files = {"records", "records"},
       .steps = {{{records + "0"}, {"x"}, 1, 0},
                 {{records + "17"}, {"yz"}, 2, 0},
                 {{records + "0"}, {"x"}, 3, 1},
                 {{records + "17"}, {"yz"}, 4, 1},
                 {{}, {}, 4, 2, kEmpty}}},
      {.name = "a cut record",
       .reader = "TFRecordReader",
       .files = {"cut", "records"},
       .steps = {{{"FOLDER/cut:0"}, {"x"}, 1, 0},
                 {{}, {}, 1, 0, absl::StatusCode::kDataLoss},
                 {{}, {}, 1, 0, absl::StatusCode::kDataLoss}}},
      {.name = "parts",
       .reader = "FixedLengthRecordReader",
       .attrs = {{"header_bytes", int64_t{2}}, {"record_bytes", int64_t{3}}, {"footer_bytes", int64_t{1}}},
       .files = {"fixed"},
       .steps = {{{fixed + "0"}, {"abc"}, 1, 0}, {{fixed + "1"}, {"def"}, 2, 0}, {{}, {}, 2, 1, kEmpty}}},
      {.name = "overlapping parts",
       .reader = "FixedLengthRecordReader",
       .attrs = {{"header_bytes", int64_t{2}},
                 {"record_bytes", int64_t{3}},
                 {"footer_bytes", int64_t{1}},
                 {"hop_bytes", int64_t{2}}},
       .files = {"fixed"},
       .steps = {{{fixed + "0"}, {"abc"}, 1, 0},
                 {{fixed + "1"}, {"cde"}, 2, 0},
                 {{fixed + "2"}, {"efg"}, 3, 0},
                 {{}, {}, 3, 1, kEmpty}}},
  };
}
INSTANTIATE_TEST_SUITE_P(All, ReaderTest, testing::ValuesIn(Cases()), [](const auto& info) {
  return absl::StrReplaceAll(info.param.name, {{" ", "_"}});
});

// A reader of files goes on where another one was: "ReaderRestoreState", "ReaderRestoreStateV2".
TEST(Readers, RestoreTheirState) {
  for (const std::string ending : {"", "V2"}) {
    Graph g;
    const auto node = [&](const std::string& op) {
      return NodeBuilder(g, op + ending, std::source_location::current());
    };
    const Output state = Placeholder(g, {.dtype = DT_STRING, .shape = {}});
    const Output reader = node("IdentityReader").Build(), lines = node("TextLineReader").Build();
    Node* const restore = node("ReaderRestoreState").Input(reader).Input(state).BuildNode();
    Node* const restore_lines = node("ReaderRestoreState").Input(lines).Input(state).BuildNode();
    const Output again = node("ReaderSerializeState").Input(reader).Build();
    const Output queue = node("FIFOQueue").Attr("component_types", std::vector<DataType>{DT_STRING}).Build();
    Node* const read = node("ReaderRead").Input(reader).Input(queue).BuildNode();
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    const std::string working =
        "\x08\x03\x10\x02\x18\x02\x22\x02"
        "ab";  // on the third file
    ASSERT_TRUE(session.Run({{state, Tensor(working)}}, {}, {restore}).ok());
    EXPECT_EQ(session.Run({}, again)->data<std::string>()[0], working);
    EXPECT_EQ(session.Run({}, read->output(1))->data<std::string>()[0], "ab");
    for (const std::string wrong : {"\x08", "\x08\x01\x10\x02",
                                    "\x22\x05"
                                    "ab",
                                    "\x30\x01"}) {
      EXPECT_EQ(session.Run({{state, Tensor(wrong)}}, {}, {restore}).status().code(),
                absl::StatusCode::kInvalidArgument);
    }
    EXPECT_EQ(session.Run({{state, Tensor("")}}, {}, {restore_lines}).status().code(),
              absl::StatusCode::kUnimplemented);
  }
}

TEST(Readers, AreBuilt) {
  ASSERT_NO_FATAL_FAILURE(WriteFiles());
  Graph g;
  const Output queue = FIFOQueue(g, {.component_types = {DT_STRING}, .shapes = {{}}});
  const Output names = Const(g, T<std::string>({Folder() + "/line", Folder() + "/line"}));
  const Operation fill = QueueEnqueueMany(queue, {names});
  const Output reader = TextLineReader(g);
  const FileRecord line = ReaderRead(reader, queue), more = ReaderReadUpTo(reader, queue, Const(g, Tensor(int64_t{9})));
  const Output produced = ReaderNumRecordsProduced(reader), completed = ReaderNumWorkUnitsCompleted(reader);
  const Operation reset = ReaderReset(reader);
  const FileRecord part = ReaderRead(FixedLengthRecordReader(g, {.record_bytes = 2}), queue);
  for (const Output& other : {WholeFileReader(g), IdentityReader(g), TFRecordReader(g)}) EXPECT_TRUE(other.valid());
  EXPECT_EQ(more.key.shape(), Shape({-1}));
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  ASSERT_TRUE(session.Run({}, {}, {fill}).ok());
  EXPECT_EQ(session.Run({}, line.value)->data<std::string>()[0], "five");
  EXPECT_EQ(session.Run({}, more.value)->data<std::string>()[0], "five");
  EXPECT_EQ(session.Run({}, produced)->data<int64_t>()[0], 2);
  EXPECT_EQ(session.Run({}, completed)->data<int64_t>()[0], 2);
  ASSERT_TRUE(session.Run({}, {}, {reset}).ok());
  ASSERT_TRUE(session.Run({}, {}, {fill}).ok());
  EXPECT_EQ(session.Run({}, part.value)->data<std::string>()[0], "fi");
}

// The forms for handles, which every row of the table uses besides those for references.
TEST(Readers, HaveHandles) {
  for (const char* form :
       {"WholeFileReaderV2", "IdentityReaderV2", "TextLineReaderV2", "TFRecordReaderV2", "FixedLengthRecordReaderV2",
        "ReaderReadV2", "ReaderReadUpToV2", "ReaderNumRecordsProducedV2", "ReaderNumWorkUnitsCompletedV2",
        "ReaderResetV2", "ReaderSerializeStateV2"}) {
    const Op* op = FindOp(form);
    ASSERT_NE(op, nullptr) << form;
    for (const ArgDef& input : op->inputs) EXPECT_FALSE(input.is_ref) << form;
  }
}

}  // namespace
}  // namespace staticflow
