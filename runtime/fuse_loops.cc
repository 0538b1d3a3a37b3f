// FuseLoops: instructions whose ops have a `loop` hook, grouped into loops as large as their order allows.
//
// The instructions of a straight run are taken in order. Each joins the loops of its producers if it works on the same
// space and if nothing that stands between (an instruction of another kind, another loop) needs the loop's results and
// is needed by the instruction itself. Of the loops that can still be joined only the latest are kept in view, so that
// the pass takes time linear in the size of the plan.
#include <algorithm>
#include <bit>
#include <functional>
#include <queue>

#include "graph/status.h"
#include "runtime/loop.h"
#include "runtime/loop_moves.h"
#include "runtime/loop_phases.h"
#include "runtime/loop_writer.h"
#include "runtime/pass.h"
#include "runtime/passes.h"

namespace staticflow {
namespace {

// Loops in view: one bit each.
constexpr int kWindow = 64;

// Whether a strip of the loop must hold all rows: for a sum over them, or for a row that is written once.
bool NeedsAllRows(const LoopProgram& program) {
  return program.SumsRows() || std::any_of(program.results.begin(), program.results.end(), [&](const auto& result) {
           return program.level(result.reg) == LaneLevel::kRow;
         });
}

// Whether the instruction updates a matrix together with what its rule keeps beside it (a momentum, mean squares). A
// loop would go over memory step by step, and with roots and divisions alone for most of the time; the kernel of such a
// rule does all of it for each vector in turn. Gradients of vectors come from sums over rows, whose loops take the
// update.
bool IsRuleOfMatrix(const Plan& plan, const Instruction& instruction) {
  if (instruction.kind != InstructionKind::kKernel || instruction.split_items == 0) return false;
  int updated = 0;
  for (const VariableAccess& access : instruction.node->op().spec.access) updated += access.access == Access::kUpdate;
  if (updated < 2) return false;
  const Shape& shape = plan.values[instruction.outputs[0]].shape;
  return shape.rank() >= 2 && shape.num_elements() > shape.dim(-1);
}

// One straight run.
class LoopFuser {
 public:
  LoopFuser(Plan* plan, int begin, int end, const std::vector<int>& readers, const UniformBuffers& uniform)
      : plan_(*plan), begin_(begin), end_(end), readers_(readers), uniform_(uniform) {}

  // The run with loops in place of their members.
  std::vector<Instruction> Run();

 private:
  struct Group {
    std::vector<int> members;
    Space space;
    int slot = -1;  // in view
  };

  bool CanLoop(int at, Space* space);
  void Join(int at, const Space& space);
  bool MayJoin(int at, int group, const Space& space) const;
  // The group whose loop must compute the truth values that `at` reads; nullopt when it reads none, -1 when no loop
  // can.
  std::optional<int> GroupOfTruthValues(int at) const;
  int NewGroup(const Space& space);
  void Forget(int slot);
  void ListMembers();
  uint64_t After(int at) const;  // the groups in view that `at` depends on, through whatever
  std::vector<Instruction> Emit();
  std::vector<Instruction> Write(const Group& group);
  std::optional<std::vector<Instruction>> WriteWhole(const Group& group);
  // As several loops, in order, around what cannot be part of one.
  std::vector<Instruction> WriteInPieces(const Group& group);
  absl::flat_hash_map<int, int> UsesBy(const Group& group) const;
  std::vector<Instruction> InPhases(const Instruction& loop);
  int NewValue(const Shape& shape);

  const Instruction& At(int at) const { return plan_.instructions[begin_ + at]; }
  int Size() const { return end_ - begin_; }

  Plan& plan_;
  const int begin_, end_;
  const std::vector<int>& readers_;
  const UniformBuffers& uniform_;
  std::vector<std::vector<int>> before_;
  std::vector<Group> groups_;
  std::vector<int> group_of_;
  std::vector<uint64_t> after_;                     // by instruction: groups in view it depends on directly or through
                                                    // instructions outside of groups
  std::array<uint64_t, kWindow> group_after_ = {};  // by slot: groups that the group depends on, closed over groups
  std::array<int, kWindow> group_in_;
  int next_slot_ = 0;
};

bool LoopFuser::CanLoop(int at, Space* space) {
  const Instruction& instruction = At(at);
  if (instruction.outputs.size() == 1 && uniform_.contains(plan_.values[instruction.outputs[0]].buffer)) return false;
  if (!MayLoop(plan_, instruction) || IsRuleOfMatrix(plan_, instruction)) return false;
  const std::vector<int> operands = LoopWriter::Operands(plan_, instruction);
  *space = SpaceOf(plan_, instruction, operands);
  if (space->rows <= 0 || space->columns <= 0) return false;
  LoopWriter alone(plan_, *space, uniform_, /*any_truth_values=*/true);
  return alone.Add(instruction);
}

uint64_t LoopFuser::After(int at) const {
  uint64_t direct = after_[at], all = direct;
  while (direct != 0) {
    all |= group_after_[std::countr_zero(direct)];
    direct &= direct - 1;
  }
  return all;
}

bool LoopFuser::MayJoin(int at, int group, const Space& space) const {
  const Group& g = groups_[group];
  if (g.slot < 0 || !Space::Union(g.space, space).has_value()) return false;
  // Not if something else that `at` needs comes after the group.
  for (int source : before_[at]) {
    if (group_of_[source] == group) continue;
    uint64_t mask = After(source);
    const int other = group_of_[source];
    if (other >= 0 && groups_[other].slot >= 0) mask |= group_after_[groups_[other].slot];
    if ((mask >> g.slot & 1) != 0) return false;
  }
  // The whole must still be writable as one program.
  return true;
}

void LoopFuser::Forget(int slot) {
  const uint64_t bit = uint64_t{1} << slot;
  const uint64_t inherited = group_after_[slot];
  for (uint64_t& mask : after_) {
    if ((mask & bit) != 0) mask = (mask & ~bit) | inherited;
  }
  for (uint64_t& mask : group_after_) mask &= ~bit;  // closed already
  groups_[group_in_[slot]].slot = -1;
}

int LoopFuser::NewGroup(const Space& space) {
  const int slot = next_slot_++ % kWindow;
  if (next_slot_ > kWindow) Forget(slot);
  groups_.push_back({.members = {}, .space = space, .slot = slot});
  group_in_[slot] = static_cast<int>(groups_.size()) - 1;
  group_after_[slot] = 0;
  return group_in_[slot];
}

std::optional<int> LoopFuser::GroupOfTruthValues(int at) const {
  std::optional<int> group;
  for (int value : At(at).inputs) {
    if (plan_.values[value].dtype != DT_BOOL || UniformConstant(plan_, value).has_value()) continue;
    int made_by = -1;
    for (int source : before_[at]) {
      for (int output : At(source).outputs) {
        if (plan_.values[output].buffer == plan_.values[value].buffer) made_by = group_of_[source];
      }
    }
    if (made_by < 0 || group.value_or(made_by) != made_by) return -1;
    group = made_by;
  }
  return group;
}

void LoopFuser::Join(int at, const Space& space) {
  int group = -1;
  const std::optional<int> wanted = GroupOfTruthValues(at);
  for (int source : before_[at]) {
    const int candidate = group_of_[source];
    if (candidate > group && candidate == wanted.value_or(candidate) && MayJoin(at, candidate, space))
      group = candidate;
  }
  if (group < 0 && wanted.has_value()) return;
  if (group < 0) group = NewGroup(space);
  Group& g = groups_[group];
  g.space = *Space::Union(g.space, space);
  g.members.push_back(at);
  group_of_[at] = group;
  // What the group depends on now, and with it everything that depends on the group.
  const uint64_t own = uint64_t{1} << g.slot;
  uint64_t gained = After(at);
  for (int source : before_[at]) {
    const int other = group_of_[source];
    if (other >= 0 && other != group && groups_[other].slot >= 0) {
      gained |= uint64_t{1} << groups_[other].slot | group_after_[groups_[other].slot];
    }
  }
  gained &= ~own;
  group_after_[g.slot] |= gained;
  for (int slot = 0; slot < kWindow; ++slot) {
    if ((group_after_[slot] & own) != 0) group_after_[slot] |= group_after_[g.slot];
  }
}

std::vector<Instruction> LoopFuser::Run() {
  before_ = Dependences(plan_, begin_, end_);
  group_of_.assign(Size(), -1);
  after_.assign(Size(), 0);
  for (int at = 0; at < Size(); ++at) {
    for (int source : before_[at]) {
      after_[at] |= after_[source];
      const int group = group_of_[source];
      if (group >= 0 && groups_[group].slot >= 0) after_[at] |= uint64_t{1} << groups_[group].slot;
    }
    Space space;
    if (CanLoop(at, &space)) Join(at, space);
  }
  if (MoveToReaders(plan_, {begin_, before_, readers_, uniform_, group_of_})) ListMembers();
  return Emit();
}

void LoopFuser::ListMembers() {
  for (Group& group : groups_) group = {};
  for (int at = 0; at < Size(); ++at) {
    if (group_of_[at] < 0) continue;
    Group& group = groups_[group_of_[at]];
    const Space space = SpaceOf(plan_, At(at), LoopWriter::Operands(plan_, At(at)));
    group.space = group.members.empty() ? space : *Space::Union(group.space, space);
    group.members.push_back(at);
  }
}

std::vector<Instruction> LoopFuser::Write(const Group& group) {
  // One scalar is sooner computed by its kernel.
  if (group.members.size() == 1 && group.space.rows * group.space.columns == 1) return {At(group.members[0])};
  std::optional<std::vector<Instruction>> whole = WriteWhole(group);
  return whole.has_value() ? *std::move(whole) : WriteInPieces(group);
}

absl::flat_hash_map<int, int> LoopFuser::UsesBy(const Group& group) const {
  absl::flat_hash_map<int, int> uses;  // by buffer
  for (int at : group.members) {
    for (int buffer : AccessOfBuffers(plan_, At(at)).reads) ++uses[buffer];
  }
  return uses;
}

std::optional<std::vector<Instruction>> LoopFuser::WriteWhole(const Group& group) {
  LoopWriter writer(plan_, group.space, uniform_);
  Instruction loop{.kind = InstructionKind::kKernel, .node = At(group.members.back()).node};
  loop.guard = At(group.members[0]).guard;
  for (int at : group.members) {
    if (!writer.Add(At(at))) return std::nullopt;
    loop.absorbed.insert(loop.absorbed.end(), At(at).absorbed.begin(), At(at).absorbed.end());
    if (at != group.members.back()) loop.absorbed.push_back(At(at).node);
  }
  absl::flat_hash_map<int, int> uses = UsesBy(group);
  const auto wanted = [&](int buffer) { return readers_[buffer] > uses[buffer]; };
  if (!writer.Finish(wanted, &loop)) return std::nullopt;
  if (loop.loop->rows <= kMaxSummedRows || !NeedsAllRows(*loop.loop)) return std::vector<Instruction>{std::move(loop)};
  std::vector<Instruction> phases = InPhases(loop);
  if (phases.empty()) return std::nullopt;
  return phases;
}

std::vector<Instruction> LoopFuser::WriteInPieces(const Group& group) {
  absl::flat_hash_map<int, int> uses = UsesBy(group);
  std::vector<Instruction> result;
  Group piece;
  std::optional<LoopWriter> writer;
  const auto finish = [&] {
    std::optional<std::vector<Instruction>> loops;
    if (piece.members.size() < group.members.size() && !piece.members.empty()) loops = WriteWhole(piece);
    if (loops.has_value()) {
      for (Instruction& loop : *loops) result.push_back(std::move(loop));
    } else {
      for (int at : piece.members) result.push_back(At(at));
    }
    piece = Group();
    writer.emplace(plan_, group.space, uniform_);
  };
  finish();
  for (int at : group.members) {
    bool truth_leaves = false;
    for (int value : At(at).outputs) {
      const int buffer = plan_.values[value].buffer;
      truth_leaves |= plan_.values[value].dtype == DT_BOOL && readers_[buffer] > uses[buffer];
    }
    bool fits = !truth_leaves && writer->Add(At(at));
    if (!fits) {
      finish();
      fits = !truth_leaves && writer->Add(At(at));
    }
    if (!fits) {
      result.push_back(At(at));
      finish();
      continue;
    }
    const Space space = SpaceOf(plan_, At(at), LoopWriter::Operands(plan_, At(at)));
    piece.space = piece.members.empty() ? space : Space::Union(piece.space, space).value_or(group.space);
    piece.members.push_back(at);
  }
  finish();
  return result;
}

// A loop over many rows as its phases.
std::vector<Instruction> LoopFuser::InPhases(const Instruction& loop) {
  std::vector<Instruction> instructions;
  std::optional<LoopPhases> phases = SplitIntoPhases(*loop.loop);
  if (!phases.has_value()) return instructions;
  std::vector<int> shared;
  for (const Shape& shape : phases->shared) shared.push_back(NewValue(shape));
  for (LoopPhase& phase : phases->phases) {
    Instruction instruction{.kind = InstructionKind::kKernel, .node = loop.node};
    instruction.guard = loop.guard;
    instruction.absorbed = loop.absorbed;
    for (const PhaseMemory& m : phase.inputs) {
      instruction.inputs.push_back(m.shared >= 0 ? shared[m.shared] : loop.inputs[m.of_loop]);
    }
    for (const PhaseMemory& m : phase.results) {
      instruction.outputs.push_back(m.shared >= 0 ? shared[m.shared] : loop.outputs[m.of_loop]);
    }
    instruction.loop = std::make_shared<LoopProgram>(std::move(phase.program));
    instructions.push_back(std::move(instruction));
  }
  return instructions;
}

int LoopFuser::NewValue(const Shape& shape) {
  plan_.buffers.push_back({.kind = BufferKind::kArena, .bytes = MultiplySizes(shape.num_elements(), sizeof(float))});
  plan_.values.push_back({.dtype = DT_FLOAT, .shape = shape, .buffer = static_cast<int>(plan_.buffers.size()) - 1});
  return static_cast<int>(plan_.values.size()) - 1;
}

// A new order: groups stand where their last member stood, unless something of theirs is needed earlier.
std::vector<Instruction> LoopFuser::Emit() {
  const int n = Size();
  std::vector<int> unit_of(n), key;
  std::vector<int> unit_of_group(groups_.size(), -1);
  for (int at = 0; at < n; ++at) {
    int& unit = group_of_[at] >= 0 ? unit_of_group[group_of_[at]] : unit_of[at];
    if (group_of_[at] < 0 || unit < 0) {
      unit = static_cast<int>(key.size());
      key.push_back(at);
    }
    key[unit] = std::max(key[unit], at);
    unit_of[at] = unit;
  }
  const int units = static_cast<int>(key.size());
  std::vector<std::vector<int>> after(units), members(units);
  std::vector<int> waiting(units, 0);
  for (int at = 0; at < n; ++at) {
    members[unit_of[at]].push_back(at);
    for (int source : before_[at]) {
      if (unit_of[source] == unit_of[at]) continue;
      after[unit_of[source]].push_back(unit_of[at]);
      ++waiting[unit_of[at]];
    }
  }
  using Ready = std::pair<int, int>;
  std::priority_queue<Ready, std::vector<Ready>, std::greater<Ready>> ready;
  for (int unit = 0; unit < units; ++unit) {
    if (waiting[unit] == 0) ready.push({key[unit], unit});
  }
  std::vector<Instruction> result;
  int done = 0;
  while (!ready.empty()) {
    const int unit = ready.top().second;
    ready.pop();
    ++done;
    const int group = group_of_[members[unit][0]];
    if (group < 0) {
      result.push_back(At(members[unit][0]));
    } else {
      for (Instruction& instruction : Write(groups_[group])) result.push_back(std::move(instruction));
    }
    for (int next : after[unit]) {
      if (--waiting[next] == 0) ready.push({key[next], next});
    }
  }
  SF_CHECK(done == units);
  return result;
}

}  // namespace

void FuseLoops(Plan* plan) {
  const std::vector<int> readers = CountReaders(*plan);
  const UniformBuffers uniform = FindUniformBuffers(*plan);
  RewriteRuns(plan, [&](int begin, int end) { return LoopFuser(plan, begin, end, readers, uniform).Run(); });
  DropUnreadUniforms(uniform, plan);
}

}  // namespace staticflow
