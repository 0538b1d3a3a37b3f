// Calls of functions, replaced by what they compute.
//
//   SF_RETURN_IF_ERROR(InlineCalls(g, calls));       // "cond" (If) becomes an IdentityN "cond" of two Merge nodes, ...
//   SF_ASSIGN_OR_RETURN(InlinedCopy copy, CopyWithInlinedCalls(g, nodes, calls));     // and leaves `g` alone
//
// A call is a node whose op has the role kCall, kIf, kCase or kWhile. The nodes of the function's body are added as
// `<call>/<node>` (of branches and loops `<call>/then/<node>`, `else`, `branch2`, `cond`, `body`), and the call itself
// becomes an IdentityN of the results, or a NoOp, of the same name: whoever uses its outputs goes on doing so, and a
// control edge from it means that the body has run, all that has effects or is a control output of the function
// included. Conditions become Switch and Merge, loops the frames of while loops, as TensorFlow lowers them:
//
// - Whatever has no inputs inside a body waits for the call's control inputs, and in a branch for the branch. A call of
//   a stateful function also waits for all its inputs; branches and loops start with what they use.
// - A call of the gradient of a function is what Gradients() builds for that function, or its gradient function in the
//   library.
// - A branch index that is out of range means the last branch.
// - A For whose counting would lead away from its limit fails in the step, with InvalidArgument.
// - What a loop's body returns as it came, and every resource, is the same in all iterations; Unimplemented for a body
//   that returns another variable than it took.
// - A variable or table that a body makes without a name of its own has the name it has in the body, so that all calls
//   share it.
//
// Errors name the call and the function: NotFound for a function or op that is not there; InvalidArgument for wrong
// numbers and types of arguments and results, missing attributes, cycles, and functions that call themselves;
// ResourceExhausted over a limit. After an error the graph is as it was.
//
// Not thread-safe for a graph that changes; copies may be made of one graph by several threads at once.
// Source: lower_functional_ops, lower_if_op, lower_case_op, lower_while_op, inline_function_utils (TensorFlow 1.15).
#ifndef STATICFLOW_GRAPH_FUNCTION_INLINER_H_
#define STATICFLOW_GRAPH_FUNCTION_INLINER_H_

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

struct InlineLimits {
  int max_depth = 64;              // of calls within calls
  int64_t max_nodes = 1'000'000;   // of the graph afterwards
  int64_t max_edges = 10'000'000;  // that are added
};

bool IsCall(const Node& node);

// REQUIRES: `calls` are calls of `g`.
absl::Status InlineCalls(Graph& g, absl::Span<Node* const> calls, const InlineLimits& limits = {});

// The same for a gradient: calls of functions that have a gradient function in the library stay calls, and are
// differentiated by it.
absl::Status InlineForGradient(Graph& g, absl::Span<Node* const> calls, const InlineLimits& limits = {});

// Inlines the calls on ways from `xs` to `ys`, for the gradient.
absl::Status InlineCallsBetween(absl::Span<const Output> ys, absl::Span<const Output> xs);

// Whether the node chooses between variables, references or handles, in a way that only the step knows: by a Merge of
// several of them, or by an index.
bool ChoosesVariable(const Node& node);

struct InlinedCopy {
  std::shared_ptr<const Graph> graph;
  absl::flat_hash_map<const Node*, Node*> nodes;  // of the original -> of the copy
};

// A graph of copies of `nodes` and all that these depend on, in which `calls`, some of those, are inlined. Where the
// step chooses a variable, each node that uses it becomes one node for each variable there is to choose from, of which
// the step runs one; InvalidArgument from the step for an index that is out of range. Its variables and the members of
// its collections are those of `g` that are copied. Where a call has no effects, who uses one of its results does not
// wait for the others; outputs that are `fed` keep their users.
absl::StatusOr<InlinedCopy> CopyWithInlinedCalls(const Graph& g, absl::Span<Node* const> nodes,
                                                 absl::Span<Node* const> calls, absl::Span<const Output> fed = {},
                                                 const InlineLimits& limits = {});

// The op and the attributes of a node that calls a function of the graph's library with `inputs`.
// NotFound when there is no such function; InvalidArgument when the inputs are not what it takes.
struct CallDefinition {
  const Op* op = nullptr;
  AttrMap attrs = {};
};
absl::StatusOr<CallDefinition> DefineCall(const Graph& g, const std::string& function, absl::Span<const Output> inputs);

// The ops that inlining needs besides those with a role. The family of ops that calls functions names them.
struct InliningOps {
  std::string identity_n = "";         // passes on a list
  std::string to_bool = "";            // whether a tensor of any type counts as true
  std::string equal = "";              // whether two numbers are equal
  std::string less = "";               // whether the first of two numbers is less
  std::string select = "";             // (condition, t, e): t or e
  std::string add = "";                // the sum of two numbers
  std::string assertion = "";          // (condition, data...): ends the step unless the condition holds
  std::string symbolic_gradient = "";  // calls the gradient of a function
  std::string switch_reference = "";   // Switch for references
  std::string select_reference = "";   // (index, references...): the reference of that number
};
class InliningOpsRegistrar {
 public:
  explicit InliningOpsRegistrar(InliningOps ops);
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_FUNCTION_INLINER_H_
