// ShareCommon: equal expressions are computed once.
//
// Two instructions compute the same when they have the same op and attributes and each operand of the one has the
// contents, the type and the shape of the other's. The first one's results serve both where it has run whenever the
// second one would.
#include <algorithm>
#include <cstring>

#include "absl/hash/hash.h"
#include "runtime/pass.h"
#include "runtime/passes.h"
#include "runtime/versions.h"

namespace staticflow {
namespace {

// Of equal expressions under unrelated guards only so many are remembered, so that the time stays linear.
constexpr size_t kMaxAlternatives = 8;

// An operand: equal ones have the same contents at the place where the keys were made.
struct OperandKey {
  int buffer = -1;
  int version = 0;
  DataType dtype = DT_INVALID;
  const Shape* shape = nullptr;

  friend bool operator==(const OperandKey& a, const OperandKey& b) {
    return a.buffer == b.buffer && a.version == b.version && a.dtype == b.dtype && *a.shape == *b.shape;
  }
  template <typename H>
  friend H AbslHashValue(H h, const OperandKey& k) {
    return H::combine(std::move(h), k.buffer, k.version, k.dtype, k.shape->rank());
  }
};

struct ExpressionKey {
  const Node* node = nullptr;
  std::vector<OperandKey> operands;

  friend bool operator==(const ExpressionKey& a, const ExpressionKey& b) {
    if (&a.node->op() != &b.node->op() || a.operands != b.operands) return false;
    const std::vector<AttrDef>& attrs = a.node->op().attrs;
    return std::all_of(attrs.begin(), attrs.end(), [&](const AttrDef& attr) {
      const auto x = a.node->attrs().find(attr.name), y = b.node->attrs().find(attr.name);
      const bool in_a = x != a.node->attrs().end(), in_b = y != b.node->attrs().end();
      return in_a == in_b && (!in_a || x->second == y->second);
    });
  }
  template <typename H>
  friend H AbslHashValue(H h, const ExpressionKey& k) {
    return H::combine(std::move(h), &k.node->op(), k.operands);
  }
};

class Sharer {
 public:
  explicit Sharer(Plan* plan) : plan_(*plan), versions_(*plan), shared_(plan->buffers.size()) {
    for (size_t b = 0; b < shared_.size(); ++b) shared_[b] = static_cast<int>(b);
  }

  void Run() {
    const int n = static_cast<int>(plan_.instructions.size());
    std::vector<bool> gone(n, false);
    FindEqualConstants();
    for (int i = 0; i < n; ++i) {
      versions_.Before(i);
      if (MayShare(plan_.instructions[i])) gone[i] = ShareOrRemember(i);
      versions_.After(i);
    }
    for (Value& value : plan_.values) {
      // Constants stay where they are: their bytes belong to the graph.
      if (plan_.buffers[value.buffer].kind != BufferKind::kConst) value.buffer = shared_[value.buffer];
    }
    RemoveInstructions(gone, &plan_);
  }

 private:
  // Tensors with the same bytes count as one buffer.
  void FindEqualConstants() {
    absl::flat_hash_map<std::pair<int, absl::string_view>, int> first;
    for (size_t b = 0; b < plan_.buffers.size(); ++b) {
      const Tensor& constant = plan_.buffers[b].constant;
      if (plan_.buffers[b].kind != BufferKind::kConst || !HasPlainBytes(constant.dtype())) continue;
      const absl::string_view bytes(static_cast<const char*>(constant.raw()), constant.bytes());
      shared_[b] = first.try_emplace({static_cast<int>(constant.dtype()), bytes}, static_cast<int>(b)).first->second;
    }
  }
  static bool HasPlainBytes(DataType dtype) { return !IsObject(dtype) && DataTypeSize(dtype) > 0; }

  bool MayShare(const Instruction& instruction) const {
    if (instruction.kind != InstructionKind::kKernel || !instruction.is_static || instruction.outputs.empty())
      return false;
    if (instruction.node->op().has(kStateful) || instruction.node->op().has(kAlwaysRuns)) return false;
    for (int buffer : AccessOfBuffers(plan_, instruction).writes) {
      if (plan_.buffers[buffer].kind == BufferKind::kVariable) return false;
    }
    // A handle is no operand that could be compared: the value behind it is.
    for (size_t k = 0; k < instruction.inputs.size(); ++k) {
      const Value& operand = plan_.values[instruction.inputs[k]];
      if (!operand.is_static || operand.dtype == DT_RESOURCE || operand.dtype == DT_VARIANT) return false;
    }
    return true;
  }

  ExpressionKey KeyOf(const Instruction& instruction) const {
    ExpressionKey key{.node = instruction.node, .operands = {}};
    for (int input : instruction.inputs) {
      const Value& value = plan_.values[input];
      const int buffer = shared_[value.buffer];
      key.operands.push_back({buffer, versions_.Of(buffer), value.dtype, &value.shape});
    }
    if (instruction.node->op().has(kCommutative) && key.operands.size() == 2 &&
        key.operands[0].buffer > key.operands[1].buffer) {
      std::swap(key.operands[0], key.operands[1]);
    }
    return key;
  }

  // Whether an earlier instruction has the results already.
  bool ShareOrRemember(int i) {
    const Instruction& instruction = plan_.instructions[i];
    std::vector<int>& known = known_[KeyOf(instruction)];
    for (int earlier : known) {
      const Instruction& first = plan_.instructions[earlier];
      if (!versions_.Covers(earlier, i) || !plan_.program->guards.Implies(instruction.guard, first.guard)) continue;
      for (size_t k = 0; k < instruction.outputs.size(); ++k) {
        shared_[BufferOf(instruction.outputs[k])] = BufferOf(first.outputs[k]);
      }
      return true;
    }
    if (known.size() < kMaxAlternatives) known.push_back(i);
    return false;
  }
  int BufferOf(int value) const { return plan_.values[value].buffer; }

  Plan& plan_;
  BufferVersions versions_;
  std::vector<int> shared_;  // by buffer: the one that holds the same
  absl::flat_hash_map<ExpressionKey, std::vector<int>> known_;
};

}  // namespace

void ShareCommon(Plan* plan) { Sharer(plan).Run(); }

}  // namespace staticflow
