// What an op is: one block that states its signature, its shape function, its gradient and its kernel, registered
// under TensorFlow's op type.
//
//   // Relu: y = max(x, 0).   dx = dy where y > 0.
//   const OpRegistrar relu({.name = "Relu", .inputs = {"features: T"}, .outputs = {"activations: T"},
//                           .attrs = {"T: realnumbertype"}, .shape = SameShape, .gradient = ReluGradient,
//                           .kernel = ReluKernel, .traits = kElementwise | kInPlace, .doc = "max(x, 0)."});
//
// Signatures use the grammar of TensorFlow's REGISTER_OP:
//   argument   "name: float" | "name: T" | "name: N * T" | "name: Tlist" | "ref: Ref(T)"
//   attribute  "T: type" | "T: {float, double}" | "T: numbertype" | "T: realnumbertype" | "T: floattype" |
//              "T: indextype" | "axis: int = 0" | "N: int >= 1" | "padding: {'SAME', 'VALID'}" |
//              "strides: list(int)" | "Tin: list(type) >= 1" | "value: tensor" | "shape: shape" | "f: func" |
//              "epsilon: float = 0.0001" | "container: string = ''" | "flags: list(int) = [1, 1]"
// numbertype is every numeric type, realnumbertype the same without complex, floattype half, bfloat16, float and
// double, indextype int32 and int64.
//
// The registry is filled before main() and read-only from then on, so every function here may be called from any
// thread. The contexts that shape functions and gradients receive belong to one call.
#ifndef STATICFLOW_GRAPH_OP_H_
#define STATICFLOW_GRAPH_OP_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/attr.h"
#include "graph/dtype.h"
#include "graph/shape.h"

namespace staticflow {

class BatchContext;     // graph/batch_dependence.h
class GradientContext;  // graph/gradients.h
class KernelContext;    // runtime/kernel.h
class KernelSetup;      // runtime/kernel.h
class LoopContext;      // runtime/loop.h
class Node;             // graph/graph.h
class ShapeContext;     // graph/shape_inference.h

// Sets the shape of every output from what is known of the inputs; InvalidArgument when they contradict the op.
// Called while building (shapes may be partial) and while planning (feed shapes known): see graph/shape_inference.h.
using ShapeFunction = absl::Status (*)(ShapeContext&);

// The output's value, when it is an integer vector that describes a shape, as far as the shapes and values of the
// inputs tell it (an unknown element is -1); nullopt when nothing is known. For Shape, Pack, ConcatV2 and their like.
using ShapeValueFunction = std::optional<Shape> (*)(const ShapeContext&);

// Adds the nodes of the gradient: see graph/gradients.h. Errors stick to the graph.
using GradientFunction = void (*)(GradientContext&);

// Two gradient functions that stand for decisions. The first, for an op whose result does not change smoothly with its
// inputs (integers, comparisons, state): no gradient flows through it, as through tf.NotDifferentiable.
void kNotDifferentiable(GradientContext&);
// The second, for an op that must not be differentiated through: whoever tries gets an error that names it.
void kGradientIsError(GradientContext&);

// A compiled kernel: computes one instruction. Called many times, from one thread at a time per context.
using Kernel = std::function<absl::Status(KernelContext&)>;

// How to get a kernel: one function for all nodes, or a factory that reads the node's attributes, types and (when
// they are known) shapes once per plan and returns the kernel that fits them.
class KernelSource {
 public:
  using Function = absl::Status (*)(KernelContext&);
  using Factory = absl::StatusOr<Kernel> (*)(const KernelSetup&);

  KernelSource() = default;
  KernelSource(Function function) : function_(function) {}  // NOLINT
  KernelSource(Factory factory) : factory_(factory) {}      // NOLINT

  explicit operator bool() const { return function_ != nullptr || factory_ != nullptr; }
  absl::StatusOr<Kernel> Make(const KernelSetup& setup) const;

 private:
  Function function_ = nullptr;
  Factory factory_ = nullptr;
};

// Writes the node as arithmetic on lanes, so that it can share one loop over memory with its neighbours: see
// runtime/loop.h. False when this node (by its attributes, shapes or values) cannot be written so; its kernel runs
// then.
using LoopFunction = bool (*)(LoopContext&);

// The input that output 0 equals, bit for bit and in shape (x * 1, a transpose by the identity), or -1. Asked while
// planning, with what is known of shapes and values. Float arithmetic is never reassociated: x + 0 is not x for -0.
using SimplifyFunction = int (*)(const ShapeContext&);

// A product of two matrices: output 0 = op(input 0) op(input 1), transposed as the bool attributes named here say.
struct ProductForm {
  absl::string_view transpose_a = "";  // empty: the op is no product
  absl::string_view transpose_b = "";
};

// An update of the variable behind input 0 that a product may add itself to: variable += sign * scale * delta.
struct AccumulationForm {
  int delta = -1;  // the input that is added; -1: the op is no such update
  int scale = -1;  // the scalar input, if any
  double sign = 1;
};

// Whether the kernel can leave output 0 as two parts whose sum it is, for inputs and an output of these shapes. Given
// two outputs of the result's shape in place of one, it leaves part i in output i, with c.range() counting the parts;
// given one, the sum of both, each added up by itself first: the same bits.
using PartsFunction = bool (*)(const Node& node, absl::Span<const Shape> inputs, const Shape& output);

// Tells which rows of a batch each output depends on, from what its inputs depend on: see graph/batch_dependence.h.
// Ops that are element-wise, depend on shapes alone, or state their dimensions in Iteration::dims need none.
using BatchFunction = void (*)(BatchContext&);

// Facts that passes, the gradient walk and the planner ask for. Combine with |.
enum OpTraits : uint32_t {
  kNoTraits = 0,
  kElementwise = 1 << 0,  // output element i depends only on element i of every input, after broadcasting
  kInPlace = 1 << 1,      // output 0 may be written over input 0 (same shape and type)
  kAlias = 1 << 2,        // output i is input i under another shape: the same bytes, nothing to compute
  kStateful = 1 << 3,     // running it has effects or its result differs from run to run: never folded, never merged
  kShapeOnly = 1 << 4,    // the result depends on the inputs' shapes and types alone
  kCommutative = 1 << 5,  // op(a, b) == op(b, a), bit for bit
  kAlwaysRuns = 1 << 6,   // kept though nobody reads it: its effect is outside the graph (Print, Assert, WriteFile)
  kStepObjects = 1 << 7,  // makes or uses objects that live for one step: stacks, tensor arrays
};
constexpr OpTraits operator|(OpTraits a, OpTraits b) { return OpTraits(uint32_t(a) | uint32_t(b)); }

// What the machinery outside ops/ needs to recognize or to build, without naming op types. Several ops may play a role
// (Switch and RefSwitch). In comments: (inputs) -> (outputs).
enum class OpRole {
  kNone,
  kConst,         // attr "value"
  kPlaceholder,   // must be fed
  kDefault,       // PlaceholderWithDefault: may be fed
  kIdentity,      // output 0 is input 0
  kNoOp,          // control edges only
  kVariable,      // output 0 is a reference to a slot of the resource store, named by the node (or "shared_name")
  kVarHandle,     // output 0 is a handle to such a slot
  kReadVariable,  // output 0 is the value behind the handle
  kSwitch,        // (data, pred) -> (false, true)
  kMerge,         // first live input -> (value, value_index)
  kEnter,
  kExit,
  kNextIteration,
  kLoopCond,
  kSum,  // AddN: adds gradients
  kZerosLike,
  kOnesLike,
  kShape,  // the shape of input 0
  kFill,   // (dims, value)
  kCast,
  kStopGradient,
  kTranspose,  // output 0 is input 0 with its dimensions in the order that input 1 gives
  kCall,       // runs the function "f" on its inputs
  kIf,         // (cond, inputs...): "then_branch" or "else_branch"
  kCase,       // (branch_index, inputs...): one of "branches"
  kWhile,      // "body" as long as "cond" holds
  kStack,      // (max_size) -> the handle of a new stack
  kStackPush,  // (handle, value) -> value
  kStackPop,   // (handle) -> value
};

// What an op does to the variable behind one of its inputs (a Ref input or a resource handle).
enum class Access {
  kRead,       // reads the value
  kUpdate,     // reads and writes it
  kOverwrite,  // writes it without reading
  kInspect,    // asks whether it is initialized, or for its shape
};
struct VariableAccess {
  int input = 0;
  Access access = Access::kUpdate;
};

// How the planner may divide one instruction among workers. Whatever it chooses follows from shapes, never from the
// number of threads, and a kernel called for a part computes exactly the bits it computes for the whole.
enum class Split {
  kWhole,    // one call does everything (the default)
  kFlat,     // any range of flat output elements: KernelContext::range()
  kRows,     // any range of indices of output dimension 0
  kColumns,  // any range of indices of the last output dimension
};

struct Iteration {
  Split split = Split::kWhole;
  // Operand dimensions by iteration dimension, as in an einsum: "mk,kn->mn", "ij->j". Dimensions missing on the right
  // are reduced. Empty: element-wise for Split::kFlat, unknown otherwise. What the planner and the proof of batch
  // independence know of how an op maps its dimensions.
  absl::string_view dims = "";
  // Without `dims`: how much longer an element takes than one that is copied.
  int64_t steps = 1;
};

// Arguments or attributes in the grammar above. A list whose construction is a call: there are thousands of them.
class Signatures : public std::vector<std::string> {
 public:
  Signatures();
  Signatures(std::initializer_list<absl::string_view> items);
  Signatures(std::vector<std::string> items);  // NOLINT
  Signatures(const Signatures&);
  Signatures(Signatures&&) noexcept;
  Signatures& operator=(const Signatures&);
  Signatures& operator=(Signatures&&) noexcept;
  ~Signatures();
};

// What an op's author writes.
struct OpSpec {
  std::string name;
  Signatures inputs = {};
  Signatures outputs = {};
  Signatures attrs = {};
  ShapeFunction shape = nullptr;
  GradientFunction gradient = nullptr;  // every op decides: a function, kNotDifferentiable or kGradientIsError
  KernelSource kernel = {};             // none: the planner or the inliner knows the role
  OpTraits traits = kNoTraits;
  OpRole role = OpRole::kNone;
  Iteration iteration = {};
  std::vector<VariableAccess> access = {};  // for inputs that are variables; unnamed ones count as kUpdate
  ShapeValueFunction shape_value = nullptr;
  // Hooks of the passes and of the proof of batch independence, each described at its type.
  LoopFunction loop = nullptr;
  SimplifyFunction simplify = nullptr;
  ProductForm product = {};
  AccumulationForm accumulation = {};
  PartsFunction parts = nullptr;
  BatchFunction batch = nullptr;
  std::string doc = "";  // for docs/ops.md

  ~OpSpec();
};

// The set of types an attribute allows, as a bit per DataType.
using DataTypeSet = uint64_t;
constexpr DataTypeSet TypeBit(DataType t) { return DataTypeSet{1} << t; }

enum class AttrKind { kString, kInt, kFloat, kBool, kType, kShape, kTensor, kFunction };
absl::string_view AttrKindName(AttrKind kind);

// A parsed argument. Exactly one of dtype, type_attr and type_list_attr says what it holds.
struct ArgDef {
  std::string name;
  DataType dtype = DT_INVALID;
  std::string type_attr;       // "T"
  std::string number_attr;     // "N" for "N * T"
  std::string type_list_attr;  // "Tin" for a heterogeneous list
  bool is_ref = false;
};

// A parsed attribute.
struct AttrDef {
  std::string name;
  AttrKind kind = AttrKind::kString;
  bool is_list = false;
  std::optional<AttrValue> default_value;
  DataTypeSet allowed_types = 0;  // 0: all
  std::vector<std::string> allowed_strings;
  std::optional<int64_t> minimum;  // of an int, or of the length of a list
};

// A registered op.
struct Op {
  OpSpec spec;
  std::vector<ArgDef> inputs;
  std::vector<ArgDef> outputs;
  std::vector<AttrDef> attrs;

  const std::string& name() const { return spec.name; }
  bool has(OpTraits trait) const { return (spec.traits & trait) != 0; }
  bool is(OpRole role) const { return spec.role == role; }
  const AttrDef* FindAttr(absl::string_view attr) const;
};

// Null when no op of that type is registered.
const Op* FindOp(absl::string_view type);
// The op that plays `role`; of several the one with the shortest name (Switch, not RefSwitch). REQUIRES: there is one.
const Op& OpWithRole(OpRole role);
// All registered ops by name.
std::vector<const Op*> AllOps();

// Registers `spec`; a spec that does not parse is our own bug and ends the process before main().
class OpRegistrar {
 public:
  explicit OpRegistrar(OpSpec spec);
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_OP_H_
