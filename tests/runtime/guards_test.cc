#include "runtime/guards.h"

#include "gtest/gtest.h"
#include "ops/array.h"

namespace staticflow {
namespace {

struct Predicates {
  Graph g;
  Output p = Placeholder(g, {.dtype = DT_BOOL, .name = "p"});
  Output q = Placeholder(g, {.dtype = DT_BOOL, .name = "q"});
  GuardTable table;
  GuardId Is(Output predicate, bool value) { return table.AndPredicate(GuardTable::kAlways, predicate, value); }
};

TEST(GuardsTest, EqualConditionsAreOneGuard) {
  Predicates s;
  const GuardId p = s.Is(s.p, true), q = s.Is(s.q, false);
  const GuardId a = s.table.And(p, q), b = s.table.And(q, p);
  EXPECT_EQ(a, b);
  EXPECT_EQ(s.table.ToString(a), "p:0 and not q:0");
  EXPECT_EQ(s.table.And(a, GuardTable::kAlways), a);
}

TEST(GuardsTest, ContradictionsNeverHold) {
  Predicates s;
  EXPECT_EQ(s.table.And(s.Is(s.p, true), s.Is(s.p, false)), GuardTable::kNever);
  EXPECT_EQ(s.table.And(GuardTable::kNever, s.Is(s.q, true)), GuardTable::kNever);
}

TEST(GuardsTest, BothBranchesTogetherAreTheCond) {
  Predicates s;
  EXPECT_EQ(s.table.Or(s.Is(s.p, true), s.Is(s.p, false)), GuardTable::kAlways);
  const GuardId q = s.Is(s.q, true);
  EXPECT_EQ(s.table.Or(s.table.And(q, s.Is(s.p, true)), s.table.And(q, s.Is(s.p, false))), q);
}

TEST(GuardsTest, TheWeakerSideOfAnOrDecides) {
  Predicates s;
  const GuardId p = s.Is(s.p, true), both = s.table.And(p, s.Is(s.q, true));
  EXPECT_EQ(s.table.Or(p, both), p);
  EXPECT_EQ(s.table.Or(GuardTable::kNever, p), p);
}

TEST(GuardsTest, UnrelatedSidesStayADisjunction) {
  Predicates s;
  const GuardId p = s.Is(s.p, true), q = s.Is(s.q, true);
  const GuardId either = s.table.Or(p, q);
  EXPECT_EQ(s.table.ToString(either), "(p:0 or q:0)");
  EXPECT_EQ(either, s.table.Or(q, p));
  EXPECT_EQ(s.table.Predicates(either).size(), 2);
}

TEST(GuardsTest, CommonIsWhatBothNeed) {
  Predicates s;
  const GuardId p = s.Is(s.p, true);
  const GuardId a = s.table.And(p, s.Is(s.q, true)), b = s.table.And(p, s.Is(s.q, false));
  EXPECT_EQ(s.table.Common(a, b), p);
  EXPECT_TRUE(s.table.Implies(a, p));
  EXPECT_FALSE(s.table.Implies(p, a));
}

}  // namespace
}  // namespace staticflow
