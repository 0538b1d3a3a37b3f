#include "graph/attr.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace staticflow {
namespace {

std::string Text(std::monostate) { return "<none>"; }
std::string Text(EmptyList) { return "[]"; }
std::string Text(const std::string& s) { return absl::StrCat("'", absl::CHexEscape(s), "'"); }
std::string Text(int64_t i) { return absl::StrCat(i); }
std::string Text(float f) { return absl::StrCat(f); }
std::string Text(bool b) { return b ? "true" : "false"; }
std::string Text(DataType t) { return std::string(DataTypeName(t)); }
std::string Text(const Shape& s) { return s.ToString(); }
std::string Text(const Tensor& t) { return t.ToString(); }
std::string Text(const FunctionRef& f) { return absl::StrCat("@", f.name); }
std::string Text(const AttrPlaceholder& p) { return absl::StrCat("$", p.name); }
template <typename T>
std::string Text(const std::vector<T>& list) {
  std::vector<std::string> items;
  for (const auto& item : list) items.push_back(Text(item));
  return absl::StrCat("[", absl::StrJoin(items, ", "), "]");
}

template <typename T>
bool Same(const T& a, const T& b) {
  return a == b;
}
bool Same(const Tensor& a, const Tensor& b) { return BitwiseEqual(a, b); }
bool Same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), BitwiseEqual);
}

}  // namespace

bool operator==(const FunctionRef& a, const FunctionRef& b) {
  const AttrMap none;
  return a.name == b.name && (a.attrs ? *a.attrs : none) == (b.attrs ? *b.attrs : none);
}

std::string AttrValue::ToString() const {
  return std::visit([](const auto& value) { return Text(value); }, value_);
}

bool operator==(const AttrValue& a, const AttrValue& b) {
  if (a.value_.index() != b.value_.index()) return false;
  return std::visit([&](const auto& value) { return Same(value, *b.find<std::decay_t<decltype(value)>>()); }, a.value_);
}

}  // namespace staticflow
