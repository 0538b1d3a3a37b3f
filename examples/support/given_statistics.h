// Batch normalization whose moving statistics begin with a scaler's, and keep nothing of them: momentum 0.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_GIVEN_STATISTICS_H_
#define STATICFLOW_EXAMPLES_SUPPORT_GIVEN_STATISTICS_H_

#include "absl/status/status.h"
#include "examples/support/scaled_images.h"

namespace staticflow {

// Prints how far its inference is from the scaler before a step, and its moving mean from the batch's after one.
absl::Status ShowMomentumZero(const ScaledImages& data);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_GIVEN_STATISTICS_H_
