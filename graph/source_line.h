// LineOf: a caller's place as nodes keep it.
//
//   LineOf(std::source_location::current())      {.file = "model.cc", .line = 41}
#ifndef STATICFLOW_GRAPH_SOURCE_LINE_H_
#define STATICFLOW_GRAPH_SOURCE_LINE_H_

#include <source_location>

#include "graph/graph.h"

namespace staticflow {

// The file without its directories, and the line. May be called from any thread.
SourceLine LineOf(const std::source_location& where);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_SOURCE_LINE_H_
