// What the activations and their gradient ops have in common: y = f(x), and dx = g(dy, x or y), element by element.
//
//   const OpRegistrar relu(ActivationOp("Relu", kNumberT, ReluGradient, UnaryKernel<NumberTypes>(...), "..."));
#ifndef STATICFLOW_OPS_NN_ACTIVATION_H_
#define STATICFLOW_OPS_NN_ACTIVATION_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/op.h"
#include "graph/shape_inference.h"
#include "ops/elementwise.h"

namespace staticflow {

// Output 0 has the one shape that inputs 0 and 1 both have.
inline absl::Status MergedShape(ShapeContext& c) {
  absl::StatusOr<Shape> shape = c.input(0).MergeWith(c.input(1));
  if (!shape.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected two tensors of one shape, got ", c.input(0).ToString(), " and ", c.input(1).ToString()));
  }
  c.set_output(0, *std::move(shape));
  return absl::OkStatus();
}

// y = f(x).
inline OpSpec ActivationOp(std::string name, const char* type_attr, GradientFunction gradient, KernelSource kernel,
                           std::string doc, LoopFunction loop = nullptr) {
  OpSpec spec = UnaryOp(std::move(name), type_attr, kernel, gradient, std::move(doc), loop);
  spec.inputs = {"features: T"};
  spec.outputs = {"activations: T"};
  return spec;
}

// dx = g(dy, v), where v is f's input ("features") or its output ("outputs"), of dy's shape.
inline OpSpec ActivationGradOp(std::string name, const char* type_attr, const char* v, GradientFunction gradient,
                               KernelSource kernel, std::string doc, LoopFunction loop = nullptr) {
  OpSpec spec = BinaryOp(std::move(name), type_attr, kernel, gradient, std::move(doc), kNoTraits, loop);
  spec.inputs = {"gradients: T", absl::StrCat(v, ": T")};
  spec.outputs = {"backprops: T"};
  spec.shape = MergedShape;
  return spec;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_ACTIVATION_H_
