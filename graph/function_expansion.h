// FunctionInliner: one call of InlineCalls (function_inliner.h) while it works. Used by the function_*.cc files
// and variable_choice.cc alone.
#ifndef STATICFLOW_GRAPH_FUNCTION_EXPANSION_H_
#define STATICFLOW_GRAPH_FUNCTION_EXPANSION_H_

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "graph/function_body.h"
#include "graph/function_inliner.h"
#include "graph/signature.h"

namespace staticflow {

class FunctionInliner {
 public:
  // `names` is a graph whose node names are not given to new nodes.
  FunctionInliner(Graph& g, const Graph& names, const InlineLimits& limits)
      : g_(g), names_(names), limits_(limits), functions_(g.function_library()), first_new_(g.num_nodes()) {}

  absl::Status Inline(absl::Span<Node* const> calls);
  // Calls of functions with a gradient function in the library stay, with that as their gradient.
  void KeepCustomGradients() { keeps_custom_gradients_ = true; }

  // Lets all but `kept` pass by the stand-ins of `calls` that wait for nothing, so that a result is computed without
  // the others. REQUIRES: Inline(calls) was OK.
  void PassBy(absl::Span<Node* const> calls, absl::Span<const Output> kept);

  // Lets each node that uses a variable which the step chooses become one node for each variable that may be chosen,
  // and a Merge of what they give: see variable_choice.cc. Users of the outputs in `kept` stay.
  absl::Status ChooseVariables(absl::Span<const Output> kept);

  // Copies of `nodes` and all they depend on, in a graph of their own.
  static InlinedCopy Copy(const Graph& g, absl::Span<Node* const> nodes, std::shared_ptr<Graph> copy);

 private:
  // Adds to `copy`, made of `g`, what of the variables and collections it has the nodes of.
  static void CopyCollections(const Graph& g, const InlinedCopy& made, Graph& copy);
  // A call in the graph, or in a body that is being expanded.
  struct CallSite {
    std::string name;
    const Op* op = nullptr;     // null: `function` is called by its name
    FunctionRef function = {};  // of a call by name
    AttrMap attrs = {};
    std::vector<Output> inputs = {};
    std::vector<Node*> controls = {};
    Node* pivot = nullptr;  // what the nodes without inputs of the body around it wait for
  };
  // What a call or a body gives: its results, and nodes that must have run.
  struct Expansion {
    std::vector<Output> outputs = {};
    std::vector<Node*> effects = {};
  };
  // A call of the graph that is to become an IdentityN, after its new nodes [begin, end).
  struct Replacement {
    Node* call = nullptr;
    Expansion expansion = {};
    int begin = 0;
    int end = 0;
  };
  // A body while its nodes are placed.
  struct Placement;
  // How a loop carries its values; see function_lowering.cc.
  struct Loop;
  // How a For counts: where to, by how much, and whether that is up or down.
  struct Count {
    Output limit, delta, up, down;
    Node* check = nullptr;  // fails unless counting leads to the limit
  };

  // function_inliner.cc: the graph around the calls.
  absl::Status InlineAll(absl::Span<Node* const> calls);
  absl::StatusOr<Replacement> InlineOne(Node& call);
  void Commit(const Replacement& replacement);
  // Puts the new nodes in front of the calls that they belong to.
  void Reorder(absl::Span<const Replacement> replacements);
  void TakeBack();
  // Infers the shapes of `node` again; what is known otherwise stays.
  absl::Status SharpenShapes(Node& node);

  // function_expansion.cc: one call, one body.
  absl::StatusOr<Expansion> ExpandCall(const CallSite& site);
  // The nodes of a function, named `prefix`NODE; `pivot` (may be null) is what those without inputs wait for.
  absl::StatusOr<Expansion> ExpandFunction(const FunctionRef& function, std::vector<Output> arguments,
                                           const std::string& prefix, Node* pivot);
  absl::StatusOr<Expansion> ExpandBody(const FunctionBody& body, const AttrMap& binding,
                                       const std::vector<Output>& arguments, const std::string& prefix, Node* pivot);
  absl::Status PlaceNode(int index, Placement& placement);
  absl::Status AddControls(const BodyNode& node, Placement& placement, CallSite* site);
  absl::Status PlaceCall(const BodyNode& node, CallSite site, int index, Placement& placement);
  absl::StatusOr<Node*> NodeOf(int index, Placement& placement);
  // What a call becomes: an IdentityN of its results, or a NoOp.
  absl::StatusOr<Node*> AddStandIn(const std::string& name, std::vector<Output> outputs, std::vector<Node*> effects);
  absl::Status CloseLoops(Placement& placement);
  absl::StatusOr<std::vector<Output>> Resolve(const BodySource& source, const Placement& placement) const;
  // The types of the results that the call says it has.
  absl::StatusOr<std::vector<ArgType>> CheckCall(CallSite* site);
  absl::Status CheckResults(const Expansion& expansion, absl::Span<const ArgType> types) const;

  // function_gradient_calls.cc: calls that have to do with gradients.
  // Whether the call is kept for its custom gradient, which it has then.
  absl::StatusOr<bool> StaysCall(Node& call);
  // The call as a node that stays, where its function has a custom gradient; else null.
  absl::StatusOr<Node*> KeptCall(const CallSite& site);
  absl::StatusOr<Expansion> LowerGradient(const CallSite& site);

  // variable_choice.cc: nodes that use a variable which the step chooses.
  // The variables that a reference or handle may be, and what whoever uses it has to wait for.
  struct VariableChoice {
    std::vector<Output> variables = {};
    std::vector<Node*> controls = {};
  };
  VariableChoice ChoiceBehind(Output output) const;
  bool HasChoice(const Node& node) const;
  absl::StatusOr<Expansion> ExpandChoice(const Node& node);
  absl::StatusOr<VariableChoice> ChooseMerged(const Node& merge);
  absl::StatusOr<VariableChoice> ChooseSelected(const Node& select);
  absl::StatusOr<Output> CheckedIndex(const Node& select, int size);
  absl::StatusOr<std::vector<Node*>> CopyForEach(const Node& node);
  absl::StatusOr<Expansion> MergeCopies(const Node& node, absl::Span<Node* const> copies);

  // function_lowering.cc: what stands around the bodies.
  absl::StatusOr<Expansion> LowerCall(const CallSite& site, const FunctionRef& function, bool is_stateful_op);
  absl::StatusOr<Expansion> LowerBranches(const CallSite& site, absl::Span<const FunctionRef> branches,
                                          absl::Span<const std::string> names);
  absl::StatusOr<Expansion> LowerWhile(const CallSite& site);
  absl::StatusOr<Expansion> LowerFor(const CallSite& site);
  absl::StatusOr<Count> ReadCount(const CallSite& site, Node* start);
  absl::StatusOr<Output> IsBeforeLimit(const std::string& prefix, Output i, const Count& count);
  absl::StatusOr<Node*> StartOf(const CallSite& site, bool waits_for_inputs);
  absl::StatusOr<Expansion> MergeBranches(const std::string& prefix, const Expansion& taken, const Expansion& other,
                                          Output pivot_taken, Output pivot_other);
  absl::StatusOr<Output> ToBool(const std::string& name, Output value);
  absl::StatusOr<Output> IsIndex(const std::string& prefix, Output index, int value);
  // A loop over `inputs`, of which loop->invariant tells; it begins after `controls`.
  absl::Status EnterLoop(const CallSite& site, absl::Span<const Output> inputs, absl::Span<Node* const> controls,
                         Loop* loop);
  absl::Status TestLoop(const Expansion& condition, Loop* loop);
  // A body that gives a value for each of `inputs`.
  absl::StatusOr<Expansion> ExpandLoopBody(const FunctionRef& function, std::vector<Output> arguments,
                                           absl::Span<const Output> inputs, const Loop& loop);
  absl::Status CloseLoop(const Expansion& body, Loop* loop);

  // A name that no node has: `wish`, then with _1, _2, ... It is taken from then on.
  std::string FreeName(const std::string& wish);
  absl::StatusOr<Node*> Add(const std::string& name, const Op& op, std::vector<Output> inputs,
                            std::vector<Node*> controls = {}, AttrMap attrs = {});
  absl::StatusOr<Node*> AddDefinition(NodeDefinition definition, absl::Span<const int> missing,
                                      absl::Span<const DataType> missing_types);
  // An op without attributes to choose and with one output.
  absl::StatusOr<Output> AddPlain(const std::string& name, OpRole role, Output input, std::vector<Node*> controls = {});
  // One node that stands for all of `nodes`.
  absl::StatusOr<Node*> Join(const std::string& name, std::vector<Node*> nodes);

  Graph& g_;
  const Graph& names_;
  const InlineLimits limits_;
  FunctionBodies functions_;
  const int first_new_;
  bool keeps_custom_gradients_ = false;
  int64_t num_edges_ = 0;
  int64_t nodes_elsewhere_ = 0;  // in the graphs where gradients of functions were built
  SourceLine where_;             // of the call of the graph that is being inlined
  std::string device_;
  std::vector<std::string> open_calls_;  // the functions around the current node, outermost first
  absl::flat_hash_set<std::string> given_names_;
  absl::flat_hash_map<std::string, int> name_counts_;
  std::vector<std::string> names_taken_;  // in the graph's table of names, to be given back
  absl::flat_hash_map<Output, VariableChoice> choices_;
  absl::flat_hash_set<Output> fed_;
};

// The ops that InliningOpsRegistrar named. REQUIRES: they are registered, as they are where calls are.
const Op& IdentityNOp();
const Op& ToBoolOp();
const Op& EqualOp();
const Op& LessOp();
const Op& SelectOp();
const Op& AddOp();
const Op& AssertOp();
const Op& SwitchReferenceOp();
bool CallsGradient(const Op& op);
bool SelectsReference(const Op& op);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_FUNCTION_EXPANSION_H_
