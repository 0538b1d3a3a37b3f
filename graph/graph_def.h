// Graph <-> GraphDef, the file form of a graph: TensorFlow's, bit for bit on the wire.
//
//   SF_ASSIGN_OR_RETURN(std::string bytes, GraphDefBytes(g));               // a .pb file
//   SF_ASSIGN_OR_RETURN(std::string text, GraphDefText(g));                 // a .pbtxt file
//   SF_RETURN_IF_ERROR(ImportGraphDef(bytes, other, {.prefix = "model"}));
//
// What comes from a file is not trusted: the importer checks names, ops, attributes, edges, types, static shapes and
// sizes, needs time and memory in proportion to the bytes (and the limits), and does not recurse. Nodes keep their
// order as far as the edges allow, their devices, and attributes that start with '_'. Attributes that newer versions of
// TensorFlow gave an op are dropped where they are at their default, and an error elsewhere.
//
// Not thread-safe for a graph that is being built.
#ifndef STATICFLOW_GRAPH_GRAPH_DEF_H_
#define STATICFLOW_GRAPH_GRAPH_DEF_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/graph.h"

namespace staticflow {

namespace proto {
class GraphDef;
class OpList;
}  // namespace proto

// The version of TensorFlow's GraphDef that is written, and up to which files are understood: that of 1.15.
inline constexpr int kGraphDefVersion = 134;

// The first error of building the graph, if there is one.
absl::StatusOr<proto::GraphDef> ToGraphDef(const Graph& g);
// The same as bytes and as text. The same graph gives the same bytes.
absl::StatusOr<std::string> GraphDefBytes(const Graph& g);
absl::StatusOr<std::string> GraphDefText(const Graph& g);

// Hands the graph to `write`, which puts bytes into a file (an Env's WriteFile, say).
enum class GraphFormat { kBinary, kText };
absl::Status WriteGraph(const Graph& g, GraphFormat format, absl::FunctionRef<absl::Status(absl::string_view)> write);

// What a file may ask for; more is ResourceExhausted.
struct ImportLimits {
  int64_t max_nodes = 1'000'000;
  int64_t max_edges = 10'000'000;
  int64_t max_inputs_per_node = 65'536;
  int64_t max_name_length = 4'096;
  int64_t max_list_length = 1'000'000;            // of a list attribute
  int64_t max_tensor_bytes = int64_t{1} << 30;    // of one constant
  int64_t max_constant_bytes = int64_t{4} << 30;  // of all
  int64_t max_bytes_without_values = int64_t{64} << 20;
  int max_function_depth = 64;
};

struct ImportOptions {
  std::string prefix = "";  // "model": nodes are named model/NAME, and so are colocation groups
  // Tensors of the file, by name ("x:0" or "x"), that outputs of the graph replace.
  std::vector<std::pair<std::string, Output>> input_map = {};
  const proto::OpList* producer_ops = nullptr;  // the ops as the file's writer knew them, see ImportMetaGraph
  ImportLimits limits = {};
};

// Adds the nodes of a serialized (or parsed) GraphDef to `g`; all of them, or none and an error that names the node.
// NotFound: an op type that is not registered. ResourceExhausted: over a limit. InvalidArgument: all the rest.
// Errors are returned, they do not stick to the graph.
absl::Status ImportGraphDef(absl::string_view bytes, Graph& g, const ImportOptions& options = {});
absl::Status ImportGraphDef(const proto::GraphDef& graph_def, Graph& g, const ImportOptions& options = {});
// The same for the text format.
absl::Status ImportGraphDefText(absl::string_view text, Graph& g, const ImportOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_GRAPH_DEF_H_
