// How a window slides over a picture: what convolutions and pools of two and three spatial dimensions share.
//
//   WindowRule rule;                                   // strides, dilations, padding and layout, from a node
//   SF_RETURN_IF_ERROR(ReadWindowRule(node, &rule));
//   SF_ASSIGN_OR_RETURN(WindowDim rows, SlideWindow(rule, 1, 28, 3));   // .out == 28, .before == 1 for SAME, stride 1
//
// Spatial dimensions are always three here, depth, rows, columns: two-dimensional ops have a depth of 1. Layouts are
// normalized too: a PictureShape knows the sizes whatever their order. All functions are pure.
#ifndef STATICFLOW_OPS_CONV_WINDOW_H_
#define STATICFLOW_OPS_CONV_WINDOW_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "graph/shape.h"

namespace staticflow {

enum class WindowPadding { kValid, kSame, kExplicit };

struct WindowRule {
  int spatial = 2;  // dimensions that the op really has: 2 or 3, the last ones of the arrays
  bool channels_first = false;
  WindowPadding padding = WindowPadding::kValid;
  std::array<int64_t, 3> strides = {1, 1, 1};
  std::array<int64_t, 3> dilations = {1, 1, 1};
  std::array<int64_t, 3> window = {1, 1, 1};  // of pools ("ksize"); convolutions have it from their filter
  std::array<int64_t, 3> before = {0, 0, 0};  // explicit padding
  std::array<int64_t, 3> after = {0, 0, 0};

  int rank() const { return spatial + 2; }
  int channel_dim() const { return channels_first ? 1 : rank() - 1; }
  // Where dimension d in {0, 1, 2} of the arrays is in a shape. REQUIRES: d >= 3 - spatial.
  int spatial_dim(int d) const { return d - (3 - spatial) + (channels_first ? 2 : 1); }
};

// The attributes "strides", "padding", "data_format" and, where the op has them, "dilations", "explicit_paddings" and
// "ksize". InvalidArgument for lists of the wrong length, sizes that are not positive (or negative padding);
// Unimplemented for windows over the batch or the channels.
absl::Status ReadWindowRule(const Node& node, WindowRule* rule);
// The same for shape functions: false where it is Unimplemented, which is an error of the step, as in TensorFlow: until
// then nothing is known of the shapes.
absl::StatusOr<bool> ReadSupportedRule(const Node& node, WindowRule* rule);

// The spatial entries of `list`, which is called `name` and has one entry per dimension of a picture. InvalidArgument
// as above.
absl::Status ReadWindowVector(const WindowRule& rule, absl::string_view name, absl::Span<const int64_t> list,
                              std::array<int64_t, 3>* values);

// One spatial dimension of a window sliding over a picture.
struct WindowDim {
  int64_t in = 1;
  int64_t out = 1;
  int64_t window = 1;
  int64_t stride = 1;
  int64_t dilation = 1;
  int64_t before = 0;  // padding before the first element
  int64_t after = 0;   // and behind the last one, at least as much as the last window reaches

  // How far a window reaches.
  int64_t extent() const { return (window - 1) * dilation + 1; }
};

// Dimension d of `rule`, over `in` elements with a window of `window`; both may be unknown, then so is `out`.
// InvalidArgument when the window has no positive size or does not fit.
absl::StatusOr<WindowDim> SlideWindow(const WindowRule& rule, int d, int64_t in, int64_t window);

// A picture's shape by meaning; sizes may be unknown.
struct PictureShape {
  int64_t batch = Shape::kUnknownDim;
  std::array<int64_t, 3> size = {1, 1, 1};
  int64_t channels = Shape::kUnknownDim;

  int64_t pixels() const { return size[0] * size[1] * size[2]; }
};
// REQUIRES: shape has rank rule.rank().
PictureShape ReadPicture(const WindowRule& rule, const Shape& shape);
Shape WritePicture(const WindowRule& rule, const PictureShape& picture);

// The three dimensions of a window over a picture whose shape is known. InvalidArgument as SlideWindow.
absl::StatusOr<std::array<WindowDim, 3>> SlideWindows(const WindowRule& rule, const PictureShape& in,
                                                      const std::array<int64_t, 3>& window);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_WINDOW_H_
