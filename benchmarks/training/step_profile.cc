// PrintProfile of windows.h.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <numeric>

#include "absl/strings/str_format.h"
#include "benchmarks/training/windows.h"
#include "graph/status.h"
#include "runtime/profile.h"

namespace staticflow::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCalls = 1000;
constexpr double kSeconds = 5;  // after which fewer calls must do
constexpr int kWarmUp = 100;

// What an instruction took: its own time and the wait for other workers before it, in nanoseconds.
struct Times {
  double work = 0;
  double wait = 0;

  void operator+=(const Times& other) {
    work += other.work;
    wait += other.wait;
  }
  double sum() const { return work + wait; }
};

// The calls that ran the same instructions as the first.
struct Calls {
  std::vector<StepProfile::Entry> entries;  // of the first
  std::vector<std::vector<Times>> times;    // [call][instruction]
  std::vector<int64_t> walls;               // of each call, measured outside, ns
};

bool SameInstructions(const std::vector<StepProfile::Entry>& a, const std::vector<StepProfile::Entry>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.node == y.node && x.type == y.type; });
}

absl::StatusOr<Calls> Measure(Workload& workload) {
  for (int i = 0; i < kWarmUp; ++i) SF_RETURN_IF_ERROR(workload.Call({}));
  Calls calls;
  const Clock::time_point start = Clock::now();
  for (int i = 0; i < kCalls && (i < 5 || std::chrono::duration<double>(Clock::now() - start).count() < kSeconds);
       ++i) {
    StepProfile profile;
    const Clock::time_point begin = Clock::now();
    SF_RETURN_IF_ERROR(workload.Call({.profile = &profile}));
    const Clock::time_point end = Clock::now();
    if (i == 0) calls.entries = profile.entries();
    if (!SameInstructions(calls.entries, profile.entries())) continue;
    std::vector<Times>& times = calls.times.emplace_back();
    for (const StepProfile::Entry& entry : profile.entries()) {
      times.push_back({static_cast<double>(entry.duration_ns), static_cast<double>(entry.wait_ns)});
    }
    calls.walls.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count());
  }
  return calls;
}

// The mean time without any profile, of the quieter half too, in microseconds.
absl::StatusOr<double> PlainMicroseconds(Workload& workload, size_t calls) {
  std::vector<int64_t> ns;
  for (size_t i = 0; i < calls; ++i) {
    const Clock::time_point begin = Clock::now();
    SF_RETURN_IF_ERROR(workload.Call({}));
    ns.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
  }
  std::sort(ns.begin(), ns.end());
  ns.resize((ns.size() + 1) / 2);
  return 1e-3 * static_cast<double>(std::accumulate(ns.begin(), ns.end(), int64_t{0})) / static_cast<double>(ns.size());
}

void PrintRow(const std::string& label, const Times& times, double total, const std::string& name) {
  std::cout << absl::StrFormat("%-38s %9.2f %8.2f %6.1f %%  %s\n", label, 1e-3 * times.work, 1e-3 * times.wait,
                               100 * times.sum() / std::max(total, 1e-9), name);
}

void PrintHead(const std::string& label) { std::cout << absl::StrFormat("%-38s %9s %8s\n", label, "us", "wait us"); }

// The mean of each instruction over the given calls.
std::vector<Times> Means(const Calls& calls, const std::vector<size_t>& chosen) {
  std::vector<Times> means(calls.entries.size());
  for (size_t call : chosen) {
    for (size_t i = 0; i < means.size(); ++i) means[i] += calls.times[call][i];
  }
  for (Times& mean : means) {
    mean.work /= static_cast<double>(chosen.size());
    mean.wait /= static_cast<double>(chosen.size());
  }
  return means;
}

void PrintTypes(const std::vector<StepProfile::Entry>& entries, const std::vector<Times>& means, double total) {
  std::map<std::string, std::pair<int, Times>> by_type;
  for (size_t i = 0; i < means.size(); ++i) {
    auto& [count, sum] = by_type[entries[i].type];
    ++count;
    sum += means[i];
  }
  std::vector<std::pair<std::string, std::pair<int, Times>>> types(by_type.begin(), by_type.end());
  std::sort(types.begin(), types.end(),
            [](const auto& a, const auto& b) { return a.second.second.sum() > b.second.second.sum(); });
  PrintHead("\nby op type");
  for (const auto& [type, row] : types) PrintRow(absl::StrFormat("%4d x %s", row.first, type), row.second, total, "");
}

}  // namespace

absl::Status PrintProfile(Workload& workload) {
  SF_ASSIGN_OR_RETURN(const Calls calls, Measure(workload));
  std::vector<size_t> quiet(calls.walls.size());
  std::iota(quiet.begin(), quiet.end(), size_t{0});
  std::sort(quiet.begin(), quiet.end(), [&](size_t a, size_t b) { return calls.walls[a] < calls.walls[b]; });
  quiet.resize((quiet.size() + 1) / 2);
  SF_ASSIGN_OR_RETURN(const double plain, PlainMicroseconds(workload, calls.walls.size()));

  const std::vector<Times> means = Means(calls, quiet);
  double wall = 0, total = 0;
  for (size_t call : quiet) wall += static_cast<double>(calls.walls[call]) / static_cast<double>(quiet.size());
  for (const Times& mean : means) total += mean.sum();
  PrintHead("instruction (share of this worker)");
  for (size_t i = 0; i < means.size(); ++i) {
    const StepProfile::Entry& entry = calls.entries[i];
    const std::string share = entry.share < 1 ? absl::StrFormat(" (%.0f %%)", 100 * entry.share) : "";
    PrintRow(absl::StrFormat("%4d %s%s", static_cast<int>(i), entry.type, share), means[i], total, entry.node);
  }
  PrintTypes(calls.entries, means, total);
  std::cout << absl::StrFormat(
      "\n%d instructions %.2f us; a call %.2f us with the profile, %.2f us without (mean of the quieter %d of %d "
      "calls)\n",
      static_cast<int>(means.size()), 1e-3 * total, 1e-3 * wall, plain, static_cast<int>(quiet.size()),
      static_cast<int>(calls.walls.size()));
  return absl::OkStatus();
}

}  // namespace staticflow::bench
