// What ops say about the examples of a batch without declaring a rule: their traits, roles and forms say it.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/batch_flow.h"

namespace staticflow {
namespace {

std::vector<int> AllInputs(const BatchContext& c) {
  std::vector<int> all;
  for (int i = 0; i < c.num_inputs(); ++i) all.push_back(i);
  return all;
}

// Shapes hold no data of the batch, unless a tensor's data decided its shape.
void ShapeOnly(BatchContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (c.input(i).kind > BatchRows::kRows && !c.input_shape(i).IsFullyDefined()) return c.SetWorst();
  }
  c.set_all(BatchRows::Constant());
}

void Transposed(BatchContext& c) {
  if (!c.input(0).is_rows()) return c.SetWorst();
  const std::optional<std::vector<int64_t>> perm = c.Integers(1);
  if (!perm.has_value()) return c.Unknown("its permutation is not constant");
  const auto at = std::find_if(perm->begin(), perm->end(),
                               [&](int64_t axis) { return c.Axis(axis, 0) == std::optional(c.input(0).axis); });
  if (at == perm->end()) return c.Unknown("its permutation is not known");
  c.set_all(c.input(0).At(static_cast<int>(at - perm->begin())));
}

void Product(BatchContext& c, const ProductForm& form) {
  ContractBatch(c, absl::StrCat(c.attr<bool>(form.transpose_a) ? "km" : "mk", ",",
                                c.attr<bool>(form.transpose_b) ? "nk" : "kn", "->mn"));
}

// Whether every operand has one letter per dimension, so that the letters say all.
bool NamesAllDimensions(const Node& node, absl::string_view dims) {
  const std::vector<std::string> sides = absl::StrSplit(dims, "->");
  const std::vector<std::string> operands = absl::StrSplit(sides[0], ',');
  if (static_cast<int>(operands.size()) != node.num_inputs() || node.num_outputs() != 1) return false;
  for (int i = 0; i < node.num_inputs(); ++i) {
    if (node.input(i).shape().rank() != static_cast<int>(operands[static_cast<size_t>(i)].size())) return false;
  }
  return node.output_shape(0).rank() == static_cast<int>(sides[1].size());
}

// The input that a role passes on, or -1.
int PassedInput(OpRole role) {
  switch (role) {
    case OpRole::kIdentity:
    case OpRole::kStopGradient:
    case OpRole::kDefault:
    case OpRole::kReadVariable:
    case OpRole::kSwitch:
    case OpRole::kEnter:
    case OpRole::kExit:
    case OpRole::kNextIteration:
    case OpRole::kLoopCond:
    case OpRole::kStackPop:
      return 0;
    case OpRole::kStackPush:
      return 1;
    default:
      return -1;
  }
}

bool IsStack(OpRole role) { return role == OpRole::kStack || role == OpRole::kStackPush || role == OpRole::kStackPop; }

bool RunsFunctions(OpRole role) {
  return role == OpRole::kCall || role == OpRole::kIf || role == OpRole::kCase || role == OpRole::kWhile;
}

bool TakesReferences(const Op& op) {
  return !op.spec.access.empty() ||
         std::any_of(op.inputs.begin(), op.inputs.end(), [](const ArgDef& arg) { return arg.is_ref; });
}

}  // namespace

void ElementwiseBatch(BatchContext& c) {
  int rank = 0;
  for (int i = 0; i < c.num_inputs() && rank >= 0; ++i) {
    rank = c.input_shape(i).has_rank() ? std::max(rank, c.input_shape(i).rank()) : -1;
  }
  if (rank < 0) rank = c.output_shape(0).rank();
  if (const std::optional<BatchRows> rows = c.AgreeingBroadcast(AllInputs(c), rank)) c.set_all(*rows);
}

void ContractBatch(BatchContext& c, absl::string_view equation) {
  const std::vector<std::string> sides = absl::StrSplit(equation, "->");
  const std::vector<std::string> operands = absl::StrSplit(sides[0], ',');
  char letter = 0;
  BatchRows agreed = BatchRows::Constant();
  for (int i = 0; i < c.num_inputs(); ++i) {
    const BatchRows& rows = c.input(i);
    if (rows.kind > BatchRows::kRows) return c.SetWorst();
    if (rows.is_constant()) continue;
    const std::string& letters = operands[static_cast<size_t>(i)];
    if (c.input_shape(i).rank() != static_cast<int>(letters.size())) return c.Unknown("the rank is not known");
    const char here = letters[static_cast<size_t>(rows.axis)];
    const bool agrees = letter == 0 || (letter == here && agreed.At(0) == rows.At(0));
    if (!agrees) return c.Mix("of operands whose examples lie along different dimensions");
    letter = here;
    agreed = rows;
  }
  if (letter == 0) return c.set_all(agreed);
  const size_t at = sides[1].find(letter);
  if (at == std::string::npos) return c.Mix("summing over the examples");
  c.set_all(agreed.At(static_cast<int>(at)));
}

void ApplyBatchRule(BatchContext& c) {
  const Op& op = c.node().op();
  if (op.spec.batch != nullptr) return op.spec.batch(c);
  if (op.has(kShapeOnly)) return ShapeOnly(c);
  if (op.has(kElementwise)) return ElementwiseBatch(c);
  // A handle may hold data of the batch although no input does.
  if (op.has(kStepObjects) && !IsStack(op.spec.role)) return c.set_all(BatchRows::Unknown());
  if (c.AreConstant()) return c.set_all(BatchRows::Constant());
  if (op.is(OpRole::kTranspose)) return Transposed(c);
  if (const int passed = PassedInput(op.spec.role); passed >= 0) return c.set_all(c.input(passed));
  if (op.is(OpRole::kFill)) return c.SetWorst();
  if (!op.spec.product.transpose_a.empty()) return Product(c, op.spec.product);
  if (op.has(kAlias)) {
    for (int i = 0; i < c.num_outputs(); ++i) {
      c.set_output(i, ReshapeBatch(c.input(i), c.input_shape(i), c.output_shape(i)));
    }
    return;
  }
  const absl::string_view dims = op.spec.iteration.dims;
  if (!dims.empty() && NamesAllDimensions(c.node(), dims)) return ContractBatch(c, dims);
  if (TakesReferences(op) || c.num_outputs() == 0) return c.SetWorst();
  c.Unknown(RunsFunctions(op.spec.role) ? "what the function does is not followed" : "the op has no rule");
}

BatchRule BatchRuleOf(const Op& op) {
  if (op.spec.batch != nullptr) return BatchRule::kDeclared;
  const bool told = op.has(kStepObjects) || op.has(kShapeOnly) || op.has(kElementwise) || op.has(kAlias) ||
                    op.spec.role != OpRole::kNone || !op.spec.product.transpose_a.empty() ||
                    !op.spec.iteration.dims.empty() || TakesReferences(op) || op.inputs.empty() || op.outputs.empty();
  return told ? BatchRule::kDefault : BatchRule::kNone;
}

}  // namespace staticflow
