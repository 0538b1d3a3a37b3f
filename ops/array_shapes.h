// Pieces of the shape functions, kernels and gradients that ops on arrays share.
#ifndef STATICFLOW_OPS_ARRAY_SHAPES_H_
#define STATICFLOW_OPS_ARRAY_SHAPES_H_

#include <optional>

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/strided_copy.h"
#include "runtime/kernel.h"

namespace staticflow {

// What ops on index tuples do about an index out of range: all of these mean an error here.
inline constexpr char kBadIndicesPolicy[] = "bad_indices_policy: {'', 'DEFAULT', 'ERROR'} = ''";

// Input i, a vector, as the complete shape of something: -1 stands for "not known yet", not for "to be inferred".
// InvalidArgument for a known value below 0.
absl::StatusOr<Shape> DimsFromInput(const ShapeContext& c, int i);

// The only element of input i when it is known; InvalidArgument when it has several.
absl::StatusOr<std::optional<int64_t>> ScalarFromInput(const ShapeContext& c, int i);

// The same as an axis in [0, rank). REQUIRES: rank >= 0.
absl::StatusOr<std::optional<int>> AxisFromInput(const ShapeContext& c, int i, int rank);

// The only element of an int32 or int64 input at run time, of a tensor with one element.
absl::StatusOr<int64_t> ScalarInput(const KernelContext& c, int i);
absl::StatusOr<int> AxisInput(const KernelContext& c, int i, int rank);

// The part of a Split::kRows kernel as a range of flat elements of output 0.
IndexRange FlatRows(const KernelContext& c);

// InvalidArgument unless output i has the shape that the kernel found from the values at run time.
absl::Status ExpectOutput(const KernelContext& c, int i, const Shape& shape);

// The kernel and the gradient of ops whose output 0 is input 0.
absl::Status CopyKernel(KernelContext& c);
void PassGradient(GradientContext& c);
// int16 indices as int32, for the ops of a gradient, which take no narrower ones; others as they are.
Output WideIndices(Output indices);
// The gradient of ops that only reshape input 0.
void ReshapeGradient(GradientContext& c);
// The only element of an integer Const; nullopt for anything else.
std::optional<int64_t> ConstInteger(Output output);
// The shape value of an op that hands input 0 on.
std::optional<Shape> PassShapeValue(const ShapeContext& c);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ARRAY_SHAPES_H_
