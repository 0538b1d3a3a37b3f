// What the loss and the decoders of connectionist temporal classification share.
#ifndef STATICFLOW_OPS_RNN_CTC_H_
#define STATICFLOW_OPS_RNN_CTC_H_

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace staticflow {

// The logarithm of no probability.
template <typename T>
inline constexpr T kNever = -std::numeric_limits<T>::infinity();

// log(e^a + e^b).
template <typename T>
T LogAdd(T a, T b) {
  if (a < b) std::swap(a, b);
  return b == kNever<T> ? a : a + std::log1p(std::exp(b - a));
}

// InvalidArgument unless all sequences have 0 to `time` steps.
inline absl::Status CheckLengths(absl::Span<const int32_t> lengths, int64_t time) {
  for (size_t b = 0; b < lengths.size(); ++b) {
    if (lengths[b] >= 0 && lengths[b] <= time) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("sequence_length[", b, "] is ", lengths[b], ", expected 0 to ", time));
  }
  return absl::OkStatus();
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RNN_CTC_H_
