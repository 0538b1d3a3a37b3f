// What ops that save and restore share: which part of a tensor a string names.
#ifndef STATICFLOW_OPS_SAVE_RESTORE_SLICES_H_
#define STATICFLOW_OPS_SAVE_RESTORE_SLICES_H_

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/io/env.h"
#include "runtime/io/tensor_slice.h"
#include "runtime/kernel.h"

namespace staticflow {

inline Env* EnvOf(const KernelContext& c) { return c.step().env != nullptr ? c.step().env : PosixEnv(); }

// An element of shape_and_slices. No shape: the whole tensor, whatever its shape.
struct SavedSlice {
  bool is_whole = true;
  Shape full_shape;
  TensorSlice slice;
};

// "4 5 0,2:-": rows 0 and 1 of a [4,5] matrix; "": a whole tensor.
inline absl::StatusOr<SavedSlice> ParseSavedSlice(absl::string_view text) {
  SavedSlice spec;
  if (text.empty()) return spec;
  const auto bad = [&] { return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no shape and slice")); };
  spec.is_whole = false;
  std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  std::vector<absl::string_view> parts = absl::StrSplit(words.back(), ':');
  words.pop_back();
  if (words.size() != parts.size() || words.size() > Shape::kMaxRank) return bad();
  for (size_t i = 0; i < words.size(); ++i) {
    int64_t size, start = 0, length = -1;
    if (!absl::SimpleAtoi(words[i], &size) || size < 0) return bad();
    if (parts[i] != "-") {
      const std::vector<absl::string_view> numbers = absl::StrSplit(parts[i], ',');
      if (numbers.size() != 2 || !absl::SimpleAtoi(numbers[0], &start) || !absl::SimpleAtoi(numbers[1], &length) ||
          start < 0 || length < 0 || start > size || length > size - start) {
        return bad();
      }
    }
    spec.full_shape.push_back(size);
    spec.slice.starts.push_back(start);
    spec.slice.lengths.push_back(length);
  }
  return spec;
}

// The sizes of the part that `spec` names.
inline Shape SliceShape(const SavedSlice& spec) {
  Shape shape;
  for (int i = 0; i < spec.full_shape.rank(); ++i) {
    shape.push_back(spec.slice.lengths[i] < 0 ? spec.full_shape.dim(i) : spec.slice.lengths[i]);
  }
  return shape;
}

// The only element of input i, which messages call `what`.
inline absl::StatusOr<std::string> ScalarString(const KernelContext& c, int i, absl::string_view what) {
  if (c.input(i).num_elements != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has shape ", c.input(i).shape->ToString(), ", expected a scalar"));
  }
  return *c.in<std::string>(i);
}

// InvalidArgument when `name`, of shape `shape` in a checkpoint, is not what the part is taken from.
inline absl::Status CheckFullShape(const std::string& name, const Shape& shape, const SavedSlice& spec) {
  if (spec.is_whole || shape == spec.full_shape) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " has shape ", shape.ToString(),
                                                 " in the checkpoint, a slice of ", spec.full_shape.ToString(),
                                                 " is asked for"));
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_SAVE_RESTORE_SLICES_H_
