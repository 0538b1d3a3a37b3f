// SpaceToDepth and DepthToSpace: blocks of pixels in the channels.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// Where height, width and channels are: {1, 2, 3} or {2, 3, 1}.
struct ImageDims {
  explicit ImageDims(const std::string& format)
      : height(format == "NHWC" ? 1 : 2), width(height + 1), channels(height == 1 ? 3 : 1) {}
  int height, width, channels;
};

absl::Status SpaceToDepthShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  const ImageDims dims(c.attr<std::string>("data_format"));
  const int64_t block = c.attr<int64_t>("block_size");
  for (int d : {dims.height, dims.width}) {
    if (shape.dim(d) < 0) continue;
    if (shape.dim(d) % block != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("dimension ", d, " has size ", shape.dim(d), ", which blocks of ", block, " do not divide"));
    }
    shape.set_dim(d, shape.dim(d) / block);
  }
  if (shape.dim(dims.channels) >= 0) {
    shape.set_dim(dims.channels, MultiplySizes(shape.dim(dims.channels), MultiplySizes(block, block)));
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status DepthToSpaceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  const ImageDims dims(c.attr<std::string>("data_format"));
  const int64_t block = c.attr<int64_t>("block_size"), area = MultiplySizes(block, block);
  for (int d : {dims.height, dims.width}) {
    if (shape.dim(d) >= 0) shape.set_dim(d, MultiplySizes(shape.dim(d), block));
  }
  if (shape.dim(dims.channels) >= 0) {
    if (shape.dim(dims.channels) % area != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("there are ", shape.dim(dims.channels), " channels, expected a multiple of ", area));
    }
    shape.set_dim(dims.channels, shape.dim(dims.channels) / area);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// The elements of the wide image in the order of the deep one.
StridedView DeepView(const Shape& wide, const ImageDims& dims, int64_t block) {
  const Sizes strides = RowMajorStrides(wide);
  StridedView view;
  view.Add(wide.dim(0), strides[0]);
  const auto add_positions = [&] {
    view.Add(wide.dim(dims.height) / block, strides[dims.height] * block);
    view.Add(wide.dim(dims.width) / block, strides[dims.width] * block);
  };
  if (dims.channels == 3) add_positions();
  view.Add(block, strides[dims.height]);
  view.Add(block, strides[dims.width]);
  view.Add(wide.dim(dims.channels), strides[dims.channels]);
  if (dims.channels == 1) add_positions();
  return view;
}

absl::StatusOr<Kernel> SpaceToDepthKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [dims = ImageDims(setup.attr<std::string>("data_format")),
            block = setup.attr<int64_t>("block_size")](KernelContext& c) {
      CopyFromView(DeepView(*c.input(0).shape, dims, block), c.in<T>(0), c.out<T>(0), FlatRows(c));
      return absl::OkStatus();
    };
  });
}

absl::StatusOr<Kernel> DepthToSpaceKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [dims = ImageDims(setup.attr<std::string>("data_format")),
            block = setup.attr<int64_t>("block_size")](KernelContext& c) {
      CopyToView(DeepView(*c.output(0).shape, dims, block), c.in<T>(0), c.out<T>(0), {0, c.input(0).num_elements});
      return absl::OkStatus();
    };
  });
}

BlockOptions FormatOf(const GradientContext& c) { return {.data_format = c.attr<std::string>("data_format")}; }

void SpaceToDepthGradient(GradientContext& c) {
  c.set_dx(0, DepthToSpace(c.dy(0), static_cast<int>(c.attr<int64_t>("block_size")), FormatOf(c)));
}

void DepthToSpaceGradient(GradientContext& c) {
  c.set_dx(0, SpaceToDepth(c.dy(0), static_cast<int>(c.attr<int64_t>("block_size")), FormatOf(c)));
}

const OpRegistrar space_to_depth({.name = "SpaceToDepth",
                                  .inputs = {"input: T"},
                                  .outputs = {"output: T"},
                                  .attrs = {"T: type", "block_size: int >= 2",
                                            "data_format: {'NHWC', 'NCHW'} = 'NHWC'"},
                                  .shape = SpaceToDepthShape,
                                  .gradient = SpaceToDepthGradient,
                                  .kernel = SpaceToDepthKernel,
                                  .iteration = {.split = Split::kRows},
                                  .batch = LeadingBatch,
                                  .doc = "Blocks of pixels become channels."});

const OpRegistrar depth_to_space({.name = "DepthToSpace",
                                  .inputs = {"input: T"},
                                  .outputs = {"output: T"},
                                  .attrs = {"T: type", "block_size: int >= 2",
                                            "data_format: {'NHWC', 'NCHW'} = 'NHWC'"},
                                  .shape = DepthToSpaceShape,
                                  .gradient = DepthToSpaceGradient,
                                  .kernel = DepthToSpaceKernel,
                                  .batch = LeadingBatch,
                                  .doc = "Channels become blocks of pixels."});

}  // namespace

Output SpaceToDepth(Operand input, int block_size, const BlockOptions& options) {
  return NodeBuilder("SpaceToDepth", {input})
      .Attr("block_size", block_size)
      .Attr("data_format", options.data_format)
      .Name(options.name)
      .Build();
}

Output DepthToSpace(Operand input, int block_size, const BlockOptions& options) {
  return NodeBuilder("DepthToSpace", {input})
      .Attr("block_size", block_size)
      .Attr("data_format", options.data_format)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
