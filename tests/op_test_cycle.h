// Inputs for tables whose values need no literals.
#ifndef STATICFLOW_TESTS_OP_TEST_CYCLE_H_
#define STATICFLOW_TESTS_OP_TEST_CYCLE_H_

#include <cstdint>
#include <vector>

#include "graph/tensor.h"

namespace staticflow {

using Ints = std::vector<int64_t>;

// Element i is (i * step) % modulus - modulus / 2: whole numbers around zero, all different up to `modulus` of them.
template <typename E = float>
Tensor Cycle(const Shape& shape, int64_t step, int64_t modulus) {
  std::vector<E> values;
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    values.push_back(E(static_cast<float>(i * step % modulus - modulus / 2)));
  }
  return Tensor::Of<E>(shape, absl::MakeConstSpan(values));
}

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_OP_TEST_CYCLE_H_
