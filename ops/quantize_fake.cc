// FakeQuantWithMinMaxArgs, FakeQuantWithMinMaxVars, FakeQuantWithMinMaxVarsPerChannel and their gradients.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/quantize.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

constexpr char kNumBits[] = "num_bits: int = 8";
constexpr char kNarrowRange[] = "narrow_range: bool = false";

// The levels between `low` and `high`, which moved so that 0 is a level.
struct Levels {
  Levels(float min, float max, float quant_min, float quant_max) : none(min == 0 && max == 0) {
    scale = (max - min) / (quant_max - quant_min);
    const float zero_from_min = quant_min - min / scale;
    float zero = std::round(zero_from_min);
    if (zero_from_min < quant_min) zero = quant_min;
    if (zero_from_min > quant_max) zero = quant_max;
    low = (quant_min - zero) * scale;
    high = (quant_max - zero) * scale;
  }
  float Quantize(float x) const {
    if (none) return 0;
    const float inverse = 1.0f / scale, zero = std::floor(-low * inverse + 0.5f);
    const float clamped = std::min(std::max(x, low), high);
    return std::floor((clamped - low) * inverse - zero + 0.5f) * scale;
  }
  bool Contains(float x) const { return x >= low && x <= high; }

  bool none;  // an empty range: everything becomes 0
  float scale, low, high;
};

struct FakeQuantAttrs {
  explicit FakeQuantAttrs(const KernelSetup& setup)
      : quant_min(setup.attr<bool>("narrow_range") ? 1.0f : 0.0f),
        quant_max(static_cast<float>((int64_t{1} << setup.attr<int64_t>("num_bits")) - 1)) {}
  Levels Between(float min, float max) const { return Levels(min, max, quant_min, quant_max); }
  float quant_min, quant_max;
};

absl::Status CheckAttrs(const ShapeContext& c) {
  const int64_t bits = c.attr<int64_t>("num_bits");
  if (bits < 2 || bits > 16) {
    return absl::InvalidArgumentError(absl::StrCat("expected num_bits in [2, 16], got ", bits));
  }
  if (c.node().op().FindAttr("min") != nullptr && !(c.attr<float>("min") < c.attr<float>("max"))) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected min below max, got ", c.attr<float>("min"), " and ", c.attr<float>("max")));
  }
  return absl::OkStatus();
}

// --- The range in attributes ---

absl::Status ArgsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckAttrs(c));
  Shape shape = c.input(0);
  if (c.num_inputs() == 2) {
    SF_ASSIGN_OR_RETURN(shape, shape.MergeWith(c.input(1)));
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ArgsKernel(const KernelSetup& setup) {
  const Levels levels = FakeQuantAttrs(setup).Between(setup.attr<float>("min"), setup.attr<float>("max"));
  return Kernel([levels](KernelContext& c) {
    for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<float>(0)[i] = levels.Quantize(c.in<float>(0)[i]);
    return absl::OkStatus();
  });
}
absl::StatusOr<Kernel> ArgsGradientKernel(const KernelSetup& setup) {
  const Levels levels = FakeQuantAttrs(setup).Between(setup.attr<float>("min"), setup.attr<float>("max"));
  return Kernel([levels](KernelContext& c) {
    for (int64_t i = c.range().begin; i < c.range().end; ++i) {
      c.out<float>(0)[i] = levels.Contains(c.in<float>(1)[i]) ? c.in<float>(0)[i] : 0.0f;
    }
    return absl::OkStatus();
  });
}

Output BuildArgsGradient(const GradientContext& c, Output dy, Output x) {
  return NodeBuilder("FakeQuantWithMinMaxArgsGradient", {dy, x})
      .Attr("min", c.attr<float>("min"))
      .Attr("max", c.attr<float>("max"))
      .Attr("num_bits", c.attr<int64_t>("num_bits"))
      .Attr("narrow_range", c.attr<bool>("narrow_range"))
      .Build();
}
void ArgsGradient(GradientContext& c) { c.set_dx(0, BuildArgsGradient(c, c.dy(0), c.x(0))); }
void ArgsGradientGradient(GradientContext& c) { c.set_dx(0, BuildArgsGradient(c, c.dy(0), c.x(1))); }

const std::vector<std::string> kArgsAttrs = {"min: float = -6.0", "max: float = 6.0", kNumBits, kNarrowRange};
const OpRegistrar args({.name = "FakeQuantWithMinMaxArgs",
                        .inputs = {"inputs: float"},
                        .outputs = {"outputs: float"},
                        .attrs = kArgsAttrs,
                        .shape = ArgsShape,
                        .gradient = ArgsGradient,
                        .kernel = ArgsKernel,
                        .traits = kElementwise | kInPlace,
                        .iteration = {.split = Split::kFlat},
                        .doc = "Numbers rounded to levels between two attributes."});
const OpRegistrar args_gradient({.name = "FakeQuantWithMinMaxArgsGradient",
                                 .inputs = {"gradients: float", "inputs: float"},
                                 .outputs = {"backprops: float"},
                                 .attrs = kArgsAttrs,
                                 .shape = ArgsShape,
                                 .gradient = ArgsGradientGradient,
                                 .kernel = ArgsGradientKernel,
                                 .traits = kElementwise | kInPlace,
                                 .iteration = {.split = Split::kFlat},
                                 .doc = "The gradient of FakeQuantWithMinMaxArgs."});

// --- The range in inputs: scalars, or vectors along the last dimension ---

// Inputs [first_range, first_range + 2) have the shape of a range for input `x`.
template <bool per_channel>
absl::StatusOr<Shape> RangeShape(const ShapeContext& c, const Shape& x, int first_range) {
  SF_RETURN_IF_ERROR(CheckAttrs(c));
  SF_ASSIGN_OR_RETURN(const Shape min, c.WithRank(first_range, per_channel ? 1 : 0));
  SF_ASSIGN_OR_RETURN(Shape range, min.MergeWith(c.input(first_range + 1)));
  if (!per_channel) return range;
  if (x.rank() == 0) return absl::InvalidArgumentError("a scalar has no channels");
  SF_ASSIGN_OR_RETURN(const int64_t channels, c.MergeDims(range.dim(0), x.has_rank() ? x.dim(-1) : -1, "channels"));
  return Shape({channels});
}

template <bool per_channel>
absl::Status VarsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(RangeShape<per_channel>(c, c.input(0), 1).status());
  return SameShape(c);
}
template <bool per_channel>
absl::Status VarsGradientShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape x, c.input(0).MergeWith(c.input(1)));
  SF_ASSIGN_OR_RETURN(Shape range, RangeShape<per_channel>(c, x, 2));
  c.set_output(0, std::move(x));
  c.set_output(1, range);
  c.set_output(2, std::move(range));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> VarsKernel(const KernelSetup& setup) {
  return Kernel([attrs = FakeQuantAttrs(setup)](KernelContext& c) {
    const int64_t channels = c.input(1).num_elements;
    for (int64_t k = 0; k < channels; ++k) {
      const Levels levels = attrs.Between(c.in<float>(1)[k], c.in<float>(2)[k]);
      for (int64_t i = k; i < c.output(0).num_elements; i += channels) {
        c.out<float>(0)[i] = levels.Quantize(c.in<float>(0)[i]);
      }
    }
    return absl::OkStatus();
  });
}
absl::StatusOr<Kernel> VarsGradientKernel(const KernelSetup& setup) {
  return Kernel([attrs = FakeQuantAttrs(setup)](KernelContext& c) {
    const float *dy = c.in<float>(0), *x = c.in<float>(1);
    const int64_t channels = c.input(2).num_elements;
    for (int64_t k = 0; k < channels; ++k) {
      const Levels levels = attrs.Between(c.in<float>(2)[k], c.in<float>(3)[k]);
      double below = 0, above = 0;
      for (int64_t i = k; i < c.output(0).num_elements; i += channels) {
        const bool passes = levels.none || levels.Contains(x[i]);
        c.out<float>(0)[i] = passes ? dy[i] : 0.0f;
        if (!levels.none && x[i] < levels.low) below += dy[i];
        if (!levels.none && x[i] > levels.high) above += dy[i];
      }
      c.out<float>(1)[k] = static_cast<float>(below);
      c.out<float>(2)[k] = static_cast<float>(above);
    }
    return absl::OkStatus();
  });
}
void VarsGradient(GradientContext& c) {
  Node* node = NodeBuilder(absl::StrCat(c.node().type(), "Gradient"), {c.dy(0), c.x(0), c.x(1), c.x(2)})
                   .Attr("num_bits", c.attr<int64_t>("num_bits"))
                   .Attr("narrow_range", c.attr<bool>("narrow_range"))
                   .BuildNode();
  for (int i = 0; node != nullptr && i < 3; ++i) c.set_dx(i, node->output(i));
}

template <bool per_channel>
OpSpec VarsOp(const char* name, const char* doc) {
  return {.name = name,
          .inputs = {"inputs: float", "min: float", "max: float"},
          .outputs = {"outputs: float"},
          .attrs = {kNumBits, kNarrowRange},
          .shape = VarsShape<per_channel>,
          .gradient = VarsGradient,
          .kernel = VarsKernel,
          .doc = doc};
}
template <bool per_channel>
OpSpec VarsGradientOp(const char* name, const char* doc) {
  return {.name = name,
          .inputs = {"gradients: float", "inputs: float", "min: float", "max: float"},
          .outputs = {"backprops_wrt_input: float", "backprop_wrt_min: float", "backprop_wrt_max: float"},
          .attrs = {kNumBits, kNarrowRange},
          .shape = VarsGradientShape<per_channel>,
          .gradient = kNotDifferentiable,
          .kernel = VarsGradientKernel,
          .doc = doc};
}
const OpRegistrar vars(VarsOp<false>("FakeQuantWithMinMaxVars", "Numbers rounded to levels between two scalars."));
const OpRegistrar per_channel(VarsOp<true>("FakeQuantWithMinMaxVarsPerChannel",
                                           "Numbers rounded to levels of their channel."));
const OpRegistrar vars_gradient(VarsGradientOp<false>("FakeQuantWithMinMaxVarsGradient",
                                                      "The gradient of FakeQuantWithMinMaxVars."));
const OpRegistrar per_channel_gradient(VarsGradientOp<true>("FakeQuantWithMinMaxVarsPerChannelGradient",
                                                            "The gradient of FakeQuantWithMinMaxVarsPerChannel."));

Output BuildVars(const char* type, std::initializer_list<Operand> operands, const FakeQuantOptions& options) {
  return NodeBuilder(type, operands)
      .Attr("num_bits", options.num_bits)
      .Attr("narrow_range", options.narrow_range)
      .Name(options.name)
      .Build();
}

}  // namespace

Output FakeQuantWithMinMaxArgs(Operand inputs, const FakeQuantArgsOptions& options) {
  return NodeBuilder("FakeQuantWithMinMaxArgs", {inputs})
      .Attr("min", options.min)
      .Attr("max", options.max)
      .Attr("num_bits", options.num_bits)
      .Attr("narrow_range", options.narrow_range)
      .Name(options.name)
      .Build();
}
Output FakeQuantWithMinMaxVars(Operand inputs, Operand min, Operand max, const FakeQuantOptions& options) {
  return BuildVars("FakeQuantWithMinMaxVars", {inputs, min, max}, options);
}
Output FakeQuantWithMinMaxVarsPerChannel(Operand inputs, Operand min, Operand max, const FakeQuantOptions& options) {
  return BuildVars("FakeQuantWithMinMaxVarsPerChannel", {inputs, min, max}, options);
}

}  // namespace staticflow
