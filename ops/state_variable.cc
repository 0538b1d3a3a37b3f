// Whole variables: declaration, initial value, initializer and read, named as TensorFlow 1 names them.
#include <algorithm>
#include <cmath>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "graph/control_flow.h"
#include "graph/variable_key.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/random.h"
#include "ops/state.h"

namespace staticflow {
namespace {

std::string LineText(const SourceLine& line) {
  return line.file.empty() ? "a file" : absl::StrCat(line.file, ":", line.line);
}

Variable Fail(Graph& g, absl::string_view name, const std::source_location& where, absl::string_view message) {
  const absl::string_view path = where.file_name();
  const absl::string_view file = path.substr(path.rfind('/') + 1);
  g.RecordError(
      absl::InvalidArgumentError(absl::StrCat("variable '", name, "' (", file, ":", where.line(), "): ", message)));
  return Variable();
}

void ColocateWith(Node* node, const std::string& name) {
  if (node != nullptr) node->SetExtraAttr("_class", std::vector<std::string>{absl::StrCat("loc:@", name)});
}

// What both ways of making a variable settle before its nodes are built.
struct Recipe {
  std::string name;  // within the current name scope
  bool trainable = true;
  std::vector<std::string> collections;
  bool validate_shape = true;
  bool use_resource = false;
  Constraint constraint;
  std::source_location where;
};

// VariableV2, Assign and the Identity "read", inside the name scope `scope` ("w/").
void BuildReference(Graph& g, const Recipe& recipe, const std::string& scope, Variable& v) {
  const std::string name = scope.substr(0, scope.size() - 1);
  v.variable =
      NodeBuilder(g, "VariableV2", recipe.where).Attr("shape", v.shape).Attr("dtype", v.dtype).Name(scope).BuildNode();
  if (v.variable == nullptr) return;
  const Operand ref(v.ref(), recipe.where);
  v.initializer =
      NodeBuilder("Assign", {ref, v.initial_value}).Attr("validate_shape", recipe.validate_shape).BuildNode();
  v.snapshot = NodeBuilder("Identity", {ref}).Name("read").Build();
  ColocateWith(v.variable, name);
  ColocateWith(v.initializer, name);
  ColocateWith(v.snapshot.node(), name);
}

// VarHandleOp, VarIsInitializedOp, AssignVariableOp and ReadVariableOp.
void BuildResource(Graph& g, const Recipe& recipe, const std::string& scope, Variable& v) {
  v.is_resource = true;
  v.variable = NodeBuilder(g, "VarHandleOp", recipe.where)
                   .Attr("shape", v.shape)
                   .Attr("dtype", v.dtype)
                   .Attr("shared_name", scope.substr(0, scope.size() - 1))
                   .Name(scope)
                   .BuildNode();
  if (v.variable == nullptr) return;
  const Operand handle(v.ref(), recipe.where);
  NodeBuilder("VarIsInitializedOp", {handle}).Name("IsInitialized/VarIsInitializedOp").Build();
  v.initializer = NodeBuilder("AssignVariableOp", {handle, v.initial_value}).Name("Assign").BuildNode();
  v.snapshot = NodeBuilder("ReadVariableOp", {handle}).Attr("dtype", v.dtype).Name("Read/ReadVariableOp").Build();
}

// `initial` builds the initial value, inside the variable's name scope. Variables stand outside of every branch and
// wait for nothing, wherever they are asked for.
template <typename Initial>
Variable Build(Graph& g, const Recipe& recipe, Initial initial) {
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope scope(g, recipe.name);
  Variable v;
  v.initial_value = initial();
  if (!v.initial_value.valid()) return Variable();
  v.dtype = v.initial_value.dtype();
  v.shape = recipe.validate_shape ? v.initial_value.shape() : Shape::Unknown();
  v.trainable = recipe.trainable;
  v.constraint = recipe.constraint;
  if (v.initial_value.node()->context() != nullptr) {
    return Fail(g, recipe.name, recipe.where, "the initial value is built inside a branch, where it may never exist");
  }
  if (recipe.validate_shape && !v.shape.IsFullyDefined()) {
    return Fail(g, recipe.name, recipe.where,
                absl::StrCat("the initial value has shape ", v.shape.ToString(), ", expected a complete one"));
  }
  (recipe.use_resource ? BuildResource : BuildReference)(g, recipe, scope.name(), v);
  if (v.variable == nullptr || v.initializer == nullptr || !v.snapshot.valid()) return Variable();
  absl::InlinedVector<absl::string_view, 4> collections;
  for (const std::string& key : recipe.collections) collections.push_back(key);
  if (collections.empty()) collections.push_back(kGlobalVariables);
  if (recipe.trainable) collections.push_back(kTrainableVariables);
  return g.AddVariable(v, collections);
}

Output ZerosInitializer(Graph& g, DataType dtype, const Shape& shape) {
  return Zeros(g, dtype, shape, {.name = "zeros"});
}

// Glorot's uniform: within +-sqrt(6 / (fan_in + fan_out)), where a filter's fans count its receptive field.
Output GlorotInitializer(Graph& g, DataType dtype, const Shape& shape) {
  const int rank = shape.rank();
  double fan_in = rank == 0 ? 1 : static_cast<double>(shape.dim(0)), fan_out = fan_in;
  if (rank >= 2) {
    const double field = static_cast<double>(shape.num_elements(0, rank - 2));
    fan_in = field * static_cast<double>(shape.dim(-2));
    fan_out = field * static_cast<double>(shape.dim(-1));
  }
  const double limit = std::sqrt(3.0 / std::max(1.0, (fan_in + fan_out) / 2));
  return RandomUniform(g, Ints(shape), {.minval = -limit, .maxval = limit, .dtype = dtype});
}

Initializer DefaultInitializer(DataType dtype) { return IsFloating(dtype) ? GlorotInitializer : ZerosInitializer; }

// The variable that GetVariable may share, checked against what the caller asks for.
Variable Share(Graph& g, const std::string& name, const Variable& found, const GetVariableOptions& options) {
  if (!found.shape.IsCompatibleWith(options.shape)) {
    return Fail(g, name, options.where,
                absl::StrCat("asked for with shape ", options.shape.ToString(), ", but ",
                             LineText(found.variable->where()), " made it with shape ", found.shape.ToString()));
  }
  if (options.dtype != DT_INVALID && options.dtype != found.dtype) {
    return Fail(g, name, options.where,
                absl::StrCat("asked for as ", DataTypeName(options.dtype), ", but ", LineText(found.variable->where()),
                             " made it ", DataTypeName(found.dtype)));
  }
  return found;
}

void Regularize(const Variable& v, const Regularizer& regularizer) {
  Graph& g = v.variable->graph();
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope scope(g, absl::StrCat(v.name(), "/Regularizer/"));
  if (Output loss = regularizer(v.snapshot); loss.valid()) g.AddToCollection(kRegularizationLosses, loss);
}

Recipe RecipeOf(Graph& g, const NewVariableOptions& options) {
  return {.name = options.name,
          .trainable = options.trainable,
          .collections = options.collections,
          .validate_shape = options.validate_shape,
          .use_resource = options.use_resource.value_or(g.variable_scope_state().current().use_resource),
          .constraint = options.constraint,
          .where = options.where};
}

}  // namespace

Variable GetVariable(Graph& g, absl::string_view name, const GetVariableOptions& options) {
  VariableScopeState& state = g.variable_scope_state();
  const VariableScopeSettings& scope = state.current();
  const std::string full_name = state.FullName(name);
  if (const Variable* found = state.Find(full_name)) {
    if (scope.reuse == Reuse::kReuse || scope.reuse == Reuse::kAutoReuse) return Share(g, full_name, *found, options);
    return Fail(g, full_name, options.where,
                absl::StrCat("exists already, made at ", LineText(found->variable->where()),
                             "; to share it set .reuse = Reuse::kReuse or kAutoReuse in a VariableScope"));
  }
  if (scope.reuse == Reuse::kReuse) {
    return Fail(g, full_name, options.where,
                "does not exist, or was not made by GetVariable; Reuse::kAutoReuse in the VariableScope would make it");
  }
  const DataType dtype = options.dtype != DT_INVALID ? options.dtype : scope.dtype;
  if (full_name.empty()) return Fail(g, full_name, options.where, "a variable needs a name");
  if (!options.shape.IsFullyDefined()) {
    return Fail(g, full_name, options.where,
                absl::StrCat("a new variable needs a complete shape, not ", options.shape.ToString()));
  }
  Initializer initializer = options.initializer ? options.initializer : scope.initializer;
  if (!initializer) initializer = DefaultInitializer(dtype);
  const Regularizer regularizer = options.regularizer ? options.regularizer : scope.regularizer;

  const NameScope root(g, "");
  // A variable without a name of its own takes the scope's, whose name scope is open already.
  const Recipe recipe = {.name = name.empty() ? absl::StrCat(full_name, "/") : full_name,
                         .trainable = options.trainable,
                         .collections = options.collections,
                         .use_resource = options.use_resource.value_or(scope.use_resource),
                         .constraint = options.constraint,
                         .where = options.where};
  const Variable made = Build(g, recipe, [&]() -> Output {
    const NameScope inside(g, "Initializer");
    const Output value = initializer(g, dtype, options.shape);
    if (!value.valid()) return Output();
    if (value.dtype() != dtype || !value.shape().IsCompatibleWith(options.shape)) {
      Fail(g, full_name, options.where,
           absl::StrCat("the initializer gives ", DataTypeName(value.dtype()), value.shape().ToString(), ", expected ",
                        DataTypeName(dtype), options.shape.ToString()));
      return Output();
    }
    return value;
  });
  if (made.variable == nullptr) return made;
  state.Add(full_name, *g.FindVariable(made.variable));
  if (regularizer) Regularize(made, regularizer);
  return made;
}

Variable NewVariable(Graph& g, Output initial_value, const NewVariableOptions& options) {
  return Build(g, RecipeOf(g, options), [&] { return initial_value; });
}

Variable NewVariable(Graph& g, Tensor initial_value, const NewVariableOptions& options) {
  return Build(g, RecipeOf(g, options), [&] {
    return NodeBuilder(g, "Const", options.where)
        .Attr("dtype", initial_value.dtype())
        .Attr("value", initial_value)
        .Name("initial_value")
        .Build();
  });
}

Operation VariablesInitializer(Graph& g, absl::Span<const Variable* const> variables,
                               const InitializerOptions& options) {
  std::vector<Operation> initializers;
  for (const Variable* v : variables) initializers.push_back(v->initializer);
  return Group(g, initializers, {.name = options.name.empty() ? "init" : options.name, .where = options.where});
}

Operation GlobalVariablesInitializer(Graph& g, const InitializerOptions& options) {
  return VariablesInitializer(g, g.variables(kGlobalVariables), options);
}

Operation LocalVariablesInitializer(Graph& g, const InitializerOptions& options) {
  return VariablesInitializer(g, g.variables(kLocalVariables), options);
}

Operation TablesInitializer(Graph& g, const InitializerOptions& options) {
  constexpr absl::string_view kTableInitializers = "table_initializer";
  std::vector<Operation> initializers;
  for (const CollectionItem& item : g.collection(kTableInitializers)) initializers.push_back(item);
  const std::string name = options.name.empty() ? "init_all_tables" : options.name;
  return Group(g, initializers, {.name = name, .where = options.where});
}

Variable GetOrCreateGlobalStep(Graph& g, std::source_location where) {
  for (const Variable* v : g.variables(kGlobalStep)) return *v;
  // The name is fixed, so that checkpoints find it: no variable scope plays a part.
  const VariableScope root(g, VariableScopeSettings(), {.reuse = Reuse::kAutoReuse});
  return GetVariable(g, "global_step",
                     {.dtype = DT_INT64,
                      .shape = {},
                      .initializer = ZerosInitializer,
                      .trainable = false,
                      .collections = {std::string(kGlobalVariables), std::string(kGlobalStep)},
                      .where = where});
}

Output GlobalStep(Graph& g) {
  for (const Variable* v : g.variables(kGlobalStep)) return v->ref();
  return Output();
}

}  // namespace staticflow
