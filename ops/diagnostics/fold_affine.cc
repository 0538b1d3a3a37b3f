// FoldAffine: y = scale x + shift per channel goes into the product by a constant matrix (or filter) next to it.
//
//   (x w + b) s + t        ->  x (w s) + (b s + t)                   after it
//   (s x + t) w + b        ->  x (s w) + (t w + b)                   before it; t = 0 where zeros pad the picture
//
// All is computed in double and rounded once.
#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ops/analysis/graph_uses.h"
#include "ops/diagnostics/frozen_graph.h"
#include "ops/diagnostics/pooled_moments.h"

namespace staticflow {
namespace {

using Edge = FrozenGraph::Edge;
using Vector = std::vector<double>;

struct Affine {
  Edge x;
  Vector scale, shift;  // one element, or one for each channel
  bool scales() const {
    return std::any_of(scale.begin(), scale.end(), [](double s) { return s != 1; });
  }
  bool shifts() const {
    return std::any_of(shift.begin(), shift.end(), [](double t) { return t != 0; });
  }
  bool finite() const {
    const auto is_finite = [](double v) { return std::isfinite(v); };
    return std::all_of(scale.begin(), scale.end(), is_finite) && std::all_of(shift.begin(), shift.end(), is_finite);
  }
};

bool IsOneOf(const FrozenGraph::FrozenNode& node, std::initializer_list<absl::string_view> types) {
  return std::find(types.begin(), types.end(), node.op->name()) != types.end();
}

std::string StringAttr(const FrozenGraph::FrozenNode& node, absl::string_view name, absl::string_view fallback) {
  auto it = node.attrs.find(name);
  const std::string* value = it == node.attrs.end() ? nullptr : it->second.find<std::string>();
  return std::string(value == nullptr ? fallback : *value);
}

// Repeats `v` until it has `n` elements.
Vector Tiled(const Vector& v, int64_t n) {
  Vector result(static_cast<size_t>(n));
  for (size_t i = 0; i < result.size(); ++i) result[i] = v[i % v.size()];
  return result;
}

class Folder {
 public:
  explicit Folder(FrozenGraph* graph) : graph_(*graph) {}

  std::vector<std::string> Run() {
    // Rewriting adds constants only at the end, so that these numbers stay.
    const int n = static_cast<int>(graph_.nodes.size());
    for (int i = 0; i < n; ++i) {
      if (graph_.UsesOf(i) == 0) continue;
      if (std::optional<Affine> affine = AsAffine(i); affine.has_value()) FoldAfter(i, *affine);
    }
    for (int i = 0; i < n; ++i) {
      if (graph_.UsesOf(i) > 0 && IsProduct(graph_.nodes[i])) FoldBefore(i);
    }
    return std::move(folded_);
  }

 private:
  static bool IsProduct(const FrozenGraph::FrozenNode& node) {
    return IsOneOf(node, {"MatMul", "Conv2D"}) && StringAttr(node, "data_format", "NHWC") == "NHWC" &&
           (node.op->name() != "MatMul" || !node.attrs.at("transpose_a").get<bool>());
  }

  // The elements of a constant that is one number or one for each of the last dimension's.
  std::optional<Vector> PerChannel(Edge edge) const {
    const Tensor* constant = graph_.ConstantOf(edge);
    if (constant == nullptr || constant->dtype() != DT_FLOAT) return std::nullopt;
    const Shape& shape = constant->shape();
    if (shape.rank() > 0 && shape.num_elements() != shape.dim(-1)) return std::nullopt;
    return *Numbers(*constant);
  }

  // What node i computes, as scale x + shift over the last dimension.
  std::optional<Affine> AsAffine(int i) const {
    const FrozenGraph::FrozenNode& node = graph_.nodes[i];
    if (IsOneOf(node, {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})) return OfFused(i);
    if (!IsOneOf(node, {"Mul", "Add", "AddV2", "Sub", "RealDiv", "BiasAdd"})) return std::nullopt;
    if (StringAttr(node, "data_format", "NHWC") != "NHWC") return std::nullopt;
    for (int k = 1; k >= 0; --k) {
      const std::optional<Vector> c = PerChannel(node.inputs[k]);
      if (!c.has_value() || !KeepsShape(node, node.inputs[1 - k])) continue;
      Affine affine{.x = node.inputs[1 - k], .scale = Vector(c->size(), 1), .shift = Vector(c->size(), 0)};
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
  // Whether the constant is broadcast to x, and not x to the constant.
  bool KeepsShape(const FrozenGraph::FrozenNode& node, Edge x) const {
    const Shape& from = graph_.nodes[x.node].shape;
    return x.output == 0 && from.rank() > 0 && from.rank() == node.shape.rank() && from.dim(-1) > 0 &&
           from.dim(-1) == node.shape.dim(-1);
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
    if (!UsesOnlyResult(i) || node.attrs.at("is_training").get<bool>() ||
        StringAttr(node, "data_format", "NHWC") != "NHWC")
      return std::nullopt;
    const std::optional<Vector> gamma = PerChannel(node.inputs[1]), beta = PerChannel(node.inputs[2]);
    const std::optional<Vector> mean = PerChannel(node.inputs[3]), variance = PerChannel(node.inputs[4]);
    if (!gamma || !beta || !mean || !variance) return std::nullopt;
    const double epsilon = node.attrs.at("epsilon").get<float>();
    Affine affine{.x = node.inputs[0], .scale = *gamma, .shift = *beta};
    for (size_t j = 0; j < gamma->size(); ++j) {
      affine.scale[j] /= std::sqrt((*variance)[j] + epsilon);
      affine.shift[j] -= (*mean)[j] * affine.scale[j];
    }
    return affine;
  }

  // Whether the edge's node has this one use, and is no result itself.
  bool IsOnlyUse(Edge edge) const { return graph_.UsesOf(edge.node) == 1; }

  // The product before a scale, with what stands between them: a bias, or reshapes.
  struct Source {
    int product = -1;
    Vector bias = {};
  };
  std::optional<Source> SourceOf(Edge x) const {
    Source source;
    bool reshaped = false;
    for (;;) {
      if (!IsOnlyUse(x) || x.output != 0) return std::nullopt;
      const FrozenGraph::FrozenNode& node = graph_.nodes[x.node];
      if (IsProduct(node)) {
        source.product = x.node;
        return source;
      }
      // A reshape whose last dimension divides the product's keeps channels together.
      if (node.op->name() == "Reshape" || node.op->name() == "Squeeze") {
        const Shape &to = node.shape, &from = graph_.nodes[node.inputs[0].node].shape;
        const bool keeps =
            to.rank() > 0 && from.rank() > 0 && to.dim(-1) > 0 && from.dim(-1) > 0 && from.dim(-1) % to.dim(-1) == 0;
        if (!keeps || !source.bias.empty()) return std::nullopt;
        reshaped = true;
        x = node.inputs[0];
        continue;
      }
      const std::optional<Affine> affine = AsAffine(x.node);
      if (!affine.has_value() || affine->scales() || !source.bias.empty() || reshaped) return std::nullopt;
      source.bias = affine->shift;
      x = affine->x;
    }
  }

  // The channels of a product's result: the last dimension of its matrix or filter.
  std::optional<Tensor> WeightsOf(int product) const {
    const FrozenGraph::FrozenNode& node = graph_.nodes[product];
    const Tensor* weights = graph_.ConstantOf(node.inputs[1]);
    if (weights == nullptr || weights->dtype() != DT_FLOAT) return std::nullopt;
    return *weights;
  }
  bool IsTransposed(int product) const {
    auto it = graph_.nodes[product].attrs.find("transpose_b");
    return it != graph_.nodes[product].attrs.end() && it->second.get<bool>();
  }

  // Node i is a scale after a product: it becomes the addition of one shift to the scaled product.
  void FoldAfter(int i, const Affine& affine) {
    if (!affine.finite() || !affine.scales()) return;
    const std::optional<Source> source = SourceOf(affine.x);
    if (!source.has_value()) return;
    const std::optional<Tensor> weights = WeightsOf(source->product);
    if (!weights.has_value()) return;
    const bool transposed = IsTransposed(source->product);
    const int64_t columns = transposed ? weights->shape().dim(0) : weights->shape().dim(-1);
    if (columns % static_cast<int64_t>(affine.scale.size()) != 0) return;
    const Vector scale = Tiled(affine.scale, columns);
    const absl::StatusOr<Vector> numbers = Numbers(*weights);
    const int64_t width = weights->shape().dim(-1);
    Vector scaled = *numbers;
    for (size_t k = 0; k < scaled.size(); ++k) {
      const int64_t at = static_cast<int64_t>(k);
      scaled[k] *= scale[transposed ? at / width : at % width];
    }
    SetWeights(source->product, weights->shape(), scaled);
    // The bias on the way goes: its scaled value is part of the shift.
    Vector shift = affine.shift;
    if (!source->bias.empty()) {
      const size_t n = std::max(source->bias.size(), shift.size());
      const Vector b = Tiled(source->bias, n), t = Tiled(shift, n), s = Tiled(affine.scale, n);
      shift = t;
      for (size_t j = 0; j < n; ++j) shift[j] += b[j] * s[j];
    }
    const Edge x = source->bias.empty() ? affine.x : WithoutBias(affine.x);
    folded_.push_back(graph_.nodes[i].name);
    MakeShift(i, x, shift);
  }

  // The edge before the bias that SourceOf looked through; a reshape in front of it does not occur.
  Edge WithoutBias(Edge x) const {
    const std::optional<Affine> affine = AsAffine(x.node);
    return affine->x;
  }

  void MakeShift(int i, Edge x, const Vector& shift) {
    if (std::all_of(shift.begin(), shift.end(), [](double t) { return t == 0; })) {
      graph_.Replace({i, 0}, x);
      return;
    }
    const std::vector<float> rounded(shift.begin(), shift.end());
    const int constant = graph_.AddConstant(absl::StrCat(graph_.nodes[i].name, "/shift"),
                                            Tensor::Of<float>({static_cast<int64_t>(rounded.size())}, rounded));
    FrozenGraph::FrozenNode& node = graph_.nodes[i];
    node.op = FindOp("AddV2");
    node.inputs = {x, {constant, 0}};
    node.attrs = {{"T", DT_FLOAT}};
  }

  void SetWeights(int product, const Shape& shape, const Vector& elements) {
    const std::vector<float> rounded(elements.begin(), elements.end());
    const int constant =
        graph_.AddConstant(absl::StrCat(graph_.nodes[product].name, "/folded"), Tensor::Of<float>(shape, rounded));
    graph_.nodes[product].inputs[1] = {constant, 0};
  }

  // The product takes in the scale (and, where nothing is padded, the shift) before it.
  void FoldBefore(int product) {
    const FrozenGraph::FrozenNode& node = graph_.nodes[product];
    std::vector<int> views;  // Pad and Reshape between
    Edge x = node.inputs[0];
    bool padded = node.op->name() == "Conv2D" && StringAttr(node, "padding", "SAME") != "VALID";
    while (IsOneOf(graph_.nodes[x.node], {"Pad", "Reshape"}) && IsOnlyUse(x)) {
      const FrozenGraph::FrozenNode& view = graph_.nodes[x.node];
      const bool is_reshape = view.op->name() == "Reshape";
      if (is_reshape && !FlattensChannels(view)) break;
      if (!is_reshape && !PadsNoChannels(view)) break;
      padded |= !is_reshape;
      views.push_back(x.node);
      x = view.inputs[0];
    }
    if (!IsOnlyUse(x) || x.output != 0) return;
    std::optional<Affine> affine = AsAffine(x.node);
    std::vector<int> chain = {x.node};
    while (affine.has_value() && IsOnlyUse(affine->x) && affine->x.output == 0) {
      const std::optional<Affine> inner = AsAffine(affine->x.node);
      if (!inner.has_value()) break;
      chain.push_back(affine->x.node);
      affine = Compose(*inner, *affine);
    }
    const std::optional<Tensor> weights = WeightsOf(product);
    if (!affine.has_value() || !weights.has_value() || !affine->finite()) return;
    if (!affine->scales() || (padded && affine->shifts())) return;
    TakeIn(product, *affine, *weights, views);
    for (int taken : chain) folded_.push_back(graph_.nodes[taken].name);
  }

  void TakeIn(int product, const Affine& affine, const Tensor& weights, const std::vector<int>& views) {
    const bool transposed = IsTransposed(product);
    const Shape& shape = weights.shape();
    const int64_t width = shape.dim(-1);
    const int64_t depth = transposed ? width : shape.dim(-2), columns = transposed ? shape.dim(0) : width;
    if (depth % static_cast<int64_t>(affine.scale.size()) != 0) return;
    const Vector scale = Tiled(affine.scale, depth), shift = Tiled(affine.shift, depth);
    Vector scaled = *Numbers(weights), bias(static_cast<size_t>(columns), 0);
    for (size_t k = 0; k < scaled.size(); ++k) {
      const int64_t at = static_cast<int64_t>(k);
      const int64_t row = transposed ? at % width : at / width % depth, column = transposed ? at / width : at % width;
      bias[column] += shift[row] * scaled[k];
      scaled[k] *= scale[row];
    }
    SetWeights(product, shape, scaled);
    const Edge x = affine.x;
    if (views.empty()) {
      graph_.nodes[product].inputs[0] = x;
    } else {
      graph_.nodes[views.back()].inputs[0] = x;
    }
    if (!affine.shifts()) return;
    // What used the product uses its sum with the bias.
    const std::vector<float> rounded(bias.begin(), bias.end());
    const std::string name = graph_.nodes[product].name;
    const int constant = graph_.AddConstant(absl::StrCat(name, "/bias"), Tensor::Of<float>({columns}, rounded));
    FrozenGraph::FrozenNode sum{.name = absl::StrCat(name, "/folded_bias"), .op = FindOp("AddV2")};
    sum.attrs = {{"T", DT_FLOAT}};
    sum.shape = graph_.nodes[product].shape;
    graph_.nodes.push_back(std::move(sum));
    const int added = static_cast<int>(graph_.nodes.size()) - 1;
    graph_.Replace({product, 0}, {added, 0});
    graph_.nodes[added].inputs = {{product, 0}, {constant, 0}};
  }

  // outer(inner(x)).
  static Affine Compose(const Affine& inner, const Affine& outer) {
    const int64_t n = static_cast<int64_t>(std::max(inner.scale.size(), outer.scale.size()));
    Affine both{.x = inner.x, .scale = Tiled(outer.scale, n), .shift = Tiled(outer.shift, n)};
    const Vector scale = Tiled(inner.scale, n), shift = Tiled(inner.shift, n);
    for (size_t j = 0; j < both.scale.size(); ++j) {
      both.shift[j] += both.scale[j] * shift[j];
      both.scale[j] *= scale[j];
    }
    return both;
  }

  // [batch, ..., channels] to [batch, all the others together].
  bool FlattensChannels(const FrozenGraph::FrozenNode& view) const {
    const Shape& to = view.shape;
    const Shape& from = graph_.nodes[view.inputs[0].node].shape;
    return to.rank() == 2 && from.rank() > 2 && to.dim(-1) > 0 && from.dim(-1) > 0 &&
           from.Slice(1, from.rank()).IsFullyDefined() && from.num_elements(1, from.rank()) == to.dim(-1);
  }
  bool PadsNoChannels(const FrozenGraph::FrozenNode& view) const {
    const Tensor* paddings = graph_.ConstantOf(view.inputs[1]);
    if (paddings == nullptr) return false;
    const absl::StatusOr<std::vector<int64_t>> sizes = IntegerValues(*paddings);
    return sizes.ok() && sizes->size() >= 2 && (*sizes)[sizes->size() - 1] == 0 && (*sizes)[sizes->size() - 2] == 0;
  }

  FrozenGraph& graph_;
  std::vector<std::string> folded_;
};

}  // namespace

std::vector<std::string> FoldAffine(FrozenGraph* graph) { return Folder(graph).Run(); }

}  // namespace staticflow
