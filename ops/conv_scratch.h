// Several arrays in one piece of scratch memory.
//
//   ScratchArrays arrays;
//   const auto picture = arrays.Add<float>(n);             // where, once the memory is there
//   SF_ASSIGN_OR_RETURN(char* memory, arrays.Allocate(c));
//   float* p = picture.in(memory);
#ifndef STATICFLOW_OPS_CONV_SCRATCH_H_
#define STATICFLOW_OPS_CONV_SCRATCH_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "graph/shape.h"
#include "runtime/kernel.h"

namespace staticflow {

template <typename T>
struct ScratchArray {
  int64_t offset = 0;
  T* in(char* memory) const { return reinterpret_cast<T*>(memory + offset); }
};

class ScratchArrays {
 public:
  // An array of `count` elements, aligned to 64 bytes.
  template <typename T>
  ScratchArray<T> Add(int64_t count) {
    const ScratchArray<T> array = {total_};
    const int64_t bytes = AddSizes(MultiplySizes(count, sizeof(T)), 63);
    total_ = AddSizes(total_, bytes == kTooLarge ? kTooLarge : bytes / 64 * 64);
    return array;
  }
  // ResourceExhausted when the arrays are too large together.
  absl::StatusOr<char*> Allocate(KernelContext& c) const { return c.Scratch<char>(total_); }

 private:
  int64_t total_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CONV_SCRATCH_H_
