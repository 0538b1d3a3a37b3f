// MaxPoolWithArgmax, MaxPoolGradWithArgmax, MaxPoolGradGradWithArgmax.
#include <limits>

#include "absl/strings/str_cat.h"
#include "ops/batch_rules.h"
#include "ops/conv_picture.h"
#include "ops/conv_scratch.h"
#include "ops/pool.h"
#include "ops/pool_nodes.h"

namespace staticflow {
namespace {

std::vector<std::string> ArgmaxAttrs(std::string index_type) {
  return {"ksize: list(int) >= 4",
          "strides: list(int) >= 4",
          std::move(index_type),
          "padding: {'SAME', 'VALID'}",
          "include_batch_in_index: bool = false",
          kPoolRealTypes};
}

// One of Run<T, Index>'s instances, for the types of the pictures and of the indices.
template <typename Run>
absl::StatusOr<Kernel> MakeArgmaxKernel(const KernelSetup& setup, DataType index_type, Run run) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(setup.node(), &rule));
  const bool with_batch = setup.attr<bool>("include_batch_in_index");
  const bool wide = index_type == DT_INT64;
  DataType dtype = setup.input_dtype(0);
  Kernel kernel;
  DispatchType<float, double, int32_t, uint8_t, int16_t, int8_t, int64_t, BFloat16, uint16_t, Half, uint32_t, uint64_t>(
      dtype, [&]<typename T>() {
        if (wide) {
          kernel = [=](KernelContext& c) { return run.template operator()<T, int64_t>(c, rule, with_batch); };
        } else {
          kernel = [=](KernelContext& c) { return run.template operator()<T, int32_t>(c, rule, with_batch); };
        }
      });
  if (!kernel) return NoKernelFor(setup, dtype);
  return kernel;
}

// MaxPoolWithArgmax: y = the maximum of each window and where it is.   dx = dy at that place.
absl::Status MaxPoolWithArgmaxShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(PoolShapeFunction(c));
  c.set_output(1, c.output(0));
  return absl::OkStatus();
}

struct RunMaxPoolWithArgmax {
  template <typename T, typename Index>
  absl::Status operator()(KernelContext& c, const WindowRule& rule, bool with_batch) const {
    SF_ASSIGN_OR_RETURN(const PoolShape s, MakePoolShape(rule, *c.input(0).shape));
    if (c.input(0).num_elements == 0) return absl::InvalidArgumentError("the input is empty");
    if (c.input(0).num_elements > std::numeric_limits<Index>::max()) {
      return absl::InvalidArgumentError("the input has more elements than Targmax can count");
    }
    SF_ASSIGN_OR_RETURN(int64_t * pixels, c.Scratch<int64_t>(s.channels));
    const IndexRange pictures = c.range();
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* x = c.in<T>(0) + p * s.in_elements();
      T* y = c.out<T>(0) + p * s.out_elements();
      Index* argmax = c.out<Index>(1) + p * s.out_elements();
      const int64_t base = with_batch ? p * s.in_elements() : 0;
      ForEachWindow(s, [&](int64_t out, const PoolWindow& window) {
        FindFirstMaxima(s, window, x, y + out * s.channels, pixels);
        for (int64_t i = 0; i < s.channels; ++i) {
          argmax[out * s.channels + i] = static_cast<Index>(base + pixels[i] * s.channels + i);
        }
      });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> MaxPoolWithArgmaxKernel(const KernelSetup& setup) {
  return MakeArgmaxKernel(setup, setup.output_dtype(1), RunMaxPoolWithArgmax());
}

NodeBuilder ArgmaxLike(const Node& like, absl::string_view type, std::initializer_list<Operand> operands) {
  NodeBuilder builder = PoolLike(like, type, operands);
  builder.Attr("include_batch_in_index", like.attr<bool>("include_batch_in_index"));
  return builder;
}

void MaxPoolWithArgmaxGradient(GradientContext& c) {
  c.set_dx(0, ArgmaxLike(c.node(), "MaxPoolGradWithArgmax", {c.x(0), c.dy(0), c.y(1)}).Build());
}

const OpRegistrar max_pool_with_argmax({.name = "MaxPoolWithArgmax",
                                        .inputs = {"input: T"},
                                        .outputs = {"output: T", "argmax: Targmax"},
                                        .attrs = ArgmaxAttrs("Targmax: {int32, int64} = int64"),
                                        .shape = MaxPoolWithArgmaxShape,
                                        .gradient = MaxPoolWithArgmaxGradient,
                                        .kernel = MaxPoolWithArgmaxKernel,
                                        .iteration = {.split = Split::kRows},
                                        .batch = LeadingBatch,
                                        .doc = "The maximum over windows of pictures, and where it is."});

// An index into picture `p`, made relative to it; InvalidArgument when it lies outside.
absl::StatusOr<int64_t> WithinPicture(const PoolShape& s, int64_t index, int64_t p, bool with_batch) {
  const int64_t size = s.in_elements();
  if (index < 0 || (with_batch ? index / size != p : index >= size)) {
    return absl::InvalidArgumentError(
        absl::StrCat("argmax ", index, " lies outside of picture ", p, " of ", size, " elements"));
  }
  return with_batch ? index - p * size : index;
}

absl::Status ArgmaxGradientShape(ShapeContext& c, bool backward) {
  WindowRule rule;
  SF_RETURN_IF_ERROR(ReadWindowRule(c.node(), &rule));
  SF_ASSIGN_OR_RETURN(Shape in, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(Shape out, PooledShape(rule, in));
  SF_ASSIGN_OR_RETURN(out, out.MergeWith(c.input(2)));
  if (backward) {
    SF_RETURN_IF_ERROR(out.MergeWith(c.input(1)).status());
  } else {
    SF_ASSIGN_OR_RETURN(in, in.MergeWith(c.input(1)));
  }
  c.set_output(0, backward ? std::move(in) : std::move(out));
  return absl::OkStatus();
}
absl::Status MaxPoolGradWithArgmaxShape(ShapeContext& c) { return ArgmaxGradientShape(c, true); }
absl::Status MaxPoolGradGradWithArgmaxShape(ShapeContext& c) { return ArgmaxGradientShape(c, false); }

// MaxPoolGradWithArgmax: dx[argmax] += dy.   ddy = ddx[argmax].
struct RunMaxPoolGradWithArgmax {
  template <typename T, typename Index>
  absl::Status operator()(KernelContext& c, const WindowRule& rule, bool with_batch) const {
    using C = ConvType<T>;
    SF_ASSIGN_OR_RETURN(const PoolShape s, MakePoolShape(rule, *c.input(0).shape));
    SF_ASSIGN_OR_RETURN(C * dx, c.Scratch<C>(s.in_elements()));
    const IndexRange pictures = c.range();
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* dy = c.in<T>(1) + p * s.out_elements();
      const Index* argmax = c.in<Index>(2) + p * s.out_elements();
      std::fill_n(dx, s.in_elements(), C(0));
      for (int64_t i = 0; i < s.out_elements(); ++i) {
        SF_ASSIGN_OR_RETURN(const int64_t at, WithinPicture(s, argmax[i], p, with_batch));
        dx[at] += static_cast<C>(dy[i]);
      }
      std::transform(dx, dx + s.in_elements(), c.out<T>(0) + p * s.in_elements(),
                     [](C v) { return static_cast<T>(v); });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> MaxPoolGradWithArgmaxKernel(const KernelSetup& setup) {
  return MakeArgmaxKernel(setup, setup.input_dtype(2), RunMaxPoolGradWithArgmax());
}

void MaxPoolGradWithArgmaxGradient(GradientContext& c) {
  c.set_dx(1, ArgmaxLike(c.node(), "MaxPoolGradGradWithArgmax", {c.x(0), c.dy(0), c.x(2)}).Build());
}

const OpRegistrar max_pool_grad_with_argmax({.name = "MaxPoolGradWithArgmax",
                                             .inputs = {"input: T", "grad: T", "argmax: Targmax"},
                                             .outputs = {"output: T"},
                                             .attrs = ArgmaxAttrs("Targmax: {int32, int64}"),
                                             .shape = MaxPoolGradWithArgmaxShape,
                                             .gradient = MaxPoolGradWithArgmaxGradient,
                                             .kernel = MaxPoolGradWithArgmaxKernel,
                                             .iteration = {.split = Split::kRows},
                                             .batch = LeadingBatch,
                                             .doc = "The gradient of MaxPoolWithArgmax."});

// MaxPoolGradGradWithArgmax: ddy = ddx[argmax].   The gradient by ddx is MaxPoolGradWithArgmax of ddy's.
struct RunMaxPoolGradGradWithArgmax {
  template <typename T, typename Index>
  absl::Status operator()(KernelContext& c, const WindowRule& rule, bool with_batch) const {
    SF_ASSIGN_OR_RETURN(const PoolShape s, MakePoolShape(rule, *c.input(0).shape));
    const IndexRange pictures = c.range();
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      for (int64_t i = p * s.out_elements(); i < (p + 1) * s.out_elements(); ++i) {
        SF_ASSIGN_OR_RETURN(const int64_t at, WithinPicture(s, c.in<Index>(2)[i], p, with_batch));
        c.out<T>(0)[i] = c.in<T>(1)[p * s.in_elements() + at];
      }
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> MaxPoolGradGradWithArgmaxKernel(const KernelSetup& setup) {
  return MakeArgmaxKernel(setup, setup.input_dtype(2), RunMaxPoolGradGradWithArgmax());
}

void MaxPoolGradGradWithArgmaxGradient(GradientContext& c) {
  c.set_dx(1, ArgmaxLike(c.node(), "MaxPoolGradWithArgmax", {c.x(0), c.dy(0), c.x(2)}).Build());
}

const OpRegistrar max_pool_grad_grad_with_argmax({.name = "MaxPoolGradGradWithArgmax",
                                                  .inputs = {"input: T", "grad: T", "argmax: Targmax"},
                                                  .outputs = {"output: T"},
                                                  .attrs = ArgmaxAttrs("Targmax: {int32, int64}"),
                                                  .shape = MaxPoolGradGradWithArgmaxShape,
                                                  .gradient = MaxPoolGradGradWithArgmaxGradient,
                                                  .kernel = MaxPoolGradGradWithArgmaxKernel,
                                                  .iteration = {.split = Split::kRows},
                                                  .batch = LeadingBatch,
                                                  .doc = "The gradient of MaxPoolGradWithArgmax by its gradient."});

}  // namespace

std::pair<Output, Output> MaxPoolWithArgmax(Operand input, const MaxPoolWithArgmaxOptions& options) {
  Node* node = NodeBuilder("MaxPoolWithArgmax", {input})
                   .Attr("ksize", options.ksize)
                   .Attr("strides", options.strides)
                   .Attr("padding", options.padding)
                   .Attr("Targmax", options.targmax)
                   .Attr("include_batch_in_index", options.include_batch_in_index)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1)};
}

}  // namespace staticflow
