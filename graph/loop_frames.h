// The loops of a graph by what its edges say, also where no context tells: graphs from files have none.
//
//   SF_ASSIGN_OR_RETURN(LoopFrames frames, LoopFrames::Find(graph));
//   if (frames.FrameOf(*node) != 0) ...     // it runs in a loop
//
// Enter nodes of one frame name (inside one frame) lead into one loop, Exit nodes out of it; what lies between belongs
// to it. Frame 0 is what is in no loop.
// Not thread-safe. Source: the frames of TensorFlow's executor.
#ifndef STATICFLOW_GRAPH_LOOP_FRAMES_H_
#define STATICFLOW_GRAPH_LOOP_FRAMES_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "graph/control_flow.h"

namespace staticflow {

// Whether the edge from `input` to `node` leads back to the start of a loop: NextIteration to Merge.
bool IsBackEdge(Output input, const Node& node);

struct LoopFrame {
  int parent = -1;
  std::string name;
  Node* condition = nullptr;  // LoopCond; null in a frame that nothing goes around in
  std::vector<WhileContext::Variable> variables = {};
  std::vector<Node*> constants = {};  // Enter nodes without a Merge
};

class LoopFrames {
 public:
  // InvalidArgument for a node whose inputs come from different loops.
  static absl::StatusOr<LoopFrames> Find(Graph& g);
  // Takes in the nodes that were added since.
  absl::Status Update();

  int num_frames() const { return static_cast<int>(frames_.size()); }
  const LoopFrame& frame(int i) const { return frames_[i]; }
  // The frame in which the results of `node` are used: of an Enter the inner one, of an Exit the outer one.
  // -1 for a node that was added since.
  int FrameOf(const Node& node) const { return Lookup(result_, node); }
  // The loop that `node` is a part of: its Enters and Exits belong to it.
  int LoopOf(const Node& node) const { return Lookup(loop_, node); }
  // `frame`, or the frame around it that lies directly in `outer`; -1 when it is not inside `outer`.
  int ChildOf(int outer, int frame) const;
  // The nodes of the loop and of those inside it, in the order of their ids. REQUIRES: frame > 0.
  std::vector<Node*> NodesOf(int frame) const;
  // Whether `node` starts each iteration of a loop: a Merge that a NextIteration leads back to.
  static bool IsHeader(const Node& node);

  // The loop as a context, so that nodes can be added to it; made from its nodes when it came without.
  WhileContext& ContextOf(int frame);

 private:
  explicit LoopFrames(Graph& g) : graph_(g) {}
  absl::Status Place(Node& node);
  static int Lookup(const std::vector<int>& frames, const Node& node) {
    return node.id() < static_cast<int>(frames.size()) ? frames[node.id()] : -1;
  }

  Graph& graph_;
  std::vector<LoopFrame> frames_ = {LoopFrame()};
  std::map<std::pair<int, std::string>, int> by_name_;
  std::vector<int> result_, loop_;                 // by node id
  std::vector<std::vector<Node*>> nodes_ = {{}};   // by frame but for frame 0: those whose loop it is
  std::vector<std::vector<int>> children_ = {{}};  // by frame: the loops directly in it
  std::set<int> changed_;                          // frames whose machinery is to be looked at again
};

// The nodes that carry around what the Enters bring in, for the loop with this LoopCond; those that are missing are
// null. They are looked for among `nodes`.
std::vector<WhileContext::Variable> FindLoopVariables(absl::Span<Node* const> nodes, absl::Span<Node* const> enters,
                                                      const Node& condition);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_LOOP_FRAMES_H_
