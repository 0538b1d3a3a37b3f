// Sums of products along named dimensions.
//
//   Output scores = Einsum("bqd,bkd->bqk", {queries, keys});
//   Output trace = Einsum("ii->", {square});
//
// Not thread-safe: it adds to the graph. Source: tf.einsum.
#ifndef STATICFLOW_OPS_EINSUM_H_
#define STATICFLOW_OPS_EINSUM_H_

#include <string>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

// A letter names a dimension of the operands; the letters that are not behind the arrow are summed over. A letter that
// comes twice in one operand takes its diagonal. `...` stands for dimensions that broadcast. Without an arrow the
// result has the letters that come once, in alphabetical order. Numbers; more than two operands are multiplied in turn.
Output Einsum(const std::string& equation, absl::Span<const Output> inputs, const OpOptions& options = {});
inline Output Einsum(const std::string& equation, std::initializer_list<Output> inputs, const OpOptions& options = {}) {
  return Einsum(equation, absl::MakeConstSpan(inputs.begin(), inputs.size()), options);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_EINSUM_H_
