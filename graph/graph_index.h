// What a Graph looks up by name or node. Apart from graph.h, so that programs that build graphs need not compile hash
// tables.
#ifndef STATICFLOW_GRAPH_GRAPH_INDEX_H_
#define STATICFLOW_GRAPH_GRAPH_INDEX_H_

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "graph/graph.h"

namespace staticflow {

struct Graph::Index {
  absl::flat_hash_map<std::string, Node*> by_name;
  absl::flat_hash_map<std::string, int> names_in_use;  // in lower case, with the next number to try
  absl::btree_map<std::string, std::vector<CollectionItem>, std::less<>> collections;
  absl::btree_map<std::string, std::vector<const Variable*>, std::less<>> variable_collections;
  absl::flat_hash_map<const Node*, CustomGradient> custom_gradients;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_GRAPH_INDEX_H_
