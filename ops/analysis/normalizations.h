// Places of a graph where something is normalized by a mean and a variance per channel.
//
//   for (const Normalization& n : FindNormalizations(g, GraphUses(g))) Print(n.output.name(), n.epsilon);
//
// Only reads the graph; safe from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_ANALYSIS_NORMALIZATIONS_H_
#define STATICFLOW_OPS_ANALYSIS_NORMALIZATIONS_H_

#include <vector>

#include "ops/analysis/graph_uses.h"

namespace staticflow {

// One place where (x - mean) / sqrt(variance + epsilon) * gamma + beta is computed.
struct Normalization {
  Node* node = nullptr;  // the fused op, or the node that gives y
  Output input = {};     // x, without what passes it into a branch
  Output output = {};    // y
  Output mean = {};      // the operands; of a fused op in training its outputs 1 and 2, the batch's
  Output variance = {};
  Output gamma = {};  // as broadcast; invalid without
  Output beta = {};
  double epsilon = 0;
  bool fused = false;
  bool fused_training = false;
  Output given_mean = {};  // of a fused op its inputs 3 and 4, used or not
  Output given_variance = {};
};

// All, in graph order: FusedBatchNorm ops, and
//   x * s + (beta - mean * s),  x * s - mean * s + beta,  (x - mean) * s + beta      s = rsqrt(variance + epsilon) *
//   gamma gamma * (x - mean) / sqrt(variance + epsilon) + beta
// each with or without gamma and beta, operands of commutative ops in either order.
std::vector<Normalization> FindNormalizations(const Graph& g, const GraphUses& uses);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_NORMALIZATIONS_H_
