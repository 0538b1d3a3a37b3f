// Dilation2D and its gradients: grey-scale morphology, y = the maximum of x + filter under a sliding window.
#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/nn.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

struct Window {
  int64_t stride[2], rate[2];
  bool same;
};
template <typename Source>
absl::StatusOr<Window> WindowOf(const Source& source) {
  const auto& strides = source.template attr<std::vector<int64_t>>("strides");
  const auto& rates = source.template attr<std::vector<int64_t>>("rates");
  if (strides.size() != 4 || rates.size() != 4 || strides[0] != 1 || strides[3] != 1 || rates[0] != 1 ||
      rates[3] != 1) {
    return absl::InvalidArgumentError("strides and rates must have the form [1, rows, columns, 1]");
  }
  if (std::min({strides[1], strides[2], rates[1], rates[2]}) < 1) {
    return absl::InvalidArgumentError("strides and rates must be at least 1");
  }
  return Window{{strides[1], strides[2]}, {rates[1], rates[2]}, source.template attr<std::string>("padding") == "SAME"};
}

// One dimension: how many outputs there are, and where the first window begins.
struct Extent {
  int64_t out, before;
};
absl::StatusOr<Extent> ExtentOf(const Window& window, int d, int64_t in, int64_t filter) {
  const int64_t reach = AddSizes(MultiplySizes(filter - 1, window.rate[d]), 1), stride = window.stride[d];
  if (window.same) {
    const int64_t out = (in + stride - 1) / stride;
    return Extent{out, std::max<int64_t>(0, (out - 1) * stride + reach - in) / 2};
  }
  // Rounded toward 0, as in TensorFlow: a picture that is less than two strides too small gives nothing, not an error.
  const int64_t out = (in - reach + stride) / stride;
  if (out < 0) return absl::InvalidArgumentError(absl::StrCat("a window of ", reach, " is larger than ", in));
  return Extent{out, 0};
}

absl::Status DilationShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Window window, WindowOf(c));
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRank(0, 4));
  SF_ASSIGN_OR_RETURN(const Shape filter, c.WithRank(1, 3));
  SF_ASSIGN_OR_RETURN(const int64_t depth, c.MergeDims(input.dim(3), filter.dim(2), "channels of input and filter"));
  Shape shape = {input.dim(0), Shape::kUnknownDim, Shape::kUnknownDim, depth};
  for (int d = 0; d < 2; ++d) {
    if (input.dim(1 + d) < 0 || filter.dim(d) < 0) continue;
    if (filter.dim(d) == 0) return absl::InvalidArgumentError("the filter is empty");
    SF_ASSIGN_OR_RETURN(const Extent extent, ExtentOf(window, d, input.dim(1 + d), filter.dim(d)));
    shape.set_dim(1 + d, extent.out);
  }
  if (c.num_inputs() == 3) {
    SF_RETURN_IF_ERROR(Annotate(shape.MergeWith(c.input(2)).status(), "out_backprop: "));
    c.set_output(0, c.node().op().outputs[0].name == "in_backprop" ? input : filter);
  } else {
    c.set_output(0, std::move(shape));
  }
  return absl::OkStatus();
}

// Calls f(output element, input element, filter element) for every output element and the place of its maximum.
template <typename T, typename F>
absl::Status ForEachMaximum(const KernelContext& c, const Window& window, F f) {
  const TensorView &input = c.input(0), &filter = c.input(1);
  SF_ASSIGN_OR_RETURN(const Extent rows, ExtentOf(window, 0, input.dim(1), filter.dim(0)));
  SF_ASSIGN_OR_RETURN(const Extent columns, ExtentOf(window, 1, input.dim(2), filter.dim(1)));
  const int64_t depth = input.dim(3);
  int64_t out = 0;
  for (int64_t b = 0; b < input.dim(0); ++b) {
    for (int64_t y = 0; y < rows.out; ++y) {
      for (int64_t x = 0; x < columns.out; ++x) {
        for (int64_t k = 0; k < depth; ++k, ++out) {
          ComputeType<T> best = std::numeric_limits<ComputeType<T>>::lowest();
          int64_t best_in = -1, best_filter = -1;
          for (int64_t i = 0; i < filter.dim(0); ++i) {
            const int64_t row = y * window.stride[0] - rows.before + i * window.rate[0];
            if (row < 0 || row >= input.dim(1)) continue;
            for (int64_t j = 0; j < filter.dim(1); ++j) {
              const int64_t column = x * window.stride[1] - columns.before + j * window.rate[1];
              if (column < 0 || column >= input.dim(2)) continue;
              const int64_t at = ((b * input.dim(1) + row) * input.dim(2) + column) * depth + k;
              const int64_t of = (i * filter.dim(1) + j) * depth + k;
              const auto value = WrapAdd(ComputeType<T>(Widen(c.in<T>(0)[at])), ComputeType<T>(Widen(c.in<T>(1)[of])));
              if (best_in < 0 || value > best) {
                best = value;
                best_in = at;
                best_filter = of;
              }
            }
          }
          f(out, best_in, best_filter, best);
        }
      }
    }
  }
  return absl::OkStatus();
}

enum class Role { kForward, kInput, kFilter };

template <typename T, Role role>
absl::Status Dilate(KernelContext& c, const Window& window) {
  if (role != Role::kForward) std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  return ForEachMaximum<T>(c, window, [&](int64_t out, int64_t in, int64_t filter, ComputeType<T> value) {
    if (role == Role::kForward) {
      c.out<T>(0)[out] = T(value);
    } else if (const int64_t to = role == Role::kInput ? in : filter; to >= 0) {
      c.out<T>(0)[to] = T(WrapAdd(Widen(c.out<T>(0)[to]), Widen(c.in<T>(2)[out])));
    }
  });
}
template <Role role>
absl::StatusOr<Kernel> DilationKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Window window, WindowOf(setup));
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [window](KernelContext& c) { return Dilate<T, role>(c, window); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

Output Backprop(const GradientContext& c, const char* type) {
  return NodeBuilder(type, {c.x(0), c.x(1), c.dy(0)})
      .Attr("strides", c.attr<std::vector<int64_t>>("strides"))
      .Attr("rates", c.attr<std::vector<int64_t>>("rates"))
      .Attr("padding", c.attr<std::string>("padding"))
      .Build();
}
// Dilation2D: dinput and dfilter get dy at the places of the maxima.
void DilationGradient(GradientContext& c) {
  c.set_dx(0, Backprop(c, "Dilation2DBackpropInput"));
  c.set_dx(1, Backprop(c, "Dilation2DBackpropFilter"));
}
OpSpec Dilation(const char* name, const char* output, KernelSource kernel, GradientFunction gradient, const char* doc) {
  OpSpec spec = {.name = name,
                 .inputs = {"input: T", "filter: T"},
                 .outputs = {output},
                 .attrs = {kNumberT, "strides: list(int) >= 4", "rates: list(int) >= 4", "padding: {'SAME', 'VALID'}"},
                 .shape = DilationShape,
                 .gradient = gradient,
                 .kernel = kernel,
                 .batch = output == absl::string_view("filter_backprop: T") ? SumBatch : ConvBatch,
                 .doc = doc};
  if (gradient == kGradientIsError) spec.inputs.push_back("out_backprop: T");
  return spec;
}
const OpRegistrar dilation(Dilation("Dilation2D", "output: T", DilationKernel<Role::kForward>, DilationGradient,
                                    "The maximum of picture plus filter under a sliding window."));
const OpRegistrar by_input(Dilation("Dilation2DBackpropInput", "in_backprop: T", DilationKernel<Role::kInput>,
                                    kGradientIsError, "The gradient of Dilation2D by its input."));
const OpRegistrar by_filter(Dilation("Dilation2DBackpropFilter", "filter_backprop: T", DilationKernel<Role::kFilter>,
                                     kGradientIsError, "The gradient of Dilation2D by its filter."));

}  // namespace

Output Dilation2D(Operand input, Operand filter, const Dilation2DOptions& options) {
  return NodeBuilder("Dilation2D", {input, filter})
      .Attr("strides", options.strides)
      .Attr("rates", options.rates)
      .Attr("padding", options.padding)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
