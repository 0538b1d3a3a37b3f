// Kernels over the rows of a tensor, its last dimension: softmax and its losses.
#ifndef STATICFLOW_OPS_NN_ROWS_H_
#define STATICFLOW_OPS_NN_ROWS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "ops/elementwise.h"
#include "runtime/kernel.h"

namespace staticflow {

// What softmax needs of one row: the largest element, and the sum of exp(x - largest). NaN when an element is NaN, or
// when the largest is infinite, as the formula says.
template <typename C>
struct RowExponents {
  C largest;
  C sum;
};

// Reads x[i * stride]; writes exp(x - largest) to `exponents` unless it is null.
template <typename T, typename C = ComputeType<T>>
RowExponents<C> ExponentiateRow(const T* x, int64_t n, int64_t stride, T* exponents) {
  C largest = -std::numeric_limits<C>::infinity();
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, C(Widen(x[i * stride])));
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const C e = std::exp(C(Widen(x[i * stride])) - largest);
    sum += e;
    if (exponents != nullptr) exponents[i] = T(e);
  }
  return {largest, C(sum)};
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_ROWS_H_
