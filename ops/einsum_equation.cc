#include "ops/einsum_equation.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr absl::string_view kEllipsis = "...";

int LabelOf(char letter) { return absl::ascii_islower(letter) ? letter - 'a' : letter - 'A' + 26; }

absl::Status CheckSubscripts(absl::string_view subscripts) {
  const size_t ellipsis = subscripts.find(kEllipsis);
  for (size_t i = 0; i < subscripts.size(); ++i) {
    if (i >= ellipsis && i < ellipsis + kEllipsis.size()) continue;
    if (!absl::ascii_isalpha(subscripts[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("the subscripts '", subscripts, "' hold something else than letters and one ellipsis"));
    }
  }
  return absl::OkStatus();
}

// How many dimensions the ellipsis of `subscripts` stands for; InvalidArgument when the rank does not fit.
absl::StatusOr<int> EllipsisRank(absl::string_view subscripts, int rank) {
  const bool has_ellipsis = subscripts.find(kEllipsis) != absl::string_view::npos;
  const int letters = static_cast<int>(subscripts.size()) - (has_ellipsis ? 3 : 0);
  if (has_ellipsis ? rank >= letters : rank == letters) return rank - letters;
  return absl::InvalidArgumentError(
      absl::StrCat("an input of rank ", rank, " does not fit the subscripts '", subscripts, "'"));
}

// The labels of `subscripts` whose ellipsis stands for the last `own` of `total` broadcast dimensions.
LabelList Labels(absl::string_view subscripts, int own, int total) {
  LabelList labels;
  for (size_t i = 0; i < subscripts.size(); ++i) {
    if (subscripts[i] != '.') {
      labels.push_back(LabelOf(subscripts[i]));
      continue;
    }
    for (int d = total - own; d < total; ++d) labels.push_back(EinsumLabels::kFirstBroadcast + d);
    i += kEllipsis.size() - 1;
  }
  return labels;
}

// One size that both can have; broadcast dimensions may be 1 on one side.
absl::StatusOr<int64_t> MergeSizes(int label, int64_t a, int64_t b) {
  if (a == b) return a;
  if (label >= EinsumLabels::kFirstBroadcast && (a == 1 || b == 1)) return a == 1 ? b : a;
  if (a == Shape::kUnknownDim || b == Shape::kUnknownDim) return std::max(a, b);
  return absl::InvalidArgumentError(absl::StrCat("dimensions of one label have sizes ", a, " and ", b));
}

}  // namespace

absl::StatusOr<EinsumEquation> EinsumEquation::Parse(absl::string_view equation) {
  const std::vector<absl::string_view> sides = absl::StrSplit(equation, "->");
  if (sides.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat("the equation '", equation, "' needs exactly one '->'"));
  }
  EinsumEquation result = {.inputs = absl::StrSplit(sides[0], ','), .output = std::string(sides[1])};
  SF_RETURN_IF_ERROR(CheckSubscripts(result.output));
  for (const std::string& subscripts : result.inputs) SF_RETURN_IF_ERROR(CheckSubscripts(subscripts));
  for (char letter : result.output) {
    if (letter != '.' && std::none_of(result.inputs.begin(), result.inputs.end(), [letter](const std::string& input) {
          return absl::StrContains(input, std::string(1, letter));
        })) {
      return absl::InvalidArgumentError(
          absl::StrCat("the label ", std::string(1, letter), " of the output is in no input of '", equation, "'"));
    }
  }
  return result;
}

absl::StatusOr<EinsumLabels> EinsumEquation::Resolve(absl::Span<const Shape* const> shapes) const {
  EinsumLabels labels;
  std::fill(std::begin(labels.sizes), std::end(labels.sizes), Shape::kUnknownDim);
  bool seen[EinsumLabels::kCount] = {};
  absl::InlinedVector<int, 2> broadcast;
  for (size_t i = 0; i < shapes.size(); ++i) {
    SF_ASSIGN_OR_RETURN(const int rank, EllipsisRank(inputs[i], shapes[i]->rank()));
    if (rank > Shape::kMaxKernelRank) return absl::InvalidArgumentError("an ellipsis stands for too many dimensions");
    broadcast.push_back(rank);
  }
  const int total = *std::max_element(broadcast.begin(), broadcast.end());
  for (size_t i = 0; i < shapes.size(); ++i) {
    labels.inputs.push_back(Labels(inputs[i], broadcast[i], total));
    for (size_t d = 0; d < labels.inputs[i].size(); ++d) {
      const int label = labels.inputs[i][d];
      const int64_t size = shapes[i]->dim(static_cast<int>(d));
      if (!seen[label]) labels.sizes[label] = size;
      SF_ASSIGN_OR_RETURN(labels.sizes[label], MergeSizes(label, labels.sizes[label], size));
      seen[label] = true;
    }
  }
  labels.output = Labels(output, total, total);
  return labels;
}

}  // namespace staticflow
