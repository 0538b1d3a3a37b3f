#include "runtime/pass.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/passes.h"

namespace staticflow {
namespace {

constexpr Pass kPasses[] = {
    {"prune", Prune, "Leaves out what nobody reads once constants are folded."},
    {"simplify", Simplify, "Leaves out ops that give one of their operands back (x * 1)."},
    {"cse", ShareCommon, "Computes equal expressions once."},
    {"product", CallProducts, "Products of matrices become calls that can be divided, padded and transposed."},
    {"fold_transpose", FoldTransposes, "Lets a product read an operand as it lies instead of transposing it first."},
    {"fuse_product", FuseProducts, "Adds a product to the variable that it updates, without storing it."},
    {"fuse_loops", FuseLoops, "Runs element-wise ops, sums over rows and updates as one loop over memory."},
    {"fold_bn", FoldBatchNorm,
     "Takes constant scales of a product's columns or a convolution's channels, as of batch normalization, into its "
     "weights."},
    {"partition", Partition, "Divides the step among the workers by what their caches hold."},
};

// What the instructions compute.
absl::flat_hash_set<const Node*> ComputedNodes(const Plan& plan) {
  absl::flat_hash_set<const Node*> nodes;
  for (const Instruction& instruction : plan.instructions) {
    nodes.insert(instruction.node);
    nodes.insert(instruction.absorbed.begin(), instruction.absorbed.end());
  }
  return nodes;
}

// Runs one pass and writes down the nodes that it leaves out, each with the one whose result its users take instead.
void RunAndNote(const Pass& pass, Plan* plan, PlanJournal* journal) {
  std::vector<std::pair<const Node*, int>> before;  // with the value of output 0
  for (const Instruction& instruction : plan->instructions) {
    if (instruction.kind != InstructionKind::kKernel || instruction.outputs.empty()) continue;
    before.push_back({instruction.node, instruction.outputs[0]});
  }
  pass.run(plan);
  const absl::flat_hash_set<const Node*> left = ComputedNodes(*plan);
  absl::flat_hash_map<int, const Node*> makers;  // by buffer
  for (const Instruction& instruction : plan->instructions) {
    for (int value : instruction.outputs) {
      if (value >= 0) makers[plan->values[value].buffer] = instruction.node;
    }
  }
  for (const auto& [node, value] : before) {
    if (left.contains(node)) continue;
    auto it = makers.find(plan->values[value].buffer);
    journal->removals.push_back(
        {.node = node, .pass = pass.name, .same_as = it == makers.end() ? nullptr : it->second});
  }
}

}  // namespace

absl::Span<const Pass> AllPasses() { return kPasses; }

absl::StatusOr<PassSet> ParsePasses(absl::string_view text) {
  PassSet set;
  for (absl::string_view word : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const bool off = word[0] == '-';
    const absl::string_view name = off || word[0] == '+' ? word.substr(1) : word;
    std::vector<absl::string_view> names;
    for (const Pass& pass : kPasses) {
      if (name == "all" || name == pass.name) names.push_back(pass.name);
    }
    if (names.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no pass '", name, "'; there are all, ",
          absl::StrJoin(kPasses, ", ", [](std::string* out, const Pass& p) { absl::StrAppend(out, p.name); })));
    }
    for (absl::string_view known : names) {
      if (off) {
        set.off.insert(std::string(known));
      } else {
        set.off.erase(known);
      }
    }
  }
  return set;
}

void RunPasses(const PassSet& passes, Plan* plan, PlanJournal* journal) {
  for (const Pass& pass : kPasses) {
    if (!passes.Has(pass.name)) continue;
    if (journal != nullptr) {
      RunAndNote(pass, plan, journal);
    } else {
      pass.run(plan);
    }
  }
  if (!passes.Has("partition")) plan->workers = 1;
}

std::vector<std::pair<int, int>> StraightRuns(const Plan& plan) {
  const int n = static_cast<int>(plan.instructions.size());
  std::vector<bool> entered(n + 1, false);
  for (const Instruction& instruction : plan.instructions) {
    if (instruction.target >= 0) entered[instruction.target] = true;
  }
  std::vector<std::pair<int, int>> runs;
  int begin = 0;
  const auto close = [&](int end) {
    if (end - begin > 1) runs.push_back({begin, end});
  };
  for (int i = 0; i < n; ++i) {
    const Instruction& instruction = plan.instructions[i];
    if (entered[i]) {
      close(i);
      begin = i;
    }
    const bool plain =
        instruction.is_static &&
        (instruction.kind == InstructionKind::kKernel || instruction.kind == InstructionKind::kCheckVariable ||
         instruction.kind == InstructionKind::kCopy || instruction.kind == InstructionKind::kMerge);
    if (plain) continue;
    close(i);
    begin = i + 1;
  }
  close(n);
  return runs;
}

void ReplaceInstructions(std::vector<Instruction> instructions, absl::Span<const int> moved, Plan* plan) {
  for (Instruction& instruction : instructions) {
    if (instruction.target >= 0) instruction.target = moved[instruction.target];
  }
  for (auto& [first, last] : plan->loops) {
    first = moved[first];
    last = moved[last];
  }
  plan->instructions = std::move(instructions);
}

void RewriteRuns(Plan* plan, const std::function<std::vector<Instruction>(int, int)>& rewrite) {
  const std::vector<std::pair<int, int>> runs = StraightRuns(*plan);
  std::vector<std::vector<Instruction>> rewritten;
  for (const auto& [begin, end] : runs) rewritten.push_back(rewrite(begin, end));
  std::vector<Instruction> result;
  const int n = static_cast<int>(plan->instructions.size());
  std::vector<int> moved(n + 1);  // where the instruction at an index, or what stands for it, begins now
  size_t run = 0;
  for (int i = 0; i < n;) {
    moved[i] = static_cast<int>(result.size());
    if (run == runs.size() || i < runs[run].first) {
      result.push_back(std::move(plan->instructions[i++]));
      continue;
    }
    // Inside, nobody may enter.
    for (; i < runs[run].second; ++i) moved[i] = static_cast<int>(result.size());
    for (Instruction& instruction : rewritten[run]) result.push_back(std::move(instruction));
    ++run;
  }
  moved[n] = static_cast<int>(result.size());
  ReplaceInstructions(std::move(result), moved, plan);
}

void RemoveInstructions(const std::vector<bool>& gone, Plan* plan) {
  const int n = static_cast<int>(plan->instructions.size());
  // A jump over nothing but what is gone goes nowhere.
  std::vector<bool> left_out = gone;
  for (int i = 0; i < n; ++i) {
    const Instruction& jump = plan->instructions[i];
    if (jump.kind != InstructionKind::kJump) continue;
    left_out[i] = std::all_of(gone.begin() + i + 1, gone.begin() + jump.target, [](bool g) { return g; });
  }
  std::vector<Instruction> kept;
  std::vector<int> moved(n + 1);
  for (int i = 0; i < n; ++i) {
    moved[i] = static_cast<int>(kept.size());
    if (!left_out[i]) kept.push_back(std::move(plan->instructions[i]));
  }
  moved[n] = static_cast<int>(kept.size());
  ReplaceInstructions(std::move(kept), moved, plan);
}

int ValueOfVariable(const Plan& plan, const VariableSlot* slot) {
  auto it = plan.variable_values.find(slot);
  return it == plan.variable_values.end() ? -1 : it->second;
}

BufferAccess AccessOfBuffers(const Plan& plan, const Instruction& instruction) {
  BufferAccess access;
  const auto add = [&](int value, std::vector<int>* to) {
    if (value >= 0) to->push_back(plan.values[value].buffer);
  };
  for (int value : instruction.inputs) add(value, &access.reads);
  for (int value : instruction.outputs) add(value, &access.writes);
  for (GuardId guard : instruction.merge_guards) {
    for (Output predicate : plan.program->guards.Predicates(guard)) {
      auto it = plan.predicates.find(predicate);
      if (it != plan.predicates.end()) add(it->second, &access.reads);
    }
  }
  if (instruction.variable != nullptr) add(ValueOfVariable(plan, instruction.variable), &access.reads);
  for (size_t i = 0; i < instruction.variables.size(); ++i) {
    if (instruction.variables[i] == nullptr) continue;
    const int value = ValueOfVariable(plan, instruction.variables[i]);
    const std::optional<Access> kind = AccessOf(*instruction.node, static_cast<int>(i));
    add(value, &access.reads);
    if (kind == Access::kUpdate || kind == Access::kOverwrite) add(value, &access.writes);
  }
  return access;
}

std::vector<std::vector<int>> Dependences(const Plan& plan, int begin, int end) {
  std::vector<std::vector<int>> before(end - begin);
  struct Uses {
    int writer = -1;
    std::vector<int> readers = {};
  };
  absl::flat_hash_map<int, Uses> uses;
  int effect = -1;                // the last effect outside of memory
  int lasting_effect = -1;        // the last one that variables must wait for
  std::vector<int> updates = {};  // of variables, since then
  const auto depend = [&](int from, int to) {
    if (from >= 0 && from != to) before[to].push_back(from);
  };
  for (int i = begin; i < end; ++i) {
    const Instruction& instruction = plan.instructions[i];
    const int at = i - begin;
    const BufferAccess access = AccessOfBuffers(plan, instruction);
    for (int buffer : access.reads) {
      Uses& use = uses[buffer];
      depend(use.writer, at);
      use.readers.push_back(at);
    }
    bool updates_variable = false;
    for (int buffer : access.writes) {
      Uses& use = uses[buffer];
      depend(use.writer, at);
      for (int reader : use.readers) depend(reader, at);
      use = {.writer = at};
      updates_variable |= plan.buffers[buffer].kind == BufferKind::kVariable;
    }
    const bool kernel = instruction.kind == InstructionKind::kKernel && instruction.loop == nullptr &&
                        instruction.product == nullptr && instruction.node != nullptr;
    if (kernel && instruction.node->op().has(kStateful) && !updates_variable) {
      depend(effect, at);
      effect = at;
      if (instruction.node->op().has(kAlwaysRuns)) {
        for (int update : updates) depend(update, at);
        updates.clear();
        lasting_effect = at;
      }
    }
    if (updates_variable) {
      depend(lasting_effect, at);
      updates.push_back(at);
    }
  }
  return before;
}

std::vector<int> CountReaders(const Plan& plan) {
  std::vector<int> readers(plan.buffers.size(), 0);
  const auto count = [&](int value) {
    if (value >= 0) ++readers[plan.values[value].buffer];
  };
  for (const Instruction& instruction : plan.instructions) {
    for (int buffer : AccessOfBuffers(plan, instruction).reads) ++readers[buffer];
  }
  for (int value : plan.fetch_values) count(value);
  for (const auto& [predicate, value] : plan.predicates) count(value);
  for (size_t b = 0; b < plan.buffers.size(); ++b) readers[b] += plan.buffers[b].kind == BufferKind::kVariable;
  return readers;
}

}  // namespace staticflow
