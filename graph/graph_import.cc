#include "graph/graph_import.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "graph/function_library.h"
#include "graph/graph_index.h"
#include "graph/node_attrs.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "graph/topological_order.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

constexpr absl::string_view kOutputShapes = "_output_shapes";
constexpr absl::string_view kColocation = "_class";
constexpr absl::string_view kColocationPrefix = "loc:@";

// Bytes of the tensors in an attribute.
int64_t TensorBytes(const AttrValue& value) {
  if (const Tensor* tensor = value.find<Tensor>()) return tensor->bytes();
  int64_t bytes = 0;
  if (const auto* list = value.find<std::vector<Tensor>>()) {
    for (const Tensor& tensor : *list) bytes = AddSizes(bytes, tensor.bytes());
  }
  return bytes;
}

}  // namespace

GraphImporter::GraphImporter(const proto::GraphDef& file, Graph& g, const ImportOptions& options)
    : file_(file), g_(g), options_(options), first_new_(g.num_nodes()) {
  if (!options.prefix.empty()) prefix_ = StrCat(absl::StripSuffix(options.prefix, "/"), "/");
  attr_limits_.max_list_length = options.limits.max_list_length;
  attr_limits_.tensor.max_bytes = options.limits.max_tensor_bytes;
  attr_limits_.tensor.max_bytes_without_values = options.limits.max_bytes_without_values;
}

absl::Status GraphImporter::Run() {
  absl::Status status = Import();
  if (!status.ok()) TakeBack();
  return status;
}

absl::Status GraphImporter::Import() {
  SF_RETURN_IF_ERROR(CheckVersions());
  SF_ASSIGN_OR_RETURN(std::string library,
                      AddToFunctionLibrary(g_.function_library(), file_.library(), options_.limits.max_function_depth));
  SF_RETURN_IF_ERROR(ReadNodes(library));
  SF_RETURN_IF_ERROR(ReadMap());
  for (Entry& entry : entries_) SF_RETURN_IF_ERROR(ReadEdges(entry));
  FindUncheckedAssignments();
  SF_ASSIGN_OR_RETURN(const std::vector<int> order, Order());
  for (int i : order) SF_RETURN_IF_ERROR(AddNode(entries_[i]));
  SF_RETURN_IF_ERROR(CloseLoops());
  old_library_ = std::exchange(g_.function_library(), std::move(library));
  return absl::OkStatus();
}

absl::Status GraphImporter::CheckVersions() const {
  const proto::VersionDef& versions = file_.versions();
  if (versions.min_consumer() > kGraphDefVersion) {
    return InvalidArgumentError(StrCat("the GraphDef asks for readers of version ", versions.min_consumer(),
                                       " or later, this one is of version ", kGraphDefVersion));
  }
  for (int bad : versions.bad_consumers()) {
    if (bad == kGraphDefVersion) {
      return InvalidArgumentError(StrCat("the GraphDef refuses readers of version ", bad, ", as this one is"));
    }
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::FindType(const std::string& library, Entry* entry) {
  const proto::NodeDef& def = *entry->def;
  entry->op = FindOp(def.op());
  if (entry->op != nullptr) return absl::OkStatus();
  if (functions_ == nullptr) functions_ = std::make_unique<FunctionBodies>(library);
  if (functions_->Contains(def.op())) {
    SF_ASSIGN_OR_RETURN(entry->function, functions_->Find(def.op()));
    entry->op = OpThatCalls(*entry->function);
  }
  if (entry->op != nullptr) return absl::OkStatus();
  return absl::NotFoundError(StrCat("there is no op of type '", def.op(), "'"));
}

absl::Status GraphImporter::ReadNodes(const std::string& library) {
  const ImportLimits& limits = options_.limits;
  if (file_.node_size() > limits.max_nodes) {
    return absl::ResourceExhaustedError(
        StrCat("the GraphDef has ", file_.node_size(), " nodes, at most ", limits.max_nodes, " are allowed"));
  }
  entries_.reserve(file_.node_size());
  for (const proto::NodeDef& def : file_.node()) {
    const std::string& name = def.name();
    if (static_cast<int64_t>(name.size()) > limits.max_name_length) {
      return absl::ResourceExhaustedError(
          StrCat("node '", name.substr(0, 40), "...': the name has ", name.size(), " characters"));
    }
    if (def.op().empty()) return InvalidArgumentError(StrCat("node '", name, "': the op type is missing"));
    if (!by_name_.try_emplace(name, static_cast<int>(entries_.size())).second) {
      return InvalidArgumentError(StrCat("node '", name, "': the name occurs twice"));
    }
    Entry entry{.def = &def};
    SF_RETURN_IF_ERROR(Annotate(FindType(library, &entry), StrCat("node '", name, "': ")));
    num_edges_ += def.input_size();
    if (def.input_size() > limits.max_inputs_per_node || num_edges_ > limits.max_edges) {
      return absl::ResourceExhaustedError(StrCat("node '", name, "': has ", def.input_size(), " inputs, at most ",
                                                 limits.max_inputs_per_node, " per node and ", limits.max_edges,
                                                 " in all are allowed"));
    }
    entries_.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::ReadMap() {
  for (const auto& [name, output] : options_.input_map) {
    if (!output.valid() || &output.graph() != &g_) {
      return InvalidArgumentError(StrCat("input_map: '", name, "' maps to no output of this graph"));
    }
    map_[absl::StrContains(name, ':') ? name : StrCat(name, ":0")] = output;
  }
  return absl::OkStatus();
}

absl::StatusOr<GraphImporter::Edge> GraphImporter::ReadEdge(absl::string_view input) const {
  Edge edge;
  absl::string_view name = input;
  if (!absl::ConsumePrefix(&name, "^")) {
    edge.output = 0;
    if (const size_t colon = name.rfind(':'); colon != absl::string_view::npos) {
      const absl::string_view index = name.substr(colon + 1);
      name = name.substr(0, colon);
      if (index.empty() || !absl::ascii_isdigit(index[0]) || !absl::SimpleAtoi(index, &edge.output)) {
        return InvalidArgumentError(StrCat("input '", input, "' has no output index after ':'"));
      }
    }
    if (auto mapped = map_.find(StrCat(name, ":", edge.output)); mapped != map_.end()) {
      edge.mapped = mapped->second;
      return edge;
    }
  }
  auto it = by_name_.find(name);
  if (it == by_name_.end()) return InvalidArgumentError(StrCat("input '", input, "' is no node of the GraphDef"));
  edge.source = it->second;
  return edge;
}

absl::Status GraphImporter::ReadEdges(Entry& entry) {
  entry.edges.reserve(entry.def->input_size());
  for (const std::string& input : entry.def->input()) {
    absl::StatusOr<Edge> edge = ReadEdge(input);
    if (!edge.ok()) return Annotate(edge.status(), StrCat("node '", entry.def->name(), "': "));
    const bool is_control = edge->output < 0;
    if (!is_control && !entry.edges.empty() && entry.edges.back().output < 0) {
      return InvalidArgumentError(
          StrCat("node '", entry.def->name(), "': input '", input, "' comes after a control input"));
    }
    edge->is_back_edge = !is_control && edge->source >= 0 && entry.op->is(OpRole::kMerge) &&
                         entries_[edge->source].op->is(OpRole::kNextIteration);
    entry.edges.push_back(*std::move(edge));
  }
  return absl::OkStatus();
}

// A topological order that keeps to the order of the file wherever the edges allow it.
absl::StatusOr<std::vector<int>> GraphImporter::Order() const {
  std::vector<std::vector<int>> needs(entries_.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    for (const Edge& edge : entries_[i].edges) {
      if (edge.source >= 0 && !edge.is_back_edge) needs[i].push_back(edge.source);
    }
  }
  OrderResult result = TopologicalOrder(needs);
  if (result.cycle.empty()) return std::move(result.order);
  std::vector<std::string> names;
  for (int i : result.cycle) names.push_back(StrCat("'", entries_[i].def->name(), "'"));
  const size_t length = names.size();
  names.resize(std::min<size_t>(length, 8));
  return InvalidArgumentError(StrCat("node ", names[0], ": ", length, " nodes in a cycle: ",
                                     absl::StrJoin(names, " -> "), names.size() < length ? " -> ..." : ""));
}

absl::StatusOr<AttrMap> GraphImporter::ReadAttrs(const Entry& entry) {
  const proto::NodeDef& def = *entry.def;
  SF_ASSIGN_OR_RETURN(AttrMap attrs, NodeAttrsFromProto(def, entry.function == nullptr ? entry.op : nullptr,
                                                        attr_limits_, options_.producer_ops));
  // The inputs would tell most types and numbers, but a file that leaves one out has lost something.
  for (const AttrDef& attr : entry.function == nullptr ? entry.op->attrs : std::vector<AttrDef>()) {
    if (attr.is_list || attrs.contains(attr.name)) continue;
    return InvalidArgumentError(StrCat("attribute '", attr.name, "' is missing"));
  }
  for (const auto& [name, value] : attrs) {
    if (value.is<AttrPlaceholder>()) {
      return InvalidArgumentError(StrCat("attribute '", name, "' is a placeholder, which only functions can have"));
    }
    constant_bytes_ = AddSizes(constant_bytes_, TensorBytes(value));
    if (constant_bytes_ > options_.limits.max_constant_bytes) {
      return absl::ResourceExhaustedError(
          StrCat("the constants take more than ", options_.limits.max_constant_bytes, " bytes"));
    }
  }
  auto colocation = attrs.find(kColocation);
  if (!prefix_.empty() && colocation != attrs.end() && colocation->second.is<std::vector<std::string>>()) {
    std::vector<std::string> groups = colocation->second.get<std::vector<std::string>>();
    for (std::string& group : groups) {
      absl::string_view name = group;
      if (absl::ConsumePrefix(&name, kColocationPrefix)) group = StrCat(kColocationPrefix, prefix_, name);
    }
    colocation->second = std::move(groups);
  }
  return attrs;
}

// A variable whose declared shape an assignment may replace (validate_shape false) has no shape that a graph could be
// planned with: readers see that of the present value.
void GraphImporter::FindUncheckedAssignments() {
  for (const Entry& entry : entries_) {
    const auto check = entry.def->attr().find("validate_shape");
    if (check == entry.def->attr().end() || check->second.value_case() != proto::AttrValue::kB || check->second.b()) {
      continue;
    }
    if (entry.op->inputs.empty() || !entry.op->inputs[0].is_ref || entry.edges.empty()) continue;
    const int source = entry.edges[0].source;
    if (source >= 0 && entries_[source].op->is(OpRole::kVariable)) entries_[source].takes_any_shape = true;
  }
}

absl::Status GraphImporter::ReadInputs(const Entry& entry, NodeDefinition* definition, std::vector<int>* missing,
                                       std::vector<DataType>* missing_types) const {
  for (const Edge& edge : entry.edges) {
    if (edge.output < 0) {
      definition->control_inputs.push_back(entries_[edge.source].node);
    } else if (edge.is_back_edge) {
      missing->push_back(static_cast<int>(definition->inputs.size()));
      const DataType* type = definition->attrs["T"].find<DataType>();
      missing_types->push_back(type == nullptr ? DT_INVALID : *type);
      definition->inputs.push_back(Output());
    } else if (edge.source < 0) {
      definition->inputs.push_back(edge.mapped);
    } else {
      Node* source = entries_[edge.source].node;
      if (edge.output >= source->num_outputs()) {
        return InvalidArgumentError(StrCat("input '", source->name(), ":", edge.output, "' does not exist, ",
                                           source->DebugName(), " has ", source->num_outputs(), " outputs"));
      }
      definition->inputs.push_back(source->output(edge.output));
    }
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::AddNode(Entry& entry) {
  const proto::NodeDef& def = *entry.def;
  NodeDefinition definition{.name = StrCat(prefix_, def.name()), .op = entry.op, .device = def.device()};
  const std::string place = StrCat(def.op(), " '", definition.name, "': ");
  absl::StatusOr<AttrMap> attrs = ReadAttrs(entry);
  if (!attrs.ok()) return Annotate(attrs.status(), place);
  definition.attrs = *std::move(attrs);
  if (entry.takes_any_shape) definition.attrs["shape"] = Shape::Unknown();
  std::vector<int> missing;
  std::vector<DataType> missing_types;
  SF_RETURN_IF_ERROR(Annotate(ReadInputs(entry, &definition, &missing, &missing_types), place));
  if (entry.function != nullptr) {
    std::vector<ArgType> inputs;
    for (Output input : definition.inputs) inputs.push_back({input.dtype(), input.is_ref()});
    absl::StatusOr<AttrMap> call = AttrsOfCall(*entry.function, std::move(definition.attrs), inputs);
    if (!call.ok()) return Annotate(call.status(), place);
    definition.attrs = *std::move(call);
  }
  const std::string key = absl::AsciiStrToLower(definition.name);
  const bool is_new_name = !g_.index_->names_in_use.contains(key);
  SF_ASSIGN_OR_RETURN(entry.node, g_.AddNodeWithBackEdge(std::move(definition), missing, missing_types));
  if (is_new_name) names_taken_.push_back(key);
  return MergeOutputShapes(*entry.node);
}

// Takes over what the writer of the file knew about shapes. Where that contradicts the op's shape function, the latter
// is right: TensorFlow's own contradict its kernels in places (the unused outputs of FusedBatchNormGradV3). Handles are
// scalars, whatever the file says: TensorFlow writes [2] for those of tensor arrays, also behind stacks and loops.
absl::Status GraphImporter::MergeOutputShapes(Node& node) const {
  auto it = node.attrs().find(kOutputShapes);
  if (it == node.attrs().end() || it->second.is<EmptyList>()) return absl::OkStatus();
  const auto* shapes = it->second.find<std::vector<Shape>>();
  if (shapes == nullptr || static_cast<int>(shapes->size()) != node.num_outputs()) {
    return InvalidArgumentError(StrCat(node.DebugName(), ": attribute '", kOutputShapes, "' is ", it->second.ToString(),
                                       ", expected ", node.num_outputs(), " shapes"));
  }
  for (int i = 0; i < node.num_outputs(); ++i) {
    if (node.output(i).dtype() != DT_RESOURCE) node.MergeOutputShape(i, (*shapes)[i]).IgnoreError();
  }
  return absl::OkStatus();
}

absl::Status GraphImporter::CloseLoops() {
  for (Entry& entry : entries_) {
    for (size_t i = 0; i < entry.edges.size(); ++i) {
      const Edge& edge = entry.edges[i];
      if (!edge.is_back_edge) continue;
      const Node& source = *entries_[edge.source].node;
      if (edge.output >= source.num_outputs()) {
        return InvalidArgumentError(
            StrCat(entry.node->DebugName(), ": input '", source.name(), ":", edge.output, "' does not exist"));
      }
      SF_RETURN_IF_ERROR(entry.node->ReplaceInput(static_cast<int>(i), source.output(edge.output)));
    }
  }
  return absl::OkStatus();
}

void GraphImporter::TakeBack() {
  while (g_.num_nodes() > first_new_) {
    g_.index_->by_name.erase(g_.nodes_.back()->name());
    g_.nodes_.pop_back();
  }
  for (const std::string& name : names_taken_) g_.index_->names_in_use.erase(name);
  if (old_library_.has_value()) g_.function_library() = *old_library_;
}

absl::Status ImportGraphDef(const proto::GraphDef& graph_def, Graph& g, const ImportOptions& options) {
  return GraphImporter(graph_def, g, options).Run();
}

}  // namespace staticflow
