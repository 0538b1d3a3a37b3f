// AttrValue: the value of one attribute of a node, and AttrMap: all of them by name.
//
//   AttrMap attrs = {{"transpose_a", true}, {"strides", std::vector<int64_t>{1, 2, 2, 1}}, {"T", DT_FLOAT}};
//   bool transpose_a = attrs.at("transpose_a").get<bool>();
//
// The kinds are those of TensorFlow's AttrValue message. Values are immutable in spirit: copy, then replace.
#ifndef STATICFLOW_GRAPH_ATTR_H_
#define STATICFLOW_GRAPH_ATTR_H_

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "graph/dtype.h"
#include "graph/shape.h"
#include "graph/status.h"
#include "graph/tensor.h"

namespace staticflow {

class AttrValue;
using AttrMap = absl::btree_map<std::string, AttrValue, std::less<>>;

// A function of the graph's library with the attributes it is called with.
struct FunctionRef {
  std::string name;
  std::shared_ptr<const AttrMap> attrs;  // null: none
};
bool operator==(const FunctionRef& a, const FunctionRef& b);

// A name that stands for an attribute of the function around it, inside a function's body.
struct AttrPlaceholder {
  std::string name;
  friend bool operator==(const AttrPlaceholder&, const AttrPlaceholder&) = default;
};

// An empty list, whose element kind a file does not tell.
struct EmptyList {
  friend bool operator==(EmptyList, EmptyList) { return true; }
};

class AttrValue {
 public:
  using Variant = std::variant<std::monostate, std::string, int64_t, float, bool, DataType, Shape, Tensor, FunctionRef,
                               AttrPlaceholder, EmptyList, std::vector<std::string>, std::vector<int64_t>,
                               std::vector<float>, std::vector<bool>, std::vector<DataType>, std::vector<Shape>,
                               std::vector<Tensor>, std::vector<FunctionRef>>;

  AttrValue() = default;
  AttrValue(int value) : value_(int64_t{value}) {}                    // NOLINT
  AttrValue(int64_t value) : value_(value) {}                         // NOLINT
  AttrValue(float value) : value_(value) {}                           // NOLINT
  AttrValue(double value) : value_(static_cast<float>(value)) {}      // NOLINT
  AttrValue(bool value) : value_(value) {}                            // NOLINT
  AttrValue(DataType value) : value_(value) {}                        // NOLINT
  AttrValue(std::string value) : value_(std::move(value)) {}          // NOLINT
  AttrValue(absl::string_view value) : value_(std::string(value)) {}  // NOLINT
  AttrValue(const char* value) : value_(std::string(value)) {}        // NOLINT
  template <typename T>
  requires(std::is_same_v<T, Shape> || std::is_same_v<T, Tensor> || std::is_same_v<T, FunctionRef> ||
           std::is_same_v<T, AttrPlaceholder> || std::is_same_v<T, EmptyList>) AttrValue(T value)
      : value_(std::move(value)) {}  // NOLINT
  template <typename T>
  AttrValue(std::vector<T> values) : value_(std::move(values)) {}  // NOLINT

  template <typename T>
  bool is() const {
    return std::holds_alternative<T>(value_);
  }
  // Null when the value is of another kind.
  template <typename T>
  const T* find() const {
    return std::get_if<T>(&value_);
  }
  // REQUIRES: is<T>(). For attributes that the op's definition guarantees.
  template <typename T>
  const T& get() const {
    const T* value = find<T>();
    SF_CHECK(value != nullptr);
    return *value;
  }
  const Variant& variant() const { return value_; }

  // "true", "[1, 2, 2, 1]", "float", "'SAME'".
  std::string ToString() const;
  friend bool operator==(const AttrValue& a, const AttrValue& b);

 private:
  Variant value_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_ATTR_H_
