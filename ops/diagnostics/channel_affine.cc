#include "ops/diagnostics/channel_affine.h"

#include <algorithm>
#include <cmath>

#include "ops/diagnostics/pooled_moments.h"
#include "ops/diagnostics/weight_layout.h"

namespace staticflow {
namespace {

using Edge = FrozenGraph::Edge;
using Vector = std::vector<double>;

class AffineReader {
 public:
  explicit AffineReader(const FrozenGraph& graph) : graph_(graph) {}

  // What node i computes, as scale x + shift per channel.
  std::optional<Affine> Read(int i) const {
    const FrozenGraph::FrozenNode& node = graph_.nodes[i];
    if (IsOneOf(node, {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})) return OfFused(i);
    if (IsOneOf(node, {"BiasAdd"})) return OfBias(node);
    if (!IsOneOf(node, {"Mul", "Add", "AddV2", "Sub", "RealDiv"})) return std::nullopt;
    for (int k = 1; k >= 0; --k) {
      Axis axis;
      const std::optional<Vector> c = PerChannel(node.inputs[k], node.shape.rank(), &axis);
      if (!c.has_value() || !KeepsShape(node, node.inputs[1 - k], axis)) continue;
      Affine affine{
          .x = node.inputs[1 - k], .scale = Vector(c->size(), 1), .shift = Vector(c->size(), 0), .axis = axis};
      if (node.op->name() == "Mul") {
        affine.scale = *c;
      } else if (node.op->name() == "RealDiv") {
        if (k == 0) return std::nullopt;
        for (size_t j = 0; j < c->size(); ++j) affine.scale[j] = 1 / (*c)[j];
      } else {
        const double sign = node.op->name() == "Sub" && k == 1 ? -1 : 1;
        for (size_t j = 0; j < c->size(); ++j) affine.shift[j] = sign * (*c)[j];
        if (node.op->name() == "Sub" && k == 0) affine.scale.assign(c->size(), -1);
      }
      return affine;
    }
    return std::nullopt;
  }

 private:
  // The elements of a constant that is one number or one for each channel of a tensor of `rank` dimensions; `axis`
  // tells along which.
  std::optional<Vector> PerChannel(Edge edge, int rank, Axis* axis) const {
    const Tensor* constant = graph_.ConstantOf(edge);
    if (constant == nullptr || constant->dtype() != DT_FLOAT || constant->num_elements() == 0) return std::nullopt;
    const Shape& shape = constant->shape();
    *axis = Axis::kAny;
    if (shape.rank() > rank) return std::nullopt;
    for (int d = 0; d < shape.rank(); ++d) {
      if (shape.dim(d) == 1) continue;
      const int at = rank - shape.rank() + d;
      if (*axis != Axis::kAny || (at != 1 && at != rank - 1)) return std::nullopt;
      *axis = at == rank - 1 ? Axis::kLast : Axis::kSecond;
    }
    return *Numbers(*constant);
  }
  // The same for a vector whose place is told by the node that it belongs to.
  std::optional<Vector> ChannelVector(Edge edge) const {
    const Tensor* constant = graph_.ConstantOf(edge);
    if (constant == nullptr || constant->dtype() != DT_FLOAT || constant->shape().rank() != 1) return std::nullopt;
    return constant->num_elements() == 0 ? std::nullopt : std::optional(*Numbers(*constant));
  }

  // Whether the constant is broadcast to x, and not x to the constant.
  bool KeepsShape(const FrozenGraph::FrozenNode& node, Edge x, Axis axis) const {
    const Shape& from = graph_.nodes[x.node].shape;
    if (x.output != 0 || from.rank() <= 0 || from.rank() != node.shape.rank()) return false;
    const int d = axis == Axis::kSecond ? 1 : -1;
    return axis == Axis::kAny || (from.dim(d) > 0 && from.dim(d) == node.shape.dim(d));
  }
  static Axis ChannelAxis(const FrozenGraph::FrozenNode& node) {
    return IsChannelsFirst(node) && node.shape.rank() > 2 ? Axis::kSecond : Axis::kLast;
  }
  std::optional<Affine> OfBias(const FrozenGraph::FrozenNode& node) const {
    const std::optional<Vector> bias = ChannelVector(node.inputs[1]);
    if (!bias.has_value() || node.inputs[0].output != 0 || node.shape.rank() < 2) return std::nullopt;
    return Affine{.x = node.inputs[0], .scale = Vector(bias->size(), 1), .shift = *bias, .axis = ChannelAxis(node)};
  }
  bool UsesOnlyResult(int i) const {
    for (const FrozenGraph::FrozenNode& user : graph_.nodes) {
      for (const Edge& input : user.inputs) {
        if (input.node == i && input.output != 0) return false;
      }
    }
    return true;
  }
  std::optional<Affine> OfFused(int i) const {
    const FrozenGraph::FrozenNode& node = graph_.nodes[i];
    if (!UsesOnlyResult(i) || node.attrs.at("is_training").get<bool>() || node.shape.rank() < 3) return std::nullopt;
    const std::optional<Vector> gamma = ChannelVector(node.inputs[1]), beta = ChannelVector(node.inputs[2]);
    const std::optional<Vector> mean = ChannelVector(node.inputs[3]), variance = ChannelVector(node.inputs[4]);
    if (!gamma || !beta || !mean || !variance) return std::nullopt;
    const double epsilon = node.attrs.at("epsilon").get<float>();
    Affine affine{.x = node.inputs[0], .scale = *gamma, .shift = *beta, .axis = ChannelAxis(node)};
    for (size_t j = 0; j < gamma->size(); ++j) {
      affine.scale[j] /= std::sqrt((*variance)[j] + epsilon);
      affine.shift[j] -= (*mean)[j] * affine.scale[j];
    }
    return affine;
  }
  const FrozenGraph& graph_;
};

}  // namespace

bool Affine::scales() const {
  return std::any_of(scale.begin(), scale.end(), [](double s) { return s != 1; });
}
bool Affine::shifts() const {
  return std::any_of(shift.begin(), shift.end(), [](double t) { return t != 0; });
}
bool Affine::finite() const {
  const auto is_finite = [](double v) { return std::isfinite(v); };
  return std::all_of(scale.begin(), scale.end(), is_finite) && std::all_of(shift.begin(), shift.end(), is_finite);
}

std::vector<double> Tiled(const std::vector<double>& v, int64_t n) {
  Vector result(static_cast<size_t>(n));
  for (size_t i = 0; i < result.size(); ++i) result[i] = v[i % v.size()];
  return result;
}

std::optional<Affine> AsAffine(const FrozenGraph& graph, int i) { return AffineReader(graph).Read(i); }

std::optional<Affine> Compose(const Affine& inner, const Affine& outer) {
  if (!Agree(inner.axis, outer.axis)) return std::nullopt;
  const int64_t n = static_cast<int64_t>(std::max(inner.scale.size(), outer.scale.size()));
  Affine both{.x = inner.x,
              .scale = Tiled(outer.scale, n),
              .shift = Tiled(outer.shift, n),
              .axis = inner.axis == Axis::kAny ? outer.axis : inner.axis};
  const Vector scale = Tiled(inner.scale, n), shift = Tiled(inner.shift, n);
  for (size_t j = 0; j < both.scale.size(); ++j) {
    both.shift[j] += both.scale[j] * shift[j];
    both.scale[j] *= scale[j];
  }
  return both;
}

}  // namespace staticflow
