// ExplainSignature: compiles the signature as any step, with a journal, and says what became of each node.
#include "runtime/explain.h"

#include <algorithm>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/function_inliner.h"
#include "graph/status.h"
#include "runtime/explain_doubts.h"
#include "runtime/pass.h"
#include "runtime/plan.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

class Explainer {
 public:
  Explainer(const Graph& graph, const Plan& plan, const PlanJournal& journal, Explanation* out)
      : graph_(graph), plan_(plan), program_(*plan.program), journal_(journal), out_(*out) {}

  void Run() {
    AddInstructions();
    FindReasons();
    AddNodes();
    AddNotNeeded();
    AddValues();
    AddMemory();
    out_.races = FindRaces(program_);
    std::erase_if(out_.races, [&](const VariableRace& race) {
      return untaken_.contains(race.first) || untaken_.contains(race.second);
    });
    out_.strays = FindStrays(program_, plan_);
  }

 private:
  int Size() const { return static_cast<int>(plan_.instructions.size()); }
  const Buffer& BufferOf(int value) const { return plan_.buffers[plan_.values[value].buffer]; }
  std::string GuardText(GuardId guard) const {
    return guard == GuardTable::kAlways ? "" : program_.guards.ToString(guard);
  }

  void AddInstructions() {
    for (int i = 0; i < Size(); ++i) {
      const Instruction& instruction = plan_.instructions[i];
      ExplainedInstruction entry{.text = plan_.InstructionToString(i), .nodes = instruction.absorbed};
      if (instruction.kind != InstructionKind::kJump) entry.guard = GuardText(instruction.guard);
      const bool computes = instruction.node != nullptr && instruction.kind != InstructionKind::kCheckVariable;
      if (computes) entry.nodes.push_back(instruction.node);
      for (const Node* node : entry.nodes) computed_by_[node] = i;
      out_.instructions.push_back(std::move(entry));
    }
  }

  // Breadth first from what is asked for, so that the way that is told is a shortest one.
  void FindReasons() {
    std::deque<const Node*> open;
    const auto reach = [&](const Node* node, Reason reason) {
      if (reasons_.try_emplace(node, std::move(reason)).second) open.push_back(node);
    };
    for (Output fetch : program_.signature.fetches) reach(fetch.node(), {.root = absl::StrCat("fetch ", fetch.name())});
    for (Operation target : program_.signature.targets) {
      reach(target.node(), {.root = absl::StrCat("target ", target.name())});
    }
    while (!open.empty()) {
      const Node* node = open.front();
      open.pop_front();
      const std::string root = reasons_[node].root;
      for (Output input : node->inputs()) {
        if (!program_.feed_index.contains(input)) reach(input.node(), {.user = node, .root = root});
      }
      for (const Node* control : node->control_inputs()) {
        reach(control, {.user = node, .by_control = true, .root = root});
      }
    }
  }

  void AddNodes() {
    for (const auto& removal : journal_.removals) removals_[removal.node] = &removal;
    untaken_.insert(journal_.untaken.begin(), journal_.untaken.end());
    absl::flat_hash_set<const Node*> added;
    for (Output feed : program_.signature.feeds) {
      if (added.insert(feed.node()).second) out_.nodes.push_back({.node = feed.node(), .fate = Fate::kFed});
    }
    for (const ProgramItem& item : program_.items) {
      if (item.kind != ProgramItem::kNode || !added.insert(item.node).second) continue;
      out_.nodes.push_back(NodeEntry(item));
      if (out_.nodes.back().fate == Fate::kMissing) out_.missing_feeds.push_back(item.node);
    }
    for (ExplainedNode& entry : out_.nodes) {
      auto it = reasons_.find(entry.node);
      if (it == reasons_.end()) continue;
      entry.needed_by = it->second.user;
      entry.by_control = it->second.by_control;
      entry.root = it->second.root;
    }
  }

  ExplainedNode NodeEntry(const ProgramItem& item) const {
    const Node& node = *item.node;
    ExplainedNode entry{.node = &node, .fate = FateOf(node)};
    entry.guard = GuardText(item.guard);
    entry.moved_into_branch = item.guard != item.built_guard && entry.fate == Fate::kRuns;
    if (auto it = removals_.find(&node); it != removals_.end()) {
      entry.pass = std::string(it->second->pass);
      entry.same_as = it->second->same_as;
    }
    if (entry.fate == Fate::kRuns) {
      entry.instruction = computed_by_.at(&node);
      entry.in_place = IsInPlace(node, plan_.instructions[entry.instruction]);
    }
    return entry;
  }

  Fate FateOf(const Node& node) const {
    const Op& op = node.op();
    if (untaken_.contains(&node)) return Fate::kUntaken;
    if (op.is(OpRole::kConst)) return Fate::kConstant;
    if (op.is(OpRole::kVariable) || op.is(OpRole::kVarHandle)) return Fate::kVariable;
    if (op.is(OpRole::kPlaceholder)) return Fate::kMissing;
    if (computed_by_.contains(&node)) return Fate::kRuns;
    if (auto it = removals_.find(&node); it != removals_.end()) {
      return it->second->same_as != nullptr ? Fate::kShared : Fate::kLeftOut;
    }
    if (op.is(OpRole::kNoOp) || node.num_outputs() == 0) return Fate::kOrder;
    auto value = journal_.values.find(node.output(0));
    const bool is_view = AliasedInput(node, 0) >= 0 || op.is(OpRole::kMerge);
    if (!is_view && value != journal_.values.end() && BufferOf(value->second).kind == BufferKind::kConst) {
      return Fate::kFolded;
    }
    return is_view ? Fate::kView : Fate::kOrder;
  }

  // Whether what the node gives lies in the memory of an operand of its instruction.
  bool IsInPlace(const Node& node, const Instruction& instruction) const {
    const auto is_operand = [&](int value) {
      return std::any_of(instruction.inputs.begin(), instruction.inputs.end(), [&](int input) {
        return input >= 0 && plan_.values[input].buffer == plan_.values[value].buffer;
      });
    };
    for (int i = 0; i < node.num_outputs(); ++i) {
      auto it = journal_.values.find(node.output(i));
      if (it == journal_.values.end()) continue;
      const auto& outputs = instruction.outputs;
      if (std::find(outputs.begin(), outputs.end(), it->second) != outputs.end() && is_operand(it->second)) return true;
    }
    for (const VariableSlot* slot : instruction.variables) {
      if (slot != nullptr && &node == instruction.node && WritesVariable(node)) return true;
    }
    return instruction.loop == nullptr && !instruction.outputs.empty() && WritesVariable(node);
  }
  static bool WritesVariable(const Node& node) { return !VariablesWrittenBy(node).empty(); }

  void AddNotNeeded() {
    for (const auto& node : graph_.nodes()) {
      const Node* running = program_.Find(node.get());
      // A call without effects is passed by once it is inlined.
      const bool is_inlined = running != nullptr && IsCall(*node);
      if (!is_inlined && !reasons_.contains(running)) out_.not_needed.push_back(node.get());
    }
  }

  void AddValues() {
    absl::flat_hash_map<int, Output> names;
    for (const auto& [output, value] : journal_.values) {
      auto [it, inserted] = names.try_emplace(value, output);
      if (!inserted && output.node()->id() < it->second.node()->id()) it->second = output;
    }
    const auto name = [&](int value, const Node* node) {
      auto it = names.find(value);
      if (it != names.end()) return it->second.name();
      return absl::StrCat("part of ", node == nullptr ? "the step" : node->name());
    };
    absl::flat_hash_set<int> added;
    for (const Instruction& instruction : plan_.instructions) {
      for (int v : instruction.outputs) {
        if (v < 0 || !added.insert(v).second) continue;
        const Value& value = plan_.values[v];
        ExplainedValue entry{.name = name(v, instruction.node), .dtype = value.dtype, .shape = value.shape};
        entry.bytes = value.is_static && !IsObject(value.dtype)
                          ? MultiplySizes(value.shape.num_elements(), DataTypeSize(value.dtype))
                          : -1;
        entry.place = PlaceOf(BufferOf(v));
        for (int input : instruction.inputs) {
          if (input >= 0 && input != v && plan_.values[input].buffer == value.buffer)
            entry.shares = name(input, nullptr);
        }
        out_.values.push_back(std::move(entry));
      }
    }
    std::stable_sort(out_.values.begin(), out_.values.end(),
                     [](const ExplainedValue& a, const ExplainedValue& b) { return a.bytes > b.bytes; });
  }

  static std::string PlaceOf(const Buffer& buffer) {
    switch (buffer.kind) {
      case BufferKind::kArena:
        return "arena";
      case BufferKind::kFeed:
        return "fed";
      case BufferKind::kConst:
        return "constant";
      case BufferKind::kVariable:
        return absl::StrCat("variable ", buffer.variable->name);
      case BufferKind::kObjects:
      case BufferKind::kDynamic:
        return "made by the step";
    }
    return "";
  }

  // What is alive at each instruction; a plan for several workers counts in stretches between barriers instead.
  void AddMemory() {
    struct Life {
      int first = -1;
      int last = -1;
    };
    std::vector<Life> lives(plan_.buffers.size());
    const auto touch = [&](int value, int at) {
      if (value < 0) return;
      Life& life = lives[plan_.values[value].buffer];
      if (life.first < 0) life.first = at;
      life.last = std::max(life.last, at);
    };
    for (int i = 0; i < Size(); ++i) {
      for (int value : plan_.instructions[i].inputs) touch(value, i);
      for (int value : plan_.instructions[i].outputs) touch(value, i);
    }
    for (int value : plan_.fetch_values) touch(value, Size() - 1);
    std::vector<int64_t> change(Size() + 1, 0);
    for (size_t b = 0; b < lives.size(); ++b) {
      const Buffer& buffer = plan_.buffers[b];
      if (buffer.kind == BufferKind::kConst) out_.constant_bytes += buffer.bytes;
      if (buffer.kind != BufferKind::kArena || lives[b].first < 0) continue;
      out_.tensor_bytes += buffer.bytes;
      change[lives[b].first] += buffer.bytes;
      change[lives[b].last + 1] -= buffer.bytes;
    }
    int64_t live = 0;
    for (int i = 0; i < Size(); ++i) {
      live += change[i];
      out_.instructions[i].live_bytes = live;
      if (out_.peak_instruction < 0 || live > out_.instructions[out_.peak_instruction].live_bytes) {
        out_.peak_instruction = i;
      }
    }
    out_.arena_bytes = plan_.arena_bytes;
    out_.workers = plan_.workers;
  }

  struct Reason {
    const Node* user = nullptr;
    bool by_control = false;
    std::string root = "";
  };

  const Graph& graph_;
  const Plan& plan_;
  const Program& program_;
  const PlanJournal& journal_;
  Explanation& out_;
  absl::flat_hash_map<const Node*, int> computed_by_;
  absl::flat_hash_map<const Node*, Reason> reasons_;
  absl::flat_hash_map<const Node*, const PlanJournal::Removal*> removals_;
  absl::flat_hash_set<const Node*> untaken_;
};

// The shapes of the feeds as planned.
absl::StatusOr<std::vector<Shape>> FeedShapes(const Signature& signature, const ExplainOptions& options,
                                              bool* assumed) {
  if (options.feed_shapes.size() > signature.feeds.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", options.feed_shapes.size(), " shapes for ", signature.feeds.size(), " feeds"));
  }
  std::vector<Shape> shapes;
  for (size_t i = 0; i < signature.feeds.size(); ++i) {
    const Output feed = signature.feeds[i];
    absl::StatusOr<Shape> shape = feed.shape();
    if (i < options.feed_shapes.size()) shape = shape->MergeWith(options.feed_shapes[i]);
    if (!shape.ok()) return Annotate(shape.status(), absl::StrCat(feed.node()->DebugName(), ": "));
    if (!shape->has_rank()) {
      shape = Shape();
      *assumed = true;
    }
    for (int d = 0; d < shape->rank(); ++d) {
      if (shape->dim(d) >= 0) continue;
      shape->set_dim(d, 1);
      *assumed = true;
    }
    shapes.push_back(*shape);
  }
  return shapes;
}

}  // namespace

const char* FateName(Fate fate) {
  switch (fate) {
    case Fate::kRuns:
      return "runs";
    case Fate::kView:
      return "view";
    case Fate::kConstant:
      return "constant";
    case Fate::kFolded:
      return "folded";
    case Fate::kShared:
      return "shared";
    case Fate::kLeftOut:
      return "left out";
    case Fate::kFed:
      return "fed";
    case Fate::kVariable:
      return "variable";
    case Fate::kMissing:
      return "missing";
    case Fate::kUntaken:
      return "not taken";
    case Fate::kOrder:
      return "order";
  }
  return "";
}

const ExplainedNode* Explanation::Find(const Node& node) const {
  for (const ExplainedNode& entry : nodes) {
    if (entry.node == &node || (inlined != nullptr && entry.node->name() == node.name())) return &entry;
  }
  return nullptr;
}

absl::StatusOr<Explanation> ExplainSignature(const Graph& graph, const Signature& signature,
                                             const ExplainOptions& options, const SessionOptions& session,
                                             ResourceStore* resources) {
  Explanation explanation;
  explanation.signature = signature;
  SF_ASSIGN_OR_RETURN(explanation.feed_shapes, FeedShapes(signature, options, &explanation.batch_assumed));
  SF_ASSIGN_OR_RETURN(Program compiled, CompileProgram(signature));
  explanation.inlined = compiled.graph;
  PlanJournal journal;
  PlanOptions plan_options{.memory_budget = session.memory_budget, .workers = session.threads};
  plan_options.journal = &journal;
  SF_ASSIGN_OR_RETURN(plan_options.passes, ParsePasses(session.passes));
  for (const auto& [feed, value] : options.feed_values) {
    Node* fed = feed.valid() ? compiled.Find(feed.node()) : nullptr;
    auto it = compiled.feed_index.find(Output(fed, feed.index()));
    if (it == compiled.feed_index.end() || feed.dtype() != DT_BOOL) {
      return absl::InvalidArgumentError(absl::StrCat(feed.valid() ? feed.name() : "an invalid output",
                                                     " is no bool among the feeds, so it has no value here"));
    }
    plan_options.feed_predicates.push_back({it->second, value});
  }
  auto program = std::make_shared<const Program>(std::move(compiled));
  SF_ASSIGN_OR_RETURN(const std::unique_ptr<const Plan> plan,
                      BuildPlan(std::move(program), explanation.feed_shapes, resources, plan_options));
  Explainer(graph, *plan, journal, &explanation).Run();
  return explanation;
}

}  // namespace staticflow
