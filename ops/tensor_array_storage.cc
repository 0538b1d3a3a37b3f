#include "ops/tensor_array_storage.h"

#include <complex>

namespace staticflow {
namespace {

absl::Status AddTo(Tensor* sum, const Tensor& value) {
  const int64_t n = value.num_elements();
  const bool known = DispatchType<float, double, int32_t, int64_t>(value.dtype(),
                                                                   [&]<typename T>() {
                                                                     for (int64_t i = 0; i < n; ++i)
                                                                       sum->data<T>()[i] += value.data<T>()[i];
                                                                   }) ||
                     DispatchType<Half, BFloat16>(value.dtype(), [&]<typename T>() {
                       for (int64_t i = 0; i < n; ++i)
                         sum->data<T>()[i] = T(float(sum->data<T>()[i]) + float(value.data<T>()[i]));
                     });
  if (known) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat("elements of ", DataTypeName(value.dtype()), " cannot be added up"));
}

}  // namespace

absl::Status TensorArrayStorage::Refuse(absl::string_view action, int64_t index, absl::string_view why) const {
  return absl::InvalidArgumentError(
      absl::StrCat("TensorArray ", name_, ": could not ", action, " index ", index, " ", why));
}

absl::Status TensorArrayStorage::Check(DataType dtype) const {
  if (closed_) return absl::InvalidArgumentError(absl::StrCat("TensorArray ", name_, " has already been closed"));
  if (dtype == settings_.dtype) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("TensorArray ", name_, " is for ", DataTypeName(settings_.dtype),
                                                 ", the value is ", DataTypeName(dtype)));
}

absl::Status TensorArrayStorage::Reach(int64_t size) {
  if (size <= this->size()) return absl::OkStatus();
  if (!settings_.dynamic_size || size > kMaxSize) {
    return absl::InvalidArgumentError(absl::StrCat("TensorArray ", name_, " has ", this->size(), " elements, ", size,
                                                   " are asked for, and it is not resizeable"));
  }
  elements_.resize(size);
  return absl::OkStatus();
}

absl::Status TensorArrayStorage::Write(int64_t index, Tensor value, StepObjectMemory* memory) {
  SF_RETURN_IF_ERROR(Check(value.dtype()));
  if (index < 0 || index >= kMaxSize || (index >= size() && !settings_.dynamic_size)) {
    return absl::InvalidArgumentError(absl::StrCat("TensorArray ", name_, ": tried to write to index ", index,
                                                   " but array is not resizeable and size is: ", size()));
  }
  SF_RETURN_IF_ERROR(Reach(index + 1));
  Element& element = elements_[index];
  const Shape& shape = value.shape();
  if (!settings_.element_shape.IsCompatibleWith(shape)) {
    return Refuse("write to", index,
                  absl::StrCat("because the value shape is ", shape.ToString(),
                               " which is incompatible with the element shape ", settings_.element_shape.ToString()));
  }
  if (element.read) return Refuse("write to", index, "because it has already been read");
  if (element.written && !settings_.is_gradient) {
    return Refuse("write to", index, "because it has already been written to");
  }
  if (element.written) {
    if (element.value.shape() != shape) {
      return Refuse(
          "add to", index,
          absl::StrCat("because it has shape ", element.value.shape().ToString(), ", not ", shape.ToString()));
    }
    return AddTo(&element.value, value);
  }
  // A gradient not yet written is zeros like the element.
  if (settings_.is_gradient && !element.shape.IsCompatibleWith(shape)) {
    return Refuse("add to", index,
                  absl::StrCat("because it has shape ", element.shape.ToString(), ", not ", shape.ToString()));
  }
  SF_RETURN_IF_ERROR(memory->Take(value.bytes()));
  if (settings_.identical_element_shapes) settings_.element_shape = shape;
  element.shape = shape;
  element.value = std::move(value);
  element.written = true;
  return absl::OkStatus();
}

absl::StatusOr<Tensor> TensorArrayStorage::Read(int64_t index, StepObjectMemory* memory) {
  if (index < 0 || index >= size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TensorArray ", name_, ": tried to read from index ", index, " but array size is: ", size()));
  }
  Element& element = elements_[index];
  if (element.cleared) {
    return Refuse("read", index, "twice because it was cleared after a previous read (clear_after_read)");
  }
  if (!element.written) {
    if (!settings_.is_gradient) return Refuse("read", index, "because it has not yet been written to");
    const Shape& shape = element.shape.IsFullyDefined() ? element.shape : settings_.element_shape;
    if (!shape.IsFullyDefined()) {
      return Refuse("read", index,
                    "of the gradients: nothing was written to it, and the element's shape is not fully defined");
    }
    return Tensor::Create(settings_.dtype, shape);
  }
  element.read = true;
  if (!settings_.clear_after_read) return element.value;
  element.cleared = true;
  memory->GiveBack(element.value.bytes());
  return std::move(element.value);
}

void TensorArrayStorage::Close() {
  elements_.clear();
  closed_ = true;
}

absl::StatusOr<std::unique_ptr<TensorArrayStorage>> TensorArrayStorage::MakeGradients(std::string name,
                                                                                      const Shape& leading) const {
  SF_RETURN_IF_ERROR(Check(settings_.dtype));
  TensorArraySettings settings = settings_;
  settings.dynamic_size = false;
  // An element that several gradients were added up in gives its own gradient to each of them.
  settings.clear_after_read = !settings_.is_gradient;
  settings.is_gradient = true;
  settings.element_shape = leading.Concatenate(settings.element_shape);
  auto gradients = std::make_unique<TensorArrayStorage>(std::move(name), settings, size());
  for (size_t i = 0; i < elements_.size(); ++i) {
    gradients->elements_[i].shape = leading.Concatenate(elements_[i].shape);
  }
  return gradients;
}

}  // namespace staticflow
