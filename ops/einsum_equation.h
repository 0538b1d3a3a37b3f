// The equation of an Einsum: which dimension of which operand carries which label.
//
//   SF_ASSIGN_OR_RETURN(EinsumEquation e, EinsumEquation::Parse("bij,bjk->bik"));
//   SF_ASSIGN_OR_RETURN(EinsumLabels labels, e.Resolve({&x, &y}));      // what `...` stands for depends on the ranks
#ifndef STATICFLOW_OPS_EINSUM_EQUATION_H_
#define STATICFLOW_OPS_EINSUM_EQUATION_H_

#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/shape.h"

namespace staticflow {

using LabelList = absl::InlinedVector<int, 8>;

// Labels of complete ranks: letters are numbered from 0 on, the dimensions of the ellipsis from kFirstBroadcast on.
struct EinsumLabels {
  static constexpr int kFirstBroadcast = 52;
  static constexpr int kCount = kFirstBroadcast + Shape::kMaxKernelRank;

  absl::InlinedVector<LabelList, 2> inputs;
  LabelList output;
  int64_t sizes[kCount];  // -1 where unknown
};

struct EinsumEquation {
  std::vector<std::string> inputs;  // subscripts: letters, and at most one "..."
  std::string output;

  // InvalidArgument unless there is one "->", and each subscript is made of letters and at most one "...".
  static absl::StatusOr<EinsumEquation> Parse(absl::string_view equation);

  // InvalidArgument when shapes contradict the equation. REQUIRES: one shape per input, all with a rank.
  absl::StatusOr<EinsumLabels> Resolve(absl::Span<const Shape* const> shapes) const;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_EINSUM_EQUATION_H_
