// ScaleNodes of growth.h.
#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "benchmarks/scaling/growth.h"
#include "graph/gradients.h"
#include "graph/graph.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/control_flow_while.h"
#include "ops/math.h"
#include "runtime/session.h"

namespace staticflow::bench {
namespace {

constexpr int64_t kVector = 16;  // elements of each tensor: hardly any arithmetic

enum class Form { kChain, kSum, kLoops };

const char* NameOf(Form form) { return form == Form::kChain ? "chain" : form == Form::kSum ? "sum" : "loops"; }

// Loops one after the other. Each has as many nodes, with its gradient, as `kPairsOfLoop` pairs have.
constexpr int64_t kPairsOfLoop = 13;

Output BuildLoops(Output x, int64_t loops) {
  Output h = x;
  for (int64_t i = 0; i < loops; ++i) {
    h = While([](const LoopVariables& v) { return Less(v[0], 3); },
              [](const LoopVariables& v) {
                return LoopVariables{v[0] + 1, Tanh(v[1] * 0.5f)};
              },
              {Const(x.graph(), 0), h})[1];
  }
  return Sum(h);
}

// A scalar that depends on x through `pairs` of two nodes. Each pair gets about three more when it is differentiated.
Output BuildForm(Form form, Output x, int64_t pairs) {
  if (form == Form::kLoops) return BuildLoops(x, std::max<int64_t>(1, pairs / kPairsOfLoop));
  if (form == Form::kChain) {
    Output h = x;
    for (int64_t i = 0; i < pairs; ++i) h = Tanh(h * x);
    return Sum(h);
  }
  // In groups, because no sum that people write has hundreds of thousands of terms.
  std::vector<Output> groups, terms;
  for (int64_t i = 0; i < pairs;) {
    const Output start = x + 1.0f;
    for (terms.clear(); i < pairs && terms.size() < 1000; ++i) terms.push_back(Tanh(start * start));
    groups.push_back(AddN(terms));
  }
  return Sum(AddN(groups));
}

struct Stages {
  int64_t nodes = 0;  // of the graph and its gradient
  std::vector<double> seconds;
};

// Takes one graph through all stages.
absl::StatusOr<Stages> TimeStages(Form form, int64_t pairs, const ScalingOptions& options) {
  using Clock = std::chrono::steady_clock;
  Stages stages;
  Clock::time_point begin = Clock::now();
  const auto lap = [&] {
    const Clock::time_point now = Clock::now();
    stages.seconds.push_back(std::chrono::duration<double>(now - begin).count());
    begin = now;
  };
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {kVector}, .name = "x"});
  const Output y = BuildForm(form, x, pairs);
  lap();
  const std::vector<Output> gradients = Gradients({y}, {x});
  lap();
  Session session(g, {.threads = options.threads});
  SF_ASSIGN_OR_RETURN(const Step step, session.Prepare({.feeds = {x}, .fetches = {gradients[0]}}));
  lap();
  SF_ASSIGN_OR_RETURN(const Tensor value, Tensor::Create(DT_FLOAT, {kVector}));
  SF_RETURN_IF_ERROR(step.Run({value}).status());
  lap();
  SF_ASSIGN_OR_RETURN(const double again, MedianSeconds(options.seconds, [&] { return step.Run({value}).status(); }));
  stages.seconds.push_back(again);
  stages.nodes = static_cast<int64_t>(g.nodes().size());
  return stages;
}

}  // namespace

absl::Status ScaleNodes(const ScalingOptions& options) {
  for (Form form : {Form::kChain, Form::kSum, Form::kLoops}) {
    GrowthTable table(absl::StrCat("nodes, ", NameOf(form)), "node",
                      {"build", "gradient", "prepare", "first run", "run"});
    for (int64_t nodes = 100; nodes <= options.max_nodes; nodes *= 10) {
      SF_ASSIGN_OR_RETURN(const Stages stages, TimeStages(form, nodes / 5, options));
      table.Add(absl::StrCat(stages.nodes), static_cast<double>(stages.nodes), stages.seconds);
    }
  }
  return absl::OkStatus();
}

}  // namespace staticflow::bench
