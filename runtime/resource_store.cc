#include "runtime/resource_store.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

void CopyElements(DataType dtype, const void* source, Tensor& target) {
  const int64_t n = target.num_elements();
  const bool is_object = DispatchType<std::string, ResourceHandle>(dtype, [&]<typename T>() {
    const T* from = static_cast<const T*>(source);
    if (from != target.data<T>()) std::copy(from, from + n, target.data<T>());
  });
  // A variable may be assigned to itself, so the two can be the same memory.
  if (!is_object && target.bytes() > 0) std::memmove(target.raw(), source, static_cast<size_t>(target.bytes()));
}

}  // namespace

absl::Status VariableSlot::Assign(DataType source_dtype, const Shape& source_shape, const void* source,
                                  bool check_shape) {
  if (source_dtype != dtype) {
    return absl::InvalidArgumentError(absl::StrCat("variable ", name, " is ", DataTypeName(dtype),
                                                   ", the value to assign is ", DataTypeName(source_dtype)));
  }
  // A fixed shape stays whatever the caller checks: plans point into the buffer.
  const bool is_fixed = declared_shape.IsFullyDefined();
  if ((check_shape || is_fixed) && !declared_shape.IsCompatibleWith(source_shape)) {
    return absl::InvalidArgumentError(absl::StrCat("variable ", name, " has shape ", declared_shape.ToString(),
                                                   ", the value to assign ", source_shape.ToString()));
  }
  if (value.valid() && value.num_elements() == source_shape.num_elements()) {
    if (value.shape() != source_shape) {
      SF_ASSIGN_OR_RETURN(value, value.Reshaped(source_shape));
    }
    CopyElements(dtype, source, value);
  } else {
    SF_ASSIGN_OR_RETURN(Tensor fresh, Tensor::Create(dtype, source_shape));
    CopyElements(dtype, source, fresh);
    value = std::move(fresh);
  }
  initialized = true;
  return absl::OkStatus();
}

absl::StatusOr<VariableSlot*> ResourceStore::Variable(absl::string_view name, DataType dtype, const Shape& shape) {
  absl::MutexLock lock(&lookup_);
  if (auto it = variables_.find(name); it != variables_.end()) {
    VariableSlot& slot = *it->second;
    if (slot.dtype != dtype || !slot.declared_shape.IsCompatibleWith(shape)) {
      return absl::InvalidArgumentError(absl::StrCat("variable ", name, " is ", DataTypeName(slot.dtype),
                                                     slot.declared_shape.ToString(), ", expected ", DataTypeName(dtype),
                                                     shape.ToString()));
    }
    return &slot;
  }
  auto slot = std::make_unique<VariableSlot>();
  slot->name = std::string(name);
  slot->dtype = dtype;
  slot->declared_shape = shape;
  if (shape.IsFullyDefined()) {
    SF_ASSIGN_OR_RETURN(slot->value, Tensor::Create(dtype, shape));
  }
  VariableSlot* result = slot.get();
  variables_[std::string(name)] = std::move(slot);
  return result;
}

VariableSlot* ResourceStore::FindVariable(absl::string_view name) {
  absl::MutexLock lock(&lookup_);
  auto it = variables_.find(name);
  return it == variables_.end() ? nullptr : it->second.get();
}

std::vector<std::string> ResourceStore::InitializedVariables() {
  absl::MutexLock lock(&lookup_);
  std::vector<std::string> names;
  for (const auto& [name, slot] : variables_) {
    if (slot->initialized) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ResourceStore::Remove(absl::string_view name) {
  absl::MutexLock lock(&lookup_);
  resources_.erase(name);
}

int64_t ResourceStore::bytes() {
  absl::MutexLock lock(&lookup_);
  int64_t total = 0;
  for (const auto& [name, slot] : variables_) {
    if (slot->value.valid()) total = AddSizes(total, slot->value.bytes());
  }
  return total;
}

absl::Status ResourceStore::WrongType(absl::string_view name) {
  return absl::InvalidArgumentError(absl::StrCat("the resource ", name, " is of another type"));
}

}  // namespace staticflow
