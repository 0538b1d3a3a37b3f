// BatchMatMul, BatchMatMulV2 and BatchMatMulV3: products of stacks of matrices.
#include <algorithm>
#include <type_traits>

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/linalg_matrices.h"
#include "ops/math_binary.h"
#include "ops/matmul.h"
#include "runtime/gemm.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// BatchMatMul(V2): z[..., :, :] = op(x[..., :, :]) op(y[..., :, :]).   With neither transposed: dx = dz y^T,
// dy = x^T dz, summed over the dimensions that V2 broadcast.
absl::Status BatchMatMulShape(ShapeContext& c, bool broadcast) {
  SF_ASSIGN_OR_RETURN(const Shape x, c.WithRankAtLeast(0, 2));
  SF_ASSIGN_OR_RETURN(const Shape y, c.WithRankAtLeast(1, 2));
  if (!x.has_rank() || !y.has_rank()) {
    // Without broadcasting both have the rank that one has.
    const int rank = broadcast ? Shape::kUnknownRank : std::max(x.rank(), y.rank());
    c.set_output(0, rank < 0 ? Shape::Unknown() : Shape::UnknownOfRank(rank));
    return absl::OkStatus();
  }
  const bool adj_x = c.attr<bool>("adj_x");
  const bool adj_y = c.attr<bool>("adj_y");
  SF_RETURN_IF_ERROR(
      c.MergeDims(x.dim(adj_x ? -2 : -1), y.dim(adj_y ? -1 : -2), "inner dimensions of x and y").status());
  const Shape x_batch = x.Slice(0, x.rank() - 2);
  const Shape y_batch = y.Slice(0, y.rank() - 2);
  SF_ASSIGN_OR_RETURN(Shape output, broadcast ? BroadcastShapes(x_batch, y_batch) : x_batch.MergeWith(y_batch));
  output.push_back(x.dim(adj_x ? -1 : -2));
  output.push_back(y.dim(adj_y ? -2 : -1));
  c.set_output(0, std::move(output));
  return absl::OkStatus();
}
absl::Status EqualBatchShape(ShapeContext& c) { return BatchMatMulShape(c, false); }
absl::Status BroadcastBatchShape(ShapeContext& c) { return BatchMatMulShape(c, true); }

// An operand whose type is not T takes memory for a copy, whole cache lines.
int64_t RoundedBytes(int64_t bytes) { return AddSizes(bytes, 63) / 64 * 64; }
template <typename T>
int64_t WidenedBytes(const TensorView& operand) {
  return operand.dtype == kDataTypeOf<T> ? 0 : RoundedBytes(MultiplySizes(operand.num_elements, sizeof(T)));
}
template <typename T>
const T* AsType(const TensorView& operand, char* copy) {
  if (operand.dtype == kDataTypeOf<T>) return operand.as<T>();
  T* to = reinterpret_cast<T*>(copy);
  if constexpr (std::is_same_v<T, int32_t> || std::is_same_v<T, BFloat16>) {
    DispatchType<int8_t, uint8_t>(operand.dtype, [&]<typename S>() {
      for (int64_t i = 0; i < operand.num_elements; ++i) {
        if constexpr (std::is_same_v<T, int32_t>) to[i] = operand.as<S>()[i];
        if constexpr (std::is_same_v<T, BFloat16>) to[i] = BFloat16(static_cast<float>(operand.as<S>()[i]));
      }
    });
  }
  return to;
}

// Computes the rows [begin, end) of dimension 0 of the output: rows of the only matrix, or whole matrices.
// Operands of another type than T become T first.
template <typename T>
absl::Status MultiplyMatrices(KernelContext& c, bool adj_x, bool adj_y) {
  const Shape& x = *c.input(0).shape;
  const Shape& y = *c.input(1).shape;
  const Shape& z = *c.output(0).shape;
  const IndexRange range = c.range();
  GemmShape s = ContiguousGemm(z.dim(-2), z.dim(-1), x.dim(adj_x ? -2 : -1), adj_x, adj_y);
  if (z.num_elements() == 0) return absl::OkStatus();
  const bool single = z.rank() == 2;
  if (single) s.m = range.end - range.begin;
  const int64_t first_row = single ? range.begin : 0;
  const int64_t per_row = single ? 1 : z.num_elements(1, z.rank() - 2);
  const int64_t begin = single ? 0 : range.begin * per_row;
  const int64_t end = single ? 1 : range.end * per_row;
  const int64_t gemm_bytes = RoundedBytes(GemmScratchBytes<T>(s));
  const int64_t x_bytes = WidenedBytes<T>(c.input(0)), y_bytes = WidenedBytes<T>(c.input(1));
  SF_ASSIGN_OR_RETURN(char* scratch, c.Scratch<char>(AddSizes(gemm_bytes, AddSizes(x_bytes, y_bytes))));
  const T* xs = AsType<T>(c.input(0), scratch + gemm_bytes);
  const T* ys = AsType<T>(c.input(1), scratch + gemm_bytes + x_bytes);
  for (int64_t i = begin; i < end; ++i) {
    const T* a = xs + MatrixOffset(x, z, i) + first_row * (adj_x ? 1 : s.lda);
    const T* b = ys + MatrixOffset(y, z, i);
    Gemm(s, a, b, c.out<T>(0) + i * z.dim(-2) * s.ldc + first_row * s.ldc, scratch);
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> BatchMatMulKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool adj_x = setup.attr<bool>("adj_x");
  const bool adj_y = setup.attr<bool>("adj_y");
  DispatchType<float, double, Half, BFloat16, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(0),
      [&]<typename T>() { kernel = [=](KernelContext& c) { return MultiplyMatrices<T>(c, adj_x, adj_y); }; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// BatchMatMulV3 has a type for each operand and for the result: all the same, or 8-bit integers whose product is int32,
// or one of them and bfloat16.
absl::StatusOr<Kernel> MixedMatMulKernel(const KernelSetup& setup) {
  const DataType x = setup.input_dtype(0), y = setup.input_dtype(1), z = setup.output_dtype(0);
  const auto is_byte = [](DataType type) { return type == DT_INT8 || type == DT_UINT8; };
  const bool bytes = is_byte(x) && is_byte(y) && z == DT_INT32;
  const bool mixed = z == DT_BFLOAT16 && ((is_byte(x) && y == DT_BFLOAT16) || (x == DT_BFLOAT16 && is_byte(y)));
  if (!bytes && !mixed && (x != y || x != z)) return NoKernelFor(setup, x);
  Kernel kernel;
  const bool adj_x = setup.attr<bool>("adj_x"), adj_y = setup.attr<bool>("adj_y");
  DispatchType<float, double, BFloat16, int16_t, int32_t, int64_t>(
      z, [&]<typename T>() { kernel = [=](KernelContext& c) { return MultiplyMatrices<T>(c, adj_x, adj_y); }; });
  if (!kernel) return NoKernelFor(setup, z);
  return kernel;
}

void BatchMatMulGradient(GradientContext& c) {
  const bool adj_x = c.attr<bool>("adj_x");
  const bool adj_y = c.attr<bool>("adj_y");
  const Output x = c.x(0), y = c.x(1), dz = c.dy(0);
  const Output dx = adj_x ? BatchMatMul(y, dz, {.adj_x = adj_y, .adj_y = true}) : BatchMatMul(dz, y, {.adj_y = !adj_y});
  const Output dy = adj_y ? BatchMatMul(dz, x, {.adj_x = true, .adj_y = adj_x}) : BatchMatMul(x, dz, {.adj_x = !adj_x});
  c.set_dx(0, SumToShapeOf(dx, x));
  c.set_dx(1, SumToShapeOf(dy, y));
}

OpSpec BatchMatMulOp(std::string name, std::string types, ShapeFunction shape, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"x: T", "y: T"},
          .outputs = {"output: T"},
          .attrs = {std::move(types), "adj_x: bool = false", "adj_y: bool = false", "grad_x: bool = false",
                    "grad_y: bool = false"},
          .shape = shape,
          .gradient = BatchMatMulGradient,
          .kernel = BatchMatMulKernel,
          .iteration = {.split = Split::kRows},
          .batch = BatchMatMulBatch,
          .doc = std::move(doc)};
}

const OpRegistrar batch_mat_mul(BatchMatMulOp("BatchMatMul", "T: {bfloat16, half, float, double, int32, int64}",
                                              EqualBatchShape, "Products of the matrices in two equal stacks."));
const OpRegistrar batch_mat_mul_v2(BatchMatMulOp(
    "BatchMatMulV2", "T: {bfloat16, half, float, double, int16, int32, int64, uint8, uint16, uint32, uint64}",
    BroadcastBatchShape, "Products of the matrices in two stacks whose leading dimensions broadcast."));

void MixedMatMulGradient(GradientContext& c) {
  if (c.x(0).dtype() != c.x(1).dtype()) return c.Fail("no gradient for operands of two types");
  BatchMatMulGradient(c);
}
OpSpec MixedMatMulOp() {
  constexpr char kTypes[] = "{bfloat16, float, double, uint8, int8, int16, int32, int64}";
  OpSpec spec = BatchMatMulOp("BatchMatMulV3", absl::StrCat("Ta: ", kTypes), BroadcastBatchShape,
                              "Products of the matrices in two stacks, whose types may differ.");
  spec.attrs.insert(spec.attrs.begin() + 1,
                    {absl::StrCat("Tb: ", kTypes), "Tout: {bfloat16, float, double, int16, int32, int64}"});
  spec.inputs = {"x: Ta", "y: Tb"};
  spec.outputs = {"output: Tout"};
  spec.gradient = MixedMatMulGradient;
  spec.kernel = MixedMatMulKernel;
  return spec;
}
const OpRegistrar batch_mat_mul_v3(MixedMatMulOp());

}  // namespace

Output BatchMatMul(Operand x, Operand y, const BatchMatMulOptions& options) {
  return NodeBuilder("BatchMatMulV2", {x, y})
      .Attr("adj_x", options.adj_x)
      .Attr("adj_y", options.adj_y)
      .Name(options.name, "MatMul")
      .Build();
}

}  // namespace staticflow
