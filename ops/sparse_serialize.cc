// SerializeSparse, SerializeManySparse, DeserializeSparse, DeserializeManySparse. Contracts: ops/sparse.h.
#include <algorithm>

#include "graph/gradients.h"
#include "graph/tensor_bytes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// A tensor as it is, in a variant.
class TensorVariant final : public VariantObject {
 public:
  explicit TensorVariant(Tensor tensor) : tensor_(std::move(tensor)) {}
  const Tensor& tensor() const { return tensor_; }
  absl::string_view type_name() const override { return "tensorflow::Tensor"; }

 private:
  const Tensor tensor_;
};

// Three strings, or variants, of the tensors at indices, values and shape: elements `first` and after of output 0.
absl::Status WriteParts(KernelContext& c, int64_t first, const Tensor& indices, const Tensor& values,
                        const Tensor& shape) {
  const Tensor* parts[] = {&indices, &values, &shape};
  for (int i = 0; i < 3; ++i) {
    if (c.output(0).dtype == DT_VARIANT) {
      c.out<Variant>(0)[first + i] = Variant(new TensorVariant(*parts[i]));
    } else {
      SF_ASSIGN_OR_RETURN(c.out<std::string>(0)[first + i], TensorToBytes(*parts[i]));
    }
  }
  return absl::OkStatus();
}
absl::StatusOr<Tensor> ReadPart(const KernelContext& c, int64_t i) {
  if (c.input(0).dtype == DT_STRING) return TensorFromBytes(c.in<std::string>(0)[i]);
  const auto* variant = dynamic_cast<const TensorVariant*>(c.in<Variant>(0)[i].get());
  if (variant != nullptr) return variant->tensor();
  return absl::InvalidArgumentError(absl::StrCat("variant ", i, " holds no serialized tensor"));
}

// SerializeSparse: [3] strings, or variants.
absl::Status SerializeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(SparseInputs(c, 0).status());
  c.set_output(0, {3});
  return absl::OkStatus();
}
absl::Status SerializeKernel(KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const Tensor indices, c.InputTensor(0));
  SF_ASSIGN_OR_RETURN(const Tensor values, c.InputTensor(1));
  SF_ASSIGN_OR_RETURN(const Tensor shape, c.InputTensor(2));
  return WriteParts(c, 0, indices, values, shape);
}
OpSpec SerializeOp(std::string name, ShapeFunction shape, KernelSource kernel, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"sparse_indices: int64", "sparse_values: T", "sparse_shape: int64"},
          .outputs = {"serialized_sparse: out_type"},
          .attrs = {"T: type", "out_type: {string, variant} = string"},
          .shape = shape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .doc = std::move(doc)};
}
const OpRegistrar serialize(SerializeOp("SerializeSparse", SerializeShape, SerializeKernel,
                                        "A sparse tensor as three serialized TensorProtos, or variants."));

// SerializeManySparse: [n, 3], one row for each index of dimension 0, whose entries follow each other.
absl::Status SerializeManyShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  if (sizes.rank == 0 || sizes.rank == 1) {
    return absl::InvalidArgumentError(absl::StrCat("the tensor has rank ", sizes.rank, ", expected at least 2"));
  }
  SF_ASSIGN_OR_RETURN(const Shape shape, DimsFromInput(c, 2));
  c.set_output(0, {shape.has_rank() ? shape.dim(0) : Shape::kUnknownDim, 3});
  return absl::OkStatus();
}
template <typename T>
absl::Status SerializeMany(KernelContext& c) {
  const SparseIndices indices(c.input(0));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
  SF_RETURN_IF_ERROR(indices.Check(shape));
  const int64_t rank = indices.rank();
  SF_ASSIGN_OR_RETURN(Tensor rest, Tensor::Create(DT_INT64, {rank - 1}));
  std::copy(shape.begin() + 1, shape.end(), rest.data<int64_t>());
  int64_t begin = 0;
  for (int64_t row = 0; row < shape[0]; ++row) {
    int64_t end = begin;
    while (end < indices.count() && indices.at(end, 0) == row) ++end;
    SF_ASSIGN_OR_RETURN(Tensor places, Tensor::Create(DT_INT64, {end - begin, rank - 1}));
    SF_ASSIGN_OR_RETURN(Tensor values, Tensor::Create(c.input(1).dtype, {end - begin}));
    for (int64_t k = begin; k < end; ++k) {
      for (int64_t d = 1; d < rank; ++d) places.data<int64_t>()[(k - begin) * (rank - 1) + d - 1] = indices.at(k, d);
      values.data<T>()[k - begin] = c.in<T>(1)[k];
    }
    SF_RETURN_IF_ERROR(WriteParts(c, row * 3, places, values, rest));
    begin = end;
  }
  if (begin == indices.count()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("entry ", begin, " is out of order: SparseReorder"));
}
absl::StatusOr<Kernel> SerializeManyKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
               bool, std::string>(setup.input_dtype(1), [&]<typename T>() { kernel = SerializeMany<T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(1));
  return kernel;
}
const OpRegistrar serialize_many(
    SerializeOp("SerializeManySparse", SerializeManyShape, SerializeManyKernel,
                "The slices of a sparse tensor as three serialized TensorProtos, or variants, each."));

// DeserializeSparse, DeserializeManySparse: the tensors behind strings [..., 3], stacked along the first dimensions.
struct Parsed {
  Tensor indices, values, shape;
};
absl::StatusOr<Parsed> Parse(const KernelContext& c, int64_t first, DataType dtype) {
  Parsed parsed;
  SF_ASSIGN_OR_RETURN(parsed.indices, ReadPart(c, first));
  SF_ASSIGN_OR_RETURN(parsed.values, ReadPart(c, first + 1));
  SF_ASSIGN_OR_RETURN(parsed.shape, ReadPart(c, first + 2));
  const auto& [indices, values, shape] = parsed;
  const bool fits = indices.dtype() == DT_INT64 && shape.dtype() == DT_INT64 && indices.shape().rank() == 2 &&
                    values.shape().rank() == 1 && shape.shape().rank() == 1 &&
                    indices.shape().dim(0) == values.num_elements() && indices.shape().dim(1) == shape.num_elements();
  if (!fits) return absl::InvalidArgumentError("the strings are no indices, values and shape that fit each other");
  if (values.dtype() == dtype) return parsed;
  return absl::InvalidArgumentError(
      absl::StrCat("the values are ", DataTypeName(values.dtype()), ", expected ", DataTypeName(dtype)));
}

absl::Status DeserializeShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape strings, c.WithRankAtLeast(0, 1));
  if (strings.has_rank()) SF_RETURN_IF_ERROR(c.MergeDims(strings.dim(-1), 3, "strings of a tensor").status());
  c.set_output(0, {Shape::kUnknownDim, Shape::kUnknownDim});
  c.set_output(1, {Shape::kUnknownDim});
  c.set_output(2, {Shape::kUnknownDim});
  return absl::OkStatus();
}
absl::Status DeserializeManyShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 2).status());
  return DeserializeShape(c);
}

template <typename T>
absl::Status Stack(KernelContext& c, absl::Span<const Parsed> tensors) {
  const Shape& strings = *c.input(0).shape;
  const int64_t leading = strings.rank() - 1, inner = tensors[0].shape.num_elements(), rank = leading + inner;
  int64_t entries = 0;
  std::vector<int64_t> sizes(strings.dims().begin(), strings.dims().end() - 1);
  sizes.resize(static_cast<size_t>(rank), 0);
  for (const Parsed& tensor : tensors) {
    entries = AddSizes(entries, tensor.values.num_elements());
    if (tensor.shape.num_elements() != inner) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensors of rank ", inner, " and of rank ", tensor.shape.num_elements()));
    }
    for (int64_t d = 0; d < inner; ++d) {
      int64_t& size = sizes[static_cast<size_t>(leading + d)];
      size = std::max(size, tensor.shape.data<int64_t>()[d]);
    }
  }
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {entries, rank}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {entries}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rank}));
  std::copy(sizes.begin(), sizes.end(), c.out<int64_t>(2));
  int64_t at = 0;
  for (size_t t = 0; t < tensors.size(); ++t) {
    for (int64_t k = 0; k < tensors[t].values.num_elements(); ++k, ++at) {
      int64_t* to = c.out<int64_t>(0) + at * rank;
      int64_t rest = static_cast<int64_t>(t);
      for (int64_t d = leading; d-- > 0; rest /= sizes[static_cast<size_t>(d)]) {
        to[d] = rest % sizes[static_cast<size_t>(d)];
      }
      std::copy_n(tensors[t].indices.data<int64_t>() + k * inner, inner, to + leading);
      c.out<T>(1)[at] = tensors[t].values.data<T>()[k];
    }
  }
  return absl::OkStatus();
}
absl::Status DeserializeKernel(KernelContext& c) {
  const int64_t n = c.input(0).num_elements / 3;
  if (n == 0) return absl::InvalidArgumentError("there are no strings, so the rank is not known");
  const DataType dtype = c.output(1).dtype;
  std::vector<Parsed> tensors;
  for (int64_t i = 0; i < n; ++i) {
    absl::StatusOr<Parsed> parsed = Parse(c, i * 3, dtype);
    if (!parsed.ok()) return Annotate(parsed.status(), absl::StrCat("tensor ", i, ": "));
    tensors.push_back(*std::move(parsed));
  }
  absl::Status status = absl::UnimplementedError(absl::StrCat("no kernel for ", DataTypeName(dtype)));
  DispatchType<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
               bool, std::string>(dtype, [&]<typename T>() { status = Stack<T>(c, tensors); });
  return status;
}
const OpRegistrar deserialize({.name = "DeserializeSparse",
                               .inputs = {"serialized_sparse: Tserialized"},
                               .outputs = {"sparse_indices: int64", "sparse_values: dtype", "sparse_shape: int64"},
                               .attrs = {"dtype: type", "Tserialized: {string, variant} = string"},
                               .shape = DeserializeShape,
                               .gradient = kNotDifferentiable,
                               .kernel = DeserializeKernel,
                               .doc = "Sparse tensors from strings or variants, stacked."});
const OpRegistrar deserialize_many({.name = "DeserializeManySparse",
                                    .inputs = {"serialized_sparse: string"},
                                    .outputs = {"sparse_indices: int64", "sparse_values: dtype", "sparse_shape: int64"},
                                    .attrs = {"dtype: type"},
                                    .shape = DeserializeManyShape,
                                    .gradient = kNotDifferentiable,
                                    .kernel = DeserializeKernel,
                                    .doc = "Sparse tensors from a matrix of strings, stacked."});

Output SerializeNode(absl::string_view type, const SparseParts& a, const SerializeSparseOptions& options) {
  return NodeBuilder(type, {a.indices, a.values, a.shape})
      .Attr("out_type", options.out_type)
      .Name(options.name)
      .Build();
}

}  // namespace

Output SerializeSparse(const SparseParts& a, const SerializeSparseOptions& options) {
  return SerializeNode("SerializeSparse", a, options);
}
Output SerializeManySparse(const SparseParts& a, const SerializeSparseOptions& options) {
  return SerializeNode("SerializeManySparse", a, options);
}
SparseParts DeserializeSparse(Operand serialized, DataType dtype, const OpOptions& options) {
  const Node* node = NodeBuilder("DeserializeSparse", {serialized}).Attr("dtype", dtype).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = node->output(2)};
}

}  // namespace staticflow
