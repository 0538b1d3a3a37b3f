#include "ops/control_flow_while.h"

#include "absl/strings/str_cat.h"
#include "graph/control_flow.h"
#include "graph/source_line.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow {
namespace {

class Builder {
 public:
  Builder(Graph& g, const WhileOptions& options) : graph_(g), options_(options) {}

  LoopVariables Build(LoopCondition cond, LoopBody body, LoopVariables initial, std::vector<Shape> shapes);
  LoopVariables Fail(absl::string_view message) {
    const SourceLine line = LineOf(options_.where);
    graph_.RecordError(absl::InvalidArgumentError(
        absl::StrCat("While '", options_.name, "' (", line.file, ":", line.line, "): ", message)));
    return {};
  }

 private:
  Graph& graph_;
  const WhileOptions& options_;
};

LoopVariables Builder::Build(LoopCondition cond, LoopBody body, LoopVariables initial, std::vector<Shape> shapes) {
  WhileContext& loop = WhileContext::Create(graph_, "while_context",
                                            {.maximum_iterations = options_.maximum_iterations,
                                             .parallel_iterations = options_.parallel_iterations,
                                             .back_prop = options_.back_prop,
                                             .swap_memory = options_.swap_memory});
  const int n = static_cast<int>(initial.size());
  LoopVariables merged, values, results;
  for (int i = 0; i < n; ++i) {
    merged.push_back(loop.AddVariable(initial[i], shapes[i]));
    if (!merged.back().valid()) return {};
  }
  {
    const InContext inside(graph_, &loop);
    const Output condition = cond(merged);
    if (!condition.valid() && graph_.status().ok()) return Fail("the condition gives no output of any node");
    if (!loop.SetCondition(condition)) return {};
    for (int i = 0; i < n; ++i) {
      values.push_back(loop.BodyValue(i));
      if (!values.back().valid()) return {};
    }
    const LoopVariables next = body(values);
    if (static_cast<int>(next.size()) != n) {
      return Fail(absl::StrCat("the body gives ", next.size(), " values for ", n, " loop variables"));
    }
    for (int i = 0; i < n; ++i) {
      if (!next[i].valid() && graph_.status().ok()) {
        return Fail(absl::StrCat("the body's value ", i, " is no output of any node"));
      }
      if (!loop.SetNext(i, next[i])) return {};
    }
  }
  for (int i = 0; i < n; ++i) {
    results.push_back(loop.ExitOf(i));
    if (!results.back().valid()) return {};
  }
  return results;
}

}  // namespace

LoopVariables BuildWhile(LoopCondition cond, LoopBody body, absl::Span<const Output> loop_vars,
                         const WhileOptions& options) {
  Graph* g = nullptr;
  for (Output variable : loop_vars) {
    if (!variable.valid()) return {};
    g = &variable.graph();
  }
  if (g == nullptr || !g->status().ok()) return {};
  const NameScope scope(*g, options.name.empty() ? "while" : options.name);
  Builder builder(*g, options);
  LoopVariables initial(loop_vars.begin(), loop_vars.end());
  std::vector<Shape> shapes = options.shape_invariants;
  if (shapes.empty()) {
    for (Output variable : initial) shapes.push_back(variable.shape());
  }
  if (shapes.size() != initial.size()) {
    return builder.Fail(
        absl::StrCat("got ", shapes.size(), " shape_invariants for ", initial.size(), " loop variables"));
  }
  for (size_t i = 0; i < initial.size(); ++i) {
    if (shapes[i].Join(initial[i].shape()) == shapes[i]) continue;
    return builder.Fail(absl::StrCat("loop variable ", i, " has shape ", initial[i].shape().ToString(),
                                     ", which its invariant ", shapes[i].ToString(), " does not allow"));
  }
  if (!options.maximum_iterations.valid()) return builder.Build(cond, body, initial, shapes);

  // A counter goes in front of the variables.
  const Output limit = options.maximum_iterations;
  const auto rest = [](const LoopVariables& v) { return LoopVariables(v.begin() + 1, v.end()); };
  initial.insert(initial.begin(), Const(*g, Tensor(int32_t{0}), {.name = "iteration_counter"}));
  shapes.insert(shapes.begin(), Shape());
  const LoopVariables results = builder.Build(
      [&](const LoopVariables& v) {
        const Output within = Less({v[0], options.where}, limit);
        const Output more = cond(rest(v));
        return more.valid() ? LogicalAnd(within, more) : Output();
      },
      [&](const LoopVariables& v) {
        const Output count = Operand(v[0], options.where) + 1;
        LoopVariables next = body(rest(v));
        next.insert(next.begin(), count);
        return next;
      },
      initial, shapes);
  return results.empty() ? results : rest(results);
}

}  // namespace staticflow
