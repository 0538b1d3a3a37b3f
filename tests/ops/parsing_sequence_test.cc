// ParseSequenceExample of damaged bytes. What it makes of whole ones is compared with TensorFlow in
// tests/golden/ops/sequence_example*.
#include <gtest/gtest.h>

#include "ops/array.h"
#include "ops/parsing.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

std::string Field(int id, const std::string& bytes) {
  return std::string{static_cast<char>(id << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
std::string Entry(const std::string& key, const std::string& value) {
  return Field(1, Field(1, key) + Field(2, value));
}
std::string Ints(const std::string& packed) { return Field(3, Field(1, packed)); }

// Context id: 7; lists x: [1, 2], [3, 4], and words: "a", "bc".
std::string Example() {
  const std::string x = Field(1, Ints("\1\2")) + Field(1, Ints("\3\4"));
  const std::string words = Field(1, Field(1, Field(1, "a") + Field(1, "bc")));
  return Field(1, Entry("id", Ints("\7"))) + Field(2, Entry("x", x) + Entry("words", words));
}

// What is read of one example that is fed.
struct Parsing {
  Parsing() {
    serialized = Placeholder(g, {.dtype = DT_STRING, .shape = {1}});
    const Output no_default = Const(g, T<int64_t>({}));
    const ParsedSequences parsed = ParseSequenceExample(
        serialized, {.context_dense = {{.key = "id", .default_value = Const(g, Tensor(int64_t{9}))}},
                     .list_sparse = {{.key = "words", .dtype = DT_STRING}},
                     .list_dense = {{.key = "x", .shape = {2}, .default_value = no_default}},
                     .may_be_missing = {"x"}});
    if (!g.status().ok()) return;
    const ParsedExamples::Sparse& words = parsed.list_sparse[0];
    outputs = {parsed.context_dense[0], words.indices,         words.values, words.shape,
               parsed.list_dense[0],    parsed.list_lengths[0]};
  }
  Graph g;
  Output serialized;
  std::vector<Output> outputs;
};

TEST(ParseSequenceExample, ReadsContextAndLists) {
  Parsing parsing;
  ASSERT_TRUE(parsing.g.status().ok()) << parsing.g.status();
  Session session(parsing.g, {.threads = 1});
  const auto got = session.Run({{parsing.serialized, T<std::string>({Example()})}}, parsing.outputs);
  ASSERT_TRUE(got.ok()) << got.status();
  const std::vector<Tensor> want = {
      T<int64_t>({7}),       M<int64_t>({{0, 0, 0}, {0, 0, 1}}),  T<std::string>({"a", "bc"}),
      T<int64_t>({1, 1, 2}), T<int64_t>({1, 2, 2}, {1, 2, 3, 4}), T<int64_t>({2})};
  ASSERT_EQ(got->size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_TRUE(TensorsNear((*got)[i], want[i], 0)) << i;
}

// Every beginning of an example, and every example with one byte changed: a result or InvalidArgument.
TEST(ParseSequenceExample, SurvivesDamagedBytes) {
  Parsing parsing;
  ASSERT_TRUE(parsing.g.status().ok()) << parsing.g.status();
  Session session(parsing.g, {.threads = 1});
  const std::string whole = Example();
  std::vector<std::string> damaged;
  for (size_t i = 0; i < whole.size(); ++i) {
    damaged.push_back(whole.substr(0, i));
    for (const int change : {1, 8, 64, 255}) {
      damaged.push_back(whole);
      damaged.back()[i] = static_cast<char>(whole[i] ^ change);
    }
  }
  int failed = 0;
  for (const std::string& bytes : damaged) {
    const auto got = session.Run({{parsing.serialized, T<std::string>({bytes})}}, parsing.outputs);
    if (got.ok()) continue;
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument) << got.status();
    ++failed;
  }
  EXPECT_GT(failed, static_cast<int>(whole.size()));
}

}  // namespace
}  // namespace staticflow
