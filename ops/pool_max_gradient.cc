// The gradients of MaxPool, MaxPoolV2 and MaxPool3D, and the gradients' gradients.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/batch_rules.h"
#include "ops/conv_picture.h"
#include "ops/conv_scratch.h"
#include "ops/pool_sizes.h"

namespace staticflow {
namespace {

// MaxPoolGrad: each window's dy goes to its first maximum (in 3-D to every one).   ddy = MaxPoolGradGrad(ddx).
absl::Status MaxPoolGradShape(ShapeContext& c) {
  WindowRule rule;
  SF_ASSIGN_OR_RETURN(const bool known, ReadKnownRule(c, 3, &rule));
  SF_ASSIGN_OR_RETURN(const Shape in, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(Shape out, c.WithRank(1, rule.rank()));
  SF_ASSIGN_OR_RETURN(out, out.MergeWith(c.input(2)));
  if (c.input_dtype(0) != c.input_dtype(2)) {
    return absl::InvalidArgumentError(
        absl::StrCat("orig_input is ", DataTypeName(c.input_dtype(0)), ", grad is ", DataTypeName(c.input_dtype(2))));
  }
  if (known) {
    SF_ASSIGN_OR_RETURN(const Shape pooled, PooledShape(rule, in));
    SF_RETURN_IF_ERROR(pooled.MergeWith(out).status());
  }
  c.set_output(0, in);
  return absl::OkStatus();
}

// InvalidArgument unless inputs 1 and `last` of the op hold what the windows of all pictures give. Sizes of windows
// that a step computes are known here alone.
absl::Status CheckPooled(const KernelContext& c, const PoolShape& s, int last) {
  const int64_t pooled = c.input(0).dim(0) * s.pictures_per_row * s.out_elements();
  for (const int i : {1, last}) {
    if (c.input(i).num_elements == pooled) continue;
    return absl::InvalidArgumentError(absl::StrCat("input ", i, " has shape ", c.input(i).shape->ToString(),
                                                   ", the windows give ", pooled, " elements"));
  }
  return absl::OkStatus();
}

template <bool kAllMaxima>
struct RunMaxPoolGrad {
  template <typename T>
  absl::Status operator()(KernelContext& c, const PoolShape& s) const {
    using C = ConvType<T>;
    SF_RETURN_IF_ERROR(CheckPooled(c, s, 2));
    ScratchArrays arrays;
    const auto maxima_at = arrays.Add<T>(s.channels);
    const auto pixels_at = arrays.Add<int64_t>(s.channels);
    const auto dx_at = arrays.Add<C>(s.in_elements());
    SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
    T* maxima = maxima_at.in(memory);
    int64_t* pixels = pixels_at.in(memory);
    C* dx = dx_at.in(memory);
    const IndexRange pictures = Pictures(s, c.range());
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* x = c.in<T>(0) + p * s.in_elements();
      const T* y = c.in<T>(1) + p * s.out_elements();
      const T* dy = c.in<T>(2) + p * s.out_elements();
      std::fill_n(dx, s.in_elements(), C(0));
      ForEachWindow(s, [&](int64_t out, const PoolWindow& window) {
        const T* values = dy + out * s.channels;
        if (!kAllMaxima) {
          FindFirstMaxima(s, window, x, maxima, pixels);
          for (int64_t i = 0; i < s.channels; ++i) dx[pixels[i] * s.channels + i] += static_cast<C>(values[i]);
          return;
        }
        ForEachPixel(s, window, [&](int64_t pixel) {
          for (int64_t i = 0; i < s.channels; ++i) {
            const int64_t at = pixel * s.channels + i;
            if (x[at] == y[out * s.channels + i]) dx[at] += static_cast<C>(values[i]);
          }
        });
      });
      std::transform(dx, dx + s.in_elements(), c.out<T>(0) + p * s.in_elements(),
                     [](C v) { return static_cast<T>(v); });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> MaxPoolGradKernel(const KernelSetup& setup) {
  return MakeMaxPoolKernel(setup, setup.input_dtype(0), RunMaxPoolGrad<false>());
}
absl::StatusOr<Kernel> MaxPool3DGradKernel(const KernelSetup& setup) {
  return MakeMaxPoolKernel(setup, setup.input_dtype(0), RunMaxPoolGrad<true>());
}

// Both gradients below hold the picture constant, as TensorFlow does: the places of the maxima do not move.
template <bool kBackward>
void ThroughMaxima(GradientContext& c) {
  if (c.node().has_attr("padding") && c.attr<std::string>("padding") == "EXPLICIT") {
    c.Fail("MaxPoolGradGrad knows no explicit paddings");
    return;
  }
  c.set_dx(0, ZerosLike(c.x(0)));
  c.set_dx(1, ZerosLike(c.x(1)));
  const bool has_sizes = HasSizeInputs(c.node());
  const bool is_3d = c.attr<std::string>("data_format").size() == 5;
  const std::string type =
      absl::StrCat(is_3d ? "MaxPool3D" : "MaxPool", kBackward ? "Grad" : "GradGrad", has_sizes ? "V2" : "");
  if (has_sizes) {
    c.set_dx(2, PoolLike(c.node(), type, {c.x(0), c.x(1), c.dy(0), c.x(3), c.x(4)}).Build());
  } else {
    c.set_dx(2, PoolLike(c.node(), type, {c.x(0), c.x(1), c.dy(0)}).Build());
  }
}

OpSpec GradOp(std::string name, std::vector<std::string> inputs, std::vector<std::string> attrs, std::string doc) {
  return {.name = std::move(name),
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = std::move(attrs),
          .iteration = {.split = Split::kRows},
          .batch = LeadingBatch,
          .doc = std::move(doc)};
}
OpSpec MaxPoolGradOp(OpSpec spec, KernelSource kernel) {
  spec.shape = MaxPoolGradShape;
  spec.gradient = ThroughMaxima<false>;
  spec.kernel = kernel;
  return spec;
}
std::vector<std::string> GradInputs() { return {"orig_input: T", "orig_output: T", "grad: T"}; }
std::vector<std::string> GradV2Inputs() {
  return {"orig_input: T", "orig_output: T", "grad: T", "ksize: int32", "strides: int32"};
}
std::vector<std::string> With(std::vector<std::string> attrs, std::string more) {
  attrs.push_back(std::move(more));
  return attrs;
}

std::string OrFloat(const char* types) { return absl::StrCat(types, " = float"); }

const OpRegistrar max_pool_grad(MaxPoolGradOp(
    GradOp("MaxPoolGrad", GradInputs(), ExplicitAttrs(OrFloat(kPoolRealTypes)), "The gradient of MaxPool."),
    MaxPoolGradKernel));
const OpRegistrar max_pool_grad_v2(MaxPoolGradOp(
    GradOp("MaxPoolGradV2", GradV2Inputs(), SizeInputAttrs(OrFloat(kPoolRealTypes)), "The gradient of MaxPoolV2."),
    MaxPoolGradKernel));
const OpRegistrar max_pool_3d_grad(MaxPoolGradOp(
    GradOp("MaxPool3DGrad", {"orig_input: TInput", "orig_output: TInput", "grad: T"},
           With(Pool3DAttrs("T: {half, bfloat16, float} = float"), "TInput: {half, bfloat16, float} = float"),
           "The gradient of MaxPool3D."),
    MaxPool3DGradKernel));

// MaxPoolGradGrad: ddy = ddx where a window first has what orig_output says is its maximum, or 0.   The gradient by ddx
// is MaxPoolGrad of ddy's.
absl::Status MaxPoolGradGradShape(ShapeContext& c) {
  WindowRule rule;
  SF_ASSIGN_OR_RETURN(const bool known, ReadKnownRule(c, 3, &rule));
  SF_ASSIGN_OR_RETURN(Shape in, c.WithRank(0, rule.rank()));
  SF_ASSIGN_OR_RETURN(in, in.MergeWith(c.input(2)));
  SF_ASSIGN_OR_RETURN(Shape out, c.WithRank(1, rule.rank()));
  if (known) {
    SF_ASSIGN_OR_RETURN(const Shape pooled, PooledShape(rule, in));
    SF_ASSIGN_OR_RETURN(out, pooled.MergeWith(out));
  }
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

struct RunMaxPoolGradGrad {
  template <typename T>
  absl::Status operator()(KernelContext& c, const PoolShape& s) const {
    SF_RETURN_IF_ERROR(CheckPooled(c, s, 1));
    const IndexRange pictures = Pictures(s, c.range());
    for (int64_t p = pictures.begin; p < pictures.end; ++p) {
      const T* x = c.in<T>(0) + p * s.in_elements();
      const T* y = c.in<T>(1) + p * s.out_elements();
      const T* ddx = c.in<T>(2) + p * s.in_elements();
      T* ddy = c.out<T>(0) + p * s.out_elements();
      std::fill_n(ddy, s.out_elements(), T(0));
      ForEachWindow(s, [&](int64_t out, const PoolWindow& window) {
        for (int64_t i = out * s.channels; i < (out + 1) * s.channels; ++i) {
          bool found = false;
          ForEachPixel(s, window, [&](int64_t pixel) {
            const int64_t at = pixel * s.channels + i % s.channels;
            if (found || !(x[at] == y[i])) return;
            found = true;
            ddy[i] = ddx[at];
          });
        }
      });
    }
    return absl::OkStatus();
  }
};
absl::StatusOr<Kernel> MaxPoolGradGradKernel(const KernelSetup& setup) {
  return MakeMaxPoolKernel(setup, setup.input_dtype(0), RunMaxPoolGradGrad());
}

OpSpec MaxPoolGradGradOp(OpSpec spec) {
  spec.shape = MaxPoolGradGradShape;
  spec.gradient = ThroughMaxima<true>;
  spec.kernel = MaxPoolGradGradKernel;
  return spec;
}
const OpRegistrar max_pool_grad_grad(MaxPoolGradGradOp(GradOp("MaxPoolGradGrad", GradInputs(),
                                                              Pool2DAttrs(kPoolRealTypes),
                                                              "The gradient of MaxPoolGrad by its gradient.")));
const OpRegistrar max_pool_grad_grad_v2(MaxPoolGradGradOp(GradOp("MaxPoolGradGradV2", GradV2Inputs(),
                                                                 SizeInputAttrs(kPoolRealTypes),
                                                                 "The gradient of MaxPoolGradV2 by its gradient.")));
const OpRegistrar max_pool_3d_grad_grad(MaxPoolGradGradOp(GradOp("MaxPool3DGradGrad", GradInputs(),
                                                                 Pool3DAttrs("T: {half, bfloat16, float}"),
                                                                 "The gradient of MaxPool3DGrad by its gradient.")));

}  // namespace
}  // namespace staticflow
