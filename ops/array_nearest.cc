// NearestNeighbors: the centers that points are closest to, as a clustering model predicts. Contract:
// ops/array_index.h.
#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ops/array_index.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"

namespace staticflow {
namespace {

enum Inputs { kPoints, kCenters, kK };

absl::Status NearestShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape points, c.WithRank(kPoints, 2));
  SF_ASSIGN_OR_RETURN(const Shape centers, c.WithRank(kCenters, 2));
  SF_RETURN_IF_ERROR(c.WithRank(kK, 0).status());
  SF_RETURN_IF_ERROR(c.MergeDims(points.dim(1), centers.dim(1), "dimensions of points and centers").status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> k, ScalarFromInput(c, kK));
  if (k.has_value() && *k < 0) return absl::InvalidArgumentError(absl::StrCat("k is ", *k, ", expected 0 or more"));
  const bool known = k.has_value() && centers.dim(0) >= 0;
  const Shape nearest = {points.dim(0), known ? std::min(*k, centers.dim(0)) : Shape::kUnknownDim};
  c.set_output(0, nearest);
  c.set_output(1, nearest);
  return absl::OkStatus();
}

float Dot(const float* a, const float* b, int64_t n) { return std::inner_product(a, a + n, b, 0.0f); }

// Orders centers by |center|^2 / 2 - point center, which differs from half the squared distance by |point|^2 / 2 alone.
absl::Status NearestKernel(KernelContext& c) {
  const int64_t size = c.input(kPoints).dim(1), centers = c.input(kCenters).dim(0), k = c.output(0).dim(1);
  if (centers > std::numeric_limits<int32_t>::max())
    return absl::InvalidArgumentError("there are more than 2^31 centers");
  SF_ASSIGN_OR_RETURN(float* half_norms, c.Scratch<float>(MultiplySizes(centers, 3)));
  float* scores = half_norms + centers;
  int32_t* order = reinterpret_cast<int32_t*>(scores + centers);
  const float* center = c.in<float>(kCenters);
  for (int64_t j = 0; j < centers; ++j) half_norms[j] = Dot(center + j * size, center + j * size, size) * 0.5f;
  for (int64_t i = c.range().begin; i < c.range().end; ++i) {
    const float* point = c.in<float>(kPoints) + i * size;
    for (int64_t j = 0; j < centers; ++j) scores[j] = half_norms[j] - Dot(point, center + j * size, size);
    std::iota(order, order + centers, 0);
    // A total order, or sorting would be undefined: NaN after all numbers, equal ones by position.
    std::partial_sort(order, order + k, order + centers, [scores](int32_t a, int32_t b) {
      const float x = scores[a], y = scores[b];
      if ((x != x) != (y != y)) return y != y;
      return x < y || (!(y < x) && a < b);
    });
    for (int64_t j = 0; j < k; ++j) {
      c.out<int64_t>(0)[i * k + j] = order[j];
      c.out<float>(1)[i * k + j] = 2 * scores[order[j]] + Dot(point, point, size);
    }
  }
  return absl::OkStatus();
}

void NearestBatch(BatchContext& c) {
  if (!c.input(kCenters).is_constant()) return c.Mix("with centers made of examples");
  LeadingBatch(c);
}

const OpRegistrar nearest_neighbors({.name = "NearestNeighbors",
                                     .inputs = {"points: float", "centers: float", "k: int64"},
                                     .outputs = {"nearest_center_indices: int64", "nearest_center_distances: float"},
                                     .shape = NearestShape,
                                     .gradient = kGradientIsError,
                                     .kernel = NearestKernel,
                                     .iteration = {.split = Split::kRows},
                                     .batch = NearestBatch,
                                     .doc = "The k centers nearest to each point, and the squared distances."});

}  // namespace

NearestOutputs NearestNeighbors(Operand points, Operand centers, Operand k, const OpOptions& options) {
  Node* node = NodeBuilder("NearestNeighbors", {points, centers, k}).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .distances = node->output(1)};
}

}  // namespace staticflow
