// Pictures as PNG files.
//
//   SF_ASSIGN_OR_RETURN(std::string file, EncodePng({.pixels = pixels, .width = 28, .height = 28}));
#ifndef STATICFLOW_RUNTIME_IO_PNG_H_
#define STATICFLOW_RUNTIME_IO_PNG_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace staticflow {

struct PngPicture {
  absl::string_view pixels;  // row by row, the channels of a pixel together; of 16 bits the upper byte first
  int64_t width = 0;
  int64_t height = 0;
  int channels = 1;  // grey, grey and alpha, RGB, RGB and alpha
  int bits = 8;      // of a channel: 8 or 16
};

// The file, packed at zlib's `level`: 0 (not at all) to 9, or -1 for the usual one. InvalidArgument for sizes that a
// file cannot have or that contradict each other, channels beyond 1 to 4, other bits or levels. Pure.
absl::StatusOr<std::string> EncodePng(const PngPicture& picture, int level = -1);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_PNG_H_
