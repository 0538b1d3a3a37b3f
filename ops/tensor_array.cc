// Tensor arrays: making one, its gradients' one, single elements.
#include "ops/tensor_array.h"

#include "absl/strings/strip.h"
#include "ops/array.h"
#include "ops/tensor_array_forms.h"

namespace staticflow {
namespace {

// TensorArray: the handle of a new array, and its first flow.
absl::Status ArrayShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 0, 0));
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  if (c.num_outputs() > 1) c.set_output(1, Shape());
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ArrayKernel(const KernelSetup& setup) {
  TensorArraySettings settings{.dtype = setup.attr<DataType>("dtype"),
                               .element_shape = setup.attr<Shape>("element_shape"),
                               .dynamic_size = setup.attr<bool>("dynamic_size"),
                               .clear_after_read = setup.attr<bool>("clear_after_read")};
  if (setup.node().has_attr("identical_element_shapes")) {
    settings.identical_element_shapes = setup.attr<bool>("identical_element_shapes");
  }
  const std::string& given = setup.attr<std::string>("tensor_array_name");
  return Kernel([settings, name = given.empty() ? setup.node().name() : given](KernelContext& c) -> absl::Status {
    const int64_t size = c.scalar<int32_t>(0);
    if (size < 0) return absl::InvalidArgumentError(absl::StrCat("size is ", size, ", expected at least 0"));
    if (size > TensorArrayStorage::kMaxSize) {
      return absl::ResourceExhaustedError(
          absl::StrCat("size is ", size, ", at most ", TensorArrayStorage::kMaxSize, " elements are allowed"));
    }
    if (c.num_outputs() > 1) *c.out<float>(1) = 0;
    return MakeStepObject(c, name, [&](const std::string& unique) {
      return std::make_unique<TensorArrayStorage>(unique, settings, size);
    });
  });
}
OpSpec Declaration(std::string name, std::string handle_type) {
  OpSpec spec{.name = std::move(name),
              .inputs = {"size: int32"},
              .outputs = {"handle: " + handle_type},
              .attrs = {"dtype: type", "element_shape: shape = unknown", "dynamic_size: bool = false",
                        "clear_after_read: bool = true"},
              .shape = ArrayShape,
              .gradient = kNotDifferentiable,
              .kernel = ArrayKernel,
              .traits = kStateful | kStepObjects,
              .doc = "Tensors by index, for this step."};
  if (handle_type == "resource") {
    spec.outputs.push_back("flow: float");
    spec.attrs.push_back("identical_element_shapes: bool = false");
  }
  spec.attrs.push_back("tensor_array_name: string = ''");
  return spec;
}
const OpRegistrar array_v1(Declaration("TensorArray", "Ref(string)"));
const OpRegistrar array_v2(Declaration("TensorArrayV2", "string"));
const OpRegistrar array_v3(Declaration("TensorArrayV3", "resource"));

// TensorArrayGrad, TensorArrayGradWithShape: the array of gradients of `source`, the same one for everyone who asks.
absl::Status GradShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 1, 0));
  if (c.num_inputs() > 2) SF_RETURN_IF_ERROR(CheckRank(c, 2, 1));
  c.set_output(0, HandleShape(c.node().output_dtype(0)));
  if (c.num_outputs() > 1) c.set_output(1, Shape());
  return absl::OkStatus();
}
absl::StatusOr<Kernel> GradKernel(const KernelSetup& setup) {
  return Kernel([source = setup.attr<std::string>("source")](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(TensorArrayStorage * forward, StepObjectBehind<TensorArrayStorage>(c, 0));
    std::vector<int64_t> leading;
    for (int64_t i = 0; c.num_inputs() > 2 && i < c.input(2).num_elements; ++i) {
      leading.push_back(c.in<int32_t>(2)[i]);
      if (leading.back() < 0) return absl::InvalidArgumentError("shape_to_prepend has a negative size");
    }
    const std::string name = absl::StrCat(forward->name(), "@", source);
    if (c.step().objects == nullptr) return absl::InternalError("the step keeps no objects");
    if (!c.step().objects->Find<TensorArrayStorage>(name).ok()) {
      SF_ASSIGN_OR_RETURN(std::unique_ptr<TensorArrayStorage> made, forward->MakeGradients(name, Shape(leading)));
      SF_RETURN_IF_ERROR(
          c.step().objects->FindOrCreate<TensorArrayStorage>(name, [&] { return std::move(made); }).status());
    }
    SetHandle(c, 0, name);
    if (c.num_outputs() > 1) *c.out<float>(1) = 0;
    return absl::OkStatus();
  });
}
// The flow passes on, so that gradients of gradients find the array that gradients were written to.
void GradGradient(GradientContext& c) {
  if (c.has_dy(1)) c.set_dx(1, c.dy(1));
}
OpSpec GradDeclaration(std::string name, std::string handle_type, std::string grad_handle_type) {
  OpSpec spec{.name = std::move(name),
              .inputs = {"handle: " + handle_type, "flow_in: float"},
              .outputs = {"grad_handle: " + grad_handle_type},
              .attrs = {"source: string"},
              .shape = GradShape,
              .gradient = handle_type == "resource" ? GradGradient : kNotDifferentiable,
              .kernel = GradKernel,
              .traits = kStateful | kStepObjects,
              .doc = "The gradients by the elements of a tensor array."};
  if (handle_type == "resource") spec.outputs.push_back("flow_out: float");
  return spec;
}
const OpRegistrar grad_v1(GradDeclaration("TensorArrayGrad", "string", "Ref(string)"));
const OpRegistrar grad_v2(GradDeclaration("TensorArrayGradV2", "string", "string"));
const OpRegistrar grad_v3(GradDeclaration("TensorArrayGradV3", "resource", "resource"));
const OpRegistrar grad_with_shape([] {
  OpSpec spec = GradDeclaration("TensorArrayGradWithShape", "resource", "resource");
  spec.inputs.push_back("shape_to_prepend: int32");
  return spec;
}());

// TensorArrayWrite: element[index] = value.
absl::Status WriteShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 1, 0));
  SF_RETURN_IF_ERROR(CheckRank(c, 3, 0));
  c.set_output(0, Shape());
  return absl::OkStatus();
}
absl::Status WriteKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const TensorArrayAccess access, TensorArrayBehind(c, c.input(2).dtype));
  SF_ASSIGN_OR_RETURN(Tensor value, c.InputTensor(2));
  SF_RETURN_IF_ERROR(access.array->Write(c.scalar<int32_t>(1), std::move(value), access.memory));
  return PassFlow(c);
}
// d(value) = the gradient's element; the flow of gradients passes on.
void WriteGradient(GradientContext& c) {
  if (!c.has_dy(0)) return;
  c.set_dx(2, GradientsOf(c, c.dy(0)).Read(c.x(1)));
  c.set_dx(3, c.dy(0));
}
const TensorArrayForms write({.name = "TensorArrayWrite",
                              .inputs = {"index: int32", "value: T", "flow_in: float"},
                              .outputs = {"flow_out: float"},
                              .attrs = {"T: type"},
                              .shape = WriteShape,
                              .gradient = WriteGradient,
                              .kernel = WriteKernel,
                              .doc = "Sets an element of a tensor array."});

// TensorArrayRead: element[index]. Its shape is what building has learned of it.
absl::Status ReadShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 1, 0));
  SF_RETURN_IF_ERROR(CheckRank(c, 2, 0));
  c.set_output(0, c.node().output_shape(0));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ReadKernel(const KernelSetup& setup) {
  return Kernel([shape = setup.node().output_shape(0)](KernelContext& c) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const TensorArrayAccess access, TensorArrayBehind(c, c.output(0).dtype));
    SF_ASSIGN_OR_RETURN(Tensor value, access.array->Read(c.scalar<int32_t>(1), access.memory));
    if (!shape.IsFullyDefined()) return c.SetOutput(0, std::move(value));
    if (value.shape() != shape) {
      return absl::InvalidArgumentError(
          absl::StrCat("the element has shape ", value.shape().ToString(), ", expected ", shape.ToString()));
    }
    CopyElements(value.dtype(), value.raw(), c.output(0).data, value.num_elements());
    return absl::OkStatus();
  });
}
// The gradient's element[index] += dy.
void ReadGradient(GradientContext& c) { c.set_dx(2, GradientsOf(c, c.x(2)).Write(c.x(1), c.dy(0)).flow()); }
const TensorArrayForms read({.name = "TensorArrayRead",
                             .inputs = {"index: int32", "flow_in: float"},
                             .outputs = {"value: dtype"},
                             .attrs = {"dtype: type"},
                             .shape = ReadShape,
                             .gradient = ReadGradient,
                             .kernel = ReadKernel,
                             .doc = "An element of a tensor array."});

// TensorArraySize: how many elements there are.
absl::Status SizeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckRank(c, 1, 0));
  c.set_output(0, Shape());
  return absl::OkStatus();
}
absl::Status SizeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(TensorArrayStorage * array, StepObjectBehind<TensorArrayStorage>(c, 0));
  *c.out<int32_t>(0) = static_cast<int32_t>(array->size());
  return absl::OkStatus();
}
const TensorArrayForms size({.name = "TensorArraySize",
                             .inputs = {"flow_in: float"},
                             .outputs = {"size: int32"},
                             .shape = SizeShape,
                             .kernel = SizeKernel,
                             .doc = "The number of elements of a tensor array."});

absl::Status CloseKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(TensorArrayStorage * array, StepObjectBehind<TensorArrayStorage>(c, 0));
  array->Close();
  return absl::OkStatus();
}
const TensorArrayForms close_op({.name = "TensorArrayClose",
                                 .shape = NoOutputs,
                                 .kernel = CloseKernel,
                                 .doc = "Forgets the elements of a tensor array for good."});

}  // namespace

TensorArray GradientsOf(const GradientContext& c, Output flow) {
  // The scope of this gradient is "<that of the call of Gradients>/<node>_grad": its first part names the array, so
  // that all gradients of one call, in a loop or not, add up in one array.
  const std::string& scope = c.graph().name_scope();
  const size_t end = scope.rfind(absl::StrCat(c.node().name(), "_grad"));
  const absl::string_view source = absl::string_view(scope).substr(0, end == std::string::npos ? scope.size() : end);
  const TensorArray forward(c.x(0), flow, c.node().has_attr("T") ? c.attr<DataType>("T") : c.attr<DataType>("dtype"));
  return forward.Grad(std::string(absl::StripSuffix(source, "/")));
}

TensorArray TensorArray::Create(Graph& g, DataType dtype, Operand size, const TensorArrayOptions& options) {
  const std::string name = options.name.empty() ? "TensorArray" : options.name;
  Node* node = NodeBuilder(g, "TensorArrayV3", options.where)
                   .Input(size)
                   .Attr("dtype", dtype)
                   .Attr("element_shape", options.element_shape)
                   .Attr("dynamic_size", options.dynamic_size)
                   .Attr("clear_after_read", options.clear_after_read)
                   .Attr("identical_element_shapes", options.infer_shape)
                   .Attr("tensor_array_name", options.tensor_array_name)
                   .Name(name)
                   .BuildNode();
  if (node == nullptr) return TensorArray();
  return TensorArray(node->output(0), node->output(1), dtype, options.element_shape, options.infer_shape);
}

TensorArray TensorArray::WithFlow(Output flow) const {
  TensorArray array = *this;
  array.flow_ = flow;
  return array;
}

TensorArray TensorArray::After(Output flow, const Shape& element) const {
  TensorArray array = WithFlow(flow);
  if (infer_shape_) array.element_shape_ = element_shape_.MergeWith(element).value_or(element_shape_);
  return array;
}

TensorArray TensorArray::Grad(const std::string& source, const OpOptions& options) const {
  Node* node = NodeBuilder("TensorArrayGradV3", {handle_, flow_})
                   .Attr("source", source)
                   .Name(options.name, "TensorArrayGrad/TensorArrayGradV3")
                   .BuildNode();
  if (node == nullptr) return TensorArray();
  // What comes next waits for the array of gradients by way of its flow.
  return TensorArray(node->output(0), node->output(1), dtype_, element_shape_, infer_shape_);
}

TensorArray TensorArray::Write(Operand index, Operand value, const OpOptions& options) const {
  const Shape element = value.output().valid() ? value.output().shape() : Shape();
  return After(NodeBuilder("TensorArrayWriteV3", {handle_, index, value, flow_})
                   .Attr("T", dtype_)
                   .Name(options.name, "TensorArrayWrite/TensorArrayWriteV3")
                   .Build(),
               element);
}

Output TensorArray::Read(Operand index, const OpOptions& options) const {
  const Output value = NodeBuilder("TensorArrayReadV3", {handle_, index, flow_})
                           .Attr("dtype", dtype_)
                           .Name(options.name, "TensorArrayReadV3")
                           .Build();
  if (value.valid()) value.node()->MergeOutputShape(0, element_shape_).IgnoreError();
  return value;
}

Output TensorArray::Size(const OpOptions& options) const {
  return NodeBuilder("TensorArraySizeV3", {handle_, flow_}).Name(options.name, "TensorArraySizeV3").Build();
}

Operation TensorArray::Close(const OpOptions& options) const {
  return NodeBuilder("TensorArrayCloseV3", {handle_}).Name(options.name, "TensorArrayCloseV3").BuildNode();
}

}  // namespace staticflow
