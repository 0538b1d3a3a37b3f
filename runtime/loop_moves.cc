#include "runtime/loop_moves.h"

#include "absl/container/flat_hash_map.h"
#include "runtime/loop.h"
#include "runtime/pass.h"

namespace staticflow {
namespace {

// Operations that take no longer than reading their result from memory.
bool IsCheap(LaneOp op) {
  switch (op) {
    case LaneOp::kNeg:
    case LaneOp::kAbs:
    case LaneOp::kSquare:
    case LaneOp::kRelu:
    case LaneOp::kAdd:
    case LaneOp::kSub:
    case LaneOp::kMul:
    case LaneOp::kMaximum:
    case LaneOp::kMinimum:
    case LaneOp::kSquaredDifference:
      return true;
    default:
      return false;
  }
}

class Mover {
 public:
  Mover(const Plan& plan, const LoopMembers& members) : plan_(plan), members_(members) {
    const int n = static_cast<int>(members.loop_of.size());
    after_.resize(n);
    for (int at = 0; at < n; ++at) {
      for (int source : members.before[at]) after_[source].push_back(at);
      for (int buffer : AccessOfBuffers(plan, At(at)).writes) {
        auto [it, first] = maker_.try_emplace(buffer, at);
        if (!first) it->second = kSeveral;
      }
    }
  }

  bool Run() {
    bool moved = false;
    for (int at = static_cast<int>(members_.loop_of.size()) - 1; at >= 0; --at) {
      const int reader = OnlyReader(at);
      if (reader < 0 || !GainsBy(at)) continue;
      members_.loop_of[at] = members_.loop_of[reader];
      moved = true;
    }
    return moved;
  }

 private:
  static constexpr int kSeveral = -2;

  const Instruction& At(int at) const { return plan_.instructions[members_.begin + at]; }
  // The member of another loop that nothing but it waits for `at`; -1 when there is none.
  int OnlyReader(int at) const {
    const Instruction& instruction = At(at);
    if (members_.loop_of[at] < 0 || instruction.outputs.size() != 1 || after_[at].size() != 1) return -1;
    const int reader = after_[at][0];
    const int buffer = plan_.values[instruction.outputs[0]].buffer;
    const bool elsewhere = members_.loop_of[reader] >= 0 && members_.loop_of[reader] != members_.loop_of[at];
    if (!elsewhere || members_.readers[buffer] != 1 || plan_.buffers[buffer].kind != BufferKind::kArena) return -1;
    return SpaceOfMember(at) == SpaceOfMember(reader) ? reader : -1;
  }
  Space SpaceOfMember(int at) const { return SpaceOf(plan_, At(at), LoopWriter::Operands(plan_, At(at))); }
  // One cheap operation on a single matrix, which is in memory whether its loop computes this or not.
  bool GainsBy(int at) const {
    const Instruction& instruction = At(at);
    LoopWriter alone(plan_, SpaceOfMember(at), members_.uniform);
    if (!alone.Add(instruction) || alone.program().steps.size() != 1) return false;
    const LoopProgram& program = alone.program();
    const LoopProgram::Step& step = program.steps[0];
    if (!IsCheap(step.op) || program.level(step.y) != LaneLevel::kMatrix) return false;
    int matrices = 0;
    for (int reg : program.inputs) matrices += program.level(reg) == LaneLevel::kMatrix;
    return matrices == 1 && OperandsStay(at);
  }
  // Whether nothing that `at` reads is written by its own loop (rows excepted) or is a variable, which may change.
  bool OperandsStay(int at) const {
    for (int value : At(at).inputs) {
      const Value& v = plan_.values[value];
      const Buffer& buffer = plan_.buffers[v.buffer];
      if (buffer.kind == BufferKind::kVariable) return false;
      auto made = maker_.find(v.buffer);
      if (made == maker_.end()) continue;
      if (made->second == kSeveral) return false;
      const bool row = v.shape.rank() == 0 || v.shape.num_elements() == v.shape.dim(-1);
      if (!row && members_.loop_of[made->second] == members_.loop_of[at]) return false;
    }
    return true;
  }

  const Plan& plan_;
  const LoopMembers& members_;
  std::vector<std::vector<int>> after_;
  absl::flat_hash_map<int, int> maker_;  // by buffer
};

}  // namespace

bool MoveToReaders(const Plan& plan, const LoopMembers& members) { return Mover(plan, members).Run(); }

}  // namespace staticflow
