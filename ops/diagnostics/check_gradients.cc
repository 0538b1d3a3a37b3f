#include "ops/diagnostics/check_gradients.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "graph/gradient_path.h"
#include "graph/gradients.h"
#include "graph/node_builder.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/diagnostics/double_twin.h"
#include "runtime/resource_store.h"

namespace staticflow {
namespace {

constexpr size_t kMaxMismatches = 10;

double& Element(Tensor& t, int64_t i) { return t.data<double>()[i]; }

// Weights for the elements of y, no two alike, so that every element counts.
absl::StatusOr<Tensor> Weights(const Shape& shape) {
  SF_ASSIGN_OR_RETURN(Tensor weights, Tensor::Create(DT_DOUBLE, shape));
  for (int64_t i = 0; i < weights.num_elements(); ++i) {
    Element(weights, i) = (i % 3 == 1 ? -1 : 1) * (0.5 + std::fmod(0.618033988749895 * static_cast<double>(i + 1), 1));
  }
  return weights;
}

struct Steps {
  double step;
  double tolerance;
  int64_t max_elements;
};

// A function of one graph whose gradients are compared: how to evaluate it, and where its xs lie.
class Comparison {
 public:
  // `restore` puts the variables of a session into the state that every evaluation starts from.
  using Restore = std::function<absl::Status(Session&)>;
  Comparison(Graph& graph, std::vector<Output> ys, std::vector<Output> xs, Session::Feeds feeds, Restore restore,
             bool fresh_sessions, Steps steps)
      : graph_(graph),
        ys_(std::move(ys)),
        xs_(std::move(xs)),
        feeds_(std::move(feeds)),
        restore_(std::move(restore)),
        fresh_sessions_(fresh_sessions),
        steps_(steps) {}

  absl::Status Run(GradientCheck* check);
  // The values of some outputs, where y was evaluated.
  absl::StatusOr<std::vector<Tensor>> ValuesOf(const std::vector<Output>& outputs) {
    return Evaluate(outputs, nullptr, nullptr);
  }

 private:
  // What is varied: the feed of an x, or the variable behind it.
  absl::StatusOr<std::vector<Tensor>> Evaluate(const std::vector<Output>& fetches, const Output* x,
                                               const Tensor* value);
  absl::StatusOr<double> Sum(Output x, const Tensor& value);
  absl::Status CompareX(int x, const Tensor& base, const Tensor* gradient, GradientCheck* check);

  Graph& graph_;
  const std::vector<Output> ys_, xs_;
  const Session::Feeds feeds_;
  const Restore restore_;
  const bool fresh_sessions_;  // random ops start from the beginning in each
  const Steps steps_;
  std::unique_ptr<Session> session_;
  std::vector<Tensor> weights_;
};

absl::StatusOr<std::vector<Tensor>> Comparison::Evaluate(const std::vector<Output>& fetches, const Output* x,
                                                         const Tensor* value) {
  if (session_ == nullptr || fresh_sessions_)
    session_ = std::make_unique<Session>(graph_, SessionOptions{.threads = 1});
  SF_RETURN_IF_ERROR(restore_(*session_));
  Session::Feeds feeds = feeds_;
  if (x != nullptr) {
    if (const Node* variable = VariableBehind(*x); variable != nullptr) {
      VariableSlot* slot = session_->resources().FindVariable(VariableKey(*variable));
      SF_RETURN_IF_ERROR(slot->Assign(value->dtype(), value->shape(), value->raw()));
    } else {
      std::erase_if(feeds, [x](const auto& feed) { return feed.first == *x; });
      feeds.emplace_back(*x, *value);
    }
  }
  return session_->Run(feeds, fetches);
}

absl::StatusOr<double> Comparison::Sum(Output x, const Tensor& value) {
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> values, Evaluate(ys_, &x, &value));
  double sum = 0;
  for (size_t k = 0; k < values.size(); ++k) {
    SF_ASSIGN_OR_RETURN(Tensor y, InDouble(values[k]));
    for (int64_t i = 0; i < y.num_elements(); ++i) sum += Element(y, i) * Element(weights_[k], i);
  }
  return sum;
}

absl::Status Comparison::CompareX(int x, const Tensor& base, const Tensor* gradient, GradientCheck* check) {
  SF_ASSIGN_OR_RETURN(Tensor wide, InDouble(base));
  const int64_t n = wide.num_elements(), stride = std::max<int64_t>(1, n / steps_.max_elements);
  size_t found = 0;
  for (int64_t i = 0; i < n; i += stride) {
    // Two steps, one half of the other: where they disagree the function has a kink between.
    double slopes[2];
    for (int k = 0; k < 2; ++k) {
      const double h = steps_.step * std::max(1.0, std::abs(Element(wide, i))) / (k + 1);
      double sums[2];
      for (int side = 0; side < 2; ++side) {
        SF_ASSIGN_OR_RETURN(Tensor moved, base.Clone());
        const double value = Element(wide, i) + (side == 0 ? -h : h);
        DispatchType<double, float>(moved.dtype(), [&]<typename T>() { moved.data<T>()[i] = static_cast<T>(value); });
        SF_ASSIGN_OR_RETURN(sums[side], Sum(xs_[x], moved));
      }
      slopes[k] = (sums[1] - sums[0]) / (2 * h);
    }
    const double scale = std::max(1.0, std::abs(slopes[1]));
    if (!(std::abs(slopes[0] - slopes[1]) <= 0.1 * steps_.tolerance * scale + 0.01 * std::abs(slopes[1]))) {
      ++check->elements_not_smooth;
      continue;
    }
    ++check->elements_checked;
    const double got = gradient == nullptr ? 0 : Element(const_cast<Tensor&>(*gradient), i);
    const double error = std::abs(got - slopes[1]) / scale;
    check->largest_error = std::max(check->largest_error, error);
    if (error <= steps_.tolerance || ++found > kMaxMismatches) continue;
    check->mismatches.push_back({.x = xs_[x].name(), .element = i, .gradient = got, .difference = slopes[1]});
  }
  return absl::OkStatus();
}

absl::Status Comparison::Run(GradientCheck* check) {
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> values, ValuesOf(ys_));
  GradientOptions options;
  for (const Tensor& y : values) {
    SF_ASSIGN_OR_RETURN(Tensor weights, Weights(y.shape()));
    weights_.push_back(weights);
    if (y.dtype() == DT_DOUBLE) {
      options.grad_ys.push_back(Const(graph_, weights));
    } else {
      options.grad_ys.push_back(
          NodeBuilder(OpWithRole(OpRole::kCast).name(), {Const(graph_, weights)}).Attr("DstT", y.dtype()).Build());
    }
  }
  const std::vector<Output> gradients = Gradients(ys_, xs_, options);
  SF_RETURN_IF_ERROR(graph_.status());
  session_ = nullptr;  // the graph has grown
  std::vector<Output> fetches;
  for (size_t x = 0; x < xs_.size(); ++x) {
    if (gradients[x].valid()) fetches.push_back(gradients[x]);
  }
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> analytic, ValuesOf(fetches));
  size_t next = 0;
  for (size_t x = 0; x < xs_.size(); ++x) {
    Tensor base, gradient;
    if (gradients[x].valid()) {
      SF_ASSIGN_OR_RETURN(gradient, InDouble(analytic[next++]));
    }
    if (const Node* variable = VariableBehind(xs_[x]); variable != nullptr) {
      SF_RETURN_IF_ERROR(restore_(*session_));
      base = session_->resources().FindVariable(VariableKey(*variable))->value;
    } else {
      SF_ASSIGN_OR_RETURN(std::vector<Tensor> fetched, ValuesOf({xs_[x]}));
      base = fetched[0];
    }
    SF_ASSIGN_OR_RETURN(base, base.Clone());
    if (gradient.valid() && !(gradient.shape() == base.shape())) {
      return absl::InternalError(absl::StrCat("the gradient by ", xs_[x].name(), " has shape ",
                                              gradient.shape().ToString(), ", it has ", base.shape().ToString()));
    }
    SF_RETURN_IF_ERROR(CompareX(static_cast<int>(x), base, gradient.valid() ? &gradient : nullptr, check));
  }
  return absl::OkStatus();
}

// The nodes between the xs and y, y first, that the gradient walk visits one by one: those of loops it does not.
absl::StatusOr<std::vector<const Node*>> Between(Graph& graph, Output y, absl::Span<const Output> xs) {
  SF_ASSIGN_OR_RETURN(const LoopFrames frames, LoopFrames::Find(graph));
  StackLinks stacks(graph);
  const Output ys[] = {y};
  const absl::flat_hash_set<Output> stopped;
  const GradientPath path(graph, frames, stacks, 0, ys, xs, stopped);
  std::vector<const Node*> nodes;
  for (const GradientUnit& unit : path.units()) {
    if (unit.node != nullptr) nodes.push_back(unit.node);
  }
  return nodes;
}

// Whether a node can be checked alone: it computes, from tensors.
bool StandsAlone(const Node& node) {
  for (OpRole role : {OpRole::kSwitch, OpRole::kMerge, OpRole::kEnter, OpRole::kExit, OpRole::kNextIteration,
                      OpRole::kPlaceholder, OpRole::kVariable, OpRole::kVarHandle, OpRole::kReadVariable}) {
    if (node.op().is(role)) return false;
  }
  bool floating_input = false, floating_output = false;
  for (Output input : node.inputs()) {
    if (IsObject(input.dtype()) || VariableBehind(input) != nullptr) return false;
    floating_input |= IsFloating(input.dtype());
  }
  for (int i = 0; i < node.num_outputs(); ++i) floating_output |= IsFloating(node.output_dtype(i));
  return floating_input && floating_output && !node.op().has(kStateful);
}

// Compares the gradient of `node` alone, at `inputs`.
absl::Status CheckAlone(const Node& node, absl::Span<const Tensor> inputs, const Steps& steps, GradientCheck* check) {
  Graph alone;
  NodeDefinition definition{.name = node.name(), .op = &node.op(), .attrs = node.attrs(), .where = node.where()};
  std::vector<Output> xs, ys;
  Session::Feeds feeds;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Output source =
        Placeholder(alone, {.dtype = inputs[i].dtype(), .shape = inputs[i].shape(), .name = absl::StrCat("input_", i)});
    definition.inputs.push_back(source);
    feeds.emplace_back(source, inputs[i]);
    if (IsFloating(inputs[i].dtype())) xs.push_back(source);
  }
  SF_ASSIGN_OR_RETURN(Node * copy, alone.AddNode(std::move(definition)));
  if (const CustomGradient* gradient = node.graph().FindCustomGradient(node)) alone.SetCustomGradient(*copy, *gradient);
  for (int i = 0; i < copy->num_outputs(); ++i) {
    if (IsFloating(copy->output_dtype(i))) ys.push_back(copy->output(i));
  }
  return Comparison(
             alone, ys, xs, feeds, [](Session&) { return absl::OkStatus(); }, false, steps)
      .Run(check);
}

absl::Status FindWrongOp(Comparison& comparison, Graph& graph, Output y, absl::Span<const Output> xs, int num_nodes,
                         const Steps& steps, GradientCheck* check) {
  SF_ASSIGN_OR_RETURN(const std::vector<const Node*> between, Between(graph, y, xs));
  for (const Node* node : between) {
    if (node->id() >= num_nodes || !StandsAlone(*node)) continue;
    const absl::StatusOr<std::vector<Tensor>> inputs =
        comparison.ValuesOf({node->inputs().begin(), node->inputs().end()});
    if (!inputs.ok()) continue;  // inside a branch that is not taken, or a loop
    GradientCheck alone;
    if (!CheckAlone(*node, *inputs, steps, &alone).ok() || alone.ok()) continue;
    check->wrong_op = node->DebugName();
    check->wrong_op_mismatch = alone.mismatches[0];
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status CheckArguments(Output y, absl::Span<const Output> xs) {
  if (!y.valid()) return absl::InvalidArgumentError("CheckGradients: y is invalid");
  SF_RETURN_IF_ERROR(y.graph().status());
  if (!IsFloating(y.dtype())) {
    return absl::InvalidArgumentError(
        absl::StrCat("CheckGradients: y is ", DataTypeName(y.dtype()), ", expected a floating type"));
  }
  for (Output x : xs) {
    if (!x.valid() || &x.graph() != &y.graph()) {
      return absl::InvalidArgumentError("CheckGradients: an x is no output of y's graph");
    }
    if (!IsFloating(x.dtype()) && VariableBehind(x) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("CheckGradients: ", x.name(), " is ", DataTypeName(x.dtype()), ", expected a floating type"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GradientCheck> CheckGradients(Output y, absl::Span<const Output> xs,
                                             const CheckGradientsOptions& options) {
  SF_RETURN_IF_ERROR(CheckArguments(y, xs));
  const Output ys[] = {y};
  SF_ASSIGN_OR_RETURN(std::unique_ptr<DoubleTwin> twin, DoubleTwin::Create(ys));
  std::vector<Output> twin_xs;
  for (Output x : xs) {
    twin_xs.push_back(twin->Of(x));
    if (!twin_xs.back().valid()) {
      return absl::InvalidArgumentError(absl::StrCat("CheckGradients: ", y.name(), " does not depend on ", x.name()));
    }
  }
  Session::Feeds feeds;
  for (const auto& [output, value] : options.feeds) {
    const Output fed = twin->Of(output);
    if (!fed.valid()) continue;  // y does not need it
    SF_ASSIGN_OR_RETURN(Tensor wide, fed.dtype() == DT_DOUBLE ? InDouble(value) : absl::StatusOr<Tensor>(value));
    feeds.emplace_back(fed, wide);
  }
  std::unique_ptr<Session> initialized;
  Session* from = options.session;
  if (from == nullptr) {
    initialized = std::make_unique<Session>(y.graph(), SessionOptions{.threads = 1});
    SF_RETURN_IF_ERROR(initialized->Initialize());
    from = initialized.get();
  }
  GradientCheck check;
  check.y = y.name();
  check.narrow = twin->narrow();
  const bool narrow = !check.narrow.empty();
  const Steps steps = {.step = narrow ? std::max(options.step, 1e-3) : options.step,
                       .tolerance = narrow ? std::max(options.tolerance, 1e-2) : options.tolerance,
                       .max_elements = std::max<int64_t>(1, options.max_elements)};
  const int num_nodes = twin->graph().num_nodes();
  Comparison comparison(
      twin->graph(), {twin->Of(y)}, twin_xs, feeds,
      [&](Session& session) { return twin->CopyVariables(*from, session); }, twin->has_random(), steps);
  SF_RETURN_IF_ERROR(comparison.Run(&check));
  if (!check.ok()) {
    SF_RETURN_IF_ERROR(FindWrongOp(comparison, twin->graph(), twin->Of(y), twin_xs, num_nodes, steps, &check));
  }
  return check;
}

std::string GradientCheck::ToString() const {
  const std::string counts = absl::StrCat(elements_checked, " elements checked, ", elements_not_smooth,
                                          " at a kink, largest error ", largest_error);
  if (ok()) return absl::StrCat("the gradients of ", y, " are right: ", counts);
  std::string text = absl::StrCat("the gradients of ", y, " are wrong: ", counts, "\n");
  for (const GradientMismatch& m : mismatches) {
    absl::StrAppend(&text, "d ", y, " / d ", m.x, " [", m.element, "]: Gradients gives ", m.gradient, ", differences ",
                    m.difference, "\n");
  }
  if (wrong_op.empty()) {
    absl::StrAppend(&text, "no op that can be checked alone is wrong: look at branches, loops and variables\n");
  } else {
    absl::StrAppend(&text, "the first wrong op: ", wrong_op, ": ", wrong_op_mismatch.x, " [", wrong_op_mismatch.element,
                    "]: its gradient gives ", wrong_op_mismatch.gradient, ", differences ",
                    wrong_op_mismatch.difference, "\n");
  }
  return text;
}

}  // namespace staticflow
