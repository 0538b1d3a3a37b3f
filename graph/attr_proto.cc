#include "graph/attr_proto.h"

#include <memory>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

absl::StatusOr<FunctionRef> FunctionFromProto(const proto::NameAttrList& message, const AttrLimits& limits) {
  if (limits.max_nesting <= 0) return absl::ResourceExhaustedError("functions are nested too deeply");
  AttrLimits inner = limits;
  --inner.max_nesting;
  AttrMap attrs;
  for (const auto& [name, value] : message.attr()) {
    absl::StatusOr<AttrValue> attr = AttrFromProto(value, inner);
    if (!attr.ok()) return Annotate(attr.status(), absl::StrCat("attribute '", name, "' of ", message.name(), ": "));
    attrs[name] = *std::move(attr);
  }
  FunctionRef function{.name = message.name(), .attrs = nullptr};
  if (!attrs.empty()) function.attrs = std::make_shared<const AttrMap>(std::move(attrs));
  return function;
}

// `messages` as a vector of what `convert`, which may fail, makes of each.
template <typename T, typename Messages, typename Convert>
absl::StatusOr<AttrValue> List(const Messages& messages, Convert convert) {
  std::vector<T> values;
  values.reserve(messages.size());
  for (const auto& message : messages) {
    SF_ASSIGN_OR_RETURN(T value, convert(message));
    values.push_back(std::move(value));
  }
  return AttrValue(std::move(values));
}

template <typename T, typename Values>
absl::StatusOr<AttrValue> PlainList(const Values& values) {
  return AttrValue(std::vector<T>(values.begin(), values.end()));
}

absl::StatusOr<AttrValue> ListFromProto(const proto::AttrValue::ListValue& m, const AttrLimits& limits) {
  const int64_t sizes[] = {m.s_size(),    m.i_size(),     m.f_size(),      m.b_size(),
                           m.type_size(), m.shape_size(), m.tensor_size(), m.func_size()};
  int kinds = 0;
  for (int64_t size : sizes) {
    kinds += size > 0;
    if (size > limits.max_list_length) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a list has ", size, " elements, at most ", limits.max_list_length, " are allowed"));
    }
  }
  if (kinds == 0) return AttrValue(EmptyList());
  if (kinds > 1) return absl::InvalidArgumentError("a list holds values of several kinds");
  if (m.s_size() > 0) return PlainList<std::string>(m.s());
  if (m.i_size() > 0) return PlainList<int64_t>(m.i());
  if (m.f_size() > 0) return PlainList<float>(m.f());
  if (m.b_size() > 0) return PlainList<bool>(m.b());
  if (m.type_size() > 0) return List<DataType>(m.type(), DataTypeFromProto);
  if (m.shape_size() > 0) return List<Shape>(m.shape(), ShapeFromProto);
  if (m.tensor_size() > 0) {
    return List<Tensor>(m.tensor(), [&](const proto::TensorProto& t) { return TensorFromProto(t, limits.tensor); });
  }
  return List<FunctionRef>(m.func(), [&](const proto::NameAttrList& f) { return FunctionFromProto(f, limits); });
}

void FunctionToProto(const FunctionRef& function, proto::NameAttrList* message) {
  message->set_name(function.name);
  if (function.attrs == nullptr) return;
  for (const auto& [name, value] : *function.attrs) AttrToProto(value, &(*message->mutable_attr())[name]);
}

// One overload per kind of attribute.
class Writer {
 public:
  explicit Writer(proto::AttrValue* message) : m_(message) {}

  void operator()(std::monostate) const {}
  void operator()(EmptyList) const { m_->mutable_list(); }
  void operator()(const std::string& v) const { m_->set_s(v); }
  void operator()(int64_t v) const { m_->set_i(v); }
  void operator()(float v) const { m_->set_f(v); }
  void operator()(bool v) const { m_->set_b(v); }
  void operator()(DataType v) const { m_->set_type(static_cast<proto::DataType>(v)); }
  void operator()(const Shape& v) const { *m_->mutable_shape() = ShapeToProto(v); }
  void operator()(const Tensor& v) const { *m_->mutable_tensor() = TensorToProto(v); }
  void operator()(const FunctionRef& v) const { FunctionToProto(v, m_->mutable_func()); }
  void operator()(const AttrPlaceholder& v) const { m_->set_placeholder(v.name); }
  template <typename T>
  void operator()(const std::vector<T>& values) const {
    proto::AttrValue::ListValue* list = m_->mutable_list();
    for (const auto& value : values) Add(static_cast<const T&>(value), list);
  }

 private:
  static void Add(const std::string& v, proto::AttrValue::ListValue* list) { list->add_s(v); }
  static void Add(int64_t v, proto::AttrValue::ListValue* list) { list->add_i(v); }
  static void Add(float v, proto::AttrValue::ListValue* list) { list->add_f(v); }
  static void Add(bool v, proto::AttrValue::ListValue* list) { list->add_b(v); }
  static void Add(DataType v, proto::AttrValue::ListValue* list) { list->add_type(static_cast<proto::DataType>(v)); }
  static void Add(const Shape& v, proto::AttrValue::ListValue* list) { *list->add_shape() = ShapeToProto(v); }
  static void Add(const Tensor& v, proto::AttrValue::ListValue* list) { *list->add_tensor() = TensorToProto(v); }
  static void Add(const FunctionRef& v, proto::AttrValue::ListValue* list) { FunctionToProto(v, list->add_func()); }

  proto::AttrValue* m_;
};

}  // namespace

absl::StatusOr<AttrValue> AttrFromProto(const proto::AttrValue& message, const AttrLimits& limits) {
  switch (message.value_case()) {
    case proto::AttrValue::kS:
      return AttrValue(message.s());
    case proto::AttrValue::kI:
      return AttrValue(int64_t{message.i()});
    case proto::AttrValue::kF:
      return AttrValue(message.f());
    case proto::AttrValue::kB:
      return AttrValue(message.b());
    case proto::AttrValue::kType: {
      SF_ASSIGN_OR_RETURN(DataType dtype, DataTypeFromProto(message.type()));
      return AttrValue(dtype);
    }
    case proto::AttrValue::kShape: {
      SF_ASSIGN_OR_RETURN(Shape shape, ShapeFromProto(message.shape()));
      return AttrValue(std::move(shape));
    }
    case proto::AttrValue::kTensor: {
      SF_ASSIGN_OR_RETURN(Tensor tensor, TensorFromProto(message.tensor(), limits.tensor));
      return AttrValue(std::move(tensor));
    }
    case proto::AttrValue::kFunc: {
      SF_ASSIGN_OR_RETURN(FunctionRef function, FunctionFromProto(message.func(), limits));
      return AttrValue(std::move(function));
    }
    case proto::AttrValue::kPlaceholder:
      return AttrValue(AttrPlaceholder{message.placeholder()});
    case proto::AttrValue::kList:
      return ListFromProto(message.list(), limits);
    case proto::AttrValue::VALUE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the attribute has no value of a known kind");
}

void AttrToProto(const AttrValue& value, proto::AttrValue* message) {
  message->Clear();
  std::visit(Writer(message), value.variant());
}

}  // namespace staticflow
