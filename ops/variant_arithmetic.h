// Variants that gradients pass through: values with zeros and sums, as lists of tensors and optionals are.
//
//   class TensorList : public ArithmeticVariant { ... };      // ops/tensor_list_value.h
//
// ZerosLike and AddN ask these for their results. Values never change, so everything may be called from any thread.
#ifndef STATICFLOW_OPS_VARIANT_ARITHMETIC_H_
#define STATICFLOW_OPS_VARIANT_ARITHMETIC_H_

#include "absl/status/statusor.h"
#include "graph/dtype.h"
#include "graph/tensor.h"
#include "runtime/kernel.h"

namespace staticflow {

class ArithmeticVariant : public VariantObject {
 public:
  // The same structure with zeros in place of all numbers.
  virtual absl::StatusOr<Variant> Zeros() const = 0;
  // This value plus `other`; InvalidArgument when it has another structure.
  virtual absl::StatusOr<Variant> Plus(const VariantObject& other) const = 0;
};

// The same for tensors of any type: zeros in the shape of `x` (strings: empty ones), and a + b of one shape and numeric
// type. Variants in a tensor are taken apart in turn.
absl::StatusOr<Tensor> ZerosOfTensor(const Tensor& x);
absl::StatusOr<Tensor> AddTensors(const Tensor& a, const Tensor& b);

// Kernels for tensors of variants: output 0 = zeros like input 0; output 0 = the sum of all inputs.
absl::Status ZerosOfVariants(KernelContext& c);
absl::Status AddVariants(KernelContext& c);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_VARIANT_ARITHMETIC_H_
