// MatrixDiagV2, -PartV2, -SetDiagV2 and their V3 forms: bands of diagonals packed into rows.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math.h"

namespace staticflow {
namespace {

// Diagonals low to high of rows x columns matrices. In the packed form row high - d holds diagonal d, at its left or
// right end when it is shorter than the longest.
struct Band {
  int64_t low = 0, high = 0, rows = 0, columns = 0;
  bool right_above = false, right_below = false;  // to which side diagonals above and below the main one go

  int64_t count() const { return high - low + 1; }
  int64_t Length(int64_t d) const {
    return std::min(rows + std::min<int64_t>(d, 0), columns - std::max<int64_t>(d, 0));
  }
  int64_t longest() const { return std::min(rows + std::min<int64_t>(high, 0), columns - std::max<int64_t>(low, 0)); }
  // Where the first element of diagonal d lies in its packed row.
  int64_t Offset(int64_t d) const {
    const bool right = d == 0 ? right_above && right_below : d > 0 ? right_above : right_below;
    return right ? longest() - Length(d) : 0;
  }
  // Calls f(position in the matrix, position in the packed form) for every element.
  template <typename F>
  void ForEach(F f) const {
    for (int64_t d = low; d <= high; ++d) {
      const int64_t packed = (high - d) * longest() + Offset(d);
      const int64_t first = std::max<int64_t>(-d, 0) * columns + std::max<int64_t>(d, 0);
      for (int64_t i = 0; i < Length(d); ++i) f(first + i * (columns + 1), packed + i);
    }
  }
};

// The sides that the attribute names; V2 packs to the left.
template <typename Source>
void SetSides(const Source& source, Band& band) {
  const bool has_align = source.node().op().FindAttr("align") != nullptr;
  const std::string align = has_align ? source.template attr<std::string>("align") : "LEFT_LEFT";
  band.right_above = absl::StartsWith(align, "RIGHT");
  band.right_below = absl::EndsWith(align, "RIGHT");
}

// The lowest and highest diagonal, from a scalar or two elements.
absl::Status SetDiagonals(absl::Span<const int64_t> k, Band& band) {
  if (k.empty() || k.size() > 2) return absl::InvalidArgumentError(absl::StrCat("k has ", k.size(), " elements"));
  band.low = k.front();
  band.high = k.back();
  if (band.low > band.high) {
    return absl::InvalidArgumentError(absl::StrCat("k is [", band.low, ", ", band.high, "], expected low <= high"));
  }
  return absl::OkStatus();
}
absl::Status CheckInside(const Band& band) {
  const auto inside = [&](int64_t d) { return d == 0 || (d > -band.rows && d < band.columns); };
  if (inside(band.low) && inside(band.high)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("diagonals ", band.low, " to ", band.high, " are not all in a ",
                                                 band.rows, " x ", band.columns, " matrix"));
}

// What is known of k; nullopt when nothing is.
absl::StatusOr<std::optional<Band>> KnownBand(const ShapeContext& c, int k_input) {
  if (c.input(k_input).rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("k has shape ", c.input(k_input).ToString(), ", expected a scalar or a vector"));
  }
  SF_ASSIGN_OR_RETURN(const auto k, c.Integers(k_input));
  if (!k.has_value()) return std::optional<Band>();
  Band band = {};
  SF_RETURN_IF_ERROR(SetDiagonals(*k, band));
  return std::optional<Band>(band);
}
absl::StatusOr<Band> BandOf(const KernelContext& c, int k_input, bool right_above, bool right_below) {
  Band band = {.right_above = right_above, .right_below = right_below};
  const Sizes k = Integers(c.input(k_input));
  SF_RETURN_IF_ERROR(SetDiagonals(k, band));
  return band;
}

// The packed form's shape: leading dimensions, the number of diagonals unless it is one, the longest's length.
Shape PackedShape(const Shape& leading, const Band& band) {
  Shape shape = leading;
  if (band.count() > 1) shape.push_back(band.count());
  shape.push_back(band.longest());
  return shape;
}
bool KnowsMatrix(const Shape& shape) { return shape.has_rank() && shape.dim(-1) >= 0 && shape.dim(-2) >= 0; }

// MatrixDiagPart: the packed diagonals.   dinput = zeros with dy on them.
absl::Status PartShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape input, c.WithRankAtLeast(0, 2));
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(std::optional<Band> band, KnownBand(c, 1));
  if (!band.has_value() || !input.has_rank()) return absl::OkStatus();
  const Shape leading = input.Slice(0, input.rank() - 2);
  if (!KnowsMatrix(input)) {
    c.set_output(0, leading.Concatenate(band->count() > 1 ? Shape({band->count(), -1}) : Shape({-1})));
    return absl::OkStatus();
  }
  band->rows = input.dim(-2);
  band->columns = input.dim(-1);
  SF_RETURN_IF_ERROR(CheckInside(*band));
  c.set_output(0, PackedShape(leading, *band));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> PartKernel(const KernelSetup& setup) {
  Band sides = {};
  SetSides(setup, sides);
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(Band band, BandOf(c, 1, sides.right_above, sides.right_below));
      const Shape& in = *c.input(0).shape;
      band.rows = in.dim(-2);
      band.columns = in.dim(-1);
      SF_RETURN_IF_ERROR(CheckInside(band));
      if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, PackedShape(in.Slice(0, in.rank() - 2), band)));
      std::fill_n(c.out<T>(0), c.output(0).num_elements, *c.in<T>(2));
      const int64_t matrix = band.rows * band.columns, packed = band.count() * band.longest();
      for (int64_t b = 0; b < in.num_elements(0, in.rank() - 2); ++b) {
        band.ForEach([&](int64_t at, int64_t p) { c.out<T>(0)[b * packed + p] = c.in<T>(0)[b * matrix + at]; });
      }
      return absl::OkStatus();
    };
  });
}

// The node of the same version on other operands.
Output Build(const GradientContext& c, absl::string_view op, std::initializer_list<Operand> operands) {
  const bool v3 = c.node().op().FindAttr("align") != nullptr;
  NodeBuilder builder(absl::StrCat(op, v3 ? "V3" : "V2"), operands);
  if (v3) builder.Attr("align", c.attr<std::string>("align"));
  return builder.Build();
}
void PartGradient(GradientContext& c) { c.set_dx(0, Build(c, "MatrixSetDiag", {ZerosLike(c.x(0)), c.dy(0), c.x(1)})); }

// MatrixDiag: matrices with the packed diagonals, padding elsewhere.   ddiagonal = those of dy.
absl::Status SetSize(const Shape& diagonal, int64_t rows, int64_t columns, Band& band) {
  if (band.count() > 1 && (diagonal.rank() < 2 || diagonal.dim(-2) != band.count())) {
    return absl::InvalidArgumentError(
        absl::StrCat("diagonal has shape ", diagonal.ToString(), ", k names ", band.count(), " diagonals"));
  }
  const int64_t longest = diagonal.dim(-1);
  const int64_t least_rows = AddSizes(longest, std::max<int64_t>(-band.high, 0));
  const int64_t least_columns = AddSizes(longest, std::max<int64_t>(band.low, 0));
  // -1 asks for the least.
  band.rows = rows != -1 ? rows : columns != -1 ? least_rows : std::max(least_rows, least_columns);
  band.columns = columns != -1 ? columns : rows != -1 ? least_columns : std::max(least_rows, least_columns);
  if (band.rows < least_rows || band.columns < least_columns ||
      (band.rows != least_rows && band.columns != least_columns)) {
    return absl::InvalidArgumentError(
        absl::StrCat("diagonals of length ", longest, " do not fit ", band.rows, " x ", band.columns, " matrices"));
  }
  return CheckInside(band);
}
absl::Status DiagShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape diagonal, c.WithRankAtLeast(0, 1));
  for (int i = 2; i < 5; ++i) SF_RETURN_IF_ERROR(c.WithRank(i, 0).status());
  SF_ASSIGN_OR_RETURN(std::optional<Band> band, KnownBand(c, 1));
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> rows, ScalarFromInput(c, 2));
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> columns, ScalarFromInput(c, 3));
  if (!band.has_value() || !diagonal.has_rank()) return absl::OkStatus();
  const int packed_rank = band->count() > 1 ? 2 : 1;
  if (diagonal.rank() < packed_rank) return absl::InvalidArgumentError("diagonal has too low a rank for so many");
  const Shape leading = diagonal.Slice(0, diagonal.rank() - packed_rank);
  if (!rows || !columns || diagonal.dim(-1) < 0 || (packed_rank == 2 && diagonal.dim(-2) < 0)) {
    c.set_output(0, leading.Concatenate({Shape::kUnknownDim, Shape::kUnknownDim}));
    return absl::OkStatus();
  }
  SF_RETURN_IF_ERROR(SetSize(diagonal, *rows, *columns, *band));
  c.set_output(0, leading.Concatenate({band->rows, band->columns}));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DiagKernel(const KernelSetup& setup) {
  Band sides = {};
  SetSides(setup, sides);
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(Band band, BandOf(c, 1, sides.right_above, sides.right_below));
      SF_ASSIGN_OR_RETURN(const int64_t rows, ScalarInput(c, 2));
      SF_ASSIGN_OR_RETURN(const int64_t columns, ScalarInput(c, 3));
      const Shape& diagonal = *c.input(0).shape;
      SF_RETURN_IF_ERROR(SetSize(diagonal, rows, columns, band));
      const int leading = diagonal.rank() - (band.count() > 1 ? 2 : 1);
      if (allocate) {
        SF_RETURN_IF_ERROR(c.AllocateOutput(0, diagonal.Slice(0, leading).Concatenate({band.rows, band.columns})));
      }
      std::fill_n(c.out<T>(0), c.output(0).num_elements, *c.in<T>(4));
      const int64_t matrix = band.rows * band.columns, packed = band.count() * band.longest();
      for (int64_t b = 0; b < diagonal.num_elements(0, leading); ++b) {
        band.ForEach([&](int64_t at, int64_t p) { c.out<T>(0)[b * matrix + at] = c.in<T>(0)[b * packed + p]; });
      }
      return absl::OkStatus();
    };
  });
}
Output ZeroOf(const GradientContext& c) { return Cast(Const(c.graph(), Tensor(0.0f)), c.dy(0).dtype()); }
void DiagGradient(GradientContext& c) { c.set_dx(0, Build(c, "MatrixDiagPart", {c.dy(0), c.x(1), ZeroOf(c)})); }

// MatrixSetDiag: the input with its diagonals replaced.   dinput = dy with zeros there, ddiagonal = those of dy.
absl::Status SetShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape input, c.WithRankAtLeast(0, 2));
  SF_RETURN_IF_ERROR(c.WithRankAtLeast(1, 1).status());
  SF_ASSIGN_OR_RETURN(std::optional<Band> band, KnownBand(c, 2));
  if (band.has_value() && KnowsMatrix(input)) {
    band->rows = input.dim(-2);
    band->columns = input.dim(-1);
    SF_RETURN_IF_ERROR(CheckInside(*band));
    const Shape packed = PackedShape(input.Slice(0, input.rank() - 2), *band);
    SF_RETURN_IF_ERROR(Annotate(packed.MergeWith(c.input(1)).status(), "diagonal: "));
  }
  c.set_output(0, std::move(input));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SetKernel(const KernelSetup& setup) {
  Band sides = {};
  SetSides(setup, sides);
  return StorageKernel(setup.output_dtype(0), [&]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      SF_ASSIGN_OR_RETURN(Band band, BandOf(c, 2, sides.right_above, sides.right_below));
      const Shape& in = *c.input(0).shape;
      band.rows = in.dim(-2);
      band.columns = in.dim(-1);
      SF_RETURN_IF_ERROR(CheckInside(band));
      const Shape expected = PackedShape(in.Slice(0, in.rank() - 2), band);
      if (*c.input(1).shape != expected) {
        return absl::InvalidArgumentError(
            absl::StrCat("diagonal has shape ", c.input(1).shape->ToString(), ", expected ", expected.ToString()));
      }
      CopyInput(c, 0, 0);
      const int64_t matrix = band.rows * band.columns, packed = band.count() * band.longest();
      for (int64_t b = 0; b < in.num_elements(0, in.rank() - 2); ++b) {
        band.ForEach([&](int64_t at, int64_t p) { c.out<T>(0)[b * matrix + at] = c.in<T>(1)[b * packed + p]; });
      }
      return absl::OkStatus();
    };
  });
}
void SetGradient(GradientContext& c) {
  c.set_dx(0, Build(c, "MatrixSetDiag", {c.dy(0), ZerosLike(c.x(1)), c.x(2)}));
  c.set_dx(1, Build(c, "MatrixDiagPart", {c.dy(0), c.x(2), ZeroOf(c)}));
}

constexpr char kAlign[] = "align: {'LEFT_RIGHT', 'RIGHT_LEFT', 'LEFT_LEFT', 'RIGHT_RIGHT'} = 'RIGHT_LEFT'";

// V3 of an op adds the attribute.
struct BothVersions {
  explicit BothVersions(const OpSpec& spec) : v2(Version(spec, "V2")), v3(Version(spec, "V3")) {}
  static OpSpec Version(OpSpec spec, const char* version) {
    spec.name += version;
    if (absl::string_view(version) == "V3") spec.attrs.push_back(kAlign);
    return spec;
  }
  OpRegistrar v2, v3;
};
const BothVersions part({.name = "MatrixDiagPart",
                         .inputs = {"input: T", "k: int32", "padding_value: T"},
                         .outputs = {"diagonal: T"},
                         .attrs = {"T: type"},
                         .shape = PartShape,
                         .gradient = PartGradient,
                         .kernel = PartKernel,
                         .batch = MatricesBatch,
                         .doc = "Diagonals of matrices, packed into rows."});
const BothVersions diag({.name = "MatrixDiag",
                         .inputs = {"diagonal: T", "k: int32", "num_rows: int32", "num_cols: int32",
                                    "padding_value: T"},
                         .outputs = {"output: T"},
                         .attrs = {"T: type"},
                         .shape = DiagShape,
                         .gradient = DiagGradient,
                         .kernel = DiagKernel,
                         .batch = MatricesBatch,
                         .doc = "Matrices with given diagonals."});
const BothVersions set_diag({.name = "MatrixSetDiag",
                             .inputs = {"input: T", "diagonal: T", "k: int32"},
                             .outputs = {"output: T"},
                             .attrs = {"T: type"},
                             .shape = SetShape,
                             .gradient = SetGradient,
                             .kernel = SetKernel,
                             .traits = kInPlace,
                             .batch = MatricesBatch,
                             .doc = "Matrices with some diagonals replaced."});

}  // namespace

Output MatrixDiagV3(Operand diagonal, Operand k, Operand num_rows, Operand num_cols, Operand padding_value,
                    const MatrixDiagV3Options& options) {
  return NodeBuilder("MatrixDiagV3", {diagonal, k, num_rows, num_cols, padding_value})
      .Attr("align", options.align)
      .Name(options.name)
      .Build();
}
Output MatrixDiagPartV3(Operand input, Operand k, Operand padding_value, const MatrixDiagV3Options& options) {
  return NodeBuilder("MatrixDiagPartV3", {input, k, padding_value})
      .Attr("align", options.align)
      .Name(options.name)
      .Build();
}
Output MatrixSetDiagV3(Operand input, Operand diagonal, Operand k, const MatrixDiagV3Options& options) {
  return NodeBuilder("MatrixSetDiagV3", {input, diagonal, k}).Attr("align", options.align).Name(options.name).Build();
}

}  // namespace staticflow
