// Results that are sums of two parts, so that two workers can compute one each: for the planner, which names no op
// types.
#ifndef STATICFLOW_RUNTIME_PARTS_H_
#define STATICFLOW_RUNTIME_PARTS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "runtime/plan.h"

namespace staticflow {

// Whether the kernel of `node` adds up its output 0 in two parts, for inputs and an output of these shapes.
using PartsFunction = bool (*)(const Node& node, absl::Span<const Shape> inputs, const Shape& output);

// Registers an op whose kernel, given two outputs of the result's shape in place of one, leaves part i in output i,
// with c.range() counting the parts. Given one output it leaves there the sum of both parts, each added up by itself
// first: the same bits.
class PartsRegistrar {
 public:
  PartsRegistrar(absl::string_view op_type, PartsFunction in_parts);
};

// Whether the instruction is such a sum.
bool SumsInParts(const Plan& plan, const Instruction& instruction);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_PARTS_H_
