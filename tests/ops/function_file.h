// Files with functions, written down in a few words.
//
//   // y = x * x, by a call
//   ImportGraphDef(File({X(), Call("Square_")}, {kSquare}), g);
#ifndef STATICFLOW_TESTS_OPS_FUNCTION_FILE_H_
#define STATICFLOW_TESTS_OPS_FUNCTION_FILE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/attr_proto.h"
#include "graph/graph.h"
#include "graph/op_def_proto.h"
#include "graph/op_parser.h"
#include "proto/graph.pb.h"

namespace staticflow {

// A node, in a graph or in a body.
struct FileNode {
  std::string name;
  std::string op;
  std::vector<std::string> inputs = {};
  AttrMap attrs = {};
};

// A function; the signature in the grammar of graph/op.h.
struct FileFunction {
  std::string name;
  std::vector<std::string> args = {};
  std::vector<std::string> results = {};
  std::vector<FileNode> nodes = {};
  std::vector<std::pair<std::string, std::string>> ret = {};
  std::vector<std::string> attrs = {};
  std::vector<std::string> control_ret = {};
  bool is_stateful = false;
};

inline void AddNode(const FileNode& node, proto::NodeDef* def) {
  def->set_name(node.name);
  def->set_op(node.op);
  for (const std::string& input : node.inputs) def->add_input(input);
  for (const auto& [name, value] : node.attrs) AttrToProto(value, &(*def->mutable_attr())[name]);
}

inline proto::GraphDef File(const std::vector<FileNode>& nodes, const std::vector<FileFunction>& functions) {
  proto::GraphDef file;
  for (const FileNode& node : nodes) {
    proto::NodeDef* def = file.add_node();
    AddNode(node, def);
    // Outside of bodies every type must be there; here most are float.
    const Op* op = FindOp(node.op);
    for (const AttrDef& attr : op != nullptr ? op->attrs : std::vector<AttrDef>()) {
      const bool needed = attr.kind == AttrKind::kType && !attr.is_list && !attr.default_value.has_value();
      if (needed && !node.attrs.contains(attr.name)) (*def->mutable_attr())[attr.name].set_type(proto::DT_FLOAT);
    }
  }
  for (const FileFunction& f : functions) {
    proto::FunctionDef* def = file.mutable_library()->add_function();
    *def->mutable_signature() =
        OpToProto(ParseOp({.name = f.name, .inputs = f.args, .outputs = f.results, .attrs = f.attrs}).value());
    def->mutable_signature()->set_is_stateful(f.is_stateful);
    for (const FileNode& node : f.nodes) AddNode(node, def->add_node_def());
    for (const auto& [name, source] : f.ret) (*def->mutable_ret())[name] = source;
    for (const std::string& node : f.control_ret) {
      def->mutable_signature()->add_control_output(node);
      (*def->mutable_control_ret())[node] = node;
    }
  }
  return file;
}

inline AttrValue Fn(std::string name, AttrMap attrs = {}) {
  FunctionRef function{.name = std::move(name), .attrs = nullptr};
  if (!attrs.empty()) function.attrs = std::make_shared<const AttrMap>(std::move(attrs));
  return function;
}
inline AttrValue Types(std::vector<DataType> types) { return types; }
inline FileNode Value(std::string name, Tensor value, std::vector<std::string> inputs = {}) {
  const DataType dtype = value.dtype();
  return {std::move(name), "Const", std::move(inputs), {{"dtype", dtype}, {"value", std::move(value)}}};
}
inline FileNode X(DataType dtype = DT_FLOAT) {
  return {"x", "Placeholder", {}, {{"dtype", dtype}, {"shape", Shape::Unknown()}}};
}
inline FileNode Call(std::string f, std::vector<std::string> inputs = {"x"}, std::string op = "PartitionedCall") {
  return {"y", std::move(op), std::move(inputs), {{"f", Fn(std::move(f))}, {"Tout", Types({DT_FLOAT})}}};
}
inline FileNode Handle(std::string name = "v") {
  return {name, "VarHandleOp", {}, {{"dtype", DT_FLOAT}, {"shape", Shape()}, {"shared_name", name}}};
}
inline const AttrMap kOfFloat = {{"dtype", DT_FLOAT}};

// y = x + 1, and y = x * x.
inline const FileFunction kAddOne = {.name = "AddOne",
                                     .args = {"a: float"},
                                     .results = {"r: float"},
                                     .nodes = {Value("one", 1.0f), {"sum", "AddV2", {"a", "one:output:0"}}},
                                     .ret = {{"r", "sum:z:0"}}};
inline const FileFunction kSquare = {.name = "Square_",
                                     .args = {"a: float"},
                                     .results = {"r: float"},
                                     .nodes = {{"mul", "Mul", {"a", "a"}}},
                                     .ret = {{"r", "mul:z:0"}}};

// The gradient of a^2 times a: 2 a^2.
inline const FileFunction kGradientOfSquare = {
    .name = "F",
    .args = {"a: float"},
    .results = {"r: float"},
    .nodes = {{"d", "SymbolicGradient", {"a", "a"}, {{"f", Fn("Square_")}, {"Tout", Types({DT_FLOAT})}}}},
    .ret = {{"r", "d:output:0"}}};

inline FileNode If(DataType condition) {
  return {"y",
          "If",
          {"x", "one"},
          {{"Tcond", condition},
           {"Tin", Types({DT_FLOAT})},
           {"Tout", Types({DT_FLOAT})},
           {"then_branch", Fn("AddOne")},
           {"else_branch", Fn("Square_")}}};
}

// r = 2 a + i.
inline const FileFunction kTwiceAndCount = {
    .name = "TwiceAndCount",
    .args = {"i: int32", "a: float"},
    .results = {"r: float"},
    .nodes = {{"number", "Cast", {"i"}, {{"SrcT", DT_INT32}, {"DstT", DT_FLOAT}}},
              {"twice", "AddV2", {"a", "a"}},
              {"sum", "AddV2", {"twice:z:0", "number:y:0"}}},
    .ret = {{"r", "sum:z:0"}}};
inline FileNode For(std::vector<std::string> inputs) {
  return {"y", "For", std::move(inputs), {{"T", Types({DT_FLOAT})}, {"body", Fn("TwiceAndCount")}}};
}

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_OPS_FUNCTION_FILE_H_
