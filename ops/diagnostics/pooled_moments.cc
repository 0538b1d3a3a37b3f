#include "ops/diagnostics/pooled_moments.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

template <typename T>
std::vector<double> Widen(const Tensor& tensor) {
  std::vector<double> numbers;
  numbers.reserve(static_cast<size_t>(tensor.num_elements()));
  for (const T& value : tensor.flat<T>()) {
    if constexpr (std::is_arithmetic_v<T>) {
      numbers.push_back(value);
    } else {
      numbers.push_back(static_cast<float>(value));
    }
  }
  return numbers;
}

// The channel of every element, in the order they lie.
std::vector<int32_t> ChannelOfEach(const Shape& shape, const std::vector<int>& axes, int64_t* channels) {
  std::vector<int64_t> step(shape.rank(), 0);  // by how much an index moves the channel
  *channels = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    if (std::find(axes.begin(), axes.end(), d) != axes.end()) continue;
    step[d] = *channels;
    *channels *= shape.dim(d);
  }
  std::vector<int32_t> channel(static_cast<size_t>(shape.num_elements()));
  std::vector<int64_t> index(shape.rank(), 0);
  int64_t at = 0;
  for (int32_t& c : channel) {
    c = static_cast<int32_t>(at);
    for (int d = shape.rank() - 1; d >= 0; --d) {
      at += step[d];
      if (++index[d] < shape.dim(d)) break;
      at -= step[d] * shape.dim(d);
      index[d] = 0;
    }
  }
  return channel;
}

}  // namespace

absl::StatusOr<std::vector<double>> Numbers(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DT_FLOAT:
      return Widen<float>(tensor);
    case DT_DOUBLE:
      return Widen<double>(tensor);
    case DT_HALF:
      return Widen<Half>(tensor);
    case DT_BFLOAT16:
      return Widen<BFloat16>(tensor);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("expected floating-point numbers, got ", DataTypeName(tensor.dtype())));
  }
}

absl::Status PooledMoments::Add(const Tensor& x) {
  for (int axis : axes_) {
    if (axis >= x.shape().rank()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a tensor of shape ", x.shape().ToString(), " has no dimension ", axis));
    }
  }
  SF_ASSIGN_OR_RETURN(const std::vector<double> numbers, Numbers(x));
  int64_t channels = 0;
  const std::vector<int32_t> channel = ChannelOfEach(x.shape(), axes_, &channels);
  if (mean_.empty()) {
    mean_.assign(static_cast<size_t>(channels), 0);
    squares_ = mean_;
  }
  if (static_cast<int64_t>(mean_.size()) != channels) {
    return absl::InvalidArgumentError(absl::StrCat("a tensor of shape ", x.shape().ToString(), " has ", channels,
                                                   " channels, expected ", mean_.size()));
  }
  if (numbers.empty()) return absl::OkStatus();
  const int64_t n = static_cast<int64_t>(numbers.size()) / channels;
  std::vector<double> mean(mean_.size(), 0), squares(mean_.size(), 0);
  for (size_t i = 0; i < numbers.size(); ++i) mean[channel[i]] += numbers[i];
  for (double& m : mean) m /= static_cast<double>(n);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double distance = numbers[i] - mean[channel[i]];
    squares[channel[i]] += distance * distance;
  }
  const double total = static_cast<double>(count_ + n);
  for (size_t c = 0; c < mean_.size(); ++c) {
    const double distance = mean[c] - mean_[c];
    mean_[c] += distance * static_cast<double>(n) / total;
    squares_[c] += squares[c] + distance * distance * static_cast<double>(count_) * static_cast<double>(n) / total;
  }
  count_ += n;
  return absl::OkStatus();
}

std::vector<double> PooledMoments::variance(bool unbiased) const {
  const double n = static_cast<double>(unbiased ? count_ - 1 : count_);
  std::vector<double> variance = squares_;
  for (double& v : variance) v = n > 0 ? v / n : std::numeric_limits<double>::quiet_NaN();
  return variance;
}

}  // namespace staticflow
