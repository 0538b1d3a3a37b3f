// Graph <-> MetaGraphDef: the graph with its collections, variables, branches of conds and its saver; a `.meta` file.
//
//   SF_ASSIGN_OR_RETURN(std::string bytes, MetaGraphBytes(g, {.saver = saver_info}));
//   SF_ASSIGN_OR_RETURN(MetaGraph meta, ImportMetaGraph(bytes, other));
//   other.variables(kTrainableVariables);       // as if they had been built here
//
// Collections of operations and tensors, of variables (VariableDef) and of contexts (CondContextDef) are understood;
// all others stay in Graph::opaque_collections() as they came and are written back. What a file says is checked as
// graph_def.h describes: all of it is imported, or nothing.
//
// Not thread-safe for a graph that is being built.
#ifndef STATICFLOW_GRAPH_META_GRAPH_H_
#define STATICFLOW_GRAPH_META_GRAPH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/graph.h"
#include "graph/graph_def.h"

namespace staticflow {

namespace proto {
class MetaGraphDef;
}

// The collection that holds the branches of conds; Graph::contexts() is its content.
inline constexpr absl::string_view kCondContext = "cond_context";
inline constexpr absl::string_view kWhileContext = "while_context";

// SaverDef: the nodes that save and restore, and what to keep.
struct SaverInfo {
  std::string filename_tensor = "";  // "save/Const:0"
  std::string save_tensor = "";      // "save/control_dependency:0"
  std::string restore_op = "";       // "save/restore_all"
  int max_to_keep = 5;
  bool sharded = false;
  float keep_checkpoint_every_n_hours = 10000;
  int version = 2;  // the checkpoint format: 1 or 2
};

struct MetaGraphOptions {
  std::optional<SaverInfo> saver = std::nullopt;
  std::vector<std::string> tags = {};
  bool strip_default_attrs = false;  // leave out attributes at their default, for older readers
};

// The graph's first building error, if it has one.
absl::StatusOr<proto::MetaGraphDef> ToMetaGraphDef(const Graph& g, const MetaGraphOptions& options = {});
absl::StatusOr<std::string> MetaGraphBytes(const Graph& g, const MetaGraphOptions& options = {});

// What a MetaGraphDef tells besides the graph.
struct MetaGraph {
  std::optional<SaverInfo> saver;  // names with the prefix of the import
  std::vector<std::string> tags;
  std::string tensorflow_version;  // of the program that wrote it
};

// Adds the graph, its collections, variables and contexts to `g`. Errors as of ImportGraphDef; InvalidArgument also for
// a collection, variable or context that names a node or tensor which is not there.
absl::StatusOr<MetaGraph> ImportMetaGraph(absl::string_view bytes, Graph& g, const ImportOptions& options = {});
absl::StatusOr<MetaGraph> ImportMetaGraph(const proto::MetaGraphDef& meta, Graph& g, const ImportOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_META_GRAPH_H_
