#include "runtime/session.h"

#include <benchmark/benchmark.h>

#include <vector>

#include "benchmarks/kernels/kernels.h"
#include "graph/gradients.h"
#include "graph/graph.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/math.h"
#include "ops/state.h"

namespace staticflow::bench {
namespace {

Output ScalarPlaceholder(Graph& g) { return Placeholder(g, {.dtype = DT_FLOAT, .shape = Shape{}}); }

// Times a step that takes `feeds` and fetches `fetch` (or runs `target`).
void TimeStep(benchmark::State& state, Graph& g, const std::vector<Output>& feeds, const std::vector<Tensor>& values,
              const std::vector<Output>& fetches, const std::vector<Operation>& targets = {}) {
  Session session(g, {.threads = 1});
  absl::Status status = session.Initialize();
  absl::StatusOr<Step> step = session.Prepare({.feeds = feeds, .fetches = fetches, .targets = targets});
  if (status.ok()) status = step.status();
  if (!status.ok()) return state.SkipWithError(std::string(status.message()).c_str());
  for (auto _ : state) {
    const auto out = step->Run(values);
    if (!out.ok()) return state.SkipWithError(std::string(out.status().message()).c_str());
  }
}

// state.range(0) additions, each of the one before.
void AddChain(benchmark::State& state) {
  Graph g;
  const Output x = ScalarPlaceholder(g), c = ScalarPlaceholder(g);
  Output h = x;
  for (int i = 0; i < state.range(0); ++i) h = h + c;
  TimeStep(state, g, {x, c}, {1.0f, 1.0f}, {h});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void OneAddByRun(benchmark::State& state) {
  Graph g;
  const Output x = ScalarPlaceholder(g), y = x + 1.0f;
  Session session(g, {.threads = 1});
  for (auto _ : state) {
    const auto out = session.Run({{x, 1.0f}}, y);
    if (!out.ok()) return state.SkipWithError(std::string(out.status().message()).c_str());
  }
}

void Counter(benchmark::State& state) {
  Graph g;
  const Variable count = NewVariable(g, Tensor(0.0f));
  TimeStep(state, g, {}, {}, {}, {AssignAdd(count.ref(), 1.0f)});
}

void OneCond(benchmark::State& state) {
  Graph g;
  const Output x = ScalarPlaceholder(g);
  const Output positive = Placeholder(g, {.dtype = DT_BOOL, .shape = Shape{}});
  const Output y = Cond(
      positive, [&] { return x + 1.0f; }, [&] { return x * 2.0f; });
  TimeStep(state, g, {x, positive}, {1.0f, true}, {y});
}

// state.range(0) iterations of x = x * 0.9 + 1, over state.range(1) floats (0: a scalar).
void CountingLoop(benchmark::State& state) {
  Graph g;
  const Shape shape = state.range(1) == 0 ? Shape{} : Shape{state.range(1)};
  const Output n = Placeholder(g, {.dtype = DT_INT32, .shape = Shape{}});
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = shape});
  const Output end = While([&](Output i, Output) { return Less(i, n); },
                           [&](Output i, Output v) {
                             return LoopVariables{i + 1, v * 0.9f + 1.0f};
                           },
                           {Const(g, 0), x})[1];
  TimeStep(state, g, {n, x}, {static_cast<int32_t>(state.range(0)), *Tensor::Create(DT_FLOAT, shape)}, {end});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// The gradient by x of state.range(0) iterations of x = tanh(x * w), over state.range(1) floats.
void LoopGradient(benchmark::State& state) {
  Graph g;
  const Shape shape = {state.range(1)};
  const Output n = Placeholder(g, {.dtype = DT_INT32, .shape = Shape{}});
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = shape});
  const Output w = Placeholder(g, {.dtype = DT_FLOAT, .shape = shape});
  const Output end = While([&](Output i, Output) { return Less(i, n); },
                           [&](Output i, Output v) {
                             return LoopVariables{i + 1, Tanh(v * w)};
                           },
                           {Const(g, 0), x})[1];
  const Tensor zeros = *Tensor::Create(DT_FLOAT, shape);
  TimeStep(state, g, {n, x, w}, {static_cast<int32_t>(state.range(0)), zeros, zeros}, Gradients({end}, {x, w}));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

void RegisterSessionBenchmarks() {
  benchmark::RegisterBenchmark("Session/add_chain", AddChain)->Arg(0)->Arg(1)->Arg(10)->Arg(100)->Arg(1000);
  benchmark::RegisterBenchmark("Session/one_add_by_run", OneAddByRun);
  benchmark::RegisterBenchmark("Session/variable_plus_one", Counter);
  benchmark::RegisterBenchmark("Session/cond", OneCond);
  benchmark::RegisterBenchmark("Session/while", CountingLoop)->Args({0, 0})->Args({1000, 0})->Args({1000, 100});
  benchmark::RegisterBenchmark("Session/while_gradient", LoopGradient)->Args({1000, 100});
}

}  // namespace staticflow::bench
