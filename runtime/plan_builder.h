// PlanBuilder: turns the items of a program into instructions. Inside runtime/plan_builder.cc, which has the
// instructions themselves, and runtime/plan_control.cc, which has what decides whether they run.
#ifndef STATICFLOW_RUNTIME_PLAN_BUILDER_H_
#define STATICFLOW_RUNTIME_PLAN_BUILDER_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "graph/stack_links.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

namespace staticflow {

// What attempts to build a plan have learned of its loops. Whether a value that goes around keeps its shape shows when
// the body is planned: the first attempt takes it for granted.
struct LoopShapes {
  bool may_all_change = false;
  absl::flat_hash_set<const Node*> changing = {};  // Merge nodes of values that have other shapes in other iterations

  bool MayChange(const Node& merge) const { return may_all_change || changing.contains(&merge); }
};

class PlanBuilder {
 public:
  // `loop_shapes` grows when something contradicts it: then the plan is of no use, and is to be built once more.
  PlanBuilder(std::shared_ptr<const Program> program, ResourceStore* resources, const PlanOptions& options,
              LoopShapes* loop_shapes)
      : program_(*program),
        resources_(resources),
        options_(options),
        plan_(std::make_unique<Plan>()),
        loop_shapes_(*loop_shapes) {
    plan_->program = std::move(program);
  }

  // The instructions as the program has them.
  absl::Status Emit(absl::Span<const Shape> feed_shapes);
  // REQUIRES: Emit was OK.
  absl::StatusOr<std::unique_ptr<const Plan>> Finish();
  bool has_static_loops() const { return has_static_loops_; }

 private:
  absl::Status AddFeeds(absl::Span<const Shape> feed_shapes);
  absl::Status EmitItem(ProgramItem item);
  // kAlways or kNever where the values of the predicates are known, else the guard itself.
  GuardId Resolve(GuardId guard);
  std::optional<bool> Known(GuardId guard);
  std::optional<bool> ValueOfPredicate(Output predicate);
  absl::Status EmitSource(const ProgramItem& item);
  absl::Status EmitAliases(const ProgramItem& item);
  absl::Status EmitCopy(const ProgramItem& item, int from, Output to);
  absl::Status EmitMerge(const ProgramItem& item);
  absl::Status EmitLoopBegin(const ProgramItem& item);
  absl::Status EmitLoopEnd(const ProgramItem& item);
  absl::Status EmitKernel(const ProgramItem& item);
  bool Fold(const Node& node, const Kernel& kernel, absl::Span<const int> inputs, absl::Span<const Shape> shapes);
  // The shape of what `pop` takes: that of what the push of its stack keeps, when that stays the same.
  absl::StatusOr<Shape> ShapeOnStack(const Node& pop);
  absl::Status FinishFetches();
  void IndexForExecution();

  // The value that an edge carries: a fed one, the memory of a variable, or what its node gave. -1: never computed.
  absl::StatusOr<int> ValueOf(Output output);
  absl::StatusOr<int> VariableValue(const Node& declaring);
  int NewValue(DataType dtype, const Shape& shape, Buffer buffer);
  int NewResult(DataType dtype, const Shape& shape);
  int ConstValue(Tensor tensor);
  const Buffer& BufferOf(int value) const { return plan_->buffers[plan_->values[value].buffer]; }
  // The value's tensor when it is the same in every step, else null.
  const Tensor* ConstOf(int value) const {
    return value >= 0 && BufferOf(value).kind == BufferKind::kConst ? &BufferOf(value).constant : nullptr;
  }
  Shape ShapeOf(int value) const {
    if (value < 0 || !plan_->values[value].is_static) return Shape::Unknown();
    return plan_->values[value].shape;
  }

  // Appends an instruction that runs under `guard`, with a jump over it where the guard begins.
  Instruction& Append(GuardId guard, Instruction instruction);
  void CloseGuard();
  void CheckInitialized(GuardId guard, const Node& node, VariableSlot* variable);

  const Program& program_;
  ResourceStore* resources_;
  const PlanOptions& options_;
  std::unique_ptr<Plan> plan_;
  absl::flat_hash_map<Output, int> values_;
  absl::flat_hash_map<const Node*, int> variable_values_;
  absl::flat_hash_map<const VariableSlot*, int> slot_values_;
  absl::flat_hash_map<Output, int> snapshot_values_;
  absl::flat_hash_map<VariableSlot*, std::vector<GuardId>> checked_;
  GuardId open_guard_ = GuardTable::kAlways;
  int open_jump_ = -1;
  std::vector<int> loop_heads_;  // first instructions of the open loops
  LoopShapes& loop_shapes_;
  std::unique_ptr<StackLinks> stacks_;  // of the graph, once they are asked for
  bool has_static_loops_ = false;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PLAN_BUILDER_H_
