#include "graph/node_builder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/control_flow.h"
#include "graph/signature.h"
#include "graph/source_line.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// A scalar of `dtype` for a number in the source; null when it has no number type.
absl::StatusOr<Tensor> NumberAs(DataType dtype, double number) {
  SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(dtype, {}));
  const bool known =
      DispatchType<float, double, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
          dtype, [&]<typename T>() { *tensor.data<T>() = static_cast<T>(number); }) ||
      DispatchType<Half, BFloat16>(dtype, [&]<typename T>() { *tensor.data<T>() = T(static_cast<float>(number)); });
  if (!known) return absl::InvalidArgumentError(absl::StrCat("a number cannot become ", DataTypeName(dtype)));
  return tensor;
}

}  // namespace

NodeBuilder::NodeBuilder(Graph& g, absl::string_view type, Where where)
    : graph_(&g), type_(type), op_(FindOp(type)), line_(LineOf(where)), has_line_(true) {}

NodeBuilder::NodeBuilder(absl::string_view type, std::initializer_list<Operand> operands)
    : type_(type), op_(FindOp(type)) {
  for (const Operand& operand : operands) Input(operand);
}

void NodeBuilder::TakeGraph(const Operand& operand) {
  if (!has_line_) {
    line_ = LineOf(operand.where());
    has_line_ = true;
  }
  if (graph_ == nullptr && operand.output().valid()) graph_ = &operand.output().graph();
}

NodeBuilder& NodeBuilder::Input(const Operand& operand) {
  TakeGraph(operand);
  arguments_.push_back({.operands = {operand}, .is_list = false});
  return *this;
}

NodeBuilder& NodeBuilder::Inputs(absl::Span<const Output> operands) {
  Argument argument{.operands = {}, .is_list = true};
  for (Output output : operands) {
    if (graph_ == nullptr && output.valid()) graph_ = &output.graph();
    argument.operands.push_back(Operand(output));
  }
  arguments_.push_back(std::move(argument));
  return *this;
}

NodeBuilder& NodeBuilder::ControlInput(Operation operation) {
  if (operation.valid()) control_inputs_.push_back(operation.node());
  return *this;
}

NodeBuilder& NodeBuilder::Attr(absl::string_view name, AttrValue value) {
  attrs_[std::string(name)] = std::move(value);
  return *this;
}

NodeBuilder& NodeBuilder::Name(absl::string_view name, absl::string_view fallback) {
  name_ = std::string(name.empty() ? fallback : name);
  return *this;
}

NodeBuilder& NodeBuilder::Line(const SourceLine& line) {
  line_ = line;
  has_line_ = true;
  return *this;
}

Node* NodeBuilder::Fail(absl::string_view message) {
  std::string where = has_line_ && !line_.file.empty() ? absl::StrCat(" (", line_.file, ":", line_.line, ")") : "";
  const std::string name = name_.empty() ? type_ : name_;
  graph_->RecordError(
      absl::InvalidArgumentError(absl::StrCat(type_, " '", graph_->name_scope(), name, "'", where, ": ", message)));
  return nullptr;
}

bool NodeBuilder::Check() {
  if (graph_ == nullptr) return false;
  if (graph_->line_override().has_value()) line_ = *graph_->line_override();
  for (const Argument& argument : arguments_) {
    for (const Operand& operand : argument.operands) {
      if (operand.is_number()) continue;
      if (!operand.output().valid()) {
        // An operand that an earlier mistake left invalid was reported there.
        if (graph_->status().ok()) Fail("an operand is no output of any node");
        return false;
      }
      if (&operand.output().graph() != graph_) {
        Fail(absl::StrCat("operand '", operand.output().name(), "' is of another graph"));
        operand.output().graph().RecordError(graph_->status());
        return false;
      }
    }
  }
  if (op_ == nullptr) {
    Fail("there is no such op");
    return false;
  }
  if (arguments_.size() != op_->inputs.size()) {
    Fail(absl::StrCat("got ", arguments_.size(), " arguments, expected ", op_->inputs.size()));
    return false;
  }
  return true;
}

DataType NodeBuilder::TypeOfNumber(int i) const {
  const ArgDef& arg = op_->inputs[i];
  if (arg.dtype != DT_INVALID) return arg.dtype;
  if (auto it = attrs_.find(arg.type_attr); it != attrs_.end() && it->second.is<DataType>()) {
    return it->second.get<DataType>();
  }
  for (size_t k = 0; k < arguments_.size(); ++k) {
    if (arg.type_attr.empty() || op_->inputs[k].type_attr != arg.type_attr) continue;
    for (const Operand& other : arguments_[k].operands) {
      if (!other.is_number()) return other.output().dtype();
    }
  }
  const AttrDef* attr = op_->FindAttr(arg.type_attr);
  if (attr != nullptr && attr->default_value.has_value()) return attr->default_value->get<DataType>();
  const bool takes_float =
      attr == nullptr || attr->allowed_types == 0 || (attr->allowed_types & TypeBit(DT_FLOAT)) != 0;
  return takes_float ? DT_FLOAT : DT_INT32;
}

Output NodeBuilder::MakeConst(const Operand& number, int argument, const std::string& node_name) {
  absl::StatusOr<Tensor> value = NumberAs(TypeOfNumber(argument), number.number());
  if (!value.ok()) {
    Fail(value.status().message());
    return Output();
  }
  NodeDefinition definition{.name = graph_->UniqueName(absl::StrCat(node_name, "/", op_->inputs[argument].name, "/")),
                            .op = &OpWithRole(OpRole::kConst),
                            .attrs = {{"dtype", value->dtype()}, {"value", *value}},
                            .where = line_};
  ApplyScopes(definition);
  absl::StatusOr<Node*> node = graph_->AddNode(std::move(definition));
  if (!node.ok()) {
    graph_->RecordError(node.status());
    return Output();
  }
  (*node)->set_context(graph_->context());
  if (graph_->context() != nullptr) graph_->context()->Added(*node);
  return (*node)->output(0);
}

void NodeBuilder::ApplyScopes(NodeDefinition& definition) {
  ControlFlowContext* context = graph_->context();
  for (const Graph::ControlScope& scope : graph_->control_scopes()) {
    const bool waits_already = std::any_of(definition.inputs.begin(), definition.inputs.end(), [&](Output input) {
      return input.valid() && input.node()->id() >= scope.first_inside;
    });
    if (waits_already) continue;
    for (Node* node : scope.nodes) {
      const bool is_input = std::any_of(definition.inputs.begin(), definition.inputs.end(),
                                        [&](Output input) { return input.node() == node; });
      if (!is_input) definition.control_inputs.push_back(node);
    }
  }
  if (context == nullptr) return;
  // A Switch made on the way is named after the node that needs it: "cond/add/Switch".
  NameScope scope(*graph_, absl::StrCat(definition.name, "/"));
  context->Complete(definition);
}

Node* NodeBuilder::BuildNode() {
  if (!Check()) return nullptr;
  const std::string name = graph_->UniqueName(name_.empty() ? type_ : name_);
  NodeDefinition definition{
      .name = name, .op = op_, .control_inputs = control_inputs_, .attrs = attrs_, .where = line_};
  for (size_t i = 0; i < arguments_.size(); ++i) {
    for (const Operand& operand : arguments_[i].operands) {
      Output output = operand.output();
      if (operand.is_number()) output = MakeConst(operand, static_cast<int>(i), name);
      if (!output.valid()) return nullptr;
      definition.inputs.push_back(output);
    }
  }
  ApplyScopes(definition);
  if (std::any_of(definition.inputs.begin(), definition.inputs.end(), [](Output o) { return !o.valid(); })) {
    return nullptr;
  }
  absl::StatusOr<Node*> node = graph_->AddNode(std::move(definition));
  if (!node.ok()) {
    graph_->RecordError(node.status());
    return nullptr;
  }
  (*node)->set_context(graph_->context());
  if (graph_->context() != nullptr) graph_->context()->Added(*node);
  return *node;
}

Output NodeBuilder::Build() {
  Node* node = BuildNode();
  return node == nullptr || node->num_outputs() == 0 ? Output() : node->output(0);
}

}  // namespace staticflow
