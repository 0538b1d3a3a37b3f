#include "ops/strided_copy.h"

#include <cstring>

namespace staticflow {

void CopyInput(KernelContext& c, int i, int o) {
  const TensorView &in = c.input(i), &out = c.output(o);
  if (in.data == out.data || in.num_elements == 0) return;
  DispatchStorage(in.dtype, [&]<typename T>() { std::copy_n(in.as<T>(), in.num_elements, out.as<T>()); });
}

void ClearOutput(const TensorView& out) {
  if (out.num_elements == 0) return;
  DispatchStorage(out.dtype, [&]<typename T>() { std::fill_n(out.as<T>(), out.num_elements, T()); });
}

Sizes Integers(const TensorView& view) {
  Sizes values(view.num_elements);
  DispatchType<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>(
      view.dtype, [&]<typename T>() { std::copy_n(view.as<T>(), view.num_elements, values.begin()); });
  return values;
}

}  // namespace staticflow
