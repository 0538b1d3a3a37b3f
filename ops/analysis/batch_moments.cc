#include "ops/analysis/batch_moments.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "graph/variable_key.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

// The dimensions that `reduction`, a Mean, reduces; empty unless they are constants and 0 is among them.
std::vector<int> ReducedAxes(const Node& reduction) {
  const Output axes = ViewedValue(reduction.input(1));
  if (!axes.node()->op().is(OpRole::kConst)) return {};
  const absl::StatusOr<std::vector<int64_t>> values = IntegerValues(axes.node()->attr<Tensor>("value"));
  const int rank = reduction.input(0).shape().rank();
  std::vector<int> result;
  for (int64_t axis : values.value_or(std::vector<int64_t>())) {
    if (axis < 0 && rank >= 0) axis += rank;
    if (axis < 0 || axis >= Shape::kMaxRank) return {};
    result.push_back(static_cast<int>(axis));
  }
  std::sort(result.begin(), result.end());
  if (result.empty() || result[0] != 0) return {};
  return result;
}

// The x of x^2; invalid for another value.
Output SquareRoot(Output value) {
  const Node& node = *value.node();
  if (IsType(node, {"Square"})) return node.input(0);
  if (IsType(node, {"Mul"}) && ViewedValue(node.input(0)) == ViewedValue(node.input(1))) return node.input(0);
  if (IsType(node, {"Pow"}) && ConstantNumber(node.input(1)) == 2) return node.input(0);
  return Output();
}

// Whether `value` is the mean of `x` over the same dimensions.
bool IsMeanOf(Output value, Output x, const std::vector<int>& axes) {
  const std::optional<BatchMoment> mean = AsBatchMean(value);
  return mean.has_value() && mean->input == SameShapeValue(x) && mean->axes == axes;
}

// The variable that `output` reads: a Switch into a branch may be what does, of a reference.
Node* ReadVariable(Output output) {
  if (output.is_ref() || output.dtype() == DT_RESOURCE) return VariableBehind(output);
  const Node& node = *output.node();
  const bool reads =
      node.op().is(OpRole::kReadVariable) || node.op().is(OpRole::kIdentity) || node.op().is(OpRole::kSwitch);
  return reads && (node.input(0).is_ref() || node.input(0).dtype() == DT_RESOURCE) ? VariableBehind(node.input(0))
                                                                                   : nullptr;
}

// A value as coefficient * (the variable) + the rest, which is known when it is a constant.
struct Linear {
  double coefficient = 0;
  std::optional<double> rest = {};
};

class LinearReader {
 public:
  LinearReader(const Node& variable, bool branch) : variable_(variable), branch_(branch) {}

  std::optional<Linear> Read(Output output, int depth = 0) const {
    constexpr int kMaxDepth = 16;
    if (depth > kMaxDepth) return std::nullopt;
    if (ReadVariable(output) == &variable_) return Linear{.coefficient = 1, .rest = 0};
    if (const std::optional<double> number = ConstantNumber(output); number.has_value()) return Linear{.rest = number};
    const Node& node = *output.node();
    if (const int passed = PassedOnInput(output); passed >= 0) return Read(node.input(passed), depth + 1);
    if (node.op().is(OpRole::kMerge)) {
      for (Output input : node.inputs()) {
        const std::optional<Branch> branch = BranchOf(input);
        if (branch.has_value() && branch->value == branch_) return Read(input, depth + 1);
      }
      return std::nullopt;
    }
    if (!IsType(node, {"Add", "AddV2", "Sub", "Mul"})) return Linear{};
    const std::optional<Linear> a = Read(node.input(0), depth + 1), b = Read(node.input(1), depth + 1);
    if (!a.has_value() || !b.has_value()) return std::nullopt;
    return node.type() == "Mul" ? Product(*a, *b) : Sum(*a, *b, node.type() == "Sub" ? -1 : 1);
  }

 private:
  static Linear Sum(const Linear& a, const Linear& b, double sign) {
    Linear sum{.coefficient = a.coefficient + sign * b.coefficient};
    if (a.rest.has_value() && b.rest.has_value()) sum.rest = *a.rest + sign * *b.rest;
    return sum;
  }
  static std::optional<Linear> Product(const Linear& a, const Linear& b) {
    const bool a_is_number = a.coefficient == 0 && a.rest.has_value();
    const bool b_is_number = b.coefficient == 0 && b.rest.has_value();
    if (!a_is_number && !b_is_number)
      return a.coefficient == 0 && b.coefficient == 0 ? std::optional(Linear{}) : std::nullopt;
    const double factor = a_is_number ? *a.rest : *b.rest;
    const Linear& other = a_is_number ? b : a;
    Linear product{.coefficient = factor * other.coefficient};
    if (other.rest.has_value()) product.rest = factor * *other.rest;
    return product;
  }

  const Node& variable_;
  const bool branch_;
};

}  // namespace

std::optional<BatchMoment> AsBatchMean(Output value) {
  value = ViewedValue(value);
  const Node& node = *value.node();
  if (!IsType(node, {"Mean"})) return std::nullopt;
  std::vector<int> axes = ReducedAxes(node);
  if (axes.empty()) return std::nullopt;
  return BatchMoment{.value = value, .input = SameShapeValue(node.input(0)), .axes = std::move(axes)};
}

std::optional<BatchMoment> AsBatchVariance(Output value) {
  value = ViewedValue(value);
  const Node& node = *value.node();
  if (IsType(node, {"Sub"})) {
    const std::optional<BatchMoment> of_squares = AsBatchMean(node.input(0));
    const Output x = of_squares.has_value() ? SquareRoot(of_squares->input) : Output();
    const Output mean = SquareRoot(ViewedValue(node.input(1)));
    if (!x.valid() || !mean.valid() || !IsMeanOf(mean, x, of_squares->axes)) return std::nullopt;
    return BatchMoment{.value = value, .input = SameShapeValue(x), .axes = of_squares->axes};
  }
  const std::optional<BatchMoment> mean = AsBatchMean(value);
  if (!mean.has_value()) return std::nullopt;
  const Node* difference = mean->input.node();
  if (!IsType(*difference, {"SquaredDifference"})) {
    const Output root = SquareRoot(mean->input);
    if (!root.valid()) return std::nullopt;
    difference = ViewedValue(root).node();
    if (!IsType(*difference, {"Sub"})) return std::nullopt;
  }
  for (int i = 0; i < 2; ++i) {
    const Output x = difference->input(i);
    if (!IsMeanOf(difference->input(1 - i), x, mean->axes)) continue;
    return BatchMoment{.value = value, .input = SameShapeValue(x), .axes = mean->axes};
  }
  return std::nullopt;
}

Origins TraceStatistic(Output statistic, bool is_variance) {
  Origins origins;
  struct Place {
    Output output;
    std::optional<Branch> branch;
  };
  std::vector<Place> open = {{statistic, std::nullopt}};
  absl::flat_hash_set<Output> seen;
  for (size_t next = 0; next < open.size(); ++next) {
    auto [output, branch] = open[next];
    if (!output.valid() || !seen.insert(output).second) continue;
    const Node& node = *output.node();
    if (Node* variable = ReadVariable(output); variable != nullptr) {
      if (origins.variable == nullptr) origins.variable = variable, origins.stored = output;
    } else if (node.op().is(OpRole::kConst)) {
      if (!origins.stored.valid()) origins.stored = output;
    } else if (node.op().is(OpRole::kMerge)) {
      for (Output input : node.inputs()) open.push_back({input, BranchOf(input)});
    } else if (IsType(node, {"Select", "SelectV2"})) {
      const Output predicate = ViewedValue(node.input(0));
      open.push_back({node.input(1), Branch{predicate, true}});
      open.push_back({node.input(2), Branch{predicate, false}});
    } else if (const int passed = PassedOnInput(output); passed >= 0) {
      open.push_back({node.input(passed), branch});
    } else if (!origins.batch.has_value()) {
      origins.batch = is_variance ? AsBatchVariance(output) : AsBatchMean(output);
      if (origins.batch.has_value()) origins.batch_branch = branch;
    }
  }
  return origins;
}

std::optional<double> MomentumOf(const Node& write, const Node& variable, bool value) {
  if (write.num_inputs() < 2) return std::nullopt;
  const std::optional<Linear> written = LinearReader(variable, value).Read(write.input(1));
  if (!written.has_value()) return std::nullopt;
  double momentum = written->coefficient;
  if (IsType(write, {"AssignSub", "AssignSubVariableOp"})) momentum = 1 - momentum;
  if (IsType(write, {"AssignAdd", "AssignAddVariableOp"})) momentum = 1 + momentum;
  return momentum >= 0 && momentum <= 1 ? std::optional(momentum) : std::nullopt;
}

}  // namespace staticflow
