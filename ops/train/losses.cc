#include "ops/train/losses.h"

#include <vector>

#include "ops/array.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/train/operands.h"

namespace staticflow::losses {
namespace {

// The number of elements, in their type.
Output Count(Output x) { return Cast(SizeOf(x), x.dtype()); }

Output Reduce(Output weighted, Output weights, const LossOptions& options) {
  if (options.reduction == Reduction::kNone) return weighted;
  const Output sum = Sum(weighted);
  switch (options.reduction) {
    case Reduction::kMean:
      return DivNoNan(sum, weights.valid() ? Sum(weights) : Count(weighted), {.name = "value"});
    case Reduction::kSumOverBatchSize:
      return DivNoNan(sum, Count(weighted), {.name = "value"});
    case Reduction::kSumByNonzeroWeights: {
      const Output present = weights.valid()
                                 ? Sum(Cast(NotEqual(weights, 0), weighted.dtype()), {}, {.name = "num_present"})
                                 : Count(weighted);
      return DivNoNan(sum, present, {.name = "value"});
    }
    default:
      return sum;
  }
}

Output Weighted(const FunctionScope& scope, Output losses, const LossOptions& options) {
  if (!losses.valid()) return Output();
  losses = AsFloat(losses);
  Output weights;
  if (options.weights.valid()) {
    weights = scope.Broadcast(options.weights, losses);
    if (!weights.valid()) return Output();
    losses = Mul(losses, weights, {.name = "Mul"});
  }
  const Output loss = Reduce(losses, weights, options);
  if (loss.valid() && !options.collection.empty()) loss.graph().AddToCollection(options.collection, loss);
  return loss;
}

// A loss of each pair of label and prediction, both floating.
template <typename Build>
Output OfPairs(absl::string_view default_name, absl::string_view operand, Output labels, Output predictions,
               const LossOptions& options, Build build) {
  if (!labels.valid() || !predictions.valid()) return Output();
  const FunctionScope scope(predictions.graph(), options.name, default_name, options.where);
  if (!scope.SameShape("labels", labels, operand, predictions)) return Output();
  predictions = AsFloat(predictions);
  return Weighted(scope, build(Cast(labels, predictions.dtype()), predictions), options);
}

}  // namespace

Output ComputeWeightedLoss(Output losses, const LossOptions& options) {
  if (!losses.valid()) return Output();
  const FunctionScope scope(losses.graph(), options.name, "weighted_loss", options.where);
  return Weighted(scope, losses, options);
}

Output AbsoluteDifference(Output labels, Output predictions, const LossOptions& options) {
  return OfPairs("absolute_difference", "predictions", labels, predictions, options,
                 [](Output y, Output p) -> Output { return Abs(p - y); });
}

Output MeanSquaredError(Output labels, Output predictions, const LossOptions& options) {
  return OfPairs("mean_squared_error", "predictions", labels, predictions, options,
                 [](Output y, Output p) -> Output { return SquaredDifference(p, y); });
}

Output HuberLoss(Output labels, Output predictions, double delta, const LossOptions& options) {
  return OfPairs("huber_loss", "predictions", labels, predictions, options, [delta](Output y, Output p) -> Output {
    const Output error = Abs(p - y);
    const Output quadratic = Minimum(error, delta);
    return 0.5 * Square(quadratic) + delta * (error - quadratic);
  });
}

Output LogLoss(Output labels, Output predictions, double epsilon, const LossOptions& options) {
  return OfPairs("log_loss", "predictions", labels, predictions, options, [epsilon](Output y, Output p) -> Output {
    return -(y * Log(p + epsilon)) - (1 - y) * Log(1 - p + epsilon);
  });
}

Output HingeLoss(Output labels, Output logits, const LossOptions& options) {
  return OfPairs("hinge_loss", "logits", labels, logits, options,
                 [](Output y, Output x) -> Output { return Relu(1 - (2 * y - 1) * x); });
}

Output CosineDistance(Output labels, Output predictions, int axis, const LossOptions& options) {
  return OfPairs("cosine_distance", "predictions", labels, predictions, options,
                 [axis](Output y, Output p) -> Output { return 1 - Sum(p * y, {axis}, {.keep_dims = true}); });
}

Output SoftmaxCrossEntropy(Output onehot_labels, Output logits, double label_smoothing, const LossOptions& options) {
  if (!onehot_labels.valid() || !logits.valid()) return Output();
  const FunctionScope scope(logits.graph(), options.name, "softmax_cross_entropy_loss", options.where);
  if (!scope.SameShape("onehot_labels", onehot_labels, "logits", logits)) return Output();
  Output labels = Cast(onehot_labels, logits.dtype());
  const int64_t classes = labels.valid() ? logits.shape().dim(-1) : 0;
  if (label_smoothing != 0) {
    if (classes < 1) return scope.Fail("label_smoothing needs a known number of classes");
    labels = labels * (1 - label_smoothing) + label_smoothing / static_cast<double>(classes);
  }
  return Weighted(scope, SoftmaxCrossEntropyWithLogits(logits, StopGradient(labels), {.name = "xentropy"}), options);
}

Output SparseSoftmaxCrossEntropy(Output labels, Output logits, const LossOptions& options) {
  if (!labels.valid() || !logits.valid()) return Output();
  const FunctionScope scope(logits.graph(), options.name, "sparse_softmax_cross_entropy_loss", options.where);
  return Weighted(scope, SparseSoftmaxCrossEntropyWithLogits(logits, labels, {.name = "xentropy"}), options);
}

Output SigmoidCrossEntropy(Output multi_class_labels, Output logits, double label_smoothing,
                           const LossOptions& options) {
  return OfPairs("sigmoid_cross_entropy_loss", "logits", multi_class_labels, logits, options,
                 [label_smoothing](Output y, Output x) -> Output {
                   if (label_smoothing != 0) y = y * (1 - label_smoothing) + 0.5 * label_smoothing;
                   return SigmoidCrossEntropyWithLogits(x, y, {.name = "xentropy"});
                 });
}

Output GetTotalLoss(Graph& g, const TotalLossOptions& options) {
  std::vector<Output> terms;
  for (const CollectionItem& item : g.collection(kLosses)) terms.push_back(item.AsOutput());
  if (options.add_regularization_losses) {
    for (const CollectionItem& item : g.collection(kRegularizationLosses)) terms.push_back(item.AsOutput());
  }
  if (terms.empty()) {
    g.RecordError(absl::InvalidArgumentError("total_loss: the collection losses is empty"));
    return Output();
  }
  return AddN(terms, {.name = options.name});
}

Output GetRegularizationLoss(Graph& g, const OpOptions& options) {
  std::vector<Output> terms;
  for (const CollectionItem& item : g.collection(kRegularizationLosses)) terms.push_back(item.AsOutput());
  const std::string name = options.name.empty() ? "total_regularization_loss" : options.name;
  return terms.empty() ? Const(g, 0.0f, {.name = name}) : AddN(terms, {.name = name});
}

}  // namespace staticflow::losses
