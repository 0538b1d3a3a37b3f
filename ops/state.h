// Variables: their declaration, what reads and writes them, and the builders that make whole variables.
//
//   Variable w = GetVariable(g, "w", {.shape = {784, 100}});         // w, w/Initializer/..., w/Assign, w/read
//   Output y = MatMul(x, w.snapshot);
//   Output step = AssignAdd(counter.ref(), 1);
//
// A variable is a slot of the session's resource store. The output of an assignment to a reference is the variable
// right after that write. Errors stick to the graph; a Variable made after one has no nodes.
// Source of names, nodes and collections: TensorFlow 1.15 (tf.Variable, tf.get_variable, tf.assign).
#ifndef STATICFLOW_OPS_STATE_H_
#define STATICFLOW_OPS_STATE_H_

#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include "graph/node_builder.h"
#include "graph/variable_scope.h"

namespace staticflow {

// Builds from a variable's value the nearest allowed one, of the same shape: ops/constraints.h.
using Constraint = std::function<Output(Output value)>;

struct GetVariableOptions {
  DataType dtype = DT_INVALID;        // of a new variable: the scope's, float at the root; of an existing one: any
  Shape shape = Shape::Unknown();     // complete for a new variable; may be left out for an existing one
  Initializer initializer = nullptr;  // the scope's; without one Glorot's uniform, or zeros for integers and bool
  bool trainable = true;              // also in the collection trainable_variables
  std::vector<std::string> collections = {};  // empty: {"variables"}
  Regularizer regularizer = nullptr;          // the scope's; its result joins the collection regularization_losses
  Constraint constraint = nullptr;            // of a new variable: what optimizers apply after each update
  std::optional<bool> use_resource = std::nullopt;  // a resource variable instead of a reference; the scope's
  std::source_location where = std::source_location::current();
};

// The variable `name` of the current variable scope: a new one or, where the scope's reuse allows it, the one that
// exists. InvalidArgument when it exists and may not be shared (the message names the line that made it), does not
// exist and must, has another dtype or shape than asked for, or is new without a complete shape.
Variable GetVariable(Graph& g, absl::string_view name, const GetVariableOptions& options = {});

struct NewVariableOptions {
  std::string name = "Variable";  // made unique within the name scope; variable scopes play no part
  bool trainable = true;
  std::vector<std::string> collections = {};        // empty: {"variables"}
  bool validate_shape = true;                       // false: the variable takes any shape
  Constraint constraint = nullptr;                  // what optimizers apply after each update
  std::optional<bool> use_resource = std::nullopt;  // the variable scope's
  std::source_location where = std::source_location::current();
};

// A new variable with the dtype and shape of `initial_value`, as tf.Variable. InvalidArgument when that shape is not
// known completely (with validate_shape) or the value is built inside a branch of a cond.
Variable NewVariable(Graph& g, Output initial_value, const NewVariableOptions& options = {});
Variable NewVariable(Graph& g, Tensor initial_value, const NewVariableOptions& options = {});

struct InitializerOptions {
  std::string name = "";
  std::source_location where = std::source_location::current();
};

// One operation ("init") that runs the initializers of all variables of the collection "variables" or
// "local_variables" that exist by now; of all tables.
Operation GlobalVariablesInitializer(Graph& g, const InitializerOptions& options = {});
Operation LocalVariablesInitializer(Graph& g, const InitializerOptions& options = {});
Operation TablesInitializer(Graph& g, const InitializerOptions& options = {});
Operation VariablesInitializer(Graph& g, absl::Span<const Variable* const> variables,
                               const InitializerOptions& options = {});

// The int64 scalar "global_step" (collection global_step): the one that exists, or a new one.
Variable GetOrCreateGlobalStep(Graph& g, std::source_location where = std::source_location::current());
// Invalid when the graph has none.
Output GlobalStep(Graph& g);

struct AssignOptions {
  bool validate_shape = true;  // the value has the variable's shape; false: any, for variables of unknown shape
  bool use_locking = true;     // kept for files; a step always has its variables to itself
  std::string name = "";
};

// ref = value; the reference, right after the write. Works on resource variables too: then the result is the handle's
// value, read after the write. FailedPrecondition at run time: AssignAdd and AssignSub of a variable without value.
Output Assign(Operand ref, Operand value, const AssignOptions& options = {});
Output AssignAdd(Operand ref, Operand value, const OpOptions& options = {});
Output AssignSub(Operand ref, Operand value, const OpOptions& options = {});

// Whether the variable has a value; bool scalar.
Output IsVariableInitialized(Operand ref, const OpOptions& options = {});
// The value behind a handle, of type `dtype`.
Output ReadVariable(Operand handle, DataType dtype, const OpOptions& options = {});
// The shape of the variable behind a handle; int32 vector.
Output VariableShape(Operand handle, const OpOptions& options = {});
// Increments an int32 or int64 scalar variable and returns what it was; OutOfRange once that is `limit`.
Output CountUpTo(Operand ref, int64_t limit, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STATE_H_
