// Affine: a node that computes scale x + shift with numbers that are constant, one for each channel: a bias, a fused
// batch normalization in inference, a multiplication by a constant. What FoldAffine takes into products.
//
//   if (std::optional<Affine> affine = AsAffine(graph, i); affine.has_value() && affine->scales()) ...
//
// Only reads the graph.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_CHANNEL_AFFINE_H_
#define STATICFLOW_OPS_DIAGNOSTICS_CHANNEL_AFFINE_H_

#include <optional>
#include <vector>

#include "ops/diagnostics/frozen_graph.h"

namespace staticflow {

// The dimension along which the channels lie.
enum class Axis {
  kAny,     // there is one number for all
  kLast,    // NHWC, and matrices
  kSecond,  // NCHW
};
inline bool Agree(Axis a, Axis b) { return a == b || a == Axis::kAny || b == Axis::kAny; }

struct Affine {
  FrozenGraph::Edge x;
  std::vector<double> scale, shift;  // of one size: one element, or one for each channel
  Axis axis = Axis::kAny;

  bool scales() const;  // somewhere by other than 1
  bool shifts() const;
  bool finite() const;
};

// Node `i` as scale x + shift; nullopt when it is none.
std::optional<Affine> AsAffine(const FrozenGraph& graph, int i);

// outer(inner(x)); nullopt when they take other dimensions for the channels'.
std::optional<Affine> Compose(const Affine& inner, const Affine& outer);

// `v`, from its beginning again and again, until there are `n` elements. REQUIRES: it has some.
std::vector<double> Tiled(const std::vector<double>& v, int64_t n);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_CHANNEL_AFFINE_H_
