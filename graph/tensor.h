// Tensor: a typed, shaped, reference-counted block of memory.
//
//   Tensor x = Tensor::Matrix<float>({{-10}, {0}, {10}});     x.shape() is [3,1]
//   absl::Span<float> values = x.flat<float>();
//   step.Run({x, true});                                      scalars convert by themselves
//
// Copies share the buffer, as pointers do; Clone() copies the bytes. The buffer is aligned to 64 bytes unless it is
// borrowed. A Tensor may be read from several threads at once; writers need to be alone.
#ifndef STATICFLOW_GRAPH_TENSOR_H_
#define STATICFLOW_GRAPH_TENSOR_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/dtype.h"
#include "graph/shape.h"

namespace staticflow {

class Tensor {
 public:
  static constexpr int kAlignment = 64;

  Tensor() = default;  // no tensor: dtype() is DT_INVALID

  // Scalars. A string literal becomes a DT_STRING scalar.
  Tensor(float value);        // NOLINT
  Tensor(double value);       // NOLINT
  Tensor(int32_t value);      // NOLINT
  Tensor(int64_t value);      // NOLINT
  Tensor(bool value);         // NOLINT
  Tensor(std::string value);  // NOLINT
  Tensor(const char* value);  // NOLINT

  // A new tensor: numbers are zero, strings empty.
  // InvalidArgument when `shape` is not fully defined or `dtype` has no storage; ResourceExhausted when memory lacks.
  static absl::StatusOr<Tensor> Create(DataType dtype, const Shape& shape);

  // `values` in row-major order. REQUIRES: values.size() == shape.num_elements().
  template <typename T>
  static Tensor Of(const Shape& shape, absl::Span<const T> values);
  template <typename T>
  static Tensor Of(const Shape& shape, std::initializer_list<T> values) {
    return Of<T>(shape, absl::MakeConstSpan(values.begin(), values.size()));
  }
  template <typename T>
  static Tensor Vector(std::initializer_list<T> values) {
    return Of<T>({static_cast<int64_t>(values.size())}, values);
  }
  // REQUIRES: all rows have one length.
  template <typename T>
  static Tensor Matrix(std::initializer_list<std::initializer_list<T>> rows);

  // A view of memory that the caller owns and keeps alive and unchanged while any copy of the tensor lives.
  // REQUIRES: `data` holds shape.num_elements() elements of T, which is a number type or bool.
  template <typename T>
  static Tensor Borrow(const Shape& shape, const T* data) {
    return BorrowBytes(kDataTypeOf<T>, shape, const_cast<T*>(data));
  }
  static Tensor BorrowBytes(DataType dtype, const Shape& shape, void* data);

  DataType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  bool valid() const { return dtype_ != DT_INVALID; }
  int64_t num_elements() const { return num_elements_; }
  int64_t bytes() const { return num_elements_ * DataTypeSize(dtype_); }

  void* raw() { return data_; }
  const void* raw() const { return data_; }
  // The elements in row-major order. REQUIRES: T is the C++ type of dtype().
  template <typename T>
  T* data() {
    CheckType(kDataTypeOf<T>);
    return static_cast<T*>(data_);
  }
  template <typename T>
  const T* data() const {
    CheckType(kDataTypeOf<T>);
    return static_cast<const T*>(data_);
  }
  template <typename T>
  absl::Span<T> flat() {
    return absl::MakeSpan(data<T>(), num_elements_);
  }
  template <typename T>
  absl::Span<const T> flat() const {
    return absl::MakeConstSpan(data<T>(), num_elements_);
  }
  // The only element. REQUIRES: num_elements() == 1.
  template <typename T>
  const T& scalar() const {
    CheckScalar();
    return *data<T>();
  }

  // The same buffer under another shape. InvalidArgument unless the numbers of elements agree.
  absl::StatusOr<Tensor> Reshaped(const Shape& shape) const;
  // The same buffer read as another type of the same size. REQUIRES: both are number types of one size.
  Tensor Bitcast(DataType dtype) const;
  absl::StatusOr<Tensor> Clone() const;
  // Whether no other Tensor shares the buffer (a borrowed one is never unique).
  bool unique() const { return buffer_ != nullptr && buffer_.use_count() == 1; }

  // "float[3,1]{-10, 0, 10}", cut after `max_values` values.
  std::string ToString(int max_values = 10) const;

 private:
  void CheckType(DataType wanted) const {
    if (wanted != dtype_) [[unlikely]]
      WrongType(wanted);
  }
  void CheckScalar() const {
    if (num_elements_ != 1) [[unlikely]]
      NotScalar();
  }
  [[noreturn]] void WrongType(DataType wanted) const;
  [[noreturn]] void NotScalar() const;
  static Tensor MustCreate(DataType dtype, const Shape& shape, int64_t num_values);

  DataType dtype_ = DT_INVALID;
  Shape shape_;
  int64_t num_elements_ = 0;
  void* data_ = nullptr;
  std::shared_ptr<void> buffer_;  // null for borrowed memory
};

// Copies `n` elements of a type that tensors can hold. The two may be the same memory.
void CopyElements(DataType dtype, const void* from, void* to, int64_t n);

// Whether dtype, shape and every byte (every string) agree: NaNs with equal bits are equal, 0 and -0 are not.
bool BitwiseEqual(const Tensor& a, const Tensor& b);

// The integers of an int32 or int64 tensor of any shape; InvalidArgument for other types.
absl::StatusOr<std::vector<int64_t>> IntegerValues(const Tensor& tensor);

template <typename T>
Tensor Tensor::Of(const Shape& shape, absl::Span<const T> values) {
  Tensor tensor = MustCreate(kDataTypeOf<T>, shape, static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

template <typename T>
Tensor Tensor::Matrix(std::initializer_list<std::initializer_list<T>> rows) {
  std::vector<T> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  const int64_t n = static_cast<int64_t>(rows.size());
  const int64_t columns = n == 0 ? 0 : static_cast<int64_t>(rows.begin()->size());
  Tensor tensor = MustCreate(kDataTypeOf<T>, {n, columns}, static_cast<int64_t>(values.size()));
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_TENSOR_H_
