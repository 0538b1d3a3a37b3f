// Predictions in batches and one at a time.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_PREDICTIONS_H_
#define STATICFLOW_EXAMPLES_SUPPORT_PREDICTIONS_H_

#include <vector>

#include "staticflow.h"

namespace staticflow {

// Rows [begin, end) of a float matrix, which has to stay: they are read where they lie.
Tensor RowsOf(const Tensor& matrix, int64_t begin, int64_t end);

// The position of the largest number of each row of a float matrix.
std::vector<int64_t> Largest(const Tensor& matrix);

// How many elements of two lists of one length are equal.
int64_t Agreeing(const std::vector<int64_t>& a, const std::vector<int64_t>& b);

// Each row's class when it is predicted alone, by a step that takes rows and gives logits.
absl::StatusOr<std::vector<int64_t>> PredictSingly(const Step& step, const Tensor& rows);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_PREDICTIONS_H_
