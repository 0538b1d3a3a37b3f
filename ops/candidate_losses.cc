// SampledSoftmaxLoss and NceLoss, built from the sampler and ordinary ops as tf.nn builds them.
#include "ops/array.h"
#include "ops/candidates.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/nn_composition.h"
#include "ops/sparse.h"

namespace staticflow {
namespace {

struct LogitsAndLabels {
  Output logits, labels;
};

// The lowest float at each accidental hit in a matrix of the sampled logits' shape, else 0.
Output HitMatrix(Output labels, Output sampled, Output logits) {
  const AccidentalHits hits = ComputeAccidentalHits(labels, sampled);
  if (!hits.indices.valid()) return Output();
  const Output rows = Reshape(hits.indices, {-1, 1}), columns = Reshape(Cast(hits.ids, DT_INT32), {-1, 1});
  const Output places = Concat({rows, columns}, 1, {.name = "sparse_indices"});
  return SparseToDense(places, ShapeOf(logits), Cast(hits.weights, logits.dtype()),
                       Const(logits.graph(), ScalarOf(logits.dtype(), 0)), {.validate_indices = false});
}

// Logits [batch, num_true + num_sampled] of the true and the sampled classes, and labels that share 1 among the true.
LogitsAndLabels SampledLogits(const SampledLossInputs& in, const SampledLossOptions& options, bool remove_hits) {
  Graph& g = in.inputs.graph();
  const DataType dtype = in.inputs.dtype();
  const int64_t num_true = in.labels.shape().rank() == 2 ? in.labels.shape().dim(1) : 1;
  const Output labels = Cast(in.labels, DT_INT64);
  const Output flat = Reshape(labels, {-1});
  CandidateSamples samples = options.sampled_values;
  if (!samples.sampled.valid()) {
    samples = LogUniformCandidateSampler(
        labels, {.num_sampled = options.num_sampled, .range_max = options.num_classes, .seed = options.seed});
  }
  if (!samples.sampled.valid() || !flat.valid()) return {};
  const Output sampled = Cast(StopGradient(samples.sampled), DT_INT64);
  const Output true_count = StopGradient(samples.true_expected_count);
  const Output sampled_count = StopGradient(samples.sampled_expected_count);

  // One lookup for both kinds of classes: one gradient of slices by the weights.
  const Output all = Concat({flat, sampled}, 0);
  const Output weights = Cast(Gather(in.weights, all), dtype), biases = Cast(Gather(in.biases, all), dtype);
  const Output number = ShapeOf(flat), zero = Const(g, 0), minus_one = Const(g, -1);
  if (!weights.valid() || !biases.valid()) return {};
  const Output first = Reshape(number, {});
  const Output true_w = Slice(weights, {0, 0}, Stack({{first, minus_one}}));
  const Output sampled_w = Slice(weights, Stack({{first, zero}}), {-1, -1});
  const Output true_b = Reshape(Slice(biases, {0}, number), {-1, num_true}), sampled_b = Slice(biases, number, {-1});

  const int64_t dim = in.weights.shape().rank() == 2 ? in.weights.shape().dim(1) : Shape::kUnknownDim;
  if (dim < 0) {
    g.RecordError(absl::InvalidArgumentError("weights of a sampled loss: the second dimension has to be known"));
    return {};
  }
  const Output products = ExpandDims(in.inputs, 1) * Reshape(true_w, {-1, num_true, dim});
  Output true_logits = Reshape(Sum(products, {2}), {-1, num_true}) + true_b;
  Output sampled_logits = MatMul(in.inputs, sampled_w, {.transpose_b = true}) + sampled_b;
  if (!sampled_logits.valid()) return {};
  if (remove_hits) sampled_logits = sampled_logits + HitMatrix(labels, sampled, sampled_logits);
  true_logits = true_logits - Cast(Log(true_count), dtype);
  sampled_logits = sampled_logits - Cast(Log(sampled_count), dtype);
  return {.logits = Concat({true_logits, sampled_logits}, 1),
          .labels = Concat({OnesLike(true_logits) / static_cast<double>(num_true), ZerosLike(sampled_logits)}, 1)};
}

bool AreValid(const SampledLossInputs& in) {
  return in.weights.valid() && in.biases.valid() && in.labels.valid() && in.inputs.valid();
}

}  // namespace

Output SampledSoftmaxLoss(const SampledLossInputs& in, const SampledLossOptions& options) {
  if (!AreValid(in)) return Output();
  const Composition scope(in.inputs, options.name, "sampled_softmax_loss");
  const auto [logits, labels] = SampledLogits(in, options, options.remove_accidental_hits.value_or(true));
  if (!logits.valid()) return Output();
  return SoftmaxCrossEntropyWithLogits(logits, StopGradient(labels, {.name = "labels_stop_gradient"}));
}

Output NceLoss(const SampledLossInputs& in, const SampledLossOptions& options) {
  if (!AreValid(in)) return Output();
  const Composition scope(in.inputs, options.name, "nce_loss");
  const auto [logits, labels] = SampledLogits(in, options, options.remove_accidental_hits.value_or(false));
  if (!logits.valid()) return Output();
  return Sum(SigmoidCrossEntropyWithLogits(logits, labels, {.name = "sampled_losses"}), {1});
}

}  // namespace staticflow
