// The candidate samplers and ComputeAccidentalHits. Contracts: ops/candidates.h.
#include "ops/candidates.h"

#include <cmath>
#include <limits>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/gradients.h"
#include "ops/candidate_weights.h"
#include "ops/random_counter.h"
#include "runtime/io/env.h"

namespace staticflow {
namespace {

absl::Status SamplerShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape classes, c.WithRank(0, 2));
  const int64_t num_true = c.attr<int64_t>("num_true"), num_sampled = c.attr<int64_t>("num_sampled");
  SF_RETURN_IF_ERROR(c.MergeDims(classes.dim(1), num_true, "true classes in a row").status());
  c.set_output(0, {num_sampled});
  c.set_output(1, {classes.dim(0), num_true});
  c.set_output(2, {num_sampled});
  return absl::OkStatus();
}

// Draws into `batch`; the result is how often it drew. REQUIRES: there are as many possible classes.
absl::StatusOr<int64_t> DrawBatch(const ClassDistribution& classes, bool unique, PhiloxNumbers& numbers,
                                  const StepState& step, absl::Span<int64_t> batch) {
  if (!unique) {
    for (int64_t& value : batch) value = classes.Draw(numbers);
    return static_cast<int64_t>(batch.size());
  }
  absl::flat_hash_set<int64_t> used;
  int64_t tries = 0;
  for (size_t picked = 0; picked < batch.size();) {
    if (++tries == std::numeric_limits<int32_t>::max()) {
      return absl::ResourceExhaustedError(absl::StrCat("drew ", tries, " times and found ", picked, " classes"));
    }
    if (tries % 65536 == 0 && step.IsCancelled()) return absl::CancelledError("the step was cancelled");
    const int64_t value = classes.Draw(numbers);
    if (used.insert(value).second) batch[picked++] = value;
  }
  return tries;
}

// How often a class of probability p is expected among `size` that took `tries` draws.
float ExpectedCount(float p, int64_t size, int64_t tries) {
  if (tries == size) return p * static_cast<float>(size);
  return -std::expm1(static_cast<float>(tries) * std::log1p(-p));
}

absl::Status Sample(KernelContext& c, ClassDistribution& classes, RandomCounter& counter, bool unique) {
  const absl::Span<const int64_t> truth = c.input(0).flat<int64_t>();
  const absl::Span<int64_t> sampled = c.output(0).flat<int64_t>();
  const int64_t size = static_cast<int64_t>(sampled.size());
  if (unique && size > classes.possible()) {
    return absl::InvalidArgumentError(
        absl::StrCat("num_sampled is ", size, ", there are only ", classes.possible(), " classes to draw"));
  }
  for (const int64_t value : truth) {
    if (value < 0 || value >= classes.range()) {
      return absl::InvalidArgumentError(
          absl::StrCat("true class ", value, " is out of range [0, ", classes.range(), ")"));
    }
  }
  PhiloxNumbers numbers(counter.Reserve(static_cast<uint64_t>(size) * 512));
  SF_ASSIGN_OR_RETURN(const int64_t tries, DrawBatch(classes, unique, numbers, c.step(), sampled));
  for (size_t i = 0; i < truth.size(); ++i) {
    c.out<float>(1)[i] = ExpectedCount(classes.Probability(truth[i]), size, tries);
  }
  for (size_t i = 0; i < sampled.size(); ++i) {
    c.out<float>(2)[i] = ExpectedCount(classes.Probability(sampled[i]), size, tries);
  }
  classes.Learn(truth);
  return absl::OkStatus();
}

OpSpec SamplerOp(std::string name, KernelSource kernel, std::vector<std::string> attrs, std::string doc) {
  for (const char* attr : {"unique: bool", "num_sampled: int >= 1", "num_true: int >= 1"}) {
    attrs.insert(attrs.begin(), attr);
  }
  attrs.insert(attrs.end(), {kSeedAttr, kSeed2Attr});
  return {.name = std::move(name),
          .inputs = {"true_classes: int64"},
          .outputs = {"sampled_candidates: int64", "true_expected_count: float", "sampled_expected_count: float"},
          .attrs = std::move(attrs),
          .shape = SamplerShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .traits = kStateful,
          .doc = std::move(doc)};
}

// Samplers whose distribution follows from the range alone.
template <typename Classes>
absl::StatusOr<Kernel> SamplerKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  const auto classes = std::make_shared<Classes>(setup.attr<int64_t>("range_max"));
  return Kernel([counter, classes, unique = setup.attr<bool>("unique")](KernelContext& c) {
    return Sample(c, *classes, *counter, unique);
  });
}
const OpRegistrar uniform(SamplerOp("UniformCandidateSampler", SamplerKernel<UniformClasses>, {"range_max: int >= 1"},
                                    "Classes drawn with equal probabilities."));
const OpRegistrar log_uniform(SamplerOp("LogUniformCandidateSampler", SamplerKernel<LogUniformClasses>,
                                        {"range_max: int >= 1"},
                                        "Classes drawn with probabilities that fall as 1 / (k + 1)."));

// LearnedUnigramCandidateSampler: the session keeps what was learned.
absl::StatusOr<Kernel> LearnedKernel(const KernelSetup& setup) {
  const int64_t range = setup.attr<int64_t>("range_max");
  if (range >= std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("range_max is ", range, ", expected less than 2^31 - 1"));
  }
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  SF_ASSIGN_OR_RETURN(LearnedWeights * classes, setup.resources().FindOrCreate<LearnedWeights>(
                                                    absl::StrCat("learned classes of ", setup.node().name()),
                                                    [range] { return std::make_unique<LearnedWeights>(range); }));
  return Kernel([counter, classes, unique = setup.attr<bool>("unique")](KernelContext& c) {
    absl::MutexLock lock(&classes->mutex());
    return Sample(c, *classes, *counter, unique);
  });
}
const OpRegistrar learned(SamplerOp("LearnedUnigramCandidateSampler", LearnedKernel, {"range_max: int >= 1"},
                                    "Classes drawn as often as they were true ones, learned while training."));
const OpRegistrar unsafe(SamplerOp("ThreadUnsafeUnigramCandidateSampler", LearnedKernel, {"range_max: int >= 1"},
                                   "The same as LearnedUnigramCandidateSampler."));

// AllCandidateSampler: 0, ..., num_sampled - 1, each expected once.
absl::Status AllKernel(KernelContext& c) {
  const int64_t size = c.output(0).num_elements;
  for (const int64_t value : c.input(0).flat<int64_t>()) {
    if (value < 0 || value >= size) {
      return absl::InvalidArgumentError(absl::StrCat("true class ", value, " is out of range [0, ", size, ")"));
    }
  }
  for (int64_t i = 0; i < size; ++i) c.out<int64_t>(0)[i] = i;
  std::fill_n(c.out<float>(1), c.output(1).num_elements, 1.0f);
  std::fill_n(c.out<float>(2), size, 1.0f);
  return absl::OkStatus();
}
const OpRegistrar all(SamplerOp("AllCandidateSampler", AllKernel, {}, "All classes."));

// FixedUnigramCandidateSampler: weights of an attribute or a file.
struct WeightsSource {
  int64_t range, num_reserved_ids, num_shards, shard;
  float distortion;
};

absl::StatusOr<std::unique_ptr<FixedWeights>> MakeWeights(const WeightsSource& source, absl::Span<const float> given) {
  if (source.num_reserved_ids < 0 || source.num_reserved_ids > std::numeric_limits<int32_t>::max() ||
      source.shard >= source.num_shards) {
    return absl::InvalidArgumentError(absl::StrCat("num_reserved_ids is ", source.num_reserved_ids, ", shard ",
                                                   source.shard, " of ", source.num_shards));
  }
  const int64_t total_ids = source.num_reserved_ids + static_cast<int64_t>(given.size());
  const int64_t mine = total_ids / source.num_shards + (source.shard < total_ids % source.num_shards ? 1 : 0);
  if (mine != source.range || mine > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", mine, " weights, range_max is ", source.range));
  }
  std::vector<float> weights;
  float total = 0;
  for (int64_t id = source.shard; id < total_ids; id += source.num_shards) {
    if (id < source.num_reserved_ids) {
      weights.push_back(0);
      continue;
    }
    const float weight = std::pow(given[static_cast<size_t>(id - source.num_reserved_ids)], source.distortion);
    if (!(weight >= 0) || std::isinf(weight)) {
      return absl::InvalidArgumentError(absl::StrCat("the weight of class ", id, " is ", weight));
    }
    weights.push_back(weight);
    total += weight;
  }
  if (!(total > 0) || std::isinf(total)) return absl::InvalidArgumentError(absl::StrCat("the weights sum to ", total));
  return std::make_unique<FixedWeights>(std::move(weights), total);
}

// The number after the last comma of each line.
absl::StatusOr<std::vector<float>> WeightsOfFile(Env* env, const std::string& path) {
  SF_ASSIGN_OR_RETURN(const std::string contents, ReadWholeFile(env, path));
  std::vector<float> weights;
  std::vector<absl::string_view> lines = absl::StrSplit(contents, '\n');
  if (lines.back().empty()) lines.pop_back();
  for (const absl::string_view line : lines) {
    const size_t comma = line.rfind(',');
    float weight = 0;
    if (!absl::SimpleAtof(comma == line.npos ? line : line.substr(comma + 1), &weight)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": '", line, "' does not end with a number"));
    }
    weights.push_back(weight);
  }
  return weights;
}

absl::StatusOr<Kernel> FixedKernel(const KernelSetup& setup) {
  const std::string& path = setup.attr<std::string>("vocab_file");
  const std::vector<float>& unigrams = setup.attr<std::vector<float>>("unigrams");
  if (path.empty() == unigrams.empty()) {
    return absl::InvalidArgumentError("expected either vocab_file or unigrams");
  }
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  const WeightsSource source = {.range = setup.attr<int64_t>("range_max"),
                                .num_reserved_ids = setup.attr<int64_t>("num_reserved_ids"),
                                .num_shards = setup.attr<int64_t>("num_shards"),
                                .shard = setup.attr<int64_t>("shard"),
                                .distortion = setup.attr<float>("distortion")};
  const bool unique = setup.attr<bool>("unique");
  if (path.empty()) {
    SF_ASSIGN_OR_RETURN(std::shared_ptr<FixedWeights> weights, MakeWeights(source, unigrams));
    return Kernel([=](KernelContext& c) { return Sample(c, *weights, *counter, unique); });
  }
  // The first step reads the file; the session keeps what it said.
  return Kernel([=, key = absl::StrCat("weights of ", setup.node().name())](KernelContext& c) -> absl::Status {
    absl::StatusOr<FixedWeights*> weights = c.step().resources->Find<FixedWeights>(key);
    if (!weights.ok()) {
      SF_ASSIGN_OR_RETURN(const std::vector<float> given, WeightsOfFile(c.step().env, path));
      SF_ASSIGN_OR_RETURN(std::unique_ptr<FixedWeights> made, MakeWeights(source, given));
      weights = c.step().resources->FindOrCreate<FixedWeights>(key, [&] { return std::move(made); });
    }
    SF_RETURN_IF_ERROR(weights.status());
    return Sample(c, **weights, *counter, unique);
  });
}
const OpRegistrar fixed(SamplerOp("FixedUnigramCandidateSampler", FixedKernel,
                                  {"range_max: int >= 1", "vocab_file: string = ''", "distortion: float = 1.0",
                                   "num_reserved_ids: int = 0", "num_shards: int >= 1 = 1", "shard: int >= 0 = 0",
                                   "unigrams: list(float) = []"},
                                  "Classes drawn by given weights."));

// ComputeAccidentalHits: where sampled classes are true ones.
absl::Status HitsShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape classes, c.WithRank(0, 2));
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  SF_RETURN_IF_ERROR(c.MergeDims(classes.dim(1), c.attr<int64_t>("num_true"), "true classes in a row").status());
  for (int i = 0; i < 3; ++i) c.set_output(i, {Shape::kUnknownDim});
  return absl::OkStatus();
}
absl::Status HitsKernel(KernelContext& c) {
  const TensorView& classes = c.input(0);
  absl::flat_hash_map<int64_t, int64_t> positions;  // of a class that was drawn several times, the last one
  for (int64_t i = 0; i < c.input(1).num_elements; ++i) positions[c.in<int64_t>(1)[i]] = i;
  std::vector<std::pair<int64_t, int64_t>> hits;
  for (int64_t i = 0; i < classes.num_elements; ++i) {
    const auto found = positions.find(classes.as<int64_t>()[i]);
    if (found != positions.end()) hits.push_back({i / classes.dim(1), found->second});
  }
  const int64_t n = static_cast<int64_t>(hits.size());
  if (classes.dim(0) > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("true_classes has ", classes.dim(0), " rows"));
  }
  for (int i = 0; i < 3; ++i) SF_RETURN_IF_ERROR(c.AllocateOutput(i, {n}));
  for (int64_t i = 0; i < n; ++i) {
    c.out<int32_t>(0)[i] = static_cast<int32_t>(hits[i].first);
    c.out<int64_t>(1)[i] = hits[i].second;
    c.out<float>(2)[i] = std::numeric_limits<float>::lowest();
  }
  return absl::OkStatus();
}
const OpRegistrar hits({.name = "ComputeAccidentalHits",
                        .inputs = {"true_classes: int64", "sampled_candidates: int64"},
                        .outputs = {"indices: int32", "ids: int64", "weights: float"},
                        .attrs = {"num_true: int", kSeedAttr, kSeed2Attr},
                        .shape = HitsShape,
                        .gradient = kNotDifferentiable,
                        .kernel = HitsKernel,
                        .doc = "Where sampled classes are true ones."});

// `num_true` is the number of columns, which the shape has to tell.
NodeBuilder SamplerNode(absl::string_view type, const Operand& true_classes, const CandidateSamplerOptions& options) {
  NodeBuilder builder(type, {true_classes});
  if (!true_classes.output().valid()) return builder;
  const Shape& shape = true_classes.output().shape();
  const auto [seed, seed2] = true_classes.output().graph().OpSeeds(options.seed);
  return builder.Attr("num_true", shape.rank() == 2 ? std::max<int64_t>(shape.dim(1), 1) : 1)
      .Attr("num_sampled", options.num_sampled)
      .Attr("unique", options.unique)
      .Attr("seed", seed)
      .Attr("seed2", seed2)
      .Name(options.name);
}
CandidateSamples Built(NodeBuilder builder) {
  Node* node = builder.BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1), node->output(2)};
}
CandidateSamples InRange(absl::string_view type, const Operand& classes, const CandidateSamplerOptions& options) {
  return Built(SamplerNode(type, classes, options).Attr("range_max", options.range_max));
}

}  // namespace

CandidateSamples UniformCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options) {
  return InRange("UniformCandidateSampler", true_classes, options);
}
CandidateSamples LogUniformCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options) {
  return InRange("LogUniformCandidateSampler", true_classes, options);
}
CandidateSamples LearnedUnigramCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options) {
  return InRange("LearnedUnigramCandidateSampler", true_classes, options);
}
CandidateSamples AllCandidateSampler(Operand true_classes, const CandidateSamplerOptions& options) {
  return Built(SamplerNode("AllCandidateSampler", true_classes, options));
}
CandidateSamples FixedUnigramCandidateSampler(Operand true_classes, const FixedUnigrams& weights,
                                              const CandidateSamplerOptions& options) {
  return Built(SamplerNode("FixedUnigramCandidateSampler", true_classes, options)
                   .Attr("range_max", options.range_max)
                   .Attr("vocab_file", weights.vocab_file)
                   .Attr("distortion", weights.distortion)
                   .Attr("num_reserved_ids", weights.num_reserved_ids)
                   .Attr("num_shards", weights.num_shards)
                   .Attr("shard", weights.shard)
                   .Attr("unigrams", weights.unigrams));
}

AccidentalHits ComputeAccidentalHits(Operand true_classes, Operand sampled_candidates, const OpOptions& options) {
  NodeBuilder builder("ComputeAccidentalHits", {true_classes, sampled_candidates});
  if (true_classes.output().valid()) {
    const Shape& shape = true_classes.output().shape();
    builder.Attr("num_true", shape.rank() == 2 ? shape.dim(1) : 1);
  }
  Node* node = builder.Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1), node->output(2)};
}

}  // namespace staticflow
