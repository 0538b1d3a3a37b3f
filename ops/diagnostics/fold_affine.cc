// FoldAffine: y = scale x + shift per channel goes into the product by constant weights next to it.
//
//   (x w + b) s + t        ->  x (w s) + (b s + t)                   after it
//   (s x + t) w + b        ->  x (s w) + (t w + b)                   before it; t = 0 where zeros pad the picture
//
// All is computed in double and rounded once.
#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "ops/diagnostics/channel_affine.h"
#include "ops/diagnostics/pooled_moments.h"
#include "ops/diagnostics/weight_layout.h"

namespace staticflow {
namespace {

using Edge = FrozenGraph::Edge;
using Vector = std::vector<double>;

// Each element of `v` as often as it takes to have `n`.
Vector Spread(const Vector& v, int64_t n) {
  Vector result(static_cast<size_t>(n));
  for (size_t i = 0; i < result.size(); ++i) result[i] = v[i * v.size() / result.size()];
  return result;
}

Axis AxisOf(const WeightLayout& layout) { return layout.channels_first ? Axis::kSecond : Axis::kLast; }

class Folder {
 public:
  explicit Folder(FrozenGraph* graph) : graph_(*graph) {}

  std::vector<std::string> Run() {
    // Rewriting adds constants only at the end, so that these numbers stay.
    const int n = static_cast<int>(graph_.nodes.size());
    for (int i = 0; i < n; ++i) {
      if (graph_.UsesOf(i) == 0) continue;
      if (std::optional<Affine> affine = AsAffine(graph_, i); affine.has_value()) FoldAfter(i, *affine);
    }
    for (int i = 0; i < n; ++i) {
      if (graph_.UsesOf(i) > 0 && LayoutOfWeights(graph_, i).has_value()) FoldBefore(i);
    }
    return std::move(folded_);
  }

 private:
  // ---- After a product ----

  // Whether the edge's node has this one use, and is no result itself.
  bool IsOnlyUse(Edge edge) const { return graph_.UsesOf(edge.node) == 1; }

  // The product before a scale, with what stands between them: reshapes, and a bias before or after these.
  struct Source {
    int product = -1;
    WeightLayout layout = {};
    int bias = -1;          // the node that adds it
    bool reshaped = false;  // between the bias (or the product) and the scale
  };
  std::optional<Source> SourceOf(const Affine& affine) const {
    Source source;
    bool reshaped = false;
    for (Edge x = affine.x;;) {
      if (!IsOnlyUse(x) || x.output != 0) return std::nullopt;
      const FrozenGraph::FrozenNode& node = graph_.nodes[x.node];
      if (const std::optional<WeightLayout> layout = LayoutOfWeights(graph_, x.node); layout.has_value()) {
        if (!Agree(AxisOf(*layout), affine.axis)) return std::nullopt;
        source.product = x.node;
        source.layout = *layout;
        source.reshaped |= reshaped;
        return source;
      }
      // A reshape whose last dimension divides the product's keeps channels together.
      if (IsOneOf(node, {"Reshape", "Squeeze"})) {
        const Shape &to = node.shape, &from = graph_.nodes[node.inputs[0].node].shape;
        const bool keeps = affine.axis != Axis::kSecond && to.rank() > 0 && from.rank() > 0 && to.dim(-1) > 0 &&
                           from.dim(-1) > 0 && from.dim(-1) % to.dim(-1) == 0;
        if (!keeps || source.bias >= 0) return std::nullopt;
        reshaped = true;
        x = node.inputs[0];
        continue;
      }
      const std::optional<Affine> bias = AsAffine(graph_, x.node);
      if (!bias.has_value() || bias->scales() || source.bias >= 0 || !Agree(bias->axis, affine.axis)) {
        return std::nullopt;
      }
      source.bias = x.node;
      source.reshaped = reshaped;
      x = bias->x;
    }
  }

  // Node i is a scale after a product: it becomes the addition of one shift to the scaled product.
  void FoldAfter(int i, const Affine& affine) {
    if (!affine.finite() || !affine.scales()) return;
    const std::optional<Source> source = SourceOf(affine);
    if (!source.has_value()) return;
    const int64_t channels = static_cast<int64_t>(affine.scale.size());
    const bool fits =
        source->reshaped ? source->layout.outputs % channels == 0 : channels == 1 || channels == source->layout.outputs;
    if (!fits) return;
    ScaleOutputs(*source, Tiled(affine.scale, source->layout.outputs));
    Edge x = affine.x;
    Vector shift = affine.shift;
    if (source->bias >= 0) {
      Affine bias = *AsAffine(graph_, source->bias);
      const int64_t n = static_cast<int64_t>(std::max(bias.shift.size(), affine.scale.size()));
      bias.shift = Tiled(bias.shift, n);
      const Vector scale = Tiled(affine.scale, n);
      for (size_t j = 0; j < bias.shift.size(); ++j) bias.shift[j] *= scale[j];
      if (source->reshaped) {
        MakeShift(source->bias, bias.x, bias.shift, bias.axis);
      } else {
        // The bias goes: its scaled value is part of the shift.
        x = bias.x;
        shift = Tiled(shift, n);
        for (size_t j = 0; j < shift.size(); ++j) shift[j] += bias.shift[j];
      }
    }
    folded_.push_back(graph_.nodes[i].name);
    MakeShift(i, x, shift, AxisOf(source->layout));
  }

  void ScaleOutputs(const Source& source, const Vector& scale) {
    const Tensor& weights = WeightsOf(source.product, source.layout);
    Vector scaled = *Numbers(weights);
    for (size_t k = 0; k < scaled.size(); ++k) scaled[k] *= scale[source.layout.OutputOf(static_cast<int64_t>(k))];
    SetWeights(source.product, source.layout, scaled);
  }
  const Tensor& WeightsOf(int product, const WeightLayout& layout) const {
    return *graph_.ConstantOf(graph_.nodes[product].inputs[layout.weights_input]);
  }
  void SetWeights(int product, const WeightLayout& layout, const Vector& elements) {
    const Shape shape = WeightsOf(product, layout).shape();
    const std::vector<float> rounded(elements.begin(), elements.end());
    const int constant =
        graph_.AddConstant(absl::StrCat(graph_.nodes[product].name, "/folded"), Tensor::Of<float>(shape, rounded));
    graph_.nodes[product].inputs[layout.weights_input] = {constant, 0};
  }

  // A constant that is broadcast along `axis` of a tensor of `rank` dimensions.
  int AddChannelConstant(const std::string& name, const Vector& elements, Axis axis, int rank) {
    const std::vector<float> rounded(elements.begin(), elements.end());
    std::vector<int64_t> dims = {static_cast<int64_t>(rounded.size())};
    if (axis == Axis::kSecond && rounded.size() > 1) dims.resize(static_cast<size_t>(std::max(1, rank - 1)), 1);
    return graph_.AddConstant(name, Tensor::Of<float>(Shape(dims), rounded));
  }

  // Node i becomes x + shift, or x where there is none.
  void MakeShift(int i, Edge x, const Vector& shift, Axis axis) {
    if (std::all_of(shift.begin(), shift.end(), [](double t) { return t == 0; })) {
      graph_.Replace({i, 0}, x);
      return;
    }
    const int constant =
        AddChannelConstant(absl::StrCat(graph_.nodes[i].name, "/shift"), shift, axis, graph_.nodes[i].shape.rank());
    FrozenGraph::FrozenNode& node = graph_.nodes[i];
    node.op = FindOp("AddV2");
    node.inputs = {x, {constant, 0}};
    node.attrs = {{"T", DT_FLOAT}};
  }

  // ---- Before a product ----

  // What stands between an affine and the product: Pad and Reshape, the product's side first.
  struct Views {
    std::vector<int> nodes = {};
    bool pads = false;
    bool flattens = false;
  };

  // The product takes in the scale (and, where nothing is padded, the shift) before it.
  void FoldBefore(int product) {
    const WeightLayout layout = *LayoutOfWeights(graph_, product);
    Views views{.pads = layout.pads};
    Edge x = graph_.nodes[product].inputs[layout.data_input];
    while (IsOneOf(graph_.nodes[x.node], {"Pad", "Reshape"}) && IsOnlyUse(x)) {
      const FrozenGraph::FrozenNode& view = graph_.nodes[x.node];
      const bool is_reshape = view.op->name() == "Reshape";
      if (is_reshape ? !Flattens(view) : !PadsNoChannels(view, layout.channels_first)) break;
      (is_reshape ? views.flattens : views.pads) = true;
      views.nodes.push_back(x.node);
      x = view.inputs[0];
    }
    if (!IsOnlyUse(x) || x.output != 0) return;
    std::optional<Affine> affine = AsAffine(graph_, x.node);
    std::vector<int> chain = {x.node};
    while (affine.has_value() && IsOnlyUse(affine->x) && affine->x.output == 0) {
      const std::optional<Affine> inner = AsAffine(graph_, affine->x.node);
      const std::optional<Affine> both = inner.has_value() ? Compose(*inner, *affine) : std::nullopt;
      if (!both.has_value()) break;
      chain.push_back(affine->x.node);
      affine = both;
    }
    if (!affine.has_value() || !affine->finite() || !affine->scales()) return;
    if (views.pads && affine->shifts()) return;
    if (!TakeIn(product, layout, *affine, views)) return;
    for (int taken : chain) folded_.push_back(graph_.nodes[taken].name);
  }

  // The numbers of an affine's channels for each channel of the product's operand; nullopt where they do not fit.
  static std::optional<Vector> ForInputs(const Vector& v, const Affine& affine, const WeightLayout& layout,
                                         const Views& views) {
    const int64_t size = static_cast<int64_t>(v.size());
    if (layout.inputs % size != 0 || (layout.grouped && size != 1)) return std::nullopt;
    if (views.flattens) return affine.axis == Axis::kSecond ? Spread(v, layout.inputs) : Tiled(v, layout.inputs);
    const bool fits = Agree(affine.axis, AxisOf(layout)) && (size == 1 || size == layout.inputs);
    return fits ? std::optional(Tiled(v, layout.inputs)) : std::nullopt;
  }

  bool TakeIn(int product, const WeightLayout& layout, const Affine& affine, const Views& views) {
    const std::optional<Vector> scale = ForInputs(affine.scale, affine, layout, views);
    const std::optional<Vector> shift = ForInputs(affine.shift, affine, layout, views);
    if (!scale.has_value() || !shift.has_value()) return false;
    Vector scaled = *Numbers(WeightsOf(product, layout)), bias(static_cast<size_t>(layout.outputs), 0);
    for (size_t k = 0; k < scaled.size(); ++k) {
      const size_t row = static_cast<size_t>(layout.InputOf(static_cast<int64_t>(k)));
      bias[static_cast<size_t>(layout.OutputOf(static_cast<int64_t>(k)))] += (*shift)[row] * scaled[k];
      scaled[k] *= (*scale)[row];
    }
    SetWeights(product, layout, scaled);
    if (views.nodes.empty()) {
      graph_.nodes[product].inputs[layout.data_input] = affine.x;
    } else {
      graph_.nodes[views.nodes.back()].inputs[0] = affine.x;
    }
    if (affine.shifts()) AddBias(product, layout, bias);
    return true;
  }

  // What used the product uses its sum with the bias.
  void AddBias(int product, const WeightLayout& layout, const Vector& bias) {
    const std::string name = graph_.nodes[product].name;
    const int rank = graph_.nodes[product].shape.rank();
    const int constant = AddChannelConstant(absl::StrCat(name, "/bias"), bias, AxisOf(layout), rank);
    FrozenGraph::FrozenNode sum{.name = absl::StrCat(name, "/folded_bias"), .op = FindOp("AddV2")};
    sum.attrs = {{"T", DT_FLOAT}};
    sum.shape = graph_.nodes[product].shape;
    graph_.nodes.push_back(std::move(sum));
    const int added = static_cast<int>(graph_.nodes.size()) - 1;
    graph_.Replace({product, 0}, {added, 0});
    graph_.nodes[added].inputs = {{product, 0}, {constant, 0}};
  }

  // [batch, and more] to [batch, all the others together].
  bool Flattens(const FrozenGraph::FrozenNode& view) const {
    const Shape& to = view.shape;
    const Shape& from = graph_.nodes[view.inputs[0].node].shape;
    return to.rank() == 2 && from.rank() > 2 && to.dim(-1) > 0 && from.dim(-1) > 0 &&
           from.Slice(1, from.rank()).IsFullyDefined() && from.num_elements(1, from.rank()) == to.dim(-1);
  }
  bool PadsNoChannels(const FrozenGraph::FrozenNode& view, bool channels_first) const {
    const Tensor* paddings = graph_.ConstantOf(view.inputs[1]);
    if (paddings == nullptr) return false;
    const absl::StatusOr<std::vector<int64_t>> sizes = IntegerValues(*paddings);
    if (!sizes.ok() || sizes->size() < 4) return false;
    const size_t channels = channels_first ? 2 : sizes->size() - 2;
    return (*sizes)[channels] == 0 && (*sizes)[channels + 1] == 0;
  }

  FrozenGraph& graph_;
  std::vector<std::string> folded_;
};

}  // namespace

std::vector<std::string> FoldAffine(FrozenGraph* graph) { return Folder(graph).Run(); }

}  // namespace staticflow
