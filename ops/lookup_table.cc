#include "ops/lookup_table.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "absl/strings/str_cat.h"

namespace staticflow {
namespace {

// Strings in one value are told apart by their lengths.
void AppendString(const std::string& text, bool alone, std::string& bytes) {
  if (!alone) {
    const uint64_t length = text.size();
    bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
  }
  bytes += text;
}

void WriteElements(const std::string& bytes, DataType dtype, int64_t n, void* elements, int64_t i) {
  if (dtype != DT_STRING) {
    std::memcpy(static_cast<char*>(elements) + i * DataTypeSize(dtype), bytes.data(), bytes.size());
    return;
  }
  std::string* strings = static_cast<std::string*>(elements) + i;
  if (n == 1) {
    *strings = bytes;
    return;
  }
  size_t at = 0;
  for (int64_t k = 0; k < n; ++k) {
    uint64_t length;
    std::memcpy(&length, bytes.data() + at, sizeof(length));
    strings[k] = bytes.substr(at + sizeof(length), length);
    at += sizeof(length) + length;
  }
}

bool Less(const std::string& a, const std::string& b, DataType dtype) {
  bool less = a < b;
  DispatchType<int32_t, int64_t, float, double>(dtype, [&]<typename T>() {
    T x, y;
    std::memcpy(&x, a.data(), sizeof(T));
    std::memcpy(&y, b.data(), sizeof(T));
    less = x < y;
  });
  return less;
}

}  // namespace

std::string ElementBytes(const TensorView& tensor, int64_t i, int64_t n) {
  std::string bytes;
  if (tensor.dtype == DT_STRING) {
    for (int64_t k = i; k < i + n; ++k) AppendString(tensor.as<std::string>()[k], n == 1, bytes);
  } else {
    const int size = DataTypeSize(tensor.dtype);
    bytes.assign(tensor.as<char>() + i * size, static_cast<size_t>(n * size));
  }
  return bytes;
}

absl::Status LookupTable::Check(const TensorView& keys, const TensorView& values) const {
  if (keys.dtype != key_dtype_ || values.dtype != value_dtype_) {
    return absl::InvalidArgumentError(absl::StrCat("the table maps ", DataTypeName(key_dtype_), " to ",
                                                   DataTypeName(value_dtype_), ", got ", DataTypeName(keys.dtype),
                                                   " and ", DataTypeName(values.dtype)));
  }
  const Shape expected = keys.shape->Concatenate(value_shape_);
  if (*values.shape != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("values has shape ", values.shape->ToString(), ", expected ", expected.ToString()));
  }
  for (int64_t i = 0; !forbidden_.empty() && i < keys.num_elements; ++i) {
    if (std::find(forbidden_.begin(), forbidden_.end(), ElementBytes(keys, i)) != forbidden_.end()) {
      return absl::InvalidArgumentError(absl::StrCat("keys[", i, "] is the empty or the deleted key"));
    }
  }
  return absl::OkStatus();
}

absl::Status LookupTable::Add(const TensorView& keys, const TensorView& values, bool replace, Entries& entries) const {
  const int64_t n = value_shape_.num_elements();
  for (int64_t i = 0; i < keys.num_elements; ++i) {
    std::string value = ElementBytes(values, i * n, n);
    auto [it, added] = entries.try_emplace(ElementBytes(keys, i), value);
    if (added || it->second == value) continue;
    if (!replace) return absl::FailedPreconditionError(absl::StrCat("keys[", i, "] came before with another value"));
    it->second = std::move(value);
  }
  return absl::OkStatus();
}

absl::Status LookupTable::Initialize(const TensorView& keys, const TensorView& values) {
  if (!fixed_) return Insert(keys, values, /*clear=*/true);
  SF_RETURN_IF_ERROR(Check(keys, values));
  Entries entries;
  SF_RETURN_IF_ERROR(Add(keys, values, /*replace=*/false, entries));
  std::unique_lock lock(mutex_);
  if (initialized_) {
    if (entries == entries_) return absl::OkStatus();
    return absl::FailedPreconditionError("the table has been initialized with other contents");
  }
  entries_ = std::move(entries);
  initialized_ = true;
  return absl::OkStatus();
}

absl::Status LookupTable::Insert(const TensorView& keys, const TensorView& values, bool clear) {
  // All at once is how TensorFlow 2 initializes a fixed table.
  if (fixed_ && clear) return Initialize(keys, values);
  if (fixed_) return absl::UnimplementedError("the table is fixed: it can be initialized, not changed");
  SF_RETURN_IF_ERROR(Check(keys, values));
  std::unique_lock lock(mutex_);
  if (clear) entries_.clear();
  return Add(keys, values, /*replace=*/true, entries_);
}

absl::Status LookupTable::Remove(const TensorView& keys) {
  if (fixed_) return absl::UnimplementedError("the table is fixed: it can be initialized, not changed");
  if (keys.dtype != key_dtype_) return absl::InvalidArgumentError("keys have another type than the table's");
  std::unique_lock lock(mutex_);
  for (int64_t i = 0; i < keys.num_elements; ++i) entries_.erase(ElementBytes(keys, i));
  return absl::OkStatus();
}

absl::Status LookupTable::Find(const TensorView& keys, const TensorView& default_value,
                               const TensorView& values) const {
  std::shared_lock lock(mutex_);
  if (fixed_ && !initialized_) return absl::FailedPreconditionError("the table has not been initialized");
  SF_RETURN_IF_ERROR(Check(keys, values));
  const int64_t n = value_shape_.num_elements();
  const bool one_per_key = default_value.num_elements == values.num_elements && keys.rank() > 0;
  if (default_value.dtype != value_dtype_ || (!one_per_key && default_value.num_elements != n)) {
    return absl::InvalidArgumentError(absl::StrCat("default_value has shape ", default_value.shape->ToString(),
                                                   ", a value ", value_shape_.ToString()));
  }
  for (int64_t i = 0; i < keys.num_elements; ++i) {
    const auto it = entries_.find(ElementBytes(keys, i));
    WriteElements(it != entries_.end() ? it->second : ElementBytes(default_value, one_per_key ? i * n : 0, n),
                  value_dtype_, n, values.data, i * n);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::pair<Tensor, Tensor>> LookupTable::Export() const {
  std::shared_lock lock(mutex_);
  std::vector<const Entries::value_type*> sorted;
  for (const auto& entry : entries_) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(),
            [this](const auto* a, const auto* b) { return Less(a->first, b->first, key_dtype_); });
  const int64_t count = static_cast<int64_t>(sorted.size()), n = value_shape_.num_elements();
  SF_ASSIGN_OR_RETURN(Tensor keys, Tensor::Create(key_dtype_, {count}));
  SF_ASSIGN_OR_RETURN(Tensor values, Tensor::Create(value_dtype_, Shape({count}).Concatenate(value_shape_)));
  for (int64_t i = 0; i < count; ++i) {
    WriteElements(sorted[i]->first, key_dtype_, 1, keys.raw(), i);
    WriteElements(sorted[i]->second, value_dtype_, n, values.raw(), i * n);
  }
  return std::pair(std::move(keys), std::move(values));
}

int64_t LookupTable::size() const {
  std::shared_lock lock(mutex_);
  return static_cast<int64_t>(entries_.size());
}

absl::StatusOr<LookupTable*> TableBehind(KernelContext& c) {
  const TensorView& handle = c.input(0);
  // A reference to a table is two strings, a handle an object of its own.
  std::string name;
  if (handle.dtype == DT_RESOURCE && handle.num_elements == 1) {
    name = handle.as<ResourceHandle>()->name;
  } else if (handle.dtype == DT_STRING && handle.num_elements == 2) {
    name = handle.as<std::string>()[1];
  } else {
    return absl::InvalidArgumentError("input 0 is no handle of a table");
  }
  absl::StatusOr<LookupTable*> table =
      c.step().resources->FindOrCreate<LookupTable>(name, []() -> std::unique_ptr<LookupTable> { return nullptr; });
  if (!table.ok() || *table == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no table ", name, " in this session"));
  }
  return *table;
}

}  // namespace staticflow
