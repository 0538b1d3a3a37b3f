#include "runtime/versions.h"

#include <algorithm>

#include "runtime/pass.h"

namespace staticflow {

BufferVersions::BufferVersions(const Plan& plan) : plan_(plan), loops_(plan.loops), versions_(plan.buffers.size(), 0) {
  std::sort(loops_.begin(), loops_.end());
}

void BufferVersions::Before(int instruction) {
  for (; next_loop_ < loops_.size() && loops_[next_loop_].first == instruction; ++next_loop_) {
    for (int i = instruction; i <= loops_[next_loop_].second; ++i) After(i);
  }
}

void BufferVersions::After(int instruction) {
  for (int buffer : AccessOfBuffers(plan_, plan_.instructions[instruction]).writes) Change(buffer);
}

bool BufferVersions::Covers(int earlier, int later) const {
  if (earlier >= later) return false;
  return std::all_of(loops_.begin(), loops_.end(), [&](const std::pair<int, int>& loop) {
    const bool holds_earlier = loop.first <= earlier && earlier <= loop.second;
    return !holds_earlier || later <= loop.second;
  });
}

}  // namespace staticflow
