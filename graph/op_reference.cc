#include "graph/op_reference.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "graph/op_sample.h"
#include "graph/shape_inference.h"

namespace staticflow {
namespace {

bool Allows(DataTypeSet types, DataType type) { return types == 0 || (types & TypeBit(type)) != 0; }

// A node of an op with unknown inputs, in a graph of its own.
class UnknownNode {
 public:
  UnknownNode(const Op& op, int rank) {
    const OpSample sample = SampleOp(op, rank);
    std::vector<Output> operands;
    for (const OpSample::Input& input : sample.inputs) operands.push_back(Source(input));
    node_ = BuildSample(op, sample, operands, graph_);
  }
  Node* node() const { return node_; }
  Graph& graph() { return graph_; }
  const std::vector<Output>& floating_inputs() const { return floating_inputs_; }

 private:
  Output Source(const OpSample::Input& input) {
    const OpRole role = input.argument->is_ref ? OpRole::kVariable : OpRole::kPlaceholder;
    const Output source = NodeBuilder(graph_, OpWithRole(role).name(), std::source_location::current())
                              .Attr("dtype", input.dtype)
                              .Attr("shape", Shape::Unknown())
                              .Build();
    if (IsFloating(input.dtype)) floating_inputs_.push_back(source);
    return source;
  }

  Graph graph_;
  Node* node_ = nullptr;
  std::vector<Output> floating_inputs_;
};

std::vector<Output> FloatingOutputs(const Node& node) {
  std::vector<Output> outputs;
  for (int i = 0; i < node.num_outputs(); ++i) {
    if (IsFloating(node.output_dtype(i))) outputs.push_back(node.output(i));
  }
  return outputs;
}

bool GivesFloats(const Op& op) {
  return std::any_of(op.outputs.begin(), op.outputs.end(), [&](const ArgDef& arg) {
    if (arg.type_attr.empty()) return IsFloating(arg.dtype) || !arg.type_list_attr.empty();
    const DataTypeSet types = op.FindAttr(arg.type_attr)->allowed_types;
    return Allows(types, DT_FLOAT) || Allows(types, DT_DOUBLE) || Allows(types, DT_HALF);
  });
}

std::string WhyNone(const Op& op) {
  if (op.outputs.empty()) return "it has no outputs";
  if (!GivesFloats(op)) return "its results are no floating numbers";
  if (op.inputs.empty()) return "it has no inputs";
  if (op.spec.gradient == kGradientIsError) return "an error: nothing sensible flows through it alone";
  if (op.has(kStateful)) return "it has effects or reads what steps change";
  if (op.has(kShapeOnly)) return "its result depends on shapes alone";
  return "its result does not change smoothly with its inputs";
}

// The op types of a graph that forbid to differentiate through them.
std::string Forbidding(const Graph& g) {
  std::vector<std::string> types;
  for (const auto& node : g.nodes()) {
    if (node->op().spec.gradient == kGradientIsError) types.push_back(node->type());
  }
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return absl::StrJoin(types, ", ");
}

std::string Types(const AttrDef& attr) {
  constexpr DataType kOrder[] = {DT_FLOAT, DT_DOUBLE, DT_HALF,      DT_BFLOAT16,   DT_INT8,     DT_INT16,
                                 DT_INT32, DT_INT64,  DT_UINT8,     DT_UINT16,     DT_UINT32,   DT_UINT64,
                                 DT_BOOL,  DT_STRING, DT_COMPLEX64, DT_COMPLEX128, DT_RESOURCE, DT_VARIANT};
  std::vector<absl::string_view> names;
  for (DataType type : kOrder) {
    if (Allows(attr.allowed_types, type)) names.push_back(DataTypeName(type));
  }
  return attr.allowed_types == 0 ? "any type" : absl::StrJoin(names, ", ");
}

std::string Attrs(const Op& op) {
  std::vector<std::string> texts;
  for (const AttrDef& attr : op.attrs) {
    std::string text = absl::StrCat("`", attr.name, "`: ", attr.is_list ? "list of " : "",
                                    attr.kind == AttrKind::kType ? Types(attr) : std::string(AttrKindName(attr.kind)));
    if (!attr.allowed_strings.empty()) absl::StrAppend(&text, " ", absl::StrJoin(attr.allowed_strings, "/"));
    if (attr.default_value.has_value()) absl::StrAppend(&text, " = ", attr.default_value->ToString());
    texts.push_back(std::move(text));
  }
  return absl::StrJoin(texts, "<br>");
}

absl::string_view ShapeRule(const Op& op) {
  if (op.outputs.empty()) return "";
  if (op.spec.shape == SameShape) return "that of the first input";
  if (op.spec.shape == BroadcastShape) return "both inputs broadcast";
  if (op.spec.shape == ScalarShape) return "scalar";
  if (op.spec.shape == AnyShape) return "known when it has run";
  return "inferred";
}

std::string Gradient(const Op& op) {
  const Differentiability found = FindDifferentiability(op);
  switch (found.order) {
    case Differentiability::kTwice:
      return "twice";
    case Differentiability::kOnce:
      return found.why.empty() ? "yes" : absl::StrCat("once; none through ", found.why);
    case Differentiability::kNone:
      return absl::StrCat("none: ", found.why);
  }
  return "";
}

std::string Arguments(const std::vector<std::string>& arguments) { return absl::StrJoin(arguments, ", "); }

std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}}); }

}  // namespace

Differentiability FindDifferentiability(const Op& op) {
  const GradientFunction gradient = op.spec.gradient;
  if (gradient == kNotDifferentiable || gradient == kGradientIsError) return {Differentiability::kNone, WhyNone(op)};
  for (int rank : {4, 5, 3, 2, 1, 0}) {
    UnknownNode sample(op, rank);
    if (sample.node() == nullptr) continue;
    const std::vector<Output> ys = FloatingOutputs(*sample.node());
    if (ys.empty() || sample.floating_inputs().empty()) return {Differentiability::kOnce, ""};
    std::vector<Output> first = Gradients(ys, sample.floating_inputs());
    if (!sample.graph().status().ok()) continue;
    std::erase_if(first, [](Output o) { return !o.valid(); });
    if (!first.empty()) Gradients(first, sample.floating_inputs());
    if (sample.graph().status().ok()) return {Differentiability::kTwice, ""};
    return {Differentiability::kOnce, Forbidding(sample.graph())};
  }
  return {Differentiability::kOnce, ""};
}

std::string OpReference() {
  const std::vector<const Op*> ops = AllOps();
  int differentiable = 0;
  std::string rows;
  for (const Op* op : ops) {
    const GradientFunction gradient = op->spec.gradient;
    differentiable += gradient != kNotDifferentiable && gradient != kGradientIsError;
    absl::StrAppend(&rows, "| `", op->name(), "` | ", Cell(Arguments(op->spec.inputs)), " | ",
                    Cell(Arguments(op->spec.outputs)), " | ", Cell(Attrs(*op)), " | ", ShapeRule(*op), " | ",
                    Cell(Gradient(*op)), " | ", Cell(op->spec.doc), " |\n");
  }
  return absl::StrCat(
      "# Ops\n\nMade from the registry: `bazel run //tools:ops_page > docs/ops.md`. Names, arguments, attributes and "
      "defaults are\nTensorFlow's; types are those that the kernel computes. \"twice\" means that the gradient can be "
      "differentiated again, \"yes\"\nthat it goes through handles, variables or lists.\n\n",
      ops.size(), " op types, ", differentiable, " of them differentiable.\n\n",
      "| op | inputs | outputs | attributes | shape | gradient | what it does |\n|---|---|---|---|---|---|---|\n",
      rows);
}

}  // namespace staticflow
