// SampleDistortedBoundingBox in all its versions. Contract: ops/image.h.
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/random_counter.h"
#include "ops/random_seed.h"

namespace staticflow {
namespace {

// Pixels [left, right) x [top, bottom).
struct Box {
  int32_t left = 0, top = 0, right = 0, bottom = 0;

  float area() const {
    const int64_t width = int64_t{right} - left, height = int64_t{bottom} - top;
    return static_cast<float>(width * height);
  }
  Box CutBy(const Box& other) const {
    const Box cut = {std::max(left, other.left), std::max(top, other.top), std::min(right, other.right),
                     std::min(bottom, other.bottom)};
    return cut.left > cut.right || cut.top > cut.bottom ? Box() : cut;
  }
};

// What the attributes ask for.
struct BoxRule {
  float min_ratio = 0, max_ratio = 0, min_area = 0, max_area = 0;
  float min_covered = 0;
  int64_t attempts = 0;
  bool whole_image_if_none = false;
};

// Uniform in [0, n), as TensorFlow's SimplePhilox draws it: numbers that would favor the small ones are passed over.
uint32_t Below(PhiloxNumbers& numbers, uint32_t n) {
  if ((n & (n - 1)) == 0) return n == 0 ? numbers() * 0 : numbers() & (n - 1);
  const uint32_t unfair = std::numeric_limits<uint32_t>::max() % n + 1;
  uint32_t number = numbers();
  while (number < unfair) number = numbers();
  return number % n;
}

int64_t Round(float x) { return std::lrintf(std::clamp(x, -2e9f, 2e9f)); }

// The height of a part of the image with that ratio of width to height and an area in the rule's range: between the
// smallest and the largest that fit. All arithmetic is TensorFlow's, in float.
int64_t DrawHeight(PhiloxNumbers& numbers, int64_t width, int64_t height, float min_area, float max_area, float ratio) {
  int64_t low = Round(std::sqrt(min_area / ratio)), high = Round(std::sqrt(max_area / ratio));
  if (Round(static_cast<float>(high) * ratio) > width) {
    constexpr float kEpsilon = 0.0000001f;
    high = static_cast<int64_t>(std::min((static_cast<double>(width) + 0.5 - double{kEpsilon}) / double{ratio}, 2e9));
    if (Round(static_cast<float>(high) * ratio) > width) --high;
  }
  high = std::min(high, height);
  low = std::min(low, high);
  return low < high ? low + Below(numbers, static_cast<uint32_t>(high - low + 1)) : low;
}

// A random part of the image; false when there is none of this ratio.
bool DrawPart(PhiloxNumbers& numbers, const Box& image, const BoxRule& rule, float ratio, Box* part) {
  const int64_t image_width = image.right, image_height = image.bottom;
  if (!(rule.max_area > 0) || !(ratio > 0) || image_width <= 0 || image_height <= 0 || rule.min_area > rule.max_area) {
    return false;
  }
  const float min_area = rule.min_area * static_cast<float>(image_width) * static_cast<float>(image_height);
  const float max_area = rule.max_area * static_cast<float>(image_width) * static_cast<float>(image_height);
  int64_t height = DrawHeight(numbers, image_width, image_height, min_area, max_area, ratio), width = 0;
  float area = 0;
  const auto measure = [&] {
    width = Round(static_cast<float>(height) * ratio);
    area = static_cast<float>(width * height);
  };
  measure();
  // Rounding may have led out of the range.
  if (area < min_area) ++height, measure();
  if (area > max_area) --height, measure();
  if (area < min_area || area > max_area || width > image_width || height > image_height || width <= 0 || height <= 0) {
    return false;
  }
  const auto place = [&numbers](int64_t room) {
    return room > 0 ? static_cast<int32_t>(Below(numbers, static_cast<uint32_t>(room))) : 0;
  };
  part->top = place(image_height - height);
  part->left = place(image_width - width);
  part->right = part->left + static_cast<int32_t>(width);
  part->bottom = part->top + static_cast<int32_t>(height);
  return true;
}

bool CoversOne(const Box& part, const std::vector<Box>& boxes, float min_covered) {
  if (part.area() < 1) return false;
  for (const Box& box : boxes) {
    if (box.area() >= 1 && part.CutBy(box).area() / box.area() >= min_covered) return true;
  }
  return false;
}

Box SampleBox(PhiloxNumbers numbers, const Box& image, const std::vector<Box>& boxes, const BoxRule& rule) {
  for (int64_t i = 0; i < rule.attempts; ++i) {
    Box part;
    const float ratio = UniformFloat(numbers()) * (rule.max_ratio - rule.min_ratio) + rule.min_ratio;
    if (DrawPart(numbers, image, rule, ratio, &part) && CoversOne(part, boxes, rule.min_covered)) return part;
  }
  return image;
}

// image_size: rows, columns, channels.
absl::StatusOr<Box> ReadImage(const KernelContext& c) {
  Box image;
  for (int i = 0; i < 2; ++i) {
    int64_t size = 0;
    DispatchType<uint8_t, int8_t, int16_t, int32_t, int64_t>(
        c.input(0).dtype, [&]<typename T>() { size = static_cast<int64_t>(c.in<T>(0)[i]); });
    if (size < 0 || size >= std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(absl::StrCat("image_size[", i, "] is ", size, ", expected 0 to 2^31 - 2"));
    }
    (i == 0 ? image.bottom : image.right) = static_cast<int32_t>(size);
  }
  return image;
}

absl::StatusOr<std::vector<Box>> ReadBoxes(const KernelContext& c, const Box& image, bool whole_image_if_none) {
  std::vector<Box> boxes;
  const absl::Span<const float> corners(c.in<float>(1), c.input(1).num_elements);
  for (float corner : corners) {
    if (corner >= 0 && corner <= 1) continue;
    return absl::InvalidArgumentError(absl::StrCat("corners of bounding_boxes must be in [0, 1], got ", corner));
  }
  const float width = static_cast<float>(image.right), height = static_cast<float>(image.bottom);
  const auto pixel = [](float x) { return static_cast<int32_t>(std::min(x, 2147483520.0f)); };
  for (size_t i = 0; i + 4 <= corners.size(); i += 4) {
    boxes.push_back({pixel(corners[i + 1] * width), pixel(corners[i] * height), pixel(corners[i + 3] * width),
                     pixel(corners[i + 2] * height)});
  }
  if (!boxes.empty()) return boxes;
  if (!whole_image_if_none) {
    return absl::InvalidArgumentError("there are no bounding_boxes, and use_image_if_no_bounding_boxes is not set");
  }
  return std::vector<Box>{image};
}

absl::Status ReturnBox(KernelContext& c, const Box& image, const Box& part) {
  const int64_t begin[3] = {part.top, part.left, 0};
  const int64_t size[3] = {int64_t{part.bottom} - part.top, int64_t{part.right} - part.left, -1};
  DispatchType<uint8_t, int8_t, int16_t, int32_t, int64_t>(c.output(0).dtype, [&]<typename T>() {
    for (int i = 0; i < 3; ++i) {
      c.out<T>(0)[i] = static_cast<T>(begin[i]);
      c.out<T>(1)[i] = static_cast<T>(size[i]);
    }
  });
  const float width = static_cast<float>(image.right), height = static_cast<float>(image.bottom);
  float* box = c.out<float>(2);
  box[0] = static_cast<float>(part.top) / height;
  box[1] = static_cast<float>(part.left) / width;
  box[2] = static_cast<float>(part.bottom) / height;
  box[3] = static_cast<float>(part.right) / width;
  return absl::OkStatus();
}

absl::StatusOr<BoxRule> ReadRule(const KernelSetup& setup) {
  const auto& ratio = setup.attr<std::vector<float>>("aspect_ratio_range");
  const auto& area = setup.attr<std::vector<float>>("area_range");
  const auto positive = [](const std::vector<float>& range) {
    return range.size() == 2 && range[0] > 0 && range[1] > 0 && std::isfinite(range[0]) && std::isfinite(range[1]);
  };
  if (!positive(ratio)) return absl::InvalidArgumentError("aspect_ratio_range must be two numbers above 0");
  if (!positive(area) || area[0] > 1 || area[1] > 1) {
    return absl::InvalidArgumentError("area_range must be two numbers above 0, at most 1");
  }
  BoxRule rule = {.min_ratio = ratio[0], .max_ratio = ratio[1], .min_area = area[0], .max_area = area[1]};
  rule.attempts = setup.attr<int64_t>("max_attempts");
  if (rule.attempts <= 0) return absl::InvalidArgumentError(absl::StrCat("max_attempts is ", rule.attempts));
  rule.whole_image_if_none = setup.attr<bool>("use_image_if_no_bounding_boxes");
  if (setup.num_inputs() == 2) rule.min_covered = setup.attr<float>("min_object_covered");
  return rule;
}

template <typename Generator>
absl::Status Sample(KernelContext& c, BoxRule rule, Generator generator) {
  if (c.num_inputs() > 2) rule.min_covered = c.scalar<float>(2);
  if (!(rule.min_covered >= 0)) {
    return absl::InvalidArgumentError(absl::StrCat("min_object_covered is ", rule.min_covered, ", expected >= 0"));
  }
  SF_ASSIGN_OR_RETURN(const Box image, ReadImage(c));
  SF_ASSIGN_OR_RETURN(const std::vector<Box> boxes, ReadBoxes(c, image, rule.whole_image_if_none));
  return ReturnBox(c, image, SampleBox(PhiloxNumbers(generator()), image, boxes, rule));
}

absl::StatusOr<Kernel> SampleKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const BoxRule rule, ReadRule(setup));
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  return Kernel([rule, counter](KernelContext& c) {
    return Sample(c, rule, [&] { return counter->Reserve(static_cast<uint64_t>(rule.attempts)); });
  });
}
absl::StatusOr<Kernel> StatelessSampleKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const BoxRule rule, ReadRule(setup));
  return Kernel([rule](KernelContext& c) { return Sample(c, rule, [&] { return FromSeedInput(c, 3); }); });
}

absl::Status SampleShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape size, c.WithRank(0, 1));
  SF_ASSIGN_OR_RETURN(const Shape boxes, c.WithRank(1, 3));
  SF_RETURN_IF_ERROR(c.MergeDims(size.dim(0), 3, "elements of image_size").status());
  SF_RETURN_IF_ERROR(c.MergeDims(boxes.dim(2), 4, "corners of a box").status());
  if (c.num_inputs() > 2) SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  if (c.num_inputs() > 3) {
    SF_ASSIGN_OR_RETURN(const Shape seed, c.WithRank(3, 1));
    SF_RETURN_IF_ERROR(c.MergeDims(seed.dim(0), 2, "elements of seed").status());
  }
  c.set_output(0, {3});
  c.set_output(1, {3});
  c.set_output(2, {1, 1, 4});
  return absl::OkStatus();
}

OpSpec SampleOp(const char* name, std::vector<std::string> more_inputs, std::vector<std::string> more_attrs,
                KernelSource kernel, OpTraits traits, GradientFunction gradient, const char* doc) {
  std::vector<std::string> inputs = {"image_size: T", "bounding_boxes: float"};
  inputs.insert(inputs.end(), more_inputs.begin(), more_inputs.end());
  std::vector<std::string> attrs = {"T: {uint8, int8, int16, int32, int64}"};
  attrs.insert(attrs.end(), more_attrs.begin(), more_attrs.end());
  for (const char* attr : {"aspect_ratio_range: list(float) = [0.75, 1.33]", "area_range: list(float) = [0.05, 1.0]",
                           "max_attempts: int = 100", "use_image_if_no_bounding_boxes: bool = false"}) {
    attrs.push_back(attr);
  }
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"begin: T", "size: T", "bboxes: float"},
          .attrs = std::move(attrs),
          .shape = SampleShape,
          .gradient = gradient,
          .kernel = kernel,
          .traits = traits,
          .doc = doc};
}
const OpRegistrar v1(SampleOp("SampleDistortedBoundingBox", {},
                              {kSeedAttr, kSeed2Attr, "min_object_covered: float = 0.1"}, SampleKernel, kStateful,
                              kNotDifferentiable, "A random part of a picture that shows some of one of the boxes."));
const OpRegistrar v2(SampleOp("SampleDistortedBoundingBoxV2", {"min_object_covered: float"}, {kSeedAttr, kSeed2Attr},
                              SampleKernel, kStateful, kNotDifferentiable,
                              "A random part of a picture that shows some of one of the boxes."));
const OpRegistrar stateless(SampleOp("StatelessSampleDistortedBoundingBox",
                                     {"min_object_covered: float", "seed: Tseed"}, {"Tseed: indextype"},
                                     StatelessSampleKernel, kNoTraits, kGradientIsError,
                                     "A part of a picture that shows some of one of the boxes, as a seed chooses it."));

NodeBuilder WithOptions(NodeBuilder builder, const SampleDistortedBoundingBoxOptions& options) {
  builder.Attr("aspect_ratio_range", options.aspect_ratio_range)
      .Attr("area_range", options.area_range)
      .Attr("max_attempts", options.max_attempts)
      .Attr("use_image_if_no_bounding_boxes", options.use_image_if_no_bounding_boxes)
      .Name(options.name);
  return builder;
}
SampledBox Sampled(Node* node) {
  if (node == nullptr) return {};
  return {.begin = node->output(0), .size = node->output(1), .bboxes = node->output(2)};
}

}  // namespace

SampledBox SampleDistortedBoundingBox(Operand image_size, Operand bounding_boxes, Operand min_object_covered,
                                      const SampleDistortedBoundingBoxOptions& options) {
  if (!image_size.output().valid()) return {};
  const auto [seed, seed2] = image_size.output().graph().OpSeeds(options.seed);
  NodeBuilder builder("SampleDistortedBoundingBoxV2", {image_size, bounding_boxes, min_object_covered});
  return Sampled(WithOptions(builder, options).Attr("seed", seed).Attr("seed2", seed2).BuildNode());
}

SampledBox StatelessSampleDistortedBoundingBox(Operand image_size, Operand bounding_boxes, Operand min_object_covered,
                                               Operand seed, const SampleDistortedBoundingBoxOptions& options) {
  NodeBuilder builder("StatelessSampleDistortedBoundingBox", {image_size, bounding_boxes, min_object_covered, seed});
  return Sampled(WithOptions(builder, options).BuildNode());
}

}  // namespace staticflow
