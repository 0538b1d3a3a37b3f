#include "tests/op_test_program.h"

#include "absl/strings/str_cat.h"
#include "graph/node_builder.h"
#include "graph/op.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

NodeBuilder Source(Graph& g, absl::string_view type) { return {g, type, std::source_location::current()}; }

bool IsList(const ArgDef& arg) { return !arg.number_attr.empty() || !arg.type_list_attr.empty(); }

// How many of `num_inputs` inputs a list argument takes: what its attribute says, or its share of the rest.
int64_t ListLength(const Op& op, const ArgDef& arg, size_t num_inputs, const AttrMap& attrs) {
  if (auto it = attrs.find(arg.number_attr); it != attrs.end()) return it->second.get<int64_t>();
  if (auto it = attrs.find(arg.type_list_attr); it != attrs.end()) {
    return static_cast<int64_t>(it->second.get<std::vector<DataType>>().size());
  }
  int64_t lists = 0;
  for (const ArgDef& other : op.inputs) lists += IsList(other);
  const int64_t singles = static_cast<int64_t>(op.inputs.size()) - lists;
  return std::max<int64_t>(0, static_cast<int64_t>(num_inputs) - singles) / lists;
}

// The argument of each input; null for inputs beyond the last argument.
std::vector<const ArgDef*> ArgumentsOf(const OpCase& row) {
  std::vector<const ArgDef*> arguments;
  const Op* op = FindOp(row.op);
  if (op != nullptr) {
    for (const ArgDef& arg : op->inputs) {
      const int64_t count = IsList(arg) ? ListLength(*op, arg, row.inputs.size(), row.attrs) : 1;
      arguments.insert(arguments.end(), count, &arg);
    }
  }
  arguments.resize(row.inputs.size(), nullptr);
  return arguments;
}

bool IsVariable(const ArgDef* arg) { return arg != nullptr && (arg->is_ref || arg->dtype == DT_RESOURCE); }

Output MakeVariable(TestProgram& p, const Tensor& value, bool is_resource) {
  const Output initial = MakeConst(p.graph, value);
  const Output variable = Source(p.graph, is_resource ? "VarHandleOp" : "VariableV2")
                              .Attr("dtype", value.dtype())
                              .Attr("shape", value.shape())
                              .Build();
  p.initializers.push_back(NodeBuilder(is_resource ? "AssignVariableOp" : "Assign", {variable, initial}).BuildNode());
  p.variables.push_back(is_resource ? NodeBuilder("ReadVariableOp", {variable}).Attr("dtype", value.dtype()).Build()
                                    : variable);
  return variable;
}

Output MakePlaceholder(TestProgram& p, const Tensor& value, Known known) {
  Shape shape = value.shape();
  if (known == Known::kRanks) shape = Shape::UnknownOfRank(shape.rank());
  if (known == Known::kNothing) shape = Shape::Unknown();
  const Output source = Source(p.graph, OpWithRole(OpRole::kPlaceholder).name())
                            .Attr("dtype", value.dtype())
                            .Attr("shape", shape)
                            .Build();
  p.feeds.emplace_back(source, value);
  return source;
}

bool AllowsDouble(const Op& op, const std::string& attr) {
  const AttrDef* def = op.FindAttr(attr);
  return def != nullptr && (def->allowed_types == 0 || (def->allowed_types & TypeBit(DT_DOUBLE)) != 0);
}

Tensor ToDouble(const Tensor& tensor) {
  absl::StatusOr<Tensor> result = Tensor::Create(DT_DOUBLE, tensor.shape());
  SF_CHECK(result.ok());
  DispatchType<float, Half, BFloat16>(tensor.dtype(), [&]<typename E>() {
    for (int64_t i = 0; i < tensor.num_elements(); ++i) {
      result->data<double>()[i] = static_cast<float>(tensor.data<E>()[i]);
    }
  });
  return *result;
}

bool IsNarrowFloat(DataType dtype) { return IsFloating(dtype) && dtype != DT_DOUBLE; }

}  // namespace

std::string KnownName(Known known) {
  switch (known) {
    case Known::kStaticShapes:
      return "with static shapes";
    case Known::kRanks:
      return "with ranks only";
    case Known::kNothing:
      return "with unknown shapes";
    case Known::kValues:
      return "with constant inputs";
  }
  return "";
}

Output MakeConst(Graph& g, const Tensor& value) {
  return Source(g, OpWithRole(OpRole::kConst).name()).Attr("dtype", value.dtype()).Attr("value", value).Build();
}

void BuildProgram(const OpCase& row, Known known, bool copy_input, TestProgram& p) {
  const Op* op = FindOp(row.op);
  if (op == nullptr) return p.graph.RecordError(absl::NotFoundError(absl::StrCat("there is no op ", row.op)));
  const std::vector<const ArgDef*> arguments = ArgumentsOf(row);
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const Tensor& value = row.inputs[i];
    p.sources.push_back(IsVariable(arguments[i])  ? MakeVariable(p, value, !arguments[i]->is_ref)
                        : known == Known::kValues ? MakeConst(p.graph, value)
                                                  : MakePlaceholder(p, value, known));
  }
  std::vector<Output> operands = p.sources;
  if (copy_input) operands[0] = NodeBuilder("Mul", {operands[0], 1}).Build();

  NodeBuilder builder = Source(p.graph, row.op);
  size_t next = 0;
  for (const ArgDef& arg : op->inputs) {
    const size_t begin = next;
    while (next < operands.size() && arguments[next] == &arg) ++next;
    if (IsList(arg)) {
      builder.Inputs(absl::MakeConstSpan(operands).subspan(begin, next - begin));
    } else if (next > begin) {
      builder.Input(operands[begin]);
    }
  }
  for (; next < operands.size(); ++next) builder.Input(operands[next]);
  for (const auto& [name, value] : row.attrs) builder.Attr(name, value);
  p.node = builder.BuildNode();
  for (int i = 0; p.node != nullptr && i < p.node->num_outputs(); ++i) {
    if (p.node->output_dtype(i) != DT_RESOURCE) p.outputs.push_back(p.node->output(i));
  }
}

absl::StatusOr<std::vector<Tensor>> RunProgram(const TestProgram& p, absl::Span<const Output> fetches, int threads,
                                               std::vector<Tensor>* variables) {
  SF_RETURN_IF_ERROR(p.graph.status());
  SessionOptions options;
  options.threads = threads;
  Session session(p.graph, options);
  if (!p.initializers.empty()) SF_RETURN_IF_ERROR(session.Run({}, {}, p.initializers).status());
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> values,
                      session.Run(p.feeds, {fetches.begin(), fetches.end()}, {Operation(p.node)}));
  if (variables != nullptr && !p.variables.empty()) {
    SF_ASSIGN_OR_RETURN(*variables, session.Run({}, p.variables));
  }
  return values;
}

bool CanCopyInput(const OpCase& row) {
  const Op* mul = FindOp("Mul");
  if (mul == nullptr || row.inputs.empty() || IsVariable(ArgumentsOf(row)[0])) return false;
  const AttrDef* types = mul->FindAttr("T");
  return types->allowed_types == 0 || (types->allowed_types & TypeBit(row.inputs[0].dtype())) != 0;
}

bool TakesVariables(const OpCase& row) {
  const std::vector<const ArgDef*> arguments = ArgumentsOf(row);
  return std::any_of(arguments.begin(), arguments.end(), IsVariable);
}

OpCase InDouble(const OpCase& row) {
  OpCase result = row;
  const Op* op = FindOp(row.op);
  if (op == nullptr) return result;
  const std::vector<const ArgDef*> arguments = ArgumentsOf(row);
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const ArgDef* arg = arguments[i];
    if (arg == nullptr || !IsNarrowFloat(row.inputs[i].dtype())) continue;
    if (AllowsDouble(*op, arg->type_attr) || AllowsDouble(*op, arg->type_list_attr)) {
      result.inputs[i] = ToDouble(row.inputs[i]);
    }
  }
  for (auto& [name, value] : result.attrs) {
    const DataType* type = value.find<DataType>();
    if (type != nullptr && IsNarrowFloat(*type) && AllowsDouble(*op, name)) value = DT_DOUBLE;
    if (const auto* types = value.find<std::vector<DataType>>(); types != nullptr && AllowsDouble(*op, name)) {
      std::vector<DataType> wide = *types;
      for (DataType& t : wide) t = IsNarrowFloat(t) ? DT_DOUBLE : t;
      value = wide;
    }
  }
  return result;
}

}  // namespace staticflow
