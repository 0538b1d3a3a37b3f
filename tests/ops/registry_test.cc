// A sweep over the registry: no op without a doc, a shape function, a gradient decision, something that runs it, and a
// test.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/op.h"
#include "graph/op_reference.h"
#include "tests/golden/golden_case_check.h"

namespace staticflow {
namespace {

class RegistryTest : public testing::TestWithParam<const Op*> {};

TEST_P(RegistryTest, IsDocumented) { EXPECT_FALSE(GetParam()->spec.doc.empty()); }

TEST_P(RegistryTest, HasAShapeFunction) { EXPECT_NE(GetParam()->spec.shape, nullptr); }

TEST_P(RegistryTest, DecidesAboutItsGradient) { EXPECT_NE(GetParam()->spec.gradient, nullptr); }

// An op runs by its kernel, or the planner lowers it by its role.
TEST_P(RegistryTest, CanRun) {
  EXPECT_TRUE(GetParam()->spec.kernel || GetParam()->spec.role != OpRole::kNone) << "no kernel and no role";
}

TEST_P(RegistryTest, NamesItsArgumentsOnce) {
  std::set<std::string> names;
  for (const ArgDef& arg : GetParam()->inputs) EXPECT_TRUE(names.insert(arg.name).second) << arg.name;
  for (const AttrDef& attr : GetParam()->attrs) EXPECT_TRUE(names.insert(attr.name).second) << attr.name;
}

TEST_P(RegistryTest, AccessesVariablesAmongItsInputs) {
  for (const VariableAccess& access : GetParam()->spec.access) {
    ASSERT_LT(access.input, static_cast<int>(GetParam()->inputs.size()));
    const ArgDef& arg = GetParam()->inputs[access.input];
    EXPECT_TRUE(arg.is_ref || arg.dtype == DT_RESOURCE || !arg.type_list_attr.empty()) << arg.name;
  }
}

// The files of a folder, one after the other, without blanks: the formatter breaks lines where it likes.
std::string ReadFiles(const std::string& folder, const std::string& ending) {
  std::string text;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string path = entry.path().string();
    if (!absl::EndsWith(path, ending) || absl::EndsWith(path, "/registry_test.cc")) continue;
    std::ifstream file(path);
    std::stringstream contents;
    contents << file.rdbuf();
    text += contents.str();
  }
  std::erase_if(text, [](char c) { return absl::ascii_isspace(c); });
  return text;
}

std::set<std::string> OpsInGoldenCases() {
  const std::string folder = "tests/golden";
  std::set<std::string> types;
  for (const std::string& path : FindGoldenCases({&folder, 1}).value_or(std::vector<std::string>())) {
    for (const std::string& type : GoldenOpTypes(path).value_or(std::vector<std::string>())) types.insert(type);
  }
  return types;
}

// A row names its op in quotes or through its table; the machinery of variables and branches shows in golden cases.
TEST_P(RegistryTest, HasARowInATable) {
  static const std::string& tables = *new std::string(ReadFiles("tests/ops", "_test.cc"));
  static const std::set<std::string>& golden = *new std::set<std::string>(OpsInGoldenCases());
  ASSERT_FALSE(tables.empty()) << "the tables are not among the test's data";
  const std::string& name = GetParam()->name();
  EXPECT_TRUE(absl::StrContains(tables, absl::StrCat("INSTANTIATE_OP_TEST(", name, ",")) ||
              absl::StrContains(tables, absl::StrCat("\"", name, "\"")) || golden.contains(name))
      << "no row of a table in tests/ops and no golden case tests " << name;
}

// docs/ops.md is what tools/ops_page prints.
TEST(OpReferenceTest, PageIsUpToDate) {
  std::ifstream file("docs/ops.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), OpReference()) << "make it anew: bazel run //tools:ops_page > docs/ops.md";
}

INSTANTIATE_TEST_SUITE_P(All, RegistryTest, testing::ValuesIn(AllOps()),
                         [](const auto& info) { return info.param->name(); });

}  // namespace
}  // namespace staticflow
