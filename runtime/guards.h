// Guards: when a node runs. A guard is a conjunction of literals; a literal is a predicate's value (which branch of a
// cond is taken) or a disjunction of guards.
//
//   switch_f : {p = false}        Merge(switch_f, switch_t) : {} = always
//
// Guards are numbered and unique: equal conditions have equal ids, and kAlways is 0. The evaluation order of literals
// is their order of creation, so a predicate that is itself inside a branch is looked at only when that branch ran.
// One GuardTable belongs to one program being compiled; a finished one is read-only.
#ifndef STATICFLOW_RUNTIME_GUARDS_H_
#define STATICFLOW_RUNTIME_GUARDS_H_

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace staticflow {

using GuardId = int;

class GuardTable {
 public:
  static constexpr GuardId kAlways = 0;
  static constexpr GuardId kNever = 1;

  struct Literal {
    Output predicate;                  // invalid for a disjunction
    bool value = false;                // the predicate's value that satisfies the literal
    std::vector<GuardId> any_of = {};  // a disjunction
  };

  GuardTable();

  GuardId And(GuardId a, GuardId b);
  GuardId Or(GuardId a, GuardId b);
  // `predicate` has the value, given that `under` holds (the guard of the Switch).
  GuardId AndPredicate(GuardId under, Output predicate, bool value);
  // The literals that both need: the strongest guard that each of them implies.
  GuardId Common(GuardId a, GuardId b);
  bool Implies(GuardId a, GuardId b) const;

  const std::vector<int>& literals(GuardId guard) const { return guards_[guard]; }
  const Literal& literal(int i) const { return literals_[i]; }
  int num_literals() const { return static_cast<int>(literals_.size()); }
  // All predicates that evaluating the guard may read.
  std::vector<Output> Predicates(GuardId guard) const;
  std::string ToString(GuardId guard) const;

 private:
  GuardId Intern(std::vector<int> literals);
  int InternLiteral(Literal literal);
  bool Contradicts(const std::vector<int>& literals) const;

  std::vector<Literal> literals_;
  std::vector<std::vector<int>> guards_;  // sorted literal numbers
  std::map<std::vector<int>, GuardId> guard_ids_;
  std::map<std::pair<std::pair<const Node*, int>, bool>, int> predicate_ids_;
  std::map<std::vector<GuardId>, int> any_of_ids_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_GUARDS_H_
