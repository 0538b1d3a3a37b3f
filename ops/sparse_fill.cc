// SparseFillEmptyRows and its gradient. Contract: ops/sparse.h.
#include <algorithm>

#include "graph/gradients.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// SparseFillEmptyRows: (indices, values, which rows were empty, where each entry went).
absl::Status FillShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
  SF_RETURN_IF_ERROR(c.WithRank(3, 0).status());
  if (sizes.rank == 0) return absl::InvalidArgumentError("a scalar has no rows");
  SF_ASSIGN_OR_RETURN(const Shape shape, DimsFromInput(c, 2));
  c.set_output(0, {Shape::kUnknownDim, sizes.rank});
  c.set_output(1, {Shape::kUnknownDim});
  c.set_output(2, {shape.dim(0)});
  c.set_output(3, {sizes.entries});
  return absl::OkStatus();
}
absl::StatusOr<Kernel> FillKernel(const KernelSetup& setup) {
  const bool allocate = !setup.output_shape(2).IsFullyDefined();
  return StorageKernel(setup.output_dtype(1), [allocate]<typename T>() -> Kernel {
    return [allocate](KernelContext& c) -> absl::Status {
      const SparseIndices indices(c.input(0));
      SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
      SF_RETURN_IF_ERROR(indices.Check(shape));
      const int64_t rows = shape[0], rank = indices.rank();
      if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rows}));
      // begin[r]: where the entries of row r start, then where the next one goes.
      SF_ASSIGN_OR_RETURN(int64_t * begin, c.Scratch<int64_t>(AddSizes(rows, 1)));
      std::fill_n(begin, rows + 1, int64_t{0});
      for (int64_t k = 0; k < indices.count(); ++k) ++begin[indices.at(k, 0) + 1];
      for (int64_t r = 0; r < rows; ++r) {
        c.out<bool>(2)[r] = begin[r + 1] == 0;
        begin[r + 1] = begin[r] + std::max<int64_t>(begin[r + 1], 1);
      }
      const int64_t count = begin[rows];
      SF_RETURN_IF_ERROR(c.AllocateOutput(0, {count, rank}));
      SF_RETURN_IF_ERROR(c.AllocateOutput(1, {count}));
      int64_t* index = c.out<int64_t>(0);
      for (int64_t r = 0; r < rows; ++r) {
        if (!c.out<bool>(2)[r]) continue;
        std::fill_n(index + begin[r] * rank, rank, int64_t{0});
        index[begin[r] * rank] = r;
        c.out<T>(1)[begin[r]] = c.scalar<T>(3);
      }
      for (int64_t k = 0; k < indices.count(); ++k) {
        const int64_t at = begin[indices.at(k, 0)]++;
        indices.Copy(k, index + at * rank);
        c.out<T>(1)[at] = c.in<T>(1)[k];
        c.out<int64_t>(3)[k] = at;
      }
      return absl::OkStatus();
    };
  });
}
void FillGradient(GradientContext& c) {
  Node* node = NodeBuilder("SparseFillEmptyRowsGrad", {c.y(3), c.dy(1)}).BuildNode();
  if (node == nullptr) return;
  c.set_dx(1, node->output(0));
  c.set_dx(3, node->output(1));
}
const OpRegistrar fill({.name = "SparseFillEmptyRows",
                        .inputs = {"indices: int64", "values: T", "dense_shape: int64", "default_value: T"},
                        .outputs = {"output_indices: int64", "output_values: T", "empty_row_indicator: bool",
                                    "reverse_index_map: int64"},
                        .attrs = {"T: type"},
                        .shape = FillShape,
                        .gradient = FillGradient,
                        .kernel = FillKernel,
                        .doc = "A sparse tensor with an entry in each row that had none."});

absl::Status FillGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape map, c.WithRank(0, 1));
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  c.set_output(0, std::move(map));
  c.set_output(1, Shape());
  return absl::OkStatus();
}
absl::StatusOr<Kernel> FillGradKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.output_dtype(0), [&]<typename T>() {
        kernel = [](KernelContext& c) -> absl::Status {
          const int64_t n = c.input(0).num_elements, filled = c.input(1).num_elements;
          SF_ASSIGN_OR_RETURN(uint8_t * visited, c.Scratch<uint8_t>(filled));
          std::fill_n(visited, filled, uint8_t{0});
          for (int64_t k = 0; k < n; ++k) {
            const int64_t at = c.in<int64_t>(0)[k];
            if (at < 0 || at >= filled) {
              return absl::InvalidArgumentError(absl::StrCat("entry ", k, " went to ", at, " of ", filled));
            }
            c.out<T>(0)[k] = c.in<T>(1)[at];
            visited[at] = 1;
          }
          ComputeType<T> rest(0);
          for (int64_t i = 0; i < filled; ++i) {
            if (!visited[i]) rest = WrapAdd<ComputeType<T>>(rest, Widen(c.in<T>(1)[i]));
          }
          *c.out<T>(1) = T(rest);
          return absl::OkStatus();
        };
      });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar fill_grad({.name = "SparseFillEmptyRowsGrad",
                             .inputs = {"reverse_index_map: int64", "grad_values: T"},
                             .outputs = {"d_values: T", "d_default_value: T"},
                             .attrs = {kNumberT},
                             .shape = FillGradShape,
                             .gradient = kGradientIsError,
                             .kernel = FillGradKernel,
                             .doc = "The gradient of SparseFillEmptyRows by the values and the default."});

}  // namespace

SparseFillEmptyRowsResult SparseFillEmptyRows(const SparseParts& a, Operand default_value, const OpOptions& options) {
  Node* node =
      NodeBuilder("SparseFillEmptyRows", {a.indices, a.values, a.shape, default_value}).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.filled = {.indices = node->output(0), .values = node->output(1), .shape = a.shape},
          .is_empty = node->output(2)};
}

}  // namespace staticflow
