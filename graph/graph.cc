#include "graph/graph.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "graph/control_flow.h"
#include "graph/graph_index.h"
#include "graph/shape_inference.h"
#include "graph/signature.h"
#include "graph/status.h"
#include "graph/variable_scope.h"

namespace staticflow {
namespace {

// TensorFlow's rule for node names: [A-Za-z0-9.][A-Za-z0-9_.\\/>-]*
bool IsNodeName(absl::string_view name) {
  if (name.empty() || name.size() > 4096) return false;
  const auto plain = [](char c) { return absl::ascii_isalnum(c) || c == '.'; };
  return plain(name[0]) && std::all_of(name.begin() + 1, name.end(), [&](char c) {
           return plain(c) || c == '_' || c == '\\' || c == '/' || c == '>' || c == '-';
         });
}

}  // namespace

Graph& Output::graph() const { return node_->graph(); }
DataType Output::dtype() const { return node_->output_dtype(index_); }
bool Output::is_ref() const { return node_->output_is_ref(index_); }
const Shape& Output::shape() const { return node_->output_shape(index_); }
std::string Output::name() const { return absl::StrCat(node_->name(), ":", index_); }

const std::string& Operation::name() const { return node_->name(); }

std::string CollectionItem::name() const { return output < 0 ? node->name() : absl::StrCat(node->name(), ":", output); }

absl::Status Node::MergeOutputShape(int i, const Shape& shape) {
  absl::StatusOr<Shape> merged = outputs_[i].shape.MergeWith(shape);
  if (!merged.ok()) return Annotate(merged.status(), absl::StrCat(DebugName(), ": output ", i, ": "));
  outputs_[i].shape = *std::move(merged);
  return absl::OkStatus();
}

std::pair<int, int> Node::InputRange(absl::string_view name) const {
  int begin = 0;
  for (const ArgDef& arg : op_->inputs) {
    const int length = static_cast<int>(ArgLength(arg, attrs_).value_or(0));
    if (arg.name == name) return {begin, begin + length};
    begin += length;
  }
  return {0, 0};
}

std::string Node::DebugName() const {
  std::string text = absl::StrCat(type(), " '", name_, "'");
  if (!where_.file.empty()) absl::StrAppend(&text, " (", where_.file, ":", where_.line, ")");
  return text;
}

absl::Status Node::ReplaceInput(int i, Output output) {
  if (i < 0 || i >= num_inputs() || !output.valid() || &output.graph() != graph_) {
    return absl::InvalidArgumentError(absl::StrCat(DebugName(), ": input ", i, " cannot be replaced"));
  }
  SF_ASSIGN_OR_RETURN(std::vector<ArgType> expected, ExpandArgs(op_->inputs, attrs_));
  if (output.dtype() != expected[i].dtype) {
    return absl::InvalidArgumentError(absl::StrCat(DebugName(), ": input ", i, " is ", DataTypeName(output.dtype()),
                                                   ", expected ", DataTypeName(expected[i].dtype)));
  }
  inputs_[i] = output;
  return absl::OkStatus();
}

void Node::AddControlInput(Node* node) {
  if (std::find(control_inputs_.begin(), control_inputs_.end(), node) == control_inputs_.end()) {
    control_inputs_.push_back(node);
  }
}

const AttrValue& Node::FindAttr(absl::string_view name) const {
  auto it = attrs_.find(name);
  SF_CHECK(it != attrs_.end());
  return it->second;
}

Graph::Graph(Options options)
    : index_(std::make_unique<Index>()),
      variable_scope_state_(std::make_unique<VariableScopeState>()),
      seed_(options.seed) {}
Graph::~Graph() = default;

void Graph::RecordError(absl::Status error) {
  if (status_.ok()) status_ = std::move(error);
}

absl::StatusOr<Node*> Graph::AddNode(NodeDefinition definition) {
  return AddNodeWithBackEdge(std::move(definition), {}, {});
}

absl::StatusOr<Node*> Graph::AddNodeWithBackEdge(NodeDefinition definition, absl::Span<const int> missing_inputs,
                                                 absl::Span<const DataType> missing_types) {
  auto node = std::make_unique<Node>();
  node->graph_ = this;
  node->op_ = definition.op;
  node->id_ = num_nodes();
  node->name_ = std::move(definition.name);
  node->where_ = std::move(definition.where);
  node->attrs_ = std::move(definition.attrs);
  node->device_ = std::move(definition.device);
  node->inputs_ = std::move(definition.inputs);
  const auto check = [&]() -> absl::Status {
    if (!IsNodeName(node->name_)) return absl::InvalidArgumentError("a node cannot have this name");
    if (index_->by_name.contains(node->name_))
      return absl::InvalidArgumentError("there is a node of this name already");
    std::vector<ArgType> inputs;
    for (size_t i = 0; i < node->inputs_.size(); ++i) {
      const Output input = node->inputs_[i];
      if (input.valid() &&
          (&input.graph() != this || input.index() < 0 || input.index() >= input.node()->num_outputs())) {
        return absl::InvalidArgumentError(
            absl::StrCat("input ", i, " is '", input.node()->name(), ":", input.index(),
                         &input.graph() != this ? "' of another graph" : "', which has no such output"));
      }
      const auto missing = std::find(missing_inputs.begin(), missing_inputs.end(), static_cast<int>(i));
      if (!input.valid() && missing == missing_inputs.end()) {
        return absl::InvalidArgumentError(absl::StrCat("input ", i, " is no output of any node"));
      }
      inputs.push_back(input.valid() ? ArgType{input.dtype(), input.is_ref()}
                                     : ArgType{missing_types[missing - missing_inputs.begin()], false});
    }
    absl::flat_hash_set<Node*> controls;
    for (Node* control : definition.control_inputs) {
      if (&control->graph() != this) return absl::InvalidArgumentError("a control input is of another graph");
      if (controls.insert(control).second) node->control_inputs_.push_back(control);
    }
    SF_RETURN_IF_ERROR(InferAttrs(*node->op_, inputs, &node->attrs_));
    SF_RETURN_IF_ERROR(CheckAttrs(*node->op_, &node->attrs_));
    SF_ASSIGN_OR_RETURN(std::vector<ArgType> expected, ExpandArgs(node->op_->inputs, node->attrs_));
    SF_RETURN_IF_ERROR(CheckInputs(*node->op_, expected, inputs));
    SF_ASSIGN_OR_RETURN(std::vector<ArgType> outputs, ExpandArgs(node->op_->outputs, node->attrs_));
    for (const ArgType& type : outputs) node->outputs_.push_back({type.dtype, type.is_ref, Shape::Unknown()});
    return absl::OkStatus();
  };
  SF_RETURN_IF_ERROR(Annotate(check(), absl::StrCat(node->DebugName(), ": ")));
  SF_RETURN_IF_ERROR(InferNodeShapes(*node));
  Node* added = node.get();
  index_->by_name.emplace(added->name_, added);
  index_->names_in_use.try_emplace(absl::AsciiStrToLower(added->name_), 1);
  nodes_.push_back(std::move(node));
  return added;
}

absl::Status Graph::InferNodeShapes(Node& node) {
  std::vector<Shape> shapes;
  std::vector<const Tensor*> values;
  for (Output input : node.inputs_) {
    shapes.push_back(input.valid() ? input.shape() : Shape::Unknown());
    const bool is_const = input.valid() && input.node()->op().is(OpRole::kConst);
    values.push_back(is_const ? &input.node()->attr<Tensor>("value") : nullptr);
  }
  SF_ASSIGN_OR_RETURN(std::vector<Shape> outputs, InferShapes(node, shapes, values));
  for (size_t i = 0; i < outputs.size(); ++i) node.outputs_[i].shape = std::move(outputs[i]);
  return absl::OkStatus();
}

Node* Graph::FindNode(absl::string_view name) const {
  auto it = index_->by_name.find(name);
  return it == index_->by_name.end() ? nullptr : it->second;
}

absl::StatusOr<Output> Graph::FindOutput(absl::string_view name) const {
  int index = 0;
  absl::string_view node_name = name;
  if (const size_t colon = name.rfind(':'); colon != absl::string_view::npos) {
    node_name = name.substr(0, colon);
    if (!absl::SimpleAtoi(name.substr(colon + 1), &index) || index < 0) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no name of an output, expected node:index"));
    }
  }
  Node* node = FindNode(node_name);
  if (node == nullptr) return absl::NotFoundError(absl::StrCat("the graph has no node '", node_name, "'"));
  if (index >= node->num_outputs()) {
    return absl::InvalidArgumentError(
        absl::StrCat(node->DebugName(), " has ", node->num_outputs(), " outputs, '", name, "' is none of them"));
  }
  return node->output(index);
}

std::string Graph::UniqueName(absl::string_view name, bool mark_as_used) {
  if (absl::EndsWith(name, "/")) return std::string(absl::StripSuffix(name, "/"));
  const std::string full = absl::StrCat(name_scope_, name);
  // Names that differ only in case count as the same, as in TensorFlow: they may become files.
  const std::string key = absl::AsciiStrToLower(full);
  auto it = index_->names_in_use.find(key);
  int count = it == index_->names_in_use.end() ? 0 : it->second;
  if (mark_as_used) index_->names_in_use[key] = count + 1;
  if (count == 0) return full;
  std::string unique;
  do {
    unique = absl::StrCat(full, "_", count++);
  } while (index_->names_in_use.contains(absl::AsciiStrToLower(unique)));
  if (mark_as_used) {
    index_->names_in_use[key] = count;
    index_->names_in_use[absl::AsciiStrToLower(unique)] = 1;
  }
  return unique;
}

const std::vector<CollectionItem>& Graph::collection(absl::string_view key) const {
  static const std::vector<CollectionItem>& empty = *new std::vector<CollectionItem>;
  auto it = index_->collections.find(key);
  return it == index_->collections.end() ? empty : it->second;
}

void Graph::AddToCollection(absl::string_view key, CollectionItem item) {
  if (item.node != nullptr) index_->collections[std::string(key)].push_back(item);
}

std::vector<std::string> Graph::collection_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, items] : index_->collections) keys.push_back(key);
  for (const auto& [key, items] : index_->variable_collections) keys.push_back(key);
  return keys;
}

Variable& Graph::AddVariable(Variable variable, absl::Span<const absl::string_view> collections) {
  variables_.push_back(std::move(variable));
  for (absl::string_view key : collections)
    index_->variable_collections[std::string(key)].push_back(&variables_.back());
  return variables_.back();
}

std::vector<const Variable*> Graph::variables(absl::string_view collection_key) const {
  auto it = index_->variable_collections.find(collection_key);
  return it == index_->variable_collections.end() ? std::vector<const Variable*>() : it->second;
}

const CustomGradient* Graph::FindCustomGradient(const Node& node) const {
  auto it = index_->custom_gradients.find(&node);
  return it == index_->custom_gradients.end() ? nullptr : &it->second;
}

void Graph::SetCustomGradient(const Node& node, CustomGradient gradient) {
  index_->custom_gradients[&node] = std::move(gradient);
}

const Variable* Graph::FindVariable(const Node* node) const {
  for (const Variable& variable : variables_) {
    if (variable.variable == node || variable.snapshot.node() == node) return &variable;
  }
  return nullptr;
}

ControlFlowContext* Graph::AdoptContext(std::unique_ptr<ControlFlowContext> context) {
  contexts_.push_back(std::move(context));
  return contexts_.back().get();
}

std::pair<int64_t, int64_t> Graph::OpSeeds(int64_t op_seed) {
  constexpr int64_t kMaxSeed = 0x7fffffff;
  const int64_t second = op_seed != 0 ? op_seed : num_nodes();
  const std::pair<int64_t, int64_t> seeds = {seed_ & kMaxSeed, second & kMaxSeed};
  // (0, 0) would mean "no seed" in a file.
  return seeds == std::make_pair(int64_t{0}, int64_t{0}) ? std::make_pair(int64_t{0}, kMaxSeed) : seeds;
}

NameScope::NameScope(Graph& g, absl::string_view name) : graph_(g), outer_(g.name_scope()) {
  if (!name.empty()) name_ = absl::StrCat(g.UniqueName(name), "/");
  g.set_name_scope(name_);
}

NameScope::~NameScope() { graph_.set_name_scope(outer_); }

ControlDependencies::ControlDependencies(Graph& g)
    : graph_(g), outer_(g.control_scopes()), outer_context_(g.context()) {
  g.control_scopes().push_back({.nodes = {}, .first_inside = g.num_nodes()});
}

ControlDependencies::ControlDependencies(Graph& g, Clear)
    : graph_(g), outer_(g.control_scopes()), outer_context_(g.context()) {
  g.control_scopes().clear();
  g.set_context(nullptr);
}

ControlDependencies::~ControlDependencies() {
  graph_.control_scopes() = std::move(outer_);
  graph_.set_context(outer_context_);
}

void ControlDependencies::Add(Operation operation) {
  if (operation.valid()) graph_.control_scopes().back().nodes.push_back(operation.node());
}

}  // namespace staticflow
