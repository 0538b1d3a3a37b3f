// What moves entries: SparseReorder, SparseReshape, SparseConcat, SparseSlice, SparseSliceGrad. Contracts:
// ops/sparse.h.
#include <algorithm>
#include <numeric>

#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// Sets outputs [first, first + 3) or, without a shape, [first, first + 2).
void SetParts(ShapeContext& c, int64_t entries, int64_t rank, bool with_shape) {
  c.set_output(0, {entries, rank});
  c.set_output(1, {entries});
  if (with_shape) c.set_output(2, {rank});
}

// The order that brings entries into row-major order; equal ones keep theirs.
absl::StatusOr<const int64_t*> RowMajorOrder(KernelContext& c, const SparseIndices& indices) {
  SF_ASSIGN_OR_RETURN(int64_t * order, c.Scratch<int64_t>(indices.count()));
  std::iota(order, order + indices.count(), int64_t{0});
  std::sort(order, order + indices.count(), [&](int64_t a, int64_t b) {
    const int compared = indices.Compare(a, indices, b);
    return compared != 0 ? compared < 0 : a < b;
  });
  return order;
}

// SparseReorder.   dvalues: dy in the old order, which reordering the entries' numbers tells.
absl::Status ReorderShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  SetParts(c, sizes.entries, sizes.rank, false);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ReorderKernel(const KernelSetup& setup) {
  return StorageKernel(setup.input_dtype(1), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const SparseIndices indices(c.input(0));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
      SF_RETURN_IF_ERROR(indices.Check(shape));
      SF_ASSIGN_OR_RETURN(const int64_t* order, RowMajorOrder(c, indices));
      for (int64_t k = 0; k < indices.count(); ++k) {
        indices.Copy(order[k], c.out<int64_t>(0) + k * indices.rank());
        c.out<T>(1)[k] = c.in<T>(1)[order[k]];
      }
      return absl::OkStatus();
    };
  });
}
void ReorderGradient(GradientContext& c) {
  const Output count = SizeOf(c.x(1));
  const Output numbers = Range(Const(c.graph(), 0), count, Const(c.graph(), 1));
  const SparseParts order = SparseReorder({.indices = c.x(0), .values = numbers, .shape = c.x(2)});
  c.set_dx(1, Gather(c.dy(1), InvertPermutation(order.values)));
}
const OpRegistrar reorder({.name = "SparseReorder",
                           .inputs = {"input_indices: int64", "input_values: T", "input_shape: int64"},
                           .outputs = {"output_indices: int64", "output_values: T"},
                           .attrs = {"T: type"},
                           .shape = ReorderShape,
                           .gradient = ReorderGradient,
                           .kernel = ReorderKernel,
                           .doc = "The entries of a sparse tensor in row-major order."});

// SparseReshape: (indices, shape).
absl::Status ReshapeShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRank(1, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(indices.dim(1), shape.dim(0), "dimensions").status());
  SF_ASSIGN_OR_RETURN(const Shape to, c.WithRank(2, 1));
  c.set_output(0, {indices.dim(0), to.dim(0)});
  c.set_output(1, {to.dim(0)});
  return absl::OkStatus();
}
// The sizes in `to`, with what one -1 stands for.
absl::StatusOr<std::vector<int64_t>> CompleteShape(absl::Span<const int64_t> from, absl::Span<const int64_t> to) {
  const int64_t total = Shape(from).num_elements();
  std::vector<int64_t> sizes(to.begin(), to.end());
  int64_t known = 1;
  auto open = sizes.end();
  for (auto it = sizes.begin(); it != sizes.end(); ++it) {
    if (*it < -1 || (*it == -1 && open != sizes.end())) {
      return absl::InvalidArgumentError(absl::StrCat("size ", *it, " in the new shape: only one may be unknown"));
    }
    if (*it == -1) open = it;
    if (*it != -1) known = MultiplySizes(known, *it);
  }
  if (total == kTooLarge || known == kTooLarge) return absl::InvalidArgumentError("the shape has too many elements");
  if (open != sizes.end()) {
    *open = known == 0 ? 0 : total / known;
    if (known == 0) return absl::InvalidArgumentError("a size cannot be inferred beside a size of 0");
    known *= *open;
  }
  if (known == total) return sizes;
  return absl::InvalidArgumentError(absl::StrCat("a shape of ", total, " elements cannot become one of ", known));
}
absl::Status ReshapeKernel(KernelContext& c) {
  const SparseIndices indices(c.input(0));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> from, SizesInput(c, 1));
  SF_RETURN_IF_ERROR(indices.Check(from));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> to,
                      CompleteShape(from, absl::MakeConstSpan(c.in<int64_t>(2), c.input(2).num_elements)));
  std::copy(to.begin(), to.end(), c.out<int64_t>(1));
  const int64_t rank = static_cast<int64_t>(to.size());
  for (int64_t k = 0; k < indices.count(); ++k) {
    int64_t position = 0;
    for (int64_t d = 0; d < indices.rank(); ++d) position = position * from[d] + indices.at(k, d);
    for (int64_t d = rank - 1; d >= 0; --d) {
      c.out<int64_t>(0)[k * rank + d] = position % to[d];
      position /= to[d];
    }
  }
  return absl::OkStatus();
}
const OpRegistrar reshape({.name = "SparseReshape",
                           .inputs = {"input_indices: int64", "input_shape: int64", "new_shape: int64"},
                           .outputs = {"output_indices: int64", "output_shape: int64"},
                           .shape = ReshapeShape,
                           .gradient = kNotDifferentiable,
                           .kernel = ReshapeKernel,
                           .doc = "The indices of a sparse tensor under another shape."});

// SparseConcat: N indices, N values, N shapes.
absl::Status ConcatShape(ShapeContext& c) {
  const int n = c.num_inputs() / 3;
  int64_t entries = 0, rank = Shape::kUnknownDim;
  for (int i = 0; i < n; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(i, 2));
    SF_ASSIGN_OR_RETURN(const Shape values, c.WithRank(n + i, 1));
    SF_ASSIGN_OR_RETURN(const Shape shape, c.WithRank(2 * n + i, 1));
    SF_ASSIGN_OR_RETURN(const int64_t count, c.MergeDims(indices.dim(0), values.dim(0), "entries"));
    SF_ASSIGN_OR_RETURN(rank, c.MergeDims(rank, indices.dim(1), "dimensions"));
    SF_ASSIGN_OR_RETURN(rank, c.MergeDims(rank, shape.dim(0), "dimensions"));
    entries = count < 0 || entries < 0 ? Shape::kUnknownDim : AddSizes(entries, count);
  }
  if (rank >= 0) SF_RETURN_IF_ERROR(NormalizeAxis(c.attr<int64_t>("concat_dim"), static_cast<int>(rank)).status());
  SetParts(c, entries, rank, true);
  return absl::OkStatus();
}
// The shape of the whole, and by how much each part's indices move along `axis`.
absl::StatusOr<std::vector<int64_t>> ConcatOffsets(const KernelContext& c, int n, int axis,
                                                   std::vector<int64_t>* whole) {
  std::vector<int64_t> offsets;
  for (int i = 0; i < n; ++i) {
    SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2 * n + i));
    SF_RETURN_IF_ERROR(SparseIndices(c.input(i)).Check(shape));
    if (i == 0) *whole = shape;
    offsets.push_back(i == 0 ? 0 : (*whole)[axis]);
    for (size_t d = 0; i > 0 && d < shape.size(); ++d) {
      if (static_cast<int>(d) == axis) {
        (*whole)[d] = AddSizes((*whole)[d], shape[d]);
      } else if (shape[d] != (*whole)[d]) {
        return absl::InvalidArgumentError(
            absl::StrCat("part ", i, " has size ", shape[d], " in dimension ", d, ", expected ", (*whole)[d]));
      }
    }
  }
  return offsets;
}
absl::StatusOr<Kernel> ConcatKernel(const KernelSetup& setup) {
  const int64_t concat_dim = setup.attr<int64_t>("concat_dim");
  return StorageKernel(setup.output_dtype(1), [concat_dim]<typename T>() -> Kernel {
    return [concat_dim](KernelContext& c) -> absl::Status {
      const int n = c.num_inputs() / 3;
      const int64_t rank = c.output(0).dim(1);
      SF_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(concat_dim, static_cast<int>(rank)));
      std::vector<int64_t> whole;
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, ConcatOffsets(c, n, axis, &whole));
      std::copy(whole.begin(), whole.end(), c.out<int64_t>(2));
      // All entries behind one another; then, unless that is their order already, sorted.
      std::vector<int64_t> index(c.output(0).num_elements);
      std::vector<const T*> values;
      int64_t* to = index.data();
      for (int i = 0; i < n; ++i) {
        const SparseIndices part(c.input(i));
        for (int64_t k = 0; k < part.count(); ++k, to += rank) {
          part.Copy(k, to);
          to[axis] += offsets[i];
          values.push_back(c.in<T>(n + i) + k);
        }
      }
      TensorView all = c.output(0);
      all.data = index.data();
      const SparseIndices joined(all);
      SF_ASSIGN_OR_RETURN(int64_t * order, c.Scratch<int64_t>(joined.count()));
      std::iota(order, order + joined.count(), int64_t{0});
      if (axis != 0) {
        std::stable_sort(order, order + joined.count(), [&](int64_t a, int64_t b) { return joined.Before(a, b); });
      }
      for (int64_t k = 0; k < joined.count(); ++k) {
        joined.Copy(order[k], c.out<int64_t>(0) + k * rank);
        c.out<T>(1)[k] = *values[order[k]];
      }
      return absl::OkStatus();
    };
  });
}
const OpRegistrar concat({.name = "SparseConcat",
                          .inputs = {"indices: N * int64", "values: N * T", "shapes: N * int64"},
                          .outputs = {"output_indices: int64", "output_values: T", "output_shape: int64"},
                          .attrs = {"concat_dim: int", "N: int >= 2", "T: type"},
                          .shape = ConcatShape,
                          .gradient = kNotDifferentiable,
                          .kernel = ConcatKernel,
                          .doc = "Sparse tensors behind one another along a dimension."});

// SparseSlice: the entries of a box.   dvalues: dy where an entry is in the box.
absl::Status SliceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(SparseSizes sizes, SparseInputs(c, 0));
  for (int i = 3; i < 5; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(i, 1));
    SF_ASSIGN_OR_RETURN(sizes.rank, c.MergeDims(sizes.rank, vector.dim(0), "dimensions"));
  }
  SetParts(c, Shape::kUnknownDim, sizes.rank, true);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SliceKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(2).IsFullyDefined();
  return StorageKernel(setup.output_dtype(1), [allocate]<typename T>() -> Kernel {
    return [allocate](KernelContext& c) -> absl::Status {
      const SparseIndices indices(c.input(0));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> start, SizesInput(c, 3));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> size, SizesInput(c, 4));
      SF_RETURN_IF_ERROR(indices.Check(shape));
      const int64_t rank = indices.rank();
      const auto inside = [&](int64_t k) {
        for (int64_t d = 0; d < rank; ++d) {
          if (indices.at(k, d) < start[d] || indices.at(k, d) - start[d] >= size[d]) return false;
        }
        return true;
      };
      int64_t count = 0;
      for (int64_t k = 0; k < indices.count(); ++k) count += inside(k) ? 1 : 0;
      SF_RETURN_IF_ERROR(c.AllocateOutput(0, {count, rank}));
      SF_RETURN_IF_ERROR(c.AllocateOutput(1, {count}));
      if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rank}));
      int64_t *to = c.out<int64_t>(0), *whole = c.out<int64_t>(2);
      T* value = c.out<T>(1);
      for (int64_t k = 0; k < indices.count(); ++k) {
        if (!inside(k)) continue;
        for (int64_t d = 0; d < rank; ++d) *to++ = indices.at(k, d) - start[d];
        *value++ = c.in<T>(1)[k];
      }
      for (int64_t d = 0; d < rank; ++d) {
        whole[d] = start[d] < shape[d] ? std::min(size[d], shape[d] - start[d]) : 0;
      }
      return absl::OkStatus();
    };
  });
}
void SliceGradient(GradientContext& c) {
  c.set_dx(1, NodeBuilder("SparseSliceGrad", {c.dy(1), c.x(0), c.x(3), c.y(0)}).Build());
}
const OpRegistrar slice({.name = "SparseSlice",
                         .inputs = {"indices: int64", "values: T", "shape: int64", "start: int64", "size: int64"},
                         .outputs = {"output_indices: int64", "output_values: T", "output_shape: int64"},
                         .attrs = {"T: type"},
                         .shape = SliceShape,
                         .gradient = SliceGradient,
                         .kernel = SliceKernel,
                         .doc = "The part of a sparse tensor in a box."});

absl::Status SliceGradShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(1, 2));
  SF_ASSIGN_OR_RETURN(const Shape start, c.WithRank(2, 1));
  SF_ASSIGN_OR_RETURN(const Shape sliced, c.WithRank(3, 2));
  SF_ASSIGN_OR_RETURN(const int64_t rank, c.MergeDims(indices.dim(1), sliced.dim(1), "dimensions"));
  SF_RETURN_IF_ERROR(c.MergeDims(rank, start.dim(0), "dimensions").status());
  SF_RETURN_IF_ERROR(c.MergeDims(c.input(0).has_rank() ? c.input(0).dim(0) : -1, sliced.dim(0), "entries").status());
  c.set_output(0, {indices.dim(0)});
  return absl::OkStatus();
}
// The entries of the slice lie among those of the whole in the same order.
absl::StatusOr<Kernel> SliceGradKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const SparseIndices whole(c.input(1)), slice(c.input(3));
      const auto same = [&](int64_t k, int64_t j) {
        for (int64_t d = 0; d < whole.rank(); ++d) {
          if (whole.at(k, d) != slice.at(j, d) + c.in<int64_t>(2)[d]) return false;
        }
        return true;
      };
      int64_t j = 0;
      for (int64_t k = 0; k < whole.count(); ++k) {
        const bool found = j < slice.count() && same(k, j);
        c.out<T>(0)[k] = found ? c.in<T>(0)[j] : T();
        j += found ? 1 : 0;
      }
      if (j == slice.count()) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat("entry ", j, " of the slice is none of the whole"));
    };
  });
}
const OpRegistrar slice_grad({.name = "SparseSliceGrad",
                              .inputs = {"backprop_val_grad: T", "input_indices: int64", "input_start: int64",
                                         "output_indices: int64"},
                              .outputs = {"val_grad: T"},
                              .attrs = {kNumberT},
                              .shape = SliceGradShape,
                              .gradient = kGradientIsError,
                              .kernel = SliceGradKernel,
                              .doc = "The gradient of SparseSlice by the values."});

SparseParts PartsOf(Node* node, Output shape) {
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = shape.valid() ? shape : node->output(2)};
}

}  // namespace

SparseParts SparseReorder(const SparseParts& a, const OpOptions& options) {
  return PartsOf(NodeBuilder("SparseReorder", {a.indices, a.values, a.shape}).Name(options.name).BuildNode(), a.shape);
}
SparseParts SparseReshape(const SparseParts& a, const Ints& new_shape, const OpOptions& options) {
  const NodeName name(a.indices, options.name, "SparseReshape");
  if (!name) return {};
  Node* node = NodeBuilder("SparseReshape", {a.indices, a.shape, name.Vector(new_shape, "new_shape", DT_INT64)})
                   .Name(name.exact())
                   .BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = a.values, .shape = node->output(1)};
}
SparseParts SparseConcat(absl::Span<const SparseParts> parts, int64_t concat_dim, const OpOptions& options) {
  std::vector<Output> indices, values, shapes;
  for (const SparseParts& part : parts) {
    indices.push_back(part.indices);
    values.push_back(part.values);
    shapes.push_back(part.shape);
  }
  return PartsOf(NodeBuilder("SparseConcat", {})
                     .Inputs(indices)
                     .Inputs(values)
                     .Inputs(shapes)
                     .Attr("concat_dim", concat_dim)
                     .Name(options.name)
                     .BuildNode(),
                 Output());
}
SparseParts SparseSlice(const SparseParts& a, const Ints& start, const Ints& size, const OpOptions& options) {
  const NodeName name(a.indices, options.name, "SparseSlice");
  if (!name) return {};
  return PartsOf(NodeBuilder("SparseSlice", {a.indices, a.values, a.shape, name.Vector(start, "start", DT_INT64),
                                             name.Vector(size, "size", DT_INT64)})
                     .Name(name.exact())
                     .BuildNode(),
                 Output());
}
}  // namespace staticflow
