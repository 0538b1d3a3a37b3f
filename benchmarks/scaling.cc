// How the time of a step, and of all that comes before the first one, grows with batch, width, depth, graph and
// threads.
//
//   scaling                                             everything, about a minute
//   scaling --tables=nodes --max_nodes=1000000          graphs of 10^2 to 10^6 nodes
//   scaling --tables=batch,width --threads=2
//
// Each table gives the time, the time per unit of work, and the growth of the one against the other from row to row:
// x1.00 where time grows as the work does, more where it grows faster (benchmarks/scaling/growth.h).
#include <functional>
#include <iostream>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "benchmarks/scaling/growth.h"
#include "graph/status.h"

ABSL_FLAG(std::string, tables, "batch,width,depth,nodes,threads", "which tables");
ABSL_FLAG(int, threads, 1, "threads of the sessions, but for the table of threads");
ABSL_FLAG(double, seconds, 0.3, "for the median step of each row");
ABSL_FLAG(int64_t, max_nodes, 100000, "the largest graph");

namespace staticflow::bench {
namespace {

absl::Status Main() {
  const std::pair<absl::string_view, absl::Status (*)(const ScalingOptions&)> tables[] = {{"batch", ScaleBatch},
                                                                                          {"width", ScaleWidth},
                                                                                          {"depth", ScaleDepth},
                                                                                          {"nodes", ScaleNodes},
                                                                                          {"threads", ScaleThreads}};
  const ScalingOptions options{.threads = absl::GetFlag(FLAGS_threads),
                               .seconds = absl::GetFlag(FLAGS_seconds),
                               .max_nodes = absl::GetFlag(FLAGS_max_nodes)};
  if (options.threads < 1) return absl::InvalidArgumentError("--threads must be at least 1");
  for (absl::string_view wanted : absl::StrSplit(absl::GetFlag(FLAGS_tables), ',')) {
    bool found = false;
    for (const auto& [name, scale] : tables) {
      if (name != wanted) continue;
      found = true;
      SF_RETURN_IF_ERROR(scale(options));
    }
    if (!found) return absl::InvalidArgumentError(absl::StrCat("there is no table '", wanted, "'"));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace staticflow::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("prints how times grow; see the head of benchmarks/scaling.cc");
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = staticflow::bench::Main();
  if (status.ok()) return 0;
  std::cerr << "scaling: " << status.message() << "\n";
  return 1;
}
