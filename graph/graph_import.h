// One import of a GraphDef: what ImportGraphDef and ImportMetaGraph (graph_def.h, meta_graph.h) stand on.
//
//   GraphImporter importer(graph_def, g, options);
//   SF_RETURN_IF_ERROR(importer.Run());
//   if (something else of the file is wrong) importer.TakeBack();
//
// Not thread-safe: it adds to the graph.
#ifndef STATICFLOW_GRAPH_GRAPH_IMPORT_H_
#define STATICFLOW_GRAPH_GRAPH_IMPORT_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "graph/attr_proto.h"
#include "graph/function_body.h"
#include "graph/graph.h"
#include "graph/graph_def.h"
#include "proto/graph.pb.h"

namespace staticflow {

class GraphImporter {
 public:
  // Nothing is copied: all three must live as long as the importer.
  GraphImporter(const proto::GraphDef& file, Graph& g, const ImportOptions& options);

  // Checks the file as a whole, then adds its nodes in an order that its edges allow. After an error the graph is as
  // it was.
  absl::Status Run();
  // Undoes a successful Run. REQUIRES: nothing was added to the graph since, and nothing refers to the new nodes.
  void TakeBack();

  // "model/", or "" without a prefix.
  const std::string& prefix() const { return prefix_; }

 private:
  // An input of a node in the file.
  struct Edge {
    int source = -1;  // index of the node in the file; -1 when `mapped` replaces it
    int output = -1;  // -1: a control edge
    Output mapped;
    bool is_back_edge = false;  // closes a loop: NextIteration -> Merge
  };
  struct Entry {
    const proto::NodeDef* def = nullptr;
    const Op* op = nullptr;
    const FunctionBody* function = nullptr;  // that the node's type names
    std::vector<Edge> edges = {};
    Node* node = nullptr;          // once it is added
    bool takes_any_shape = false;  // a variable, by an assignment that does not check
  };

  absl::Status Import();
  absl::Status CheckVersions() const;
  absl::Status ReadNodes(const std::string& library);
  // The op of a node, or the function and the op that calls it.
  absl::Status FindType(const std::string& library, Entry* entry);
  absl::Status ReadMap();
  absl::Status ReadEdges(Entry& entry);
  void FindUncheckedAssignments();
  absl::StatusOr<Edge> ReadEdge(absl::string_view input) const;
  absl::StatusOr<std::vector<int>> Order() const;
  absl::Status AddNode(Entry& entry);
  absl::Status ReadInputs(const Entry& entry, NodeDefinition* definition, std::vector<int>* missing,
                          std::vector<DataType>* missing_types) const;
  absl::StatusOr<AttrMap> ReadAttrs(const Entry& entry);
  absl::Status MergeOutputShapes(Node& node) const;
  absl::Status CloseLoops();

  const proto::GraphDef& file_;
  Graph& g_;
  const ImportOptions& options_;
  const int first_new_;
  std::string prefix_;
  AttrLimits attr_limits_;
  std::unique_ptr<FunctionBodies> functions_;  // once a type is the name of a function
  std::vector<Entry> entries_;
  absl::flat_hash_map<absl::string_view, int> by_name_;
  absl::flat_hash_map<std::string, Output> map_;  // by "name:index"
  std::vector<std::string> names_taken_;          // in the graph's table of names, to be given back
  std::optional<std::string> old_library_;        // once it was replaced
  int64_t num_edges_ = 0;
  int64_t constant_bytes_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_GRAPH_IMPORT_H_
