// The function library of a graph, kept as a serialized FunctionDefLibrary.
#ifndef STATICFLOW_GRAPH_FUNCTION_LIBRARY_H_
#define STATICFLOW_GRAPH_FUNCTION_LIBRARY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/function.pb.h"

namespace staticflow {

// `library` with the functions of `added`, which come from a file, serialized.
// InvalidArgument: a function without a name, one name with two meanings, functions that call each other in a circle.
// ResourceExhausted: calls nested deeper than `max_depth`. Does not recurse; time grows with the size of the message.
absl::StatusOr<std::string> AddToFunctionLibrary(const std::string& library, const proto::FunctionDefLibrary& added,
                                                 int max_depth);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_FUNCTION_LIBRARY_H_
