// Losses: what a training makes small, as numbers that are weighted, reduced and remembered.
//
//   losses::SoftmaxCrossEntropy(labels, logits);                    // joins the collection losses
//   Output loss = losses::GetTotalLoss(g);                          // those, and the regularization losses
//   train::Adam(g, {.learning_rate = 1e-3}).Minimize(loss);
//
// Every function computes one loss per element (softmax: per row), multiplies it with `weights`, reduces as `reduction`
// says and adds the result to `collection`. Labels and predictions have one shape and a floating type (numbers of
// other types are cast to float). Weights are a scalar or broadcast against the losses: a vector [batch] for the losses
// of rows; 0 leaves an element out.
//
// None of the functions is thread-safe: each adds to the graph. InvalidArgument, with the caller's line, for shapes
// that do not fit; errors stick to the graph. Source of names, nodes and formulas: tf.losses (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_LOSSES_H_
#define STATICFLOW_OPS_TRAIN_LOSSES_H_

#include <source_location>
#include <string>

#include "graph/node_builder.h"

namespace staticflow::losses {

enum class Reduction {
  kNone,                 // the weighted losses themselves
  kSum,                  // their sum
  kMean,                 // the sum by the sum of the weights
  kSumOverBatchSize,     // the sum by the number of losses
  kSumByNonzeroWeights,  // the sum by the number of losses whose weight is not 0
};

struct LossOptions {
  Output weights = Output();  // invalid: 1
  Reduction reduction = Reduction::kSumByNonzeroWeights;
  std::string collection = "losses";  // "": none
  std::string name = "";
  std::source_location where = std::source_location::current();
};

// losses * weights, reduced. Division by no weight at all gives 0.
Output ComputeWeightedLoss(Output losses, const LossOptions& options = {});

// |p - y|, (p - y)^2
Output AbsoluteDifference(Output labels, Output predictions, const LossOptions& options = {});
Output MeanSquaredError(Output labels, Output predictions, const LossOptions& options = {});
// d^2 / 2 for d = |p - y| up to delta, delta d - delta^2 / 2 above
Output HuberLoss(Output labels, Output predictions, double delta = 1, const LossOptions& options = {});
// -y log(p + epsilon) - (1 - y) log(1 - p + epsilon): the predictions are probabilities
Output LogLoss(Output labels, Output predictions, double epsilon = 1e-7, const LossOptions& options = {});
// max(0, 1 - (2 y - 1) x) for labels 0 and 1
Output HingeLoss(Output labels, Output logits, const LossOptions& options = {});
// 1 - sum(y p) over `axis`, which stays with size 1; for vectors of length 1
Output CosineDistance(Output labels, Output predictions, int axis, const LossOptions& options = {});

// Cross-entropy from logits. Label smoothing s mixes labels with the uniform distribution: y (1 - s) + s / classes; for
// sigmoids, with 1/2: y (1 - s) + s / 2.
// onehot_labels and logits [batch, classes]; one loss per row.
Output SoftmaxCrossEntropy(Output onehot_labels, Output logits, double label_smoothing = 0,
                           const LossOptions& options = {});
// labels are int32 or int64 class numbers [batch].
Output SparseSoftmaxCrossEntropy(Output labels, Output logits, const LossOptions& options = {});
Output SigmoidCrossEntropy(Output multi_class_labels, Output logits, double label_smoothing = 0,
                           const LossOptions& options = {});

struct TotalLossOptions {
  bool add_regularization_losses = true;
  std::string name = "total_loss";
};
// The sum of the collection losses and of regularization_losses. InvalidArgument when there is none at all.
Output GetTotalLoss(Graph& g, const TotalLossOptions& options = {});
// The sum of regularization_losses; 0 when there is none.
Output GetRegularizationLoss(Graph& g, const OpOptions& options = {});

}  // namespace staticflow::losses

#endif  // STATICFLOW_OPS_TRAIN_LOSSES_H_
