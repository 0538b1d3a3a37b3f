// Objects that kernels keep for one step (stacks, tensor arrays): made by one op, found by others through its handle.
//
//   SF_RETURN_IF_ERROR(MakeStepObject(c, "stack", [&] { return std::make_unique<StackOfTensors>(...); }));
//   SF_ASSIGN_OR_RETURN(StackOfTensors* stack, StepObjectBehind<StackOfTensors>(c, 0));
//
// A handle is a resource, or (in the oldest forms of the ops) two strings. Each time a node makes an object it gets a
// name of its own, so one that runs in every iteration of a loop makes as many objects. They end with their step.
// Not thread-safe: the ops run one after the other.
#ifndef STATICFLOW_OPS_STEP_OBJECTS_H_
#define STATICFLOW_OPS_STEP_OBJECTS_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "runtime/kernel.h"

namespace staticflow {

// What a step's objects hold together, so that an endless loop that fills them ends with an error.
class StepObjectMemory : public Resource {
 public:
  static constexpr int64_t kMaxBytes = int64_t{16} << 30;
  static constexpr int64_t kBytesPerTensor =
      192;  // beside its elements, so that many small ones are not taken for little
  static absl::StatusOr<StepObjectMemory*> Of(KernelContext& c) {
    if (c.step().objects == nullptr) return absl::InternalError("the step keeps no objects");
    return c.step().objects->FindOrCreate<StepObjectMemory>("", [] { return std::make_unique<StepObjectMemory>(); });
  }

  // For one more tensor with so many bytes. ResourceExhausted when it is too much.
  absl::Status Take(int64_t bytes) {
    bytes = AddSizes(bytes, kBytesPerTensor);
    if (AddSizes(bytes_, bytes) > kMaxBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("stacks and tensor arrays hold ", bytes_, " bytes and ask for ",
                                                       bytes, ", at most ", kMaxBytes, " are allowed"));
    }
    bytes_ += bytes;
    return absl::OkStatus();
  }
  void GiveBack(int64_t bytes) { bytes_ -= bytes + kBytesPerTensor; }
  int64_t NextNumber() { return count_++; }

 private:
  int64_t bytes_ = 0;
  int64_t count_ = 0;
};

// Writes a handle to output `i`.
inline void SetHandle(KernelContext& c, int i, const std::string& name) {
  if (c.output(i).dtype == DT_RESOURCE) {
    *c.out<ResourceHandle>(i) = {.container = "", .name = name};
  } else {
    c.out<std::string>(i)[0] = "";
    c.out<std::string>(i)[1] = name;
  }
}

// The name behind the handle that input `i` is; InvalidArgument when it cannot be one.
inline absl::StatusOr<absl::string_view> HandleName(const KernelContext& c, int i) {
  const TensorView& handle = c.input(i);
  if (handle.dtype == DT_RESOURCE && handle.num_elements == 1) return c.in<ResourceHandle>(i)->name;
  if (handle.dtype == DT_STRING && handle.num_elements == 2) return c.in<std::string>(i)[1];
  return absl::InvalidArgumentError(absl::StrCat("the handle has shape ", handle.shape->ToString()));
}

// A new object of the step; output 0 becomes its handle.
template <typename Make>
absl::Status MakeStepObject(KernelContext& c, absl::string_view node, Make make) {
  SF_ASSIGN_OR_RETURN(StepObjectMemory * memory, StepObjectMemory::Of(c));
  const std::string name = absl::StrCat(node, "#", memory->NextNumber());
  using Object = typename decltype(make(name))::element_type;
  SF_RETURN_IF_ERROR(c.step().objects->FindOrCreate<Object>(name, [&] { return make(name); }).status());
  SetHandle(c, 0, name);
  return absl::OkStatus();
}

// The object whose handle input `i` is. InvalidArgument when the step has none of that kind.
template <typename Object>
absl::StatusOr<Object*> StepObjectBehind(KernelContext& c, int i) {
  if (c.step().objects == nullptr) return absl::InternalError("the step keeps no objects");
  SF_ASSIGN_OR_RETURN(const absl::string_view name, HandleName(c, i));
  absl::StatusOr<Object*> object = c.step().objects->Find<Object>(name);
  if (object.ok()) return object;
  return absl::InvalidArgumentError(absl::StrCat("the handle '", name, "' leads to nothing that this step made"));
}

// The shape of a handle: a scalar resource, or a container's and an object's name.
inline Shape HandleShape(DataType dtype) { return dtype == DT_RESOURCE ? Shape() : Shape({2}); }

// A registered op in both forms, for handles and for references. `spec` has the handle as its first input.
inline OpSpec WithHandle(OpSpec spec, absl::string_view name, absl::string_view handle_type) {
  spec.name = std::string(name);
  spec.inputs.insert(spec.inputs.begin(), absl::StrCat("handle: ", handle_type));
  spec.traits = kStateful | kStepObjects;
  return spec;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_STEP_OBJECTS_H_
