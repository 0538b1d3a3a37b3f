#include "ops/diagnostics/frozen_graph.h"

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/function_inliner.h"
#include "graph/status.h"
#include "ops/analysis/graph_uses.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

using Edge = FrozenGraph::Edge;

class Freezer {
 public:
  Freezer(Session& session, const Graph& g, const Session::Feeds& feeds, const Session::Feeds& pins)
      : session_(session), g_(g), pins_(pins), given_(pins), known_(g.num_nodes(), Knowledge::kNo) {
    for (const auto& [output, sample] : feeds) feeds_.insert(output);
    given_.insert(given_.end(), feeds.begin(), feeds.end());
    for (const auto& [output, value] : pins) pinned_.insert(output);
  }

  absl::StatusOr<FrozenGraph> Run(const std::vector<Output>& fetches) {
    FindHarmless();
    FindKnown();
    SF_RETURN_IF_ERROR(ReadPredicates(Ancestors(fetches)));
    FindKnown();  // more, now that branches are decided
    SF_RETURN_IF_ERROR(FindNeeded(fetches));
    SF_RETURN_IF_ERROR(ReadConstants());
    for (Output fetch : fetches) {
      SF_ASSIGN_OR_RETURN(const Edge edge, Draft(fetch));
      out_.fetches.push_back(edge);
      out_.fetch_names.push_back(fetch.node()->name());
    }
    return std::move(out_);
  }

 private:
  enum class Knowledge : char { kNo, kYes };

  bool IsKnown(Output output) const {
    if (pinned_.contains(output)) return true;
    const Node& node = *output.node();
    if (feeds_.contains(output) || known_[node.id()] == Knowledge::kNo) return false;
    return !node.op().is(OpRole::kSwitch) || decided_.at(node.input(1)) == (output.index() == 1);
  }
  // What has no effect, stands in no branch and no loop, and waits for nothing that has or does.
  void FindHarmless() {
    harmless_.assign(static_cast<size_t>(g_.num_nodes()), false);
    for (const auto& node : g_.nodes()) {
      const Op& op = node->op();
      const bool variable = op.is(OpRole::kVariable) || op.is(OpRole::kVarHandle) || op.is(OpRole::kReadVariable);
      bool harmless = !op.is(OpRole::kSwitch) && !op.is(OpRole::kMerge) && !op.is(OpRole::kEnter) &&
                      (!op.has(kStateful) || variable) && VariablesWrittenBy(*node).empty();
      const auto check = [&](const Node* source) {
        harmless &= source->id() < node->id() && harmless_[static_cast<size_t>(source->id())];
      };
      for (Output input : node->inputs()) check(input.node());
      for (const Node* control : node->control_inputs()) check(control);
      harmless_[static_cast<size_t>(node->id())] = harmless;
    }
  }
  // What depends on no feed, has no effect, and stands in no loop. A read may wait for a feed, as those of functions
  // do, but for nothing that could change what it reads.
  void FindKnown() {
    for (const auto& node : g_.nodes()) {
      const Op& op = node->op();
      const bool variable = op.is(OpRole::kVariable) || op.is(OpRole::kVarHandle) || op.is(OpRole::kReadVariable);
      bool known = !op.is(OpRole::kPlaceholder) && !op.is(OpRole::kMerge) && !op.is(OpRole::kEnter) &&
                   (!op.is(OpRole::kSwitch) || decided_.contains(node->input(1))) && (!op.has(kStateful) || variable);
      for (Output input : node->inputs()) known &= input.node()->id() < node->id() && IsKnown(input);
      if (op.is(OpRole::kMerge)) known = AliveIsKnown(*node);
      // The session computes it, which makes it wait for what it waits for.
      for (const Node* control : node->control_inputs()) {
        known &= control->id() < node->id() &&
                 (known_[control->id()] == Knowledge::kYes || harmless_[static_cast<size_t>(control->id())]);
      }
      if (known) known_[node->id()] = Knowledge::kYes;
    }
  }

  // Whether the only input of a Merge that lives is known.
  bool AliveIsKnown(const Node& merge) const {
    bool known = false;
    for (Output input : merge.inputs()) {
      if (input.node()->id() > merge.id()) return false;
      const absl::StatusOr<bool> dead = IsDead(input);
      if (!dead.ok()) return false;
      if (!*dead) known = IsKnown(input);
    }
    return known;
  }

  absl::flat_hash_set<const Node*> Ancestors(const std::vector<Output>& fetches) const {
    absl::flat_hash_set<const Node*> found;
    std::vector<const Node*> open;
    for (Output fetch : fetches) open.push_back(fetch.node());
    while (!open.empty()) {
      const Node* node = open.back();
      open.pop_back();
      if (!found.insert(node).second) continue;
      for (Output input : node->inputs()) open.push_back(input.node());
      open.insert(open.end(), node->control_inputs().begin(), node->control_inputs().end());
    }
    return found;
  }

  // The values of all predicates that decide something on the way to the fetches.
  absl::Status ReadPredicates(const absl::flat_hash_set<const Node*>& needed) {
    std::vector<Output> predicates, sources;
    for (const auto& node : g_.nodes()) {
      if (!needed.contains(node.get())) continue;
      const bool chooses = node->op().is(OpRole::kSwitch) || IsType(*node, {"Select", "SelectV2"});
      if (!chooses) continue;
      const Output predicate = node->input(node->op().is(OpRole::kSwitch) ? 1 : 0);
      const Output source = OutsideOfBranch(predicate);  // inside of a branch that is not taken it has no value
      if (!IsKnown(source) || source.dtype() != DT_BOOL) continue;
      predicates.push_back(predicate);
      sources.push_back(source);
    }
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> values, session_.Run(given_, sources));
    for (size_t i = 0; i < predicates.size(); ++i) {
      if (values[i].num_elements() == 1) decided_[predicates[i]] = values[i].scalar<bool>();
    }
    return absl::OkStatus();
  }

  // What `output` is once branches are decided: another output, or none (dead).
  absl::StatusOr<Output> Resolve(Output output) const {
    for (int depth = 0; depth < g_.num_nodes() + 1; ++depth) {
      if (feeds_.contains(output) || pinned_.contains(output)) return output;
      const Node& node = *output.node();
      const Op& op = node.op();
      if (op.is(OpRole::kSwitch)) {
        auto it = decided_.find(node.input(1));
        if (it == decided_.end()) return NotDecided(node);
        if (it->second != (output.index() == 1)) return Output();
        output = node.input(0);
      } else if (op.is(OpRole::kMerge)) {
        Output alive;
        for (Output input : node.inputs()) {
          SF_ASSIGN_OR_RETURN(const bool dead, IsDead(input));
          if (!dead && !alive.valid()) alive = input;
        }
        if (!alive.valid()) return Output();
        if (output.index() != 0) return NotDecided(node);
        output = alive;
      } else if (IsType(node, {"Select", "SelectV2"}) && decided_.contains(node.input(0))) {
        output = node.input(decided_.at(node.input(0)) ? 1 : 2);
      } else if (op.is(OpRole::kIdentity) || op.is(OpRole::kStopGradient) || op.is(OpRole::kDefault)) {
        if (IsKnown(output)) return output;
        output = node.input(0);
      } else if (IsType(node, {"IdentityN"}) && !IsKnown(output)) {
        output = node.input(output.index());
      } else {
        return output;
      }
    }
    return absl::FailedPreconditionError(absl::StrCat(output.node()->DebugName(), ": it stands in a loop"));
  }
  static absl::Status NotDecided(const Node& node) {
    const Output decides = node.op().is(OpRole::kSwitch) ? OutsideOfBranch(node.input(1)) : node.output(0);
    return absl::FailedPreconditionError(absl::StrCat(node.DebugName(), ": ", decides.node()->DebugName(),
                                                      " decides this branch, and is not known; give it a value"));
  }
  // Whether the value stands in a branch that is not taken, by its nearest Switch or, without data from one, pivot.
  absl::StatusOr<bool> IsDead(Output output) const {
    std::vector<Output> open = {output};
    absl::flat_hash_set<const Node*> seen;
    for (size_t next = 0; next < open.size(); ++next) {
      const Node& node = *open[next].node();
      if (feeds_.contains(open[next]) || pinned_.contains(open[next])) continue;
      if (node.op().is(OpRole::kSwitch)) {
        auto it = decided_.find(node.input(1));
        if (it == decided_.end()) return NotDecided(node);
        if (it->second != (open[next].index() == 1)) return true;
      }
      if (!seen.insert(&node).second || node.op().is(OpRole::kMerge)) continue;
      for (Output input : node.inputs()) open.push_back(input);
      for (Node* control : node.control_inputs()) {
        if (control->num_outputs() > 0) open.push_back(control->output(0));
      }
    }
    return false;
  }

  // The order in which what is needed gets drafted, and which known values it needs.
  absl::Status FindNeeded(const std::vector<Output>& fetches) {
    std::vector<Output> open(fetches.begin(), fetches.end());
    absl::flat_hash_set<const Node*> seen;
    while (!open.empty()) {
      SF_ASSIGN_OR_RETURN(const Output output, Resolve(open.back()));
      open.pop_back();
      if (!output.valid()) return absl::FailedPreconditionError("a fetch stands in a branch that is not taken");
      if (feeds_.contains(output)) continue;
      if (IsKnown(output)) {
        constants_.insert({output, Tensor()});
        continue;
      }
      Node& node = *output.node();
      if (!seen.insert(&node).second) continue;
      SF_RETURN_IF_ERROR(CheckPure(node));
      needed_.push_back(&node);
      for (Output input : node.inputs()) open.push_back(input);
    }
    std::sort(needed_.begin(), needed_.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
    return absl::OkStatus();
  }
  absl::Status CheckPure(const Node& node) const {
    if (node.op().is(OpRole::kPlaceholder)) {
      return absl::FailedPreconditionError(absl::StrCat(node.DebugName(), ": the fetches need it, and it is not fed"));
    }
    if (IsCall(node)) {
      return absl::FailedPreconditionError(
          absl::StrCat(node.DebugName(), ": it calls a function; inline it first (InlineCalls)"));
    }
    for (int i = 0; i < node.num_inputs(); ++i) {
      const std::optional<Access> access = AccessOf(node, i);
      if (access.has_value()) {
        const bool writes = *access == Access::kUpdate || *access == Access::kOverwrite;
        return absl::FailedPreconditionError(absl::StrCat(node.DebugName(), ": the fetches need this ",
                                                          writes ? "write" : "read, which waits for the input",
                                                          "; a frozen graph has no variables"));
      }
    }
    const bool in_loop =
        node.op().is(OpRole::kEnter) || node.op().is(OpRole::kExit) || node.op().is(OpRole::kNextIteration);
    if (in_loop) return absl::FailedPreconditionError(absl::StrCat(node.DebugName(), ": loops cannot be frozen"));
    return absl::OkStatus();
  }

  absl::Status ReadConstants() {
    std::vector<Output> outputs;
    for (const auto& [output, value] : constants_) {
      if (!pinned_.contains(output)) outputs.push_back(output);
    }
    std::sort(outputs.begin(), outputs.end(), [](Output a, Output b) {
      return std::pair(a.node()->id(), a.index()) < std::pair(b.node()->id(), b.index());
    });
    SF_ASSIGN_OR_RETURN(const Session::Feeds feeds, KnownMerges(outputs));
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> values, session_.Run(feeds, outputs));
    for (size_t i = 0; i < outputs.size(); ++i) constants_[outputs[i]] = values[i];
    for (const auto& [output, value] : pins_) {
      if (constants_.contains(output)) constants_[output] = value;
    }
    return absl::OkStatus();
  }

  // The pins and samples, and the value of each Merge that is known: fed, it does not ask for its other branch's
  // inputs.
  absl::StatusOr<Session::Feeds> KnownMerges(const std::vector<Output>& outputs) {
    const absl::flat_hash_set<const Node*> needed = Ancestors(outputs);
    Session::Feeds feeds = given_;
    for (const auto& node : g_.nodes()) {
      const bool known = node->op().is(OpRole::kMerge) && needed.contains(node.get()) && IsKnown(node->output(0));
      if (!known || pinned_.contains(node->output(0))) continue;
      SF_ASSIGN_OR_RETURN(const Output alive, Resolve(node->output(0)));
      SF_ASSIGN_OR_RETURN(Tensor value, session_.Run(feeds, alive));
      feeds.push_back({node->output(0), std::move(value)});
    }
    return feeds;
  }

  // Drafts everything needed, in graph order, then finds `output` in it.
  absl::StatusOr<Edge> Draft(Output output) {
    for (; drafted_ < needed_.size(); ++drafted_) {
      Node& node = *needed_[drafted_];
      FrozenGraph::FrozenNode draft{.name = node.name(), .op = &node.op()};
      for (const auto& [name, value] : node.attrs()) {
        if (name[0] != '_') draft.attrs[name] = value;
      }
      if (node.num_outputs() > 0) draft.shape = node.output_shape(0);
      for (Output input : node.inputs()) {
        SF_ASSIGN_OR_RETURN(const Edge edge, Find(input));
        draft.inputs.push_back(edge);
      }
      drafts_[&node] = static_cast<int>(out_.nodes.size());
      out_.nodes.push_back(std::move(draft));
    }
    return Find(output);
  }
  absl::StatusOr<Edge> Find(Output used) {
    SF_ASSIGN_OR_RETURN(const Output output, Resolve(used));
    if (!output.valid()) return absl::FailedPreconditionError(absl::StrCat(used.name(), " is in a branch not taken"));
    if (auto it = edges_.find(output); it != edges_.end()) return it->second;
    Edge edge;
    if (feeds_.contains(output)) {
      AttrMap attrs = {{"dtype", output.dtype()}, {"shape", output.shape()}};
      edge.node = static_cast<int>(out_.nodes.size());
      out_.nodes.push_back({.name = output.node()->name(), .op = &OpWithRole(OpRole::kPlaceholder), .attrs = attrs});
      out_.nodes.back().shape = output.shape();
    } else if (auto constant = constants_.find(output); constant != constants_.end()) {
      edge.node = out_.AddConstant(output.node()->name(), constant->second);
    } else {
      edge = {drafts_.at(output.node()), output.index()};
    }
    return edges_[output] = edge;
  }

  Session& session_;
  const Graph& g_;
  absl::flat_hash_set<Output> feeds_;
  const Session::Feeds pins_;
  Session::Feeds given_;  // the pins, and the feeds with their samples
  std::vector<bool> harmless_;
  absl::flat_hash_set<Output> pinned_;
  std::vector<Knowledge> known_;
  absl::flat_hash_map<Output, bool> decided_;
  absl::flat_hash_map<Output, Tensor> constants_;
  std::vector<Node*> needed_;
  size_t drafted_ = 0;
  absl::flat_hash_map<const Node*, int> drafts_;
  absl::flat_hash_map<Output, Edge> edges_;
  FrozenGraph out_;
};

}  // namespace

const Tensor* FrozenGraph::ConstantOf(Edge edge) const {
  const FrozenNode& node = nodes[edge.node];
  return node.op->is(OpRole::kConst) ? node.attrs.at("value").find<Tensor>() : nullptr;
}

int FrozenGraph::UsesOf(int node) const {
  int uses = 0;
  for (const FrozenNode& user : nodes) {
    uses += static_cast<int>(
        std::count_if(user.inputs.begin(), user.inputs.end(), [&](const Edge& input) { return input.node == node; }));
  }
  return uses + static_cast<int>(std::count_if(fetches.begin(), fetches.end(),
                                               [&](const Edge& fetch) { return fetch.node == node; }));
}

int FrozenGraph::AddConstant(std::string name, Tensor value) {
  FrozenNode node{.name = std::move(name), .op = &OpWithRole(OpRole::kConst)};
  node.shape = value.shape();
  node.attrs = {{"dtype", value.dtype()}, {"value", std::move(value)}};
  nodes.push_back(std::move(node));
  return static_cast<int>(nodes.size()) - 1;
}

void FrozenGraph::Replace(Edge from, Edge to) {
  for (FrozenNode& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(fetches.begin(), fetches.end(), from, to);
}

absl::Status FrozenGraph::AddTo(Graph& g) const {
  SF_RETURN_IF_ERROR(g.status());
  std::vector<Node*> added(nodes.size(), nullptr);
  // Depth first, since rewriting may have put a node before one that it needs.
  std::vector<std::pair<int, size_t>> stack;
  const auto add = [&](int root) -> absl::Status {
    if (added[root] == nullptr) stack.push_back({root, 0});
    while (!stack.empty()) {
      auto& [at, next] = stack.back();
      const FrozenNode& node = nodes[at];
      if (next < node.inputs.size()) {
        const int input = node.inputs[next++].node;
        if (added[input] == nullptr) stack.push_back({input, 0});
        continue;
      }
      NodeDefinition definition{.name = node.name, .op = node.op};
      const auto is_fetch = std::find(fetch_names.begin(), fetch_names.end(), node.name);
      const bool takes_name = is_fetch != fetch_names.end() && fetches[is_fetch - fetch_names.begin()].node != at;
      if (takes_name || g.FindNode(node.name) != nullptr) definition.name = absl::StrCat(node.name, "/frozen_", at);
      definition.attrs = node.attrs;
      for (const Edge& input : node.inputs) definition.inputs.push_back(added[input.node]->output(input.output));
      SF_ASSIGN_OR_RETURN(added[at], g.AddNode(std::move(definition)));
      stack.pop_back();
    }
    return absl::OkStatus();
  };
  for (size_t i = 0; i < fetches.size(); ++i) {
    SF_RETURN_IF_ERROR(add(fetches[i].node));
    if (g.FindNode(fetch_names[i]) != nullptr) continue;
    NodeDefinition identity{.name = fetch_names[i], .op = FindOp("Identity")};
    identity.inputs = {added[fetches[i].node]->output(fetches[i].output)};
    SF_RETURN_IF_ERROR(g.AddNode(std::move(identity)).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<FrozenGraph> Freeze(Session& session, const Graph& g, const Session::Feeds& feeds,
                                   const Session::Feeds& pins, const std::vector<Output>& fetches) {
  return Freezer(session, g, feeds, pins).Run(fetches);
}

}  // namespace staticflow
