// A function of the library, read and checked: its signature as an op, and its body as nodes in running order.
//
//   FunctionBodies functions(graph.function_library());
//   SF_ASSIGN_OR_RETURN(const FunctionBody* body, functions.Find("MyFunc"));
//   body->signature.inputs ...
//
// Types and attributes may still depend on the attributes that a call gives (placeholders, "N * T"): the inliner fills
// them in. What comes from a file is not trusted; errors are InvalidArgument and name the node of the body.
#ifndef STATICFLOW_GRAPH_FUNCTION_BODY_H_
#define STATICFLOW_GRAPH_FUNCTION_BODY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/attr.h"
#include "graph/op.h"
#include "graph/signature.h"
#include "proto/function.pb.h"

namespace staticflow {

// What an input of a body's node, or a result, names: "x", "x:1", "node:output" or "node:output:1".
struct BodySource {
  int node = -1;            // index into FunctionBody::nodes; -1: an argument
  int argument = -1;        // index into the signature's inputs
  std::string output = "";  // of a node: the name of one of its outputs
  int element = -1;         // of a list; -1: all of it
};

struct BodyNode {
  std::string name;
  std::string type;
  const Op* op = nullptr;  // null: the type may be a function of the library
  AttrMap attrs = {};
  std::string device = "";
  std::vector<BodySource> inputs = {};
  std::vector<int> control_nodes = {};
  std::vector<int> control_arguments = {};
};

struct FunctionBody {
  Op signature;
  bool is_stateful = false;
  std::vector<BodyNode> nodes;       // each after what it uses, but for the edges that lead back in a loop
  std::vector<BodySource> results;   // one per output of the signature
  std::vector<int> control_results;  // nodes that run whenever the function is called
};

absl::StatusOr<FunctionBody> ReadFunction(const proto::FunctionDef& function);

// The functions of a serialized FunctionDefLibrary, each read when it is first asked for. Not thread-safe.
class FunctionBodies {
 public:
  explicit FunctionBodies(absl::string_view library);

  bool Contains(absl::string_view name) const { return by_name_.contains(name); }
  // The function that the library names as the gradient of this one; "" when there is none.
  std::string GradientOf(absl::string_view name) const;
  // NotFound when there is no such function; the errors of ReadFunction. The pointer lives as long as this object.
  absl::StatusOr<const FunctionBody*> Find(absl::string_view name);

 private:
  proto::FunctionDefLibrary library_;
  absl::Status status_;  // of parsing it
  absl::flat_hash_map<std::string, const proto::FunctionDef*> by_name_;
  absl::flat_hash_map<std::string, std::string> gradient_of_;
  absl::flat_hash_map<std::string, std::unique_ptr<FunctionBody>> read_;
};

// A node whose type is the name of a function, as a node that calls it: the op to take (null when none that calls
// functions is registered), and the attributes that op has in place of the node's own.
const Op* OpThatCalls(const FunctionBody& function);
absl::StatusOr<AttrMap> AttrsOfCall(const FunctionBody& function, AttrMap attrs, absl::Span<const ArgType> inputs);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_FUNCTION_BODY_H_
