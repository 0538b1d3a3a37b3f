// Stacks as edges: what a push keeps in one loop, a pop takes in another. The gradient of a loop is made of such pairs,
// so the gradient of that gradient has to find its way from the pop to the push.
//
// A gradient follows a stack that has one push and one pop, in different loops. The loop that goes back through the
// pop's loop puts the gradient of each element on a stack of gradients, and the one that goes back through the push's
// loop takes it off there: both run in the opposite order, so they meet at the same elements.
// Not thread-safe.
#ifndef STATICFLOW_GRAPH_STACK_LINKS_H_
#define STATICFLOW_GRAPH_STACK_LINKS_H_

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "graph/graph.h"
#include "graph/loop_frames.h"

namespace staticflow {

struct StackLink {
  std::vector<Node*> pushes = {};
  std::vector<Node*> pops = {};
  // One push and one pop of one stack. Without it, these are all that may be of the same stack.
  bool is_plain = false;
  bool is_open = false;   // on the way of a walk that has both ends inside
  Output gradients = {};  // the stack of gradients, when all are on it

  // REQUIRES: is_plain
  Node& push() const { return *pushes[0]; }
  Node& pop() const { return *pops[0]; }
};

class StackLinks {
 public:
  explicit StackLinks(const Graph& g);

  std::vector<StackLink>& links() { return links_; }
  const std::vector<StackLink>& links() const { return links_; }
  // The link that ends in this pop; null for a pop that was added since.
  const StackLink* To(const Node& pop) const;

 private:
  std::vector<StackLink> links_;
  absl::flat_hash_map<const Node*, int> of_pop_;
};

// Whether `node` is in the loop `frame` or in one inside it.
bool IsWithin(const LoopFrames& frames, int frame, const Node& node);
// Whether the border of the loop cuts the link in two: only the pop is inside, or only the push. REQUIRES: is_plain
bool TakesFromOutside(const LoopFrames& frames, int frame, const StackLink& link);
bool KeepsForOutside(const LoopFrames& frames, int frame, const StackLink& link);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_STACK_LINKS_H_
