#include "ops/layers/pooling.h"

#include "ops/layers/layer_scope.h"
#include "ops/layers/picture_options.h"

namespace staticflow::layers {
namespace {

Output Pool(const LayerScope& layer, const char* op, Output x, const Pooling2DOptions& options) {
  if (!layer.Accepts(x, 4, 4)) return Output();
  const absl::StatusOr<PictureAttributes> picture = ReadPictureOptions(options.padding, options.data_format);
  absl::Status status = picture.status();
  if (status.ok()) status = CheckWindow("pool_size", options.pool_size);
  if (status.ok()) status = CheckWindow("strides", options.strides);
  if (!status.ok()) return layer.Fail(status.message());
  return NodeBuilder(op, {x})
      .Attr("ksize", picture->Dimensions(options.pool_size))
      .Attr("strides", picture->Dimensions(options.strides))
      .Attr("padding", picture->padding)
      .Attr("data_format", picture->data_format)
      .Build();
}

}  // namespace

Output MaxPooling2D(Graph& g, Output x, const Pooling2DOptions& options) {
  const LayerScope layer(g, {"MaxPooling2D", "max_pooling2d", options.name, Reuse::kInherit, options.where});
  return Pool(layer, "MaxPool", x, options);
}

Output AveragePooling2D(Graph& g, Output x, const Pooling2DOptions& options) {
  const LayerScope layer(g, {"AveragePooling2D", "average_pooling2d", options.name, Reuse::kInherit, options.where});
  return Pool(layer, "AvgPool", x, options);
}

}  // namespace staticflow::layers
