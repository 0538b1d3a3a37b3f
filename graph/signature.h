// Checks a node against its op's signature: completes the attributes and expands the arguments.
//
// All functions are pure. Errors are InvalidArgument and say what was expected and what came; the caller adds the node.
#ifndef STATICFLOW_GRAPH_SIGNATURE_H_
#define STATICFLOW_GRAPH_SIGNATURE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/op.h"

namespace staticflow {

// The type of one input or output.
struct ArgType {
  DataType dtype = DT_INVALID;
  bool is_ref = false;
};

// Adds to `attrs` what the types of the inputs tell ("T", "N", "Tin"), then the defaults.
// InvalidArgument when the inputs contradict each other or an attribute that is given, or when their number is wrong.
absl::Status InferAttrs(const Op& op, absl::Span<const ArgType> inputs, AttrMap* attrs);

// Every attribute of the definition is there, of the right kind and within its limits. Attributes whose name starts
// with '_' and ones that the definition does not know are left alone.
absl::Status CheckAttrs(const Op& op, AttrMap* attrs);

// The types that `args` stand for, lists expanded. REQUIRES: CheckAttrs(op, attrs) was OK.
absl::StatusOr<std::vector<ArgType>> ExpandArgs(absl::Span<const ArgDef> args, const AttrMap& attrs);

// How many inputs or outputs one argument stands for.
absl::StatusOr<int64_t> ArgLength(const ArgDef& arg, const AttrMap& attrs);

// The inputs have the expected types; a value may come from a reference but not the other way round.
absl::Status CheckInputs(const Op& op, absl::Span<const ArgType> expected, absl::Span<const ArgType> inputs);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_SIGNATURE_H_
