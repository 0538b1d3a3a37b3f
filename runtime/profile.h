// StepProfile: the time each instruction of a step took.
//
//   StepProfile profile;
//   step.Run(feeds, {.profile = &profile});
//   WriteFile("step.json", profile.ToChromeTrace());      // open in chrome://tracing or ui.perfetto.dev
//
// A step that several workers run is shown as worker 0 (the calling thread) went through it: its part of each
// instruction, and how long it waited for the others. Filled by one call at a time; read it after the call.
#ifndef STATICFLOW_RUNTIME_PROFILE_H_
#define STATICFLOW_RUNTIME_PROFILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace staticflow {

// `text` in quotes; what JSON cannot hold (control characters, bytes that are no ASCII) is written as an escape.
std::string JsonString(absl::string_view text);

class StepProfile {
 public:
  struct Entry {
    std::string node;      // name
    std::string type;      // op type
    int64_t start_ns = 0;  // since the start of the step
    int64_t duration_ns = 0;
    int64_t wait_ns = 0;   // before start_ns, for other workers
    double share = 1;      // the part of the instruction that this is
    int instruction = -1;  // in the plan
  };

  void Clear() { entries_.clear(); }
  void Add(Entry entry) { entries_.push_back(std::move(entry)); }
  // In the order they ran; instructions that a branch skipped are missing.
  const std::vector<Entry>& entries() const { return entries_; }
  int64_t total_ns() const;

  // Op types by time, the longest first: "MatMul  12 x  81.2 us  62 %" per line.
  std::string Summary() const;
  // The Trace Event Format's JSON, one complete event ("ph": "X") per entry, times in microseconds.
  std::string ToChromeTrace() const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PROFILE_H_
