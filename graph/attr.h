// AttrValue: the value of one attribute of a node, and AttrMap: all of them by name.
//
//   AttrMap attrs = {{"transpose_a", true}, {"strides", std::vector<int64_t>{1, 2, 2, 1}}, {"T", DT_FLOAT}};
//   bool transpose_a = attrs.at("transpose_a").get<bool>();
//
// The kinds are those of TensorFlow's AttrValue message. Values are immutable in spirit: copy, then replace.
#ifndef STATICFLOW_GRAPH_ATTR_H_
#define STATICFLOW_GRAPH_ATTR_H_

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "graph/dtype.h"
#include "graph/shape.h"
#include "graph/status.h"
#include "graph/tensor.h"

namespace staticflow {

class AttrMap;

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

  AttrValue();
  AttrValue(int value);                        // NOLINT
  AttrValue(int64_t value);                    // NOLINT
  AttrValue(float value);                      // NOLINT
  AttrValue(double value);                     // NOLINT
  AttrValue(bool value);                       // NOLINT
  AttrValue(DataType value);                   // NOLINT
  AttrValue(std::string value);                // NOLINT
  AttrValue(absl::string_view value);          // NOLINT
  AttrValue(const char* value);                // NOLINT
  AttrValue(Shape value);                      // NOLINT
  AttrValue(Tensor value);                     // NOLINT
  AttrValue(FunctionRef value);                // NOLINT
  AttrValue(AttrPlaceholder value);            // NOLINT
  AttrValue(EmptyList value);                  // NOLINT
  AttrValue(std::vector<std::string> values);  // NOLINT
  AttrValue(std::vector<int64_t> values);      // NOLINT
  AttrValue(std::vector<float> values);        // NOLINT
  AttrValue(std::vector<bool> values);         // NOLINT
  AttrValue(std::vector<DataType> values);     // NOLINT
  AttrValue(std::vector<Shape> values);        // NOLINT
  AttrValue(std::vector<Tensor> values);       // NOLINT
  AttrValue(std::vector<FunctionRef> values);  // NOLINT
  AttrValue(const AttrValue&);
  AttrValue(AttrValue&&) noexcept;
  AttrValue& operator=(const AttrValue&);
  AttrValue& operator=(AttrValue&&) noexcept;
  ~AttrValue();

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

// A sorted list: nodes have few attributes, and every file that mentions a node would pay for a tree's templates.
// Pointers into it are valid until the next insertion or removal.
class AttrMap {
 public:
  using value_type = std::pair<std::string, AttrValue>;
  using iterator = std::vector<value_type>::iterator;
  using const_iterator = std::vector<value_type>::const_iterator;
  struct Item {
    absl::string_view name;
    AttrValue value;
  };

  AttrMap();
  AttrMap(std::initializer_list<Item> items);
  AttrMap(const AttrMap&);
  AttrMap(AttrMap&&) noexcept;
  AttrMap& operator=(const AttrMap&);
  AttrMap& operator=(AttrMap&&) noexcept;
  ~AttrMap();

  iterator begin() { return items_.begin(); }
  iterator end() { return items_.end(); }
  const_iterator begin() const { return items_.begin(); }
  const_iterator end() const { return items_.end(); }
  bool empty() const { return items_.empty(); }
  int size() const { return static_cast<int>(items_.size()); }

  bool contains(absl::string_view name) const { return find(name) != end(); }
  iterator find(absl::string_view name);
  const_iterator find(absl::string_view name) const;
  const AttrValue& at(absl::string_view name) const;  // REQUIRES: contains(name)
  // Added without a value when there is none.
  AttrValue& operator[](absl::string_view name);
  // Leaves a value that is there alone; `second` tells whether it was added.
  std::pair<iterator, bool> try_emplace(absl::string_view name, AttrValue value);
  // Whether there was one.
  bool erase(absl::string_view name);
  iterator erase(const_iterator position);

  friend bool operator==(const AttrMap& a, const AttrMap& b);

 private:
  std::vector<value_type> items_;
};

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_ATTR_H_
