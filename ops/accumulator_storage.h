// GradientAccumulator: what is behind the handle of a conditional accumulator, in the session's resource store.
//
// Every function may be called from any thread.
#ifndef STATICFLOW_OPS_ACCUMULATOR_STORAGE_H_
#define STATICFLOW_OPS_ACCUMULATOR_STORAGE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "graph/tensor.h"
#include "runtime/resource_store.h"

namespace staticflow {

// What an accumulator's node says.
struct AccumulatorForm {
  DataType dtype = DT_INVALID;
  Shape shape;
  bool takes_slices = false;
  bool gives_mean = true;

  friend bool operator==(const AccumulatorForm&, const AccumulatorForm&) = default;
};

// Rows of a larger tensor, by their indices.
struct GradientSlices {
  std::vector<int64_t> indices = {};
  Tensor values = {};                // [indices.size(), ...]
  std::vector<int64_t> counts = {};  // how many gradients had each
};

// What is behind the handle. Ops say when they fail; see ops/accumulator.h.
class GradientAccumulator : public Resource {
 public:
  GradientAccumulator(std::string name, const AccumulatorForm& form) : name_(std::move(name)), form_(form) {}
  const AccumulatorForm& form() const { return form_; }

  // InvalidArgument for an accumulator of another kind.
  absl::Status CheckTakes(DataType dtype, bool slices) const;
  absl::Status Add(int64_t step, Tensor gradient);
  // `whole`: the shape of what these are slices of, if told.
  absl::Status AddSlices(int64_t step, GradientSlices gradient, const std::optional<std::vector<int64_t>>& whole);
  absl::StatusOr<Tensor> Take(int64_t required);
  absl::StatusOr<GradientSlices> TakeSlices(int64_t required);

  int64_t count() const {
    absl::MutexLock lock(&mutex_);
    return count_;
  }
  void SetTime(int64_t time) {
    absl::MutexLock lock(&mutex_);
    time_ = time;
  }

 private:
  absl::Status CheckShape(const Shape& shape) const;
  absl::Status CheckSlices(const GradientSlices& gradient, const std::optional<std::vector<int64_t>>& whole) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckEnough(int64_t required) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  const AccumulatorForm form_;
  mutable absl::Mutex mutex_;
  int64_t time_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  Tensor sum_ ABSL_GUARDED_BY(mutex_);  // of `count_` gradients
  GradientSlices slices_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ACCUMULATOR_STORAGE_H_
