// What the blocks of reduction ops share: the specification, the builder, and the steps of their gradients.
#ifndef STATICFLOW_OPS_MATH_REDUCTION_OPS_H_
#define STATICFLOW_OPS_MATH_REDUCTION_OPS_H_

#include <string>
#include <type_traits>

#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/batch_rules.h"
#include "ops/math_reduction.h"
#include "ops/neutral_operands.h"
#include "ops/reduction.h"

namespace staticflow {

// The type that adds up elements of T: unsigned for integers, which wrap around.
template <typename T>
struct WrappingSumOf {
  using Type = ComputeType<T>;
};
template <typename T>
requires std::is_integral_v<T>
struct WrappingSumOf<T> {
  using Type = WrapType<T>;
};
template <typename T>
using WrappingSum = typename WrappingSumOf<T>::Type;

// Input 0 when nothing is reduced. No axis fits a scalar, so those that only the step brings are left to the kernel.
inline int SimplifyReduction(const ShapeContext& c) {
  return c.input(0).rank() == 0 && c.value(1) == nullptr ? -1 : SimplifySameShape(c);
}

inline OpSpec ReductionOp(std::string name, const char* type_attr, KernelSource kernel, GradientFunction gradient,
                          std::string doc, LoopFunction loop = nullptr) {
  return {.name = std::move(name),
          .inputs = {"input: T", "reduction_indices: Tidx"},
          .outputs = {"output: T"},
          .attrs = {type_attr, "keep_dims: bool = false", "Tidx: indextype = int32"},
          .shape = ReductionShape,
          .gradient = gradient,
          .kernel = kernel,
          .iteration = {.split = Split::kRows},
          .loop = loop,
          .simplify = SimplifyReduction,
          .batch = ReductionBatch,
          .doc = std::move(doc)};
}

// Of ops along one dimension, input 1, whose output has the shape of input 0. InvalidArgument for a dimension out of
// range.
absl::Status ScanShape(ShapeContext& c);

// The node of a reduction, and the constant of its axes named as Python names it.
Output BuildReduction(const char* type, const Operand& x, const Axes& axes, const ReduceOptions& options);

// `reduced`, which has the reduction's output shape, in a shape that broadcasts to the input's.
Output WithReducedDims(const GradientContext& c, Output reduced);

// The permutation of the input's dimensions that brings the reduced ones to the front, and their number: int32.
struct DimensionOrder {
  Output order;
  Output num_reduced;
};
DimensionOrder ReducedFirst(const GradientContext& c);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_REDUCTION_OPS_H_
