// DoubleTwin: a copy of what some outputs need, in which every floating type is double as far as the ops allow it.
//
//   SF_ASSIGN_OR_RETURN(std::unique_ptr<DoubleTwin> twin, DoubleTwin::Create({loss}));
//   Output same_loss = twin->Of(loss);
//   Session session(twin->graph());
//   SF_RETURN_IF_ERROR(twin->CopyVariables(user_session, session));
//
// Nodes keep their names and lines. An op that takes no double keeps its type and gets Casts around it. Control edges
// to updates of variables are left out: a twin computes, it does not train.
//
// Not thread-safe; the original graph must not change meanwhile.
#ifndef STATICFLOW_OPS_DIAGNOSTICS_DOUBLE_TWIN_H_
#define STATICFLOW_OPS_DIAGNOSTICS_DOUBLE_TWIN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

class Session;

// `tensor` with floating elements as double; any other as it is.
absl::StatusOr<Tensor> InDouble(const Tensor& tensor);

class DoubleTwin {
 public:
  // REQUIRES: valid outputs of one graph. Unimplemented when the copy cannot be built, naming the node.
  static absl::StatusOr<std::unique_ptr<DoubleTwin>> Create(absl::Span<const Output> outputs);

  Graph& graph() { return graph_; }
  // The twin of an output; invalid when nothing that was asked for needs it.
  Output Of(Output original) const;
  // Nodes of the twin, by DebugName, that go on computing in less than double.
  const std::vector<std::string>& narrow() const { return narrow_; }
  bool has_random() const { return has_random_; }

  // Gives every variable of the twin the value that it has in the `from` session.
  // FailedPrecondition for a variable that has none there.
  absl::Status CopyVariables(Session& from, Session& to) const;

 private:
  absl::Status Build(absl::Span<const Output> outputs);
  absl::Status Add(const Node& node);
  absl::StatusOr<Output> InputFor(const Node& node, int i, DataType dtype);

  Graph graph_;
  absl::flat_hash_map<const Node*, Node*> twins_;
  absl::flat_hash_map<Output, Output> casts_;
  std::vector<Node*> variables_;  // of the twin
  std::vector<std::string> narrow_;
  bool has_random_ = false;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_DIAGNOSTICS_DOUBLE_TWIN_H_
