// The contents of a tensor array: some tensors of one type by index, for one step. Kernels of ops/tensor_array*.cc use
// it through the handle (ops/step_objects.h).
//
// Each element is written once and, unless `clear_after_read` is off, read once. The array of gradients that belongs to
// an array adds up what is written to one element, and an element that nothing was written to reads as zeros of the
// shape that its counterpart has.
// Not thread-safe. Source: TensorArray of TensorFlow 1.15.
#ifndef STATICFLOW_OPS_TENSOR_ARRAY_STORAGE_H_
#define STATICFLOW_OPS_TENSOR_ARRAY_STORAGE_H_

#include <string>
#include <vector>

#include "ops/step_objects.h"

namespace staticflow {

struct TensorArraySettings {
  DataType dtype = DT_INVALID;
  Shape element_shape = Shape::Unknown();  // every element must be compatible with it
  bool dynamic_size = false;               // writing behind the end makes it longer
  bool clear_after_read = true;
  bool identical_element_shapes = false;  // the first element decides the shape of all
  bool is_gradient = false;
};

class TensorArrayStorage : public Resource {
 public:
  // More elements than any program has; a feed may ask for anything.
  static constexpr int64_t kMaxSize = int64_t{1} << 24;

  // `size` is at most kMaxSize.
  TensorArrayStorage(std::string name, const TensorArraySettings& settings, int64_t size)
      : name_(std::move(name)), settings_(settings), elements_(size) {}

  const TensorArraySettings& settings() const { return settings_; }
  const std::string& name() const { return name_; }
  int64_t size() const { return static_cast<int64_t>(elements_.size()); }
  // InvalidArgument when it is closed, or for elements of `dtype`.
  absl::Status Check(DataType dtype) const;

  // Puts `value` at `index`. InvalidArgument for an index outside, an element written or read before, and for another
  // type or shape than the elements have.
  absl::Status Write(int64_t index, Tensor value, StepObjectMemory* memory);
  // The element at `index`. InvalidArgument for an index outside, and for an element that was never written or was
  // cleared by an earlier read.
  absl::StatusOr<Tensor> Read(int64_t index, StepObjectMemory* memory);
  // Makes it as long as `size` when it may grow; InvalidArgument when it is shorter and may not.
  absl::Status Reach(int64_t size);
  void Close();

  // A new array of the gradients by this one's elements, each with `leading` dimensions in front.
  absl::StatusOr<std::unique_ptr<TensorArrayStorage>> MakeGradients(std::string name, const Shape& leading) const;

 private:
  struct Element {
    Tensor value = {};
    Shape shape = Shape::Unknown();  // outlasts the value
    bool written = false;
    bool read = false;
    bool cleared = false;
  };
  absl::Status Refuse(absl::string_view action, int64_t index, absl::string_view why) const;

  std::string name_;
  TensorArraySettings settings_;
  std::vector<Element> elements_;
  bool closed_ = false;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_TENSOR_ARRAY_STORAGE_H_
