#include "ops/train/model_summary.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/variable_key.h"

namespace staticflow::train {
namespace {

using NodeSet = absl::flat_hash_set<const Node*>;

std::string Parent(const std::string& name) {
  const size_t slash = name.rfind('/');
  return slash == std::string::npos ? "" : name.substr(0, slash);
}

// Nodes that lead from an input to the output.
NodeSet Path(const ModelSummaryOptions& options) {
  NodeSet above;
  std::vector<const Node*> stack = {options.output.node()};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!above.insert(node).second) continue;
    for (Output input : node->inputs()) {
      if (input.valid()) stack.push_back(input.node());
    }
  }
  NodeSet path;
  for (Output input : options.inputs) path.insert(input.node());
  // Nodes come after their inputs, but for the edges that lead back in loops.
  for (const std::unique_ptr<Node>& node : options.output.graph().nodes()) {
    if (!above.contains(node.get())) continue;
    for (Output input : node->inputs()) {
      if (input.valid() && path.contains(input.node())) path.insert(node.get());
    }
  }
  return path;
}

// The variables of layers: what an optimizer keeps is named inside its variable, or "beta1_power".
std::vector<const Variable*> Parameters(const Graph& g) {
  const std::vector<const Variable*> all = g.variables(kGlobalVariables);
  const std::vector<const Variable*> trained = g.variables(kTrainableVariables);
  std::vector<const Variable*> parameters;
  for (const Variable* variable : all) {
    const bool is_slot = std::any_of(all.begin(), all.end(), [&](const Variable* other) {
      return absl::StartsWith(variable->name(), absl::StrCat(other->name(), "/"));
    });
    const bool is_trained = std::find(trained.begin(), trained.end(), variable) != trained.end();
    if (is_trained || (!is_slot && !Parent(variable->name()).empty())) parameters.push_back(variable);
  }
  return parameters;
}

// Which layer a name belongs to.
class LayerNames {
 public:
  explicit LayerNames(const std::vector<const Variable*>& parameters) {
    for (const Variable* variable : parameters) {
      for (std::string scope = Parent(Parent(variable->name())); !scope.empty(); scope = Parent(scope)) {
        around_.insert(scope);
      }
    }
  }
  std::string Of(const std::string& name) const {
    for (size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1)) {
      if (!around_.contains(name.substr(0, end))) return name.substr(0, end);
    }
    return name;
  }

 private:
  std::set<std::string> around_;  // scopes that hold layers
};

struct Group {
  LayerSummary summary;
  const Node* last = nullptr;  // on the path
  int nodes = 0;
};

void AddParameters(const std::vector<const Variable*>& parameters, const NodeSet& path, const LayerNames& names,
                   std::map<std::string, Group>* groups) {
  const auto count = [](const Variable& variable, LayerSummary* layer) {
    const int64_t n = variable.shape.IsFullyDefined() ? variable.shape.num_elements() : 0;
    (variable.trainable ? layer->trainable : layer->non_trainable) += n;
  };
  for (const Variable* variable : parameters) {
    const auto own = groups->find(names.Of(variable->name()));
    if (own != groups->end() && own->first != variable->name()) {
      count(*variable, &own->second.summary);
      continue;
    }
    // A variable without a scope belongs to the first layer that reads it.
    const Node* reader = nullptr;
    for (const Node* node : path) {
      for (Output input : node->inputs()) {
        const bool reads = input == variable->snapshot || input.node() == variable->variable;
        if (reads && (reader == nullptr || node->id() < reader->id())) reader = node;
      }
    }
    if (reader != nullptr) count(*variable, &(*groups)[names.Of(reader->name())].summary);
  }
}

std::string ShapeText(const Shape& shape) {
  if (shape.rank() < 0) return "?";
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) {
    absl::StrAppend(&text, i > 0 ? ", " : "", shape.dim(i) < 0 ? "None" : absl::StrCat(shape.dim(i)));
  }
  return text + (shape.rank() == 1 ? ",)" : ")");
}

// 100910 is "100,910".
std::string WithCommas(int64_t number) {
  std::string text = absl::StrCat(number);
  for (int i = static_cast<int>(text.size()) - 3; i > 0; i -= 3) text.insert(static_cast<size_t>(i), ",");
  return text;
}

}  // namespace

std::vector<LayerSummary> SummarizeLayers(const ModelSummaryOptions& options) {
  if (!options.output.valid()) return {};
  for (Output input : options.inputs) {
    if (!input.valid()) return {};
  }
  const Graph& g = options.output.graph();
  const std::vector<const Variable*> parameters = Parameters(g);
  const LayerNames names(parameters);
  const NodeSet path = Path(options);
  std::map<std::string, Group> groups;
  std::vector<std::string> order;
  for (const std::unique_ptr<Node>& node : g.nodes()) {
    if (!path.contains(node.get())) continue;
    const std::string name = names.Of(node->name());
    Group& group = groups[name];
    if (group.nodes++ == 0) order.push_back(name);
    group.last = node.get();
  }
  AddParameters(parameters, path, names, &groups);
  for (const std::unique_ptr<Node>& node : g.nodes()) {
    const auto group = groups.find(names.Of(node->name()));
    if (group != groups.end() && node->has_attr("_layer"))
      group->second.summary.type = node->attr<std::string>("_layer");
  }
  std::vector<LayerSummary> layers;
  for (const std::string& name : order) {
    Group& group = groups[name];
    group.summary.name = name;
    const Output result = group.last == options.output.node() ? options.output : group.last->output(0);
    if (group.summary.type.empty()) group.summary.type = group.last->type();
    if (group.last->num_outputs() > 0) group.summary.output_shape = result.shape();
    layers.push_back(group.summary);
  }
  return layers;
}

std::string ModelSummary(const ModelSummaryOptions& options) {
  const std::string line(65, '_'), heavy(65, '=');
  const auto row = [](const std::string& layer, const std::string& shape, const std::string& parameters) {
    return absl::StrFormat("%-29s%-26s%-10s\n", layer.substr(0, 28), shape.substr(0, 25), parameters);
  };
  std::string text = absl::StrCat("Model: \"", options.title, "\"\n", line, "\n",
                                  row("Layer (type)", "Output Shape", "Param #"), heavy, "\n");
  int64_t trainable = 0, non_trainable = 0;
  bool first = true;
  for (const LayerSummary& layer : SummarizeLayers(options)) {
    if (!first) absl::StrAppend(&text, line, "\n");
    first = false;
    absl::StrAppend(&text, row(absl::StrCat(layer.name, " (", layer.type, ")"), ShapeText(layer.output_shape),
                               absl::StrCat(layer.trainable + layer.non_trainable)));
    trainable += layer.trainable;
    non_trainable += layer.non_trainable;
  }
  absl::StrAppend(&text, heavy, "\nTotal params: ", WithCommas(trainable + non_trainable),
                  "\nTrainable params: ", WithCommas(trainable), "\nNon-trainable params: ", WithCommas(non_trainable),
                  "\n", line, "\n");
  return text;
}

}  // namespace staticflow::train
