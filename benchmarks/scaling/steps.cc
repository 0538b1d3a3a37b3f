// ScaleBatch, ScaleWidth, ScaleDepth, ScaleThreads of growth.h.
#include <sched.h>

#include "absl/strings/str_cat.h"
#include "benchmarks/scaling/growth.h"
#include "benchmarks/training/made_up.h"
#include "benchmarks/training/networks.h"
#include "benchmarks/training/raw_data.h"
#include "graph/status.h"

namespace staticflow::bench {
namespace {

NetworkSpec Perceptron(int hidden_layers, int64_t width, int64_t batch) {
  NetworkSpec spec;
  spec.widths.assign(hidden_layers, width);
  spec.widths.insert(spec.widths.begin(), kPixels);
  spec.widths.push_back(kClasses);
  spec.batch = batch;
  return spec;
}

// Floating-point operations of the matrix products of a step; the first layer's input needs no gradient.
double Flops(const NetworkSpec& spec) {
  double products = 0;
  for (size_t i = 0; i + 1 < spec.widths.size(); ++i) {
    products += (i == 0 ? 2.0 : 3.0) * static_cast<double>(spec.widths[i] * spec.widths[i + 1]);
  }
  return 2 * products * static_cast<double>(spec.batch);
}

// The median time of a training step.
absl::StatusOr<double> StepSeconds(const NetworkSpec& spec, int threads, double budget) {
  SF_ASSIGN_OR_RETURN(const std::unique_ptr<MadeUpTraining> training, MadeUpTraining::Open(spec, {.threads = threads}));
  return MedianSeconds(budget, [&] { return training->Call(); });
}

}  // namespace

absl::Status ScaleBatch(const ScalingOptions& options) {
  GrowthTable table("batch", "image", {"step"});
  for (int64_t batch = 1; batch <= 4096; batch *= 4) {
    SF_ASSIGN_OR_RETURN(const double time, StepSeconds(Perceptron(3, 100, batch), options.threads, options.seconds));
    table.Add(absl::StrCat(batch), static_cast<double>(batch), {time});
  }
  return absl::OkStatus();
}

absl::Status ScaleWidth(const ScalingOptions& options) {
  GrowthTable table("width", "MFLOP", {"step"});
  for (int64_t width = 32; width <= 2048; width *= 2) {
    const NetworkSpec spec = Perceptron(3, width, 60);
    SF_ASSIGN_OR_RETURN(const double time, StepSeconds(spec, options.threads, options.seconds));
    table.Add(absl::StrCat(width), Flops(spec) * 1e-6, {time});
  }
  return absl::OkStatus();
}

absl::Status ScaleDepth(const ScalingOptions& options) {
  GrowthTable table("hidden layers", "layer", {"step"});
  for (int layers : {3, 10, 30, 100, 300}) {
    SF_ASSIGN_OR_RETURN(const double time, StepSeconds(Perceptron(layers, 100, 60), options.threads, options.seconds));
    table.Add(absl::StrCat(layers), layers, {time});
  }
  return absl::OkStatus();
}

absl::Status ScaleThreads(const ScalingOptions& options) {
  cpu_set_t cpus;
  const int processors = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
  const NetworkSpec small = Perceptron(3, 100, 60), large = Perceptron(3, 1024, 256);
  GrowthTable table("threads", "1/n", {"100, 60", "1024, 256"});  // width, batch
  for (int threads = 1; threads <= processors; threads *= 2) {
    SF_ASSIGN_OR_RETURN(const double a, StepSeconds(small, threads, options.seconds));
    SF_ASSIGN_OR_RETURN(const double b, StepSeconds(large, threads, options.seconds));
    table.Add(absl::StrCat(threads), 1.0 / threads, {a, b});
  }
  return absl::OkStatus();
}

}  // namespace staticflow::bench
