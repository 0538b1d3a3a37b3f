// EncodePng, ImageSummary. Contracts: ops/image.h, ops/summary.h.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/summary.h"
#include "ops/summary_message.h"
#include "runtime/io/png.h"

namespace staticflow {
namespace {

// EncodePng: a file for each of the pictures [..., height, width, channels].
absl::Status EncodeShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape image, c.WithRankAtLeast(0, 3));
  if (image.has_rank()) c.set_output(0, image.Slice(0, image.rank() - 3));
  return absl::OkStatus();
}
absl::Status EncodePictures(KernelContext& c, int level) {
  const TensorView& image = c.input(0);
  const bool wide = image.dtype == DT_UINT16;
  const int64_t size = image.shape->num_elements(image.rank() - 3, image.rank());
  const int64_t channels = image.dim(-1);
  if (channels < 1 || channels > 4) {
    return absl::InvalidArgumentError(absl::StrCat("image has ", channels, " channels, expected 1 to 4"));
  }
  std::string upper_first;
  for (int64_t i = 0; i < c.output(0).num_elements; ++i) {
    absl::string_view pixels(image.as<char>() + i * size * (wide ? 2 : 1), static_cast<size_t>(size));
    if (wide) {
      upper_first.clear();
      for (int64_t k = i * size; k < (i + 1) * size; ++k) {
        upper_first += static_cast<char>(image.as<uint16_t>()[k] >> 8);
        upper_first += static_cast<char>(image.as<uint16_t>()[k]);
      }
      pixels = upper_first;
    }
    SF_ASSIGN_OR_RETURN(c.out<std::string>(0)[i], EncodePng({.pixels = pixels,
                                                             .width = image.dim(-2),
                                                             .height = image.dim(-3),
                                                             .channels = static_cast<int>(channels),
                                                             .bits = wide ? 16 : 8},
                                                            level));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> EncodeKernel(const KernelSetup& setup) {
  const int64_t level = setup.attr<int64_t>("compression");
  if (level < -1 || level > 9) {
    return absl::InvalidArgumentError(absl::StrCat("compression is ", level, ", expected -1 to 9"));
  }
  return Kernel([level](KernelContext& c) { return EncodePictures(c, static_cast<int>(level)); });
}
void EncodeBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  const Shape& image = c.input_shape(0);
  if (!rows.is_rows()) return c.SetWorst();
  if (!image.has_rank()) return c.Unknown("the rank of its pictures is not known");
  if (rows.axis >= image.rank() - 3) return c.Mix("within a picture");
  c.set_output(0, rows);
}
const OpRegistrar encode({.name = "EncodePng",
                          .inputs = {"image: T"},
                          .outputs = {"contents: string"},
                          .attrs = {"compression: int = -1", "T: {uint8, uint16} = uint8"},
                          .shape = EncodeShape,
                          .gradient = kNotDifferentiable,
                          .kernel = EncodeKernel,
                          .batch = EncodeBatch,
                          .doc = "Pictures as PNG files."});

// ImageSummary: the first max_images pictures. Numbers that are not bytes are scaled: the largest is 255, or, where
// some are negative, 0 is 128 and the largest magnitude 127 away. A pixel that is not finite has the color bad_color.
struct ImageSummaryAttrs {
  int64_t max_images = 3;
  std::vector<uint8_t> bad_color;
};

template <typename T>
bool IsFinite(const T* pixel, int64_t channels) {
  return std::all_of(pixel, pixel + channels, [](T x) { return std::isfinite(static_cast<float>(x)); });
}

template <typename T>
void ScaleToBytes(const T* picture, int64_t pixels, int64_t channels, const std::vector<uint8_t>& bad_color,
                  std::string* bytes) {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (int64_t i = 0; i < pixels * channels; i += channels) {
    if (!IsFinite(picture + i, channels)) continue;
    for (int64_t k = i; k < i + channels; ++k) {
      low = std::min(low, static_cast<float>(picture[k]));
      high = std::max(high, static_cast<float>(picture[k]));
    }
  }
  constexpr float kNothing = 1e-6f;
  const bool centered = low < 0;
  const float most = centered ? std::max(std::abs(low), std::abs(high)) : high;
  const float scale = most < kNothing ? 0.0f : (centered ? 127.0f : 255.0f) / most, offset = centered ? 128.0f : 0.0f;
  for (int64_t i = 0; i < pixels * channels; i += channels) {
    const bool finite = IsFinite(picture + i, channels);
    for (int64_t k = 0; k < channels; ++k) {
      const float value = finite ? static_cast<float>(picture[i + k]) * scale + offset : 0;
      *bytes += static_cast<char>(finite ? static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f))
                                         : bad_color[static_cast<size_t>(k)]);
    }
  }
}

absl::Status WriteImages(KernelContext& c, const ImageSummaryAttrs& attrs) {
  const TensorView& tensor = c.input(1);
  if (c.input(0).rank() != 0) return absl::InvalidArgumentError("tag is no scalar");
  const int64_t height = tensor.dim(1), width = tensor.dim(2), channels = tensor.dim(3),
                size = height * width * channels;
  if (static_cast<int64_t>(attrs.bad_color.size()) < channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("bad_color has ", attrs.bad_color.size(), " elements, the pictures ", channels, " channels"));
  }
  MessageWriter summary;
  for (int64_t i = 0; i < std::min(attrs.max_images, tensor.dim(0)); ++i) {
    std::string bytes;
    DispatchType<float, double, Half>(tensor.dtype, [&]<typename T>() {
      ScaleToBytes(tensor.as<T>() + i * size, height * width, channels, attrs.bad_color, &bytes);
    });
    if (tensor.dtype == DT_UINT8) bytes.assign(tensor.as<char>() + i * size, static_cast<size_t>(size));
    SF_ASSIGN_OR_RETURN(
        const std::string png,
        EncodePng({.pixels = bytes, .width = width, .height = height, .channels = static_cast<int>(channels)}));
    MessageWriter image, value;
    image.Varint(kHeight, static_cast<uint64_t>(height));
    image.Varint(kWidth, static_cast<uint64_t>(width));
    image.Varint(kColorSpace, static_cast<uint64_t>(channels));
    image.Bytes(kEncodedImage, png);
    const std::string number = attrs.max_images > 1 ? absl::StrCat("/", i) : "";
    value.Bytes(kTag, absl::StrCat(*c.in<std::string>(0), "/image", number));
    value.Bytes(kImage, image.bytes());
    summary.Bytes(kSummaryValue, value.bytes());
  }
  *c.out<std::string>(0) = summary.bytes();
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ImageSummaryKernel(const KernelSetup& setup) {
  ImageSummaryAttrs attrs = {.max_images = setup.attr<int64_t>("max_images"), .bad_color = {255, 0, 0, 255}};
  if (setup.node().has_attr("bad_color")) {
    const Tensor& color = setup.attr<Tensor>("bad_color");
    if (color.dtype() != DT_UINT8) return absl::InvalidArgumentError("bad_color is not uint8");
    attrs.bad_color.assign(color.data<uint8_t>(), color.data<uint8_t>() + color.num_elements());
  }
  return Kernel([attrs](KernelContext& c) { return WriteImages(c, attrs); });
}
absl::Status ImageSummaryShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape tensor, c.WithRank(1, 4));
  const int64_t channels = tensor.dim(3);
  if (channels >= 0 && channels != 1 && channels != 3 && channels != 4) {
    return absl::InvalidArgumentError(absl::StrCat("pictures have ", channels, " channels, expected 1, 3 or 4"));
  }
  if (tensor.dim(1) == 0 || tensor.dim(2) == 0) return absl::InvalidArgumentError("pictures have no pixels");
  c.set_output(0, Shape());
  return absl::OkStatus();
}
const OpRegistrar image_summary({.name = "ImageSummary",
                                 .inputs = {"tag: string", "tensor: T"},
                                 .outputs = {"summary: string"},
                                 .attrs = {"max_images: int >= 1 = 3", "T: {uint8, float, half, double} = float",
                                           "bad_color: tensor = uint8 [255, 0, 0, 255]"},
                                 .shape = ImageSummaryShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = ImageSummaryKernel,
                                 .batch = MixBatch,
                                 .doc = "Pictures as a Summary message."});

}  // namespace

Output EncodePng(Operand image, const EncodePngOptions& options) {
  return NodeBuilder("EncodePng", {image}).Attr("compression", options.compression).Name(options.name).Build();
}

Output ImageSummary(const std::string& tag, Operand tensor, const ImageSummaryOptions& options) {
  if (!tensor.output().valid()) return Output();
  Graph& g = tensor.output().graph();
  const NameScope scope(g, options.name.empty() ? tag : options.name);
  const Output tag_node = Const(g, Tensor(tag), {.name = "tag", .where = tensor.where()});
  const Output summary =
      NodeBuilder("ImageSummary", {tag_node, tensor}).Attr("max_images", options.max_images).Name(scope.name()).Build();
  if (summary.valid() && !options.collection.empty()) g.AddToCollection(options.collection, summary);
  return summary;
}

}  // namespace staticflow
