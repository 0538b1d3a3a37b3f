// ScatterNd, TensorScatterUpdate, -Add, -Sub, -Max, -Min.
#include <functional>

#include "absl/strings/str_cat.h"
#include "ops/array_index.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// InvalidArgument unless updates has the shape indices.shape[:-1] + tensor.shape[indices.shape[-1]:].
absl::Status CheckScatter(const Shape& tensor, const Shape& indices, const Shape& updates) {
  if (indices.rank() == 0) return absl::InvalidArgumentError("indices is a scalar, expected rank 1 or more");
  if (!tensor.has_rank() || !indices.has_rank() || indices.dim(-1) == Shape::kUnknownDim) return absl::OkStatus();
  const int64_t depth = indices.dim(-1);
  if (depth > tensor.rank()) {
    return absl::InvalidArgumentError(absl::StrCat("indices has shape ", indices.ToString(),
                                                   ", whose tuples are too long for shape ", tensor.ToString()));
  }
  const Shape wanted =
      indices.Slice(0, indices.rank() - 1).Concatenate(tensor.Slice(static_cast<int>(depth), tensor.rank()));
  if (wanted.IsCompatibleWith(updates)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("updates has shape ", updates.ToString(), ", expected ", wanted.ToString()));
}

// Output 0, which is filled already: combine(element, update) for every update, in their order.
template <typename T, typename I, typename F>
absl::Status ScatterInto(KernelContext& c, int indices_input, int updates_input, F combine) {
  const Shape &shape = *c.output(0).shape, &indices = *c.input(indices_input).shape;
  SF_RETURN_IF_ERROR(CheckScatter(shape, indices, *c.input(updates_input).shape));
  const int depth = static_cast<int>(indices.dim(-1));
  const int64_t inner = shape.num_elements(depth, shape.rank()), count = indices.num_elements(0, indices.rank() - 1);
  const I* index = c.in<I>(indices_input);
  const T* update = c.in<T>(updates_input);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = 0;
    for (int d = 0; d < depth; ++d, ++index) {
      if (*index < 0 || *index >= shape.dim(d)) {
        return absl::InvalidArgumentError(
            absl::StrCat("index ", *index, " at position ", i * depth + d, " is out of range [0, ", shape.dim(d), ")"));
      }
      at = at * shape.dim(d) + *index;
    }
    T* to = c.out<T>(0) + at * inner;
    for (int64_t k = 0; k < inner; ++k) combine(to[k], *update++);
  }
  return absl::OkStatus();
}

template <typename T, typename F>
absl::Status ScatterInto(KernelContext& c, int indices_input, int updates_input, F combine) {
  return c.input(indices_input).dtype == DT_INT64 ? ScatterInto<T, int64_t>(c, indices_input, updates_input, combine)
                                                  : ScatterInto<T, int32_t>(c, indices_input, updates_input, combine);
}

// ScatterNd: zeros with the updates added.   dupdates = dy at the indices.
absl::Status ScatterNdShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 2));
  SF_RETURN_IF_ERROR(CheckScatter(shape, c.input(0), c.input(1)));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

template <typename T>
void AddTo(T& element, const T& update) {
  if constexpr (kIsShortFloat<T>) {
    element = T(float(element) + float(update));
  } else if constexpr (std::is_same_v<T, bool>) {
    element = element || update;
  } else if constexpr (std::is_same_v<T, std::string>) {
    element += update;
  } else {
    element = WrapAdd(element, update);
  }
}

absl::StatusOr<Kernel> ScatterNdKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t,
               bool, std::string>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) {
      std::fill_n(c.out<T>(0), c.output(0).num_elements, T());
      return ScatterInto<T>(c, 0, 1, AddTo<T>);
    };
  });
  return kernel;
}

void ScatterNdGradient(GradientContext& c) { c.set_dx(1, GatherNd(c.dy(0), c.x(0))); }

const OpRegistrar scatter_nd({.name = "ScatterNd",
                              .inputs = {"indices: Tindices", "updates: T", "shape: Tindices"},
                              .outputs = {"output: T"},
                              .attrs = {"T: type", "Tindices: indextype", kBadIndicesPolicy},
                              .shape = ScatterNdShape,
                              .gradient = ScatterNdGradient,
                              .kernel = ScatterNdKernel,
                              .doc = "Zeros with updates added at index tuples."});

// TensorScatter*: a copy of the tensor with the updates combined in.
absl::Status TensorScatterShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CheckScatter(c.input(0), c.input(1), c.input(2)));
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> TensorScatterUpdateKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      CopyInput(c, 0, 0);
      return ScatterInto<T>(c, 1, 2, [](T& element, const T& update) { element = update; });
    };
  });
}

// F computes in float for the 16-bit types.
template <typename F>
absl::StatusOr<Kernel> TensorScatterKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) {
          CopyInput(c, 0, 0);
          return ScatterInto<T>(c, 1, 2,
                                [](T& element, const T& update) { element = T(F()(Widen(element), Widen(update))); });
        };
      });
  return kernel;
}

using Adding = decltype([](auto a, auto b) { return WrapAdd(a, b); });
using Subtracting = decltype([](auto a, auto b) { return WrapSubtract(a, b); });
struct Largest {
  template <typename T>
  T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};
struct Smallest {
  template <typename T>
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

void TensorScatterUpdateGradient(GradientContext& c) {
  c.set_dx(0, TensorScatterUpdate(c.dy(0), c.x(1), ZerosLike(c.x(2))));
  c.set_dx(2, GatherNd(c.dy(0), c.x(1)));
}

void TensorScatterAddGradient(GradientContext& c) {
  c.set_dx(0, c.dy(0));
  c.set_dx(2, GatherNd(c.dy(0), c.x(1)));
}

void TensorScatterSubGradient(GradientContext& c) {
  c.set_dx(0, c.dy(0));
  c.set_dx(2, Neg(GatherNd(c.dy(0), c.x(1))));
}

// All that attain the extreme share its gradient.
void TensorScatterExtremeGradient(GradientContext& c) {
  const Output indices = c.x(1), dy = c.dy(0);
  const Output from_tensor = Cast(Equal(c.x(0), c.y(0)), dy.dtype());
  const Output from_updates = Cast(Equal(c.x(2), GatherNd(c.y(0), indices)), dy.dtype());
  const Output shape = ShapeOf(c.x(0), {.out_type = indices.dtype()});
  const Output share = dy / (from_tensor + ScatterNd(indices, from_updates, shape));
  c.set_dx(0, share * from_tensor);
  c.set_dx(2, GatherNd(share, indices) * from_updates);
}

OpSpec TensorScatter(const char* name, const char* types, GradientFunction gradient, KernelSource kernel) {
  return {.name = name,
          .inputs = {"tensor: T", "indices: Tindices", "updates: T"},
          .outputs = {"output: T"},
          .attrs = {types, "Tindices: indextype", kBadIndicesPolicy},
          .shape = TensorScatterShape,
          .gradient = gradient,
          .kernel = kernel,
          .traits = kInPlace,
          .doc = "A tensor with updates combined in at index tuples."};
}

const OpRegistrar tensor_scatter_update(TensorScatter("TensorScatterUpdate", "T: type", TensorScatterUpdateGradient,
                                                      TensorScatterUpdateKernel));
const OpRegistrar tensor_scatter_add(TensorScatter("TensorScatterAdd", kNumberT, TensorScatterAddGradient,
                                                   TensorScatterKernel<Adding>));
const OpRegistrar tensor_scatter_sub(TensorScatter("TensorScatterSub", kNumberT, TensorScatterSubGradient,
                                                   TensorScatterKernel<Subtracting>));
const OpRegistrar tensor_scatter_max(TensorScatter("TensorScatterMax", kNumberT, TensorScatterExtremeGradient,
                                                   TensorScatterKernel<Largest>));
const OpRegistrar tensor_scatter_min(TensorScatter("TensorScatterMin", kNumberT, TensorScatterExtremeGradient,
                                                   TensorScatterKernel<Smallest>));

}  // namespace

Output ScatterNd(Operand indices, Operand updates, const Ints& shape, const OpOptions& options) {
  const NodeName node(updates, options.name, "ScatterNd");
  if (!node) return Output();
  const DataType type = indices.output().valid() ? indices.output().dtype() : DT_INT32;
  return NodeBuilder("ScatterNd", {indices, updates, node.Vector(shape, "shape", type)}).Name(node.exact()).Build();
}

Output TensorScatterUpdate(Operand tensor, Operand indices, Operand updates, const OpOptions& options) {
  return NodeBuilder("TensorScatterUpdate", {tensor, indices, updates}).Name(options.name).Build();
}

Output TensorScatterAdd(Operand tensor, Operand indices, Operand updates, const OpOptions& options) {
  return NodeBuilder("TensorScatterAdd", {tensor, indices, updates}).Name(options.name).Build();
}

Output TensorScatterSub(Operand tensor, Operand indices, Operand updates, const OpOptions& options) {
  return NodeBuilder("TensorScatterSub", {tensor, indices, updates}).Name(options.name).Build();
}

Output TensorScatterMax(Operand tensor, Operand indices, Operand updates, const OpOptions& options) {
  return NodeBuilder("TensorScatterMax", {tensor, indices, updates}).Name(options.name).Build();
}

Output TensorScatterMin(Operand tensor, Operand indices, Operand updates, const OpOptions& options) {
  return NodeBuilder("TensorScatterMin", {tensor, indices, updates}).Name(options.name).Build();
}

}  // namespace staticflow
