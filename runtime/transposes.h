// Which ops transpose, for the planner: it names no op types, so the ops say so themselves.
#ifndef STATICFLOW_RUNTIME_TRANSPOSES_H_
#define STATICFLOW_RUNTIME_TRANSPOSES_H_

#include "absl/strings/string_view.h"

namespace staticflow {

// Registers an op type whose output 0 is input 0 with its dimensions in the order that input 1 gives.
class TransposeRegistrar {
 public:
  explicit TransposeRegistrar(absl::string_view op_type);
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_TRANSPOSES_H_
