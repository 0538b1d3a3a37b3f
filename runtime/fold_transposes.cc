// FoldTransposes: products read operands as they lie, and a product that is only wanted transposed is computed so:
//
//   MatMul(x, Transpose(w))      ->  MatMul(x, w, transpose_b)
//   Transpose(MatMul(x, y))      ->  MatMul(y, x, transpose_a, transpose_b)
//
// The same products are added in the same order either way.
#include <algorithm>

#include "runtime/pass.h"
#include "runtime/passes.h"
#include "runtime/product.h"
#include "runtime/versions.h"

namespace staticflow {
namespace {

// Whether the instruction transposes a matrix.
bool TransposesMatrix(const Plan& plan, const Instruction& instruction) {
  if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.inputs.size() != 2 ||
      instruction.outputs.size() != 1) {
    return false;
  }
  if (!instruction.node->op().is(OpRole::kTranspose)) return false;
  const Buffer& order = plan.buffers[plan.values[instruction.inputs[1]].buffer];
  if (order.kind != BufferKind::kConst || plan.values[instruction.inputs[0]].shape.rank() != 2) return false;
  const Tensor& perm = order.constant;
  if (perm.num_elements() != 2) return false;
  if (perm.dtype() == DT_INT32) return perm.flat<int32_t>()[0] % 2 != 0 && perm.flat<int32_t>()[1] % 2 == 0;
  if (perm.dtype() == DT_INT64) return perm.flat<int64_t>()[0] % 2 != 0 && perm.flat<int64_t>()[1] % 2 == 0;
  return false;
}

class TransposeFolder {
 public:
  explicit TransposeFolder(Plan* plan)
      : plan_(*plan), versions_(*plan), readers_(CountReaders(*plan)), gone_(plan->instructions.size(), false) {}

  void Run() {
    FindRuns();
    for (int i = 0; i < Size(); ++i) {
      versions_.Before(i);
      Instruction& instruction = plan_.instructions[i];
      if (instruction.product != nullptr) {
        for (int k : {0, 1}) FoldOperand(i, k);
        if (!instruction.product->accumulate) {
          products_[BufferOf(instruction.outputs[0])] = {i, VersionOf(instruction.inputs[0]),
                                                         VersionOf(instruction.inputs[1])};
        }
      } else if (TransposesMatrix(plan_, instruction) && !FoldResult(i)) {
        transposes_[BufferOf(instruction.outputs[0])] = {i, VersionOf(instruction.inputs[0])};
      }
      versions_.After(i);
    }
    DropUnread();
    RemoveInstructions(gone_, &plan_);
  }

 private:
  struct Transposed {
    int instruction = -1;
    int version = 0;  // of what was transposed
  };
  struct Computed {
    int instruction = -1;
    int version_a = 0;
    int version_b = 0;
  };

  int Size() const { return static_cast<int>(plan_.instructions.size()); }
  int BufferOf(int value) const { return plan_.values[value].buffer; }
  int VersionOf(int value) const { return versions_.Of(BufferOf(value)); }

  void FindRuns() {
    run_of_.assign(Size(), -1);
    const std::vector<std::pair<int, int>> runs = StraightRuns(plan_);
    for (size_t r = 0; r < runs.size(); ++r) {
      std::fill(run_of_.begin() + runs[r].first, run_of_.begin() + runs[r].second, static_cast<int>(r));
    }
  }

  // Operand k of the product: what was transposed to get it, as long as that is still the same.
  void FoldOperand(int i, int k) {
    Instruction& product = plan_.instructions[i];
    for (;;) {
      const int operand = product.inputs[k];
      auto it = transposes_.find(BufferOf(operand));
      if (it == transposes_.end() || !versions_.Covers(it->second.instruction, i)) return;
      const Instruction& transpose = plan_.instructions[it->second.instruction];
      const int source = transpose.inputs[0];
      if (!(plan_.values[operand].shape == plan_.values[transpose.outputs[0]].shape)) return;
      if (plan_.values[operand].dtype != plan_.values[source].dtype || VersionOf(source) != it->second.version) return;
      product.inputs[k] = source;
      bool& flag = k == 0 ? product.product->transpose_a : product.product->transpose_b;
      flag = !flag;
    }
  }

  // Computes the product here, transposed, if nobody else wants it.
  bool FoldResult(int i) {
    Instruction& transpose = plan_.instructions[i];
    const int operand = transpose.inputs[0];
    auto it = products_.find(BufferOf(operand));
    if (it == products_.end() || readers_[BufferOf(operand)] != 1) return false;
    const Computed& made = it->second;
    const Instruction& product = plan_.instructions[made.instruction];
    if (run_of_[i] < 0 || run_of_[i] != run_of_[made.instruction]) return false;
    if (!(plan_.values[operand].shape == plan_.values[product.outputs[0]].shape) ||
        plan_.values[operand].dtype != plan_.values[product.outputs[0]].dtype) {
      return false;
    }
    if (VersionOf(product.inputs[0]) != made.version_a || VersionOf(product.inputs[1]) != made.version_b) return false;
    auto call = std::make_shared<ProductCall>(*product.product);
    std::swap(call->m, call->n);
    call->transpose_a = !product.product->transpose_b;
    call->transpose_b = !product.product->transpose_a;
    Instruction folded{.kind = InstructionKind::kKernel, .node = product.node};
    folded.inputs = {product.inputs[1], product.inputs[0]};
    folded.outputs = transpose.outputs;
    folded.guard = transpose.guard;
    folded.absorbed = product.absorbed;
    folded.product = std::move(call);
    gone_[made.instruction] = true;
    products_.erase(it);
    transpose = std::move(folded);
    products_[BufferOf(transpose.outputs[0])] = {i, VersionOf(transpose.inputs[0]), VersionOf(transpose.inputs[1])};
    return true;
  }

  // Transposes whose results nobody reads any more, later ones first: they may have read each other.
  void DropUnread() {
    std::vector<int> readers = CountReaders(plan_);
    for (int i = 0; i < Size(); ++i) {
      if (!gone_[i]) continue;
      for (int buffer : AccessOfBuffers(plan_, plan_.instructions[i]).reads) --readers[buffer];
    }
    for (int i = Size() - 1; i >= 0; --i) {
      const Instruction& instruction = plan_.instructions[i];
      if (gone_[i] || !TransposesMatrix(plan_, instruction) || readers[BufferOf(instruction.outputs[0])] > 0) continue;
      gone_[i] = true;
      for (int buffer : AccessOfBuffers(plan_, instruction).reads) --readers[buffer];
    }
  }

  Plan& plan_;
  BufferVersions versions_;
  const std::vector<int> readers_;
  std::vector<bool> gone_;
  std::vector<int> run_of_;                          // by instruction; -1: it is alone
  absl::flat_hash_map<int, Transposed> transposes_;  // by the buffer that holds the transpose
  absl::flat_hash_map<int, Computed> products_;      // by the buffer that holds the product
};

}  // namespace

void FoldTransposes(Plan* plan) { TransposeFolder(plan).Run(); }

}  // namespace staticflow
