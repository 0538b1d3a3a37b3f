// Batch dependence: whether row i of a result depends on row i of a batch alone.
//
//   SF_ASSIGN_OR_RETURN(BatchDependence d, AnalyzeBatchDependence(logits, 0, {.feeds = {{is_training, true}}}));
//   d.verdict      // kDepends
//   d.reason       // "Mean over axis 0 in batch_normalization_1/moments/mean"
//   d.path         // from that node to the fetch, each a consumer of the one before
//
// The proof walks the graph once and knows of every tensor one of four things (BatchRows): it holds no data of the
// batch, its examples lie along one dimension, examples are mixed, or nothing is known. Each op says how it passes that
// on (OpSpec::batch); element-wise ops, transposes, products and all that depends on shapes alone need not. A variable
// holds no data of the batch unless this very step writes some into it before it is read; what a cond chooses by data
// of the batch is mixed; loops are followed until nothing changes. "Independent" is a proof for batches of two and more
// examples of one size; "depends" says that examples meet on the way, not that the numbers must differ.
//
// Functions only read the graph and may be called from any thread while nobody adds nodes.
// ops/diagnostics/batch_confirmation.h checks a verdict with numbers.
#ifndef STATICFLOW_GRAPH_BATCH_DEPENDENCE_H_
#define STATICFLOW_GRAPH_BATCH_DEPENDENCE_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

// What is known of one tensor. A cheap value.
struct BatchRows {
  enum Kind {
    kNone,      // never computed: in a branch that is not taken
    kConstant,  // holds no data of the batch
    kRows,      // the examples lie along dimension `axis`
    kUnknown,   // an op on the way says nothing
    kMixed,     // an element may depend on several examples
  };
  Kind kind = kNone;
  int axis = 0;
  // Dimension `axis` has outer * N * inner elements for N examples; element k belongs to example (k / inner) % N. Both
  // are 1 unless a reshape, a concatenation or a tile put other dimensions into this one.
  int64_t outer = 1;
  int64_t inner = 1;

  static BatchRows Constant() { return {.kind = kConstant}; }
  static BatchRows Unknown() { return {.kind = kUnknown}; }
  static BatchRows Mixed() { return {.kind = kMixed}; }
  static BatchRows Along(int axis, int64_t outer = 1, int64_t inner = 1) { return {kRows, axis, outer, inner}; }

  bool is_constant() const { return kind == kConstant; }
  bool is_rows() const { return kind == kRows; }
  // Rows that lie along `new_axis` and are else the same.
  BatchRows At(int new_axis) const { return Along(new_axis, outer, inner); }
  // What is known of a tensor that may be this or the other.
  BatchRows Join(const BatchRows& other) const;
  std::string ToString() const;  // "constant", "rows along 0", "rows along 0 (2 x N x 3)", "mixed", "unknown"
  friend bool operator==(const BatchRows&, const BatchRows&) = default;
};

// What a rule (OpSpec::batch) sees and sets, for one node. Every output must be set.
//
//   // Reverses the dimensions that input 1 names.
//   void ReverseBatch(BatchContext& c) {
//     const std::optional<std::vector<int64_t>> axes = c.Integers(1);
//     if (!axes.has_value()) return c.Unknown("its axes are not constant");
//     if (c.IsAmong(*axes, 0)) return c.Mix("along the examples");
//     c.set_output(0, c.input(0));
//   }
class BatchContext {
 public:
  // What the analysis knows of the node; nothing is copied. `values` has null for what is not known.
  BatchContext(const Node& node, absl::Span<const BatchRows> inputs, absl::Span<const Tensor* const> values)
      : node_(node), inputs_(inputs), values_(values), outputs_(static_cast<size_t>(node.num_outputs())) {}

  const Node& node() const { return node_; }
  template <typename T>
  const T& attr(absl::string_view name) const {
    return node_.attr<T>(name);
  }
  int num_inputs() const { return node_.num_inputs(); }
  int num_outputs() const { return node_.num_outputs(); }

  // Input i; of a variable, what it holds when this node runs. Never kNone.
  const BatchRows& input(int i) const { return inputs_[static_cast<size_t>(i)]; }
  const Shape& input_shape(int i) const { return node_.input(i).shape(); }
  const Shape& output_shape(int i) const { return node_.output_shape(i); }
  // The value of input i where the graph or an assumption gives it, else null; its integers.
  const Tensor* value(int i) const { return values_[static_cast<size_t>(i)]; }
  std::optional<std::vector<int64_t>> Integers(int i) const;
  // Whether input i is rows along one of `axes`, which may be negative. REQUIRES: input(i).is_rows().
  bool IsAmong(absl::Span<const int64_t> axes, int i) const;
  // `axis` counted from the front in a tensor of input i's rank; nullopt when it is negative and the rank is unknown.
  std::optional<int> Axis(int64_t axis, int i) const;

  // Whether every input in [first, last) holds no data of the batch; last < 0: to the end.
  bool AreConstant(int first = 0, int last = -1) const;
  // The one place where the examples lie in all inputs that `which` lists and that are not constant: rows, or constant
  // if all are. Sets all outputs and returns nullopt if an input is mixed or unknown, or if the places differ.
  std::optional<BatchRows> Agreeing(absl::Span<const int> which);
  // The same, with the dimensions of the inputs aligned from the right, as broadcasting does, in a result of rank
  // `rank` (unknown: -1).
  std::optional<BatchRows> AgreeingBroadcast(absl::Span<const int> which, int rank);

  void set_output(int i, const BatchRows& rows) { outputs_[static_cast<size_t>(i)] = rows; }
  void set_all(const BatchRows& rows) { outputs_.assign(outputs_.size(), rows); }
  // All outputs: constant if all inputs are, else mixed or unknown, as the worst of the inputs tells.
  void SetWorst();
  // All outputs are mixed by this very node, whose reason reads "Mean over axis 0"; inputs that are unknown make them
  // unknown. Constant if all inputs are.
  void Mix(absl::string_view how);
  // All outputs are unknown because of this very node, unless an input is mixed. Constant if all inputs are.
  void Unknown(absl::string_view why);

  const std::vector<BatchRows>& outputs() const { return outputs_; }
  const std::string& reason() const { return reason_; }
  // The value of output i, for what decides conds: a negated predicate that is known is known.
  void set_value(int i, Tensor value) { output_values_.emplace_back(i, std::move(value)); }
  const std::vector<std::pair<int, Tensor>>& output_values() const { return output_values_; }

 private:
  const Node& node_;
  absl::Span<const BatchRows> inputs_;
  absl::Span<const Tensor* const> values_;
  std::vector<BatchRows> outputs_;
  std::vector<std::pair<int, Tensor>> output_values_;
  std::string reason_;
};

// Rows of a tensor of shape `from` after a reshape to `to`; unknown where the shapes tell too little, mixed where an
// example is spread over several dimensions.
BatchRows ReshapeBatch(const BatchRows& rows, const Shape& from, const Shape& to);

// Rules for op families; each sets all outputs. The first is the default of ops with the trait kElementwise.
void ElementwiseBatch(BatchContext& c);
// A product of inputs whose dimensions have letters, "mk,kn->mn": letters that the result lacks are summed over.
void ContractBatch(BatchContext& c, absl::string_view equation);

// How an op passes rows on: for reports and for the test that no op stays silent.
enum class BatchRule { kDeclared, kDefault, kNone };
BatchRule BatchRuleOf(const Op& op);

enum class BatchVerdict { kIndependent, kDepends, kUnknown };
absl::string_view BatchVerdictName(BatchVerdict verdict);  // "independent", "depends", "unknown"

// A tensor that carries the batch, one example per index of dimension `axis`.
struct BatchInput {
  Output output;
  int axis = 0;
};

struct BatchDependenceOptions {
  // Which tensors carry the batch. Empty: placeholders that the fetch needs whose first dimension (or rank) is unknown,
  // predicates aside; if there is none, those whose first dimension is as long as the first such placeholder's.
  std::vector<BatchInput> batch = {};
  // Tensors with an assumed value: {{is_training, false}}. What is fed besides holds no data of the batch.
  std::vector<std::pair<Output, Tensor>> feeds = {};
};

struct BatchDependence {
  BatchVerdict verdict = BatchVerdict::kUnknown;
  // In one sentence why, "Mean over axis 0 in bn/moments/mean"; what the fetch holds when it is independent.
  std::string reason;
  // From the node where examples meet (or of which nothing is known) to the fetch's node; empty when independent.
  std::vector<const Node*> path;
  BatchRows rows;                 // what is known of the fetch
  std::vector<BatchInput> batch;  // what carried the batch
  // Where a predicate without assumed value decides the verdict: the verdict for each of its values. The verdict above
  // then holds for whichever value it takes.
  struct Mode {
    Output predicate;
    bool value = false;
    BatchVerdict verdict = BatchVerdict::kUnknown;
    std::string reason;
  };
  std::vector<Mode> modes;

  std::string ToString() const;  // a few lines
};

// Whether index i of the fetch's dimension `axis` depends on example i alone. Rows of a flattened batch count as rows
// of their example (see BatchRows::inner). A fetch without data of the batch is independent.
// The graph's first building error, if it has one. InvalidArgument: an invalid fetch, an axis that the fetch does not
// have, a batch input or assumed tensor of another graph.
absl::StatusOr<BatchDependence> AnalyzeBatchDependence(Output fetch, int axis = 0,
                                                       const BatchDependenceOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_BATCH_DEPENDENCE_H_
