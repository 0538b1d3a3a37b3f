#include "graph/signature.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr int64_t kMaxArgs = 65536;  // of one node

std::string TypeNames(DataTypeSet types) {
  std::vector<absl::string_view> names;
  for (int t = 1; t < 64; ++t) {
    if (types & TypeBit(static_cast<DataType>(t))) names.push_back(DataTypeName(static_cast<DataType>(t)));
  }
  return absl::StrJoin(names, ", ");
}

absl::Status Set(AttrMap* attrs, const std::string& name, AttrValue value, const ArgDef& arg) {
  auto [it, inserted] = attrs->try_emplace(name, value);
  if (inserted || it->second == value) return absl::OkStatus();
  // A file does not say of what an empty list is.
  const auto* types = value.find<std::vector<DataType>>();
  if (it->second.is<EmptyList>() && types != nullptr && types->empty()) {
    it->second = std::move(value);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("input '", arg.name, "' says that attribute ", name, " is ",
                                                 value.ToString(), ", but it is ", it->second.ToString()));
}

// How many of the `left` inputs belong to `arg`: its attribute tells, or it is the only list and takes the rest.
absl::StatusOr<int64_t> CountInputs(const Op& op, const ArgDef& arg, const AttrMap& attrs, size_t num_inputs) {
  if (arg.number_attr.empty() && arg.type_list_attr.empty()) return 1;
  absl::StatusOr<int64_t> known = ArgLength(arg, attrs);
  if (known.ok()) return known;
  const auto same_list = [&](const ArgDef& a) {
    return (!arg.number_attr.empty() && a.number_attr == arg.number_attr) ||
           (!arg.type_list_attr.empty() && a.type_list_attr == arg.type_list_attr);
  };
  const int64_t lists = std::count_if(op.inputs.begin(), op.inputs.end(), same_list);
  const int64_t rest = static_cast<int64_t>(num_inputs) - (static_cast<int64_t>(op.inputs.size()) - lists);
  if (rest < 0 || rest % lists != 0) {
    return absl::InvalidArgumentError(absl::StrCat("got ", num_inputs, " inputs for ", op.inputs.size(), " arguments"));
  }
  return rest / lists;
}

template <typename T>
bool ListIs(const AttrValue& value, int64_t* length) {
  if (const auto* list = value.find<std::vector<T>>()) {
    *length = static_cast<int64_t>(list->size());
    return true;
  }
  return false;
}

bool HasKind(const AttrDef& def, const AttrValue& value, int64_t* length) {
  switch (def.kind) {
    case AttrKind::kString:
      return def.is_list ? ListIs<std::string>(value, length) : value.is<std::string>();
    case AttrKind::kInt:
      return def.is_list ? ListIs<int64_t>(value, length) : value.is<int64_t>();
    case AttrKind::kFloat:
      return def.is_list ? ListIs<float>(value, length) : value.is<float>();
    case AttrKind::kBool:
      return def.is_list ? ListIs<bool>(value, length) : value.is<bool>();
    case AttrKind::kType:
      return def.is_list ? ListIs<DataType>(value, length) : value.is<DataType>();
    case AttrKind::kShape:
      return def.is_list ? ListIs<Shape>(value, length) : value.is<Shape>();
    case AttrKind::kTensor:
      return def.is_list ? ListIs<Tensor>(value, length) : value.is<Tensor>();
    case AttrKind::kFunction:
      return def.is_list ? ListIs<FunctionRef>(value, length) : value.is<FunctionRef>();
  }
  return false;
}

AttrValue EmptyListOf(AttrKind kind) {
  switch (kind) {
    case AttrKind::kString:
      return std::vector<std::string>();
    case AttrKind::kInt:
      return std::vector<int64_t>();
    case AttrKind::kFloat:
      return std::vector<float>();
    case AttrKind::kBool:
      return std::vector<bool>();
    case AttrKind::kType:
      return std::vector<DataType>();
    case AttrKind::kShape:
      return std::vector<Shape>();
    case AttrKind::kTensor:
      return std::vector<Tensor>();
    case AttrKind::kFunction:
      return std::vector<FunctionRef>();
  }
  return AttrValue();
}

absl::Status CheckAttr(const AttrDef& def, const AttrValue& value) {
  int64_t length = 0;
  if (!HasKind(def, value, &length)) {
    return absl::InvalidArgumentError(absl::StrCat("attribute '", def.name, "' is ", value.ToString(), ", expected ",
                                                   def.is_list ? "a list of " : "a ", AttrKindName(def.kind)));
  }
  if (def.minimum.has_value()) {
    const int64_t n = def.is_list ? length : value.is<int64_t>() ? value.get<int64_t>() : *def.minimum;
    if (n < *def.minimum) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", def.name, "' ", def.is_list ? "has length " : "is ",
                                                     n, ", expected at least ", *def.minimum));
    }
  }
  if (const auto* text = value.find<std::string>(); text != nullptr && !def.allowed_strings.empty()) {
    if (std::find(def.allowed_strings.begin(), def.allowed_strings.end(), *text) == def.allowed_strings.end()) {
      return absl::InvalidArgumentError(absl::StrCat("attribute '", def.name, "' is '", *text, "', expected one of ",
                                                     absl::StrJoin(def.allowed_strings, ", ")));
    }
  }
  if (def.kind == AttrKind::kType) {
    const DataTypeSet allowed = def.allowed_types != 0 ? def.allowed_types : ~DataTypeSet{1};
    const auto check = [&](DataType type) -> absl::Status {
      if (type >= 0 && type < 64 && (allowed & TypeBit(type))) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("attribute '", def.name, "' is ", DataTypeName(type),
                                                     ", expected one of ", TypeNames(def.allowed_types)));
    };
    if (!def.is_list) return check(value.get<DataType>());
    for (DataType type : value.get<std::vector<DataType>>()) SF_RETURN_IF_ERROR(check(type));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status InferAttrs(const Op& op, absl::Span<const ArgType> inputs, AttrMap* attrs) {
  size_t next = 0;
  for (const ArgDef& arg : op.inputs) {
    SF_ASSIGN_OR_RETURN(const int64_t count, CountInputs(op, arg, *attrs, inputs.size()));
    if (count < 0 || next + count > inputs.size()) {
      return absl::InvalidArgumentError(absl::StrCat("got ", inputs.size(), " inputs, too few for '", arg.name, "'"));
    }
    const auto parts = inputs.subspan(next, count);
    next += count;
    if (!arg.number_attr.empty()) SF_RETURN_IF_ERROR(Set(attrs, arg.number_attr, count, arg));
    if (!arg.type_list_attr.empty()) {
      std::vector<DataType> types;
      for (const ArgType& part : parts) types.push_back(part.dtype);
      SF_RETURN_IF_ERROR(Set(attrs, arg.type_list_attr, std::move(types), arg));
    }
    if (!arg.type_attr.empty()) {
      for (const ArgType& part : parts) SF_RETURN_IF_ERROR(Set(attrs, arg.type_attr, part.dtype, arg));
    }
  }
  if (next != inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("got ", inputs.size(), " inputs, expected ", next));
  }
  return absl::OkStatus();
}

absl::Status CheckAttrs(const Op& op, AttrMap* attrs) {
  for (const AttrDef& def : op.attrs) {
    auto it = attrs->find(def.name);
    if (it == attrs->end()) {
      if (!def.default_value.has_value()) {
        return absl::InvalidArgumentError(absl::StrCat("attribute '", def.name, "' is missing"));
      }
      it = attrs->try_emplace(def.name, *def.default_value).first;
    }
    if (def.is_list && it->second.is<EmptyList>()) it->second = EmptyListOf(def.kind);
    SF_RETURN_IF_ERROR(CheckAttr(def, it->second));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ArgLength(const ArgDef& arg, const AttrMap& attrs) {
  const std::string& name = !arg.number_attr.empty() ? arg.number_attr : arg.type_list_attr;
  if (name.empty()) return 1;
  auto it = attrs.find(name);
  if (it != attrs.end()) {
    if (const auto* n = it->second.find<int64_t>()) return *n;
    if (const auto* types = it->second.find<std::vector<DataType>>()) return static_cast<int64_t>(types->size());
    if (it->second.is<EmptyList>()) return 0;
  }
  return absl::InvalidArgumentError(absl::StrCat("attribute '", name, "' is missing"));
}

absl::StatusOr<std::vector<ArgType>> ExpandArgs(absl::Span<const ArgDef> args, const AttrMap& attrs) {
  std::vector<ArgType> types;
  for (const ArgDef& arg : args) {
    SF_ASSIGN_OR_RETURN(const int64_t count, ArgLength(arg, attrs));
    if (count < 0 || count > kMaxArgs - static_cast<int64_t>(types.size())) {
      return absl::InvalidArgumentError(absl::StrCat("'", arg.name, "' has length ", count, ", at most ", kMaxArgs,
                                                     " inputs or outputs are allowed"));
    }
    for (int64_t i = 0; i < count; ++i) {
      ArgType type{.dtype = arg.dtype, .is_ref = arg.is_ref};
      if (!arg.type_attr.empty()) type.dtype = attrs.at(arg.type_attr).get<DataType>();
      if (!arg.type_list_attr.empty()) type.dtype = attrs.at(arg.type_list_attr).get<std::vector<DataType>>()[i];
      types.push_back(type);
    }
  }
  return types;
}

absl::Status CheckInputs(const Op& op, absl::Span<const ArgType> expected, absl::Span<const ArgType> inputs) {
  if (inputs.size() != expected.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got ", inputs.size(), " inputs, expected ", expected.size(), " for ", op.name()));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype != expected[i].dtype) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is ", DataTypeName(inputs[i].dtype), ", expected ",
                                                     DataTypeName(expected[i].dtype)));
    }
    if (expected[i].is_ref && !inputs[i].is_ref) {
      return absl::InvalidArgumentError(absl::StrCat("input ", i, " is a value, expected a reference to a variable of ",
                                                     DataTypeName(inputs[i].dtype)));
    }
  }
  return absl::OkStatus();
}

}  // namespace staticflow
