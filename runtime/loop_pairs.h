// Pairs of steps that go over a strip together: what the first makes is read by the second alone. Inside
// runtime/loop_nest.cc.
#ifndef STATICFLOW_RUNTIME_LOOP_PAIRS_H_
#define STATICFLOW_RUNTIME_LOOP_PAIRS_H_

#include <array>
#include <optional>
#include <vector>

#include "runtime/lane_pairs.h"
#include "runtime/loop.h"

namespace staticflow {

class StepPairs {
 public:
  struct Pair {
    LanePair op;
    std::array<int, 3> x;  // registers
    int first = -1;        // the step whose result the second reads
  };

  explicit StepPairs(const LoopProgram& program);

  // What step `second` is together with the step that makes one of its operands; nullopt when no pair does.
  std::optional<Pair> Find(int second) const;
  // `pair`, which ends with the step before `third`, together with that; nullopt when there is no such pair.
  std::optional<Pair> Extend(const Pair& pair, int third) const;

 private:
  const LoopProgram& program_;
  std::vector<int> made_;  // by register: the step that makes it
  std::vector<int> uses_;  // by register: how many steps and results read it
};

// Puts the first step of each pair right before the second.
void BringPairsTogether(LoopProgram* program);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_LOOP_PAIRS_H_
