// TensorList and Optional: what the variants of the ops on them hold.
//
//   SF_ASSIGN_OR_RETURN(const TensorList* list, TensorListOf(c, 0));      // of a kernel's input 0
//   Variant longer = list->Push(tensor);
//
// Both are values that never change: an operation makes a new one, which shares its tensors with the old one. They may
// be read from any thread.
#ifndef STATICFLOW_OPS_TENSOR_LIST_VALUE_H_
#define STATICFLOW_OPS_TENSOR_LIST_VALUE_H_

#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "ops/variant_arithmetic.h"

namespace staticflow {

// What a list demands of its elements.
struct ElementType {
  DataType dtype = DT_INVALID;
  Shape shape = Shape::Unknown();  // may be partial
  int64_t max_elements = -1;       // -1: any number
};

// A list of tensors. An element that was never set is a Tensor(), and counts as zeros.
class TensorList : public ArithmeticVariant {
 public:
  static Variant Make(ElementType type, std::vector<Tensor> elements);

  // As many elements as a list may get without having been given each of them: sizes come from data.
  static constexpr int64_t kMaxUnset = int64_t{1} << 24;
  // Makes a list's elements `size`, the new ones unset; ResourceExhausted when that is over kMaxUnset.
  static absl::Status Resize(int64_t size, std::vector<Tensor>* elements);

  absl::string_view type_name() const override { return "tensorflow::TensorList"; }
  const ElementType& type() const { return type_; }
  int64_t size() const { return size_; }
  absl::Span<const Tensor> elements() const;
  std::vector<Tensor> CopyElements() const { return std::vector<Tensor>(elements().begin(), elements().end()); }

  // This list with one element more at the end: in constant time, on the average, when nobody else pushed to this list.
  Variant Push(Tensor element) const;
  // This list without its last element. REQUIRES: size() > 0.
  Variant Pop() const;

  // InvalidArgument unless `dtype` is that of the elements.
  absl::Status CheckType(DataType dtype) const;
  // InvalidArgument unless an element of this type and shape may be put in.
  absl::Status CheckElement(DataType dtype, const Shape& shape) const;
  // The shape that all elements have, merged with `wish`; InvalidArgument when they do not agree, or when it is still
  // not completely known.
  absl::StatusOr<Shape> CommonShape(const Shape& wish) const;
  // Element i, or zeros in place of one that was never set. REQUIRES: 0 <= i < size().
  absl::StatusOr<Tensor> Element(int64_t i, const Shape& wish) const;

  absl::StatusOr<Variant> Zeros() const override;
  absl::StatusOr<Variant> Plus(const VariantObject& other) const override;

 private:
  struct Storage;
  TensorList(ElementType type, std::shared_ptr<Storage> storage, int64_t size)
      : type_(std::move(type)), storage_(std::move(storage)), size_(size) {}
  static std::shared_ptr<Storage> StorageOf(absl::Span<const Tensor> elements, int64_t capacity);

  ElementType type_;
  std::shared_ptr<Storage> storage_;  // longer lists share the first size_ elements
  int64_t size_;
};

// Some tensors, or nothing.
class Optional : public ArithmeticVariant {
 public:
  Optional() = default;
  explicit Optional(std::vector<Tensor> components) : has_value_(true), components_(std::move(components)) {}

  absl::string_view type_name() const override { return "tensorflow::data::Optional"; }
  bool has_value() const { return has_value_; }
  const std::vector<Tensor>& components() const { return components_; }

  absl::StatusOr<Variant> Zeros() const override;
  absl::StatusOr<Variant> Plus(const VariantObject& other) const override;

 private:
  bool has_value_ = false;
  std::vector<Tensor> components_;
};

// What the scalar variant at input i holds; InvalidArgument when that is something else.
absl::StatusOr<const TensorList*> TensorListOf(const KernelContext& c, int i);
absl::StatusOr<const TensorList*> TensorListIn(const Variant& value);
absl::StatusOr<const Optional*> OptionalOf(const KernelContext& c, int i);

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TENSOR_LIST_VALUE_H_
