#include "graph/attr.h"

#include <algorithm>
#include <type_traits>

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

// The first attribute whose name is not less than `name`.
template <typename Items>
auto LowerBound(Items& items, absl::string_view name) {
  return std::lower_bound(items.begin(), items.end(), name,
                          [](const auto& item, absl::string_view key) { return item.first < key; });
}

}  // namespace

bool operator==(const FunctionRef& a, const FunctionRef& b) {
  const AttrMap none;
  return a.name == b.name && (a.attrs ? *a.attrs : none) == (b.attrs ? *b.attrs : none);
}

AttrValue::AttrValue() = default;
AttrValue::AttrValue(int value) : value_(int64_t{value}) {}
AttrValue::AttrValue(int64_t value) : value_(value) {}
AttrValue::AttrValue(float value) : value_(value) {}
AttrValue::AttrValue(double value) : value_(static_cast<float>(value)) {}
AttrValue::AttrValue(bool value) : value_(value) {}
AttrValue::AttrValue(DataType value) : value_(value) {}
AttrValue::AttrValue(std::string value) : value_(std::move(value)) {}
AttrValue::AttrValue(absl::string_view value) : value_(std::string(value)) {}
AttrValue::AttrValue(const char* value) : value_(std::string(value)) {}
AttrValue::AttrValue(Shape value) : value_(std::move(value)) {}
AttrValue::AttrValue(Tensor value) : value_(std::move(value)) {}
AttrValue::AttrValue(FunctionRef value) : value_(std::move(value)) {}
AttrValue::AttrValue(AttrPlaceholder value) : value_(std::move(value)) {}
AttrValue::AttrValue(EmptyList value) : value_(value) {}
AttrValue::AttrValue(std::vector<std::string> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<int64_t> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<float> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<bool> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<DataType> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<Shape> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<Tensor> values) : value_(std::move(values)) {}
AttrValue::AttrValue(std::vector<FunctionRef> values) : value_(std::move(values)) {}
AttrValue::AttrValue(const AttrValue&) = default;
AttrValue::AttrValue(AttrValue&&) noexcept = default;
AttrValue& AttrValue::operator=(const AttrValue&) = default;
AttrValue& AttrValue::operator=(AttrValue&&) noexcept = default;
AttrValue::~AttrValue() = default;

std::string AttrValue::ToString() const {
  return std::visit([](const auto& value) { return Text(value); }, value_);
}

bool operator==(const AttrValue& a, const AttrValue& b) {
  if (a.value_.index() != b.value_.index()) return false;
  return std::visit([&](const auto& value) { return Same(value, *b.find<std::decay_t<decltype(value)>>()); }, a.value_);
}

AttrMap::AttrMap() = default;
AttrMap::AttrMap(std::initializer_list<Item> items) {
  items_.reserve(items.size());
  for (const Item& item : items) try_emplace(item.name, item.value);
}
AttrMap::AttrMap(const AttrMap&) = default;
AttrMap::AttrMap(AttrMap&&) noexcept = default;
AttrMap& AttrMap::operator=(const AttrMap&) = default;
AttrMap& AttrMap::operator=(AttrMap&&) noexcept = default;
AttrMap::~AttrMap() = default;

AttrMap::iterator AttrMap::find(absl::string_view name) {
  const auto it = LowerBound(items_, name);
  return it != items_.end() && it->first == name ? it : items_.end();
}

AttrMap::const_iterator AttrMap::find(absl::string_view name) const {
  const auto it = LowerBound(items_, name);
  return it != items_.end() && it->first == name ? it : items_.end();
}

const AttrValue& AttrMap::at(absl::string_view name) const {
  const auto it = find(name);
  SF_CHECK(it != end());
  return it->second;
}

AttrValue& AttrMap::operator[](absl::string_view name) { return try_emplace(name, AttrValue()).first->second; }

std::pair<AttrMap::iterator, bool> AttrMap::try_emplace(absl::string_view name, AttrValue value) {
  const auto it = LowerBound(items_, name);
  if (it != items_.end() && it->first == name) return {it, false};
  return {items_.emplace(it, std::string(name), std::move(value)), true};
}

bool AttrMap::erase(absl::string_view name) {
  const auto it = find(name);
  if (it == end()) return false;
  items_.erase(it);
  return true;
}

AttrMap::iterator AttrMap::erase(const_iterator position) { return items_.erase(position); }

bool operator==(const AttrMap& a, const AttrMap& b) { return a.items_ == b.items_; }

}  // namespace staticflow
