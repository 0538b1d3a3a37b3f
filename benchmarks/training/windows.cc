#include "benchmarks/training/windows.h"

#include <sys/resource.h>

#include <algorithm>
#include <iostream>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "graph/status.h"

namespace staticflow::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

int64_t NanosecondsSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

double PeakMebibytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Window {
  double per_second = 0;
  double us = 0, us_p10 = 0, us_p90 = 0;  // of latency workloads
};

// As many calls as fit into `seconds`, the clock read once in a chunk of calls.
absl::StatusOr<Window> TimeThroughput(Workload& workload, double seconds) {
  const Clock::time_point probe = Clock::now();
  SF_RETURN_IF_ERROR(workload.Call({}));
  const int chunk = static_cast<int>(std::clamp(0.05 / std::max(SecondsSince(probe), 1e-7), 1.0, 50.0));
  const Clock::time_point start = Clock::now();
  for (int64_t calls = chunk;; calls += chunk) {
    for (int i = 0; i < chunk; ++i) SF_RETURN_IF_ERROR(workload.Call({}));
    const double elapsed = SecondsSince(start);
    if (elapsed >= seconds) return Window{.per_second = static_cast<double>(calls) / elapsed};
  }
}

// Each call by itself; at least five.
absl::StatusOr<Window> TimeLatency(Workload& workload, double seconds) {
  CallTimes times;
  const Clock::time_point start = Clock::now();
  while (times.count() < 5 || SecondsSince(start) < seconds) {
    const Clock::time_point begin = Clock::now();
    SF_RETURN_IF_ERROR(workload.Call({}));
    times.Add(NanosecondsSince(begin));
  }
  const double us = 1e-3 * static_cast<double>(std::max<int64_t>(times.Quantile(0.5), 1));
  return Window{.per_second = 1e6 / us,
                .us = us,
                .us_p10 = 1e-3 * static_cast<double>(times.Quantile(0.1)),
                .us_p90 = 1e-3 * static_cast<double>(times.Quantile(0.9))};
}

absl::StatusOr<Window> TimeWindow(Workload& workload, double seconds) {
  return workload.is_latency() ? TimeLatency(workload, seconds) : TimeThroughput(workload, seconds);
}

void PrintLine(const std::string& line) {
  std::cout << line << std::endl;  // flushed: the driver waits for it
}

std::string WindowLine(const Window& window) {
  if (window.us == 0) return absl::StrFormat("{\"steps_per_s\": %.2f}", window.per_second);
  return absl::StrFormat(R"({"us": %.3f, "us_p10": %.3f, "us_p90": %.3f, "steps_per_s": %.2f})", window.us,
                         window.us_p10, window.us_p90, window.per_second);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

std::string Summary(const std::vector<Window>& windows) {
  if (windows.empty()) return "";
  std::vector<double> rates, us;
  for (const Window& window : windows) {
    rates.push_back(window.per_second);
    us.push_back(window.us);
  }
  const auto [least, greatest] = std::minmax_element(rates.begin(), rates.end());
  std::string text = absl::StrFormat(R"(, "steps_per_s": %.2f, "min": %.2f, "max": %.2f, "windows": %d)", Median(rates),
                                     *least, *greatest, static_cast<int>(windows.size()));
  if (us[0] != 0) absl::StrAppendFormat(&text, ", \"us\": %.3f", Median(us));
  return text;
}

}  // namespace

void CallTimes::Add(int64_t ns) {
  if (seen_++ % every_ != 0) return;
  if (ns_.size() == kCapacity) {
    for (size_t i = 0; i < kCapacity / 2; ++i) ns_[i] = ns_[2 * i];
    ns_.resize(kCapacity / 2);
    every_ *= 2;
  }
  ns_.push_back(ns);
}

int64_t CallTimes::Quantile(double q) {
  const size_t rank = std::min(ns_.size() - 1, static_cast<size_t>(q * static_cast<double>(ns_.size())));
  std::vector<int64_t> sorted = ns_;
  std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.end());
  return sorted[rank];
}

absl::Status RunWindows(Workload& workload, const WindowOptions& options) {
  SF_RETURN_IF_ERROR(workload.Call({}));
  std::string base = absl::StrFormat(
      R"("framework": "staticflow", "variant": "default", "workload": "%s", "threads": %d, "to_first_step_s": %.3f, )"
      R"("data_s": %.3f, "data_mb": %.1f)",
      options.workload, options.threads, SecondsSince(options.start), workload.data_seconds(),
      workload.data_mebibytes());
  const int steps = options.accuracy_steps < 0 ? workload.accuracy_steps() : options.accuracy_steps;
  for (int i = 1; i < steps; ++i) SF_RETURN_IF_ERROR(workload.Call({}));
  if (workload.accuracy_steps() > 0) {
    SF_ASSIGN_OR_RETURN(const double accuracy, workload.Accuracy());
    absl::StrAppendFormat(&base, ", \"acc_after_%d\": %.4f", steps, accuracy);
  }
  SF_RETURN_IF_ERROR(TimeThroughput(workload, 1.0).status());  // warms up
  std::vector<Window> windows;
  if (options.serve) {
    PrintLine(absl::StrCat("{", base, ", \"ready\": true}"));
    for (std::string line; std::getline(std::cin, line) && absl::StripAsciiWhitespace(line) == "w";) {
      SF_ASSIGN_OR_RETURN(const Window window, TimeWindow(workload, options.seconds));
      windows.push_back(window);
      PrintLine(WindowLine(window));
    }
  } else {
    for (int i = 0; i < options.windows; ++i) {
      SF_ASSIGN_OR_RETURN(const Window window, TimeWindow(workload, options.seconds));
      windows.push_back(window);
    }
  }
  PrintLine(absl::StrFormat("{%s%s, \"peak_rss_mb\": %.1f}", base, Summary(windows), PeakMebibytes()));
  return absl::OkStatus();
}

}  // namespace staticflow::bench
