#include "graph/node_gradient.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/signature.h"

namespace staticflow {
namespace {

constexpr absl::string_view kGradientOpType = "_gradient_op_type";

// Filled before main() by the families of ops.
std::vector<GradientRecognizer>& Recognizers() {
  static auto& recognizers = *new std::vector<GradientRecognizer>;
  return recognizers;
}

// Whether a gradient function of `op` finds in `node` what it may ask for.
bool Fits(const Op& op, const Node& node) {
  AttrMap attrs = node.attrs();
  const bool has_attrs =
      std::all_of(op.attrs.begin(), op.attrs.end(), [&](const AttrDef& attr) { return attrs.contains(attr.name); });
  if (!has_attrs || !CheckAttrs(op, &attrs).ok()) return false;
  const absl::StatusOr<std::vector<ArgType>> inputs = ExpandArgs(op.inputs, attrs);
  const absl::StatusOr<std::vector<ArgType>> outputs = ExpandArgs(op.outputs, attrs);
  if (!inputs.ok() || !outputs.ok() || static_cast<int>(outputs->size()) != node.num_outputs()) return false;
  std::vector<ArgType> given;
  for (Output input : node.inputs()) given.push_back({input.dtype(), input.is_ref()});
  return CheckInputs(op, *inputs, given).ok();
}

void ApplyCustom(const CustomGradient& gradient, GradientContext& c) {
  std::vector<Output> dys;
  for (int i = 0; i < c.num_outputs(); ++i) {
    const DataType dtype = c.y(i).dtype();
    const bool differentiable = IsFloating(dtype) || IsComplex(dtype);
    dys.push_back(c.has_dy(i) || differentiable ? c.dy(i) : Output());
  }
  const std::vector<Output> dxs = gradient(dys);
  if (!c.graph().status().ok()) return;
  if (static_cast<int>(dxs.size()) != c.num_inputs()) {
    return c.Fail(absl::StrCat("its custom gradient gives ", dxs.size(), " gradients for ", c.num_inputs(), " inputs"));
  }
  for (int i = 0; i < c.num_inputs(); ++i) {
    const Output dx = dxs[i], x = c.x(i);
    if (!dx.valid()) continue;
    const bool fits = &dx.graph() == &c.graph() &&
                      (x.dtype() == DT_RESOURCE || (dx.dtype() == x.dtype() && dx.shape().IsCompatibleWith(x.shape())));
    if (!fits) {
      return c.Fail(absl::StrCat("its custom gradient by input ", i, " is ", DataTypeName(dx.dtype()),
                                 dx.shape().ToString(), ", the input is ", DataTypeName(x.dtype()),
                                 x.shape().ToString()));
    }
    c.set_dx(i, dx);
  }
}

}  // namespace

GradientRecognizerRegistrar::GradientRecognizerRegistrar(GradientRecognizer recognizer) {
  Recognizers().push_back(recognizer);
}

void DifferentiateNode(GradientContext& c) {
  const Node& node = c.node();
  if (const CustomGradient* custom = c.graph().FindCustomGradient(node)) return ApplyCustom(*custom, c);
  GradientFunction gradient = node.op().spec.gradient;
  const auto named = node.attrs().find(kGradientOpType);
  if (named != node.attrs().end() && named->second.is<std::string>()) {
    const std::string& type = named->second.get<std::string>();
    const Op* op = FindOp(type);
    if (op == nullptr && std::any_of(Recognizers().begin(), Recognizers().end(),
                                     [&](GradientRecognizer recognizes) { return recognizes(c); })) {
      return;
    }
    if (op == nullptr || !Fits(*op, node)) {
      return c.Fail(absl::StrCat("its gradient is that of '", type, "', which is ",
                                 op == nullptr ? "not registered" : "an op of another signature"));
    }
    gradient = op->spec.gradient;
  }
  if (gradient == nullptr) return c.Fail("no gradient is registered for it");
  gradient(c);
}

}  // namespace staticflow
