// FindLoops: the frames of TensorFlow's while loops. Enter nodes with one frame name lead into one loop, Exit nodes out
// of it; everything between belongs to it.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "graph/loop_frames.h"
#include "graph/status.h"
#include "runtime/schedule.h"

namespace staticflow {

absl::Status FindLoops(OrderGraph& graph) {
  std::map<std::pair<int, std::string>, int> by_name;
  std::vector<int> result_frame(graph.items.size(), 0);  // where what an item gives is used
  for (int i = 0; i < graph.size(); ++i) {
    OrderGraph::Item& entry = graph.items[i];
    Node* node = entry.item.node;
    for (int before : entry.item.before) {
      const int frame = result_frame[before];
      if (frame == 0 || frame == entry.frame) continue;
      if (entry.frame != 0 && graph.items[before].item.node->op().is(OpRole::kEnter) == false) {
        return absl::InvalidArgumentError(absl::StrCat(node->DebugName(), ": its inputs come from different loops"));
      }
      entry.frame = frame;
    }
    result_frame[i] = entry.frame;
    if (node->op().is(OpRole::kEnter)) {
      const auto key = std::make_pair(entry.frame, node->attr<std::string>("frame_name"));
      auto [it, inserted] = by_name.try_emplace(key, static_cast<int>(graph.frames.size()));
      if (inserted) graph.frames.push_back({.parent = entry.frame});
      result_frame[i] = it->second;
    } else if (node->op().is(OpRole::kExit)) {
      if (entry.frame == 0) return absl::InvalidArgumentError(absl::StrCat(node->DebugName(), ": it is in no loop"));
      result_frame[i] = graph.frames[entry.frame].parent;
    }
    OrderGraph::Frame& frame = graph.frames[entry.frame];
    if (node->op().is(OpRole::kLoopCond)) frame.condition = node;
    const bool is_header =
        node->op().is(OpRole::kMerge) && std::any_of(node->inputs().begin(), node->inputs().end(),
                                                     [&](Output input) { return IsBackEdge(input, *node); });
    if (!is_header) continue;
    if (entry.frame == 0 || node->num_inputs() != 2 || !IsBackEdge(node->input(1), *node)) {
      return absl::InvalidArgumentError(
          absl::StrCat(node->DebugName(), ": a loop's Merge takes an Enter and a NextIteration"));
    }
    frame.merges.push_back(node);
  }
  for (const OrderGraph::Frame& frame : graph.frames) {
    if (!frame.merges.empty() && frame.condition == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(frame.merges[0]->DebugName(), ": its loop has no LoopCond"));
    }
  }
  return absl::OkStatus();
}

}  // namespace staticflow
