// BufferVersions: whether a buffer still holds what it held at an earlier instruction.
//
//   BufferVersions versions(*plan);
//   for (int i = 0; i < n; ++i) {
//     versions.Before(i);
//     ... versions.Of(buffer) ...        // equal numbers at two instructions: equal contents there
//     versions.After(i);
//   }
//
// Numbers change where an instruction writes the buffer, whether or not it runs (guards), and at the head of each loop
// that writes it. Only between an instruction and one in the same loops or in further ones do equal numbers say
// anything: see Covers.
#ifndef STATICFLOW_RUNTIME_VERSIONS_H_
#define STATICFLOW_RUNTIME_VERSIONS_H_

#include <utility>
#include <vector>

#include "runtime/plan.h"

namespace staticflow {

class BufferVersions {
 public:
  // `plan` must outlive it, and keep its instructions.
  explicit BufferVersions(const Plan& plan);

  // Both are to be called for every instruction in turn.
  void Before(int instruction);
  void After(int instruction);

  int Of(int buffer) const { return versions_[buffer]; }
  // Whether `later` runs only in those iterations of every loop in which `earlier` has run before it, guards aside.
  bool Covers(int earlier, int later) const;

 private:
  void Change(int buffer) { versions_[buffer] = ++last_; }

  const Plan& plan_;
  std::vector<std::pair<int, int>> loops_;  // by first instruction
  std::vector<int> versions_;               // by buffer
  size_t next_loop_ = 0;
  int last_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_VERSIONS_H_
