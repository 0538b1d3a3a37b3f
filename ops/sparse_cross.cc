// SparseCross, SparseCrossV2, SparseCrossHashed. Contracts: ops/sparse.h.
//
// The combinations of an example are in the order of counting, the last feature's value changing fastest.
#include <algorithm>
#include <limits>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/sparse.h"
#include "ops/string_hash.h"
#include "runtime/io/coding.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// One feature: values of example i begin at begins[i], and end where the next one begins.
struct Feature {
  const TensorView* values = nullptr;
  std::vector<int64_t> begins;
  bool is_sparse = false;

  int64_t Count(int64_t example) const { return begins[example + 1] - begins[example]; }
  std::string Text(int64_t at) const {
    return values->dtype == DT_STRING ? values->as<std::string>()[at] : absl::StrCat(values->as<int64_t>()[at]);
  }
};

// Examples without an entry in a sparse feature have none of its values; entries that are not in the order of examples
// count no more from there on.
absl::StatusOr<Feature> SparseFeature(const TensorView& indices, const TensorView& values, const TensorView& shape,
                                      int64_t examples) {
  if (indices.rank() != 2 || indices.dim(1) != 2 || values.rank() != 1 || shape.num_elements != 2 ||
      shape.rank() != 1 || indices.dim(0) != values.dim(0)) {
    return absl::InvalidArgumentError(absl::StrCat("a feature has indices of shape ", indices.shape->ToString(),
                                                   ", values of shape ", values.shape->ToString(),
                                                   " and a shape of shape ", shape.shape->ToString()));
  }
  if (shape.as<int64_t>()[0] != examples) {
    return absl::InvalidArgumentError(
        absl::StrCat("a feature has ", shape.as<int64_t>()[0], " examples, another ", examples));
  }
  Feature feature{.values = &values, .begins = {0}, .is_sparse = true};
  int64_t at = 0;
  for (int64_t example = 0; example < examples; ++example) {
    while (at < values.num_elements && indices.as<int64_t>()[2 * at] == example) ++at;
    feature.begins.push_back(at);
  }
  return feature;
}
absl::StatusOr<Feature> DenseFeature(const TensorView& values, int64_t examples) {
  if (values.rank() != 2 || values.dim(0) != examples) {
    return absl::InvalidArgumentError(
        absl::StrCat("a feature has shape ", values.shape->ToString(), ", expected ", examples, " rows"));
  }
  Feature feature{.values = &values, .begins = {}};
  for (int64_t example = 0; example <= examples; ++example) feature.begins.push_back(example * values.dim(1));
  return feature;
}

// The arguments of the three ops begin alike: indices N times, values, shapes N times, dense features.
absl::StatusOr<std::vector<Feature>> FeaturesOf(const KernelContext& c, int64_t sparse, int64_t dense,
                                                int64_t* examples) {
  *examples = 0;
  if (dense > 0 && c.input(static_cast<int>(3 * sparse)).rank() > 0) {
    *examples = c.input(static_cast<int>(3 * sparse)).dim(0);
  }
  if (sparse > 0) {
    const TensorView& shape = c.input(static_cast<int>(2 * sparse));
    if (shape.num_elements > 0) *examples = shape.as<int64_t>()[0];
  }
  if (*examples < 0) return absl::InvalidArgumentError(absl::StrCat("there are ", *examples, " examples"));
  constexpr int64_t kMaxExamples = int64_t{1} << 24;
  if (*examples > kMaxExamples)
    return absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxExamples, " examples"));
  std::vector<Feature> features;
  for (int i = 0; i < sparse; ++i) {
    const int values = static_cast<int>(sparse) + i, shape = static_cast<int>(2 * sparse) + i;
    SF_ASSIGN_OR_RETURN(Feature feature, SparseFeature(c.input(i), c.input(values), c.input(shape), *examples));
    features.push_back(std::move(feature));
  }
  for (int i = 0; i < dense; ++i) {
    SF_ASSIGN_OR_RETURN(Feature feature, DenseFeature(c.input(static_cast<int>(3 * sparse) + i), *examples));
    features.push_back(std::move(feature));
  }
  return features;
}

// Calls `write(k, at)` for each combination, the k-th of all; at[i] is where feature i's value is.
template <typename Write>
void ForEachCross(absl::Span<const Feature> features, int64_t examples, const Write& write) {
  std::vector<int64_t> at(features.size());
  int64_t k = 0;
  for (int64_t example = 0; example < examples; ++example) {
    bool more = !features.empty() && absl::c_all_of(features, [&](const Feature& f) { return f.Count(example) > 0; });
    for (size_t i = 0; i < features.size(); ++i) at[i] = features[i].begins[example];
    while (more) {
      write(k++, at);
      more = false;
      for (size_t i = features.size(); i-- > 0 && !more;) {
        more = ++at[i] < features[i].begins[example + 1];
        if (!more) at[i] = features[i].begins[example];
      }
    }
  }
}

// Gives the outputs their memory, and writes indices and shape.
absl::Status AllocateCrosses(KernelContext& c, absl::Span<const Feature> features, int64_t examples) {
  std::vector<int64_t> counts(examples, features.empty() ? 0 : 1);
  int64_t total = 0, most = 0;
  for (int64_t example = 0; example < examples; ++example) {
    for (const Feature& feature : features) counts[example] = MultiplySizes(counts[example], feature.Count(example));
    total = AddSizes(total, counts[example]);
    most = std::max(most, counts[example]);
  }
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {total, 2}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {total}));
  int64_t* index = c.out<int64_t>(0);
  for (int64_t example = 0; example < examples; ++example) {
    for (int64_t k = 0; k < counts[example]; ++k, index += 2) {
      index[0] = example;
      index[1] = k;
    }
  }
  c.out<int64_t>(2)[0] = examples;
  c.out<int64_t>(2)[1] = most;
  return absl::OkStatus();
}

// One number of two, as TensorFlow joins fingerprints.
uint64_t JoinFingerprints(uint64_t a, uint64_t b) {
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995;
  const auto mix = [](uint64_t value) { return value ^ (value >> 47); };
  const uint64_t joined = (a ^ kFactor ^ mix(b * kFactor) * kFactor) * kFactor;
  return mix(mix(joined) * kFactor);
}

struct CrossHash {
  bool has_start = false;
  uint64_t start = 0;       // what the values are joined to, one after the other
  int64_t num_buckets = 0;  // 0: as many as there are numbers
  bool is_strong = false;   // strings are hashed with the key
  uint64_t key[2] = {0, 0};

  uint64_t ValueOf(const Feature& feature, int64_t at) const {
    if (feature.values->dtype == DT_STRING) return HashOf(feature.values->as<std::string>()[at]);
    const int64_t value = feature.values->as<int64_t>()[at];
    // SparseCrossHashed hashes numbers of sparse features, four bytes of them, and takes those of dense ones as they
    // are.
    if (has_start || !feature.is_sparse) return static_cast<uint64_t>(value);
    std::string bytes;
    PutFixed32(&bytes, static_cast<uint32_t>(value));
    return HashOf(bytes);
  }
  uint64_t HashOf(absl::string_view text) const { return is_strong ? SipHash(key, text) : FarmFingerprint(text); }
  int64_t Of(absl::Span<const Feature> features, absl::Span<const int64_t> at) const {
    uint64_t hash = has_start ? start : ValueOf(features[0], at[0]);
    for (size_t i = has_start ? 0 : 1; i < features.size(); ++i) {
      hash = JoinFingerprints(hash, ValueOf(features[i], at[i]));
    }
    const int64_t buckets = num_buckets > 0 ? num_buckets : std::numeric_limits<int64_t>::max();
    return static_cast<int64_t>(hash % static_cast<uint64_t>(buckets));
  }
};

absl::Status WriteHashes(KernelContext& c, int64_t sparse, int64_t dense, const CrossHash& hash) {
  int64_t examples = 0;
  SF_ASSIGN_OR_RETURN(const std::vector<Feature> features, FeaturesOf(c, sparse, dense, &examples));
  SF_RETURN_IF_ERROR(AllocateCrosses(c, features, examples));
  int64_t* const out = c.out<int64_t>(1);
  ForEachCross(features, examples, [&](int64_t k, absl::Span<const int64_t> at) { out[k] = hash.Of(features, at); });
  return absl::OkStatus();
}
absl::Status WriteTexts(KernelContext& c, int64_t sparse, int64_t dense, const std::string& separator) {
  int64_t examples = 0;
  SF_ASSIGN_OR_RETURN(const std::vector<Feature> features, FeaturesOf(c, sparse, dense, &examples));
  SF_RETURN_IF_ERROR(AllocateCrosses(c, features, examples));
  ForEachCross(features, examples, [&](int64_t k, absl::Span<const int64_t> at) {
    std::string& text = c.out<std::string>(1)[k];
    text = features[0].Text(at[0]);
    for (size_t i = 1; i < features.size(); ++i) absl::StrAppend(&text, separator, features[i].Text(at[i]));
  });
  return absl::OkStatus();
}

absl::Status CrossShape(ShapeContext& c) {
  const int64_t n = c.attr<int64_t>("N");
  if (n != static_cast<int64_t>(c.attr<std::vector<DataType>>("sparse_types").size())) {
    return absl::InvalidArgumentError(absl::StrCat("N is ", n, ", but sparse_types has another length"));
  }
  c.set_output(0, {Shape::kUnknownDim, 2});
  c.set_output(1, {Shape::kUnknownDim});
  c.set_output(2, {2});
  return absl::OkStatus();
}
struct FeatureCounts {
  explicit FeatureCounts(const KernelSetup& setup)
      : sparse(setup.attr<int64_t>("N")),
        dense(static_cast<int64_t>(setup.attr<std::vector<DataType>>("dense_types").size())) {}
  int64_t sparse, dense;
};

absl::StatusOr<Kernel> CrossKernel(const KernelSetup& setup) {
  const FeatureCounts counts(setup);
  const bool hashed = setup.attr<bool>("hashed_output");
  if (hashed != (setup.output_dtype(1) == DT_INT64)) {
    return absl::InvalidArgumentError("hashes are int64, crosses that are no hashes are strings");
  }
  if (setup.attr<DataType>("internal_type") == DT_STRING) {
    for (int i = 0; i < setup.num_inputs(); ++i) {
      const bool is_index = i < counts.sparse || (i >= 2 * counts.sparse && i < 3 * counts.sparse);
      if (is_index || setup.input_dtype(i) == DT_STRING) continue;
      return absl::InvalidArgumentError("internal_type is string, but a feature is int64");
    }
  }
  const CrossHash hash{.has_start = true,
                       .start = static_cast<uint64_t>(setup.attr<int64_t>("hash_key")),
                       .num_buckets = setup.attr<int64_t>("num_buckets")};
  return Kernel([=](KernelContext& c) {
    return hashed ? WriteHashes(c, counts.sparse, counts.dense, hash)
                  : WriteTexts(c, counts.sparse, counts.dense, "_X_");
  });
}
const OpRegistrar cross(
    {.name = "SparseCross",
     .inputs = {"indices: N * int64", "values: sparse_types", "shapes: N * int64", "dense_inputs: dense_types"},
     .outputs = {"output_indices: int64", "output_values: out_type", "output_shape: int64"},
     .attrs = {"N: int >= 0", "hashed_output: bool", "num_buckets: int >= 0", "hash_key: int",
               "sparse_types: list({int64, string}) >= 0", "dense_types: list({int64, string}) >= 0",
               "out_type: {int64, string}", "internal_type: {int64, string}"},
     .shape = CrossShape,
     .gradient = kNotDifferentiable,
     .kernel = CrossKernel,
     .doc = "All combinations of one value of each feature, as text or as hashes."});

absl::Status CrossHashedShape(ShapeContext& c) {
  const int first = static_cast<int>(3 * c.attr<int64_t>("N") + c.attr<std::vector<DataType>>("dense_types").size());
  SF_RETURN_IF_ERROR(CrossShape(c));
  SF_RETURN_IF_ERROR(c.WithRank(first, 0).status());
  SF_RETURN_IF_ERROR(c.WithRank(first + 1, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape salt, c.WithRank(first + 2, 1));
  return c.MergeDims(salt.dim(0), 2, "numbers of salt").status();
}
absl::StatusOr<Kernel> CrossHashedKernel(const KernelSetup& setup) {
  const FeatureCounts counts(setup);
  const int first = static_cast<int>(3 * counts.sparse + counts.dense);
  if (first == 0) return absl::InvalidArgumentError("there are no features to cross");
  return Kernel([=](KernelContext& c) {
    const int64_t* salt = c.in<int64_t>(first + 2);
    return WriteHashes(c, counts.sparse, counts.dense,
                       {.num_buckets = c.scalar<int64_t>(first),
                        .is_strong = c.scalar<bool>(first + 1),
                        .key = {static_cast<uint64_t>(salt[0]), static_cast<uint64_t>(salt[1])}});
  });
}
const OpRegistrar cross_hashed(
    {.name = "SparseCrossHashed",
     .inputs = {"indices: N * int64", "values: sparse_types", "shapes: N * int64", "dense_inputs: dense_types",
                "num_buckets: int64", "strong_hash: bool", "salt: int64"},
     .outputs = {"output_indices: int64", "output_values: int64", "output_shape: int64"},
     .attrs = {"N: int >= 0", "sparse_types: list({int64, string}) >= 0", "dense_types: list({int64, string}) >= 0"},
     .shape = CrossHashedShape,
     .gradient = kNotDifferentiable,
     .kernel = CrossHashedKernel,
     .doc = "All combinations of one value of each feature, as hashes."});

absl::Status CrossV2Shape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(CrossShape(c));
  return c.WithRank(c.num_inputs() - 1, 0).status();
}
absl::StatusOr<Kernel> CrossV2Kernel(const KernelSetup& setup) {
  const FeatureCounts counts(setup);
  return Kernel([=](KernelContext& c) {
    return WriteTexts(c, counts.sparse, counts.dense, c.scalar<std::string>(c.num_inputs() - 1));
  });
}
const OpRegistrar cross_v2({.name = "SparseCrossV2",
                            .inputs = {"indices: N * int64", "values: sparse_types", "shapes: N * int64",
                                       "dense_inputs: dense_types", "sep: string"},
                            .outputs = {"output_indices: int64", "output_values: string", "output_shape: int64"},
                            .attrs = {"N: int >= 0", "sparse_types: list({int64, string}) >= 0",
                                      "dense_types: list({int64, string}) >= 0"},
                            .shape = CrossV2Shape,
                            .gradient = kNotDifferentiable,
                            .kernel = CrossV2Kernel,
                            .doc = "All combinations of one value of each feature, as text."});

// A node of features: three lists of the parts of sparse ones, and the dense ones.
NodeBuilder CrossBuilder(absl::string_view op, absl::Span<const SparseParts> sparse, absl::Span<const Output> dense) {
  std::vector<Output> indices, values, shapes;
  for (const SparseParts& parts : sparse) {
    indices.push_back(parts.indices);
    values.push_back(parts.values);
    shapes.push_back(parts.shape);
  }
  NodeBuilder node(op, {});
  node.Inputs(indices).Inputs(values).Inputs(shapes).Inputs(dense);
  return node;
}
SparseParts CrossParts(const Node* node) {
  if (node == nullptr) return {};
  return {.indices = node->output(0), .values = node->output(1), .shape = node->output(2)};
}

}  // namespace

SparseParts SparseCross(absl::Span<const SparseParts> sparse, absl::Span<const Output> dense,
                        const SparseCrossOptions& options) {
  const Output first = !sparse.empty() ? sparse[0].values : !dense.empty() ? dense[0] : Output();
  if (!first.valid()) return {};
  return CrossParts(CrossBuilder("SparseCrossV2", sparse, dense)
                        .Input(Const(first.graph(), Tensor(options.separator)))
                        .Name(options.name)
                        .BuildNode());
}
SparseParts SparseCrossHashed(absl::Span<const SparseParts> sparse, absl::Span<const Output> dense,
                              const SparseCrossHashedOptions& options) {
  const auto is_number = [](Output values) { return values.valid() && values.dtype() != DT_STRING; };
  const bool has_numbers = absl::c_any_of(dense, is_number) ||
                           absl::c_any_of(sparse, [&](const SparseParts& parts) { return is_number(parts.values); });
  return CrossParts(CrossBuilder("SparseCross", sparse, dense)
                        .Attr("hashed_output", true)
                        .Attr("num_buckets", options.num_buckets)
                        .Attr("hash_key", options.hash_key)
                        .Attr("out_type", DT_INT64)
                        .Attr("internal_type", has_numbers ? DT_INT64 : DT_STRING)
                        .Name(options.name)
                        .BuildNode());
}

}  // namespace staticflow
