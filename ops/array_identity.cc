// Identity and its kin: ops whose output is their input, with something on the way.
#include <cmath>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ops/array.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"

namespace staticflow {
namespace {

const OpRegistrar identity({.name = "Identity",
                            .inputs = {"input: T"},
                            .outputs = {"output: T"},
                            .attrs = {"T: type"},
                            .shape = SameShape,
                            .gradient = PassGradient,
                            .kernel = CopyKernel,
                            .traits = kAlias,
                            .role = OpRole::kIdentity,
                            .shape_value = PassShapeValue,
                            .doc = "The input."});

const OpRegistrar ref_identity({.name = "RefIdentity",
                                .inputs = {"input: Ref(T)"},
                                .outputs = {"output: Ref(T)"},
                                .attrs = {"T: type"},
                                .shape = SameShape,
                                .gradient = PassGradient,
                                .kernel = CopyKernel,
                                .traits = kAlias,
                                .role = OpRole::kIdentity,
                                .doc = "The reference."});

absl::Status IdentityNShape(ShapeContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) c.set_output(i, c.input(i));
  return absl::OkStatus();
}

absl::Status IdentityNKernel(KernelContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) CopyInput(c, i, i);
  return absl::OkStatus();
}

void IdentityNGradient(GradientContext& c) {
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (c.has_dy(i)) c.set_dx(i, c.dy(i));
  }
}

const OpRegistrar identity_n({.name = "IdentityN",
                              .inputs = {"input: T"},
                              .outputs = {"output: T"},
                              .attrs = {"T: list(type) >= 1"},
                              .shape = IdentityNShape,
                              .gradient = IdentityNGradient,
                              .kernel = IdentityNKernel,
                              .traits = kAlias,
                              .batch = PassBatch,
                              .doc = "The inputs."});

const OpRegistrar stop_gradient({.name = "StopGradient",
                                 .inputs = {"input: T"},
                                 .outputs = {"output: T"},
                                 .attrs = {"T: type"},
                                 .shape = SameShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = CopyKernel,
                                 .traits = kAlias,
                                 .role = OpRole::kStopGradient,
                                 .shape_value = PassShapeValue,
                                 .doc = "The input, held constant by gradients."});

const OpRegistrar prevent_gradient({.name = "PreventGradient",
                                    .inputs = {"input: T"},
                                    .outputs = {"output: T"},
                                    .attrs = {"T: type", "message: string = ''"},
                                    .shape = SameShape,
                                    .gradient = kGradientIsError,
                                    .kernel = CopyKernel,
                                    .traits = kAlias,
                                    .batch = PassBatch,
                                    .doc = "The input; differentiating through it is an error."});

const OpRegistrar snapshot({.name = "Snapshot",
                            .inputs = {"input: T"},
                            .outputs = {"output: T"},
                            .attrs = {"T: type"},
                            .shape = SameShape,
                            .gradient = PassGradient,
                            .kernel = CopyKernel,
                            .batch = PassBatch,
                            .doc = "A copy of the input."});

const OpRegistrar guarantee_const({.name = "GuaranteeConst",
                                   .inputs = {"input: T"},
                                   .outputs = {"output: T"},
                                   .attrs = {"T: type"},
                                   .shape = SameShape,
                                   .gradient = kGradientIsError,
                                   .kernel = CopyKernel,
                                   .batch = PassBatch,
                                   .doc = "The input, which the caller promises never to change."});

// EnsureShape: the input, if its shape matches attribute `shape`.
absl::Status EnsureShapeShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.input(0).MergeWith(c.attr<Shape>("shape")));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

const OpRegistrar ensure_shape({.name = "EnsureShape",
                                .inputs = {"input: T"},
                                .outputs = {"output: T"},
                                .attrs = {"shape: shape", "T: type"},
                                .shape = EnsureShapeShape,
                                .gradient = PassGradient,
                                .kernel = CopyKernel,
                                .traits = kAlias,
                                .batch = PassBatch,
                                .doc = "The input; an error when its shape does not match."});

// CheckNumerics: the input, if it has neither NaN nor infinity.
struct Extraordinary {
  bool nan = false, low = false, high = false;
};
template <typename T>
Extraordinary FindExtraordinary(const T* x, int64_t n) {
  Extraordinary found;
  for (int64_t i = 0; i < n; ++i) {
    const std::conditional_t<std::is_same_v<T, double>, double, float> value(x[i]);
    found.nan |= std::isnan(value);
    found.low |= std::isinf(value) && value < 0;
    found.high |= std::isinf(value) && value > 0;
  }
  return found;
}
std::string Names(const Extraordinary& found) {
  const bool infinity = found.low || found.high;
  return absl::StrCat(found.nan ? "NaN" : "", found.nan && infinity ? " and " : "", infinity ? "Inf" : "");
}

using NameFunction = std::string (*)(const Extraordinary&);
template <NameFunction names>
absl::StatusOr<Kernel> CheckNumericsKernel(const KernelSetup& setup) {
  Kernel kernel;
  const std::string message = setup.attr<std::string>("message");
  DispatchType<float, double, Half, BFloat16>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [message](KernelContext& c) -> absl::Status {
      CopyInput(c, 0, 0);
      const std::string found = names(FindExtraordinary(c.in<T>(0), c.input(0).num_elements));
      if (found.empty()) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(message, ": the tensor holds ", found));
    };
  });
  return kernel;
}

void CheckNumericsGradient(GradientContext& c) {
  c.set_dx(0, CheckNumerics(c.dy(0), "Not a number (NaN) or infinity (Inf) values detected in gradient."));
}

const OpRegistrar check_numerics({.name = "CheckNumerics",
                                  .inputs = {"tensor: T"},
                                  .outputs = {"output: T"},
                                  .attrs = {"T: floattype", "message: string"},
                                  .shape = SameShape,
                                  .gradient = CheckNumericsGradient,
                                  .kernel = CheckNumericsKernel<Names>,
                                  .traits = kInPlace | kStateful,
                                  .batch = PassBatch,
                                  .doc = "The input; an error when it holds NaN or infinity."});

// CheckNumericsV2: tells infinities of either sign.
std::string SignedNames(const Extraordinary& found) {
  std::vector<absl::string_view> names;
  if (found.low) names.push_back("-Inf");
  if (found.high) names.push_back("+Inf");
  if (found.nan) names.push_back("NaN");
  return absl::StrJoin(names, " and ");
}
void CheckNumericsV2Gradient(GradientContext& c) {
  const std::string message = absl::StrCat("Not a number (NaN) or infinity (Inf) values detected in gradient. ",
                                           c.attr<std::string>("message"));
  c.set_dx(0, NodeBuilder("CheckNumericsV2", {c.dy(0)}).Attr("message", message).Build());
}
const OpRegistrar check_numerics_v2({.name = "CheckNumericsV2",
                                     .inputs = {"tensor: T"},
                                     .outputs = {"output: T"},
                                     .attrs = {"T: floattype", "message: string"},
                                     .shape = SameShape,
                                     .gradient = CheckNumericsV2Gradient,
                                     .kernel = CheckNumericsKernel<SignedNames>,
                                     .traits = kInPlace | kStateful,
                                     .batch = PassBatch,
                                     .doc = "The input; an error that tells the sign when it holds infinity or NaN."});

// Bitcast: the same bytes; a dimension of the ratio of the sizes goes from or comes to the end of the shape.
absl::Status BitcastShape(ShapeContext& c) {
  const int64_t from = DataTypeSize(c.input_dtype(0)), to = DataTypeSize(c.attr<DataType>("type"));
  Shape shape = c.input(0);
  if (!shape.has_rank()) return absl::OkStatus();
  if (from > to && to > 0) {
    shape.push_back(from / to);
  } else if (from < to) {
    const int64_t ratio = from == 0 ? 0 : to / from;
    if (shape.rank() == 0 || (shape.dim(-1) != ratio && shape.dim(-1) != Shape::kUnknownDim)) {
      return absl::InvalidArgumentError(
          absl::StrCat("input has shape ", shape.ToString(), ", expected a last dimension of size ", ratio));
    }
    shape = shape.Slice(0, shape.rank() - 1);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status BitcastKernel(KernelContext& c) {
  const char* from = c.in<char>(0);
  if (from != c.out<char>(0)) std::copy_n(from, c.input(0).bytes(), c.out<char>(0));
  return absl::OkStatus();
}

constexpr char kBitTypes[] =
    "{bfloat16, half, float, double, int64, int32, uint8, uint16, uint32, uint64, int8, int16, complex64, complex128}";
const OpRegistrar bitcast({.name = "Bitcast",
                           .inputs = {"input: T"},
                           .outputs = {"output: type"},
                           .attrs = {absl::StrCat("T: ", kBitTypes), absl::StrCat("type: ", kBitTypes)},
                           .shape = BitcastShape,
                           .gradient = kGradientIsError,
                           .kernel = BitcastKernel,
                           .traits = kAlias,
                           .batch = BitcastBatch,
                           .doc = "The same bytes read as another type."});

}  // namespace

Output Identity(Operand input, const OpOptions& options) {
  return NodeBuilder("Identity", {input}).Name(options.name).Build();
}

std::vector<Output> IdentityN(absl::Span<const Output> inputs, const OpOptions& options) {
  return OutputsOf(NodeBuilder("IdentityN", {}).Inputs(inputs).Name(options.name).BuildNode());
}

Output StopGradient(Operand input, const OpOptions& options) {
  return NodeBuilder("StopGradient", {input}).Name(options.name).Build();
}

Output PreventGradient(Operand input, const PreventGradientOptions& options) {
  return NodeBuilder("PreventGradient", {input}).Attr("message", options.message).Name(options.name).Build();
}

Output Snapshot(Operand input, const OpOptions& options) {
  return NodeBuilder("Snapshot", {input}).Name(options.name).Build();
}

Output GuaranteeConst(Operand input, const OpOptions& options) {
  return NodeBuilder("GuaranteeConst", {input}).Name(options.name).Build();
}

Output EnsureShape(Operand input, const Shape& shape, const OpOptions& options) {
  return NodeBuilder("EnsureShape", {input}).Attr("shape", shape).Name(options.name).Build();
}

Output CheckNumerics(Operand tensor, const std::string& message, const OpOptions& options) {
  return NodeBuilder("CheckNumerics", {tensor}).Attr("message", message).Name(options.name).Build();
}

Output Bitcast(Operand input, DataType type, const OpOptions& options) {
  return NodeBuilder("Bitcast", {input}).Attr("type", type).Name(options.name).Build();
}

}  // namespace staticflow
