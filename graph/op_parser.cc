#include "graph/op_parser.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr DataTypeSet kFloatTypes = TypeBit(DT_HALF) | TypeBit(DT_BFLOAT16) | TypeBit(DT_FLOAT) | TypeBit(DT_DOUBLE);
constexpr DataTypeSet kRealTypes = kFloatTypes | TypeBit(DT_INT8) | TypeBit(DT_INT16) | TypeBit(DT_INT32) |
                                   TypeBit(DT_INT64) | TypeBit(DT_UINT8) | TypeBit(DT_UINT16) | TypeBit(DT_UINT32) |
                                   TypeBit(DT_UINT64);
constexpr DataTypeSet kNumberTypes = kRealTypes | TypeBit(DT_COMPLEX64) | TypeBit(DT_COMPLEX128);

absl::string_view Trim(absl::string_view s) { return absl::StripAsciiWhitespace(s); }

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "': ", why));
}

// "name: rest"
absl::StatusOr<std::pair<absl::string_view, absl::string_view>> SplitName(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos) return Bad(text, "expected 'name: ...'");
  return std::make_pair(Trim(text.substr(0, colon)), Trim(text.substr(colon + 1)));
}

absl::StatusOr<ArgDef> ParseArg(absl::string_view text, const Op& op) {
  ArgDef arg;
  SF_ASSIGN_OR_RETURN(auto name_and_type, SplitName(text));
  arg.name = std::string(name_and_type.first);
  absl::string_view type = name_and_type.second;
  if (absl::ConsumePrefix(&type, "Ref(")) {
    if (!absl::ConsumeSuffix(&type, ")")) return Bad(text, "Ref( is not closed");
    arg.is_ref = true;
  }
  if (const size_t star = type.find('*'); star != absl::string_view::npos) {
    arg.number_attr = std::string(Trim(type.substr(0, star)));
    const AttrDef* number = op.FindAttr(arg.number_attr);
    if (number == nullptr || number->kind != AttrKind::kInt) return Bad(text, "the number is no int attribute");
    type = Trim(type.substr(star + 1));
  }
  arg.dtype = ParseDataType(type);
  if (arg.dtype != DT_INVALID) return arg;
  const AttrDef* attr = op.FindAttr(type);
  if (attr == nullptr || attr->kind != AttrKind::kType) return Bad(text, "the type is no type attribute");
  (attr->is_list ? arg.type_list_attr : arg.type_attr) = std::string(type);
  return arg;
}

std::string Unquote(absl::string_view s) {
  s = Trim(s);
  if (s.size() >= 2 && (s.front() == '\'' || s.front() == '"')) s = s.substr(1, s.size() - 2);
  return std::string(s);
}

// A vector: "uint8 [255, 0, 0, 255]".
absl::StatusOr<AttrValue> ParseTensor(absl::string_view text) {
  const size_t bracket = text.find('[');
  if (bracket == absl::string_view::npos || !absl::ConsumeSuffix(&text, "]")) return Bad(text, "expected a vector");
  std::vector<double> values;
  for (absl::string_view item : absl::StrSplit(text.substr(bracket + 1), ',', absl::SkipWhitespace())) {
    if (!absl::SimpleAtod(item, &values.emplace_back())) return Bad(item, "expected a number");
  }
  SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(ParseDataType(Trim(text.substr(0, bracket))),
                                                    {static_cast<int64_t>(values.size())}));
  const bool known = DispatchType<uint8_t, int32_t, int64_t, float>(tensor.dtype(), [&]<typename T>() {
    for (size_t i = 0; i < values.size(); ++i) tensor.data<T>()[i] = static_cast<T>(values[i]);
  });
  if (!known) return Bad(text, "no such default value");
  return AttrValue(std::move(tensor));
}

absl::StatusOr<AttrValue> ParseScalar(AttrKind kind, absl::string_view text) {
  text = Trim(text);
  int64_t i;
  double d;
  switch (kind) {
    case AttrKind::kString:
      return AttrValue(Unquote(text));
    case AttrKind::kInt:
      if (absl::SimpleAtoi(text, &i)) return AttrValue(i);
      break;
    case AttrKind::kFloat:
      if (absl::SimpleAtod(text, &d)) return AttrValue(d);
      break;
    case AttrKind::kBool:
      if (text == "true" || text == "false") return AttrValue(text == "true");
      break;
    case AttrKind::kType:
      if (ParseDataType(text) != DT_INVALID) return AttrValue(ParseDataType(text));
      break;
    case AttrKind::kShape:
      if (text == "unknown") return AttrValue(Shape::Unknown());
      if (text == "scalar") return AttrValue(Shape());
      break;
    case AttrKind::kTensor:
      return ParseTensor(text);
    default:
      break;
  }
  return Bad(text, "no such default value");
}

template <typename T>
absl::StatusOr<AttrValue> ParseListOf(AttrKind kind, absl::string_view text) {
  std::vector<T> list;
  for (absl::string_view item : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    SF_ASSIGN_OR_RETURN(AttrValue value, ParseScalar(kind, item));
    list.push_back(value.get<T>());
  }
  return AttrValue(std::move(list));
}

absl::StatusOr<AttrValue> ParseDefault(const AttrDef& attr, absl::string_view text) {
  if (!attr.is_list) return ParseScalar(attr.kind, text);
  if (!absl::ConsumePrefix(&text, "[") || !absl::ConsumeSuffix(&text, "]")) return Bad(text, "expected a list");
  switch (attr.kind) {
    case AttrKind::kString:
      return ParseListOf<std::string>(attr.kind, text);
    case AttrKind::kInt:
      return ParseListOf<int64_t>(attr.kind, text);
    case AttrKind::kFloat:
      return ParseListOf<float>(attr.kind, text);
    case AttrKind::kBool:
      return ParseListOf<bool>(attr.kind, text);
    case AttrKind::kType:
      return ParseListOf<DataType>(attr.kind, text);
    case AttrKind::kShape:
      return ParseListOf<Shape>(attr.kind, text);
    case AttrKind::kTensor:
      return AttrValue(std::vector<Tensor>());
    case AttrKind::kFunction:
      return AttrValue(std::vector<FunctionRef>());
  }
  return Bad(text, "no such default value");
}

// "{float, double}" or "{'SAME', 'VALID'}" or a name of a set of types; nothing when the text starts otherwise.
absl::Status ParseKind(absl::string_view text, AttrDef* attr) {
  if (absl::ConsumePrefix(&text, "{")) {
    if (!absl::ConsumeSuffix(&text, "}")) return Bad(text, "{ is not closed");
    for (absl::string_view item : absl::StrSplit(text, ',')) {
      item = Trim(item);
      if (!item.empty() && (item.front() == '\'' || item.front() == '"')) {
        attr->kind = AttrKind::kString;
        attr->allowed_strings.push_back(Unquote(item));
        continue;
      }
      attr->kind = AttrKind::kType;
      const DataType type = ParseDataType(item);
      if (type == DT_INVALID) return Bad(item, "no such type");
      attr->allowed_types |= TypeBit(type);
    }
    return absl::OkStatus();
  }
  static constexpr struct {
    const char* name;
    AttrKind kind;
    DataTypeSet types;
  } kKinds[] = {
      {"string", AttrKind::kString, 0},
      {"int", AttrKind::kInt, 0},
      {"float", AttrKind::kFloat, 0},
      {"bool", AttrKind::kBool, 0},
      {"type", AttrKind::kType, 0},
      {"shape", AttrKind::kShape, 0},
      {"tensor", AttrKind::kTensor, 0},
      {"func", AttrKind::kFunction, 0},
      {"numbertype", AttrKind::kType, kNumberTypes},
      {"realnumbertype", AttrKind::kType, kRealTypes},
      {"floattype", AttrKind::kType, kFloatTypes},
      {"indextype", AttrKind::kType, TypeBit(DT_INT32) | TypeBit(DT_INT64)},
  };
  for (const auto& row : kKinds) {
    if (text != row.name) continue;
    attr->kind = row.kind;
    attr->allowed_types = row.types;
    return absl::OkStatus();
  }
  return Bad(text, "no such kind of attribute");
}

absl::StatusOr<AttrDef> ParseAttr(absl::string_view text) {
  AttrDef attr;
  SF_ASSIGN_OR_RETURN(auto name_and_kind, SplitName(text));
  attr.name = std::string(name_and_kind.first);
  absl::string_view kind = name_and_kind.second;
  absl::string_view default_text;
  bool has_default = false;
  if (const size_t at_least = kind.find(">="); at_least != absl::string_view::npos) {
    absl::string_view rest = kind.substr(at_least + 2);
    kind = Trim(kind.substr(0, at_least));
    const size_t equals = rest.find('=');
    int64_t minimum;
    if (!absl::SimpleAtoi(Trim(rest.substr(0, equals)), &minimum)) return Bad(text, "bad minimum");
    attr.minimum = minimum;
    has_default = equals != absl::string_view::npos;
    if (has_default) default_text = Trim(rest.substr(equals + 1));
  } else if (const size_t equals = kind.find('='); equals != absl::string_view::npos) {
    has_default = true;
    default_text = Trim(kind.substr(equals + 1));
    kind = Trim(kind.substr(0, equals));
  }
  if (absl::ConsumePrefix(&kind, "list(")) {
    if (!absl::ConsumeSuffix(&kind, ")")) return Bad(text, "list( is not closed");
    attr.is_list = true;
  }
  SF_RETURN_IF_ERROR(ParseKind(Trim(kind), &attr));
  if (has_default) {
    SF_ASSIGN_OR_RETURN(AttrValue value, ParseDefault(attr, default_text));
    attr.default_value = std::move(value);
  }
  return attr;
}

}  // namespace

absl::string_view AttrKindName(AttrKind kind) {
  static constexpr absl::string_view kNames[] = {"string", "int", "float", "bool", "type", "shape", "tensor", "func"};
  return kNames[static_cast<int>(kind)];
}

absl::StatusOr<Op> ParseOp(OpSpec spec) {
  Op op;
  auto parse = [&]() -> absl::Status {
    for (const std::string& text : spec.attrs) {
      SF_ASSIGN_OR_RETURN(AttrDef attr, ParseAttr(text));
      op.attrs.push_back(std::move(attr));
    }
    for (const std::string& text : spec.inputs) {
      SF_ASSIGN_OR_RETURN(ArgDef arg, ParseArg(text, op));
      op.inputs.push_back(std::move(arg));
    }
    for (const std::string& text : spec.outputs) {
      SF_ASSIGN_OR_RETURN(ArgDef arg, ParseArg(text, op));
      op.outputs.push_back(std::move(arg));
    }
    return absl::OkStatus();
  };
  SF_RETURN_IF_ERROR(Annotate(parse(), absl::StrCat("op ", spec.name, ": ")));
  if (spec.name.empty()) return absl::InvalidArgumentError("an op needs a name");
  op.spec = std::move(spec);
  return op;
}

}  // namespace staticflow
