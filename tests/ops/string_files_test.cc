// Bytes of files, and the files. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "ops/array.h"
#include "ops/strings.h"
#include "runtime/io/env.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using std::string_literals::operator""s;

AttrMap Raw(DataType type, bool little_endian = true) { return {{"out_type", type}, {"little_endian", little_endian}}; }
AttrMap Compressed(const char* type) { return {{"compression_type", type}}; }

INSTANTIATE_OP_TEST(
    DecodePaddedRaw,
    {{.name = "int16",
      .inputs = {T<std::string>({"abcd", "a", "abcdefgh"}), Tensor(4)},
      .attrs = Raw(DT_INT16),
      .want = {M<int16_t>({{25185, 25699}, {97, 0}, {25185, 25699}})}},
     {.name = "big endian",
      .inputs = {T<std::string>({"abcd", "a"}), Tensor(4)},
      .attrs = Raw(DT_INT16, false),
      .want = {M<int16_t>({{24930, 25444}, {24832, 0}})}},
     {.name = "bytes",
      .inputs = {T<std::string>({"abcd", ""}), Tensor(3)},
      .attrs = Raw(DT_UINT8),
      .want = {M<uint8_t>({{97, 98, 99}, {0, 0, 0}})}},
     {.name = "float", .inputs = {Tensor("abcd"), Tensor(4)}, .attrs = Raw(DT_FLOAT), .want = {T({1.6777999e+22})}},
     {.name = "matrix",
      .inputs = {T<std::string>({1, 1}, {"abcd"}), Tensor(4)},
      .attrs = Raw(DT_INT8),
      .want = {T<int8_t>({1, 1, 4}, {97, 98, 99, 100})}},
     {.name = "nothing",
      .inputs = {T<std::string>({}), Tensor(4)},
      .attrs = Raw(DT_INT32),
      .want = {T<int32_t>({0, 1}, {})}},
     {.name = "multiple",
      .inputs = {T<std::string>({"abcd"}), Tensor(3)},
      .attrs = Raw(DT_INT16),
      .want_error = "a multiple of 2"},
     {.name = "zero",
      .inputs = {T<std::string>({"abcd"}), Tensor(0)},
      .attrs = Raw(DT_INT16),
      .want_error = "fixed_length is 0"},
     {.name = "negative",
      .inputs = {T<std::string>({"abcd"}), Tensor(-2)},
      .attrs = Raw(DT_INT16),
      .want_error = "fixed_length is -2"},
     {.name = "vector",
      .inputs = {T<std::string>({"abcd"}), T<int32_t>({4})},
      .attrs = Raw(DT_INT16),
      .want_error = "rank"}});

INSTANTIATE_OP_TEST(
    DecodeCompressed,
    {{.name = "plain",
      .inputs = {T<std::string>({"abc", ""})},
      .attrs = Compressed(""),
      .want = {T<std::string>({"abc", ""})}},
     {.name = "gzip",
      .inputs = {T<std::string>(
          {"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcbH\xcd\xc9\xc9W\xc8@\x90\0\x80\x88\xf9\xe5\x11\0\0\0"s, ""})},
      .attrs = Compressed("GZIP"),
      .want = {T<std::string>({"hello hello hello", ""})}},
     {.name = "zlib",
      .inputs = {T<std::string>({"x\x9cKL\x1c\x05\xc4\x02\0\xd8\xa8q\xad"s})},
      .attrs = Compressed("ZLIB"),
      .want = {T<std::string>(
          {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})}},
     {.name = "no gzip",
      .inputs = {T<std::string>({"junk"})},
      .attrs = Compressed("GZIP"),
      .want_error = "cannot be decompressed"},
     {.name = "cut",
      .inputs = {T<std::string>({"x\x9c\xcbH\xcd\xc9\xc9\x07\0\x06"s})},
      .attrs = Compressed("ZLIB"),
      .want = {T<std::string>({"hello"})}},
     {.name = "type",
      .inputs = {T<std::string>({"a"})},
      .attrs = Compressed("bogus"),
      .want_error = "compression_type is 'bogus'"}});

// "WriteFile", "ReadFile" and "MatchingFiles", through their builders.
TEST(StringFiles, AreWrittenFoundAndRead) {
  const std::string folder = JoinPath(testing::TempDir(), "files");
  const std::vector<std::pair<std::string, std::string>> files = {
      {"/a1.txt", "one"}, {"/a2.txt", ""}, {"/b/c/a3.txt", "three"}, {"/[x].txt", "x"}};
  Graph g;
  std::vector<Operation> writes;
  std::vector<Output> reads;
  for (const auto& [name, contents] : files) {
    const Output path = Const(g, Tensor(folder + name));
    writes.push_back(WriteFile(path, Const(g, Tensor(contents))));
    reads.push_back(ReadFile(path));
  }
  struct Row {
    std::vector<std::string> patterns;
    std::vector<std::string> want;
  };
  const std::vector<Row> rows = {{{"/a?.txt"}, {"/a1.txt", "/a2.txt"}},
                                 {{"/*.txt"}, {"/[x].txt", "/a1.txt", "/a2.txt"}},
                                 {{"/*"}, {"/[x].txt", "/a1.txt", "/a2.txt", "/b"}},
                                 {{"/*/c/*3*"}, {"/b/c/a3.txt"}},
                                 {{"/a[0-1].txt"}, {"/a1.txt"}},
                                 {{"/a[!0-1].txt"}, {"/a2.txt"}},
                                 {{"/a[^2].txt"}, {"/a1.txt"}},
                                 {{"/\\[x\\].txt"}, {"/[x].txt"}},
                                 {{"/a1.txt"}, {"/a1.txt"}},
                                 {{"/a2*", "/*2.txt"}, {"/a2.txt", "/a2.txt"}},
                                 {{"/none*"}, {}},
                                 {{"/no/such/*"}, {}},
                                 {{"/a1.txt/*"}, {}}};
  std::vector<Output> found;
  for (const Row& row : rows) {
    std::vector<std::string> patterns;
    for (const std::string& pattern : row.patterns) patterns.push_back(folder + pattern);
    found.push_back(MatchingFiles(
        Const(g, Tensor::Of<std::string>({static_cast<int64_t>(patterns.size())}, absl::MakeConstSpan(patterns)))));
  }
  const Output missing = ReadFile(Const(g, Tensor(folder + "/nothing")));
  const Output matrix = Placeholder(g, {.dtype = DT_STRING, .shape = Shape::Unknown()});
  const Output wrong = MatchingFiles(matrix);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const absl::Status written = session.Run({}, {}, writes).status();
  ASSERT_TRUE(written.ok()) << written;
  const auto contents = session.Run({}, reads);
  ASSERT_TRUE(contents.ok()) << contents.status();
  for (size_t i = 0; i < files.size(); ++i) EXPECT_TRUE(TensorsNear((*contents)[i], Tensor(files[i].second), 0));
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::string> want;
    for (const std::string& name : rows[i].want) want.push_back(folder + name);
    const absl::StatusOr<Tensor> got = session.Run({}, found[i]);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(
        TensorsNear(*got, Tensor::Of<std::string>({static_cast<int64_t>(want.size())}, absl::MakeConstSpan(want)), 0))
        << rows[i].patterns[0];
  }
  EXPECT_EQ(session.Run({}, missing).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(session.Run({{matrix, T<std::string>({1, 1}, {"a"})}}, wrong).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace staticflow
