#include "ops/conv_window.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// What TensorFlow's files can hold; and sums and products of such numbers stay far from overflow.
constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();

constexpr int64_t kLargestDim = int64_t{1} << 40;

// ReadWindowVector for list attribute `name`, if the op has it; dilations may have no elements where that is the
// default.
absl::Status ReadPerDimension(const Node& node, const WindowRule& rule, absl::string_view name,
                              std::array<int64_t, 3>* values) {
  if (!node.has_attr(name)) return absl::OkStatus();
  if (name == "dilations" && node.has_attr("batch_dims") && node.attr<std::vector<int64_t>>(name).empty()) {
    return absl::OkStatus();
  }
  return ReadWindowVector(rule, name, node.attr<std::vector<int64_t>>(name), values);
}

absl::Status ReadExplicitPadding(const Node& node, WindowRule* rule) {
  std::vector<int64_t> list;
  if (node.has_attr("explicit_paddings")) list = node.attr<std::vector<int64_t>>("explicit_paddings");
  if (rule->padding != WindowPadding::kExplicit) {
    if (list.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("explicit_paddings must be empty unless padding is EXPLICIT");
  }
  if (static_cast<int>(list.size()) != 2 * rule->rank()) {
    return absl::InvalidArgumentError(absl::StrCat("explicit_paddings must have ", 2 * rule->rank(), " entries, got [",
                                                   absl::StrJoin(list, ", "), "]"));
  }
  if (!std::all_of(list.begin(), list.end(), [](int64_t v) { return v >= 0 && v <= kLargest; })) {
    return absl::InvalidArgumentError(
        absl::StrCat("explicit_paddings must not be negative, got [", absl::StrJoin(list, ", "), "]"));
  }
  const int channel = 2 * rule->channel_dim();
  if (list[0] != 0 || list[1] != 0 || list[channel] != 0 || list[channel + 1] != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("explicit_paddings must be 0 for batch and channels, got [", absl::StrJoin(list, ", "), "]"));
  }
  for (int d = 3 - rule->spatial; d < 3; ++d) {
    rule->before[d] = list[2 * rule->spatial_dim(d)];
    rule->after[d] = list[2 * rule->spatial_dim(d) + 1];
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadWindowVector(const WindowRule& rule, absl::string_view name, absl::Span<const int64_t> list,
                              std::array<int64_t, 3>* values) {
  if (static_cast<int>(list.size()) != rule.rank()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must have ", rule.rank(), " entries, got [", absl::StrJoin(list, ", "), "]"));
  }
  if (!std::all_of(list.begin(), list.end(), [](int64_t v) { return v >= 1 && v <= kLargest; })) {
    return absl::InvalidArgumentError(absl::StrCat(name, " must be positive, got [", absl::StrJoin(list, ", "), "]"));
  }
  if (list[0] != 1 || list[rule.channel_dim()] != 1) {
    return absl::UnimplementedError(
        absl::StrCat(name, " must be 1 for batch and channels, got [", absl::StrJoin(list, ", "), "]"));
  }
  for (int d = 3 - rule.spatial; d < 3; ++d) (*values)[d] = list[rule.spatial_dim(d)];
  return absl::OkStatus();
}

absl::Status ReadWindowRule(const Node& node, WindowRule* rule) {
  // Ops whose layout does not tell their number of dimensions do so by their strides.
  const bool has_depth = node.has_attr("strides") && node.attr<std::vector<int64_t>>("strides").size() == 5;
  const std::string format = node.has_attr("data_format") ? node.attr<std::string>("data_format") : "CHANNELS_LAST";
  rule->channels_first = format == "NCHW" || format == "NCDHW" || format == "CHANNELS_FIRST";
  rule->spatial = format.size() == 5 || (format.size() > 5 && has_depth) ? 3 : 2;
  const std::string& padding = node.attr<std::string>("padding");
  rule->padding = padding == "SAME"    ? WindowPadding::kSame
                  : padding == "VALID" ? WindowPadding::kValid
                                       : WindowPadding::kExplicit;
  SF_RETURN_IF_ERROR(ReadPerDimension(node, *rule, "strides", &rule->strides));
  SF_RETURN_IF_ERROR(ReadPerDimension(node, *rule, "dilations", &rule->dilations));
  SF_RETURN_IF_ERROR(ReadPerDimension(node, *rule, "ksize", &rule->window));
  return ReadExplicitPadding(node, rule);
}

absl::StatusOr<bool> ReadSupportedRule(const Node& node, WindowRule* rule) {
  const absl::Status read = ReadWindowRule(node, rule);
  if (read.ok() || read.code() == absl::StatusCode::kUnimplemented) return read.ok();
  return read;
}

absl::StatusOr<WindowDim> SlideWindow(const WindowRule& rule, int d, int64_t in, int64_t window) {
  WindowDim dim = {
      .in = in, .out = Shape::kUnknownDim, .window = window, .stride = rule.strides[d], .dilation = rule.dilations[d]};
  if (window != Shape::kUnknownDim && (window < 1 || window > kLargest)) {
    return absl::InvalidArgumentError(absl::StrCat("a window of size ", window, " must be positive"));
  }
  if (in > kLargestDim) return absl::InvalidArgumentError(absl::StrCat("a picture of size ", in, " is too large"));
  if (rule.padding == WindowPadding::kExplicit) {
    dim.before = rule.before[d];
    dim.after = rule.after[d];
  }
  if (in == Shape::kUnknownDim) return dim;
  if (rule.padding == WindowPadding::kSame) dim.out = (in + dim.stride - 1) / dim.stride;
  if (window == Shape::kUnknownDim) return dim;
  if (rule.padding == WindowPadding::kSame) {
    const int64_t total = std::max<int64_t>((dim.out - 1) * dim.stride + dim.extent() - in, 0);
    dim.before = total / 2;
    dim.after = total - dim.before;
    return dim;
  }
  // Rounded toward 0, as in TensorFlow: a picture that is less than two strides too small gives nothing, not an error.
  dim.out = (in + dim.before + dim.after - dim.extent() + dim.stride) / dim.stride;
  if (dim.out < 0) {
    return absl::InvalidArgumentError(absl::StrCat("a window of size ", dim.extent(), " does not fit into ",
                                                   in + dim.before + dim.after, " elements"));
  }
  return dim;
}

PictureShape ReadPicture(const WindowRule& rule, const Shape& shape) {
  PictureShape picture = {.batch = shape.dim(0), .channels = shape.dim(rule.channel_dim())};
  for (int d = 3 - rule.spatial; d < 3; ++d) picture.size[d] = shape.dim(rule.spatial_dim(d));
  return picture;
}

Shape WritePicture(const WindowRule& rule, const PictureShape& picture) {
  Shape shape = Shape::UnknownOfRank(rule.rank());
  shape.set_dim(0, picture.batch);
  shape.set_dim(rule.channel_dim(), picture.channels);
  for (int d = 3 - rule.spatial; d < 3; ++d) shape.set_dim(rule.spatial_dim(d), picture.size[d]);
  return shape;
}

absl::StatusOr<std::array<WindowDim, 3>> SlideWindows(const WindowRule& rule, const PictureShape& in,
                                                      const std::array<int64_t, 3>& window) {
  std::array<WindowDim, 3> dims;
  for (int d = 3 - rule.spatial; d < 3; ++d) {
    SF_ASSIGN_OR_RETURN(dims[d], SlideWindow(rule, d, in.size[d], window[d]));
  }
  return dims;
}

}  // namespace staticflow
