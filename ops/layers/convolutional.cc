#include "ops/layers/convolutional.h"

#include "absl/strings/str_cat.h"
#include "ops/conv.h"
#include "ops/initializers.h"
#include "ops/layers/layer_scope.h"
#include "ops/layers/picture_options.h"
#include "ops/nn.h"

namespace staticflow::layers {
namespace {

absl::StatusOr<PictureAttributes> Check(Output x, const Conv2DOptions& options) {
  SF_ASSIGN_OR_RETURN(const PictureAttributes picture, ReadPictureOptions(options.padding, options.data_format));
  if (options.filters < 1) {
    return absl::InvalidArgumentError(absl::StrCat(".filters is ", options.filters, ", expected at least 1"));
  }
  SF_RETURN_IF_ERROR(CheckWindow("kernel_size", options.kernel_size));
  SF_RETURN_IF_ERROR(CheckWindow("strides", options.strides));
  SF_RETURN_IF_ERROR(CheckWindow("dilation_rate", options.dilation_rate));
  const bool strided = options.strides.rows > 1 || options.strides.columns > 1;
  const bool dilated = options.dilation_rate.rows > 1 || options.dilation_rate.columns > 1;
  if (strided && dilated) {
    return absl::InvalidArgumentError(".strides and .dilation_rate are both above 1, expected one of them");
  }
  if (x.shape().dim(picture.channel_axis()) < 0) {
    return absl::InvalidArgumentError(absl::StrCat("the input has shape ", x.shape().ToString(),
                                                   ", expected a known number of channels in dimension ",
                                                   picture.channel_axis()));
  }
  return picture;
}

}  // namespace

Output Conv2D(Graph& g, Output x, const Conv2DOptions& options) {
  const LayerScope layer(g, {"Conv2D", "conv2d", options.name, options.reuse, options.where});
  if (!layer.Accepts(x, 4, 4)) return Output();
  const absl::StatusOr<PictureAttributes> picture = Check(x, options);
  if (!picture.ok()) return layer.Fail(picture.status().message());
  const int64_t channels = x.shape().dim(picture->channel_axis());
  const Variable kernel = layer.Kernel(
      x.dtype(), {options.kernel_size.rows, options.kernel_size.columns, channels, options.filters}, options);
  const Variable bias = layer.Bias(x.dtype(), options.filters, options);
  if (!kernel.snapshot.valid() || bias.snapshot.valid() != options.use_bias) return Output();
  Output y = staticflow::Conv2D(x, kernel.snapshot,
                                {.strides = picture->Dimensions(options.strides),
                                 .padding = picture->padding,
                                 .data_format = picture->data_format,
                                 .dilations = picture->Dimensions(options.dilation_rate)});
  if (options.use_bias) y = BiasAdd(y, bias.snapshot, {.data_format = picture->data_format});
  return y.valid() ? options.activation(y) : Output();
}

}  // namespace staticflow::layers
