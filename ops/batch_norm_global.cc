// BatchNormWithGlobalNormalization and its gradient. Contract: ops/batch_norm.h.
#include <cmath>

#include "graph/gradients.h"
#include "ops/batch_norm.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/nn_channels.h"

namespace staticflow {
namespace {

enum Inputs { kT, kM, kV, kBeta, kGamma };
enum GradInputs { kGradGamma = 3, kBackprop };

// Input kT [batch, rows, columns, channels] and the vectors in [kM, last], one element per channel.
absl::StatusOr<Shape> PictureAndVectors(const ShapeContext& c, int last) {
  SF_ASSIGN_OR_RETURN(Shape picture, c.WithRank(kT, 4));
  int64_t channels = picture.dim(-1);
  for (int i = kM; i <= last; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(i, 1));
    SF_ASSIGN_OR_RETURN(channels, c.MergeDims(channels, vector.dim(0), "channels"));
  }
  picture.set_dim(3, channels);
  return picture;
}

// y = (t - m) scale + beta for each channel, with scale = 1 / sqrt(v + epsilon), times gamma if scale_after.
absl::Status NormShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape picture, PictureAndVectors(c, kGamma));
  c.set_output(0, std::move(picture));
  return absl::OkStatus();
}

struct GlobalNorm {
  explicit GlobalNorm(const KernelSetup& setup)
      : epsilon(setup.attr<float>("variance_epsilon")), scales(setup.attr<bool>("scale_after_normalization")) {}

  template <typename T>
  absl::Status Forward(KernelContext& c) const {
    using A = ComputeType<T>;
    const int64_t channels = c.input(kT).dim(3);
    SF_ASSIGN_OR_RETURN(A * scale, c.Scratch<A>(channels));
    for (int64_t k = 0; k < channels; ++k) {
      scale[k] = A(1) / std::sqrt(A(Widen(c.in<T>(kV)[k])) + A(epsilon));
      if (scales) scale[k] *= A(Widen(c.in<T>(kGamma)[k]));
    }
    for (int64_t i = 0; i < c.output(0).num_elements; i += channels) {
      for (int64_t k = 0; k < channels; ++k) {
        const A centered = A(Widen(c.in<T>(kT)[i + k])) - A(Widen(c.in<T>(kM)[k]));
        c.out<T>(0)[i + k] = T(centered * scale[k] + A(Widen(c.in<T>(kBeta)[k])));
      }
    }
    return absl::OkStatus();
  }

  // With r = 1 / sqrt(v + epsilon), scale as above, and sums over all but the channel:
  //   db = sum dy,   dg = r sum dy (t - m), or 0,   dt = scale dy,   dm = -scale db,
  //   dv = -r^2 scale / 2 sum dy (t - m).
  template <typename T>
  absl::Status Backward(KernelContext& c) const {
    const ChannelLayout layout(*c.input(kT).shape, false);
    const int64_t n = layout.channels;
    SF_ASSIGN_OR_RETURN(double* scratch, c.Scratch<double>(MultiplySizes(3, n)));
    double *sum_dy = scratch, *sum_dy_t = scratch + n, *scale = scratch + 2 * n;
    const T *dy = c.in<T>(kBackprop), *t = c.in<T>(kT), *m = c.in<T>(kM);
    SumChannels(layout, {0, n}, sum_dy, [=](int64_t i, int64_t) { return double(Widen(dy[i])); });
    SumChannels(layout, {0, n}, sum_dy_t, [=](int64_t i, int64_t k) {
      return double(Widen(dy[i])) * (double(Widen(t[i])) - double(Widen(m[k])));
    });
    const auto as_t = [](double x) { return T(static_cast<ComputeType<T>>(x)); };
    for (int64_t k = 0; k < n; ++k) {
      const double r = 1 / std::sqrt(double(Widen(c.in<T>(kV)[k])) + double{epsilon});
      scale[k] = scales ? r * double(Widen(c.in<T>(kGradGamma)[k])) : r;
      c.out<T>(1)[k] = as_t(-scale[k] * sum_dy[k]);
      c.out<T>(2)[k] = as_t(-0.5 * r * r * scale[k] * sum_dy_t[k]);
      c.out<T>(3)[k] = as_t(sum_dy[k]);
      c.out<T>(4)[k] = as_t(scales ? r * sum_dy_t[k] : 0);
    }
    for (int64_t i = 0; i < c.output(0).num_elements; i += n) {
      for (int64_t k = 0; k < n; ++k) c.out<T>(0)[i + k] = as_t(scale[k] * double(Widen(dy[i + k])));
    }
    return absl::OkStatus();
  }

  float epsilon;
  bool scales;
};

template <bool backward>
absl::StatusOr<Kernel> NormKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [norm = GlobalNorm(setup)](KernelContext& c) {
      return backward ? norm.Backward<T>(c) : norm.Forward<T>(c);
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

absl::Status NormGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape picture, PictureAndVectors(c, kGradGamma));
  SF_ASSIGN_OR_RETURN(picture, picture.MergeWith(c.input(kBackprop)));
  for (int i = 1; i < 5; ++i) c.set_output(i, {picture.dim(3)});
  c.set_output(0, std::move(picture));
  return absl::OkStatus();
}

void NormGradient(GradientContext& c) {
  Node* grad = NodeBuilder("BatchNormWithGlobalNormalizationGrad", {c.x(kT), c.x(kM), c.x(kV), c.x(kGamma), c.dy(0)})
                   .Attr("variance_epsilon", c.attr<float>("variance_epsilon"))
                   .Attr("scale_after_normalization", c.attr<bool>("scale_after_normalization"))
                   .BuildNode();
  if (grad == nullptr) return;
  for (int i = kT; i <= kGamma; ++i) c.set_dx(i, grad->output(i));
}

// Pictures pass through by themselves; what the statistics of a batch went into is mixed.
void NormBatch(BatchContext& c) {
  if (!c.AreConstant(1)) return c.Mix("with statistics made of examples");
  LeadingBatch(c);
}
void NormGradBatch(BatchContext& c) {
  SumBatch(c);
  if (c.AreConstant(kM, kBackprop) && c.input(kT).is_rows() && c.input(kT) == c.input(kBackprop)) {
    c.set_output(0, c.input(kT));
  }
}

const std::vector<std::string> kNormAttrs = {kNumberT, "variance_epsilon: float", "scale_after_normalization: bool"};

const OpRegistrar norm({.name = "BatchNormWithGlobalNormalization",
                        .inputs = {"t: T", "m: T", "v: T", "beta: T", "gamma: T"},
                        .outputs = {"result: T"},
                        .attrs = kNormAttrs,
                        .shape = NormShape,
                        .gradient = NormGradient,
                        .kernel = NormKernel<false>,
                        .batch = NormBatch,
                        .doc = "Batch normalization by given statistics; the oldest of its ops."});
const OpRegistrar norm_grad({.name = "BatchNormWithGlobalNormalizationGrad",
                             .inputs = {"t: T", "m: T", "v: T", "gamma: T", "backprop: T"},
                             .outputs = {"dx: T", "dm: T", "dv: T", "db: T", "dg: T"},
                             .attrs = kNormAttrs,
                             .shape = NormGradShape,
                             .gradient = kGradientIsError,
                             .kernel = NormKernel<true>,
                             .batch = NormGradBatch,
                             .doc = "The gradient of BatchNormWithGlobalNormalization."});

}  // namespace

Output BatchNormWithGlobalNormalization(Operand t, Operand m, Operand v, Operand beta, Operand gamma,
                                        const BatchNormWithGlobalNormalizationOptions& options) {
  return NodeBuilder("BatchNormWithGlobalNormalization", {t, m, v, beta, gamma})
      .Attr("variance_epsilon", options.variance_epsilon)
      .Attr("scale_after_normalization", options.scale_after_normalization)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
