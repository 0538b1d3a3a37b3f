#include "examples/support/predictions.h"

#include <algorithm>

namespace staticflow {

Tensor RowsOf(const Tensor& matrix, int64_t begin, int64_t end) {
  const int64_t columns = matrix.shape().dim(1);
  return Tensor::Borrow<float>({end - begin, columns}, matrix.data<float>() + begin * columns);
}

std::vector<int64_t> Largest(const Tensor& matrix) {
  std::vector<int64_t> classes;
  const int64_t columns = matrix.shape().dim(1);
  for (int64_t i = 0; i < matrix.shape().dim(0); ++i) {
    const float* row = matrix.data<float>() + i * columns;
    classes.push_back(std::max_element(row, row + columns) - row);
  }
  return classes;
}

int64_t Agreeing(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  int64_t same = 0;
  for (size_t i = 0; i < a.size(); ++i) same += a[i] == b[i];
  return same;
}

absl::StatusOr<std::vector<int64_t>> PredictSingly(const Step& step, const Tensor& rows) {
  std::vector<int64_t> classes;
  for (int64_t i = 0; i < rows.shape().dim(0); ++i) {
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> out, step.Run({RowsOf(rows, i, i + 1)}));
    classes.push_back(Largest(out[0])[0]);
  }
  return classes;
}

}  // namespace staticflow
