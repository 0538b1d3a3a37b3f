// BatchFlow: the fixed point behind AnalyzeBatchDependence, what is known of every tensor that a fetch needs.
//
//   BatchFlow flow(fetch, settings);
//   flow.Of(fetch);                 // rows along 0
//   flow.Sources(node, kind);       // the nodes that made an input of `node` so
//
// Nodes are visited in an order in which inputs come first; loops are swept again until nothing changes. What is known
// only grows, from "never computed" towards "mixed", so that this ends.
#ifndef STATICFLOW_GRAPH_BATCH_FLOW_H_
#define STATICFLOW_GRAPH_BATCH_FLOW_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "graph/batch_dependence.h"

namespace staticflow {

// The op's own rule, or what its traits, role and form say.
void ApplyBatchRule(BatchContext& c);

class BatchFlow {
 public:
  struct Settings {
    absl::flat_hash_map<Output, int> batch;      // tensors that carry the batch, and along which dimension
    absl::flat_hash_map<Output, Tensor> values;  // tensors of assumed value
  };
  BatchFlow(Output fetch, Settings settings);

  // kNone for what the fetch does not need or never computes.
  BatchRows Of(Output output) const;
  // The needed nodes, inputs first.
  const std::vector<Node*>& nodes() const { return nodes_; }
  // The nodes through which data of this kind came to `node`: they are of that kind themselves.
  std::vector<const Node*> Sources(const Node& node, BatchRows::Kind kind) const;
  // Whether the node itself first made its result so, and why.
  bool IsToBlame(const Node& node, BatchRows::Kind kind) const;
  std::string Reason(const Node& node) const;
  // The constant that `output` is, by the graph or by assumption; null when neither tells.
  const Tensor* Value(Output output) const;

 private:
  // A branch of a cond whose predicate holds data of the batch.
  using Condition = std::pair<Output, bool>;
  struct Facts {
    bool lives = false;  // not in a branch that is never taken
    std::vector<BatchRows> outputs;
    std::vector<Condition> conditions;  // that decide whether it runs
    std::vector<uint64_t> writers;      // a bit for each writer of variables that runs before it
    int writer = -1;                    // its own position in writers_
    BatchRows written;                  // what it leaves in the variables that it writes
    // Why this very node made something unknown or mixed, and which of the two; its inputs were neither then.
    std::string reason;
    BatchRows::Kind blamed = BatchRows::kNone;
  };
  // A node that writes variables, and their declarations.
  struct Writer {
    const Node* node;
    std::vector<Node*> variables;
  };

  void FindWriters();
  std::optional<BatchRows> Given(Output output) const;
  const Facts* Find(const Node& node) const;
  Facts& FactsOf(const Node& node) { return facts_[static_cast<size_t>(rank_[static_cast<size_t>(node.id())])]; }

  // These return whether anything became known.
  bool Visit(const Node& node);
  bool VisitMerge(const Node& node, Facts* facts);
  bool InheritWriters(const Node& node, Facts* facts) const;
  bool InheritConditions(const Node& node, Facts* facts) const;
  bool InheritThroughMerge(const Node& node, Facts* facts, BatchRows* chosen_by) const;
  static bool Update(BatchRows* rows, const BatchRows& more);
  void Blame(const Node& node, BatchRows::Kind kind, absl::string_view reason, Facts* facts) const;

  bool Lives(const Node& node) const;
  bool SizesAgree(const Node& merge, int axis) const;
  std::vector<Condition> ConditionsOf(Output edge) const;
  // What input i holds when `node` runs, the writes before it included.
  BatchRows Input(const Node& node, int i) const;
  template <typename F>
  void ForEachWriterBefore(const Node& node, int i, F f) const;
  BatchRows Written(const Node& node) const;
  BatchRows Stored(const Node& pop) const;
  BatchContext RunRule(const Node& node, std::vector<BatchRows>* inputs, std::vector<const Tensor*>* values) const;

  Settings settings_;
  std::vector<Node*> nodes_;
  std::vector<int> rank_;  // by node id: position in nodes_, or -1
  std::vector<Facts> facts_;
  std::vector<Writer> writers_;
  std::vector<const Node*> pushes_;
  absl::flat_hash_map<Output, Tensor> computed_values_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_BATCH_FLOW_H_
