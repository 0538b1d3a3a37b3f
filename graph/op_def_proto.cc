#include "graph/op_def_proto.h"

#include "absl/strings/str_cat.h"
#include "graph/attr_proto.h"

namespace staticflow {
namespace {

void ArgToProto(const ArgDef& arg, proto::OpDef::ArgDef* message) {
  message->set_name(arg.name);
  message->set_type(static_cast<proto::DataType>(arg.dtype));
  message->set_type_attr(arg.type_attr);
  message->set_number_attr(arg.number_attr);
  message->set_type_list_attr(arg.type_list_attr);
  message->set_is_ref(arg.is_ref);
}

void AttrDefToProto(const AttrDef& attr, proto::OpDef::AttrDef* message) {
  message->set_name(attr.name);
  const absl::string_view kind = AttrKindName(attr.kind);
  message->set_type(attr.is_list ? absl::StrCat("list(", kind, ")") : std::string(kind));
  if (attr.default_value.has_value()) AttrToProto(*attr.default_value, message->mutable_default_value());
  if (attr.minimum.has_value()) {
    message->set_has_minimum(true);
    message->set_minimum(*attr.minimum);
  }
  for (int t = 1; t < 64; ++t) {
    if ((attr.allowed_types & TypeBit(static_cast<DataType>(t))) == 0) continue;
    message->mutable_allowed_values()->mutable_list()->add_type(static_cast<proto::DataType>(t));
  }
  for (const std::string& s : attr.allowed_strings) message->mutable_allowed_values()->mutable_list()->add_s(s);
}

}  // namespace

proto::OpDef OpToProto(const Op& op) {
  proto::OpDef message;
  message.set_name(op.name());
  for (const ArgDef& arg : op.inputs) ArgToProto(arg, message.add_input_arg());
  for (const ArgDef& arg : op.outputs) ArgToProto(arg, message.add_output_arg());
  for (const AttrDef& attr : op.attrs) AttrDefToProto(attr, message.add_attr());
  message.set_is_commutative(op.has(kCommutative));
  message.set_is_stateful(op.has(kStateful));
  return message;
}

}  // namespace staticflow
