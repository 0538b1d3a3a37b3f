#include "graph/shape_inference.h"

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// How far back ValueAsShape follows the nodes that compute a shape; a bound, because files may hold long chains.
constexpr int kMaxDepth = 16;

// The shapes and values that building knows of a node's inputs.
struct KnownInputs {
  explicit KnownInputs(const Node& node) {
    for (Output input : node.inputs()) {
      shapes.push_back(input.valid() ? input.shape() : Shape::Unknown());
      const bool is_const = input.valid() && input.node()->op().is(OpRole::kConst);
      values.push_back(is_const ? &input.node()->attr<Tensor>("value") : nullptr);
    }
  }
  std::vector<Shape> shapes;
  std::vector<const Tensor*> values;
};

std::optional<Shape> ShapeValue(Output output, int depth) {
  const Node& node = *output.node();
  if (depth >= kMaxDepth || output.index() != 0 || node.op().spec.shape_value == nullptr) return std::nullopt;
  KnownInputs known(node);
  return node.op().spec.shape_value(ShapeContext(node, known.shapes, known.values, depth + 1));
}

}  // namespace

ShapeContext::ShapeContext(const Node& node, absl::Span<const Shape> inputs, absl::Span<const Tensor* const> values,
                           int depth)
    : node_(node), inputs_(inputs), values_(values), outputs_(node.num_outputs(), Shape::Unknown()), depth_(depth) {}

absl::StatusOr<std::optional<std::vector<int64_t>>> ShapeContext::Integers(int i) const {
  if (values_[i] == nullptr) return std::optional<std::vector<int64_t>>();
  SF_ASSIGN_OR_RETURN(std::vector<int64_t> values, IntegerValues(*values_[i]));
  return std::optional(std::move(values));
}

absl::StatusOr<Shape> ShapeContext::ValueAsShape(int i) const {
  if (inputs_[i].has_rank() && inputs_[i].rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input ", i, " has shape ", inputs_[i].ToString(), ", expected a vector that describes a shape"));
  }
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> values, Integers(i));
  if (values.has_value()) return Shape::FromFile(*values);
  const Output source = node_.input(i);
  if (source.valid()) {
    if (std::optional<Shape> value = ShapeValue(source, depth_)) return *std::move(value);
  }
  return inputs_[i].rank() == 1 && inputs_[i].dim(0) >= 0 && inputs_[i].dim(0) <= Shape::kMaxRank
             ? Shape::UnknownOfRank(static_cast<int>(inputs_[i].dim(0)))
             : Shape::Unknown();
}

absl::StatusOr<Shape> ShapeContext::WithRank(int i, int rank) const {
  if (!inputs_[i].has_rank()) return Shape::UnknownOfRank(rank);
  if (inputs_[i].rank() == rank) return inputs_[i];
  return absl::InvalidArgumentError(
      absl::StrCat("input ", i, " has shape ", inputs_[i].ToString(), ", expected rank ", rank));
}

absl::StatusOr<Shape> ShapeContext::WithRankAtLeast(int i, int rank) const {
  if (!inputs_[i].has_rank() || inputs_[i].rank() >= rank) return inputs_[i];
  return absl::InvalidArgumentError(
      absl::StrCat("input ", i, " has shape ", inputs_[i].ToString(), ", expected rank ", rank, " or more"));
}

absl::StatusOr<int64_t> ShapeContext::MergeDims(int64_t a, int64_t b, absl::string_view what) const {
  if (a == Shape::kUnknownDim) return b;
  if (b == Shape::kUnknownDim || a == b) return a;
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", a, " and ", b, " do not agree"));
}

absl::StatusOr<std::vector<Shape>> InferShapes(const Node& node, absl::Span<const Shape> inputs,
                                               absl::Span<const Tensor* const> values) {
  ShapeContext context(node, inputs, values);
  if (node.op().spec.shape != nullptr) {
    SF_RETURN_IF_ERROR(Annotate(node.op().spec.shape(context), absl::StrCat(node.DebugName(), ": ")));
  }
  std::vector<Shape> outputs;
  for (int i = 0; i < context.num_outputs(); ++i) outputs.push_back(context.output(i));
  return outputs;
}

absl::Status SameShape(ShapeContext& c) {
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}

absl::Status BroadcastShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(c.input(0), c.input(1)));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status ScalarShape(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, Shape());
  return absl::OkStatus();
}

absl::Status NoOutputs(ShapeContext&) { return absl::OkStatus(); }
absl::Status AnyShape(ShapeContext&) { return absl::OkStatus(); }

}  // namespace staticflow
