// SparseBincount and RaggedBincount, which count the integers of sparse and ragged rows in dense ones;
// DenseCountSparseOutput, SparseCountSparseOutput and RaggedCountSparseOutput, which count into sparse rows. Contract:
// ops/sparse.h.
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array_shapes.h"
#include "ops/elementwise.h"
#include "ops/sparse.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

enum class Form { kDense, kSparse, kRagged };

// The row of each value, and how many rows there are.
struct Rows {
  int64_t count = 1;
  bool is_vector = false;  // one row without a number
  std::vector<int64_t> row;
};

absl::StatusOr<Rows> DenseRows(const TensorView& values) {
  Rows rows = {.is_vector = values.rank() == 1, .row = {}};
  if (!rows.is_vector) rows.count = values.dim(0);
  const int64_t length = rows.count == 0 ? 0 : values.num_elements / rows.count;
  for (int64_t i = 0; i < values.num_elements; ++i) rows.row.push_back(i / length);
  return rows;
}

// Inputs: indices, values, shape.
absl::StatusOr<Rows> SparseRows(const KernelContext& c) {
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> shape, SizesInput(c, 2));
  const SparseIndices indices(c.input(0));
  SF_RETURN_IF_ERROR(indices.Check(shape));
  Rows rows = {.is_vector = shape.size() == 1, .row = {}};
  if (!rows.is_vector) rows.count = shape[0];
  for (int64_t i = 0; i < indices.count(); ++i) rows.row.push_back(rows.is_vector ? 0 : indices.at(i, 0));
  return rows;
}

// Inputs: splits, values.
absl::StatusOr<Rows> RaggedRows(const KernelContext& c) {
  const absl::Span<const int64_t> splits(c.in<int64_t>(0), c.input(0).num_elements);
  const int64_t values = c.input(1).num_elements;
  if (splits.front() != 0 || splits.back() != values) {
    return absl::InvalidArgumentError(absl::StrCat("splits go from ", splits.front(), " to ", splits.back(),
                                                   ", expected 0 to the number of values, ", values));
  }
  Rows rows = {.count = static_cast<int64_t>(splits.size()) - 1, .row = {}};
  for (size_t i = 1; i < splits.size(); ++i) {
    if (splits[i] < splits[i - 1]) return absl::InvalidArgumentError(absl::StrCat("splits decrease at ", i));
    if (splits[i] > values) return absl::InvalidArgumentError(absl::StrCat("splits[", i, "] is ", splits[i]));
    rows.row.resize(static_cast<size_t>(splits[i]), static_cast<int64_t>(i) - 1);
  }
  return rows;
}

absl::StatusOr<Rows> ReadRows(const KernelContext& c, Form form) {
  return form == Form::kDense ? DenseRows(c.input(0)) : form == Form::kSparse ? SparseRows(c) : RaggedRows(c);
}

int ValuesInput(Form form) { return form == Form::kDense ? 0 : 1; }

absl::Status CheckWeights(const TensorView& weights, const TensorView& values) {
  if (weights.num_elements == 0 || *weights.shape == *values.shape) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("weights has shape ", weights.shape->ToString(), ", values ", values.shape->ToString()));
}

absl::Status CheckValue(int64_t i, int64_t value) {
  if (value >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("value ", i, " is ", value, ", expected 0 or more"));
}

// What the forms say about `rows` and about the number of values.
absl::Status CheckForm(ShapeContext& c, Form form, int64_t* rows, bool* is_vector) {
  *rows = Shape::kUnknownDim;
  *is_vector = false;
  if (form == Form::kSparse) {
    SF_ASSIGN_OR_RETURN(const SparseSizes sizes, SparseInputs(c, 0));
    if (sizes.rank == 0) return absl::InvalidArgumentError("the shape has no dimensions");
    *is_vector = sizes.rank == 1;
    SF_ASSIGN_OR_RETURN(const auto shape, c.Integers(2));
    if (shape.has_value() && !shape->empty()) *rows = (*shape)[0];
    if (shape.has_value() && *rows < 0) {
      return absl::InvalidArgumentError(absl::StrCat("the shape has a size ", *rows));
    }
  } else if (form == Form::kRagged) {
    SF_ASSIGN_OR_RETURN(const Shape splits, c.WithRank(0, 1));
    SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
    if (splits.dim(0) == 0) return absl::InvalidArgumentError("splits are empty");
    if (splits.dim(0) > 0) *rows = splits.dim(0) - 1;
  } else {
    const Shape& values = c.input(0);
    if (values.has_rank() && values.rank() != 1 && values.rank() != 2) {
      return absl::InvalidArgumentError(absl::StrCat("expected a vector or a matrix, got shape ", values.ToString()));
    }
    *is_vector = values.rank() == 1;
  }
  return absl::OkStatus();
}

// ---- Counts in dense rows ----

template <Form form>
absl::Status BincountShape(ShapeContext& c) {
  const int size_input = form == Form::kSparse ? 3 : 2;
  int64_t rows;
  bool is_vector;
  SF_RETURN_IF_ERROR(CheckForm(c, form, &rows, &is_vector));
  SF_RETURN_IF_ERROR(c.WithRank(size_input, 0).status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> size, ScalarFromInput(c, size_input));
  if (size.has_value() && *size < 0) return absl::InvalidArgumentError(absl::StrCat("size is ", *size));
  const int64_t columns = size.value_or(Shape::kUnknownDim);
  if (form == Form::kSparse && !c.input(2).IsFullyDefined() && !c.input(0).IsFullyDefined()) {
    c.set_output(0, Shape::Unknown());
  } else {
    c.set_output(0, is_vector ? Shape({columns}) : Shape({rows, columns}));
  }
  return absl::OkStatus();
}

template <typename I, typename T>
absl::Status CountDense(KernelContext& c, Form form, bool binary) {
  const TensorView &values = c.input(1), &weights = c.input(c.num_inputs() - 1);
  SF_RETURN_IF_ERROR(CheckWeights(weights, values));
  SF_ASSIGN_OR_RETURN(const Rows rows, ReadRows(c, form));
  const int64_t size = c.output(0).dim(-1);
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  for (int64_t i = 0; i < values.num_elements; ++i) {
    const int64_t value = static_cast<int64_t>(values.as<I>()[i]);
    SF_RETURN_IF_ERROR(CheckValue(i, value));
    if (value >= size) continue;
    T& count = c.out<T>(0)[rows.row[static_cast<size_t>(i)] * size + value];
    count = binary ? T(1) : WrapAdd(count, weights.num_elements > 0 ? weights.as<T>()[i] : T(1));
  }
  return absl::OkStatus();
}

// One of the kernels of run<I, T>, by the types of values and counts.
template <typename Run>
absl::StatusOr<Kernel> CountKernel(const KernelSetup& setup, Form form, DataType counts, Run run) {
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.input_dtype(ValuesInput(form)), [&]<typename I>() {
    DispatchType<int32_t, int64_t, float, double>(
        counts, [&]<typename T>() { kernel = [run](KernelContext& c) { return run.template operator()<I, T>(c); }; });
  });
  if (!kernel) return NoKernelFor(setup, counts);
  return kernel;
}

template <Form form>
absl::StatusOr<Kernel> BincountKernel(const KernelSetup& setup) {
  const bool binary = setup.attr<bool>("binary_output");
  return CountKernel(setup, form, setup.output_dtype(0),
                     [binary]<typename I, typename T>(KernelContext& c) { return CountDense<I, T>(c, form, binary); });
}

template <Form form>
OpSpec BincountOp(const char* name, std::vector<std::string> inputs, const char* doc) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = {"Tidx: indextype", "T: {int32, int64, float, double}", "binary_output: bool = false"},
          .shape = BincountShape<form>,
          .gradient = kGradientIsError,
          .kernel = BincountKernel<form>,
          .doc = doc};
}
const OpRegistrar sparse_bincount(BincountOp<Form::kSparse>(
    "SparseBincount", {"indices: int64", "values: Tidx", "dense_shape: int64", "size: Tidx", "weights: T"},
    "How often each integer occurs in each row of a sparse tensor."));
const OpRegistrar ragged_bincount(
    BincountOp<Form::kRagged>("RaggedBincount", {"splits: int64", "values: Tidx", "size: Tidx", "weights: T"},
                              "How often each integer occurs in each row of a ragged tensor."));

// ---- Counts in sparse rows ----

struct Lengths {
  int64_t min = -1, max = -1;  // of a row of counts; -1: any
  bool binary = false;
};

template <typename I, typename T>
absl::Status CountSparse(KernelContext& c, Form form, const Lengths& lengths) {
  const TensorView &values = c.input(ValuesInput(form)), &weights = c.input(c.num_inputs() - 1);
  SF_RETURN_IF_ERROR(CheckWeights(weights, values));
  SF_ASSIGN_OR_RETURN(const Rows rows, ReadRows(c, form));
  std::map<std::pair<int64_t, int64_t>, T> counts;  // by row and value
  int64_t largest = 0;
  for (int64_t i = 0; i < values.num_elements; ++i) {
    const int64_t value = static_cast<int64_t>(values.as<I>()[i]);
    SF_RETURN_IF_ERROR(CheckValue(i, value));
    if (lengths.max >= 0 && value >= lengths.max) continue;
    largest = std::max(largest, value);
    T& count = counts[{rows.row[static_cast<size_t>(i)], value}];
    count = lengths.binary ? T(1) : WrapAdd(count, weights.num_elements > 0 ? weights.as<T>()[i] : T(1));
  }
  const int64_t n = static_cast<int64_t>(counts.size()), rank = rows.is_vector ? 1 : 2;
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {n, rank}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {n}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(2, {rank}));
  int64_t* index = c.out<int64_t>(0);
  T* count = c.out<T>(1);
  for (const auto& [place, number] : counts) {
    if (!rows.is_vector) *index++ = place.first;
    *index++ = place.second;
    *count++ = number;
  }
  int64_t* shape = c.out<int64_t>(2);
  if (!rows.is_vector) *shape++ = rows.count;
  *shape = lengths.max >= 0 ? lengths.max : std::max(AddSizes(largest, 1), lengths.min);
  return absl::OkStatus();
}

template <Form form>
absl::Status CountShape(ShapeContext& c) {
  int64_t rows;
  bool is_vector;
  SF_RETURN_IF_ERROR(CheckForm(c, form, &rows, &is_vector));
  c.set_output(0, Shape::UnknownOfRank(2));
  c.set_output(1, Shape::UnknownOfRank(1));
  c.set_output(2, Shape::UnknownOfRank(1));
  return absl::OkStatus();
}

template <Form form>
absl::StatusOr<Kernel> CountSparseKernel(const KernelSetup& setup) {
  const Lengths lengths = {setup.attr<int64_t>("minlength"), setup.attr<int64_t>("maxlength"),
                           setup.attr<bool>("binary_output")};
  return CountKernel(setup, form, setup.output_dtype(1), [lengths]<typename I, typename T>(KernelContext& c) {
    return CountSparse<I, T>(c, form, lengths);
  });
}

template <Form form>
OpSpec CountOp(const char* name, std::vector<std::string> inputs, const char* doc) {
  inputs.push_back("weights: output_type");
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"output_indices: int64", "output_values: output_type", "output_dense_shape: int64"},
          .attrs = {"T: indextype", "minlength: int >= -1 = -1", "maxlength: int >= -1 = -1", "binary_output: bool",
                    "output_type: {int32, int64, float, double}"},
          .shape = CountShape<form>,
          .gradient = kGradientIsError,
          .kernel = CountSparseKernel<form>,
          .doc = doc};
}
const OpRegistrar dense_count(CountOp<Form::kDense>("DenseCountSparseOutput", {"values: T"},
                                                    "How often integers occur in each row, as a sparse tensor."));
const OpRegistrar sparse_count(
    CountOp<Form::kSparse>("SparseCountSparseOutput", {"indices: int64", "values: T", "dense_shape: int64"},
                           "How often integers occur in each row of a sparse tensor, as a sparse tensor."));
const OpRegistrar ragged_count(
    CountOp<Form::kRagged>("RaggedCountSparseOutput", {"splits: int64", "values: T"},
                           "How often integers occur in each row of a ragged tensor, as a sparse tensor."));

}  // namespace

SparseParts CountInts(Operand values, Operand weights, const CountIntsOptions& options) {
  Node* node = NodeBuilder("DenseCountSparseOutput", {values, weights})
                   .Attr("minlength", options.minlength)
                   .Attr("maxlength", options.maxlength)
                   .Attr("binary_output", options.binary_output)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = node->output(2)};
}

}  // namespace staticflow
