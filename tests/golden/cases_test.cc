// Runs the golden cases beside this file.
#include <gtest/gtest.h>

#include <cctype>

#include "graph/graph_def.h"
#include "graph/meta_graph.h"
#include "tests/golden/golden_case_check.h"

namespace staticflow {
namespace {

const std::string& Folder() {
  static const std::string& folder = *new std::string("tests/golden");
  return folder;
}

std::vector<std::string> AllCases() { return FindGoldenCases({&Folder(), 1}).value_or(std::vector<std::string>()); }

std::string CaseName(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(Folder().size() + 1);
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

class GoldenCaseTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenCaseTest, GivesWhatTensorFlowGave) {
  const GoldenResult result = CheckGoldenCase(GetParam(), {.known_ops_only = true});
  if (result.outcome == GoldenOutcome::kSkipped) GTEST_SKIP() << result.reason;
  EXPECT_EQ(result.outcome, GoldenOutcome::kPassed) << result.name << ": " << result.reason;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenCaseTest, testing::ValuesIn(AllCases()), CaseName);

std::vector<std::string> MetaGraphCases() {
  std::vector<std::string> cases = AllCases();
  std::erase_if(cases, [](const std::string& path) { return GoldenMetaGraph(path).value_or("").empty(); });
  return cases;
}

std::vector<std::string> VariableNames(const Graph& g) {
  std::vector<std::string> names;
  for (const Variable& v : g.variables()) names.push_back(v.name() + (v.trainable ? " trainable" : ""));
  return names;
}

class GoldenMetaGraphTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenMetaGraphTest, SurvivesARoundTrip) {
  const absl::StatusOr<std::string> bytes = GoldenMetaGraph(GetParam());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  Graph g, copy;
  const absl::StatusOr<MetaGraph> meta = ImportMetaGraph(*bytes, g);
  if (meta.status().code() == absl::StatusCode::kNotFound) GTEST_SKIP() << meta.status();
  ASSERT_TRUE(meta.ok()) << meta.status();
  EXPECT_FALSE(g.variables().empty());
  EXPECT_FALSE(g.variables(kGlobalVariables).empty());

  const absl::StatusOr<std::string> again = MetaGraphBytes(g, {.saver = meta->saver, .strip_default_attrs = true});
  ASSERT_TRUE(again.ok()) << again.status();
  const absl::StatusOr<MetaGraph> second = ImportMetaGraph(*again, copy);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(*GraphDefBytes(copy), *GraphDefBytes(g));
  EXPECT_EQ(VariableNames(copy), VariableNames(g));
  EXPECT_EQ(copy.collection_keys(), g.collection_keys());
  EXPECT_EQ(copy.contexts().size(), g.contexts().size());
  EXPECT_EQ(second->saver.has_value(), meta->saver.has_value());
}

INSTANTIATE_TEST_SUITE_P(All, GoldenMetaGraphTest, testing::ValuesIn(MetaGraphCases()), CaseName);

}  // namespace
}  // namespace staticflow
