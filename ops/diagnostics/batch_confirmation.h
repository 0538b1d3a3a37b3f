// A numeric check beside the proof of graph/batch_dependence.h: change one example, see which rows of a result change.
//
//   SF_ASSIGN_OR_RETURN(BatchConfirmation seen,
//                       ConfirmBatchDependence(session, {{x, images}, {is_training, false}}, logits, {.batch =
//                       {{x}}}));
//   seen.ToString();      // "independent in 60 runs" or "row 0 changes by up to 0.31 when example 3 changes"
//
// A row that changes proves a dependence; rows that stay prove nothing beyond the feeds that were tried.
// Uses the session as Session::Run does: variables that the fetch writes change.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_BATCH_CONFIRMATION_H_
#define STATICFLOW_OPS_DIAGNOSTICS_BATCH_CONFIRMATION_H_

#include <string>
#include <vector>

#include "graph/batch_dependence.h"
#include "runtime/session.h"

namespace staticflow {

struct ConfirmationOptions {
  std::vector<BatchInput> batch = {};    // the feeds that carry the batch; empty: all that are no scalars, along 0
  BatchRows rows = BatchRows::Along(0);  // where the examples lie in the fetch: BatchDependence::rows
  int max_examples = 16;                 // so many are changed, one after the other
};

struct BatchConfirmation {
  bool depends = false;
  int examples = 0;      // that were changed
  int own_rows = 0;      // of these, how many changed a row of their own: 0 says that the check saw nothing
  int64_t changed = -1;  // the first example that changed a row of another: that example, the row, the largest change
  int64_t row = -1;
  double by = 0;

  std::string ToString() const;
};

// Runs `fetch` once as fed and once for each changed example: numbers get a little of their own size added, everything
// else the values of the next example. Rows are compared bit by bit.
// InvalidArgument: feeds that carry different numbers of examples, or fewer than two; a fetch whose dimension is no
// multiple of it. FailedPrecondition: two runs on equal feeds differ (random numbers, variables that it writes).
// Errors of Session::Run.
absl::StatusOr<BatchConfirmation> ConfirmBatchDependence(Session& session, const Session::Feeds& feeds, Output fetch,
                                                         const ConfirmationOptions& options = {});

// `tensor` with example `index` along `axis` changed as above. REQUIRES: the tensor has that dimension and index.
absl::StatusOr<Tensor> WithChangedExample(const Tensor& tensor, int axis, int64_t index);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_BATCH_CONFIRMATION_H_
