// EncodePng: numbers as a grey picture.
#ifndef STATICFLOW_OPS_TRAIN_PNG_H_
#define STATICFLOW_OPS_TRAIN_PNG_H_

#include <cstdint>
#include <string>

#include "absl/types/span.h"

namespace staticflow {

// A PNG file of 8-bit grey, 0 black. REQUIRES: pixels.size() == width * height, both from 1 to 2^20.
std::string EncodeGreyPng(absl::Span<const uint8_t> pixels, int64_t width, int64_t height);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TRAIN_PNG_H_
