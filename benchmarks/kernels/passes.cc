#include <benchmark/benchmark.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "benchmarks/kernels/kernels.h"
#include "benchmarks/training/made_up.h"
#include "runtime/pass.h"

namespace staticflow::bench {
namespace {

void TimeStep(benchmark::State& state, const std::string& network, const std::string& passes) {
  absl::StatusOr<std::unique_ptr<MadeUpTraining>> training = absl::InternalError("");
  const absl::StatusOr<NetworkSpec> spec = NamedNetwork(network);
  if (spec.ok()) training = MadeUpTraining::Open(*spec, {.threads = 1, .passes = passes});
  absl::Status status = spec.ok() ? training.status() : spec.status();
  for (auto _ : state) {
    if (status.ok()) status = (*training)->Call();
    if (!status.ok()) return state.SkipWithError(std::string(status.message()).c_str());
  }
}

}  // namespace

void RegisterPassBenchmarks() {
  for (const char* network : {"W1", "W2", "W4"}) {
    std::vector<std::string> settings = {"", "-all"};
    for (const Pass& pass : AllPasses()) settings.push_back(absl::StrCat("-", std::string(pass.name)));
    for (const std::string& setting : settings) {
      const std::string name = absl::StrCat("Pass/", network, "/", setting.empty() ? "all" : setting);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [network, setting](auto& state) { TimeStep(state, network, setting); });
    }
  }
}

}  // namespace staticflow::bench
