// CallProducts and FuseProducts: products of matrices become calls that the planner can divide and pad; those that only
// update a variable are added to it as they are computed.
#include <algorithm>

#include "runtime/pass.h"
#include "runtime/passes.h"
#include "runtime/product.h"
#include "runtime/versions.h"

namespace staticflow {
namespace {

// The call that an instruction stands for, if it is a product of float or double matrices.
std::shared_ptr<ProductCall> ProductOf(const Plan& plan, const Instruction& instruction) {
  if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.loop != nullptr ||
      instruction.product != nullptr || instruction.inputs.size() != 2) {
    return nullptr;
  }
  const ProductForm& form = instruction.node->op().spec.product;
  if (form.transpose_a.empty()) return nullptr;
  const Value& a = plan.values[instruction.inputs[0]];
  const Value& b = plan.values[instruction.inputs[1]];
  if ((a.dtype != DT_FLOAT && a.dtype != DT_DOUBLE) || a.shape.rank() != 2 || b.shape.rank() != 2) return nullptr;
  if (a.shape.num_elements() == 0 || b.shape.num_elements() == 0) return nullptr;
  auto call = std::make_shared<ProductCall>();
  call->transpose_a = instruction.node->attr<bool>(form.transpose_a);
  call->transpose_b = instruction.node->attr<bool>(form.transpose_b);
  call->m = a.shape.dim(call->transpose_a ? 1 : 0);
  call->k = a.shape.dim(call->transpose_a ? 0 : 1);
  call->n = b.shape.dim(call->transpose_b ? 0 : 1);
  return call;
}

class ProductFuser {
 public:
  explicit ProductFuser(Plan* plan)
      : plan_(*plan), versions_(*plan), readers_(CountReaders(*plan)), gone_(plan->instructions.size(), false) {}

  void Run() {
    int next = 0;
    for (const auto& [begin, end] : StraightRuns(plan_)) {
      for (; next < begin; ++next) Pass(next);
      made_.clear();
      for (; next < end; ++next) {
        versions_.Before(next);
        See(next);
        versions_.After(next);
      }
    }
    RemoveInstructions(gone_, &plan_);
  }

 private:
  // A product of the present run, and what its operands held.
  struct Made {
    int instruction = -1;
    int version_a = 0;
    int version_b = 0;
  };

  int BufferOf(int value) const { return plan_.values[value].buffer; }
  int VersionOf(int value) const { return versions_.Of(BufferOf(value)); }

  void Pass(int i) {
    versions_.Before(i);
    versions_.After(i);
  }

  void See(int i) {
    const Instruction& instruction = plan_.instructions[i];
    if (instruction.product != nullptr) {
      made_[BufferOf(instruction.outputs[0])] = {i, VersionOf(instruction.inputs[0]), VersionOf(instruction.inputs[1])};
    } else if (instruction.kind == InstructionKind::kKernel && instruction.loop == nullptr) {
      FuseUpdate(i);
    }
  }

  void FuseUpdate(int i) {
    Instruction& update = plan_.instructions[i];
    const AccumulationForm& form = update.node->op().spec.accumulation;
    if (form.delta < 0 || update.variables.empty() || update.variables[0] == nullptr) return;
    const int variable = ValueOfVariable(plan_, update.variables[0]);
    const int delta = update.inputs[form.delta];
    const auto it = made_.find(BufferOf(delta));
    if (variable < 0 || it == made_.end() || readers_[it->first] != 1) return;
    const Made& made = it->second;
    const Instruction& product = plan_.instructions[made.instruction];
    const Value& target = plan_.values[variable];
    if (product.product->accumulate || target.dtype != plan_.values[delta].dtype ||
        !(target.shape == plan_.values[product.outputs[0]].shape)) {
      return;
    }
    // Its operands must not change between here and there, nor by the sum itself.
    if (VersionOf(product.inputs[0]) != made.version_a || VersionOf(product.inputs[1]) != made.version_b) return;
    for (int input : product.inputs) {
      if (BufferOf(input) == target.buffer) return;
    }
    auto call = std::make_shared<ProductCall>(*product.product);
    call->accumulate = true;
    call->sign = form.sign;
    Instruction fused{.kind = InstructionKind::kKernel, .node = update.node, .inputs = product.inputs};
    if (form.scale >= 0) {
      call->scale_input = 2;
      fused.inputs.push_back(update.inputs[form.scale]);
    }
    fused.inputs.push_back(variable);
    fused.outputs = {variable};
    fused.absorbed = product.absorbed;
    fused.absorbed.push_back(product.node);
    fused.guard = update.guard;
    fused.product = std::move(call);
    gone_[made.instruction] = true;
    update = std::move(fused);
  }

  Plan& plan_;
  BufferVersions versions_;
  const std::vector<int> readers_;
  std::vector<bool> gone_;
  absl::flat_hash_map<int, Made> made_;  // by buffer
};

}  // namespace

void CallProducts(Plan* plan) {
  for (Instruction& instruction : plan->instructions) {
    if (std::shared_ptr<ProductCall> call = ProductOf(*plan, instruction)) {
      instruction.product = std::move(call);
      instruction.variables.clear();
    }
  }
}

void FuseProducts(Plan* plan) { ProductFuser(plan).Run(); }

}  // namespace staticflow
