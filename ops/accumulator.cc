// Conditional accumulators. Contracts: ops/accumulator.h.
#include "ops/accumulator.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "graph/variable_key.h"
#include "ops/accumulator_storage.h"
#include "ops/step_objects.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

// ConditionalAccumulator and its kin: the handle of an accumulator, made when first used.
absl::Status HandleOnlyShape(ShapeContext& c) {
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  return absl::OkStatus();
}
template <bool takes_slices>
absl::StatusOr<Kernel> DeclarationKernel(const KernelSetup& setup) {
  const AccumulatorForm form = {.dtype = setup.attr<DataType>("dtype"),
                                .shape = setup.attr<Shape>("shape"),
                                .takes_slices = takes_slices,
                                .gives_mean = setup.attr<std::string>("reduction_type") == "MEAN"};
  return Kernel([form, key = VariableKey(setup.node())](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const GradientAccumulator* accumulator,
                        c.step().resources->FindOrCreate<GradientAccumulator>(
                            key, [&] { return std::make_unique<GradientAccumulator>(key, form); }));
    if (accumulator->form() != form) {
      return InvalidArgumentError(StrCat("accumulator ", key, " exists with other attributes"));
    }
    SetHandle(c, 0, key);
    return absl::OkStatus();
  });
}
constexpr char kDtype[] = "dtype: {half, float, double}";
OpSpec DeclarationOp(const char* name, const char* handle, KernelSource kernel, const char* doc) {
  return {.name = name,
          .outputs = {handle},
          .attrs = {kDtype, "shape: shape", "container: string = ''", "shared_name: string = ''",
                    "reduction_type: {'MEAN', 'SUM'} = 'MEAN'"},
          .shape = HandleOnlyShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful,
          .doc = doc};
}
const OpRegistrar dense(DeclarationOp("ConditionalAccumulator", "handle: Ref(string)", DeclarationKernel<false>,
                                      "Sums gradients up until there are enough."));
const OpRegistrar resource(DeclarationOp("ResourceConditionalAccumulator", "handle: resource", DeclarationKernel<false>,
                                         "Sums gradients up until there are enough."));
const OpRegistrar sparse(DeclarationOp("SparseConditionalAccumulator", "handle: Ref(string)", DeclarationKernel<true>,
                                       "Sums slices of gradients up until there are enough."));

absl::StatusOr<GradientAccumulator*> AccumulatorBehind(const KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const absl::string_view name, HandleName(c, 0));
  return c.step().resources->Find<GradientAccumulator>(name);
}

// What is done to an accumulator.
OpSpec OnAccumulator(OpSpec spec, bool is_resource) {
  if (is_resource) spec.name = StrCat("Resource", spec.name);
  spec.inputs.insert(spec.inputs.begin(), is_resource ? "handle: resource" : "handle: Ref(string)");
  spec.gradient = kNotDifferentiable;
  spec.traits = kStateful;
  return spec;
}
struct BothForms {
  explicit BothForms(const OpSpec& spec) : reference(OnAccumulator(spec, false)), resource(OnAccumulator(spec, true)) {}
  OpRegistrar reference, resource;
};

// AccumulatorApplyGradient.
absl::Status ApplyShape(ShapeContext& c) { return c.WithRank(1, 0).status(); }
absl::Status ApplyKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(GradientAccumulator * accumulator, AccumulatorBehind(c));
  SF_RETURN_IF_ERROR(accumulator->CheckTakes(c.input(2).dtype, false));
  SF_ASSIGN_OR_RETURN(Tensor gradient, c.InputTensor(2));
  return accumulator->Add(c.scalar<int64_t>(1), std::move(gradient));
}
const BothForms apply({.name = "AccumulatorApplyGradient",
                       .inputs = {"local_step: int64", "gradient: dtype"},
                       .attrs = {kDtype},
                       .shape = ApplyShape,
                       .kernel = ApplyKernel,
                       .doc = "Adds a gradient to an accumulator, unless it is stale."});

// SparseAccumulatorApplyGradient.
absl::Status ApplySlicesShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 1).status());
  SF_RETURN_IF_ERROR(c.WithRankAtLeast(3, 1).status());
  if (c.attr<bool>("has_known_shape")) SF_RETURN_IF_ERROR(c.WithRank(4, 1).status());
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ApplySlicesKernel(const KernelSetup& setup) {
  return Kernel([has_shape = setup.attr<bool>("has_known_shape")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(GradientAccumulator * accumulator, AccumulatorBehind(c));
    SF_RETURN_IF_ERROR(accumulator->CheckTakes(c.input(3).dtype, true));
    GradientSlices gradient;
    gradient.indices.assign(c.in<int64_t>(2), c.in<int64_t>(2) + c.input(2).num_elements);
    SF_ASSIGN_OR_RETURN(gradient.values, c.InputTensor(3));
    std::optional<std::vector<int64_t>> whole;
    if (has_shape) whole.emplace(c.in<int64_t>(4), c.in<int64_t>(4) + c.input(4).num_elements);
    return accumulator->AddSlices(c.scalar<int64_t>(1), std::move(gradient), whole);
  });
}
const OpRegistrar apply_slices(OnAccumulator({.name = "SparseAccumulatorApplyGradient",
                                              .inputs = {"local_step: int64", "gradient_indices: int64",
                                                         "gradient_values: dtype", "gradient_shape: int64"},
                                              .attrs = {kDtype, "has_known_shape: bool"},
                                              .shape = ApplySlicesShape,
                                              .kernel = ApplySlicesKernel,
                                              .doc = "Adds slices to an accumulator, unless they are stale."},
                                             false));

// AccumulatorTakeGradient.
absl::Status TakeShape(ShapeContext& c) { return c.WithRank(1, 0).status(); }
absl::Status TakeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(GradientAccumulator * accumulator, AccumulatorBehind(c));
  SF_RETURN_IF_ERROR(accumulator->CheckTakes(c.output(0).dtype, false));
  SF_ASSIGN_OR_RETURN(Tensor gradient, accumulator->Take(c.scalar<int32_t>(1)));
  return c.SetOutput(0, std::move(gradient));
}
const BothForms take({.name = "AccumulatorTakeGradient",
                      .inputs = {"num_required: int32"},
                      .outputs = {"average: dtype"},
                      .attrs = {kDtype},
                      .shape = TakeShape,
                      .kernel = TakeKernel,
                      .doc = "Takes the mean of the gradients out of an accumulator once there are enough."});

// SparseAccumulatorTakeGradient.
absl::Status TakeSlicesShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  c.set_output(0, Shape::UnknownOfRank(1));
  c.set_output(2, Shape::UnknownOfRank(1));
  return absl::OkStatus();
}
absl::Status TakeSlicesKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(GradientAccumulator * accumulator, AccumulatorBehind(c));
  SF_RETURN_IF_ERROR(accumulator->CheckTakes(c.output(1).dtype, true));
  SF_ASSIGN_OR_RETURN(GradientSlices slices, accumulator->TakeSlices(c.scalar<int32_t>(1)));
  const auto vector = [](absl::Span<const int64_t> values) -> absl::StatusOr<Tensor> {
    SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(DT_INT64, {static_cast<int64_t>(values.size())}));
    std::copy(values.begin(), values.end(), tensor.data<int64_t>());
    return tensor;
  };
  const Shape& declared = accumulator->form().shape;
  std::vector<int64_t> shape = {declared.has_rank() && declared.rank() > 0 ? declared.dim(0) : -1};
  for (int d = 1; d < slices.values.shape().rank(); ++d) shape.push_back(slices.values.shape().dim(d));
  SF_ASSIGN_OR_RETURN(Tensor indices, vector(slices.indices));
  SF_ASSIGN_OR_RETURN(Tensor sizes, vector(shape));
  SF_RETURN_IF_ERROR(c.SetOutput(0, std::move(indices)));
  SF_RETURN_IF_ERROR(c.SetOutput(1, std::move(slices.values)));
  return c.SetOutput(2, std::move(sizes));
}
const OpRegistrar take_slices(OnAccumulator({.name = "SparseAccumulatorTakeGradient",
                                             .inputs = {"num_required: int32"},
                                             .outputs = {"indices: int64", "values: dtype", "shape: int64"},
                                             .attrs = {kDtype},
                                             .shape = TakeSlicesShape,
                                             .kernel = TakeSlicesKernel,
                                             .doc = "Takes the mean of the slices out of an accumulator."},
                                            false));

// AccumulatorNumAccumulated.
absl::Status CountShape(ShapeContext& c) {
  c.set_output(0, Shape());
  return absl::OkStatus();
}
absl::Status CountKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const GradientAccumulator* accumulator, AccumulatorBehind(c));
  *c.out<int32_t>(0) = static_cast<int32_t>(accumulator->count());
  return absl::OkStatus();
}
const BothForms num_accumulated({.name = "AccumulatorNumAccumulated",
                                 .outputs = {"num_accumulated: int32"},
                                 .shape = CountShape,
                                 .kernel = CountKernel,
                                 .doc = "How many gradients an accumulator holds."});

// AccumulatorSetGlobalStep.
absl::Status SetTimeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(GradientAccumulator * accumulator, AccumulatorBehind(c));
  accumulator->SetTime(c.scalar<int64_t>(1));
  return absl::OkStatus();
}
const BothForms set_global_step({.name = "AccumulatorSetGlobalStep",
                                 .inputs = {"new_global_step: int64"},
                                 .shape = ApplyShape,
                                 .kernel = SetTimeKernel,
                                 .doc = "Sets the step before which gradients are stale."});

Output Declare(Graph& g, const char* type, const AccumulatorOptions& options) {
  return NodeBuilder(g, type, options.where)
      .Attr("dtype", options.dtype)
      .Attr("shape", options.shape)
      .Attr("shared_name", options.shared_name)
      .Attr("reduction_type", options.reduction_type)
      .Name(options.name)
      .Build();
}
std::string FormFor(absl::string_view type, const Operand& accumulator) {
  const bool is_resource = accumulator.output().valid() && accumulator.output().dtype() == DT_RESOURCE;
  return StrCat(is_resource ? "Resource" : "", type);
}

}  // namespace

Output ConditionalAccumulator(Graph& g, const AccumulatorOptions& options) {
  return Declare(g, "ConditionalAccumulator", options);
}
Output SparseConditionalAccumulator(Graph& g, const AccumulatorOptions& options) {
  return Declare(g, "SparseConditionalAccumulator", options);
}
Output ResourceConditionalAccumulator(Graph& g, const AccumulatorOptions& options) {
  return Declare(g, "ResourceConditionalAccumulator", options);
}
Operation AccumulatorApplyGradient(Operand accumulator, Operand local_step, Operand gradient,
                                   const OpOptions& options) {
  return NodeBuilder(FormFor("AccumulatorApplyGradient", accumulator), {accumulator, local_step, gradient})
      .Name(options.name)
      .BuildNode();
}
Output AccumulatorTakeGradient(Operand accumulator, Operand num_required, DataType dtype, const OpOptions& options) {
  return NodeBuilder(FormFor("AccumulatorTakeGradient", accumulator), {accumulator, num_required})
      .Attr("dtype", dtype)
      .Name(options.name)
      .Build();
}
Output AccumulatorNumAccumulated(Operand accumulator, const OpOptions& options) {
  return NodeBuilder(FormFor("AccumulatorNumAccumulated", accumulator), {accumulator}).Name(options.name).Build();
}
Operation AccumulatorSetGlobalStep(Operand accumulator, Operand new_global_step, const OpOptions& options) {
  return NodeBuilder(FormFor("AccumulatorSetGlobalStep", accumulator), {accumulator, new_global_step})
      .Name(options.name)
      .BuildNode();
}
Operation SparseAccumulatorApplyGradient(Operand accumulator, Operand local_step, const AccumulatedSlices& gradient,
                                         const OpOptions& options) {
  return NodeBuilder("SparseAccumulatorApplyGradient",
                     {accumulator, local_step, gradient.indices, gradient.values, gradient.shape})
      .Attr("has_known_shape", true)
      .Name(options.name)
      .BuildNode();
}
AccumulatedSlices SparseAccumulatorTakeGradient(Operand accumulator, Operand num_required, DataType dtype,
                                                const OpOptions& options) {
  Node* node = NodeBuilder("SparseAccumulatorTakeGradient", {accumulator, num_required})
                   .Attr("dtype", dtype)
                   .Name(options.name)
                   .BuildNode();
  return node == nullptr ? AccumulatedSlices() : AccumulatedSlices{node->output(0), node->output(1), node->output(2)};
}

}  // namespace staticflow
