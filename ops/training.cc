#include "absl/strings/match.h"
#include "ops/update_rule.h"

namespace staticflow {

int GradientInput(const Node& node) {
  const std::vector<ArgDef>& args = node.op().inputs;
  const auto it = std::find_if(args.begin(), args.end(),
                               [](const ArgDef& arg) { return arg.name == "grad" || arg.name == "delta"; });
  return static_cast<int>(it - args.begin());
}

absl::Status UpdateRuleShape(ShapeContext& c) {
  const int gradient = GradientInput(c.node());
  Shape shape = c.input(gradient);
  for (int i = 0; i < c.num_inputs(); ++i) {
    const Output input = c.node().input(i);
    if (input.valid() && (c.node().op().inputs[i].is_ref || input.dtype() == DT_RESOURCE)) {
      const Shape variable = VariableShapeBehind(c, i);
      absl::StatusOr<Shape> merged = shape.MergeWith(variable);
      if (!merged.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(c.node().op().inputs[i].name, " has shape ", variable.ToString(),
                                                       ", but ", shape.ToString(), " is expected"));
      }
      shape = *std::move(merged);
    } else if (i != gradient) {
      SF_RETURN_IF_ERROR(Annotate(c.WithRank(i, 0).status(), absl::StrCat(c.node().op().inputs[i].name, ": ")));
    }
  }
  if (c.num_outputs() > 0) c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::Status CheckUpdate(KernelContext& c, int num_variables, int gradient, VariableSlot** slots) {
  for (int k = 0; k < num_variables; ++k) {
    SF_ASSIGN_OR_RETURN(slots[k], InitializedVariable(c, k));
    SF_RETURN_IF_ERROR(CheckSameShape(*slots[k], c.input(gradient)));
    if (slots[k]->dtype != c.input(gradient).dtype) {
      return absl::InvalidArgumentError(absl::StrCat("variable ", slots[k]->name, " is ", DataTypeName(slots[k]->dtype),
                                                     ", the gradient ", DataTypeName(c.input(gradient).dtype)));
    }
  }
  for (int i = num_variables; i < c.num_inputs(); ++i) {
    if (i != gradient && c.input(i).num_elements != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", i, " has shape ", c.input(i).shape->ToString(), ", expected a scalar"));
    }
  }
  return absl::OkStatus();
}

bool RuleFlag(const Node& node) {
  for (const AttrDef& attr : node.op().attrs) {
    if (attr.kind == AttrKind::kBool && attr.name != "use_locking") return node.attr<bool>(attr.name);
  }
  return false;
}

OpSpec RuleSpec(const RuleSignature& signature, bool is_resource, KernelSource kernel, LoopFunction loop) {
  OpSpec spec = {.name = absl::StrCat(is_resource ? "ResourceApply" : "Apply", signature.name),
                 .attrs = {"T: floattype", "use_locking: bool = false"},
                 .shape = UpdateRuleShape,
                 .gradient = kGradientIsError,
                 .kernel = kernel,
                 .traits = kStateful,
                 .loop = loop,
                 .doc = signature.doc};
  for (const std::string& name : signature.variables) {
    spec.access.push_back({static_cast<int>(spec.inputs.size()), Access::kUpdate});
    spec.inputs.push_back(absl::StrCat(name, is_resource ? ": resource" : ": Ref(T)"));
  }
  for (const std::string& name : signature.arguments) {
    spec.inputs.push_back(absl::StrContains(name, ':') ? name : absl::StrCat(name, ": T"));
  }
  if (!signature.flag.empty()) spec.attrs.push_back(signature.flag);
  if (!is_resource) {
    spec.outputs = {"out: Ref(T)"};
    spec.iteration = {.split = Split::kFlat};
  }
  return spec;
}

}  // namespace staticflow
