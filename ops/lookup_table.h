// LookupTable: the map behind a table handle, kept in the session's resource store.
//
// Keys and values are numbers, bool or strings; they are held as bytes, so that one class serves all types. Every
// function may be called from any thread.
#ifndef STATICFLOW_OPS_LOOKUP_TABLE_H_
#define STATICFLOW_OPS_LOOKUP_TABLE_H_

#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "runtime/kernel.h"

namespace staticflow {

class LookupTable : public Resource {
 public:
  // A table whose `fixed` contents are set once (HashTable), or one that can change. Every value has shape
  // `value_shape`.
  LookupTable(DataType key_dtype, DataType value_dtype, Shape value_shape, bool fixed)
      : key_dtype_(key_dtype), value_dtype_(value_dtype), value_shape_(std::move(value_shape)), fixed_(fixed) {}

  // A key that may not be used; for tables with an empty and a deleted key.
  void Forbid(std::string key) { forbidden_.push_back(std::move(key)); }

  // Sets the contents of a fixed table. FailedPrecondition when it has other contents already; InvalidArgument when a
  // key comes with two values.
  absl::Status Initialize(const TensorView& keys, const TensorView& values);
  // Adds or replaces; with `clear` everything that was there goes, and a fixed table is initialized. Unimplemented for
  // other inserts into a fixed table.
  absl::Status Insert(const TensorView& keys, const TensorView& values, bool clear);
  absl::Status Remove(const TensorView& keys);
  // values[i] = the value of keys[i], or the default: one value, or one per key. FailedPrecondition for a fixed table
  // without contents.
  absl::Status Find(const TensorView& keys, const TensorView& default_value, const TensorView& values) const;
  // All entries, sorted by key, as tensors [n] and [n] + value_shape.
  absl::StatusOr<std::pair<Tensor, Tensor>> Export() const;
  int64_t size() const;

  DataType key_dtype() const { return key_dtype_; }
  DataType value_dtype() const { return value_dtype_; }
  const Shape& value_shape() const { return value_shape_; }

 private:
  using Entries = absl::flat_hash_map<std::string, std::string>;

  // InvalidArgument unless the types are the table's and there is one value per key.
  absl::Status Check(const TensorView& keys, const TensorView& values) const;
  absl::Status Add(const TensorView& keys, const TensorView& values, bool replace, Entries& entries) const;

  const DataType key_dtype_;
  const DataType value_dtype_;
  const Shape value_shape_;
  const bool fixed_;
  std::vector<std::string> forbidden_;
  mutable std::shared_mutex mutex_;
  Entries entries_;
  bool initialized_ = false;  // of a fixed table
};

// `n` elements of a tensor from element i on, as the bytes that a table holds.
std::string ElementBytes(const TensorView& tensor, int64_t i, int64_t n = 1);

// The table behind input 0, a handle; NotFound when nothing has made it.
absl::StatusOr<LookupTable*> TableBehind(KernelContext& c);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_LOOKUP_TABLE_H_
