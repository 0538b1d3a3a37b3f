// Select, SelectV2, Where.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/strided_copy.h"
#include "runtime/loop.h"

namespace staticflow {
namespace {

// Select: t where condition, else e. The condition has their shape, or is a scalar, or a vector that chooses rows.
absl::Status SelectShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape value, c.input(1).MergeWith(c.input(2)));
  const Shape& condition = c.input(0);
  if (condition.has_rank() && value.has_rank() && condition.rank() != 0) {
    const bool rows = condition.rank() == 1 && value.rank() > 1;
    if (rows ? !condition.IsCompatibleWith({value.dim(0)}) : !condition.IsCompatibleWith(value)) {
      return absl::InvalidArgumentError(absl::StrCat("condition has shape ", condition.ToString(),
                                                     ", which does not fit values of shape ", value.ToString()));
    }
    if (!rows) {
      SF_ASSIGN_OR_RETURN(value, value.MergeWith(condition));
    }
  }
  c.set_output(0, std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SelectKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const bool* condition = c.in<bool>(0);
      const T *t = c.in<T>(1), *e = c.in<T>(2);
      T* out = c.out<T>(0);
      const auto [begin, end] = FlatRows(c);
      const int64_t n = c.output(0).num_elements, choices = c.input(0).num_elements;
      const int64_t row = choices == n || choices == 0 ? 1 : n / choices;
      if (row == 1) {
        for (int64_t i = begin; i < end; ++i) out[i] = condition[i] ? t[i] : e[i];
        return absl::OkStatus();
      }
      for (int64_t i = begin; i < end;) {
        const int64_t stop = std::min(end, (i / row + 1) * row);
        std::copy((condition[i / row] ? t : e) + i, (condition[i / row] ? t : e) + stop, out + i);
        i = stop;
      }
      return absl::OkStatus();
    };
  });
}

void SelectGradient(GradientContext& c) {
  const Output zeros = ZerosLike(c.x(1));
  c.set_dx(1, Select(c.x(0), c.dy(0), zeros));
  c.set_dx(2, Select(c.x(0), zeros, c.dy(0)));
}

bool SelectLoop(LoopContext& c) {
  const bool chooses_rows = c.input_shape(0).rank() == 1 && c.input_shape(1).rank() > 1;
  return !chooses_rows && LaneLoop<LaneOp::kSelect>(c);
}

// A condition that is known, the mode of a layer, say, chooses all of one side: that side alone counts.
bool ChosenBatch(BatchContext& c) {
  const Tensor* condition = c.value(0);
  if (condition == nullptr || condition->dtype() != DT_BOOL || condition->num_elements() != 1) return false;
  const int chosen = *static_cast<const bool*>(condition->raw()) ? 1 : 2;
  const bool known = c.input_shape(1).has_rank() && c.input_shape(2).has_rank();
  const int rank = known ? std::max(c.input_shape(1).rank(), c.input_shape(2).rank()) : c.output_shape(0).rank();
  const std::optional<BatchRows> rows = c.AgreeingBroadcast({chosen}, rank);
  if (rows.has_value()) c.set_all(*rows);
  return true;
}
void SelectBatch(BatchContext& c) {
  if (!ChosenBatch(c)) SameDimensionsBatch(c);
}

const OpRegistrar select({.name = "Select",
                          .inputs = {"condition: bool", "t: T", "e: T"},
                          .outputs = {"output: T"},
                          .attrs = {"T: type"},
                          .shape = SelectShape,
                          .gradient = SelectGradient,
                          .kernel = SelectKernel,
                          .iteration = {.split = Split::kRows},
                          .loop = SelectLoop,
                          .batch = SelectBatch,
                          .doc = "Elements of t where the condition holds, of e elsewhere."});

// SelectV2: the same with broadcasting.
absl::Status SelectV2Shape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape values, BroadcastShapes(c.input(1), c.input(2)));
  SF_ASSIGN_OR_RETURN(Shape out, BroadcastShapes(c.input(0), values));
  c.set_output(0, std::move(out));
  return absl::OkStatus();
}

// Where each of `out`'s elements is in an operand of shape `in`. Dimensions stay apart, so that views of several
// operands walk in step.
StridedView BroadcastView(const Shape& in, const Shape& out) {
  const Sizes strides = RowMajorStrides(in);
  StridedView view;
  for (int i = 0; i < out.rank(); ++i) {
    const int own = i - (out.rank() - in.rank());
    view.Add(out.dim(i), own < 0 || in.dim(own) == 1 ? 0 : strides[own]);
  }
  return view;
}

// Copies t everywhere, then e where the condition says so: three views of different strides meet by element number.
absl::StatusOr<Kernel> SelectV2Kernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) {
      const Shape& shape = *c.output(0).shape;
      const IndexRange range = c.range();
      const StridedView condition = BroadcastView(*c.input(0).shape, shape);
      const StridedView e = BroadcastView(*c.input(2).shape, shape);
      CopyFromView(BroadcastView(*c.input(1).shape, shape), c.in<T>(1), c.out<T>(0), range);
      const int64_t c_stride = condition.strides.empty() ? 0 : condition.strides.back();
      const int64_t e_stride = e.strides.empty() ? 0 : e.strides.back();
      ForEachRun(condition, range, [&](int64_t flat, int64_t position, int64_t count) {
        const bool* choose = c.in<bool>(0) + position;
        ForEachRun(e, {flat, flat + count}, [&](int64_t i, int64_t from, int64_t n) {
          for (int64_t k = 0; k < n; ++k) {
            if (!choose[(i - flat + k) * c_stride]) c.out<T>(0)[i + k] = c.in<T>(2)[from + k * e_stride];
          }
        });
      });
      return absl::OkStatus();
    };
  });
}

void SelectV2Gradient(GradientContext& c) {
  const Output zeros = ZerosLike(c.dy(0));
  c.set_dx(1, SumToShapeOf(Where(c.x(0), c.dy(0), zeros), c.x(1), c.y(0)));
  c.set_dx(2, SumToShapeOf(Where(c.x(0), zeros, c.dy(0)), c.x(2), c.y(0)));
}

void SelectV2Batch(BatchContext& c) {
  if (!ChosenBatch(c)) ElementwiseBatch(c);
}

const OpRegistrar select_v2({.name = "SelectV2",
                             .inputs = {"condition: bool", "t: T", "e: T"},
                             .outputs = {"output: T"},
                             .attrs = {"T: type"},
                             .shape = SelectV2Shape,
                             .gradient = SelectV2Gradient,
                             .kernel = SelectV2Kernel,
                             .traits = kElementwise,
                             .iteration = {.split = Split::kFlat},
                             .loop = LaneLoop<LaneOp::kSelect>,
                             .batch = SelectV2Batch,
                             .doc = "Elements of t where the condition holds, of e elsewhere, all broadcast."});

// Where: the indices of the nonzero elements.
absl::Status WhereShape(ShapeContext& c) {
  const Shape& in = c.input(0);
  c.set_output(0, {Shape::kUnknownDim, in.has_rank() ? in.rank() : Shape::kUnknownDim});
  return absl::OkStatus();
}

template <typename T>
absl::Status WhereNonzero(KernelContext& c) {
  const Shape& shape = *c.input(0).shape;
  const T* x = c.in<T>(0);
  const int64_t n = c.input(0).num_elements;
  const int rank = shape.rank();
  if (rank == 0) return absl::InvalidArgumentError("input is a scalar, which has no indices");
  const auto nonzero = [](const T& v) { return !(v == T()); };
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {static_cast<int64_t>(std::count_if(x, x + n, nonzero)), rank}));
  int64_t* out = c.out<int64_t>(0);
  for (int64_t i = 0; i < n; ++i) {
    if (!nonzero(x[i])) continue;
    for (int64_t d = rank - 1, rest = i; d >= 0; rest /= shape.dim(d), --d) out[d] = rest % shape.dim(d);
    out += rank;
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> WhereKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<bool, float, double, int32_t, int64_t, int8_t, int16_t, uint8_t, uint16_t, uint32_t, uint64_t, Half,
               BFloat16>(setup.input_dtype(0), [&]<typename T>() { kernel = WhereNonzero<T>; });
  return kernel;
}

const OpRegistrar where(
    {.name = "Where",
     .inputs = {"input: T"},
     .outputs = {"index: int64"},
     .attrs = {"T: {float, double, int32, uint8, int16, int8, int64, bfloat16, uint16, half, uint32, uint64, bool} = "
               "bool"},
     .shape = WhereShape,
     .gradient = kNotDifferentiable,
     .kernel = WhereKernel,
     .batch = MixBatch,
     .doc = "The indices of the nonzero elements, in row-major order."});

}  // namespace

Output Select(Operand condition, Operand t, Operand e, const OpOptions& options) {
  return NodeBuilder("Select", {condition, t, e}).Name(options.name).Build();
}

Output Where(Operand condition, Operand t, Operand e, const OpOptions& options) {
  return NodeBuilder("SelectV2", {condition, t, e}).Name(options.name).Build();
}

Output WhereIndices(Operand input, const OpOptions& options) {
  return NodeBuilder("Where", {input}).Name(options.name).Build();
}

}  // namespace staticflow
