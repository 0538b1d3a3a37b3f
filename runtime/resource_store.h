// ResourceStore: the only mutable state of a session: variables, and other resources that kernels keep by name
// (random counters, stacks, tables).
//
//   absl::StatusOr<VariableSlot*> w = store.Variable("dense/kernel", DT_FLOAT, {784, 100});
//
// Thread-safety: looking resources up is safe from any thread. Their contents are guarded by mutex(): a step that only
// reads variables holds it shared, one that writes any holds it exclusively, once per step.
#ifndef STATICFLOW_RUNTIME_RESOURCE_STORE_H_
#define STATICFLOW_RUNTIME_RESOURCE_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "graph/tensor.h"

namespace staticflow {

struct StoreMutex;  // runtime/store_mutex.h

// The value of one variable. A variable whose shape is fixed gets its buffer at once and keeps it, so that plans can
// point into it; `initialized` tells whether a value was ever assigned.
struct VariableSlot {
  std::string name;
  DataType dtype = DT_INVALID;
  Shape declared_shape;  // may be partial
  Tensor value;
  bool initialized = false;

  // Copies `source` into the slot, keeping the buffer when the size agrees; marks it initialized.
  // InvalidArgument when dtype differs, or when `check_shape` is set and the shape contradicts the declared one.
  absl::Status Assign(DataType source_dtype, const Shape& source_shape, const void* source, bool check_shape = true);
};

// Base of the other resources; the store owns them.
class Resource {
 public:
  virtual ~Resource() = default;
};

class ResourceStore {
 public:
  ResourceStore();
  ~ResourceStore();
  ResourceStore(const ResourceStore&) = delete;
  ResourceStore& operator=(const ResourceStore&) = delete;

  // The slot `name`, created uninitialized when there is none. InvalidArgument when it exists with another dtype or a
  // contradicting shape.
  absl::StatusOr<VariableSlot*> Variable(absl::string_view name, DataType dtype, const Shape& shape);
  // Null when there is none.
  VariableSlot* FindVariable(absl::string_view name);
  // Names of all initialized variables, sorted.
  std::vector<std::string> InitializedVariables();

  // The resource `name` of type T, made by `make()` (which returns a std::unique_ptr<T>) on first use.
  // InvalidArgument when the name belongs to a resource of another type.
  template <typename T, typename Make>
  absl::StatusOr<T*> FindOrCreate(absl::string_view name, Make make) {
    T* resource = dynamic_cast<T*>(FindOrMake(name, [&]() -> std::unique_ptr<Resource> { return make(); }));
    if (resource == nullptr) return WrongType(name);
    return resource;
  }
  // Forgets the resource `name`. No plan may use it any more.
  void Remove(absl::string_view name);
  // The resource `name`, or NotFound; InvalidArgument when it is of another type.
  template <typename T>
  absl::StatusOr<T*> Find(absl::string_view name) {
    Resource* const found = FindResource(name);
    if (found == nullptr) return Missing(name);
    T* resource = dynamic_cast<T*>(found);
    if (resource == nullptr) return WrongType(name);
    return resource;
  }
  // Forgets all resources but the variables: the end of a step, for a store of what lives that long.
  void Clear();

  StoreMutex& mutex();
  // Bytes held by variables.
  int64_t bytes();

 private:
  static absl::Status Missing(absl::string_view name);
  static absl::Status WrongType(absl::string_view name);

  // Null when there is none (or `make` made none).
  Resource* FindOrMake(absl::string_view name, absl::FunctionRef<std::unique_ptr<Resource>()> make);
  Resource* FindResource(absl::string_view name);

  struct Contents;
  std::unique_ptr<Contents> contents_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_RESOURCE_STORE_H_
