// NonMaxSuppression in all its versions. Contract: ops/image.h.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/image_suppression.h"

namespace staticflow {
namespace {

std::vector<float> Floats(const TensorView& view) {
  std::vector<float> values(view.num_elements);
  DispatchType<float, Half>(view.dtype, [&]<typename T>() {
    for (int64_t i = 0; i < view.num_elements; ++i) values[i] = static_cast<float>(view.as<T>()[i]);
  });
  return values;
}
float FloatScalar(const KernelContext& c, int i) {
  return c.input(i).dtype == DT_HALF ? static_cast<float>(c.scalar<Half>(i)) : c.scalar<float>(i);
}

absl::Status CheckThreshold(const Suppression& how) {
  if (how.max_boxes < 0) {
    return absl::InvalidArgumentError(absl::StrCat("expected max_output_size >= 0, got ", how.max_boxes));
  }
  if (how.overlap_threshold >= 0 && how.overlap_threshold <= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected iou_threshold in [0, 1], got ", how.overlap_threshold));
}

// Stores the chosen boxes, followed by zeros up to `padded` where that is not negative.
absl::Status ReturnBoxes(KernelContext& c, const Chosen& chosen, bool allocate, int64_t padded) {
  const int64_t count = static_cast<int64_t>(chosen.boxes.size()), size = padded < 0 ? count : padded;
  const bool scores = c.num_outputs() == 3;
  for (int i = 0; i <= (scores ? 1 : 0); ++i) {
    if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(i, {size}));
  }
  for (int64_t i = 0; i < size; ++i) c.out<int32_t>(0)[i] = i < count ? static_cast<int32_t>(chosen.boxes[i]) : 0;
  if (scores) {
    DispatchType<float, Half>(c.output(1).dtype, [&]<typename T>() {
      for (int64_t i = 0; i < size; ++i) c.out<T>(1)[i] = T(i < count ? chosen.scores[i] : 0.0f);
    });
  }
  if (c.num_outputs() > 1) *c.out<int32_t>(scores ? 2 : 1) = static_cast<int32_t>(count);
  return absl::OkStatus();
}

// What the versions have in common: boxes [n, 4], scores [n], then scalars.
absl::Status BoxesShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape boxes, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape scores, c.WithRank(1, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(0), scores.dim(0), "boxes and scores").status());
  const bool square = c.node().type() == "NonMaxSuppressionWithOverlaps";
  SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(1), square ? boxes.dim(0) : 4, "columns").status());
  for (int i = 2; i < c.num_inputs(); ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  Shape selected = Shape::UnknownOfRank(1);
  if (c.node().op().FindAttr("pad_to_max_output_size") != nullptr && c.attr<bool>("pad_to_max_output_size")) {
    SF_ASSIGN_OR_RETURN(const std::optional<int64_t> size, ScalarFromInput(c, 2));
    if (size.has_value() && *size < 0) {
      return absl::InvalidArgumentError(absl::StrCat("expected max_output_size >= 0, got ", *size));
    }
    selected.set_dim(0, size.value_or(Shape::kUnknownDim));
  }
  c.set_output(0, selected);
  if (c.num_outputs() == 3) c.set_output(1, selected);
  if (c.num_outputs() > 1) c.set_output(c.num_outputs() - 1, Shape());
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SuppressionKernel(const KernelSetup& setup) {
  const OpSpec& spec = setup.node().op().spec;
  Suppression how;
  bool pads = false;
  if (setup.num_inputs() == 3) how.overlap_threshold = setup.attr<float>("iou_threshold");
  if (spec.outputs.size() > 1) pads = setup.attr<bool>("pad_to_max_output_size");
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  const bool overlaps_given = spec.name == "NonMaxSuppressionWithOverlaps";
  return Kernel([=](KernelContext& c) -> absl::Status {
    Suppression now = how;
    now.max_boxes = c.scalar<int32_t>(2);
    if (c.num_inputs() > 3) now.overlap_threshold = FloatScalar(c, 3);
    if (c.num_inputs() > 4) now.score_threshold = FloatScalar(c, 4);
    if (c.num_inputs() > 5) now.sigma = FloatScalar(c, 5);
    if (!overlaps_given || now.max_boxes < 0) SF_RETURN_IF_ERROR(CheckThreshold(now));
    if (!(now.sigma >= 0)) return absl::InvalidArgumentError("expected soft_nms_sigma >= 0");
    const std::vector<float> boxes = Floats(c.input(0)), scores = Floats(c.input(1));
    const int64_t n = c.input(1).num_elements;
    const Chosen chosen = ChooseBoxes(scores, now, [&](int64_t i, int64_t j) {
      return overlaps_given ? boxes[i * n + j] : IntersectionOverUnion(&boxes[4 * i], &boxes[4 * j]);
    });
    return ReturnBoxes(c, chosen, allocate, pads ? now.max_boxes : -1);
  });
}

OpSpec SuppressionOp(const char* name, std::vector<std::string> inputs, std::vector<std::string> outputs,
                     std::vector<std::string> attrs, const char* doc, GradientFunction gradient = kNotDifferentiable) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = std::move(outputs),
          .attrs = std::move(attrs),
          .shape = BoxesShape,
          .gradient = gradient,
          .kernel = SuppressionKernel,
          .doc = doc};
}
constexpr char kBoxT[] = "T: {half, float} = float";
constexpr char kThresholdT[] = "T_threshold: {half, float} = float";

const OpRegistrar v1(SuppressionOp("NonMaxSuppression", {"boxes: float", "scores: float", "max_output_size: int32"},
                                   {"selected_indices: int32"}, {"iou_threshold: float = 0.5"},
                                   "The best boxes that hardly overlap."));
const OpRegistrar v2(SuppressionOp("NonMaxSuppressionV2",
                                   {"boxes: T", "scores: T", "max_output_size: int32", "iou_threshold: T_threshold"},
                                   {"selected_indices: int32"}, {kBoxT, kThresholdT},
                                   "The best boxes that hardly overlap."));
const OpRegistrar v3(SuppressionOp("NonMaxSuppressionV3",
                                   {"boxes: T", "scores: T", "max_output_size: int32", "iou_threshold: T_threshold",
                                    "score_threshold: T_threshold"},
                                   {"selected_indices: int32"}, {kBoxT, kThresholdT},
                                   "The best boxes of some score that hardly overlap."));
const OpRegistrar v4(SuppressionOp("NonMaxSuppressionV4",
                                   {"boxes: T", "scores: T", "max_output_size: int32", "iou_threshold: T_threshold",
                                    "score_threshold: T_threshold"},
                                   {"selected_indices: int32", "valid_outputs: int32"},
                                   {kBoxT, kThresholdT, "pad_to_max_output_size: bool = false"},
                                   "The best boxes that hardly overlap, and how many there are."));
const OpRegistrar v5(SuppressionOp("NonMaxSuppressionV5",
                                   {"boxes: T", "scores: T", "max_output_size: int32", "iou_threshold: T",
                                    "score_threshold: T", "soft_nms_sigma: T"},
                                   {"selected_indices: int32", "selected_scores: T", "valid_outputs: int32"},
                                   {kBoxT, "pad_to_max_output_size: bool = false"},
                                   "The best boxes that hardly overlap, or whose scores overlap lowers.",
                                   kGradientIsError));
const OpRegistrar with_overlaps(SuppressionOp("NonMaxSuppressionWithOverlaps",
                                              {"overlaps: float", "scores: float", "max_output_size: int32",
                                               "overlap_threshold: float", "score_threshold: float"},
                                              {"selected_indices: int32"}, {},
                                              "The best of things of which a matrix tells how much they overlap."));

}  // namespace

Output NonMaxSuppression(Operand boxes, Operand scores, Operand max_output_size,
                         const NonMaxSuppressionOptions& options) {
  const NodeName node(boxes, options.name, "NonMaxSuppressionV3");
  if (!node) return Output();
  const Output iou = node.Constant(Tensor(options.iou_threshold), "iou_threshold");
  const Output score = node.Constant(Tensor(options.score_threshold), "score_threshold");
  return NodeBuilder("NonMaxSuppressionV3", {boxes, scores, max_output_size, iou, score}).Name(node.exact()).Build();
}

}  // namespace staticflow
