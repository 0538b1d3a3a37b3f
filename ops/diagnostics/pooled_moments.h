// Mean and variance of everything seen, one batch at a time, as exact as if it had come at once.
//
//   PooledMoments moments({0, 1, 2});                       // the reduced dimensions of [batch, height, width,
//   channels] for (const Tensor& x : batches) SF_RETURN_IF_ERROR(moments.Add(x)); moments.mean()[c],
//   moments.variance()[c]
//
// Each batch is summed up in two passes in double, then merged by the formula of Chan, Golub and LeVeque (1979), which
// never subtracts large numbers. Belongs to one thread at a time.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_POOLED_MOMENTS_H_
#define STATICFLOW_OPS_DIAGNOSTICS_POOLED_MOMENTS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "graph/tensor.h"

namespace staticflow {

class PooledMoments {
 public:
  // `axes`: the dimensions that are reduced. The others, in order, number the channels.
  explicit PooledMoments(std::vector<int> axes) : axes_(std::move(axes)) {}

  // InvalidArgument for a tensor that is not of floating-point numbers, lacks an axis or has another number of
  // channels than those before. An empty one adds nothing.
  absl::Status Add(const Tensor& x);

  int64_t count() const { return count_; }  // elements per channel
  const std::vector<double>& mean() const { return mean_; }
  // Of the population: divided by n; with `unbiased` by n - 1. NaN without elements.
  std::vector<double> variance(bool unbiased = false) const;

 private:
  std::vector<int> axes_;
  int64_t count_ = 0;
  std::vector<double> mean_;
  std::vector<double> squares_;  // sums of squared distances from the mean
};

// The numbers of a half, bfloat16, float or double tensor; InvalidArgument for other types.
absl::StatusOr<std::vector<double>> Numbers(const Tensor& tensor);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_POOLED_MOMENTS_H_
