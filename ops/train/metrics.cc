#include "ops/train/metrics.h"

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/control_flow.h"
#include "ops/initializers.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/state.h"
#include "ops/train/operands.h"

namespace staticflow::metrics {
namespace {

constexpr auto kVariables = FunctionScope::Kind::kVariables;

// A local variable of zeros, noted in `metric`.
Variable Local(Graph& g, absl::string_view name, const Shape& shape, Metric* metric) {
  const Variable made = GetVariable(g, name,
                                    {.dtype = DT_DOUBLE,
                                     .shape = shape,
                                     .initializer = initializers::Zeros(),
                                     .trainable = false,
                                     .collections = {std::string(kLocalVariables), std::string(kMetricVariables)}});
  if (made.variable != nullptr) metric->variables.push_back(g.FindVariable(made.variable));
  return made;
}

Output AsDouble(Output x) { return x.valid() ? Cast(x, DT_DOUBLE) : x; }

// sum(values * weights) / sum(weights), over all batches.
Metric MeanIn(const FunctionScope& scope, Output values, Output weights) {
  if (!values.valid()) return {};
  values = AsDouble(values);
  Output count = Cast(SizeOf(values), DT_DOUBLE);
  if (weights.valid()) {
    weights = scope.Broadcast(weights, values);
    if (!weights.valid()) return {};
    values = values * weights;
    count = Sum(weights);
  }
  Metric metric;
  const Variable total = Local(scope.graph(), "total", {}, &metric);
  const Variable total_weight = Local(scope.graph(), "count", {}, &metric);
  if (metric.variables.size() != 2) return {};
  const Output new_total = AssignAdd(total.ref(), Sum(values));
  const Output new_weight = AssignAdd(total_weight.ref(), count);
  metric.value = Cast(DivNoNan(total.snapshot, total_weight.snapshot), DT_FLOAT, {.name = "value"});
  metric.update = Cast(DivNoNan(new_total, new_weight), DT_FLOAT, {.name = "update_op"});
  return metric;
}

// A mean of what `build` makes of labels and predictions of one shape.
template <typename Build>
Metric MeanOfPairs(absl::string_view default_name, Output labels, Output predictions, const MetricOptions& options,
                   Build build) {
  if (!labels.valid() || !predictions.valid()) return {};
  const FunctionScope scope(predictions.graph(), options.name, default_name, options.where, kVariables);
  if (!scope.SameShape("labels", labels, "predictions", predictions)) return {};
  return MeanIn(scope, build(labels, predictions), options.weights);
}

Output Squared(Output labels, Output predictions) {
  predictions = AsFloat(predictions);
  return SquaredDifference(predictions, Cast(labels, predictions.dtype()));
}

// Predictions and labels as bool.
Output Positive(Output predictions, double threshold) {
  return predictions.dtype() == DT_BOOL ? predictions : Greater(predictions, threshold);
}
Output IsYes(Output labels) { return labels.dtype() == DT_BOOL ? labels : NotEqual(labels, 0); }

// Ends the step, with `message`, unless every element of `condition` holds.
Operation AssertAll(Output condition, const std::string& message) {
  if (!condition.valid()) return Operation();
  return Assert(All(condition), {Const(condition.graph(), Tensor(message))});
}

// true_positives / (true_positives + others), where `others` counts what is_other says.
template <typename Other>
Metric Ratio(absl::string_view default_name, absl::string_view others, Output labels, Output predictions,
             const ThresholdOptions& options, Other is_other) {
  if (!labels.valid() || !predictions.valid()) return {};
  const FunctionScope scope(predictions.graph(), options.name, default_name, options.where, kVariables);
  if (!scope.SameShape("labels", labels, "predictions", predictions)) return {};
  const Output positive = Positive(predictions, options.threshold), yes = IsYes(labels);
  Metric metric;
  const auto count = [&](absl::string_view name, Output hits) {
    const VariableScope inside(scope.graph(), name);
    Output hit = AsDouble(hits);
    if (options.weights.valid()) hit = hit * scope.Broadcast(options.weights, hit);
    const Variable counter = Local(scope.graph(), "count", {}, &metric);
    return std::pair(counter.snapshot, counter.snapshot.valid() ? AssignAdd(counter.ref(), Sum(hit)) : Output());
  };
  const auto [hits, new_hits] = count("true_positives", LogicalAnd(positive, yes));
  const auto [misses, new_misses] = count(others, is_other(positive, yes));
  if (!new_hits.valid() || !new_misses.valid()) return {};
  metric.value = Cast(DivNoNan(hits, hits + misses), DT_FLOAT, {.name = "value"});
  metric.update = Cast(DivNoNan(new_hits, Output(new_hits) + new_misses), DT_FLOAT, {.name = "update_op"});
  return metric;
}

// The counts at each threshold: [thresholds].
struct Counts {
  Output true_positives, false_negatives, true_negatives, false_positives;
};

// All but the first, and all but the last, of a vector.
Output Tail(Output points) { return Slice(points, {1}, {points.shape().dim(0) - 1}); }
Output Head(Output points) { return Slice(points, {0}, {points.shape().dim(0) - 1}); }

// Between two thresholds true and all positives grow in one proportion: precision is then (intercept + slope p) / p,
// whose integral over recall has a logarithm.
Output InterpolatedArea(const Counts& c) {
  if (!c.false_negatives.valid() || !c.false_positives.valid()) return Output();
  const Output tp = c.true_positives, p = Add(tp, c.false_positives);
  const Output dtp = Head(tp) - Tail(tp), dp = Head(p) - Tail(p);
  const Output slope = DivNoNan(dtp, Maximum(dp, 0));
  const Output intercept = Tail(tp) - slope * Tail(p);
  const Output both = LogicalAnd(Greater(Head(p), 0), Greater(Tail(p), 0));
  const Output ratio = Where(both, DivNoNan(Head(p), Maximum(Tail(p), 0)), OnesLike(dp));
  return Sum(DivNoNan(slope * (dtp + intercept * Log(ratio)), Maximum(Tail(tp) + Tail(c.false_negatives), 0)));
}

// Under y over x, whose points come in the order of falling x.
Output Area(const Counts& c, Curve curve, Summation summation) {
  if (curve == Curve::kPr && summation == Summation::kCarefulInterpolation) return InterpolatedArea(c);
  constexpr double kEpsilon = 1e-6;
  const Output recall = (c.true_positives + kEpsilon) / (c.true_positives + c.false_negatives + kEpsilon);
  Output x = recall, y;
  if (curve == Curve::kRoc) {
    x = c.false_positives / (c.false_positives + c.true_negatives + kEpsilon);
    y = recall;
  } else {
    y = (c.true_positives + kEpsilon) / (c.true_positives + c.false_positives + kEpsilon);
  }
  if (!y.valid()) return Output();
  return Sum((Head(x) - Tail(x)) * (Head(y) + Tail(y)) / 2.0);
}

// Evenly spaced in [0, 1], with the outermost a little beyond.
Tensor Thresholds(int n) {
  constexpr double kEpsilon = 1e-7;
  std::vector<float> thresholds = {static_cast<float>(0 - kEpsilon)};
  for (int i = 0; i < n - 2; ++i) thresholds.push_back(static_cast<float>((i + 1) * 1.0 / (n - 1)));
  thresholds.push_back(static_cast<float>(1 + kEpsilon));
  return Tensor::Of<float>({n, 1}, thresholds);
}

}  // namespace

Operation ResetOperation(Graph& g, absl::Span<const Metric> metrics, const OpOptions& options) {
  std::vector<const Variable*> variables;
  for (const Metric& metric : metrics) {
    variables.insert(variables.end(), metric.variables.begin(), metric.variables.end());
  }
  return VariablesInitializer(g, variables, {.name = options.name.empty() ? "reset_metrics" : options.name});
}

Metric Mean(Output values, const MetricOptions& options) {
  if (!values.valid()) return {};
  const FunctionScope scope(values.graph(), options.name, "mean", options.where, kVariables);
  return MeanIn(scope, values, options.weights);
}

Metric Accuracy(Output labels, Output predictions, const MetricOptions& options) {
  return MeanOfPairs("accuracy", labels, predictions, options, [](Output y, Output p) -> Output {
    return Equal(p, y.dtype() == p.dtype() ? y : Cast(y, p.dtype()));
  });
}

Metric CategoricalAccuracy(Output labels, Output predictions, const MetricOptions& options) {
  return MeanOfPairs("categorical_accuracy", labels, predictions, options,
                     [](Output y, Output p) -> Output { return Equal(ArgMax(y, -1), ArgMax(p, -1)); });
}

Metric SparseCategoricalAccuracy(Output labels, Output predictions, const MetricOptions& options) {
  if (!labels.valid() || !predictions.valid()) return {};
  const FunctionScope scope(predictions.graph(), options.name, "sparse_categorical_accuracy", options.where,
                            kVariables);
  const Output guess = ArgMax(predictions, -1);
  if (!scope.SameShape("labels", labels, "the largest of predictions", guess)) return {};
  return MeanIn(scope, Equal(guess, Cast(labels, DT_INT64)), options.weights);
}

Metric TopKCategoricalAccuracy(Output labels, Output predictions, int64_t k, const MetricOptions& options) {
  return MeanOfPairs("top_k_categorical_accuracy", labels, predictions, options, [k](Output y, Output p) -> Output {
    return InTopK(Cast(p, DT_FLOAT), ArgMax(y, -1), Const(p.graph(), Tensor(k)));
  });
}

Metric MeanSquaredError(Output labels, Output predictions, const MetricOptions& options) {
  return MeanOfPairs("mean_squared_error", labels, predictions, options, Squared);
}

Metric MeanAbsoluteError(Output labels, Output predictions, const MetricOptions& options) {
  return MeanOfPairs("mean_absolute_error", labels, predictions, options, [](Output y, Output p) -> Output {
    p = AsFloat(p);
    return Abs(p - Cast(y, p.dtype()));
  });
}

Metric RootMeanSquaredError(Output labels, Output predictions, const MetricOptions& options) {
  Metric metric = MeanOfPairs("root_mean_squared_error", labels, predictions, options, Squared);
  if (!metric.value.valid()) return metric;
  metric.value = Sqrt(metric.value);
  metric.update = Sqrt(metric.update);
  return metric;
}

Metric BinaryAccuracy(Output labels, Output predictions, const ThresholdOptions& options) {
  return MeanOfPairs("binary_accuracy", labels, predictions,
                     {.weights = options.weights, .name = options.name, .where = options.where},
                     [&](Output y, Output p) -> Output { return Equal(Positive(p, options.threshold), IsYes(y)); });
}

Metric Precision(Output labels, Output predictions, const ThresholdOptions& options) {
  return Ratio("precision", "false_positives", labels, predictions, options,
               [](Output positive, Output yes) -> Output { return LogicalAnd(positive, LogicalNot(yes)); });
}

Metric Recall(Output labels, Output predictions, const ThresholdOptions& options) {
  return Ratio("recall", "false_negatives", labels, predictions, options,
               [](Output positive, Output yes) -> Output { return LogicalAnd(LogicalNot(positive), yes); });
}

Metric Auc(Output labels, Output predictions, const AucOptions& options) {
  if (!labels.valid() || !predictions.valid()) return {};
  Graph& g = predictions.graph();
  const FunctionScope scope(g, options.name, "auc", options.where, kVariables);
  if (!scope.SameShape("labels", labels, "predictions", predictions)) return {};
  if (options.num_thresholds < 2) {
    scope.Fail(absl::StrCat(".num_thresholds is ", options.num_thresholds, ", expected at least 2"));
    return {};
  }
  const std::string message =
      absl::StrCat("predictions must be probabilities in [0, 1], but '", predictions.name(),
                   "' gives others: are they logits? Softmax or Sigmoid makes them probabilities");
  predictions = Cast(predictions, DT_FLOAT);
  const Operation probabilities =
      AssertAll(LogicalAnd(GreaterEqual(predictions, 0), LessEqual(predictions, 1)), message);
  if (!probabilities.valid()) return {};
  const ControlDependencies after(g, {probabilities});
  // A row for each threshold, a column for each element.
  const Output positive = Greater(Reshape(predictions, {1, -1}), Const(g, Thresholds(options.num_thresholds)));
  const Output yes = Reshape(IsYes(labels), {1, -1}), no = LogicalNot(yes), negative = LogicalNot(positive);
  Output weights;
  if (options.weights.valid()) {
    weights = scope.Broadcast(options.weights, AsDouble(predictions));
    if (!weights.valid()) return {};
    weights = Reshape(weights, {1, -1});
  }
  Metric metric;
  Counts now, then;
  const auto count = [&](absl::string_view name, Output a, Output b, Output* value, Output* updated) {
    Output hits = AsDouble(LogicalAnd(a, b));
    if (weights.valid()) hits = hits * weights;
    const Variable counter = Local(g, name, {options.num_thresholds}, &metric);
    if (counter.variable == nullptr) return;
    *value = counter.snapshot;
    *updated = AssignAdd(counter.ref(), Sum(hits, {1}));
  };
  count("true_positives", positive, yes, &now.true_positives, &then.true_positives);
  count("false_negatives", negative, yes, &now.false_negatives, &then.false_negatives);
  count("true_negatives", negative, no, &now.true_negatives, &then.true_negatives);
  count("false_positives", positive, no, &now.false_positives, &then.false_positives);
  if (metric.variables.size() != 4) return {};
  metric.update = Cast(Area(then, options.curve, options.summation_method), DT_FLOAT, {.name = "update_op"});
  const ControlDependencies outside(g, ControlDependencies::kClear);
  metric.value = Cast(Area(now, options.curve, options.summation_method), DT_FLOAT, {.name = "value"});
  return metric;
}

Metric ConfusionMatrix(Output labels, Output predictions, const ConfusionMatrixOptions& options) {
  if (!labels.valid() || !predictions.valid()) return {};
  Graph& g = predictions.graph();
  const FunctionScope scope(g, options.name, "confusion_matrix", options.where, kVariables);
  if (!scope.SameShape("labels", labels, "predictions", predictions)) return {};
  const int64_t n = options.num_classes;
  if (n < 1) {
    scope.Fail(absl::StrCat(".num_classes is ", n, ", expected at least 1"));
    return {};
  }
  if (!IsInteger(labels.dtype()) || !IsInteger(predictions.dtype())) {
    scope.Fail("labels and predictions are class numbers, expected int32 or int64");
    return {};
  }
  std::vector<Operation> checks;
  for (const auto& [what, numbers] : {std::pair("labels", &labels), std::pair("predictions", &predictions)}) {
    const std::string message =
        absl::StrCat(what, " '", numbers->name(), "' has a number that is no class: expected 0 to ", n - 1);
    *numbers = Cast(*numbers, DT_INT64);
    checks.push_back(AssertAll(LogicalAnd(GreaterEqual(*numbers, 0), Less(*numbers, static_cast<double>(n))), message));
    if (!checks.back().valid()) return {};
  }
  const ControlDependencies after(g, checks);
  Output rows = OneHot(Reshape(labels, {-1}), Const(g, static_cast<int32_t>(n)), Const(g, 1.0), Const(g, 0.0));
  const Output columns =
      OneHot(Reshape(predictions, {-1}), Const(g, static_cast<int32_t>(n)), Const(g, 1.0), Const(g, 0.0));
  if (options.weights.valid()) {
    const Output weights = scope.Broadcast(options.weights, AsDouble(labels));
    if (!weights.valid()) return {};
    rows = rows * Reshape(weights, {-1, 1});
  }
  Metric metric;
  const Variable total = Local(g, "total_confusion_matrix", {n, n}, &metric);
  if (total.variable == nullptr) return {};
  metric.value = total.snapshot;
  metric.update = AssignAdd(total.ref(), MatMul(rows, columns, {.transpose_a = true}), {.name = "update_op"});
  return metric;
}

}  // namespace staticflow::metrics
