// What the layers with windows read from their options: TensorFlow's words as the attributes of ops.
#ifndef STATICFLOW_OPS_LAYERS_PICTURE_OPTIONS_H_
#define STATICFLOW_OPS_LAYERS_PICTURE_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "ops/layers/layer.h"
#include "ops/layers/layer_scope.h"

namespace staticflow::layers {

struct PictureAttributes {
  std::string padding;      // "VALID" or "SAME"
  std::string data_format;  // "NHWC" or "NCHW"
  bool channels_first() const { return data_format == "NCHW"; }
  int channel_axis() const { return channels_first() ? 1 : 3; }
  // `window` as one number per dimension of a picture, 1 for batch and channels.
  std::vector<int64_t> Dimensions(const Window& window) const {
    if (channels_first()) return {1, 1, window.rows, window.columns};
    return {1, window.rows, window.columns, 1};
  }
};

// InvalidArgument for any other word.
inline absl::StatusOr<PictureAttributes> ReadPictureOptions(const std::string& padding,
                                                            const std::string& data_format) {
  PictureAttributes attributes = {.padding = absl::AsciiStrToUpper(padding), .data_format = "NHWC"};
  if (attributes.padding != "VALID" && attributes.padding != "SAME") {
    return absl::InvalidArgumentError(absl::StrCat(".padding is '", padding, "', expected 'valid' or 'same'"));
  }
  if (data_format == "channels_first") {
    attributes.data_format = "NCHW";
  } else if (data_format != "channels_last") {
    return absl::InvalidArgumentError(
        absl::StrCat(".data_format is '", data_format, "', expected 'channels_last' or 'channels_first'"));
  }
  return attributes;
}

// InvalidArgument unless both numbers are at least 1.
inline absl::Status CheckWindow(absl::string_view option, const Window& window) {
  if (window.rows >= 1 && window.columns >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(".", option, " is {", window.rows, ", ", window.columns, "}, expected two numbers of at least 1"));
}

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_PICTURE_OPTIONS_H_
