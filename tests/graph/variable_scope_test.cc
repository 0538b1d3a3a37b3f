#include "graph/variable_scope.h"

#include <gtest/gtest.h>

namespace staticflow {
namespace {

const VariableScopeSettings& Current(Graph& g) { return g.variable_scope_state().current(); }

TEST(VariableScope, ExtendsNames) {
  Graph g;
  EXPECT_EQ(Current(g).name, "");
  {
    VariableScope a(g, "a");
    EXPECT_EQ(a.name(), "a");
    EXPECT_EQ(g.name_scope(), "a/");
    EXPECT_EQ(g.variable_scope_state().FullName("w"), "a/w");
    VariableScope b(g, "b/c");
    EXPECT_EQ(b.name(), "a/b/c");
    EXPECT_EQ(g.name_scope(), "a/b/c/");
  }
  EXPECT_EQ(g.variable_scope_state().FullName("w"), "w");
  EXPECT_EQ(g.name_scope(), "");
}

// The same variable scope again: the names of variables stay, those of nodes are made unique.
TEST(VariableScope, OpensANewNameScopeEachTime) {
  Graph g;
  { VariableScope first(g, "a"); }
  VariableScope second(g, "a");
  EXPECT_EQ(second.name(), "a");
  EXPECT_EQ(second.original_name_scope(), "a_1/");
  EXPECT_EQ(g.name_scope(), "a_1/");
}

TEST(VariableScope, EmptyNameExtendsNothing) {
  Graph g;
  VariableScope a(g, "a");
  VariableScope same(g, "", {.reuse = Reuse::kAutoReuse});
  EXPECT_EQ(same.name(), "a");
  EXPECT_EQ(g.name_scope(), "a/");
  EXPECT_EQ(Current(g).reuse, Reuse::kAutoReuse);
}

TEST(VariableScope, MakesDefaultNamesUnique) {
  Graph g;
  const auto open = [&](const char* name) { return VariableScope(g, "", {.default_name = name}).name(); };
  EXPECT_EQ(open("dense"), "dense");
  EXPECT_EQ(open("dense"), "dense_1");
  EXPECT_EQ(open("conv2d"), "conv2d");
  EXPECT_EQ(open("dense"), "dense_2");
  {
    VariableScope tower(g, "tower");
    EXPECT_EQ(open("dense"), "tower/dense");
    EXPECT_EQ(open("dense"), "tower/dense_1");
  }
  // The scopes inside start over when theirs is opened again.
  VariableScope tower(g, "tower");
  EXPECT_EQ(open("dense"), "tower/dense");
}

TEST(VariableScope, CanBeEnteredAgain) {
  Graph g;
  VariableScopeSettings kept;
  {
    VariableScope a(g, "a", {.reuse = Reuse::kReuse});
    kept = a.settings();
  }
  VariableScope elsewhere(g, "b");
  {
    VariableScope again(g, kept);
    EXPECT_EQ(again.name(), "a");
    EXPECT_EQ(again.original_name_scope(), "a/");
    EXPECT_EQ(g.name_scope(), "b/a/");
    EXPECT_EQ(Current(g).reuse, Reuse::kReuse);
  }
  {
    VariableScope silent(g, kept, {.auxiliary_name_scope = false});
    EXPECT_EQ(g.name_scope(), "b/");
  }
  EXPECT_EQ(Current(g).name, "b");
}

TEST(VariableScope, InheritsWhatItDoesNotSet) {
  Graph g;
  EXPECT_EQ(Current(g).dtype, DT_FLOAT);
  VariableScope a(g, "a", {.reuse = Reuse::kReuse, .dtype = DT_DOUBLE, .use_resource = true});
  VariableScope b(g, "b", {.reuse = Reuse::kNoReuse});
  EXPECT_EQ(Current(g).reuse, Reuse::kReuse);
  EXPECT_EQ(Current(g).dtype, DT_DOUBLE);
  EXPECT_TRUE(Current(g).use_resource);
  VariableScope c(g, "c", {.dtype = DT_FLOAT, .use_resource = false});
  EXPECT_EQ(Current(g).dtype, DT_FLOAT);
  EXPECT_FALSE(Current(g).use_resource);
}

}  // namespace
}  // namespace staticflow
