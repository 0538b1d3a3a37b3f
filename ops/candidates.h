// Candidate sampling: some classes drawn at random stand for all of them, in training with very many classes.
//
//   Output loss = Mean(SampledSoftmaxLoss({.weights = w, .biases = b, .labels = labels, .inputs = h},
//                                         {.num_sampled = 64, .num_classes = 100000}));
//
// A sampler draws with TensorFlow's numbers for its seeds (ops/random.h). `true_classes` are int64 [batch, num_true].
// Not thread-safe: all of them add to the graph. Source: tf.nn, tf.random (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_CANDIDATES_H_
#define STATICFLOW_OPS_CANDIDATES_H_

#include <optional>
#include <string>
#include <vector>

#include "graph/node_builder.h"

namespace staticflow {

// What a sampler gives: the classes [num_sampled] (int64), and how often each true class [batch, num_true] and each
// sampled one [num_sampled] is expected among them (float). No gradient.
struct CandidateSamples {
  Output sampled, true_expected_count, sampled_expected_count;
};

struct CandidateSamplerOptions {
  int64_t num_sampled = 1;
  bool unique = true;     // no class twice; then num_sampled <= range_max
  int64_t range_max = 1;  // classes are in [0, range_max)
  int64_t seed = 0;       // 0: the graph chooses one
  std::string name = "";
};
// When run: InvalidArgument for a true class outside [0, range_max), or fewer classes than are to be drawn.
// All classes alike; class k with probability log((k + 2) / (k + 1)) / log(range_max + 1), for classes sorted by
// descending frequency; as often as a class was seen among the true ones of this session's steps, plus 1.
CandidateSamples UniformCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options);
CandidateSamples LogUniformCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options);
CandidateSamples LearnedUnigramCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options);
// The classes 0, ..., num_sampled - 1 themselves; range_max plays no part.
CandidateSamples AllCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options);

struct FixedUnigrams {
  std::vector<float> unigrams = {};  // a weight for each class, or
  std::string vocab_file = "";       // a file whose lines end with one, after a comma
  float distortion = 1;              // weights are raised to this power
  int64_t num_reserved_ids = 0;      // so many classes of weight 0 come before them
  int64_t num_shards = 1;            // class k counts when k % num_shards == shard
  int64_t shard = 0;
};
// By given weights. When run: InvalidArgument unless there are range_max of them, NotFound without the file.
CandidateSamples FixedUnigramCandidateSampler(Operand true_classes, const FixedUnigrams& weights,
                                              const CandidateSamplerOptions& options);

// Where sampled classes are true ones: for each hit the row (int32) of the true class, the position (int64) in
// `sampled_candidates` and the lowest float, to be added to the logit there.
struct AccidentalHits {
  Output indices, ids, weights;
};
AccidentalHits ComputeAccidentalHits(Operand true_classes, Operand sampled_candidates, const OpOptions& options = {});

// ---- Losses over sampled classes ----

struct SampledLossInputs {
  Output weights;  // [num_classes, dim]; a variable's reference or value
  Output biases;   // [num_classes]
  Output labels;   // [batch, num_true], the true classes
  Output inputs;   // [batch, dim], the last layer's activations
};
struct SampledLossOptions {
  int64_t num_sampled = 1;
  int64_t num_classes = 1;
  CandidateSamples sampled_values = {};                       // none: by the log-uniform sampler, unique
  std::optional<bool> remove_accidental_hits = std::nullopt;  // by default for the softmax, not for NceLoss
  int64_t seed = 0;                                           // of that sampler
  std::string name = "";                                      // of the scope
};
// One loss per row of the inputs, where logits are inputs * weights^T + biases less the logarithm of the expected
// count: the cross entropy of the softmax over the true and the sampled classes; and noise-contrastive estimation, the
// sum of the logistic losses of these classes. Gradients by the weights are slices. For training; to evaluate, compute
// all logits.
Output SampledSoftmaxLoss(const SampledLossInputs& in, const SampledLossOptions& options);
Output NceLoss(const SampledLossInputs& in, const SampledLossOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CANDIDATES_H_
