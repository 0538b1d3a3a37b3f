#include "runtime/schedule.h"

namespace staticflow {
namespace {

// Goes from the users to what they use and gathers what all users of an item agree on.
class BranchSinker {
 public:
  BranchSinker(OrderGraph& graph, const Program& program, GuardTable* guards)
      : graph_(graph), program_(program), guards_(*guards), wishes_(graph.items.size(), kNoUser) {}

  void Run() {
    for (Output fetch : program_.signature.fetches) WantAsItIs(fetch.node());
    for (Operation target : program_.signature.targets) WantAsItIs(target.node());
    // Nodes come first, in graph order, then what is no node.
    const int num_nodes = static_cast<int>(graph_.index.size());
    for (int i = graph_.size() - 1; i >= num_nodes; --i) {
      for (int before : graph_.items[i].item.before) Want(before, graph_.items[i].item.guard);
    }
    for (int i = num_nodes - 1; i >= 0; --i) {
      Sink(i);
      WantInputs(i);
      const Node& node = *graph_.items[i].item.node;
      if (node.op().is(OpRole::kSwitch)) {
        // The predicate of a Switch is needed to decide, not inside the branch.
        const GuardId guard = graph_.items[i].item.guard;
        if (const int* at = Find(node.input(1).node())) Want(*at, guard);
        if (const int* at = Find(SwitchPredicate(node).node())) Want(*at, guard);
      }
      for (const Node* control : node.control_inputs()) WantAsItIs(control);
    }
  }

 private:
  static constexpr GuardId kNoUser = -1;

  const int* Find(const Node* node) const {
    const auto it = graph_.index.find(node);
    return it == graph_.index.end() ? nullptr : &it->second;
  }
  void Want(int item, GuardId guard) {
    wishes_[item] = wishes_[item] == kNoUser ? guard : guards_.Common(wishes_[item], guard);
  }
  // A use that asks for nothing but what the node has.
  void WantAsItIs(const Node* node) {
    if (const int* at = Find(node)) Want(*at, graph_.items[*at].item.guard);
  }
  bool HasWish(int item) const { return wishes_[item] != kNoUser && wishes_[item] != GuardTable::kNever; }

  // Gives a pure item the guard that its users wish, behind the predicates of it.
  void Sink(int i) {
    OrderGraph::Item& entry = graph_.items[i];
    const Node& node = *entry.item.node;
    const bool in_loop = entry.frame != 0 || node.op().is(OpRole::kEnter) || node.op().is(OpRole::kExit);
    const bool pure = !node.op().has(kStateful) && !node.op().is(OpRole::kNoOp) && !in_loop;
    // A Switch is no work; it keeps its guard, and what feeds it learns the wish.
    if (!pure || node.op().is(OpRole::kSwitch) || !HasWish(i) || wishes_[i] == entry.item.guard) return;
    if (!guards_.Implies(wishes_[i], entry.item.guard)) return;
    entry.item.guard = wishes_[i];
    for (Output predicate : guards_.Predicates(wishes_[i])) {
      const int* at = Find(predicate.node());
      if (at != nullptr && !program_.feed_index.contains(predicate)) graph_.AddEdge(*at, i);
    }
  }

  void WantInputs(int i) {
    const OrderGraph::Item& entry = graph_.items[i];
    const Node& node = *entry.item.node;
    const bool is_merge = node.op().is(OpRole::kMerge);
    const bool is_sunk = entry.item.guard != entry.item.built_guard;
    const GuardId passed_on = node.op().is(OpRole::kSwitch) && HasWish(i) ? wishes_[i] : entry.item.guard;
    for (Output input : node.inputs()) {
      const int* at = Find(input.node());
      if (at == nullptr || program_.feed_index.contains(input)) continue;
      const OrderGraph::Item& source = graph_.items[*at];
      GuardId guard = passed_on;
      // What comes from outside a loop is computed before it, whichever of its branches uses it.
      const bool crosses_loops = source.frame != entry.frame;
      if (is_merge || crosses_loops) guard = source.item.guard;
      // A cond that only one branch of another uses belongs to that branch.
      if (is_merge && is_sunk && !crosses_loops) guard = guards_.And(guard, entry.item.guard);
      if (input.node()->op().is(OpRole::kSwitch)) {
        const GuardId side =
            guards_.AndPredicate(source.item.guard, SwitchPredicate(*input.node()), input.index() == 1);
        guard = guards_.And(guard, side);
      }
      Want(*at, guard);
    }
  }

  OrderGraph& graph_;
  const Program& program_;
  GuardTable& guards_;
  std::vector<GuardId> wishes_;  // by item: what its users so far agree on
};

}  // namespace

void SinkIntoBranches(OrderGraph& graph, const Program& program, GuardTable* guards) {
  BranchSinker(graph, program, guards).Run();
}

}  // namespace staticflow
