// ShareBuffers and PlaceBuffers: which values share memory, when each buffer is alive, and where it lies.
#include <algorithm>

#include "runtime/loop.h"
#include "runtime/plan.h"

namespace staticflow {
namespace {

class MemoryPlanner {
 public:
  explicit MemoryPlanner(Plan* plan) : plan_(*plan), guards_(plan->program->guards) {}

  void Run() {
    FindLives();
    for (int i = 0; i < Size(); ++i) {
      const Instruction& instruction = plan_.instructions[i];
      if (instruction.kind == InstructionKind::kKernel) RunInPlace(i);
      if (instruction.kind == InstructionKind::kMerge) WriteIntoMerge(i);
    }
    FindReleases();
  }

  // What is alive together, counted in stretches between barriers: workers may be anywhere within one.
  void Place() {
    if (plan_.workers > 1) {
      std::vector<int> stretch(Size() + 1, 0);
      for (int i = 0; i < Size(); ++i) {
        stretch[i] = (i > 0 ? stretch[i - 1] : 0) + plan_.instructions[i].barrier;
      }
      stretch[Size()] = Size() > 0 ? stretch[Size() - 1] : 0;
      for (Buffer& buffer : plan_.buffers) {
        if (buffer.first_use < 0) continue;
        buffer.first_use = stretch[buffer.first_use];
        buffer.last_use = stretch[buffer.last_use];
      }
    }
    plan_.arena_bytes = AssignOffsets(&plan_.buffers);
  }

 private:
  int Size() const { return static_cast<int>(plan_.instructions.size()); }
  Buffer& BufferOf(int value) { return plan_.buffers[plan_.values[value].buffer]; }

  void Touch(int value, int instruction) {
    if (value < 0) return;
    Buffer& buffer = BufferOf(value);
    if (buffer.first_use < 0) buffer.first_use = instruction;
    buffer.first_use = std::min(buffer.first_use, instruction);
    buffer.last_use = std::max(buffer.last_use, instruction);
  }
  void TouchPredicates(GuardId guard, int instruction) {
    for (Output predicate : guards_.Predicates(guard)) {
      auto it = plan_.predicates.find(predicate);
      if (it != plan_.predicates.end()) Touch(it->second, instruction);
    }
  }

  void FindLives() {
    for (int i = 0; i < Size(); ++i) {
      const Instruction& instruction = plan_.instructions[i];
      for (int value : instruction.inputs) Touch(value, i);
      for (int value : instruction.outputs) Touch(value, i);
      if (instruction.kind == InstructionKind::kJump) TouchPredicates(instruction.guard, i);
      for (GuardId guard : instruction.merge_guards) TouchPredicates(guard, i);
    }
    // What comes from before a loop is needed until its last iteration.
    for (const auto& [begin, end] : plan_.loops) {
      for (Buffer& buffer : plan_.buffers) {
        if (buffer.first_use >= 0 && buffer.first_use < begin && buffer.last_use >= begin) {
          buffer.last_use = std::max(buffer.last_use, end);
        }
      }
    }
    for (size_t i = 0; i < plan_.fetch_values.size(); ++i) {
      Touch(plan_.fetch_values[i], Size());
      TouchPredicates(plan_.program->fetch_guards[i], Size());
    }
    // A view made while the step runs keeps what it views, also through further views.
    for (int i = Size() - 1; i >= 0; --i) {
      const Instruction& instruction = plan_.instructions[i];
      if (instruction.kind != InstructionKind::kAlias) continue;
      Buffer& viewed = BufferOf(instruction.inputs[0]);
      viewed.last_use = std::max(viewed.last_use, BufferOf(instruction.outputs[0]).last_use);
    }
  }

  // Values of buffer `from` move into buffer `to`, which then lives as long as both.
  void Unite(int to, int from) {
    Buffer& target = plan_.buffers[to];
    Buffer& source = plan_.buffers[from];
    target.first_use = std::min(target.first_use, source.first_use);
    target.last_use = std::max(target.last_use, source.last_use);
    target.bytes = std::max(target.bytes, source.bytes);
    source.first_use = source.last_use = -1;
    if (values_of_.empty()) {
      values_of_.resize(plan_.buffers.size());
      for (size_t v = 0; v < plan_.values.size(); ++v)
        values_of_[plan_.values[v].buffer].push_back(static_cast<int>(v));
    }
    for (int value : values_of_[from]) plan_.values[value].buffer = to;
    values_of_[to].insert(values_of_[to].end(), values_of_[from].begin(), values_of_[from].end());
    values_of_[from].clear();
  }

  void RunInPlace(int i) {
    const Instruction& instruction = plan_.instructions[i];
    if (instruction.loop != nullptr) return RunLoopInPlace(i);
    if (!instruction.is_static || instruction.node == nullptr || !instruction.node->op().has(kInPlace)) return;
    if (instruction.product != nullptr) return;
    if (instruction.inputs.empty() || instruction.outputs.empty()) return;
    const Value &in = plan_.values[instruction.inputs[0]], &out = plan_.values[instruction.outputs[0]];
    const Buffer &from = plan_.buffers[in.buffer], &to = plan_.buffers[out.buffer];
    if (from.kind != BufferKind::kArena || to.kind != BufferKind::kArena || in.buffer == out.buffer) return;
    if (from.last_use != i || to.first_use != i || in.dtype != out.dtype || !(in.shape == out.shape)) return;
    for (size_t k = 1; k < instruction.inputs.size(); ++k) {
      if (plan_.values[instruction.inputs[k]].buffer == in.buffer) return;
    }
    Unite(in.buffer, out.buffer);
  }

  void RunLoopInPlace(int i) {
    const Instruction& loop = plan_.instructions[i];
    for (size_t r = 0; r < loop.outputs.size(); ++r) {
      const int same = loop.loop->results[r].same_as_input;
      if (same < 0) continue;
      const int in = plan_.values[loop.inputs[same]].buffer, out = plan_.values[loop.outputs[r]].buffer;
      const Buffer &from = plan_.buffers[in], &to = plan_.buffers[out];
      if (in == out || from.kind != BufferKind::kArena || to.kind != BufferKind::kArena) continue;
      if (from.last_use == i && to.first_use == i && from.bytes == to.bytes) Unite(in, out);
    }
  }

  // The two branches of a cond may write their results where the Merge wants them: only one of them runs.
  void WriteIntoMerge(int i) {
    const Instruction merge = plan_.instructions[i];
    if (!merge.is_static || merge.inputs.size() != 2) return;
    for (int k = 0; k < 2; ++k) {
      const int value = merge.inputs[k], other = merge.inputs[1 - k];
      if (value < 0 || merge.merge_guards[k] == GuardTable::kAlways) continue;
      const int from = plan_.values[value].buffer, to = plan_.values[merge.outputs[0]].buffer;
      const Buffer& buffer = plan_.buffers[from];
      if (from == to || buffer.kind != BufferKind::kArena || buffer.last_use != i) continue;
      if (other >= 0 && plan_.values[other].buffer == from) continue;
      if (buffer.bytes != plan_.buffers[to].bytes || !WrittenUnder(buffer, merge.merge_guards[k])) continue;
      if (plan_.buffers[to].first_use < i && !Exclusive(merge)) continue;
      Unite(to, from);
    }
  }

  bool WrittenUnder(const Buffer& buffer, GuardId guard) const {
    return guards_.Implies(plan_.instructions[buffer.first_use].guard, guard);
  }
  // Whether the two inputs of a merge never both live: their guards differ in one predicate's value.
  bool Exclusive(const Instruction& merge) const {
    for (int a : guards_.literals(merge.merge_guards[0])) {
      for (int b : guards_.literals(merge.merge_guards[1])) {
        if (a < 0 || b < 0) continue;
        const GuardTable::Literal &x = guards_.literal(a), &y = guards_.literal(b);
        if (x.predicate.valid() && x.predicate == y.predicate && x.value != y.value) return true;
      }
    }
    return false;
  }

  void FindReleases() {
    for (size_t b = 0; b < plan_.buffers.size(); ++b) {
      const Buffer& buffer = plan_.buffers[b];
      if (buffer.kind != BufferKind::kDynamic || buffer.last_use < 0 || buffer.last_use >= Size()) continue;
      Instruction& last = plan_.instructions[buffer.last_use];
      // What lives to the end of a loop is needed in its next iteration; the end of the step frees it.
      if (last.kind != InstructionKind::kLoopNext) last.releases.push_back(static_cast<int>(b));
    }
  }

  Plan& plan_;
  const GuardTable& guards_;
  std::vector<std::vector<int>> values_of_;  // by buffer, built when first needed
};

}  // namespace

void ShareBuffers(Plan* plan) { MemoryPlanner(plan).Run(); }
void PlaceBuffers(Plan* plan) { MemoryPlanner(plan).Place(); }

}  // namespace staticflow
