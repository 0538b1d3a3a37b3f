#include "graph/node_attrs.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// The default of an attribute as the writer of the file knew it; null when it knew none.
const proto::AttrValue* ProducerDefault(const proto::OpList* producer_ops, const std::string& op,
                                        const std::string& attr) {
  if (producer_ops == nullptr) return nullptr;
  for (const proto::OpDef& def : producer_ops->op()) {
    if (def.name() != op) continue;
    for (const proto::OpDef::AttrDef& attr_def : def.attr()) {
      if (attr_def.name() == attr) return attr_def.has_default_value() ? &attr_def.default_value() : nullptr;
    }
  }
  return nullptr;
}

bool SameMessage(const google::protobuf::Message& a, const google::protobuf::Message& b) {
  const absl::StatusOr<std::string> x = SerializeMessage(a), y = SerializeMessage(b);
  return x.ok() && y.ok() && *x == *y;
}

bool AsksForNothing(const proto::AttrValue& value, const proto::AttrValue* producer_default) {
  if (producer_default != nullptr) return SameMessage(value, *producer_default);
  switch (value.value_case()) {
    case proto::AttrValue::kB:
      return !value.b();
    case proto::AttrValue::kI:
      return value.i() == 0;
    case proto::AttrValue::kS:
      return value.s().empty();
    case proto::AttrValue::kList:
      return value.list().ByteSizeLong() == 0;
    default:
      return false;
  }
}

}  // namespace

absl::StatusOr<AttrMap> NodeAttrsFromProto(const proto::NodeDef& def, const Op* op, const AttrLimits& limits,
                                           const proto::OpList* producer_ops) {
  AttrMap attrs;
  // The map of a message has no order; by name, the first error is the same in every run.
  std::vector<absl::string_view> names;
  for (const auto& [name, message] : def.attr()) names.push_back(name);
  std::sort(names.begin(), names.end());
  for (absl::string_view key : names) {
    const std::string name(key);
    const proto::AttrValue& message = def.attr().at(name);
    const AttrDef* attr = op != nullptr ? op->FindAttr(name) : nullptr;
    if (op != nullptr && attr == nullptr && !absl::StartsWith(name, "_")) {
      if (AsksForNothing(message, ProducerDefault(producer_ops, def.op(), name))) continue;
      return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is none of ", def.op()));
    }
    const bool is_empty = message.value_case() == proto::AttrValue::VALUE_NOT_SET;
    if (is_empty && attr != nullptr && attr->default_value.has_value()) continue;
    absl::StatusOr<AttrValue> value = AttrFromProto(message, limits);
    if (!value.ok()) return Annotate(value.status(), absl::StrCat("attribute '", name, "': "));
    attrs[name] = *std::move(value);
  }
  if (op == nullptr) return attrs;
  for (const AttrDef& attr : op->attrs) {
    if (attr.default_value.has_value()) attrs.try_emplace(attr.name, *attr.default_value);
  }
  return attrs;
}

}  // namespace staticflow
