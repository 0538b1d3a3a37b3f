// Backprop: the reverse walk behind Gradients(). Used by gradients.cc alone.
#ifndef STATICFLOW_GRAPH_BACKPROP_H_
#define STATICFLOW_GRAPH_BACKPROP_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "graph/gradient_path.h"
#include "graph/gradients.h"
#include "graph/liveness.h"
#include "graph/loop_gradient.h"
#include "graph/source_line.h"

namespace staticflow {

// What the walks of one call share.
struct GradientWalks {
  Graph& graph;
  LoopFrames& frames;
  StackLinks stacks;
  const GradientOptions& options;
  SourceLine line;
  std::string scope;  // "gradients/": of all nodes but those that stand around loops
};

// One reverse walk from ys to xs, which are in frame `level`; loops inside that are one step of it.
class Backprop {
 public:
  Backprop(GradientWalks& walks, int level, absl::Span<const Output> ys, absl::Span<const Output> xs,
           absl::Span<const Output> grad_ys, bool is_outermost)
      : walks_(walks),
        graph_(walks.graph),
        level_(level),
        is_outermost_(is_outermost),
        ys_(ys),
        xs_(xs),
        grad_ys_(grad_ys),
        stopped_(walks.options.stop_gradients.begin(), walks.options.stop_gradients.end()),
        path_(graph_, walks.frames, walks.stacks, level, ys, xs, stopped_) {}

  absl::StatusOr<std::vector<SlicesOrDense>> Run();

 private:
  absl::Status SeedOutputs();
  absl::Status Visit(Node& node);
  // Whether the node is a pop whose element's gradient the loop around it cannot take to the push.
  bool IsStray(const Node& node) const;
  absl::Status VisitLoop(int loop);
  // The stacks that lead into the loop and out of it. False, with failures, when one of them cannot be followed.
  bool FindStacks(LoopGradient& request);
  // After the loop that goes back through `loop`: hands the gradients of what it took on to the loops that kept it.
  void PassStacksOn(int loop, Node* done);
  void Fail(const Node& node, absl::string_view reason) {
    failures_.push_back(absl::StrCat(node.DebugName(), ": ", reason, " (path: ", path_.ToY(node), ")"));
  }
  // Whether a gradient by `output` would reach an x.
  bool LeadsToX(Output output) const {
    return output.valid() && path_.FromX(*output.node()) && !stopped_.contains(output);
  }
  void Add(Output output, Output gradient);
  void Add(Output output, const SlicesOrDense& gradient);
  // All slices that came for `output`, as one; invalid when none did or they have different index types.
  IndexedSlices TotalSlices(Output output);
  Output TotalGradient(Output output);
  // Whether the node hands on what it got, and that is slices alone; they are then its input's.
  bool PassesSlicesOn(const Node& node);
  // What arrived at the Exits of a loop, by its variables.
  std::vector<Output> ExitGradients(int loop);
  // Finds where nodes use what exists outside of their branch, as those of a gradient in a file of TensorFlow's do.
  void FindBorders();
  // A gradient by `x` that comes from `consumer`: zeros where that does not run and x exists.
  SlicesOrDense Complete(const SlicesOrDense& gradient, const Node& consumer, Output x);
  SlicesOrDense GradientOfX(Output x);

  GradientWalks& walks_;
  Graph& graph_;
  const int level_;
  const bool is_outermost_;
  absl::Span<const Output> ys_;
  absl::Span<const Output> xs_;
  absl::Span<const Output> grad_ys_;
  const absl::flat_hash_set<Output> stopped_;
  const GradientPath path_;
  absl::flat_hash_map<Output, std::vector<Output>> gradients_;
  absl::flat_hash_map<Output, std::vector<IndexedSlices>> slices_;
  // What a consumer needs and an input of its does not; most have nothing of that kind.
  absl::flat_hash_map<std::pair<const Node*, Output>, std::vector<Literal>> borders_;
  std::vector<std::string> failures_;
};

// A gradient as one tensor.
Output Densify(const SlicesOrDense& gradient);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_BACKPROP_H_
