#include "ops/diagnostics/double_twin.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "graph/topological_order.h"
#include "graph/variable_access.h"
#include "graph/variable_key.h"
#include "runtime/resource_store.h"
#include "runtime/session.h"
#include "runtime/store_mutex.h"

namespace staticflow {
namespace {

bool AllowsDouble(const AttrDef& attr) {
  return attr.allowed_types == 0 || (attr.allowed_types & TypeBit(DT_DOUBLE)) != 0;
}

bool IsNarrow(DataType dtype) { return IsFloating(dtype) && dtype != DT_DOUBLE; }

// The attributes of the twin of `node`: floating types are double where the op's definition allows it, and so are the
// tensors that those types describe.
absl::StatusOr<AttrMap> WideAttrs(const Node& node) {
  AttrMap attrs = node.attrs();
  for (const AttrDef& def : node.op().attrs) {
    auto it = attrs.find(def.name);
    if (it == attrs.end()) continue;
    AttrValue& value = it->second;
    if (const DataType* type = value.find<DataType>(); type != nullptr && IsNarrow(*type) && AllowsDouble(def)) {
      value = DT_DOUBLE;
    } else if (const auto* types = value.find<std::vector<DataType>>(); types != nullptr && AllowsDouble(def)) {
      std::vector<DataType> wide = *types;
      std::replace_if(wide.begin(), wide.end(), IsNarrow, DT_DOUBLE);
      value = wide;
    } else if (const Tensor* tensor = value.find<Tensor>(); tensor != nullptr) {
      SF_ASSIGN_OR_RETURN(Tensor wide, InDouble(*tensor));
      value = std::move(wide);
    }
  }
  attrs.erase("_output_shapes");
  return attrs;
}

// The type of each input under `attrs`.
std::vector<DataType> InputTypes(const Node& node, const AttrMap& attrs) {
  std::vector<DataType> types;
  for (Output input : node.inputs()) types.push_back(input.dtype());
  for (const ArgDef& arg : node.op().inputs) {
    const auto [first, last] = node.InputRange(arg.name);
    for (int i = first; i < last; ++i) {
      if (!arg.type_attr.empty()) types[i] = attrs.find(arg.type_attr)->second.get<DataType>();
      if (!arg.type_list_attr.empty()) {
        types[i] = attrs.find(arg.type_list_attr)->second.get<std::vector<DataType>>()[i - first];
      }
    }
  }
  return types;
}

// What `outputs` need, by data and by control edges.
std::vector<const Node*> Ancestors(absl::Span<const Output> outputs) {
  std::vector<const Node*> found;
  absl::flat_hash_set<const Node*> seen;
  const auto visit = [&](const Node* node) {
    if (seen.insert(node).second) found.push_back(node);
  };
  for (Output output : outputs) visit(output.node());
  for (size_t next = 0; next < found.size(); ++next) {
    const Node* node = found[next];
    for (Output input : node->inputs()) visit(input.node());
    for (const Node* control : node->control_inputs()) {
      if (VariablesWrittenBy(*control).empty()) visit(control);
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<Tensor> InDouble(const Tensor& tensor) {
  if (!IsNarrow(tensor.dtype())) return tensor;
  SF_ASSIGN_OR_RETURN(Tensor wide, Tensor::Create(DT_DOUBLE, tensor.shape()));
  DispatchType<float, Half, BFloat16>(tensor.dtype(), [&]<typename T>() {
    const T* from = tensor.data<T>();
    double* to = wide.data<double>();
    for (int64_t i = 0; i < tensor.num_elements(); ++i) to[i] = static_cast<float>(from[i]);
  });
  return wide;
}

absl::StatusOr<std::unique_ptr<DoubleTwin>> DoubleTwin::Create(absl::Span<const Output> outputs) {
  std::unique_ptr<DoubleTwin> twin(new DoubleTwin);
  SF_RETURN_IF_ERROR(twin->Build(outputs));
  return twin;
}

Output DoubleTwin::Of(Output original) const {
  auto it = twins_.find(original.node());
  return it == twins_.end() ? Output() : it->second->output(original.index());
}

absl::Status DoubleTwin::Build(absl::Span<const Output> outputs) {
  std::vector<const Node*> nodes = Ancestors(outputs);
  graph_.set_seed(outputs[0].graph().seed());
  graph_.function_library() = outputs[0].graph().function_library();
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
  absl::flat_hash_map<const Node*, int> position;
  for (size_t i = 0; i < nodes.size(); ++i) position[nodes[i]] = static_cast<int>(i);
  const auto is_back_edge = [](const Node* source, const Node* node) {
    return source->op().is(OpRole::kNextIteration) && node->op().is(OpRole::kMerge);
  };
  std::vector<std::vector<int>> needs(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (Output input : nodes[i]->inputs()) {
      if (!is_back_edge(input.node(), nodes[i])) needs[i].push_back(position[input.node()]);
    }
    for (const Node* control : nodes[i]->control_inputs()) {
      if (auto it = position.find(control); it != position.end()) needs[i].push_back(it->second);
    }
  }
  for (int i : TopologicalOrder(needs).order) {
    SF_RETURN_IF_ERROR(Annotate(Add(*nodes[i]), absl::StrCat(nodes[i]->DebugName(), " in double: ")));
  }
  for (const Node* node : nodes) {
    for (int i = 0; i < node->num_inputs(); ++i) {
      if (!is_back_edge(node->input(i).node(), node)) continue;
      SF_RETURN_IF_ERROR(twins_[node]->ReplaceInput(i, Of(node->input(i))));
    }
  }
  return absl::OkStatus();
}

// Input `i` of the twin of `node`, which asks for `dtype`.
absl::StatusOr<Output> DoubleTwin::InputFor(const Node& node, int i, DataType dtype) {
  const Output input = Of(node.input(i));
  if (input.dtype() == dtype) return input;
  const Output key = input;
  Output& cast = casts_[key];
  if (!cast.valid() || cast.dtype() != dtype) {
    NodeDefinition definition;
    definition.name = graph_.UniqueName(absl::StrCat(input.node()->name(), "/cast_to_", DataTypeName(dtype)));
    definition.op = &OpWithRole(OpRole::kCast);
    definition.inputs = {input};
    definition.attrs = {{"DstT", dtype}};
    SF_ASSIGN_OR_RETURN(Node * added, graph_.AddNode(std::move(definition)));
    cast = added->output(0);
  }
  return cast;
}

absl::Status DoubleTwin::Add(const Node& node) {
  NodeDefinition definition;
  definition.name = graph_.UniqueName(absl::StrCat(node.name(), "/"));
  definition.op = &node.op();
  definition.where = node.where();
  SF_ASSIGN_OR_RETURN(definition.attrs, WideAttrs(node));
  const std::vector<DataType> types = InputTypes(node, definition.attrs);
  std::vector<int> missing;
  std::vector<DataType> missing_types;
  for (int i = 0; i < node.num_inputs(); ++i) {
    if (!twins_.contains(node.input(i).node())) {
      missing.push_back(i);
      missing_types.push_back(types[i]);
      definition.inputs.emplace_back();
      continue;
    }
    SF_ASSIGN_OR_RETURN(Output input, InputFor(node, i, types[i]));
    definition.inputs.push_back(input);
  }
  for (const Node* control : node.control_inputs()) {
    if (auto it = twins_.find(control); it != twins_.end()) definition.control_inputs.push_back(it->second);
  }
  Node* twin = nullptr;
  if (missing.empty()) {
    SF_ASSIGN_OR_RETURN(twin, graph_.AddNode(std::move(definition)));
  } else {
    SF_ASSIGN_OR_RETURN(twin, graph_.AddNodeWithBackEdge(std::move(definition), missing, missing_types));
  }
  twins_[&node] = twin;
  if (const CustomGradient* gradient = node.graph().FindCustomGradient(node))
    graph_.SetCustomGradient(*twin, *gradient);
  const bool is_variable = node.op().is(OpRole::kVariable) || node.op().is(OpRole::kVarHandle);
  if (is_variable) variables_.push_back(twin);
  has_random_ |= node.op().has(kStateful) && !is_variable && VariablesWrittenBy(node).empty() && node.num_outputs() > 0;
  for (int i = 0; i < twin->num_outputs(); ++i) {
    if (!IsNarrow(twin->output_dtype(i))) continue;
    narrow_.push_back(twin->DebugName());
    break;
  }
  return absl::OkStatus();
}

absl::Status DoubleTwin::CopyVariables(Session& from, Session& to) const {
  std::shared_lock lock(from.resources().mutex());
  for (const Node* variable : variables_) {
    const VariableSlot* source = from.resources().FindVariable(VariableKey(*variable));
    if (source == nullptr || !source->initialized) {
      return absl::FailedPreconditionError(absl::StrCat(variable->DebugName(), " has no value in the session"));
    }
    SF_ASSIGN_OR_RETURN(Tensor value, source->value.Clone());
    if (variable->attr<DataType>("dtype") == DT_DOUBLE) {
      SF_ASSIGN_OR_RETURN(value, InDouble(value));
    }
    SF_ASSIGN_OR_RETURN(VariableSlot * slot,
                        to.resources().Variable(VariableKey(*variable), value.dtype(), variable->attr<Shape>("shape")));
    SF_RETURN_IF_ERROR(slot->Assign(value.dtype(), value.shape(), value.raw(), false));
  }
  return absl::OkStatus();
}

}  // namespace staticflow
