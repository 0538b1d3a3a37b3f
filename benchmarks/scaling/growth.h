// How time grows with the size of the work: tables of the time, the time per unit of work, and the growth against the
// row before.
//
//   GrowthTable table("batch", "image", {"step"});
//   table.Add("32", 32, {95e-6});
//   table.Add("64", 64, {180e-6});         prints: 64 | 180.0 us  2.8 us  x0.95
//
// The last number is (time ratio) / (work ratio): 1 where time grows as the work does, above 1 where it grows faster.
#ifndef STATICFLOW_BENCHMARKS_SCALING_GROWTH_H_
#define STATICFLOW_BENCHMARKS_SCALING_GROWTH_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace staticflow::bench {

class GrowthTable {
 public:
  // `unit`: what `work` counts, in the singular; `columns`: what is timed.
  GrowthTable(const std::string& title, const std::string& unit, std::vector<std::string> columns);

  // Prints a row at once. REQUIRES: one time in seconds for each column, work > 0.
  void Add(const std::string& label, double work, const std::vector<double>& seconds);

 private:
  std::vector<std::string> columns_;
  double last_work_ = 0;
  std::vector<double> last_seconds_;
};

// The median time of a call in seconds: of at least three calls, and as many as fit into `budget` seconds, after one
// that does not count. The error of the first call that fails.
absl::StatusOr<double> MedianSeconds(double budget, const std::function<absl::Status()>& call);

struct ScalingOptions {
  int threads = 1;
  double seconds = 0.3;  // for the median of each row
  int64_t max_nodes = 100000;
};

// Training steps of 784-100-100-100-10 with batch normalization: batches of 1 to 4096; widths of 32 to 2048; 3 to 300
// hidden layers; 1 to all threads, of which n are to take one n-th of the time. Data and weights are made up.
absl::Status ScaleBatch(const ScalingOptions& options);
absl::Status ScaleWidth(const ScalingOptions& options);
absl::Status ScaleDepth(const ScalingOptions& options);
absl::Status ScaleThreads(const ScalingOptions& options);

// Graphs of 10^2 to max_nodes nodes, as one chain, as independent terms of a sum, and as a chain of while loops: the
// time to build the graph, to add its gradient, to prepare the step, to run it the first time (which plans it) and to
// run it again.
absl::Status ScaleNodes(const ScalingOptions& options);

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_SCALING_GROWTH_H_
