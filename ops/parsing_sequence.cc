// ParseSequenceExample, ParseSequenceExampleV2, ParseSingleSequenceExample: a tf.train.SequenceExample is an example,
// its context, and lists of features, one for each moment.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/parsing.h"
#include "ops/sequence_parser.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

using absl::StrCat;

void SetPartShapes(const SequencePart& part, const Shape& batch, ShapeContext& c) {
  const int64_t rank = batch.has_rank() ? batch.rank() + 1 + part.is_list : Shape::kUnknownDim;
  for (int i = 0, n = part.num(part.sparse); i < n; ++i) {
    c.set_output(part.sparse_output + i, {Shape::kUnknownDim, rank});
    c.set_output(part.sparse_output + n + i, {Shape::kUnknownDim});
    c.set_output(part.sparse_output + 2 * n + i, {rank});
  }
  for (int i = 0; i < part.num(part.dense); ++i) {
    const Shape rows = part.is_list ? batch.Concatenate({Shape::kUnknownDim}) : batch;
    c.set_output(part.dense_output + i, rows.Concatenate(part.shapes[i]));
    if (part.lengths_output >= 0) c.set_output(part.lengths_output + i, batch);
  }
  for (int i = 0, n = part.num(part.ragged); i < (2 + part.is_list) * n; ++i) {
    c.set_output(part.ragged_output + i, Shape::UnknownOfRank(1));
  }
}

absl::Status SequenceShape(ShapeContext& c) {
  const SequenceSpec spec(c);
  SF_RETURN_IF_ERROR(spec.Check(c.node()));
  Shape batch = c.input(0);
  if (spec.form == SequenceForm::kSingle) {
    SF_ASSIGN_OR_RETURN(batch, c.WithRank(0, 0));
  }
  if (batch.has_rank() && batch.rank() > 1) return c.WithRank(0, 1).status();
  SetPartShapes(spec.context, batch, c);
  SetPartShapes(spec.lists, batch, c);
  return absl::OkStatus();
}

absl::StatusOr<Kernel> SequenceKernel(const KernelSetup& setup) {
  const SequenceSpec spec(setup);
  std::vector<bool> allocate;
  for (int i = 0; i < setup.node().num_outputs(); ++i) allocate.push_back(!setup.output_shape(i).IsFullyDefined());
  return Kernel([spec, allocate](KernelContext& c) { return SequenceParser(c, spec, allocate).Run(); });
}

OpSpec SequenceOp(const char* name, std::vector<std::string> inputs, std::vector<std::string> more_attrs,
                  const char* doc) {
  const bool is_v2 = inputs[2] == "context_sparse_keys: string",
             is_single = inputs[2].starts_with("context_sparse_keys: N");
  OpSpec spec = {.name = name,
                 .inputs = std::move(inputs),
                 .shape = SequenceShape,
                 .gradient = kGradientIsError,
                 .kernel = SequenceKernel,
                 .doc = doc};
  const auto outputs = [&](std::initializer_list<const char*> more) {
    spec.outputs.insert(spec.outputs.end(), more.begin(), more.end());
  };
  outputs({"context_sparse_indices: Ncontext_sparse * int64", "context_sparse_values: context_sparse_types",
           "context_sparse_shapes: Ncontext_sparse * int64", "context_dense_values: Tcontext_dense"});
  if (is_v2) {
    outputs(
        {"context_ragged_values: context_ragged_value_types", "context_ragged_row_splits: context_ragged_split_types"});
  }
  outputs({"feature_list_sparse_indices: Nfeature_list_sparse * int64",
           "feature_list_sparse_values: feature_list_sparse_types",
           "feature_list_sparse_shapes: Nfeature_list_sparse * int64",
           "feature_list_dense_values: feature_list_dense_types"});
  if (!is_single) outputs({"feature_list_dense_lengths: Nfeature_list_dense * int64"});
  if (is_v2) {
    outputs({"feature_list_ragged_values: feature_list_ragged_value_types",
             "feature_list_ragged_outer_splits: feature_list_ragged_split_types",
             "feature_list_ragged_inner_splits: feature_list_ragged_split_types"});
  }
  for (const char* count : {"Ncontext_sparse", "Ncontext_dense", "Nfeature_list_sparse", "Nfeature_list_dense"}) {
    if (!is_v2 || count != std::string("Ncontext_dense")) spec.attrs.push_back(StrCat(count, ": int >= 0 = 0"));
  }
  for (const char* types :
       {"context_sparse_types", "Tcontext_dense", "feature_list_sparse_types", "feature_list_dense_types"}) {
    spec.attrs.push_back(StrCat(types, ": list({float, int64, string}) >= 0 = []"));
  }
  for (const char* shapes : {"context_dense_shapes", "feature_list_dense_shapes"}) {
    spec.attrs.push_back(StrCat(shapes, ": list(shape) >= 0 = []"));
  }
  spec.attrs.insert(spec.attrs.end(), more_attrs.begin(), more_attrs.end());
  return spec;
}
const OpRegistrar batch(SequenceOp(
    "ParseSequenceExample", {"serialized: string", "debug_name: string", "context_dense_defaults: Tcontext_dense"},
    {"feature_list_dense_missing_assumed_empty: list(string) >= 0", "context_sparse_keys: list(string) >= 0",
     "context_dense_keys: list(string) >= 0", "feature_list_sparse_keys: list(string) >= 0",
     "feature_list_dense_keys: list(string) >= 0"},
    "The features of a vector of sequence examples."));
const OpRegistrar batch_v2(
    SequenceOp("ParseSequenceExampleV2",
               {"serialized: string", "debug_name: string", "context_sparse_keys: string", "context_dense_keys: string",
                "context_ragged_keys: string", "feature_list_sparse_keys: string", "feature_list_dense_keys: string",
                "feature_list_ragged_keys: string", "feature_list_dense_missing_assumed_empty: bool",
                "context_dense_defaults: Tcontext_dense"},
               {"context_ragged_value_types: list({float, int64, string}) >= 0 = []",
                "context_ragged_split_types: list({int32, int64}) >= 0 = []",
                "feature_list_ragged_value_types: list({float, int64, string}) >= 0 = []",
                "feature_list_ragged_split_types: list({int32, int64}) >= 0 = []"},
               "The features of one sequence example or of a vector of them."));
const OpRegistrar single(SequenceOp("ParseSingleSequenceExample",
                                    {"serialized: string", "feature_list_dense_missing_assumed_empty: string",
                                     "context_sparse_keys: Ncontext_sparse * string",
                                     "context_dense_keys: Ncontext_dense * string",
                                     "feature_list_sparse_keys: Nfeature_list_sparse * string",
                                     "feature_list_dense_keys: Nfeature_list_dense * string",
                                     "context_dense_defaults: Tcontext_dense", "debug_name: string"},
                                    {}, "The features of one sequence example."));

}  // namespace

ParsedSequences ParseSequenceExample(Operand serialized, const ParseSequenceOptions& options) {
  const NodeName name(serialized, options.name, "ParseSequenceExample");
  if (!name) return {};
  struct Part {
    std::vector<std::string> sparse_keys, dense_keys;
    std::vector<DataType> sparse_types, dense_types;
    std::vector<Shape> shapes;
    std::vector<Output> defaults;
  };
  const auto part = [](const std::vector<SparseFeature>& sparse, const std::vector<DenseFeature>& dense) {
    Part part;
    for (const SparseFeature& feature : sparse) {
      part.sparse_keys.push_back(feature.key);
      part.sparse_types.push_back(feature.dtype);
    }
    for (const DenseFeature& feature : dense) {
      part.dense_keys.push_back(feature.key);
      part.shapes.push_back(feature.shape);
      part.defaults.push_back(feature.default_value);
      part.dense_types.push_back(feature.default_value.valid() ? feature.default_value.dtype() : DT_INVALID);
    }
    return part;
  };
  const Part context = part(options.context_sparse, options.context_dense);
  const Part lists = part(options.list_sparse, options.list_dense);
  const auto count = [](size_t n) { return static_cast<int64_t>(n); };
  Node* node =
      NodeBuilder("ParseSequenceExample", {serialized, name.Constant(Tensor::Vector<std::string>({}), "debug_name")})
          .Inputs(context.defaults)
          .Attr("feature_list_dense_missing_assumed_empty", options.may_be_missing)
          .Attr("context_sparse_keys", context.sparse_keys)
          .Attr("context_dense_keys", context.dense_keys)
          .Attr("feature_list_sparse_keys", lists.sparse_keys)
          .Attr("feature_list_dense_keys", lists.dense_keys)
          .Attr("Ncontext_sparse", count(context.sparse_keys.size()))
          .Attr("Ncontext_dense", count(context.dense_keys.size()))
          .Attr("Nfeature_list_sparse", count(lists.sparse_keys.size()))
          .Attr("Nfeature_list_dense", count(lists.dense_keys.size()))
          .Attr("context_sparse_types", context.sparse_types)
          .Attr("feature_list_sparse_types", lists.sparse_types)
          .Attr("feature_list_dense_types", lists.dense_types)
          .Attr("context_dense_shapes", context.shapes)
          .Attr("feature_list_dense_shapes", lists.shapes)
          .Name(name.exact())
          .BuildNode();
  ParsedSequences parsed;
  if (node == nullptr) return parsed;
  int next = 0;
  const auto take = [&](size_t n) {
    std::vector<Output> outputs;
    while (outputs.size() < n) outputs.push_back(node->output(next++));
    return outputs;
  };
  const auto take_sparse = [&](size_t n, std::vector<ParsedExamples::Sparse>* sparse) {
    const std::vector<Output> indices = take(n), values = take(n), shapes = take(n);
    for (size_t i = 0; i < n; ++i) sparse->push_back({indices[i], values[i], shapes[i]});
  };
  take_sparse(context.sparse_keys.size(), &parsed.context_sparse);
  parsed.context_dense = take(context.dense_keys.size());
  take_sparse(lists.sparse_keys.size(), &parsed.list_sparse);
  parsed.list_dense = take(lists.dense_keys.size());
  parsed.list_lengths = take(lists.dense_keys.size());
  return parsed;
}

}  // namespace staticflow
