// Metrics: averages over many batches, kept in local variables, as nodes of the graph.
//
//   metrics::Metric accuracy = metrics::CategoricalAccuracy(labels, logits);
//   session.Run({}, {}, {metrics::ResetOperation(g, {accuracy})});         // a new evaluation begins
//   session.Run({{x, images}, {labels, onehot}}, accuracy.update);         // for every batch
//   session.Run({}, accuracy.value);                                       // over all of them
//
// `update` takes a batch in and is the value after it; `value` is what the variables say, 0 before the first update.
// The variables are members of the collections local_variables and metric_variables. They count in double, so that
// large sets lose nothing; values are float.
//
// `weights` multiply each element's share: a scalar, or a tensor that broadcasts against the elements, or a vector for
// the rows; 0 leaves an element out. train::Trainer takes metrics as they are and resets them itself.
//
// None of the functions is thread-safe: each adds to the graph. InvalidArgument, with the caller's line, for shapes
// that do not fit; errors stick to the graph and leave the metric's Outputs invalid. Source of names, order and
// formulas: tf.metrics (TensorFlow 1.15), Keras for the accuracies by class.
#ifndef STATICFLOW_OPS_TRAIN_METRICS_H_
#define STATICFLOW_OPS_TRAIN_METRICS_H_

#include <source_location>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow::metrics {

inline constexpr absl::string_view kMetricVariables = "metric_variables";

struct Metric {
  Output value;
  Output update;
  std::vector<const Variable*> variables;  // zero in the beginning
};

// Sets the variables of all `metrics` to zero.
Operation ResetOperation(Graph& g, absl::Span<const Metric> metrics, const OpOptions& options = {});
inline Operation ResetOperation(Graph& g, std::initializer_list<Metric> metrics, const OpOptions& options = {}) {
  return ResetOperation(g, absl::MakeConstSpan(metrics.begin(), metrics.size()), options);
}

struct MetricOptions {
  Output weights = Output();  // invalid: 1
  std::string name = "";
  std::source_location where = std::source_location::current();
};

// The weighted mean of all elements. Variables: mean/total, mean/count.
Metric Mean(Output values, const MetricOptions& options = {});
// The share of elements of one shape that are equal.
Metric Accuracy(Output labels, Output predictions, const MetricOptions& options = {});
// The share of rows whose largest element stands where the one-hot labels' does: [..., classes] each. Logits or
// probabilities.
Metric CategoricalAccuracy(Output labels, Output predictions, const MetricOptions& options = {});
// The same for labels that are class numbers, int32 or int64 [...].
Metric SparseCategoricalAccuracy(Output labels, Output predictions, const MetricOptions& options = {});
// The share of rows whose true class is among the k largest: one-hot labels and predictions [n, classes].
Metric TopKCategoricalAccuracy(Output labels, Output predictions, int64_t k = 5, const MetricOptions& options = {});

// mean (p - y)^2, its square root, mean |p - y|
Metric MeanSquaredError(Output labels, Output predictions, const MetricOptions& options = {});
Metric RootMeanSquaredError(Output labels, Output predictions, const MetricOptions& options = {});
Metric MeanAbsoluteError(Output labels, Output predictions, const MetricOptions& options = {});

struct ThresholdOptions {
  double threshold = 0.5;     // a prediction above it means yes; bool predictions are taken as they are
  Output weights = Output();  // invalid: 1
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// The share of elements where prediction and label (not 0: yes) agree.
Metric BinaryAccuracy(Output labels, Output predictions, const ThresholdOptions& options = {});
// True positives by all predicted, and by all real ones; 0 without any.
Metric Precision(Output labels, Output predictions, const ThresholdOptions& options = {});
Metric Recall(Output labels, Output predictions, const ThresholdOptions& options = {});

enum class Curve { kRoc, kPr };
// Between two thresholds, a straight line; or, for kPr, counts that grow evenly (Davis and Goadrich 2006), since
// straight lines between points of precision and recall promise too much.
enum class Summation { kTrapezoidal, kCarefulInterpolation };
struct AucOptions {
  int num_thresholds = 200;   // at least 2
  Curve curve = Curve::kRoc;  // true against false positive rate, or precision against recall
  Summation summation_method = Summation::kTrapezoidal;
  Output weights = Output();  // invalid: 1
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// The area under a curve through the points at evenly spaced thresholds. Predictions are probabilities: the step that
// meets one outside [0, 1] is InvalidArgument and names the layer that gave it, since that gives logits.
Metric Auc(Output labels, Output predictions, const AucOptions& options = {});

struct ConfusionMatrixOptions {
  int64_t num_classes = 0;    // needed
  Output weights = Output();  // invalid: 1
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// [num_classes, num_classes]: how often class `row` was predicted as class `column`. Labels and predictions are int32
// or int64 class numbers of one shape; InvalidArgument, in the step that meets one, for a number that is no class.
Metric ConfusionMatrix(Output labels, Output predictions, const ConfusionMatrixOptions& options);

}  // namespace staticflow::metrics

#endif  // STATICFLOW_OPS_TRAIN_METRICS_H_
