// Results that are sums of two parts (OpSpec::parts), so that two workers can compute one each.
#ifndef STATICFLOW_RUNTIME_PARTS_H_
#define STATICFLOW_RUNTIME_PARTS_H_

#include "runtime/plan.h"

namespace staticflow {

// Whether the instruction is such a sum.
bool SumsInParts(const Plan& plan, const Instruction& instruction);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PARTS_H_
