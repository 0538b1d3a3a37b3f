// LoopWriter: instructions of a plan written down as one loop program. Inside the pass that fuses loops.
#ifndef STATICFLOW_RUNTIME_LOOP_WRITER_H_
#define STATICFLOW_RUNTIME_LOOP_WRITER_H_

#include <functional>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "runtime/loop.h"
#include "runtime/plan.h"

namespace staticflow {

// The rows and columns that a loop works on.
struct Space {
  int64_t rows = 1;
  int64_t columns = 1;

  bool operator==(const Space&) const = default;
  // The space of both, if one holds the other.
  static std::optional<Space> Union(const Space& a, const Space& b) {
    const bool scalar_a = a.rows * a.columns == 1, scalar_b = b.rows * b.columns == 1;
    // Scalars are computed once, matrices in parts: they stay apart.
    if (scalar_a != scalar_b || a.columns != b.columns) return std::nullopt;
    if (a.rows != b.rows && a.rows != 1 && b.rows != 1) return std::nullopt;
    return Space{std::max(a.rows, b.rows), a.columns};
  }
};

// The space of an instruction: that of its largest operand or result.
Space SpaceOf(const Plan& plan, const Instruction& instruction, absl::Span<const int> operands);

// A constant whose elements are all the same float.
std::optional<float> UniformConstant(const Plan& plan, int value);

// Whether the instruction has a hook and its sizes are known.
bool MayLoop(const Plan& plan, const Instruction& instruction);

// Buffers of which all elements are the same, whatever the step does (zeros in the shape of something).
using UniformBuffers = absl::flat_hash_map<int, float>;
UniformBuffers FindUniformBuffers(const Plan& plan);
// Leaves out the instructions that fill uniform buffers which only loops used.
void DropUnreadUniforms(const UniformBuffers& uniform, Plan* plan);

// Writes instructions down as one program, in order.
class LoopWriter {
 public:
  // `any_truth_values`: operands that are truth values are taken as if the loop computed them.
  LoopWriter(const Plan& plan, Space space, const UniformBuffers& uniform, bool any_truth_values = false)
      : plan_(plan), uniform_(uniform), any_truth_values_(any_truth_values) {
    program_.rows = space.rows;
    program_.columns = space.columns;
  }

  // False when the instruction cannot be part of this loop; the program is of no use then.
  bool Add(const Instruction& instruction);
  // Makes results of what is needed outside: `wanted` says so of a buffer. False when a truth value is.
  bool Finish(const std::function<bool(int)>& wanted, Instruction* loop);

  const LoopProgram& program() const { return program_; }
  // The constant that the only result is, if it is one.
  std::optional<float> ConstantResult() const {
    if (order_.size() != 1) return std::nullopt;
    const LoopProgram::Register& r = program_.registers[held_.at(order_[0]).reg];
    return r.is_constant ? std::optional<float>(r.constant) : std::nullopt;
  }
  // The operands that hooks see: a variable's value in place of its handle or reference.
  static std::vector<int> Operands(const Plan& plan, const Instruction& instruction);

 private:
  struct Held {
    int reg = -1;
    int value = -1;  // through which the plan sees the buffer
    LaneLevel level = LaneLevel::kScalar;
    int operand = -1;
    bool written = false;
  };
  std::optional<int> Read(int value);
  bool Write(int value, int reg);

  const Plan& plan_;
  const UniformBuffers& uniform_;
  const bool any_truth_values_;
  LoopProgram program_;
  absl::flat_hash_map<int, Held> held_;  // by buffer
  std::vector<int> order_;               // buffers as they were first written
  std::vector<int> operand_values_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LOOP_WRITER_H_
