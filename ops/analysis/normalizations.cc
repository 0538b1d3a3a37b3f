#include "ops/analysis/normalizations.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"

namespace staticflow {
namespace {

bool IsFused(const Node& node) {
  return absl::StartsWith(node.type(), "FusedBatchNorm") && !absl::StrContains(node.type(), "Grad") &&
         node.has_attr("is_training") && node.num_inputs() >= 5 && node.num_outputs() >= 3;
}

Normalization OfFused(Node* node) {
  Normalization n{.node = node, .input = SameShapeValue(node->input(0)), .output = node->output(0)};
  n.fused = true;
  n.fused_training = node->attr<bool>("is_training");
  n.gamma = node->input(1);
  n.beta = node->input(2);
  n.given_mean = node->input(3);
  n.given_variance = node->input(4);
  n.mean = n.fused_training ? node->output(1) : n.given_mean;
  n.variance = n.fused_training ? node->output(2) : n.given_variance;
  n.epsilon = node->attr<float>("epsilon");
  return n;
}

// A variable's value, or a constant that is no single number.
bool IsWeight(Output value) {
  const Output source = ViewedValue(value);
  const Node& reader = *source.node();
  if (reader.op().is(OpRole::kConst)) return !ConstantNumber(source).has_value();
  return source.is_ref() || reader.op().is(OpRole::kReadVariable) ||
         (reader.op().is(OpRole::kIdentity) && reader.input(0).is_ref());
}

// Finds what is built around one square root of a variance.
class Composition {
 public:
  Composition(Node* root, const GraphUses& uses, std::vector<Normalization>* found)
      : root_(root), uses_(uses), found_(*found) {}

  void Match() {
    ReadVariance();
    if (IsType(*root_, {"Sqrt"})) {
      for (const auto& [node, input] : uses_.through_views(root_->output(0))) {
        if (IsType(*node, {"RealDiv", "Div", "TrueDiv"}) && input == 1) MatchCentered(node, node->input(0), Output());
        if (IsType(*node, {"Reciprocal", "Inv"})) MatchFactor(node->output(0), Output());
        if (IsType(*node, {"RealDiv", "Div", "TrueDiv"}) && input == 1) MatchFactor(node->output(0), node->input(0));
      }
      return;
    }
    MatchFactor(root_->output(0), Output());
  }

 private:
  static bool IsSum(const Node& node) { return IsType(node, {"Add", "AddV2", "BiasAdd"}); }

  void ReadVariance() {
    variance_ = root_->input(0);
    const Node& sum = *ViewedValue(variance_).node();
    if (!IsType(sum, {"Add", "AddV2"})) return;
    for (int i = 0; i < 2; ++i) {
      const std::optional<double> number = ConstantNumber(sum.input(i));
      if (!number.has_value()) continue;
      epsilon_ = *number;
      variance_ = sum.input(1 - i);
      return;
    }
  }

  void Found(Output y, Output x, Output mean, Output gamma, Output beta) {
    const auto known = [&](const Normalization& n) { return n.output == y; };
    if (std::any_of(found_.begin(), found_.end(), known)) return;
    found_.push_back({.node = y.node(), .input = SameShapeValue(x), .output = y, .mean = mean, .variance = variance_});
    found_.back().gamma = gamma;
    found_.back().beta = beta;
    found_.back().epsilon = epsilon_;
  }

  // `factor` is rsqrt(variance + epsilon), times gamma when there is one.
  void MatchFactor(Output factor, Output gamma) {
    for (const auto& [product, input] : uses_.through_views(factor)) {
      if (!IsType(*product, {"Mul"})) continue;
      const Output other = product->input(1 - input);
      if (MatchCentered(product, other, gamma)) continue;
      if (MatchShift(product, other, factor, gamma)) continue;
      if (!gamma.valid()) MatchFactor(product->output(0), other);
    }
  }

  // `scaled` is (x - mean) times (or divided by) a factor.
  bool MatchCentered(Node* scaled, Output centered, Output gamma) {
    const Node* centering = ViewedValue(centered).node();
    for (int i = 0; i < 2 && IsType(*centering, {"Mul"}); ++i) {
      if (gamma.valid() || !IsWeight(centering->input(1 - i))) continue;
      gamma = centering->input(1 - i);
      centering = ViewedValue(centering->input(i)).node();
    }
    const Node& difference = *centering;
    if (!IsType(difference, {"Sub"})) return false;
    Output y = scaled->output(0);
    if (!gamma.valid()) y = Then(y, {"Mul"}, &gamma);
    Output beta;
    y = Then(y, {"Add", "AddV2", "BiasAdd"}, &beta);
    Found(y, difference.input(0), difference.input(1), gamma, beta);
    return true;
  }

  // `product` is mean * factor, to be subtracted from x * factor; or -mean * factor, to be added to it.
  bool MatchShift(Node* product, Output mean, Output factor, Output gamma) {
    const Node& source = *ViewedValue(mean).node();
    if (IsType(source, {"Neg"})) {
      for (const auto& [sum, input] : uses_.through_views(product->output(0))) {
        if (!IsSum(*sum)) continue;
        if (const Output x = OtherFactor(sum->input(1 - input), factor); x.valid()) {
          return Finish(sum->output(0), x, source.input(0), gamma);
        }
      }
      return false;
    }
    for (const auto& [node, input] : uses_.through_views(product->output(0))) {
      const bool negates = IsType(*node, {"Neg"});
      if (!negates && !(IsType(*node, {"Sub"}) && input == 1)) continue;
      if (!negates) {
        if (const Output x = OtherFactor(node->input(0), factor); x.valid()) {
          return Finish(node->output(0), x, mean, gamma);
        }
      }
      const Output beta = negates ? Output() : node->input(0);
      for (const auto& [sum, which] : uses_.through_views(node->output(0))) {
        if (!IsSum(*sum)) continue;
        const Output x = OtherFactor(sum->input(1 - which), factor);
        if (!x.valid()) continue;
        Found(sum->output(0), x, mean, gamma, beta);
        return true;
      }
    }
    return false;
  }

  bool Finish(Output y, Output x, Output mean, Output gamma) {
    Output beta;
    y = Then(y, {"Add", "AddV2", "BiasAdd"}, &beta);
    Found(y, x, mean, gamma, beta);
    return true;
  }

  // x, when `product` is x * factor.
  static Output OtherFactor(Output product, Output factor) {
    const Node& node = *ViewedValue(product).node();
    if (!IsType(node, {"Mul"})) return Output();
    for (int i = 0; i < 2; ++i) {
      if (ViewedValue(node.input(i)) == ViewedValue(factor)) return node.input(1 - i);
    }
    return Output();
  }

  // What a use of `y` among `types` with a weight as its other operand gives; `y` itself when there is none.
  Output Then(Output y, std::initializer_list<absl::string_view> types, Output* operand) const {
    for (const auto& [node, input] : uses_.of(y)) {
      if (!IsType(*node, types)) continue;
      const Output other = node->input(1 - input);
      if (!IsWeight(other)) continue;
      *operand = other;
      return node->output(0);
    }
    return y;
  }

  Node* root_;
  const GraphUses& uses_;
  std::vector<Normalization>& found_;
  Output variance_;
  double epsilon_ = 0;
};

bool IsInverseRoot(const Node& node) {
  return IsType(node, {"Rsqrt", "Sqrt"}) || (IsType(node, {"Pow"}) && ConstantNumber(node.input(1)) == -0.5);
}

}  // namespace

std::vector<Normalization> FindNormalizations(const Graph& g, const GraphUses& uses) {
  std::vector<Normalization> found;
  for (const auto& node : g.nodes()) {
    if (IsFused(*node)) found.push_back(OfFused(node.get()));
    if (IsInverseRoot(*node)) Composition(node.get(), uses, &found).Match();
  }
  std::sort(found.begin(), found.end(),
            [](const Normalization& a, const Normalization& b) { return a.node->id() < b.node->id(); });
  // The gradient of the scale has the form of a normalization, with the gradient in the place of gamma; it comes later.
  absl::flat_hash_set<std::tuple<Output, Output, Output>> known;
  std::erase_if(found, [&](const Normalization& n) {
    const bool is_new = known.emplace(n.input, ViewedValue(n.mean), ViewedValue(n.variance)).second;
    return !n.fused && !is_new && n.gamma.valid() && !IsWeight(n.gamma);
  });
  return found;
}

}  // namespace staticflow
