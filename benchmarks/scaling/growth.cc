#include "benchmarks/scaling/growth.h"

#include <algorithm>
#include <chrono>
#include <iostream>

#include "absl/strings/str_format.h"
#include "graph/status.h"

namespace staticflow::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string Readable(double seconds) {
  if (seconds < 1e-6) return absl::StrFormat("%.1f ns", seconds * 1e9);
  if (seconds < 1e-3) return absl::StrFormat("%.1f us", seconds * 1e6);
  if (seconds < 1) return absl::StrFormat("%.1f ms", seconds * 1e3);
  return absl::StrFormat("%.2f s", seconds);
}

}  // namespace

GrowthTable::GrowthTable(const std::string& title, const std::string& unit, std::vector<std::string> columns)
    : columns_(std::move(columns)) {
  std::cout << absl::StrFormat("\n%-14s", title);
  for (const std::string& column : columns_) {
    std::cout << absl::StrFormat(" | %11s %11s %7s", column, "per " + unit, "growth");
  }
  std::cout << "\n";
}

void GrowthTable::Add(const std::string& label, double work, const std::vector<double>& seconds) {
  std::cout << absl::StrFormat("%-14s", label);
  for (size_t i = 0; i < seconds.size(); ++i) {
    const std::string growth =
        last_seconds_.empty() ? "" : absl::StrFormat("x%.2f", seconds[i] / last_seconds_[i] / (work / last_work_));
    std::cout << absl::StrFormat(" | %11s %11s %7s", Readable(seconds[i]), Readable(seconds[i] / work), growth);
  }
  std::cout << std::endl;  // flushed: rows take a while
  last_work_ = work;
  last_seconds_ = seconds;
}

absl::StatusOr<double> MedianSeconds(double budget, const std::function<absl::Status()>& call) {
  SF_RETURN_IF_ERROR(call());
  std::vector<double> times;
  const Clock::time_point start = Clock::now();
  while (times.size() < 3 || (SecondsSince(start) < budget && times.size() < 100000)) {
    const Clock::time_point begin = Clock::now();
    SF_RETURN_IF_ERROR(call());
    times.push_back(SecondsSince(begin));
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace staticflow::bench
