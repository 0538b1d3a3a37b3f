// SparseApply* and ResourceSparseApply*: update rules on some rows of the variables.
#include "absl/strings/match.h"
#include "ops/state_rows.h"
#include "ops/update_rules.h"

namespace staticflow {
namespace {

// As UpdateRuleShape, where the gradient holds the rows that `indices` names: [n] + variable.shape[1:].
absl::Status RowsShape(ShapeContext& c) {
  const int gradient = GradientInput(c.node());
  SF_ASSIGN_OR_RETURN(const Shape rows, c.WithRankAtLeast(gradient, 1));
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(gradient + 1, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(rows.dim(0), indices.dim(0), "rows of the gradient and indices").status());
  Shape expected = rows;
  if (expected.has_rank()) expected.set_dim(0, Shape::kUnknownDim);
  for (int i = 0; i < c.num_inputs(); ++i) {
    const Output input = c.node().input(i);
    if (input.valid() && (c.node().op().inputs[i].is_ref || input.dtype() == DT_RESOURCE)) {
      const Shape variable = VariableShapeBehind(c, i);
      absl::StatusOr<Shape> merged = expected.MergeWith(variable);
      if (!merged.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(c.node().op().inputs[i].name, " has shape ", variable.ToString(),
                                                       ", but ", expected.ToString(), " is expected"));
      }
      expected = *std::move(merged);
    } else if (i != gradient && i != gradient + 1) {
      SF_RETURN_IF_ERROR(Annotate(c.WithRank(i, 0).status(), absl::StrCat(c.node().op().inputs[i].name, ": ")));
    }
  }
  if (c.num_outputs() > 0) c.set_output(0, std::move(expected));
  return absl::OkStatus();
}

// The variables, all initialized, of one shape that fits the gradient's rows.
absl::Status CheckRows(KernelContext& c, int num_variables, int gradient, VariableSlot** slots) {
  const TensorView &grad = c.input(gradient), &indices = c.input(gradient + 1);
  for (int k = 0; k < num_variables; ++k) {
    SF_ASSIGN_OR_RETURN(slots[k], InitializedVariable(c, k));
    const Shape& shape = slots[k]->value.shape();
    if (slots[k]->dtype != grad.dtype) {
      return absl::InvalidArgumentError(absl::StrCat("variable ", slots[k]->name, " is ", DataTypeName(slots[k]->dtype),
                                                     ", the gradient ", DataTypeName(grad.dtype)));
    }
    if (shape.rank() == 0 || shape != slots[0]->value.shape() || indices.rank() != 1 ||
        *grad.shape != indices.shape->Concatenate(shape.Slice(1, shape.rank()))) {
      return absl::InvalidArgumentError(absl::StrCat("variable ", slots[k]->name, " has shape ", shape.ToString(),
                                                     ", the gradient's rows are ", grad.shape->ToString(), " at ",
                                                     indices.shape->ToString(), " indices"));
    }
  }
  for (int i = num_variables; i < c.num_inputs(); ++i) {
    if (i != gradient && i != gradient + 1 && c.input(i).num_elements != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", i, " has shape ", c.input(i).shape->ToString(), ", expected a scalar"));
    }
  }
  return absl::OkStatus();
}

// Row indices[i] of the variables takes the step of row i of the gradient, in the order of i.
template <template <typename> class Rule, typename T, typename Index>
absl::Status ApplyRows(KernelContext& c, int gradient, bool flag) {
  using A = RuleNumber<T>;
  constexpr int kVariables = Rule<A>::kVariables;
  VariableSlot* slots[kVariables];
  SF_RETURN_IF_ERROR(CheckRows(c, kVariables, gradient, slots));
  const Shape& shape = slots[0]->value.shape();
  SF_RETURN_IF_ERROR(CheckRowIndices(c.input(gradient + 1), shape.dim(0)));
  const Rule<A> rule = RuleOf<Rule<A>, T>(c, gradient, 2, flag);
  const char* mistake = nullptr;
  if constexpr (requires { rule.Mistake(); }) mistake = rule.Mistake();
  if constexpr (requires { rule.MistakeInRows(); }) mistake = rule.MistakeInRows();
  if (mistake != nullptr) return absl::InvalidArgumentError(mistake);
  const int64_t row = shape.num_elements(1, shape.rank());
  if constexpr (requires { Rule<A>::kRowsHaveElements; }) {
    if (row == 0) return absl::InvalidArgumentError("the rows have no elements");
  }
  const T* grad = c.in<T>(gradient);
  for (int64_t r = 0; r < c.input(gradient + 1).num_elements; ++r, grad += row) {
    const int64_t start = c.in<Index>(gradient + 1)[r] * row;
    T* variables[kVariables];
    for (int k = 0; k < kVariables; ++k) variables[k] = slots[k]->value.template data<T>() + start;
    for (int64_t i = 0; i < row; ++i) {
      A values[kVariables];
      for (int k = 0; k < kVariables; ++k) values[k] = A(variables[k][i]);
      if constexpr (requires { rule.OfRow(values, A()); }) {
        rule.OfRow(values, A(grad[i]));
      } else {
        rule(values, A(grad[i]));
      }
      for (int k = 0; k < kVariables; ++k) variables[k][i] = T(values[k]);
    }
  }
  return absl::OkStatus();
}

template <template <typename> class Rule>
absl::StatusOr<Kernel> RowsKernel(const KernelSetup& setup) {
  const int gradient = GradientInput(setup.node());
  const bool flag = RuleFlag(setup.node());
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(gradient), [&]<typename T>() {
    DispatchType<int32_t, int64_t>(setup.input_dtype(gradient + 1), [&]<typename Index>() {
      kernel = [gradient, flag](KernelContext& c) { return ApplyRows<Rule, T, Index>(c, gradient, flag); };
    });
  });
  return kernel;
}

// The dense op's arguments, with `indices` behind the gradient.
OpSpec RowsSpec(RuleSignature signature, bool is_resource, KernelSource kernel) {
  for (size_t i = 0; i < signature.arguments.size(); ++i) {
    if (signature.arguments[i] != "grad") continue;
    signature.arguments.insert(signature.arguments.begin() + static_cast<int64_t>(i) + 1, "indices: Tindices");
    break;
  }
  OpSpec spec = RuleSpec(signature, is_resource, kernel);
  spec.name = absl::StrCat(is_resource ? "ResourceSparseApply" : "SparseApply", signature.name);
  spec.attrs.insert(spec.attrs.begin() + 1, "Tindices: indextype");
  spec.shape = RowsShape;
  spec.iteration = {};
  return spec;
}

template <template <typename> class Rule>
struct BothForms {
  explicit BothForms(const RuleSignature& signature)
      : reference(RowsSpec(signature, false, RowsKernel<Rule>)),
        resource(RowsSpec(signature, true, RowsKernel<Rule>)) {}
  OpRegistrar reference, resource;
};

const BothForms<Momentum> momentum({.name = "Momentum",
                                    .variables = {"var", "accum"},
                                    .arguments = {"lr", "grad", "momentum"},
                                    .flag = "use_nesterov: bool = false",
                                    .doc = "Rows of accum = momentum * accum + grad; var -= lr * accum."});
// There is no form for references.
const OpRegistrar keras_momentum(RowsSpec({.name = "KerasMomentum",
                                           .variables = {"var", "accum"},
                                           .arguments = {"lr", "grad", "momentum"},
                                           .flag = "use_nesterov: bool = false",
                                           .doc = "Rows of accum = momentum * accum - lr * grad; var += accum."},
                                          /*is_resource=*/true, RowsKernel<KerasMomentum>));
const BothForms<Adagrad> adagrad({.name = "Adagrad",
                                  .variables = {"var", "accum"},
                                  .arguments = {"lr", "grad"},
                                  .flag = "update_slots: bool = true",
                                  .doc = "Rows of accum += grad^2; var -= lr * grad / sqrt(accum)."});
const BothForms<AdagradV2> adagrad_v2({.name = "AdagradV2",
                                       .variables = {"var", "accum"},
                                       .arguments = {"lr", "epsilon", "grad"},
                                       .flag = "update_slots: bool = true",
                                       .doc = "Rows of accum += grad^2; var -= lr * grad / (sqrt(accum) + epsilon)."});
const BothForms<Adadelta> adadelta({.name = "Adadelta",
                                    .variables = {"var", "accum", "accum_update"},
                                    .arguments = {"lr", "rho", "epsilon", "grad"},
                                    .doc = "Adadelta on rows."});
const BothForms<RMSProp> rms_prop({.name = "RMSProp",
                                   .variables = {"var", "ms", "mom"},
                                   .arguments = {"lr", "rho", "momentum", "epsilon", "grad"},
                                   .doc = "RMSProp on rows."});
const BothForms<CenteredRMSProp> centered_rms_prop({.name = "CenteredRMSProp",
                                                    .variables = {"var", "mg", "ms", "mom"},
                                                    .arguments = {"lr", "rho", "momentum", "epsilon", "grad"},
                                                    .doc = "Centered RMSProp on rows."});
const BothForms<ProximalGradientDescent> proximal_descent(
    {.name = "ProximalGradientDescent",
     .variables = {"var"},
     .arguments = {"alpha", "l1", "l2", "grad"},
     .doc = "Gradient descent with exact L1 and L2 penalties on rows."});
const BothForms<ProximalAdagrad> proximal_adagrad({.name = "ProximalAdagrad",
                                                   .variables = {"var", "accum"},
                                                   .arguments = {"lr", "l1", "l2", "grad"},
                                                   .doc = "Adagrad with exact L1 and L2 penalties on rows."});
const BothForms<AdagradDA> adagrad_da({.name = "AdagradDA",
                                       .variables = {"var", "gradient_accumulator", "gradient_squared_accumulator"},
                                       .arguments = {"grad", "lr", "l1", "l2", "global_step: int64"},
                                       .doc = "Adagrad by dual averaging on rows."});
const BothForms<Ftrl> ftrl({.name = "Ftrl",
                            .variables = {"var", "accum", "linear"},
                            .arguments = {"grad", "lr", "l1", "l2", "lr_power"},
                            .flag = "multiply_linear_by_lr: bool = false",
                            .doc = "Follow the regularized leader on rows."});
const BothForms<FtrlV2> ftrl_v2({.name = "FtrlV2",
                                 .variables = {"var", "accum", "linear"},
                                 .arguments = {"grad", "lr", "l1", "l2", "l2_shrinkage", "lr_power"},
                                 .flag = "multiply_linear_by_lr: bool = false",
                                 .doc = "Follow the regularized leader on rows, with L2 shrinkage of the gradient."});

}  // namespace
}  // namespace staticflow
