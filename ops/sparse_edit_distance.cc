// EditDistance. Contract: ops/sparse.h.
#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>

#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// The result has the larger size of both in each dimension but the last one.
absl::Status DistanceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes a, SparseInputs(c, 0));
  SF_ASSIGN_OR_RETURN(const SparseSizes b, SparseInputs(c, 3));
  SF_ASSIGN_OR_RETURN(const int64_t rank, c.MergeDims(a.rank, b.rank, "dimensions"));
  if (rank == 0 || rank == 1) {
    return absl::InvalidArgumentError(absl::StrCat("the tensors have rank ", rank, ", expected at least 2"));
  }
  SF_ASSIGN_OR_RETURN(const Shape x, DimsFromInput(c, 2));
  SF_ASSIGN_OR_RETURN(const Shape y, DimsFromInput(c, 5));
  if (!x.has_rank() || !y.has_rank()) {
    if (rank > 0 && rank <= Shape::kMaxRank) c.set_output(0, Shape::UnknownOfRank(static_cast<int>(rank) - 1));
    return absl::OkStatus();
  }
  Shape shape;
  for (int d = 0; d + 1 < x.rank(); ++d) {
    const bool known = x.dim(d) != Shape::kUnknownDim && y.dim(d) != Shape::kUnknownDim;
    shape.push_back(known ? std::max(x.dim(d), y.dim(d)) : Shape::kUnknownDim);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// The entries of each sequence, by its place in the result.
using Sequences = std::map<int64_t, std::vector<int64_t>>;
Sequences SequencesOf(const SparseIndices& indices, const Shape& result) {
  Sequences sequences;
  for (int64_t k = 0; k < indices.count(); ++k) {
    int64_t at = 0;
    for (int d = 0; d < result.rank(); ++d) at = at * result.dim(d) + indices.at(k, d);
    sequences[at].push_back(k);
  }
  return sequences;
}

// Levenshtein's distance; equal(i, j) compares the elements i of the one and j of the other.
template <typename Equal>
int64_t Distance(absl::Span<const int64_t> a, absl::Span<const int64_t> b, Equal equal) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), int64_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t diagonal = row[0];
    row[0] = static_cast<int64_t>(i) + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const int64_t replaced = diagonal + (equal(a[i], b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool ElementsEqual(const TensorView& a, int64_t i, const TensorView& b, int64_t j) {
  if (a.dtype == DT_STRING) return a.as<std::string>()[i] == b.as<std::string>()[j];
  bool equal = false;
  if (DispatchType<float, double, Half, BFloat16>(
          a.dtype, [&]<typename T>() { equal = Widen(a.as<T>()[i]) == Widen(b.as<T>()[j]); })) {
    return equal;
  }
  const int64_t size = DataTypeSize(a.dtype);
  return std::memcmp(a.as<char>() + i * size, b.as<char>() + j * size, static_cast<size_t>(size)) == 0;
}

absl::Status ComputeDistances(KernelContext& c, bool normalize) {
  const TensorView& out = c.output(0);
  const SparseIndices hypothesis(c.input(0)), truth(c.input(3));
  for (int i : {0, 3}) {
    SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, i + 2));
    SF_RETURN_IF_ERROR((i == 0 ? hypothesis : truth).Check(shape));
  }
  const Sequences given = SequencesOf(hypothesis, *out.shape), wanted = SequencesOf(truth, *out.shape);
  std::fill_n(out.as<float>(), out.num_elements, 0.0f);
  for (const auto& [at, sequence] : given) {
    if (wanted.contains(at)) continue;
    out.as<float>()[at] = normalize ? std::numeric_limits<float>::infinity() : static_cast<float>(sequence.size());
  }
  for (const auto& [at, sequence] : wanted) {
    const float length = static_cast<float>(sequence.size());
    const auto found = given.find(at);
    float distance = length;
    if (found != given.end()) {
      distance = static_cast<float>(Distance(
          sequence, found->second, [&](int64_t i, int64_t j) { return ElementsEqual(c.input(4), i, c.input(1), j); }));
    }
    out.as<float>()[at] = normalize ? distance / length : distance;
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DistanceKernel(const KernelSetup& setup) {
  const DataType dtype = setup.input_dtype(1);
  if (dtype != DT_STRING && (DataTypeSize(dtype) == 0 || IsObject(dtype))) return NoKernelFor(setup, dtype);
  return Kernel(
      [normalize = setup.attr<bool>("normalize")](KernelContext& c) { return ComputeDistances(c, normalize); });
}
const OpRegistrar edit_distance({.name = "EditDistance",
                                 .inputs = {"hypothesis_indices: int64", "hypothesis_values: T",
                                            "hypothesis_shape: int64", "truth_indices: int64", "truth_values: T",
                                            "truth_shape: int64"},
                                 .outputs = {"output: float"},
                                 .attrs = {"normalize: bool = true", "T: type"},
                                 .shape = DistanceShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = DistanceKernel,
                                 .doc = "Levenshtein distances between sequences in sparse tensors."});

}  // namespace

Output EditDistance(const SparseParts& hypothesis, const SparseParts& truth, const EditDistanceOptions& options) {
  return NodeBuilder("EditDistance", {hypothesis.indices, hypothesis.values, hypothesis.shape, truth.indices,
                                      truth.values, truth.shape})
      .Attr("normalize", options.normalize)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
