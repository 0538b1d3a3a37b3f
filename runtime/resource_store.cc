#include "runtime/resource_store.h"

#include <algorithm>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/store_mutex.h"

namespace staticflow {

struct ResourceStore::Contents {
  std::mutex lookup;
  absl::flat_hash_map<std::string, std::unique_ptr<VariableSlot>> variables ABSL_GUARDED_BY(lookup);
  absl::flat_hash_map<std::string, std::unique_ptr<Resource>> resources ABSL_GUARDED_BY(lookup);
  StoreMutex mutex;
};

ResourceStore::ResourceStore() : contents_(std::make_unique<Contents>()) {}
ResourceStore::~ResourceStore() = default;

StoreMutex& ResourceStore::mutex() { return contents_->mutex; }

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
    CopyElements(dtype, source, value.raw(), value.num_elements());
  } else {
    SF_ASSIGN_OR_RETURN(Tensor fresh, Tensor::Create(dtype, source_shape));
    CopyElements(dtype, source, fresh.raw(), fresh.num_elements());
    value = std::move(fresh);
  }
  initialized = true;
  return absl::OkStatus();
}

absl::StatusOr<VariableSlot*> ResourceStore::Variable(absl::string_view name, DataType dtype, const Shape& shape) {
  std::lock_guard lock(contents_->lookup);
  if (auto it = contents_->variables.find(name); it != contents_->variables.end()) {
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
  contents_->variables[std::string(name)] = std::move(slot);
  return result;
}

VariableSlot* ResourceStore::FindVariable(absl::string_view name) {
  std::lock_guard lock(contents_->lookup);
  auto it = contents_->variables.find(name);
  return it == contents_->variables.end() ? nullptr : it->second.get();
}

std::vector<std::string> ResourceStore::InitializedVariables() {
  std::lock_guard lock(contents_->lookup);
  std::vector<std::string> names;
  for (const auto& [name, slot] : contents_->variables) {
    if (slot->initialized) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ResourceStore::Remove(absl::string_view name) {
  std::lock_guard lock(contents_->lookup);
  contents_->resources.erase(name);
}

void ResourceStore::Clear() {
  std::lock_guard lock(contents_->lookup);
  contents_->resources.clear();
}

int64_t ResourceStore::bytes() {
  std::lock_guard lock(contents_->lookup);
  int64_t total = 0;
  for (const auto& [name, slot] : contents_->variables) {
    if (slot->value.valid()) total = AddSizes(total, slot->value.bytes());
  }
  return total;
}

Resource* ResourceStore::FindOrMake(absl::string_view name, absl::FunctionRef<std::unique_ptr<Resource>()> make) {
  std::lock_guard lock(contents_->lookup);
  std::unique_ptr<Resource>& entry = contents_->resources[name];
  if (entry == nullptr) entry = make();
  return entry.get();
}

Resource* ResourceStore::FindResource(absl::string_view name) {
  std::lock_guard lock(contents_->lookup);
  const auto it = contents_->resources.find(name);
  return it == contents_->resources.end() ? nullptr : it->second.get();
}

absl::Status ResourceStore::Missing(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("there is no resource ", name));
}

absl::Status ResourceStore::WrongType(absl::string_view name) {
  return absl::InvalidArgumentError(absl::StrCat("the resource ", name, " is of another type"));
}

}  // namespace staticflow
