// CheckGradients: are the gradients of this graph right, with this data?
//
//   SF_ASSIGN_OR_RETURN(GradientCheck check, CheckGradients(loss, {w, b}, {.session = &session,
//                                                                          .feeds = {{x, images}, {y, labels}}}));
//   if (!check.ok()) std::cerr << check.ToString();
//
//   d loss:0 / d dense/kernel:0 [17]: Gradients gives 0.25, differences 0.5 (64 of 78400 elements checked)
//   the first wrong op: MyActivation 'tower/act' (model.cc:41): input 0 [3]: its gradient gives 0, differences 0.5
//
// What Gradients() builds is compared with central differences. Both are computed in double, on a copy of the graph
// (ops/diagnostics/double_twin.h): the user's graph, session and variables stay as they are. Random ops give the same
// numbers in every evaluation. Where the function has a kink within the step of a difference (Relu at 0), that element
// is counted as not smooth and not compared.
//
// When an element differs, the ops between are checked one by one on the values that they had, from y backwards, and
// the first whose own gradient is wrong is named; a StopGradient is one.
//
// Not thread-safe: the graph must not change meanwhile.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_CHECK_GRADIENTS_H_
#define STATICFLOW_OPS_DIAGNOSTICS_CHECK_GRADIENTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "runtime/session.h"

namespace staticflow {

struct CheckGradientsOptions {
  Session* session = nullptr;  // whose variables to take; null: the variables' initial values
  Session::Feeds feeds = {};   // what y needs; an x that is a placeholder among them
  int64_t max_elements = 64;   // of each x, spread evenly
  double step = 1e-6;          // of the differences, times max(1, |element|); 1e-3 where an op computes in float
  double tolerance = 1e-5;     // absolute and relative; 1e-2 where an op computes in float
};

// One element whose gradient differs.
struct GradientMismatch {
  std::string x;        // the output's name; in `wrong_op_mismatch` "input 1"
  int64_t element = 0;  // flat
  double gradient = 0;  // what Gradients() gives
  double difference = 0;
};

struct GradientCheck {
  std::string y;
  std::vector<GradientMismatch> mismatches;  // at most ten of each x
  std::string wrong_op;                      // DebugName of the first op whose own gradient is wrong; "": none is
  GradientMismatch wrong_op_mismatch;
  int64_t elements_checked = 0;
  int64_t elements_not_smooth = 0;
  double largest_error = 0;         // |gradient - difference| / max(1, |difference|)
  std::vector<std::string> narrow;  // ops that computed in less than double

  bool ok() const { return mismatches.empty(); }
  std::string ToString() const;
};

// Compares d y / d x for each x. y may have any shape: its elements are summed with weights that differ. An x is a
// placeholder that is fed, a variable (reference, handle or value), or any other output with floating elements.
// InvalidArgument for a y or x that is not floating, an x that y does not need, or a missing feed; Unimplemented when
// Gradients() fails, with its message.
absl::StatusOr<GradientCheck> CheckGradients(Output y, absl::Span<const Output> xs,
                                             const CheckGradientsOptions& options = {});
inline absl::StatusOr<GradientCheck> CheckGradients(Output y, std::initializer_list<Output> xs,
                                                    const CheckGradientsOptions& options = {}) {
  return CheckGradients(y, absl::MakeConstSpan(xs.begin(), xs.size()), options);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_CHECK_GRADIENTS_H_
