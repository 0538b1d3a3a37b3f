// ParseExample, ParseExampleV2, ParseSingleExample. Contract: ops/parsing.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/example_features.h"
#include "ops/parsing.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

constexpr char kFeatureTypes[] = "list({float, int64, string}) >= 0";
std::string ListOfTypes(const char* name) { return absl::StrCat(name, ": ", kFeatureTypes); }

template <typename F>
void DispatchFeature(DataType dtype, F&& f) {
  DispatchType<float, int64_t, std::string>(dtype, std::forward<F>(f));
}

// What a node parses, by its attributes, and where its arguments are.
struct Features {
  template <typename Source>
  explicit Features(const Source& source) {
    const Node& node = source.node();
    single = node.type() == "ParseSingleExample";
    v2 = node.type() == "ParseExampleV2";
    sparse_types = node.attr<std::vector<DataType>>("sparse_types");
    dense_types = node.attr<std::vector<DataType>>("Tdense");
    dense_shapes = node.attr<std::vector<Shape>>("dense_shapes");
    if (v2) {
      ragged_types = node.attr<std::vector<DataType>>("ragged_value_types");
      split_types = node.attr<std::vector<DataType>>("ragged_split_types");
    }
    if (single) {
      sparse_keys = node.attr<std::vector<std::string>>("sparse_keys");
      dense_keys = node.attr<std::vector<std::string>>("dense_keys");
    }
  }
  int num_sparse() const { return static_cast<int>(sparse_types.size()); }
  int num_dense() const { return static_cast<int>(dense_types.size()); }
  int num_ragged() const { return static_cast<int>(ragged_types.size()); }
  int first_default() const { return single ? 1 : v2 ? 5 : 2 + num_sparse() + num_dense(); }
  int dense_output() const { return 3 * num_sparse(); }
  int ragged_output() const { return dense_output() + num_dense(); }

  // The attributes agree with each other; `sparse` and `keys` are the counts that the node states by itself.
  absl::Status Check(int64_t sparse) const {
    if (sparse != num_sparse()) {
      return absl::InvalidArgumentError(absl::StrCat("sparse_types has ", num_sparse(), " entries, expected ", sparse));
    }
    if (dense_shapes.size() != dense_types.size() || ragged_types.size() != split_types.size()) {
      return absl::InvalidArgumentError(
          "there must be as many dense_shapes as Tdense, and as many ragged splits as values");
    }
    if (single && (sparse_keys.size() != sparse_types.size() || dense_keys.size() != dense_types.size())) {
      return absl::InvalidArgumentError("there must be as many keys as types");
    }
    for (const Shape& shape : dense_shapes) {
      const bool known = shape.has_rank() && (shape.rank() == 0 || shape.Slice(1, shape.rank()).IsFullyDefined());
      if (!known) {
        return absl::InvalidArgumentError(
            absl::StrCat("dense shape ", shape.ToString(), ": only the first dimension may be unknown"));
      }
    }
    return absl::OkStatus();
  }

  bool single, v2;
  std::vector<DataType> sparse_types, dense_types, ragged_types, split_types;
  std::vector<Shape> dense_shapes;
  std::vector<std::string> sparse_keys, dense_keys;  // those of ParseSingleExample
};

absl::Status ParseShape(ShapeContext& c) {
  const Features features(c);
  SF_RETURN_IF_ERROR(
      features.Check(features.single || features.v2 ? c.attr<int64_t>("num_sparse") : c.attr<int64_t>("Nsparse")));
  Shape batch = c.input(0);
  if (batch.has_rank() && batch.rank() != 0 && features.single) return c.WithRank(0, 0).status();
  if (batch.has_rank() && batch.rank() != 1 && !features.single && !features.v2) return c.WithRank(0, 1).status();
  if (batch.has_rank() && batch.rank() > 1) return c.WithRank(0, 1).status();
  if (features.single) batch = Shape();
  if (!features.single && !features.v2 && !batch.has_rank()) batch = Shape::UnknownOfRank(1);
  const int64_t rank = batch.has_rank() ? batch.rank() + 1 : Shape::kUnknownDim;
  for (int i = 0; i < features.num_sparse(); ++i) {
    c.set_output(i, {Shape::kUnknownDim, rank});
    c.set_output(features.num_sparse() + i, {Shape::kUnknownDim});
    c.set_output(2 * features.num_sparse() + i, {rank});
  }
  for (int i = 0; i < features.num_dense(); ++i) {
    c.set_output(features.dense_output() + i, batch.Concatenate(features.dense_shapes[i]));
  }
  for (int i = 0; i < features.num_ragged(); ++i) {
    c.set_output(features.ragged_output() + i, {Shape::kUnknownDim});
    const bool known = batch.has_rank() && (batch.rank() == 0 || batch.dim(0) >= 0);
    const int64_t splits = !known ? Shape::kUnknownDim : batch.rank() == 0 ? 0 : AddSizes(batch.dim(0), 1);
    c.set_output(features.ragged_output() + features.num_ragged() + i, {splits});
  }
  return absl::OkStatus();
}

// One step's parsing.
class Parser {
 public:
  Parser(KernelContext& c, const Features& features, const std::vector<bool>& allocate)
      : c_(c), f_(features), allocate_(allocate), batched_(c.input(0).rank() == 1) {}

  absl::Status Run() {
    const absl::Span<std::string> serialized = c_.input(0).flat<std::string>();
    for (size_t i = 0; i < serialized.size(); ++i) {
      absl::StatusOr<ExampleFeatures> example = ReadExample(serialized[i]);
      if (!example.ok()) return Annotate(example.status(), absl::StrCat("example ", i, ": "));
      examples_.push_back(*std::move(example));
    }
    if (!f_.single && c_.input(1).num_elements > 0 && *c_.input(1).shape != *c_.input(0).shape) {
      return absl::InvalidArgumentError(absl::StrCat("names have shape ", c_.input(1).shape->ToString(),
                                                     ", serialized has ", c_.input(0).shape->ToString()));
    }
    SF_RETURN_IF_ERROR(FindKeys());
    absl::Status status;
    for (int i = 0; i < f_.num_sparse() && status.ok(); ++i) {
      DispatchFeature(f_.sparse_types[i], [&]<typename T>() { status = Sparse<T>(i); });
    }
    for (int i = 0; i < f_.num_dense() && status.ok(); ++i) {
      DispatchFeature(f_.dense_types[i], [&]<typename T>() { status = Dense<T>(i); });
    }
    for (int i = 0; i < f_.num_ragged() && status.ok(); ++i) {
      DispatchFeature(f_.ragged_types[i], [&]<typename T>() { status = Ragged<T>(i); });
    }
    return status;
  }

 private:
  // Keys come in attributes, as scalars, or as vectors.
  absl::Status FindKeys() {
    if (f_.single) {
      sparse_keys_.assign(f_.sparse_keys.begin(), f_.sparse_keys.end());
      dense_keys_.assign(f_.dense_keys.begin(), f_.dense_keys.end());
      return absl::OkStatus();
    }
    if (!f_.v2) {
      for (int i = 0; i < f_.num_sparse(); ++i) SF_RETURN_IF_ERROR(AddKeys(2 + i, 1, &sparse_keys_));
      for (int i = 0; i < f_.num_dense(); ++i) SF_RETURN_IF_ERROR(AddKeys(2 + f_.num_sparse() + i, 1, &dense_keys_));
      return absl::OkStatus();
    }
    SF_RETURN_IF_ERROR(AddKeys(2, f_.num_sparse(), &sparse_keys_));
    SF_RETURN_IF_ERROR(AddKeys(3, f_.num_dense(), &dense_keys_));
    return AddKeys(4, f_.num_ragged(), &ragged_keys_);
  }
  absl::Status AddKeys(int input, int64_t count, std::vector<absl::string_view>* keys) {
    const absl::Span<std::string> given = c_.input(input).flat<std::string>();
    if (static_cast<int64_t>(given.size()) != count) {
      return absl::InvalidArgumentError(
          absl::StrCat("input ", input, " holds ", given.size(), " keys, expected ", count));
    }
    keys->insert(keys->end(), given.begin(), given.end());
    return absl::OkStatus();
  }

  // The values of a feature in all examples, and where each example's begin; `present` tells who has the feature.
  template <typename T>
  absl::Status Collect(absl::string_view key, std::vector<T>* values, std::vector<int64_t>* splits,
                       std::vector<bool>* present) {
    for (size_t b = 0; b < examples_.size(); ++b) {
      splits->push_back(static_cast<int64_t>(values->size()));
      const absl::StatusOr<bool> found = AppendValues(examples_[b], key, values);
      if (!found.ok()) return Annotate(found.status(), absl::StrCat("example ", b, ": "));
      present->push_back(*found);
    }
    splits->push_back(static_cast<int64_t>(values->size()));
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status Sparse(int i) {
    std::vector<T> values;
    std::vector<int64_t> splits;
    std::vector<bool> present;
    SF_RETURN_IF_ERROR(Collect(sparse_keys_[i], &values, &splits, &present));
    const int64_t n = static_cast<int64_t>(values.size()), rank = batched_ ? 2 : 1;
    SF_RETURN_IF_ERROR(c_.AllocateOutput(i, {n, rank}));
    SF_RETURN_IF_ERROR(c_.AllocateOutput(f_.num_sparse() + i, {n}));
    const int shape_output = 2 * f_.num_sparse() + i;
    if (allocate_[shape_output]) SF_RETURN_IF_ERROR(c_.AllocateOutput(shape_output, {rank}));
    int64_t *index = c_.out<int64_t>(i), most = 0;
    for (size_t b = 0; b + 1 < splits.size(); ++b) {
      most = std::max(most, splits[b + 1] - splits[b]);
      for (int64_t k = 0; k < splits[b + 1] - splits[b]; ++k) {
        if (batched_) *index++ = static_cast<int64_t>(b);
        *index++ = k;
      }
    }
    std::move(values.begin(), values.end(), c_.out<T>(f_.num_sparse() + i));
    int64_t* shape = c_.out<int64_t>(shape_output);
    if (batched_) *shape++ = static_cast<int64_t>(examples_.size());
    *shape = most;
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status Dense(int i) {
    std::vector<T> values;
    std::vector<int64_t> splits;
    std::vector<bool> present;
    SF_RETURN_IF_ERROR(Collect(dense_keys_[i], &values, &splits, &present));
    Shape shape = f_.dense_shapes[i];
    const bool variable = shape.rank() > 0 && shape.dim(0) < 0;
    const int64_t stride = shape.num_elements(variable ? 1 : 0, shape.rank());
    if (variable) {
      int64_t most = 0;
      for (size_t b = 0; b + 1 < splits.size(); ++b) most = std::max(most, splits[b + 1] - splits[b]);
      shape.set_dim(0, stride == 0 ? 0 : (most + stride - 1) / stride);
    }
    const int output = f_.dense_output() + i;
    const int64_t size = shape.num_elements();
    if (allocate_[output]) {
      SF_RETURN_IF_ERROR(c_.AllocateOutput(
          output, batched_ ? Shape({static_cast<int64_t>(examples_.size())}).Concatenate(shape) : shape));
    }
    const TensorView& given = c_.input(f_.first_default() + i);
    const absl::Span<T> fallback = given.flat<T>();
    if (!variable && !fallback.empty() && !given.shape->IsCompatibleWith(f_.dense_shapes[i])) {
      return absl::InvalidArgumentError(absl::StrCat("the default of feature '", dense_keys_[i], "' has shape ",
                                                     given.shape->ToString(), ", expected ", shape.ToString()));
    }
    T* to = c_.out<T>(output);
    for (size_t b = 0; b < examples_.size(); ++b, to += size) {
      const int64_t n = splits[b + 1] - splits[b];
      const absl::Status fits = variable ? CheckVariable(n, stride, static_cast<int64_t>(fallback.size()))
                                         : CheckFixed(present[b], n, size, static_cast<int64_t>(fallback.size()));
      if (!fits.ok()) return Annotate(fits, absl::StrCat("example ", b, ": feature '", dense_keys_[i], "': "));
      if (variable) {
        std::fill(std::copy_n(values.begin() + splits[b], n, to), to + size, fallback.empty() ? T() : fallback[0]);
      } else if (present[b]) {
        std::copy_n(values.begin() + splits[b], n, to);
      } else {
        std::copy(fallback.begin(), fallback.end(), to);
      }
    }
    return absl::OkStatus();
  }
  static absl::Status CheckVariable(int64_t n, int64_t stride, int64_t defaults) {
    if (stride == 0 ? n > 0 : n % stride != 0) {
      return absl::InvalidArgumentError(absl::StrCat(n, " values are no whole number of rows of ", stride));
    }
    if (defaults <= 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("expected one element to fill rows with, got ", defaults));
  }
  static absl::Status CheckFixed(bool present, int64_t n, int64_t size, int64_t defaults) {
    if (present && n == size) return absl::OkStatus();
    if (present) return absl::InvalidArgumentError(absl::StrCat("it has ", n, " values, expected ", size));
    if (defaults == size) return absl::OkStatus();
    return absl::InvalidArgumentError(defaults == 0
                                          ? "it is missing, and there is no default"
                                          : absl::StrCat("the default has ", defaults, " values, expected ", size));
  }

  template <typename T>
  absl::Status Ragged(int i) {
    std::vector<T> values;
    std::vector<int64_t> splits;
    std::vector<bool> present;
    SF_RETURN_IF_ERROR(Collect(ragged_keys_[i], &values, &splits, &present));
    SF_RETURN_IF_ERROR(c_.AllocateOutput(f_.ragged_output() + i, {static_cast<int64_t>(values.size())}));
    std::move(values.begin(), values.end(), c_.out<T>(f_.ragged_output() + i));
    if (!batched_) splits.clear();  // one example is no row among rows
    const int output = f_.ragged_output() + f_.num_ragged() + i;
    if (allocate_[output]) SF_RETURN_IF_ERROR(c_.AllocateOutput(output, {static_cast<int64_t>(splits.size())}));
    DispatchType<int32_t, int64_t>(c_.output(output).dtype,
                                   [&]<typename S>() { std::copy(splits.begin(), splits.end(), c_.out<S>(output)); });
    return absl::OkStatus();
  }

  KernelContext& c_;
  const Features& f_;
  const std::vector<bool>& allocate_;
  bool batched_;
  std::vector<ExampleFeatures> examples_;
  std::vector<absl::string_view> sparse_keys_, dense_keys_, ragged_keys_;
};

absl::StatusOr<Kernel> ParseKernel(const KernelSetup& setup) {
  const Features features(setup);
  std::vector<bool> allocate;
  for (int i = 0; i < setup.node().num_outputs(); ++i) allocate.push_back(!setup.output_shape(i).IsFullyDefined());
  return Kernel([features, allocate](KernelContext& c) { return Parser(c, features, allocate).Run(); });
}

OpSpec ParseOp(OpSpec spec) {
  spec.shape = ParseShape;
  spec.gradient = kGradientIsError;
  spec.kernel = ParseKernel;
  return spec;
}
const OpRegistrar parse_example(ParseOp({.name = "ParseExample",
                                         .inputs = {"serialized: string", "names: string",
                                                    "sparse_keys: Nsparse * string", "dense_keys: Ndense * string",
                                                    "dense_defaults: Tdense"},
                                         .outputs = {"sparse_indices: Nsparse * int64", "sparse_values: sparse_types",
                                                     "sparse_shapes: Nsparse * int64", "dense_values: Tdense"},
                                         .attrs = {"Nsparse: int >= 0", "Ndense: int >= 0", ListOfTypes("sparse_types"),
                                                   ListOfTypes("Tdense"), "dense_shapes: list(shape) >= 0"},
                                         .doc = "The features of a vector of examples."}));
const OpRegistrar parse_example_v2(
    ParseOp({.name = "ParseExampleV2",
             .inputs = {"serialized: string", "names: string", "sparse_keys: string", "dense_keys: string",
                        "ragged_keys: string", "dense_defaults: Tdense"},
             .outputs = {"sparse_indices: num_sparse * int64", "sparse_values: sparse_types",
                         "sparse_shapes: num_sparse * int64", "dense_values: Tdense",
                         "ragged_values: ragged_value_types", "ragged_row_splits: ragged_split_types"},
             .attrs = {ListOfTypes("Tdense"), "num_sparse: int >= 0", ListOfTypes("sparse_types"),
                       ListOfTypes("ragged_value_types"), "ragged_split_types: list({int32, int64}) >= 0",
                       "dense_shapes: list(shape) >= 0"},
             .doc = "The features of one example or of a vector of them."}));
const OpRegistrar parse_single_example(
    ParseOp({.name = "ParseSingleExample",
             .inputs = {"serialized: string", "dense_defaults: Tdense"},
             .outputs = {"sparse_indices: num_sparse * int64", "sparse_values: sparse_types",
                         "sparse_shapes: num_sparse * int64", "dense_values: Tdense"},
             .attrs = {"num_sparse: int >= 0", "sparse_keys: list(string) >= 0", "dense_keys: list(string) >= 0",
                       ListOfTypes("sparse_types"), ListOfTypes("Tdense"), "dense_shapes: list(shape) >= 0"},
             .doc = "The features of one example."}));

}  // namespace

ParsedExamples ParseExample(Operand serialized, const ParseExampleOptions& options) {
  const NodeName node(serialized, options.name, "ParseExample");
  if (!node) return {};
  std::vector<Output> sparse_keys, dense_keys, defaults;
  std::vector<DataType> sparse_types;
  std::vector<Shape> shapes;
  for (size_t i = 0; i < options.sparse.size(); ++i) {
    sparse_keys.push_back(node.Constant(Tensor(options.sparse[i].key), absl::StrCat("sparse_keys_", i)));
    sparse_types.push_back(options.sparse[i].dtype);
  }
  for (size_t i = 0; i < options.dense.size(); ++i) {
    dense_keys.push_back(node.Constant(Tensor(options.dense[i].key), absl::StrCat("dense_keys_", i)));
    defaults.push_back(options.dense[i].default_value);
    shapes.push_back(options.dense[i].shape);
  }
  const Output names = node.Constant(Tensor::Vector<std::string>({}), "names");
  Node* made = NodeBuilder("ParseExample", {serialized, names})
                   .Inputs(sparse_keys)
                   .Inputs(dense_keys)
                   .Inputs(defaults)
                   .Attr("sparse_types", sparse_types)
                   .Attr("dense_shapes", shapes)
                   .Name(node.exact())
                   .BuildNode();
  ParsedExamples parsed;
  if (made == nullptr) return parsed;
  const int n = static_cast<int>(options.sparse.size());
  for (int i = 0; i < n; ++i) {
    parsed.sparse.push_back(
        {.indices = made->output(i), .values = made->output(n + i), .shape = made->output(2 * n + i)});
  }
  for (size_t i = 0; i < options.dense.size(); ++i) parsed.dense.push_back(made->output(3 * n + static_cast<int>(i)));
  return parsed;
}

}  // namespace staticflow
