#include "ops/tensor_list_value.h"

#include <algorithm>
#include <atomic>

#include "absl/strings/str_cat.h"

namespace staticflow {

// Slots of a fixed number, of which the first `used` are settled for good. Whoever moves `used` on owns the next slot,
// so that lists that share slots may be pushed to from several threads.
struct TensorList::Storage {
  explicit Storage(int64_t capacity) : slots(capacity) {}
  std::vector<Tensor> slots;
  std::atomic<int64_t> used = 0;
};

std::shared_ptr<TensorList::Storage> TensorList::StorageOf(absl::Span<const Tensor> elements, int64_t capacity) {
  auto storage = std::make_shared<Storage>(capacity);
  std::copy(elements.begin(), elements.end(), storage->slots.begin());
  storage->used = static_cast<int64_t>(elements.size());
  return storage;
}

Variant TensorList::Make(ElementType type, std::vector<Tensor> elements) {
  const int64_t size = static_cast<int64_t>(elements.size());
  auto storage = std::make_shared<Storage>(0);
  storage->slots = std::move(elements);
  storage->used = size;
  return Variant(new TensorList(std::move(type), std::move(storage), size));
}

absl::Status TensorList::Resize(int64_t size, std::vector<Tensor>* elements) {
  if (size > kMaxUnset) {
    return absl::ResourceExhaustedError(absl::StrCat("a list of ", size, " elements is over the limit of ", kMaxUnset));
  }
  elements->resize(size);
  return absl::OkStatus();
}

absl::Span<const Tensor> TensorList::elements() const { return absl::MakeConstSpan(storage_->slots.data(), size_); }

Variant TensorList::Push(Tensor element) const {
  constexpr int64_t kFirstCapacity = 4;
  std::shared_ptr<Storage> storage = storage_;
  int64_t end = size_;
  if (size_ == static_cast<int64_t>(storage->slots.size()) || !storage->used.compare_exchange_strong(end, size_ + 1)) {
    storage = StorageOf(elements(), std::max(kFirstCapacity, 2 * size_));
    storage->used = size_ + 1;
  }
  storage->slots[size_] = std::move(element);
  return Variant(new TensorList(type_, std::move(storage), size_ + 1));
}

Variant TensorList::Pop() const { return Variant(new TensorList(type_, storage_, size_ - 1)); }

absl::Status TensorList::CheckType(DataType dtype) const {
  if (dtype == type_.dtype) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the list holds ", DataTypeName(type_.dtype), ", expected ", DataTypeName(dtype)));
}

absl::Status TensorList::CheckElement(DataType dtype, const Shape& shape) const {
  SF_RETURN_IF_ERROR(CheckType(dtype));
  if (type_.shape.IsCompatibleWith(shape)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("an element of shape ", shape.ToString(),
                                                 " does not fit into a list of shape ", type_.shape.ToString()));
}

absl::StatusOr<Shape> TensorList::CommonShape(const Shape& wish) const {
  absl::StatusOr<Shape> shape = type_.shape.MergeWith(wish);
  for (const Tensor& element : elements()) {
    if (shape.ok() && element.valid()) shape = shape->MergeWith(element.shape());
  }
  SF_RETURN_IF_ERROR(Annotate(shape.status(), "the shapes of the elements: "));
  if (shape->IsFullyDefined()) return shape;
  return absl::InvalidArgumentError(
      absl::StrCat("the shape of elements that were never set must be known completely, got ", shape->ToString()));
}

absl::StatusOr<Tensor> TensorList::Element(int64_t i, const Shape& wish) const {
  const Tensor& element = elements()[i];
  if (element.valid()) return element;
  SF_ASSIGN_OR_RETURN(const Shape shape, CommonShape(wish));
  return Tensor::Create(type_.dtype, shape);
}

absl::StatusOr<Variant> TensorList::Zeros() const {
  std::vector<Tensor> zeros = CopyElements();
  for (Tensor& element : zeros) {
    if (!element.valid()) continue;
    SF_ASSIGN_OR_RETURN(element, ZerosOfTensor(element));
  }
  return Make({type_.dtype, type_.shape}, std::move(zeros));
}

absl::StatusOr<Variant> TensorList::Plus(const VariantObject& other) const {
  const auto* list = dynamic_cast<const TensorList*>(&other);
  if (list == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("a list cannot be added to a ", other.type_name()));
  SF_RETURN_IF_ERROR(list->CheckType(type_.dtype));
  if (list->size() != size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("lists of ", size(), " and ", list->size(), " elements cannot be added"));
  }
  SF_ASSIGN_OR_RETURN(Shape shape, type_.shape.MergeWith(list->type_.shape));
  std::vector<Tensor> sums = CopyElements();
  for (int64_t i = 0; i < size(); ++i) {
    const Tensor& addend = list->elements()[i];
    if (!addend.valid()) continue;
    if (!sums[i].valid()) {
      sums[i] = addend;
      continue;
    }
    SF_ASSIGN_OR_RETURN(sums[i], AddTensors(sums[i], addend));
  }
  return Make({type_.dtype, std::move(shape)}, std::move(sums));
}

absl::StatusOr<Variant> Optional::Zeros() const {
  if (!has_value_) return Variant(new Optional());
  std::vector<Tensor> zeros;
  for (const Tensor& component : components_) {
    SF_ASSIGN_OR_RETURN(Tensor zero, ZerosOfTensor(component));
    zeros.push_back(std::move(zero));
  }
  return Variant(new Optional(std::move(zeros)));
}

absl::StatusOr<Variant> Optional::Plus(const VariantObject& other) const {
  const auto* addend = dynamic_cast<const Optional*>(&other);
  if (addend == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("an optional cannot be added to a ", other.type_name()));
  }
  if (has_value_ != addend->has_value_ || components_.size() != addend->components_.size()) {
    return absl::InvalidArgumentError("optionals of which one has no value cannot be added");
  }
  if (!has_value_) return Variant(new Optional());
  std::vector<Tensor> sums;
  for (size_t i = 0; i < components_.size(); ++i) {
    SF_ASSIGN_OR_RETURN(Tensor sum, AddTensors(components_[i], addend->components_[i]));
    sums.push_back(std::move(sum));
  }
  return Variant(new Optional(std::move(sums)));
}

absl::StatusOr<const TensorList*> TensorListIn(const Variant& value) {
  const auto* list = dynamic_cast<const TensorList*>(value.get());
  if (list != nullptr) return list;
  return absl::InvalidArgumentError(
      absl::StrCat("expected a list of tensors, got ", value == nullptr ? "nothing" : value->type_name()));
}

absl::StatusOr<const TensorList*> TensorListOf(const KernelContext& c, int i) {
  if (c.input(i).num_elements == 1) return TensorListIn(*c.in<Variant>(i));
  return absl::InvalidArgumentError(absl::StrCat("expected one list, got ", c.input(i).num_elements));
}

absl::StatusOr<const Optional*> OptionalOf(const KernelContext& c, int i) {
  if (c.input(i).num_elements != 1) {
    return absl::InvalidArgumentError(absl::StrCat("expected one optional, got ", c.input(i).num_elements));
  }
  const Variant& value = *c.in<Variant>(i);
  const auto* optional = dynamic_cast<const Optional*>(value.get());
  if (optional != nullptr) return optional;
  return absl::InvalidArgumentError(
      absl::StrCat("expected an optional, got ", value == nullptr ? "nothing" : value->type_name()));
}

}  // namespace staticflow
