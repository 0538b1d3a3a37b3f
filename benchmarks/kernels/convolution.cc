#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmarks/kernels/kernels.h"
#include "graph/graph.h"
#include "ops/array.h"
#include "ops/conv.h"
#include "runtime/session.h"

namespace staticflow::bench {
namespace {

constexpr int64_t kBatch = 64;

struct Layer {
  int64_t size, in_channels, out_channels, stride;

  int64_t out_size() const { return (size + stride - 1) / stride; }
  Shape input() const { return {kBatch, size, size, in_channels}; }
  Shape filter() const { return {3, 3, in_channels, out_channels}; }
  Shape output() const { return {kBatch, out_size(), out_size(), out_channels}; }
  std::string name() const { return absl::StrCat(size, "x", size, "x", in_channels, "-", out_channels, "s", stride); }
  double flops() const {
    return 2.0 * 9 * static_cast<double>(in_channels) * static_cast<double>(output().num_elements());
  }
};

std::vector<Layer> Layers() {
  std::vector<Layer> layers;
  int64_t size = 28, channels = 1;
  for (int i = 1; i < 20; ++i) {
    layers.push_back({size, channels, 4 * i, i % 3 == 0 ? 2 : 1});
    size = layers.back().out_size();
    channels = 4 * i;
  }
  return layers;
}

Tensor Numbers(const Shape& shape) {
  Tensor tensor = *Tensor::Create(DT_FLOAT, shape);
  for (int64_t i = 0; i < tensor.num_elements(); ++i) tensor.data<float>()[i] = 0.01f * static_cast<float>(i % 17 + 1);
  return tensor;
}

enum class Direction { kForward, kInput, kFilter };

void TimeConvolution(benchmark::State& state, const Layer& layer, Direction direction) {
  Graph g;
  const Shape shapes[] = {direction == Direction::kInput ? layer.filter() : layer.input(),
                          direction == Direction::kForward ? layer.filter() : layer.output()};
  std::vector<Output> feeds;
  std::vector<Tensor> values;
  for (const Shape& shape : shapes) {
    feeds.push_back(Placeholder(g, {.dtype = DT_FLOAT, .shape = shape}));
    values.push_back(Numbers(shape));
  }
  const Conv2DOptions options{.strides = {1, layer.stride, layer.stride, 1}, .padding = "SAME"};
  const Output result = direction == Direction::kForward ? Conv2D(feeds[0], feeds[1], options)
                        : direction == Direction::kInput
                            ? Conv2DBackpropInput(Ints(layer.input()), feeds[0], feeds[1], options)
                            : Conv2DBackpropFilter(feeds[0], Ints(layer.filter()), feeds[1], options);
  Session session(g, {.threads = 1});
  const absl::StatusOr<Step> step = session.Prepare({.feeds = feeds, .fetches = {result}});
  if (!step.ok()) return state.SkipWithError(std::string(step.status().message()).c_str());
  for (auto _ : state) {
    const auto out = step->Run(values);
    if (!out.ok()) return state.SkipWithError(std::string(out.status().message()).c_str());
  }
  state.counters["FLOP/s"] = benchmark::Counter(layer.flops(), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void RegisterConvolutionBenchmarks() {
  for (const Layer& layer : Layers()) {
    for (const auto& [direction, name] :
         {std::pair(Direction::kForward, "forward"), std::pair(Direction::kInput, "input"),
          std::pair(Direction::kFilter, "filter")}) {
      benchmark::RegisterBenchmark(
          absl::StrCat("Conv/", name, "/", layer.name()).c_str(),
          [layer, direction = direction](auto& state) { TimeConvolution(state, layer, direction); });
    }
  }
}

}  // namespace staticflow::bench
