#include "runtime/guards.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace staticflow {

GuardTable::GuardTable() {
  guards_.resize(2);
  guards_[kNever] = {-1};
  guard_ids_[guards_[kAlways]] = kAlways;
  guard_ids_[guards_[kNever]] = kNever;
}

GuardId GuardTable::Intern(std::vector<int> literals) {
  auto [it, inserted] = guard_ids_.try_emplace(literals, static_cast<GuardId>(guards_.size()));
  if (inserted) guards_.push_back(std::move(literals));
  return it->second;
}

int GuardTable::InternLiteral(Literal literal) {
  const int next = static_cast<int>(literals_.size());
  const Output p = literal.predicate;
  const int id = p.valid() ? predicate_ids_.try_emplace({{p.node(), p.index()}, literal.value}, next).first->second
                           : any_of_ids_.try_emplace(literal.any_of, next).first->second;
  if (id == next) literals_.push_back(std::move(literal));
  return id;
}

bool GuardTable::Contradicts(const std::vector<int>& literals) const {
  for (int i : literals) {
    if (!literals_[i].predicate.valid()) continue;
    auto opposite =
        predicate_ids_.find({{literals_[i].predicate.node(), literals_[i].predicate.index()}, !literals_[i].value});
    if (opposite != predicate_ids_.end() && std::binary_search(literals.begin(), literals.end(), opposite->second)) {
      return true;
    }
  }
  return false;
}

GuardId GuardTable::And(GuardId a, GuardId b) {
  if (a == b || b == kAlways) return a;
  if (a == kAlways) return b;
  if (a == kNever || b == kNever) return kNever;
  std::vector<int> all;
  std::set_union(guards_[a].begin(), guards_[a].end(), guards_[b].begin(), guards_[b].end(), std::back_inserter(all));
  return Contradicts(all) ? kNever : Intern(std::move(all));
}

GuardId GuardTable::AndPredicate(GuardId under, Output predicate, bool value) {
  const int literal = InternLiteral({.predicate = predicate, .value = value});
  return And(under, Intern({literal}));
}

GuardId GuardTable::Common(GuardId a, GuardId b) {
  if (a == kNever) return b;
  if (b == kNever) return a;
  std::vector<int> common;
  std::set_intersection(guards_[a].begin(), guards_[a].end(), guards_[b].begin(), guards_[b].end(),
                        std::back_inserter(common));
  return Intern(std::move(common));
}

bool GuardTable::Implies(GuardId a, GuardId b) const {
  return a == kNever || std::includes(guards_[a].begin(), guards_[a].end(), guards_[b].begin(), guards_[b].end());
}

GuardId GuardTable::Or(GuardId a, GuardId b) {
  if (Implies(a, b)) return b;
  if (Implies(b, a)) return a;
  const GuardId common = Common(a, b);
  const auto rest = [&](GuardId g) {
    std::vector<int> left;
    std::set_difference(guards_[g].begin(), guards_[g].end(), guards_[common].begin(), guards_[common].end(),
                        std::back_inserter(left));
    return left;
  };
  const std::vector<int> only_a = rest(a), only_b = rest(b);
  if (only_a.size() == 1 && only_b.size() == 1) {
    const Literal &x = literals_[only_a[0]], &y = literals_[only_b[0]];
    if (x.predicate.valid() && x.predicate == y.predicate && x.value != y.value) return common;
  }
  std::vector<GuardId> sides = {Intern(only_a), Intern(only_b)};
  std::sort(sides.begin(), sides.end());
  const int literal = InternLiteral({.predicate = Output(), .any_of = sides});
  return And(common, Intern({literal}));
}

std::vector<Output> GuardTable::Predicates(GuardId guard) const {
  std::vector<Output> predicates;
  if (guard == kNever) return predicates;
  for (int i : guards_[guard]) {
    const Literal& literal = literals_[i];
    if (literal.predicate.valid()) predicates.push_back(literal.predicate);
    for (GuardId side : literal.any_of) {
      for (Output p : Predicates(side)) predicates.push_back(p);
    }
  }
  return predicates;
}

std::string GuardTable::ToString(GuardId guard) const {
  if (guard == kAlways) return "always";
  if (guard == kNever) return "never";
  return absl::StrJoin(guards_[guard], " and ", [this](std::string* out, int i) {
    const Literal& literal = literals_[i];
    if (literal.predicate.valid()) {
      absl::StrAppend(out, literal.value ? "" : "not ", literal.predicate.name());
    } else {
      absl::StrAppend(
          out, "(",
          absl::StrJoin(literal.any_of, " or ", [this](std::string* o, GuardId g) { absl::StrAppend(o, ToString(g)); }),
          ")");
    }
  });
}

}  // namespace staticflow
