#include "graph/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

template <typename T>
std::shared_ptr<void> NewObjects(int64_t n) {
  return std::shared_ptr<void>(new (std::nothrow) T[n], [](void* p) { delete[] static_cast<T*>(p); });
}

std::shared_ptr<void> NewBytes(int64_t bytes) {
  const auto alignment = std::align_val_t(Tensor::kAlignment);
  void* p = ::operator new(static_cast<size_t>(bytes), alignment, std::nothrow);
  if (p == nullptr) return nullptr;
  std::memset(p, 0, static_cast<size_t>(bytes));
  return std::shared_ptr<void>(p, [alignment](void* q) { ::operator delete(q, alignment); });
}

template <typename T>
Tensor ScalarOf(T value) {
  return Tensor::Of<T>({}, {std::move(value)});
}

void AppendElement(std::string* out, const Tensor& t, int64_t i) {
  const bool known =
      DispatchType<float, double>(t.dtype(), [&]<typename T>() { absl::StrAppend(out, t.data<T>()[i]); }) ||
      DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
          t.dtype(), [&]<typename T>() { absl::StrAppend(out, static_cast<int64_t>(t.data<T>()[i])); }) ||
      DispatchType<Half, BFloat16>(t.dtype(), [&]<typename T>() { absl::StrAppend(out, float(t.data<T>()[i])); });
  if (known) return;
  if (t.dtype() == DT_BOOL) {
    absl::StrAppend(out, t.data<bool>()[i] ? "true" : "false");
  } else if (t.dtype() == DT_STRING) {
    absl::StrAppend(out, "\"", absl::CHexEscape(t.data<std::string>()[i]), "\"");
  } else if (t.dtype() == DT_RESOURCE) {
    absl::StrAppend(out, t.data<ResourceHandle>()[i].name);
  } else if (t.dtype() == DT_VARIANT && t.data<Variant>()[i] != nullptr) {
    absl::StrAppend(out, "<", t.data<Variant>()[i]->type_name(), ">");
  } else {
    absl::StrAppend(out, "?");
  }
}

}  // namespace

Tensor::Tensor(float value) : Tensor(ScalarOf(value)) {}
Tensor::Tensor(double value) : Tensor(ScalarOf(value)) {}
Tensor::Tensor(int32_t value) : Tensor(ScalarOf(value)) {}
Tensor::Tensor(int64_t value) : Tensor(ScalarOf(value)) {}
Tensor::Tensor(bool value) : Tensor(ScalarOf(value)) {}
Tensor::Tensor(std::string value) : Tensor(ScalarOf(std::move(value))) {}
Tensor::Tensor(const char* value) : Tensor(ScalarOf(std::string(value))) {}

absl::StatusOr<Tensor> Tensor::Create(DataType dtype, const Shape& shape) {
  const int size = DataTypeSize(dtype);
  if (size == 0) return absl::InvalidArgumentError(absl::StrCat("no tensor can hold ", DataTypeName(dtype)));
  if (!shape.IsFullyDefined()) {
    return absl::InvalidArgumentError(absl::StrCat("a tensor needs a fully defined shape, not ", shape.ToString()));
  }
  const int64_t n = shape.num_elements();
  const int64_t bytes = MultiplySizes(n, size);
  constexpr int64_t kMaxBytes = int64_t{1} << 48;
  std::shared_ptr<void> buffer;
  if (bytes <= kMaxBytes) {
    const bool is_object =
        DispatchType<std::string, ResourceHandle, Variant>(dtype, [&]<typename T>() { buffer = NewObjects<T>(n); });
    if (!is_object) buffer = NewBytes(bytes);
  }
  if (buffer == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for a tensor of type ", DataTypeName(dtype), " and shape ", shape.ToString()));
  }
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = shape;
  tensor.num_elements_ = n;
  tensor.data_ = buffer.get();
  tensor.buffer_ = std::move(buffer);
  return tensor;
}

Tensor Tensor::MustCreate(DataType dtype, const Shape& shape, int64_t num_values) {
  SF_CHECK(shape.IsFullyDefined() && shape.num_elements() == num_values);
  absl::StatusOr<Tensor> tensor = Create(dtype, shape);
  SF_CHECK(tensor.ok());
  return *std::move(tensor);
}

Tensor Tensor::BorrowBytes(DataType dtype, const Shape& shape, void* data) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.shape_ = shape;
  tensor.num_elements_ = shape.num_elements();
  tensor.data_ = data;
  return tensor;
}

absl::StatusOr<Tensor> Tensor::Reshaped(const Shape& shape) const {
  if (!shape.IsFullyDefined() || shape.num_elements() != num_elements_) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tensor of shape ", shape_.ToString(), " cannot take shape ", shape.ToString()));
  }
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::Bitcast(DataType dtype) const {
  SF_CHECK(DataTypeSize(dtype) == DataTypeSize(dtype_) && !IsObject(dtype) && !IsObject(dtype_));
  Tensor tensor = *this;
  tensor.dtype_ = dtype;
  return tensor;
}

absl::StatusOr<Tensor> Tensor::Clone() const {
  if (!valid()) return Tensor();
  absl::StatusOr<Tensor> copy = Create(dtype_, shape_);
  if (!copy.ok()) return copy;
  CopyElements(dtype_, data_, copy->data_, num_elements_);
  return copy;
}

std::string Tensor::ToString(int max_values) const {
  std::string out = absl::StrCat(DataTypeName(dtype_), valid() ? shape_.ToString() : "", "{");
  for (int64_t i = 0; i < num_elements_; ++i) {
    if (i > 0) absl::StrAppend(&out, ", ");
    if (i == max_values) {
      absl::StrAppend(&out, "...");
      break;
    }
    AppendElement(&out, *this, i);
  }
  return absl::StrCat(out, "}");
}

void Tensor::WrongType(DataType wanted) const {
  internal::InvariantFailed(
      __FILE__, __LINE__,
      absl::StrCat("a tensor of ", DataTypeName(dtype_), " is read as ", DataTypeName(wanted)).c_str());
}

void Tensor::NotScalar() const {
  internal::InvariantFailed(__FILE__, __LINE__,
                            absl::StrCat("a tensor of shape ", shape_.ToString(), " is read as a scalar").c_str());
}

void CopyElements(DataType dtype, const void* from, void* to, int64_t n) {
  if (from == to || n == 0) return;
  const bool is_object = DispatchType<std::string, ResourceHandle, Variant>(
      dtype, [&]<typename T>() { std::copy_n(static_cast<const T*>(from), n, static_cast<T*>(to)); });
  if (!is_object) std::memcpy(to, from, static_cast<size_t>(n * DataTypeSize(dtype)));
}

bool BitwiseEqual(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  bool equal = false;
  const bool is_object = DispatchType<std::string, ResourceHandle, Variant>(
      a.dtype(), [&]<typename T>() { equal = a.flat<T>() == b.flat<T>(); });
  if (is_object) return equal;
  return a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

absl::StatusOr<std::vector<int64_t>> IntegerValues(const Tensor& tensor) {
  std::vector<int64_t> values;
  const bool known = DispatchType<int8_t, int16_t, int32_t, int64_t>(
      tensor.dtype(), [&]<typename T>() { values.assign(tensor.data<T>(), tensor.data<T>() + tensor.num_elements()); });
  if (!known) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected int8, int16, int32 or int64, got ", DataTypeName(tensor.dtype())));
  }
  return values;
}

}  // namespace staticflow
