// CombinedNonMaxSuppression. Contract: ops/image.h.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/image.h"
#include "ops/image_suppression.h"

namespace staticflow {
namespace {

enum Inputs { kBoxes, kScores, kPerClass, kTotal, kOverlap, kScore };

// The best boxes of one example.
struct Detection {
  float score;
  int64_t box;  // a row of boxes
  int64_t box_class;
};

// One example: boxes [n, 1 or classes, 4], scores [n, classes]. Returned by falling score, at most `most`.
std::vector<Detection> Detect(const float* boxes, int64_t per_box, const float* scores, int64_t n, int64_t classes,
                              const Suppression& how, int64_t most) {
  std::vector<Detection> found;
  std::vector<float> of_class(n);
  for (int64_t k = 0; k < classes; ++k) {
    for (int64_t i = 0; i < n; ++i) of_class[i] = scores[i * classes + k];
    const auto box = [&](int64_t i) { return (i * per_box + (per_box > 1 ? k : 0)) * 4; };
    const Chosen chosen = ChooseBoxes(
        of_class, how, [&](int64_t i, int64_t j) { return IntersectionOverUnion(boxes + box(i), boxes + box(j)); });
    for (size_t i = 0; i < chosen.boxes.size(); ++i) found.push_back({chosen.scores[i], box(chosen.boxes[i]), k});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  if (static_cast<int64_t>(found.size()) > most) found.resize(most);
  return found;
}

struct CombinedAttrs {
  bool clips;
};

absl::Status Combine(KernelContext& c, const CombinedAttrs& attrs) {
  const TensorView &boxes = c.input(kBoxes), &scores = c.input(kScores);
  const int64_t n = boxes.dim(1), classes = scores.dim(2), most = c.output(1).dim(1);
  Suppression how;
  how.max_boxes = c.scalar<int32_t>(kPerClass);
  how.overlap_threshold = c.scalar<float>(kOverlap);
  how.score_threshold = c.scalar<float>(kScore);
  if (!(how.overlap_threshold >= 0 && how.overlap_threshold <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("expected iou_threshold in [0, 1], got ", how.overlap_threshold));
  }
  std::fill_n(c.out<float>(0), c.output(0).num_elements, 0.0f);
  std::fill_n(c.out<float>(1), c.output(1).num_elements, 0.0f);
  std::fill_n(c.out<float>(2), c.output(2).num_elements, 0.0f);
  for (int64_t b = 0; b < boxes.dim(0); ++b) {
    const float* of_example = c.in<float>(kBoxes) + b * n * boxes.dim(2) * 4;
    const std::vector<Detection> found =
        Detect(of_example, boxes.dim(2), c.in<float>(kScores) + b * n * classes, n, classes, how, most);
    for (size_t i = 0; i < found.size(); ++i) {
      const int64_t at = b * most + static_cast<int64_t>(i);
      for (int64_t k = 0; k < 4; ++k) {
        const float corner = of_example[found[i].box + k];
        c.out<float>(0)[at * 4 + k] = attrs.clips ? std::max(std::min(corner, 1.0f), 0.0f) : corner;
      }
      c.out<float>(1)[at] = found[i].score;
      c.out<float>(2)[at] = static_cast<float>(found[i].box_class);
    }
    c.out<int32_t>(3)[b] = static_cast<int32_t>(found.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int64_t>> PositiveInput(const ShapeContext& c, int i, const char* name) {
  SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> value, ScalarFromInput(c, i));
  if (!value.has_value() || *value > 0) return value;
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", *value, ", expected at least 1"));
}

absl::Status CombinedShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape boxes, c.WithRank(kBoxes, 4));
  SF_ASSIGN_OR_RETURN(const Shape scores, c.WithRank(kScores, 3));
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(boxes.dim(0), scores.dim(0), "batch sizes"));
  SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(1), scores.dim(1), "boxes and scores").status());
  SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(3), 4, "corners of a box").status());
  if (boxes.dim(2) != 1) SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(2), scores.dim(2), "classes").status());
  SF_ASSIGN_OR_RETURN(const auto per_class, PositiveInput(c, kPerClass, "max_output_size_per_class"));
  SF_ASSIGN_OR_RETURN(const auto total, PositiveInput(c, kTotal, "max_total_size"));
  for (int i : {kOverlap, kScore}) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  int64_t most = total.value_or(Shape::kUnknownDim);
  if (c.attr<bool>("pad_per_class")) {
    const bool known = per_class.has_value() && total.has_value() && scores.dim(2) >= 0;
    most = known ? std::min(*total, MultiplySizes(*per_class, scores.dim(2))) : Shape::kUnknownDim;
  }
  c.set_output(0, {batch, most, 4});
  c.set_output(1, {batch, most});
  c.set_output(2, {batch, most});
  c.set_output(3, {batch});
  return absl::OkStatus();
}

absl::StatusOr<Kernel> CombinedKernel(const KernelSetup& setup) {
  const CombinedAttrs attrs = {setup.attr<bool>("clip_boxes")};
  return Kernel([attrs](KernelContext& c) { return Combine(c, attrs); });
}

void CombinedBatch(BatchContext& c) {
  if (!c.AreConstant(kPerClass)) return c.Mix("by its operands");
  const std::optional<BatchRows> rows = c.Agreeing({kBoxes, kScores});
  if (!rows.has_value()) return;
  if (rows->is_rows() && rows->axis != 0) return c.Mix("along the boxes");
  c.set_all(*rows);
}

const OpRegistrar combined({.name = "CombinedNonMaxSuppression",
                            .inputs = {"boxes: float", "scores: float", "max_output_size_per_class: int32",
                                       "max_total_size: int32", "iou_threshold: float", "score_threshold: float"},
                            .outputs = {"nmsed_boxes: float", "nmsed_scores: float", "nmsed_classes: float",
                                        "valid_detections: int32"},
                            .attrs = {"pad_per_class: bool = false", "clip_boxes: bool = true"},
                            .shape = CombinedShape,
                            .gradient = kGradientIsError,
                            .kernel = CombinedKernel,
                            .batch = CombinedBatch,
                            .doc = "The best boxes of all classes, chosen for each class by itself."});

}  // namespace

CombinedBoxes CombinedNonMaxSuppression(Operand boxes, Operand scores, Operand max_output_size_per_class,
                                        Operand max_total_size, const CombinedNonMaxSuppressionOptions& options) {
  const NodeName name(boxes, options.name, "CombinedNonMaxSuppression");
  if (!name) return {};
  const Output iou = name.Constant(Tensor(options.iou_threshold), "iou_threshold");
  const Output score = name.Constant(Tensor(options.score_threshold), "score_threshold");
  Node* node =
      NodeBuilder("CombinedNonMaxSuppression", {boxes, scores, max_output_size_per_class, max_total_size, iou, score})
          .Attr("pad_per_class", options.pad_per_class)
          .Attr("clip_boxes", options.clip_boxes)
          .Name(name.exact())
          .BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1), node->output(2), node->output(3)};
}

}  // namespace staticflow
