// Graph: a program as data. Nodes are added and never removed; each is an op applied to outputs of other nodes.
//
//   Graph g;
//   Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 784}, .name = "x"});
//   Output y = Relu(MatMul(x, w) + b);
//   if (!g.status().ok()) ...   // the first mistake, with the line that made it
//
// Errors while building stick: the first one is kept with the caller's file and line, everything built on its result
// is silently invalid, and each boundary (Gradients, Prepare, ToGraphDef, Save) returns it.
//
// Thread-safety: a Graph may be built from one thread at a time. Reading it (also by sessions that run it) is safe
// from any number of threads while nobody adds nodes.
#ifndef STATICFLOW_GRAPH_GRAPH_H_
#define STATICFLOW_GRAPH_GRAPH_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/attr.h"
#include "graph/op.h"
#include "graph/shape.h"
#include "graph/tensor.h"

namespace staticflow {

class ControlFlowContext;  // graph/control_flow.h
class Graph;
class Node;
class VariableScopeState;  // graph/variable_scope.h

// One output of a node: what an edge carries. A cheap value; invalid when default-constructed or after an error.
class Output {
 public:
  Output() = default;
  Output(Node* node, int index) : node_(node), index_(index) {}

  bool valid() const { return node_ != nullptr; }
  explicit operator bool() const { return valid(); }
  Node* node() const { return node_; }
  int index() const { return index_; }
  // The following REQUIRE valid().
  Graph& graph() const;
  DataType dtype() const;
  bool is_ref() const;  // a reference to a variable, as TensorFlow's float_ref
  const Shape& shape() const;
  std::string name() const;  // "dense/MatMul:0"

  friend bool operator==(Output a, Output b) { return a.node_ == b.node_ && a.index_ == b.index_; }
  template <typename H>
  friend H AbslHashValue(H h, Output o) {
    return H::combine(std::move(h), o.node_, o.index_);
  }

 private:
  Node* node_ = nullptr;
  int index_ = 0;
};

// A node as something to run. Converts from an Output, whose node it then is.
class Operation {
 public:
  Operation() = default;
  Operation(Node* node) : node_(node) {}              // NOLINT
  Operation(Output output) : node_(output.node()) {}  // NOLINT

  bool valid() const { return node_ != nullptr; }
  Node* node() const { return node_; }
  const std::string& name() const;  // REQUIRES: valid()
  friend bool operator==(Operation a, Operation b) { return a.node_ == b.node_; }

 private:
  Node* node_ = nullptr;
};

// What builders take for a tensor: an Output or a number (which becomes a Const of the other operand's type), and the
// caller's line, for error messages.
class Operand {
 public:
  using Where = std::source_location;
  Operand(Output output, Where where = Where::current()) : output_(output), where_(where) {}  // NOLINT
  Operand(double value, Where where = Where::current())                                       // NOLINT
      : number_(value), is_number_(true), where_(where) {}
  Operand(float value, Where where = Where::current()) : Operand(double{value}, where) {}  // NOLINT
  Operand(int value, Where where = Where::current()) : Operand(double(value), where) {}    // NOLINT

  bool is_number() const { return is_number_; }
  double number() const { return number_; }
  Output output() const { return output_; }
  const Where& where() const { return where_; }

 private:
  Output output_;
  double number_ = 0;
  bool is_number_ = false;
  Where where_;
};

// The place where a node was built; file is empty for nodes that came from a file.
struct SourceLine {
  std::string file;  // without its directories
  int line = 0;
};

// An op applied to outputs of other nodes. Its graph owns it and never moves or removes it.
class Node {
 public:
  const std::string& name() const { return name_; }
  const Op& op() const { return *op_; }
  const std::string& type() const { return op_->name(); }
  int id() const { return id_; }  // position in Graph::nodes()
  Graph& graph() const { return *graph_; }

  absl::Span<const Output> inputs() const { return inputs_; }
  Output input(int i) const { return inputs_[i]; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  absl::Span<Node* const> control_inputs() const { return control_inputs_; }

  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  Output output(int i) const { return Output(const_cast<Node*>(this), i); }
  DataType output_dtype(int i) const { return outputs_[i].dtype; }
  bool output_is_ref(int i) const { return outputs_[i].is_ref; }
  const Shape& output_shape(int i) const { return outputs_[i].shape; }
  // Sharpens what is known of output i; InvalidArgument when it contradicts what is known already.
  absl::Status MergeOutputShape(int i, const Shape& shape);

  const AttrMap& attrs() const { return attrs_; }
  // REQUIRES: the op's definition has the attribute, with that type.
  template <typename T>
  const T& attr(absl::string_view name) const {
    return FindAttr(name).get<T>();
  }
  bool has_attr(absl::string_view name) const { return attrs_.contains(name); }
  // Adds or replaces an attribute that is no part of the op's definition ("_class", "_output_shapes", ...).
  void SetExtraAttr(absl::string_view name, AttrValue value) { attrs_[name] = std::move(value); }
  // [first, last) input indices of the argument `name`, which may be a list.
  std::pair<int, int> InputRange(absl::string_view name) const;

  const std::string& device() const { return device_; }
  void set_device(std::string device) { device_ = std::move(device); }
  const SourceLine& where() const { return where_; }
  ControlFlowContext* context() const { return context_; }
  void set_context(ControlFlowContext* context) { context_ = context; }

  // "MatMul 'dense/MatMul' (model.cc:41)", the start of every message about a node.
  std::string DebugName() const;

  // An edge of a loop leads backwards, so it is set after both ends exist (Merge <- NextIteration).
  // InvalidArgument when the types differ.
  absl::Status ReplaceInput(int i, Output output);
  void AddControlInput(Node* node);

 private:
  friend class Graph;
  friend class FunctionInliner;
  struct OutputInfo {
    DataType dtype;
    bool is_ref;
    Shape shape;
  };
  const AttrValue& FindAttr(absl::string_view name) const;

  Graph* graph_ = nullptr;
  const Op* op_ = nullptr;
  int id_ = 0;
  std::string name_;
  std::vector<Output> inputs_;
  std::vector<Node*> control_inputs_;
  std::vector<OutputInfo> outputs_;
  AttrMap attrs_;
  std::string device_;
  SourceLine where_;
  ControlFlowContext* context_ = nullptr;
};

// Collection keys, as tf.GraphKeys spells them.
inline constexpr absl::string_view kUpdateOps = "update_ops";
inline constexpr absl::string_view kGlobalVariables = "variables";
inline constexpr absl::string_view kTrainableVariables = "trainable_variables";
inline constexpr absl::string_view kLocalVariables = "local_variables";
inline constexpr absl::string_view kLosses = "losses";
inline constexpr absl::string_view kRegularizationLosses = "regularization_losses";
inline constexpr absl::string_view kTrainOp = "train_op";
inline constexpr absl::string_view kSummaries = "summaries";
inline constexpr absl::string_view kGlobalStep = "global_step";

// A member of a collection: an operation, or one of its outputs.
struct CollectionItem {
  Node* node = nullptr;
  int output = -1;  // -1: the operation itself
  CollectionItem() = default;
  CollectionItem(Operation op) : node(op.node()) {}                      // NOLINT
  CollectionItem(Output out) : node(out.node()), output(out.index()) {}  // NOLINT
  operator Operation() const { return Operation(node); }                 // NOLINT
  Output AsOutput() const { return Output(node, output < 0 ? 0 : output); }
  std::string name() const;  // "node" or "node:0"
};

// The gradients by a node's inputs from those by its outputs, in place of the op's own (tf.custom_gradient).
using CustomGradient = std::function<std::vector<Output>(absl::Span<const Output> output_gradients)>;

// A variable of the graph, as tf.Variable: several nodes that belong together.
struct Variable {
  Node* variable = nullptr;     // VariableV2 or VarHandleOp
  Node* initializer = nullptr;  // assigns initial_value
  Output initial_value;
  Output snapshot;  // the value: `name/read` or a ReadVariableOp
  DataType dtype = DT_INVALID;
  Shape shape;
  bool trainable = true;
  bool is_resource = false;
  std::function<Output(Output)> constraint = nullptr;  // what each optimizer step ends with: w = constraint(w)

  const std::string& name() const { return variable->name(); }  // without ":0"
  Output ref() const { return variable->output(0); }
};

// Everything AddNode needs to know.
struct NodeDefinition {
  std::string name = "";  // complete and unique within the graph
  const Op* op = nullptr;
  std::vector<Output> inputs = {};
  std::vector<Node*> control_inputs = {};
  AttrMap attrs = {};  // missing ones take their defaults, type attributes may be left out: the inputs tell them
  std::string device = "";
  SourceLine where = {};
};

class Graph {
 public:
  struct Options {
    int64_t seed = 87654321;  // the graph-level seed; TensorFlow's default seed where only op seeds are given
  };
  Graph() : Graph(Options()) {}
  explicit Graph(Options options);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // The first error made while building, or OK.
  const absl::Status& status() const { return status_; }
  // Keeps `error` unless one is kept already.
  void RecordError(absl::Status error);

  // Checks the definition against the op (arity, types, attributes), infers the output shapes and adds the node.
  // Scopes and contexts play no part here: this is what builders and the importer stand on.
  // InvalidArgument names the node, what was expected and what came; the graph is unchanged then.
  absl::StatusOr<Node*> AddNode(NodeDefinition definition);
  // The same for a node one of whose inputs does not exist yet (Merge in a loop): input `i` is left invalid until
  // ReplaceInput gives it.
  absl::StatusOr<Node*> AddNodeWithBackEdge(NodeDefinition definition, absl::Span<const int> missing_inputs,
                                            absl::Span<const DataType> missing_types);

  absl::Span<const std::unique_ptr<Node>> nodes() const { return nodes_; }
  int num_nodes() const { return static_cast<int>(nodes_.size()); }
  // Null when there is none.
  Node* FindNode(absl::string_view name) const;
  // "node:1", or "node" for output 0. NotFound when the node is missing, InvalidArgument for a bad index.
  absl::StatusOr<Output> FindOutput(absl::string_view name) const;

  // A name that no node and no scope has: `name` inside the current name scope, then with _1, _2, ... A name that ends
  // with '/' is taken as it is (without the slash). `mark_as_used` as in tf.Graph.unique_name.
  std::string UniqueName(absl::string_view name, bool mark_as_used = true);
  // "" or "scope/sub/" - with the slash.
  const std::string& name_scope() const { return name_scope_; }
  void set_name_scope(std::string scope) { name_scope_ = std::move(scope); }

  const std::vector<CollectionItem>& collection(absl::string_view key) const;
  void AddToCollection(absl::string_view key, CollectionItem item);
  std::vector<std::string> collection_keys() const;
  // Collections this library does not interpret, as serialized CollectionDef messages by key; they survive a round
  // trip.
  std::map<std::string, std::string, std::less<>>& opaque_collections() { return opaque_collections_; }
  const std::map<std::string, std::string, std::less<>>& opaque_collections() const { return opaque_collections_; }

  // All variables in the order they were created. The deque keeps pointers to them valid.
  const std::deque<Variable>& variables() const { return variables_; }
  Variable& AddVariable(Variable variable, absl::Span<const absl::string_view> collections);
  // The members of a collection of variables ("variables", "trainable_variables", ...).
  std::vector<const Variable*> variables(absl::string_view collection_key) const;
  // The variable that `node` declares or reads; null when it is none of ours.
  const Variable* FindVariable(const Node* node) const;

  // The open ControlDependencies scopes, outermost first. A new node takes on the nodes of every scope in which none
  // of its inputs was built (an input that was waits for them already), as TensorFlow does.
  struct ControlScope {
    std::vector<Node*> nodes;
    int first_inside = 0;  // nodes with this id or a later one were built inside the scope
  };
  std::vector<ControlScope>& control_scopes() { return control_scopes_; }
  // The branch or loop that is being built, or null.
  ControlFlowContext* context() const { return context_; }
  void set_context(ControlFlowContext* context) { context_ = context; }
  // Takes over a context, which then lives as long as the graph.
  ControlFlowContext* AdoptContext(std::unique_ptr<ControlFlowContext> context);
  absl::Span<const std::unique_ptr<ControlFlowContext>> contexts() const { return contexts_; }
  // The open variable scopes, and the variables that they may share: graph/variable_scope.h.
  VariableScopeState& variable_scope_state() { return *variable_scope_state_; }

  // While set, builders give new nodes this line instead of their caller's: nodes that the library derives from
  // another node (gradients, slots) answer for that node's line.
  const std::optional<SourceLine>& line_override() const { return line_override_; }
  void set_line_override(std::optional<SourceLine> line) { line_override_ = std::move(line); }

  int64_t seed() const { return seed_; }
  void set_seed(int64_t seed) { seed_ = seed; }
  // The (seed, seed2) attributes of a random op, by TensorFlow's rule: (graph seed, op seed), where an op without a
  // seed takes the number of nodes so far. Deterministic always: a program gives the same numbers in every run.
  std::pair<int64_t, int64_t> OpSeeds(int64_t op_seed = 0);

  // Null when `node` is differentiated as its op says.
  const CustomGradient* FindCustomGradient(const Node& node) const;
  void SetCustomGradient(const Node& node, CustomGradient gradient);

  // The function library as a serialized FunctionDefLibrary, for graphs that call functions.
  std::string& function_library() { return function_library_; }
  const std::string& function_library() const { return function_library_; }

 private:
  friend class GraphImporter;    // takes back the nodes of a file that turns out to be wrong
  friend class FunctionInliner;  // graph/function_inliner.h: replaces calls by what they compute
  struct Index;                  // graph/graph_index.h
  static absl::Status InferNodeShapes(Node& node);

  absl::Status status_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<Index> index_;  // what is looked up by name
  std::string name_scope_;
  std::vector<ControlScope> control_scopes_;
  ControlFlowContext* context_ = nullptr;
  std::optional<SourceLine> line_override_;
  std::vector<std::unique_ptr<ControlFlowContext>> contexts_;
  std::unique_ptr<VariableScopeState> variable_scope_state_;
  std::map<std::string, std::string, std::less<>> opaque_collections_;
  std::deque<Variable> variables_;
  std::string function_library_;
  int64_t seed_;
};

// Nodes built while it lives are named `name/...`; a name in use becomes `name_1`.
//   { NameScope scope(g, "tower"); Relu(x); }   ->  "tower/Relu"
class NameScope {
 public:
  // `name` ending with '/' re-enters that scope without making it unique; "" returns to the root.
  NameScope(Graph& g, absl::string_view name);
  ~NameScope();
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;
  const std::string& name() const { return name_; }  // "tower/"

 private:
  Graph& graph_;
  std::string outer_;
  std::string name_;
};

// Nodes built while it lives run after `operations`. Scopes nest and add up; kClear starts from none (and leaves any
// branch that is being built), as tf.control_dependencies(None).
class ControlDependencies {
 public:
  struct Clear {};
  static constexpr Clear kClear = {};

  template <typename Range>
  ControlDependencies(Graph& g, const Range& operations) : ControlDependencies(g) {
    for (const auto& operation : operations) Add(Operation(operation));
  }
  ControlDependencies(Graph& g, std::initializer_list<Operation> operations) : ControlDependencies(g) {
    for (Operation operation : operations) Add(operation);
  }
  ControlDependencies(Graph& g, Clear);
  ~ControlDependencies();
  ControlDependencies(const ControlDependencies&) = delete;
  ControlDependencies& operator=(const ControlDependencies&) = delete;

 private:
  explicit ControlDependencies(Graph& g);
  void Add(Operation operation);

  Graph& graph_;
  std::vector<Graph::ControlScope> outer_;
  ControlFlowContext* outer_context_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_GRAPH_H_
