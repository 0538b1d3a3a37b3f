// InplaceUpdate, InplaceAdd, InplaceSub, ParallelConcat, Empty: rows put into tensors; and what hands its input on for
// a debugger: Copy, CopyHost, DeepCopy, DebugIdentity, DebugIdentityV2, DebugGradientIdentity.
#include "absl/strings/str_cat.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"

namespace staticflow {
namespace {

// InplaceUpdate, InplaceAdd, InplaceSub: x with rows i set to v, or with v added or subtracted. Indices count modulo
// the number of rows.
absl::Status RowsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape x, c.WithRankAtLeast(0, 1));
  SF_ASSIGN_OR_RETURN(const Shape i, c.WithRank(1, 1));
  SF_ASSIGN_OR_RETURN(const Shape v, c.WithRankAtLeast(2, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(i.dim(0), v.has_rank() ? v.dim(0) : -1, "rows of v").status());
  if (x.has_rank() && v.has_rank()) {
    SF_RETURN_IF_ERROR(
        Annotate(x.Slice(1, x.rank()).MergeWith(v.Slice(1, v.rank())).status(), "the rows of x and v: "));
  }
  return SameShape(c);
}

// combine(row element of y, element of v) for each row.
template <typename T, typename F>
absl::Status ChangeRows(KernelContext& c, F combine) {
  const int64_t rows = c.input(0).dim(0);
  if (c.out<T>(0) != c.in<T>(0)) std::copy_n(c.in<T>(0), c.input(0).num_elements, c.out<T>(0));
  if (rows == 0) {
    if (c.input(2).num_elements == 0) return absl::OkStatus();
    return absl::InvalidArgumentError("there are no rows to change");
  }
  const int64_t size = c.input(0).num_elements / rows;
  for (int64_t k = 0; k < c.input(1).num_elements; ++k) {
    const int64_t row = (c.in<int32_t>(1)[k] % rows + rows) % rows;
    for (int64_t j = 0; j < size; ++j) combine(c.out<T>(0)[row * size + j], c.in<T>(2)[k * size + j]);
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> UpdateKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) { return ChangeRows<T>(c, [](T& y, const T& v) { y = v; }); };
  });
}
template <bool subtract>
absl::StatusOr<Kernel> AddKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) {
          return ChangeRows<T>(c, [](T& y, const T& v) {
            using A = ComputeType<T>;
            y = T(subtract ? WrapSubtract<A>(Widen(y), Widen(v)) : WrapAdd<A>(Widen(y), Widen(v)));
          });
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

OpSpec RowsOp(const char* name, KernelSource kernel, const char* type, const char* doc) {
  return {.name = name,
          .inputs = {"x: T", "i: int32", "v: T"},
          .outputs = {"y: T"},
          .attrs = {type},
          .shape = RowsShape,
          .gradient = kGradientIsError,
          .kernel = kernel,
          .doc = doc};
}
const OpRegistrar update(RowsOp("InplaceUpdate", &UpdateKernel, "T: type", "A tensor with some rows replaced."));
const OpRegistrar add(RowsOp("InplaceAdd", &AddKernel<false>, kNumberT, "A tensor with something added to some rows."));
const OpRegistrar sub(RowsOp("InplaceSub", &AddKernel<true>, kNumberT,
                             "A tensor with something subtracted from some rows."));

// ParallelConcat: values of one row each behind one another.
absl::Status ParallelConcatShape(ShapeContext& c) {
  const Shape& shape = c.attr<Shape>("shape");
  if (!shape.IsFullyDefined() || shape.rank() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("expected a complete shape with rows, got ", shape.ToString()));
  }
  SF_RETURN_IF_ERROR(c.MergeDims(shape.dim(0), c.num_inputs(), "values").status());
  Shape row = shape;
  row.set_dim(0, 1);
  for (int i = 0; i < c.num_inputs(); ++i) {
    SF_RETURN_IF_ERROR(Annotate(c.input(i).MergeWith(row).status(), absl::StrCat("value ", i, ": ")));
  }
  c.set_output(0, shape);
  return absl::OkStatus();
}
absl::Status ParallelConcatKernel(KernelContext& c) {
  const int64_t size = c.output(0).num_elements / c.num_inputs();
  const DataType dtype = c.output(0).dtype;
  for (int i = 0; i < c.num_inputs(); ++i) {
    CopyElements(dtype, c.input(i).data, c.out<char>(0) + i * size * DataTypeSize(dtype), size);
  }
  return absl::OkStatus();
}
const OpRegistrar parallel_concat({.name = "ParallelConcat",
                                   .inputs = {"values: N * T"},
                                   .outputs = {"output: T"},
                                   .attrs = {"N: int >= 1", "T: type", "shape: shape"},
                                   .shape = ParallelConcatShape,
                                   .gradient = kGradientIsError,
                                   .kernel = ParallelConcatKernel,
                                   .doc = "Tensors of one row behind one another."});

// Empty: memory of a shape. Here it is always zeros, whatever `init` says.
absl::Status EmptyShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 0));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> EmptyKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      std::fill_n(c.out<T>(0), c.output(0).num_elements, T());
      return absl::OkStatus();
    };
  });
}
const OpRegistrar empty({.name = "Empty",
                         .inputs = {"shape: int32"},
                         .outputs = {"output: dtype"},
                         .attrs = {"dtype: type", "init: bool = false"},
                         .shape = EmptyShape,
                         .gradient = kNotDifferentiable,
                         .kernel = EmptyKernel,
                         .traits = kStateful,
                         .doc = "A tensor of a shape, for other ops to fill."});

// The input, of which a debugger may take notice.
OpSpec PassOp(const char* name, std::vector<std::string> attrs, OpTraits traits) {
  OpSpec spec = {.name = name,
                 .inputs = {"input: T"},
                 .outputs = {"output: T"},
                 .attrs = {"T: type"},
                 .shape = SameShape,
                 .gradient = PassGradient,
                 .kernel = CopyKernel,
                 .traits = traits,
                 .shape_value = PassShapeValue,
                 .doc = "The input."};
  spec.attrs.insert(spec.attrs.end(), attrs.begin(), attrs.end());
  return spec;
}
const std::vector<std::string> kCopyAttrs = {"tensor_name: string = ''", "debug_ops_spec: list(string) = []"};
const OpRegistrar copy(PassOp("Copy", kCopyAttrs, kNoTraits));
const OpRegistrar copy_host(PassOp("CopyHost", kCopyAttrs, kNoTraits));
const OpRegistrar debug_identity(PassOp("DebugIdentity",
                                        {"device_name: string = ''", "tensor_name: string = ''",
                                         "debug_urls: list(string) = []", "gated_grpc: bool = false"},
                                        kAlias));
const OpRegistrar debug_identity_v2(PassOp("DebugIdentityV2",
                                           {"tfdbg_context_id: string = ''", "op_name: string = ''",
                                            "output_slot: int = -1", "tensor_debug_mode: int = -1",
                                            "debug_urls: list(string) = []", "circular_buffer_size: int = 1000",
                                            "tfdbg_run_id: string = ''"},
                                           kAlias));
const OpRegistrar debug_gradient_identity(PassOp("DebugGradientIdentity", {}, kAlias));

const OpRegistrar deep_copy({.name = "DeepCopy",
                             .inputs = {"x: T"},
                             .outputs = {"y: T"},
                             .attrs = {"T: type"},
                             .shape = SameShape,
                             .gradient = PassGradient,
                             .kernel = CopyKernel,
                             .traits = kStateful,
                             .doc = "A copy of the input that shares no memory with it."});

}  // namespace
}  // namespace staticflow
