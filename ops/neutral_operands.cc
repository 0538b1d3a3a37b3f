#include "ops/neutral_operands.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "graph/dtype.h"

namespace staticflow {
namespace {

template <typename T>
double Value(T element) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(element);
  } else {
    return static_cast<double>(static_cast<float>(element));
  }
}

// Whether the operand is known and each of its elements is `value`, with its sign.
bool IsAll(const Tensor* operand, double value) {
  if (operand == nullptr || operand->num_elements() == 0) return false;
  bool all = false;
  DispatchType<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
      operand->dtype(), [&]<typename T>() {
        const absl::Span<const T> elements = operand->flat<T>();
        all = std::all_of(elements.begin(), elements.end(), [value](T e) {
          const double x = Value(e);
          return x == value && std::signbit(x) == std::signbit(value);
        });
      });
  return all;
}

}  // namespace

int SimplifyProduct(const ShapeContext& c) { return IsAll(c.value(1), 1) ? 0 : IsAll(c.value(0), 1) ? 1 : -1; }

int SimplifyQuotient(const ShapeContext& c) { return IsAll(c.value(1), 1) ? 0 : -1; }

int SimplifySum(const ShapeContext& c) {
  const double nothing = IsFloating(c.input_dtype(0)) ? -0.0 : 0.0;
  return IsAll(c.value(1), nothing) ? 0 : IsAll(c.value(0), nothing) ? 1 : -1;
}

int SimplifyDifference(const ShapeContext& c) { return IsAll(c.value(1), 0) ? 0 : -1; }

int SimplifyPower(const ShapeContext& c) { return IsAll(c.value(1), 1) ? 0 : -1; }

int SimplifySameShape(const ShapeContext& c) {
  ShapeContext inferred = c;
  const bool known = c.input(0).IsFullyDefined() && c.node().op().spec.shape(inferred).ok();
  return known && inferred.output(0) == c.input(0) ? 0 : -1;
}

}  // namespace staticflow
