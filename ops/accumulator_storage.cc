#include "ops/accumulator_storage.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/elementwise.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;
using Slices = GradientSlices;

template <typename F>
void ForEachNumber(DataType dtype, int64_t n, F f) {
  DispatchType<float, double, Half>(dtype, [&]<typename T>() {
    for (int64_t i = 0; i < n; ++i) f.template operator()<T>(i);
  });
}
void AddNumbers(DataType dtype, const void* from, void* to, int64_t n) {
  ForEachNumber(dtype, n, [&]<typename T>(int64_t i) {
    T& sum = static_cast<T*>(to)[i];
    sum = T(Widen(sum) + Widen(static_cast<const T*>(from)[i]));
  });
}
void DivideNumbers(DataType dtype, void* x, int64_t n, int64_t by) {
  ForEachNumber(dtype, n, [&]<typename T>(int64_t i) {
    T& quotient = static_cast<T*>(x)[i];
    quotient = T(Widen(quotient) / Widen(T(static_cast<ComputeType<T>>(by))));
  });
}

int64_t RowSize(const Slices& slices) {
  const Shape& shape = slices.values.shape();
  return shape.num_elements(1, shape.rank());
}
char* RowAt(const Slices& slices, size_t row) {
  return static_cast<char*>(const_cast<void*>(slices.values.raw())) +
         static_cast<int64_t>(row) * RowSize(slices) * DataTypeSize(slices.values.dtype());
}

// Both in one, in the order of indices: equal ones are added, as long as both come in ascending order.
absl::StatusOr<Slices> MergeSlices(const Slices& a, const Slices& b) {
  struct Source {
    const Slices* slices;
    size_t row;
    bool adds;
  };
  std::vector<Source> sources;
  Slices merged;
  size_t i = 0, j = 0;
  while (i < a.indices.size() || j < b.indices.size()) {
    const bool from_a = i < a.indices.size() && (j == b.indices.size() || a.indices[i] <= b.indices[j]);
    const bool from_b = j < b.indices.size() && (i == a.indices.size() || b.indices[j] <= a.indices[i]);
    merged.indices.push_back(from_a ? a.indices[i] : b.indices[j]);
    merged.counts.push_back((from_a ? a.counts[i] : 0) + (from_b ? b.counts[j] : 0));
    if (from_a) sources.push_back({&a, i++, false});
    if (from_b) sources.push_back({&b, j++, from_a});
  }
  Shape shape = a.values.shape();
  shape.set_dim(0, static_cast<int64_t>(merged.indices.size()));
  SF_ASSIGN_OR_RETURN(merged.values, Tensor::Create(a.values.dtype(), shape));
  const int64_t row_size = RowSize(merged), bytes = row_size * DataTypeSize(merged.values.dtype());
  size_t row = 0;
  for (const Source& source : sources) {
    const char* from = RowAt(*source.slices, source.row);
    if (source.adds) {
      AddNumbers(merged.values.dtype(), from, RowAt(merged, row - 1), row_size);
    } else if (char* to = RowAt(merged, row++); bytes > 0) {
      std::memcpy(to, from, static_cast<size_t>(bytes));
    }
  }
  return merged;
}

}  // namespace

absl::Status GradientAccumulator::CheckTakes(DataType dtype, bool slices) const {
  if (dtype == form_.dtype && slices == form_.takes_slices) return absl::OkStatus();
  return InvalidArgumentError(StrCat("accumulator ", name_, " is for ", form_.takes_slices ? "slices" : "tensors",
                                     " of ", DataTypeName(form_.dtype)));
}

absl::Status GradientAccumulator::CheckShape(const Shape& shape) const {
  if (shape.IsCompatibleWith(form_.shape)) return absl::OkStatus();
  return InvalidArgumentError(
      StrCat("the gradient has shape ", shape.ToString(), ", accumulator ", name_, " takes ", form_.shape.ToString()));
}

absl::Status GradientAccumulator::CheckEnough(int64_t required) const {
  if (required <= 0) return InvalidArgumentError(StrCat("num_required is ", required, ", expected more than 0"));
  if (count_ >= required) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat("accumulator ", name_, " has ", count_, " gradients, ", required,
                                              " are wanted: this would wait for ever, give some in a step before"));
}

absl::Status GradientAccumulator::Add(int64_t step, Tensor gradient) {
  absl::MutexLock lock(&mutex_);
  if (step < time_) return absl::OkStatus();
  SF_RETURN_IF_ERROR(CheckShape(gradient.shape()));
  if (count_ > 0 && gradient.shape() != sum_.shape()) {
    return InvalidArgumentError(
        StrCat("the gradient has shape ", gradient.shape().ToString(), ", the others ", sum_.shape().ToString()));
  }
  if (count_ == 0) {
    SF_ASSIGN_OR_RETURN(sum_, gradient.Clone());
  } else {
    AddNumbers(form_.dtype, gradient.raw(), sum_.raw(), sum_.num_elements());
  }
  ++count_;
  return absl::OkStatus();
}

absl::StatusOr<Tensor> GradientAccumulator::Take(int64_t required) {
  absl::MutexLock lock(&mutex_);
  SF_RETURN_IF_ERROR(CheckEnough(required));
  if (form_.gives_mean) DivideNumbers(form_.dtype, sum_.raw(), sum_.num_elements(), count_);
  ++time_;
  count_ = 0;
  return std::exchange(sum_, Tensor());
}

absl::Status GradientAccumulator::CheckSlices(const Slices& gradient,
                                              const std::optional<std::vector<int64_t>>& whole) const {
  Shape shape = gradient.values.shape();
  if (shape.rank() == 0 || shape.dim(0) != static_cast<int64_t>(gradient.indices.size())) {
    return InvalidArgumentError(
        StrCat("there are ", gradient.indices.size(), " indices for values of shape ", shape.ToString()));
  }
  shape.set_dim(0, Shape::kUnknownDim);
  if (whole.has_value()) {
    Shape told;
    for (int64_t size : *whole) told.push_back(size);
    absl::StatusOr<Shape> merged = shape.MergeWith(told);
    if (!merged.ok()) return Annotate(merged.status(), "gradient_shape: ");
    shape = *std::move(merged);
  }
  SF_RETURN_IF_ERROR(CheckShape(shape));
  if (shape.dim(0) < 0 && form_.shape.has_rank()) shape.set_dim(0, form_.shape.dim(0));
  for (int64_t index : gradient.indices) {
    if (index >= 0 && (shape.dim(0) < 0 || index < shape.dim(0))) continue;
    return InvalidArgumentError(StrCat("index ", index, " is outside dimension 0 of ", shape.ToString()));
  }
  const Shape& values = gradient.values.shape();
  if (count_ > 0 && values.Slice(1, values.rank()) != slices_.values.shape().Slice(1, slices_.values.shape().rank())) {
    return InvalidArgumentError(
        StrCat("values have shape ", values.ToString(), ", the others ", slices_.values.shape().ToString()));
  }
  return absl::OkStatus();
}

absl::Status GradientAccumulator::AddSlices(int64_t step, Slices gradient,
                                            const std::optional<std::vector<int64_t>>& whole) {
  absl::MutexLock lock(&mutex_);
  if (step < time_) return absl::OkStatus();
  SF_RETURN_IF_ERROR(CheckSlices(gradient, whole));
  gradient.counts.assign(gradient.indices.size(), 1);
  if (count_ == 0) {
    SF_ASSIGN_OR_RETURN(gradient.values, gradient.values.Clone());
    slices_ = std::move(gradient);
  } else {
    SF_ASSIGN_OR_RETURN(slices_, MergeSlices(slices_, gradient));
  }
  ++count_;
  return absl::OkStatus();
}

absl::StatusOr<Slices> GradientAccumulator::TakeSlices(int64_t required) {
  absl::MutexLock lock(&mutex_);
  SF_RETURN_IF_ERROR(CheckEnough(required));
  for (size_t i = 0; form_.gives_mean && i < slices_.counts.size(); ++i) {
    DivideNumbers(form_.dtype, RowAt(slices_, i), RowSize(slices_), slices_.counts[i]);
  }
  ++time_;
  count_ = 0;
  return std::exchange(slices_, Slices());
}

}  // namespace staticflow
