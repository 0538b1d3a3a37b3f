// ReverseV2, Reverse, ReverseSequence, Roll.
#include "absl/strings/str_cat.h"
#include "ops/array_layout.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"
#include "ops/strided_copy.h"

namespace staticflow {
namespace {

// ReverseV2: dimensions back to front.   dx = the same of dy.
absl::Status ReverseShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, c.Integers(1));
  if (axes && c.input(0).has_rank()) {
    for (int64_t axis : *axes) SF_RETURN_IF_ERROR(NormalizeAxis(axis, c.input(0).rank()).status());
  }
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}

// Which dimensions input 1 reverses.
absl::StatusOr<absl::InlinedVector<bool, 8>> Reversed(const KernelContext& c) {
  const int rank = c.input(0).rank();
  absl::InlinedVector<bool, 8> reversed(rank, false);
  if (c.input(1).dtype == DT_BOOL) {
    std::copy_n(c.in<bool>(1), rank, reversed.begin());
    return reversed;
  }
  for (int64_t axis : Integers(c.input(1))) {
    SF_ASSIGN_OR_RETURN(const int i, NormalizeAxis(axis, rank));
    if (reversed[i]) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " is named twice"));
    reversed[i] = true;
  }
  return reversed;
}

absl::StatusOr<Kernel> ReverseKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const Shape& shape = *c.input(0).shape;
      SF_ASSIGN_OR_RETURN(const auto reversed, Reversed(c));
      const Sizes strides = RowMajorStrides(shape);
      StridedView view;
      for (int i = 0; i < shape.rank(); ++i) {
        view.Add(shape.dim(i), reversed[i] ? -strides[i] : strides[i]);
        if (reversed[i]) view.offset += (shape.dim(i) - 1) * strides[i];
      }
      CopyFromView(view, c.in<T>(0), c.out<T>(0), FlatRows(c));
      return absl::OkStatus();
    };
  });
}

// What has one element is the same from both ends.
int SimplifyReverse(const ShapeContext& c) {
  const absl::StatusOr<std::optional<std::vector<int64_t>>> axes = c.Integers(1);
  if (!axes.ok() || !axes->has_value() || !c.input(0).has_rank()) return -1;
  for (int64_t axis : **axes) {
    const absl::StatusOr<int> i = NormalizeAxis(axis, c.input(0).rank());
    if (!i.ok() || c.input(0).dim(*i) != 1) return -1;
  }
  return 0;
}

void ReverseGradient(GradientContext& c) { c.set_dx(0, Reverse(c.dy(0), c.x(1))); }

const OpRegistrar reverse_v2({.name = "ReverseV2",
                              .inputs = {"tensor: T", "axis: Tidx"},
                              .outputs = {"output: T"},
                              .attrs = {"Tidx: indextype = int32", "T: type"},
                              .shape = ReverseShape,
                              .gradient = ReverseGradient,
                              .kernel = ReverseKernel,
                              .iteration = {.split = Split::kRows},
                              .simplify = SimplifyReverse,
                              .batch = ReverseBatch,
                              .doc = "Dimensions back to front."});

// Reverse, the first version: a bool for each dimension.
absl::Status FirstReverseShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape dims, c.WithRank(1, 1));
  const Shape& tensor = c.input(0);
  const int64_t rank = tensor.has_rank() ? tensor.rank() : Shape::kUnknownDim;
  SF_RETURN_IF_ERROR(c.MergeDims(dims.dim(0), rank, "elements of dims and dimensions").status());
  if (rank > Shape::kMaxKernelRank) return absl::InvalidArgumentError(absl::StrCat("the tensor has rank ", rank));
  c.set_output(0, tensor);
  return absl::OkStatus();
}
void FirstReverseGradient(GradientContext& c) { c.set_dx(0, NodeBuilder("Reverse", {c.dy(0), c.x(1)}).Build()); }
void FirstReverseBatch(BatchContext& c) {
  const Tensor* dims = c.value(1);
  if (!c.input(0).is_rows() || dims == nullptr)
    return dims == nullptr ? c.Unknown("its dims are not constant") : c.SetWorst();
  const int axis = c.input(0).axis;
  if (axis >= dims->num_elements() || dims->data<bool>()[axis]) return c.Mix("along the examples");
  c.set_output(0, c.input(0));
}
const OpRegistrar reverse({.name = "Reverse",
                           .inputs = {"tensor: T", "dims: bool"},
                           .outputs = {"output: T"},
                           .attrs = {"T: type"},
                           .shape = FirstReverseShape,
                           .gradient = FirstReverseGradient,
                           .kernel = ReverseKernel,
                           .iteration = {.split = Split::kRows},
                           .batch = FirstReverseBatch,
                           .doc = "Reverses the dimensions that a bool each names."});

// ReverseSequence: the first seq_lengths[b] elements of the sequence dimension back to front.
absl::Status ReverseSequenceShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape lengths, c.WithRank(1, 1));
  Shape shape = c.input(0);
  const int64_t seq = c.attr<int64_t>("seq_dim"), batch = c.attr<int64_t>("batch_dim");
  if (shape.has_rank()) {
    if (seq < 0 || batch < 0 || seq >= shape.rank() || batch >= shape.rank() || seq == batch) {
      return absl::InvalidArgumentError(
          absl::StrCat("seq_dim ", seq, " and batch_dim ", batch, " do not fit input of shape ", shape.ToString()));
    }
    const int b = static_cast<int>(batch);
    SF_ASSIGN_OR_RETURN(const int64_t size, c.MergeDims(shape.dim(b), lengths.dim(0), "batch size and seq_lengths"));
    shape.set_dim(b, size);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ReverseSequenceKernel(const KernelSetup& setup) {
  const int64_t seq_dim = setup.attr<int64_t>("seq_dim"), batch_dim = setup.attr<int64_t>("batch_dim");
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [seq = static_cast<int>(seq_dim), batch = static_cast<int>(batch_dim)](KernelContext& c) -> absl::Status {
      const Shape& shape = *c.input(0).shape;
      const Sizes strides = RowMajorStrides(shape), lengths = Integers(c.input(1));
      for (int64_t length : lengths) {
        if (length < 0 || length > shape.dim(seq)) {
          return absl::InvalidArgumentError(
              absl::StrCat("sequence length ", length, " is out of range [0, ", shape.dim(seq), "]"));
        }
      }
      const int64_t inner = shape.num_elements(std::max(seq, batch) + 1, shape.rank());
      for (int64_t flat = 0, n = c.input(0).num_elements; flat < n; flat += inner) {
        const int64_t s = flat / strides[seq] % shape.dim(seq), b = flat / strides[batch] % shape.dim(batch);
        const int64_t from = s < lengths[b] ? lengths[b] - 1 - s : s;
        std::copy_n(c.in<T>(0) + flat + (from - s) * strides[seq], inner, c.out<T>(0) + flat);
      }
      return absl::OkStatus();
    };
  });
}

void ReverseSequenceGradient(GradientContext& c) {
  c.set_dx(0, ReverseSequence(c.dy(0), c.x(1),
                              {.seq_dim = c.attr<int64_t>("seq_dim"), .batch_dim = c.attr<int64_t>("batch_dim")}));
}

const OpRegistrar reverse_sequence({.name = "ReverseSequence",
                                    .inputs = {"input: T", "seq_lengths: Tlen"},
                                    .outputs = {"output: T"},
                                    .attrs = {"seq_dim: int", "batch_dim: int = 0", "T: type",
                                              "Tlen: indextype = int64"},
                                    .shape = ReverseSequenceShape,
                                    .gradient = ReverseSequenceGradient,
                                    .kernel = ReverseSequenceKernel,
                                    .batch = ReverseSequenceBatch,
                                    .doc = "The beginnings of sequences back to front."});

// Roll: elements move along dimensions, round the end.   dx = dy rolled back.
absl::Status RollShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRankAtLeast(0, 1).status());
  for (int i = 1; i < 3; ++i) {
    if (c.input(i).rank() > 1) return absl::InvalidArgumentError("shift and axis must be scalars or vectors");
  }
  SF_RETURN_IF_ERROR(Annotate(c.input(1).MergeWith(c.input(2)).status(), "shift and axis: "));
  SF_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> axes, c.Integers(2));
  if (axes && c.input(0).has_rank()) {
    for (int64_t axis : *axes) SF_RETURN_IF_ERROR(NormalizeAxis(axis, c.input(0).rank()).status());
  }
  c.set_output(0, c.input(0));
  return absl::OkStatus();
}

// Where index i of a dimension comes from after rolling by `shift` in [0, size).
int64_t Unrolled(int64_t i, int64_t shift, int64_t size) { return i >= shift ? i - shift : i - shift + size; }

absl::StatusOr<Kernel> RollKernel(const KernelSetup& setup) {
  return StorageKernel(setup.output_dtype(0), []<typename T>() -> Kernel {
    return [](KernelContext& c) -> absl::Status {
      const Shape& shape = *c.input(0).shape;
      const Sizes shifts = Integers(c.input(1)), axes = Integers(c.input(2)), strides = RowMajorStrides(shape);
      if (shifts.size() != axes.size()) return absl::InvalidArgumentError("shift and axis differ in length");
      if (c.input(0).num_elements == 0) return absl::OkStatus();
      Sizes shift(shape.rank(), 0), index(shape.rank(), 0);
      for (size_t k = 0; k < axes.size(); ++k) {
        SF_ASSIGN_OR_RETURN(const int d, NormalizeAxis(axes[k], shape.rank()));
        const int64_t size = shape.dim(d);
        shift[d] = (shift[d] + (shifts[k] % size + size)) % size;
      }
      const int last = shape.rank() - 1;
      const int64_t row = shape.dim(last), wrapped = shift[last];
      for (int64_t flat = 0, n = c.input(0).num_elements; flat < n; flat += row) {
        int64_t from = 0;
        for (int d = 0; d < last; ++d) from += Unrolled(index[d], shift[d], shape.dim(d)) * strides[d];
        const T* x = c.in<T>(0) + from;
        std::copy_n(x, row - wrapped, std::copy_n(x + row - wrapped, wrapped, c.out<T>(0) + flat));
        for (int d = last - 1; d >= 0 && ++index[d] == shape.dim(d); --d) index[d] = 0;
      }
      return absl::OkStatus();
    };
  });
}

void RollGradient(GradientContext& c) { c.set_dx(0, Roll(c.dy(0), Neg(c.x(1)), c.x(2))); }

const OpRegistrar roll({.name = "Roll",
                        .inputs = {"input: T", "shift: Tshift", "axis: Taxis"},
                        .outputs = {"output: T"},
                        .attrs = {"T: type", "Tshift: indextype", "Taxis: indextype"},
                        .shape = RollShape,
                        .gradient = RollGradient,
                        .kernel = RollKernel,
                        .batch = RollBatch,
                        .doc = "Moves elements along dimensions, round the end."});

}  // namespace

Output Reverse(Operand tensor, const Ints& axes, const OpOptions& options) {
  const NodeName node(tensor, options.name, "ReverseV2");
  if (!node) return Output();
  return NodeBuilder("ReverseV2", {tensor, node.Vector(axes, "axis")}).Name(node.exact()).Build();
}

Output ReverseSequence(Operand input, Operand seq_lengths, const ReverseSequenceOptions& options) {
  return NodeBuilder("ReverseSequence", {input, seq_lengths})
      .Attr("seq_dim", options.seq_dim)
      .Attr("batch_dim", options.batch_dim)
      .Name(options.name)
      .Build();
}

Output Roll(Operand input, const Ints& shift, const Ints& axes, const OpOptions& options) {
  const NodeName node(input, options.name, "Roll");
  if (!node) return Output();
  return NodeBuilder("Roll", {input, node.Vector(shift, "shift"), node.Vector(axes, "axis")})
      .Name(node.exact())
      .Build();
}

}  // namespace staticflow
