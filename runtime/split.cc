#include "runtime/split.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_split.h"

namespace staticflow {
namespace {

constexpr int64_t kFloatsPerLine = 16;

int64_t Elements(absl::Span<const Shape> shapes) {
  int64_t most = 0;
  for (const Shape& shape : shapes) most = std::max(most, shape.num_elements());
  return most;
}

}  // namespace

int64_t EstimateWork(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Shape> outputs) {
  const absl::string_view dims = node.op().spec.iteration.dims;
  if (dims.empty()) return std::max(Elements(inputs), Elements(outputs));
  // "mk,kn->mn": the product of the sizes of all letters, each seen first in an input or the output.
  std::array<int64_t, 256> size;
  size.fill(-1);
  const std::vector<absl::string_view> sides = absl::StrSplit(dims, "->");
  const std::vector<absl::string_view> operands = absl::StrSplit(sides[0], ',');
  const auto see = [&](absl::string_view letters, const Shape& shape) {
    for (size_t i = 0; i < letters.size() && static_cast<int>(i) < shape.rank(); ++i) {
      int64_t& known = size[static_cast<unsigned char>(letters[i])];
      known = std::max(known, shape.dim(static_cast<int>(i)));
    }
  };
  if (sides.size() == 2 && !outputs.empty()) see(sides[1], outputs[0]);
  for (size_t i = 0; i < operands.size() && i < inputs.size(); ++i) see(operands[i], inputs[i]);
  int64_t work = 1;
  for (int64_t n : size) work = n > 0 ? MultiplySizes(work, n) : work;
  return work;
}

int64_t WholeSplit(const Node& node, const Shape* output) {
  const Split split = node.op().spec.iteration.split;
  if (split == Split::kWhole || output == nullptr || !output->IsFullyDefined()) return 0;
  if (split == Split::kFlat) return output->num_elements();
  if (output->rank() == 0) return 1;
  return split == Split::kColumns ? output->dim(-1) : output->dim(0);
}

int64_t EvenCut(int64_t n, int parts, int part) {
  if (part >= parts) return n;
  const int64_t lines = (n + kFloatsPerLine - 1) / kFloatsPerLine;
  return std::min(n, lines * part / parts * kFloatsPerLine);
}

}  // namespace staticflow
