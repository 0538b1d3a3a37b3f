// The kernel interface: what an op's computation sees.
//
//   // Relu: y = max(x, 0).
//   absl::Status ReluKernel(KernelContext& c) {
//     const float* x = c.in<float>(0);
//     float* y = c.out<float>(0);
//     const auto [begin, end] = c.range();               // this shard's elements: all of them unless the op splits
//     for (int64_t i = begin; i < end; ++i) y[i] = std::max(x[i], 0.0f);
//     return absl::OkStatus();
//   }
//
// The rules that let one kernel serve every plan:
//   - Shapes are settled before a kernel runs: inputs and outputs have their memory, in row-major order and contiguous.
//     Only an op whose output shape depends on data calls AllocateOutput.
//   - A kernel takes memory from the plan alone (outputs, Scratch), starts no threads and keeps no state of its own
//     between calls, other than resources of the session's store.
//   - It computes the part that range() names, the same bits however the whole is cut into parts. An op that does not
//     declare a split always gets the whole.
//   - Everything that a feed or a file can contain is checked: values used as indices, sizes against each other. The
//     answer to bad input is a Status; the caller adds the node's name and line.
//   - With the kInPlace trait, output 0 may be the same memory as input 0; otherwise no output overlaps an input,
//     except that outputs of an op that updates a variable are that variable.
//
// Thread-safety: parts of one instruction run at the same time on different contexts and write disjoint memory.
#ifndef STATICFLOW_RUNTIME_KERNEL_H_
#define STATICFLOW_RUNTIME_KERNEL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "graph/status.h"
#include "graph/tensor.h"
#include "runtime/resource_store.h"

namespace staticflow {

class Env;  // runtime/io/env.h

// A tensor's memory during a step.
struct TensorView {
  void* data = nullptr;
  const Shape* shape = nullptr;
  int64_t num_elements = 0;
  int64_t row_stride = 0;  // elements from one row (last dimension) to the next; the row's length when contiguous
  DataType dtype = DT_INVALID;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  template <typename T>
  absl::Span<T> flat() const {
    return absl::MakeSpan(static_cast<T*>(data), num_elements);
  }
  int rank() const { return shape->rank(); }
  int64_t dim(int i) const { return shape->dim(i); }
  int64_t bytes() const { return num_elements * DataTypeSize(dtype); }
};

// A half-open range of the iteration dimension that the op's Split names.
struct IndexRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// What kernels of one step share. Owned by the executor.
struct StepState {
  ResourceStore* resources = nullptr;
  ResourceStore* objects = nullptr;              // what lives for this step alone; null unless an op is kStepObjects
  Env* env = nullptr;                            // all file access of a step goes through it
  const std::atomic<bool>* cancelled = nullptr;  // null: cannot be cancelled
  const std::function<void(absl::string_view)>* warn = nullptr;
  int64_t id = 0;  // counts the steps of the session

  bool IsCancelled() const { return cancelled != nullptr && cancelled->load(std::memory_order_relaxed); }
};

class KernelContext {
 public:
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  const TensorView& input(int i) const { return *inputs_[i]; }
  const TensorView& output(int i) const { return *outputs_[i]; }
  template <typename T>
  const T* in(int i) const {
    return static_cast<const T*>(inputs_[i]->data);
  }
  template <typename T>
  T* out(int i) const {
    return static_cast<T*>(outputs_[i]->data);
  }
  // The only element of input i. REQUIRES: the shape function made sure that it is a scalar.
  template <typename T>
  const T& scalar(int i) const {
    return *static_cast<const T*>(inputs_[i]->data);
  }
  // This call's part: flat elements, rows or columns of output 0, as the op's Split says.
  IndexRange range() const { return range_; }

  // Memory for this call alone: `count` elements of T, aligned to 64 bytes, contents undefined. It comes from a buffer
  // that the plan keeps, so a steady step allocates nothing. There is one such buffer: asking again takes back what an
  // earlier request of this call gave. ResourceExhausted when it would exceed the session's budget.
  template <typename T>
  absl::StatusOr<T*> Scratch(int64_t count) {
    SF_ASSIGN_OR_RETURN(void* p, ScratchBytes(MultiplySizes(count, sizeof(T))));
    return static_cast<T*>(p);
  }

  // Gives output i its shape and memory, for ops whose shape function left it unknown (and only those).
  // ResourceExhausted when the budget does not allow it. Afterwards output(i) is valid.
  absl::Status AllocateOutput(int i, const Shape& shape);
  // Makes output i share `tensor`'s buffer, under the same conditions.
  absl::Status SetOutput(int i, Tensor tensor);
  // The tensor behind input i, sharing its memory where the plan allows it, else a copy.
  absl::StatusOr<Tensor> InputTensor(int i) const;

  // The slot of the resource store behind input i. REQUIRES: input i is a Ref or a resource handle of a variable.
  VariableSlot& variable(int i) const { return *variables_[i]; }

  StepState& step() const { return *step_; }

 private:
  friend class Executor;
  absl::StatusOr<void*> ScratchBytes(int64_t bytes);

  absl::Span<const TensorView* const> inputs_;
  absl::Span<TensorView* const> outputs_;
  absl::Span<VariableSlot* const> variables_;  // one per input; null where it is no variable
  IndexRange range_;
  StepState* step_ = nullptr;
  class Frame* frame_ = nullptr;  // the executor's memory of this step
  int instruction_ = 0;
  int worker_ = 0;
};

// What a kernel factory sees, once per plan.
class KernelSetup {
 public:
  KernelSetup(const Node& node, absl::Span<const Shape> input_shapes, absl::Span<const Shape> output_shapes,
              absl::Span<const Tensor* const> values, ResourceStore* resources)
      : node_(node),
        input_shapes_(input_shapes),
        output_shapes_(output_shapes),
        values_(values),
        resources_(resources) {}

  const Node& node() const { return node_; }
  template <typename T>
  const T& attr(absl::string_view name) const {
    return node_.attr<T>(name);
  }
  int num_inputs() const { return node_.num_inputs(); }
  DataType input_dtype(int i) const { return node_.input(i).dtype(); }
  DataType output_dtype(int i) const { return node_.output_dtype(i); }
  // Partial when the plan learns the shape only at run time: a kernel may specialize on what is known, but must work
  // with what comes.
  const Shape& input_shape(int i) const { return input_shapes_[i]; }
  const Shape& output_shape(int i) const { return output_shapes_[i]; }
  // The value of input i when it is the same in every step of this plan, else null. Valid as long as the plan.
  const Tensor* value(int i) const { return values_[i]; }
  // The session's resources, for kernels with state (random counters): created on first use, shared by all plans.
  ResourceStore& resources() const { return *resources_; }

 private:
  const Node& node_;
  absl::Span<const Shape> input_shapes_;
  absl::Span<const Shape> output_shapes_;
  absl::Span<const Tensor* const> values_;
  ResourceStore* resources_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_KERNEL_H_
