#include "graph/function_body.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "graph/node_attrs.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "graph/topological_order.h"

namespace staticflow {
namespace {

using absl::InvalidArgumentError;
using absl::StrCat;

absl::StatusOr<AttrDef> ReadAttrDef(const proto::OpDef::AttrDef& message) {
  AttrDef attr;
  attr.name = message.name();
  absl::string_view kind = message.type();
  if (absl::ConsumePrefix(&kind, "list(") && absl::ConsumeSuffix(&kind, ")")) attr.is_list = true;
  int k = 0;
  constexpr int kLastKind = static_cast<int>(AttrKind::kFunction);
  while (k <= kLastKind && AttrKindName(static_cast<AttrKind>(k)) != kind) ++k;
  if (k > kLastKind) return InvalidArgumentError(StrCat("attribute '", attr.name, "' has type '", message.type(), "'"));
  attr.kind = static_cast<AttrKind>(k);
  if (message.has_default_value()) {
    SF_ASSIGN_OR_RETURN(attr.default_value, AttrFromProto(message.default_value()));
  }
  if (message.has_minimum()) attr.minimum = message.minimum();
  for (int type : message.allowed_values().list().type()) {
    if (type > 0 && type < 64) attr.allowed_types |= TypeBit(static_cast<DataType>(type));
  }
  for (const std::string& text : message.allowed_values().list().s()) attr.allowed_strings.push_back(text);
  return attr;
}

absl::StatusOr<ArgDef> ReadArg(const proto::OpDef::ArgDef& message, const Op& signature) {
  const auto has_attr = [&](const std::string& name, AttrKind kind, bool is_list) {
    const AttrDef* attr = signature.FindAttr(name);
    return name.empty() || (attr != nullptr && attr->kind == kind && attr->is_list == is_list);
  };
  ArgDef arg{.name = message.name(),
             .dtype = static_cast<DataType>(message.type()),
             .type_attr = message.type_attr(),
             .number_attr = message.number_attr(),
             .type_list_attr = message.type_list_attr(),
             .is_ref = message.is_ref()};
  const int types = (arg.dtype != DT_INVALID) + !arg.type_attr.empty() + !arg.type_list_attr.empty();
  const bool known_type = arg.dtype == DT_INVALID || DataTypeFromProto(message.type()).ok();
  if (types != 1 || !known_type || (!arg.number_attr.empty() && !arg.type_list_attr.empty()) ||
      !has_attr(arg.type_attr, AttrKind::kType, false) || !has_attr(arg.number_attr, AttrKind::kInt, false) ||
      !has_attr(arg.type_list_attr, AttrKind::kType, true)) {
    return InvalidArgumentError(StrCat("argument '", arg.name, "' has no type, or an attribute that is missing"));
  }
  return arg;
}

absl::StatusOr<Op> ReadSignature(const proto::OpDef& message) {
  Op op;
  op.spec.name = message.name();
  for (const proto::OpDef::AttrDef& attr : message.attr()) {
    SF_ASSIGN_OR_RETURN(op.attrs.emplace_back(), ReadAttrDef(attr));
  }
  for (const proto::OpDef::ArgDef& arg : message.input_arg()) {
    SF_ASSIGN_OR_RETURN(op.inputs.emplace_back(), ReadArg(arg, op));
  }
  for (const proto::OpDef::ArgDef& arg : message.output_arg()) {
    SF_ASSIGN_OR_RETURN(op.outputs.emplace_back(), ReadArg(arg, op));
  }
  return op;
}

// Reads one FunctionDef.
class FunctionReader {
 public:
  explicit FunctionReader(const proto::FunctionDef& file) : file_(file) {}

  absl::StatusOr<FunctionBody> Read();

 private:
  absl::Status NameEverything();
  absl::StatusOr<BodySource> ReadSource(absl::string_view text) const;
  absl::StatusOr<BodyNode> ReadNode(const proto::NodeDef& def) const;
  absl::Status ReadResults();
  // Puts the nodes into running order.
  absl::Status SortNodes();

  const proto::FunctionDef& file_;
  FunctionBody body_;
  absl::flat_hash_map<absl::string_view, BodySource> names_;  // of arguments and nodes
};

absl::Status FunctionReader::NameEverything() {
  for (int i = 0; i < file_.signature().input_arg_size(); ++i) {
    const std::string& name = file_.signature().input_arg(i).name();
    if (!names_.try_emplace(name, BodySource{.argument = i}).second) {
      return InvalidArgumentError(StrCat("two arguments are named '", name, "'"));
    }
  }
  for (int i = 0; i < file_.node_def_size(); ++i) {
    const std::string& name = file_.node_def(i).name();
    if (name.empty() || !names_.try_emplace(name, BodySource{.node = i}).second) {
      return InvalidArgumentError(StrCat("node '", name, "': the name is empty or occurs twice"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<BodySource> FunctionReader::ReadSource(absl::string_view text) const {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  const auto it = names_.find(parts[0]);
  if (it == names_.end()) return InvalidArgumentError(StrCat("'", text, "' is no argument and no node of the body"));
  BodySource source = it->second;
  size_t next = 1;
  if (source.node >= 0) {
    if (parts.size() < 2) return InvalidArgumentError(StrCat("'", text, "' names no output of the node"));
    source.output = std::string(parts[next++]);
  }
  if (next == parts.size()) return source;
  if (next + 1 < parts.size() || !absl::SimpleAtoi(parts[next], &source.element) || source.element < 0) {
    return InvalidArgumentError(StrCat("'", text, "' is no way to name a value of the body"));
  }
  return source;
}

absl::StatusOr<BodyNode> FunctionReader::ReadNode(const proto::NodeDef& def) const {
  BodyNode node{.name = def.name(), .type = def.op(), .op = FindOp(def.op()), .device = def.device()};
  SF_ASSIGN_OR_RETURN(node.attrs, NodeAttrsFromProto(def, node.op));
  // The groups of a body are not those of the graph.
  node.attrs.erase("_class");
  bool after_control = false;
  for (absl::string_view input : def.input()) {
    if (!absl::ConsumePrefix(&input, "^")) {
      if (after_control) return InvalidArgumentError(StrCat("input '", input, "' comes after a control input"));
      SF_ASSIGN_OR_RETURN(node.inputs.emplace_back(), ReadSource(input));
      continue;
    }
    after_control = true;
    const auto it = names_.find(input);
    if (it == names_.end()) return InvalidArgumentError(StrCat("'^", input, "' is no argument and no node"));
    (it->second.node >= 0 ? node.control_nodes : node.control_arguments)
        .push_back(std::max(it->second.node, it->second.argument));
  }
  return node;
}

absl::Status FunctionReader::ReadResults() {
  for (const ArgDef& output : body_.signature.outputs) {
    const auto it = file_.ret().find(output.name);
    if (it == file_.ret().end()) return InvalidArgumentError(StrCat("nothing is returned as '", output.name, "'"));
    absl::StatusOr<BodySource> source = ReadSource(it->second);
    if (!source.ok()) return Annotate(source.status(), StrCat("result '", output.name, "': "));
    body_.results.push_back(*std::move(source));
  }
  for (const auto& [name, node] : file_.control_ret()) {
    const auto it = names_.find(node);
    if (it == names_.end() || it->second.node < 0) {
      return InvalidArgumentError(StrCat("control output '", name, "': there is no node '", node, "'"));
    }
    body_.control_results.push_back(it->second.node);
  }
  std::sort(body_.control_results.begin(), body_.control_results.end());
  body_.control_results.erase(std::unique(body_.control_results.begin(), body_.control_results.end()),
                              body_.control_results.end());
  return absl::OkStatus();
}

absl::Status FunctionReader::SortNodes() {
  const auto plays = [&](int node, OpRole role) {
    return body_.nodes[node].op != nullptr && body_.nodes[node].op->is(role);
  };
  const int n = static_cast<int>(body_.nodes.size());
  std::vector<std::vector<int>> needs(n);
  for (int i = 0; i < n; ++i) {
    needs[i] = body_.nodes[i].control_nodes;
    for (const BodySource& input : body_.nodes[i].inputs) {
      const bool leads_back = input.node >= 0 && plays(i, OpRole::kMerge) && plays(input.node, OpRole::kNextIteration);
      if (input.node >= 0 && !leads_back) needs[i].push_back(input.node);
    }
  }
  const OrderResult result = TopologicalOrder(needs);
  if (!result.cycle.empty()) {
    std::vector<std::string> names;
    for (size_t i = 0; i < std::min<size_t>(result.cycle.size(), 8); ++i) {
      names.push_back(StrCat("'", body_.nodes[result.cycle[i]].name, "'"));
    }
    return InvalidArgumentError(
        StrCat("node ", names[0], ": ", result.cycle.size(), " nodes in a cycle: ", absl::StrJoin(names, " -> ")));
  }
  std::vector<int> position(n);
  std::vector<BodyNode> sorted;
  for (int i : result.order) {
    position[i] = static_cast<int>(sorted.size());
    sorted.push_back(std::move(body_.nodes[i]));
  }
  body_.nodes = std::move(sorted);
  const auto move = [&](BodySource& source) {
    if (source.node >= 0) source.node = position[source.node];
  };
  for (BodyNode& node : body_.nodes) {
    for (BodySource& input : node.inputs) move(input);
    for (int& control : node.control_nodes) control = position[control];
  }
  for (BodySource& result_source : body_.results) move(result_source);
  for (int& control : body_.control_results) control = position[control];
  return absl::OkStatus();
}

absl::StatusOr<FunctionBody> FunctionReader::Read() {
  body_.is_stateful = file_.signature().is_stateful();
  SF_ASSIGN_OR_RETURN(body_.signature, ReadSignature(file_.signature()));
  SF_RETURN_IF_ERROR(NameEverything());
  for (const proto::NodeDef& def : file_.node_def()) {
    absl::StatusOr<BodyNode> node = ReadNode(def);
    if (!node.ok()) return Annotate(node.status(), StrCat("node '", def.name(), "': "));
    body_.nodes.push_back(*std::move(node));
  }
  SF_RETURN_IF_ERROR(ReadResults());
  SF_RETURN_IF_ERROR(SortNodes());
  return std::move(body_);
}

}  // namespace

absl::StatusOr<FunctionBody> ReadFunction(const proto::FunctionDef& function) {
  return FunctionReader(function).Read();
}

FunctionBodies::FunctionBodies(absl::string_view library)
    : status_(ParseMessage(library, "FunctionDefLibrary", &library_)) {
  for (const proto::FunctionDef& function : library_.function()) by_name_[function.signature().name()] = &function;
  for (const proto::GradientDef& gradient : library_.gradient()) {
    gradient_of_[gradient.function_name()] = gradient.gradient_func();
  }
}

std::string FunctionBodies::GradientOf(absl::string_view name) const {
  const auto it = gradient_of_.find(name);
  return it == gradient_of_.end() ? "" : it->second;
}

absl::StatusOr<const FunctionBody*> FunctionBodies::Find(absl::string_view name) {
  SF_RETURN_IF_ERROR(status_);
  const auto function = by_name_.find(name);
  if (function == by_name_.end()) return absl::NotFoundError(StrCat("the library has no function '", name, "'"));
  std::unique_ptr<FunctionBody>& body = read_[function->first];
  if (body == nullptr) {
    absl::StatusOr<FunctionBody> read = ReadFunction(*function->second);
    if (!read.ok()) return Annotate(read.status(), StrCat("function '", name, "': "));
    body = std::make_unique<FunctionBody>(*std::move(read));
  }
  return body.get();
}

const Op* OpThatCalls(const FunctionBody& function) {
  for (const Op* op : AllOps()) {
    const bool calls_it = op->is(OpRole::kCall) && op->FindAttr("executor_type") != nullptr;
    if (calls_it && op->has(kStateful) == function.is_stateful) return op;
  }
  return nullptr;
}

absl::StatusOr<AttrMap> AttrsOfCall(const FunctionBody& function, AttrMap attrs, absl::Span<const ArgType> inputs) {
  auto of_function = std::make_shared<AttrMap>();
  AttrMap of_node;
  for (auto& [name, value] : attrs) (absl::StartsWith(name, "_") ? of_node : *of_function)[name] = std::move(value);
  SF_RETURN_IF_ERROR(InferAttrs(function.signature, inputs, of_function.get()));
  SF_RETURN_IF_ERROR(CheckAttrs(function.signature, of_function.get()));
  SF_ASSIGN_OR_RETURN(const std::vector<ArgType> outputs, ExpandArgs(function.signature.outputs, *of_function));
  std::vector<DataType> types;
  for (const ArgType& output : outputs) types.push_back(output.dtype);
  FunctionRef reference{.name = function.signature.name(), .attrs = nullptr};
  if (!of_function->empty()) reference.attrs = std::move(of_function);
  of_node["f"] = std::move(reference);
  of_node["Tout"] = std::move(types);
  return of_node;
}

}  // namespace staticflow
