// Candidate samplers: TensorFlow's classes and expected counts, run after run; losses over sampled classes with their
// gradients. Values: TensorFlow 2.21.
#include "ops/candidates.h"

#include <gtest/gtest.h>

#include <optional>

#include "graph/gradients.h"
#include "ops/array.h"
#include "runtime/io/env.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

struct SamplerCase {
  std::string name;
  std::string op;
  Tensor classes;
  AttrMap attrs;
  std::vector<std::vector<Tensor>> want = {};  // the outputs of the first runs in a session
  std::string want_error = "";
};
void PrintTo(const SamplerCase& row, std::ostream* out) { *out << row.op << " '" << row.name << "'"; }

// What samplers have in common; AllCandidateSampler has no range.
AttrMap Sampling(int64_t num_true, int64_t num_sampled, bool unique, std::optional<int64_t> range_max = std::nullopt,
                 const AttrMap& more = {}) {
  AttrMap attrs = more;
  attrs["num_true"] = num_true;
  attrs["num_sampled"] = num_sampled;
  attrs["unique"] = unique;
  if (range_max.has_value()) attrs["range_max"] = *range_max;
  attrs["seed"] = int64_t{87};
  attrs["seed2"] = int64_t{42};
  return attrs;
}

class SamplerTest : public testing::TestWithParam<SamplerCase> {};

TEST_P(SamplerTest, GivesTensorFlowsClassesInEverySession) {
  const SamplerCase& row = GetParam();
  for (const bool known_shape : {true, false}) {
    Graph g;
    const Output classes = Placeholder(
        g, {.dtype = DT_INT64, .shape = known_shape ? row.classes.shape() : Shape::Unknown(), .name = "classes"});
    NodeBuilder builder(row.op, {classes});
    for (const auto& [name, value] : row.attrs) builder.Attr(name, value);
    Node* node = builder.BuildNode();
    absl::Status status = g.status();
    if (node != nullptr) {
      Session session(g, {.threads = 1});
      for (const std::vector<Tensor>& want : row.want) {
        const auto got = session.Run({{classes, row.classes}}, {node->output(0), node->output(1), node->output(2)});
        ASSERT_TRUE(got.ok()) << got.status();
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(TensorsNear((*got)[i], want[i], 1e-6)) << "output " << i;
      }
      if (status.ok() && row.want.empty()) status = session.Run({{classes, row.classes}}, node->output(0)).status();
    }
    if (row.want_error.empty()) continue;
    EXPECT_NE(status.ToString().find(row.want_error), std::string::npos) << status;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, SamplerTest,
    testing::ValuesIn(std::vector<SamplerCase>{
        {.name = "unique",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {5, 9}}),
         .attrs = Sampling(2, 5, true, 10),
         .want = {{T<int64_t>({5, 3, 9, 1, 4}), M({{0.468559, 0.468559}, {0.468559, 0.468559}}),
                   T({0.468559, 0.468559, 0.468559, 0.468559, 0.468559})},
                  {T<int64_t>({7, 1, 8, 5, 3}), M({{0.468559, 0.468559}, {0.468559, 0.468559}}),
                   T({0.468559, 0.468559, 0.468559, 0.468559, 0.468559})},
                  {T<int64_t>({7, 9, 0, 1, 5}), M({{0.6125795, 0.6125795}, {0.6125795, 0.6125795}}),
                   T({0.6125795, 0.6125795, 0.6125795, 0.6125795, 0.6125795})}}},
        {.name = "repeated",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{3}}),
         .attrs = Sampling(1, 6, false, 7),
         .want = {{T<int64_t>({0, 3, 1, 3, 6, 2}), M({{0.8571429}}),
                   T({0.8571429, 0.8571429, 0.8571429, 0.8571429, 0.8571429, 0.8571429})},
                  {T<int64_t>({0, 1, 0, 2, 6, 3}), M({{0.8571429}}),
                   T({0.8571429, 0.8571429, 0.8571429, 0.8571429, 0.8571429, 0.8571429})},
                  {T<int64_t>({3, 3, 6, 0, 0, 2}), M({{0.8571429}}),
                   T({0.8571429, 0.8571429, 0.8571429, 0.8571429, 0.8571429, 0.8571429})}}},
        {.name = "all of them",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{3}}),
         .attrs = Sampling(1, 8, true, 8),
         .want = {{T<int64_t>({3, 7, 1, 0, 5, 4, 2, 6}), M({{0.93079126}}),
                   T({0.93079126, 0.93079126, 0.93079126, 0.93079126, 0.93079126, 0.93079126, 0.93079126, 0.93079126})},
                  {T<int64_t>({4, 1, 3, 0, 2, 5, 7, 6}), M({{0.9689394}}),
                   T({0.9689394, 0.9689394, 0.9689394, 0.9689394, 0.9689394, 0.9689394, 0.9689394, 0.9689394})},
                  {T<int64_t>({4, 3, 0, 5, 2, 6, 7, 1}), M({{0.97621924}}),
                   T({0.97621924, 0.97621924, 0.97621924, 0.97621924, 0.97621924, 0.97621924, 0.97621924,
                      0.97621924})}}},
        {.name = "huge range",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{3}}),
         .attrs = Sampling(1, 3, true, 1099511627777),
         .want = {{T<int64_t>({1008243646547, 619150536191, 942477759546}), M({{2.728484e-12}}),
                   T({2.728484e-12, 2.728484e-12, 2.728484e-12})},
                  {T<int64_t>({708088769061, 899791307774, 904086765076}), M({{2.728484e-12}}),
                   T({2.728484e-12, 2.728484e-12, 2.728484e-12})},
                  {T<int64_t>({944949134154, 351690582714, 708851801283}), M({{2.728484e-12}}),
                   T({2.728484e-12, 2.728484e-12, 2.728484e-12})}}},
        {.name = "no rows",
         .op = "UniformCandidateSampler",
         .classes = T<int64_t>({0, 2}, {}),
         .attrs = Sampling(2, 2, true, 10),
         .want = {{T<int64_t>({5, 3}), T({0, 2}, {}), T({0.2, 0.2})},
                  {T<int64_t>({2, 6}), T({0, 2}, {}), T({0.271, 0.271})},
                  {T<int64_t>({6, 7}), T({0, 2}, {}), T({0.2, 0.2})}}},
        {.name = "unique",
         .op = "LogUniformCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {5, 99}}),
         .attrs = Sampling(2, 5, true, 100),
         .want = {{T<int64_t>({1, 2, 0, 63, 46}), M({{0.62335736, 0.42405504}, {0.18439957, 0.012866643}}),
                   T({0.42405504, 0.3203472, 0.62335736, 0.019988064, 0.027060734})},
                  {T<int64_t>({44, 21, 19, 18, 8}), M({{0.7509524, 0.43927902}, {0.16700612, 0.010780142}}),
                   T({0.023811843, 0.048158832, 0.052859038, 0.055570915, 0.11414708})},
                  {T<int64_t>({28, 41, 2, 29, 31}), M({{0.7509524, 0.43927902}, {0.16700612, 0.010780142}}),
                   T({0.036728784, 0.025492832, 0.3116734, 0.03552434, 0.033337872})}}},
        {.name = "repeated",
         .op = "LogUniformCandidateSampler",
         .classes = M<int64_t>({{0}}),
         .attrs = Sampling(1, 5, false, 1000000),
         .want = {{T<int64_t>({12, 13, 47, 2, 258579}), M({{0.2508583}}),
                   T({0.026820567, 0.024969352, 0.0074623683, 0.104115605, 1.3996107e-06})},
                  {T<int64_t>({93176, 11919, 8484, 7340, 724}), M({{0.2508583}}),
                   T({3.8841144e-06, 3.0360476e-05, 4.2650645e-05, 4.9296745e-05, 0.00049884507})},
                  {T<int64_t>({24397, 72319, 28, 26601, 35087}), M({{0.2508583}}),
                   T({1.4833373e-05, 5.0042804e-06, 0.01226938, 1.3604438e-05, 1.0314263e-05})}}},
        {.name = "unique",
         .op = "LearnedUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {5, 5}}),
         .attrs = Sampling(2, 5, true, 10),
         .want = {{T<int64_t>({7, 8, 3, 0, 1}), M({{0.5, 0.5}, {0.5, 0.5}}), T({0.5, 0.5, 0.5, 0.5, 0.5})},
                  {T<int64_t>({9, 5, 1, 2, 0}), M({{0.75026536, 0.75026536}, {0.88587475, 0.88587475}}),
                   T({0.48673952, 0.88587475, 0.75026536, 0.48673952, 0.75026536})},
                  {T<int64_t>({3, 1, 5, 0, 2}), M({{0.72091836, 0.72091836}, {0.8975066, 0.8975066}}),
                   T({0.32975295, 0.72091836, 0.8975066, 0.72091836, 0.32975295})}}},
        {.name = "repeated",
         .op = "LearnedUnigramCandidateSampler",
         .classes = M<int64_t>({{7}}),
         .attrs = Sampling(1, 5, false, 8),
         .want = {{T<int64_t>({3, 2, 3, 0, 7}), M({{0.625}}), T({0.625, 0.625, 0.625, 0.625, 0.625})},
                  {T<int64_t>({2, 1, 7, 0, 5}), M({{1.1111112}}),
                   T({0.5555556, 0.5555556, 1.1111112, 0.5555556, 0.5555556})},
                  {T<int64_t>({3, 4, 1, 3, 7}), M({{1.5}}), T({0.5, 0.5, 0.5, 0.5, 1.5})}}},
        {.name = "one class",
         .op = "LearnedUnigramCandidateSampler",
         .classes = M<int64_t>({{0}}),
         .attrs = Sampling(1, 2, false, 1),
         .want = {{T<int64_t>({0, 0}), M({{2}}), T({2, 2})},
                  {T<int64_t>({0, 0}), M({{2}}), T({2, 2})},
                  {T<int64_t>({0, 0}), M({{2}}), T({2, 2})}}},
        {.name = "unique",
         .op = "ThreadUnsafeUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {5, 5}}),
         .attrs = Sampling(2, 5, true, 10),
         .want = {{T<int64_t>({7, 8, 3, 0, 1}), M({{0.5, 0.5}, {0.5, 0.5}}), T({0.5, 0.5, 0.5, 0.5, 0.5})},
                  {T<int64_t>({9, 5, 1, 2, 0}), M({{0.75026536, 0.75026536}, {0.88587475, 0.88587475}}),
                   T({0.48673952, 0.88587475, 0.75026536, 0.48673952, 0.75026536})},
                  {T<int64_t>({3, 1, 5, 0, 2}), M({{0.72091836, 0.72091836}, {0.8975066, 0.8975066}}),
                   T({0.32975295, 0.72091836, 0.8975066, 0.72091836, 0.32975295})}}},
        {.name = "all",
         .op = "AllCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {3, 2}}),
         .attrs = Sampling(2, 4, true),
         .want = {{T<int64_t>({0, 1, 2, 3}), M({{1, 1}, {1, 1}}), T({1, 1, 1, 1})},
                  {T<int64_t>({0, 1, 2, 3}), M({{1, 1}, {1, 1}}), T({1, 1, 1, 1})},
                  {T<int64_t>({0, 1, 2, 3}), M({{1, 1}, {1, 1}}), T({1, 1, 1, 1})}}},
        {.name = "distorted",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {3, 2}}),
         .attrs = Sampling(2, 3, true, 5,
                           {{"unigrams", std::vector<float>{1.0f, 2.0f, 3.0f, 4.0f, 5.0f}}, {"distortion", 0.75f}}),
         .want = {{T<int64_t>({3, 0, 2}), M({{0.37534901, 0.55904907}, {0.76903087, 0.68192196}}),
                   T({0.76903087, 0.37534901, 0.68192196})},
                  {T<int64_t>({3, 4, 1}), M({{0.3137064, 0.48058775}, {0.69036996, 0.6000304}}),
                   T({0.69036996, 0.7603524, 0.48058775})},
                  {T<int64_t>({4, 3, 1}), M({{0.26945877, 0.45317382}, {0.7621445, 0.6142332}}),
                   T({0.9009898, 0.7621445, 0.45317382})}}},
        {.name = "reserved",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {3, 2}}),
         .attrs = Sampling(2, 6, false, 5,
                           {{"unigrams", std::vector<float>{3.0f, 4.0f, 5.0f}}, {"num_reserved_ids", int64_t{2}}}),
         .want = {{T<int64_t>({3, 4, 3, 3, 2, 4}), M({{0, 0}, {2, 1.5}}), T({2, 2.5, 2, 2, 1.5, 2.5})},
                  {T<int64_t>({4, 3, 4, 3, 2, 2}), M({{0, 0}, {2, 1.5}}), T({2.5, 2, 2.5, 2, 1.5, 1.5})},
                  {T<int64_t>({4, 4, 4, 2, 2, 3}), M({{0, 0}, {2, 1.5}}), T({2.5, 2.5, 2.5, 1.5, 1.5, 2})}}},
        {.name = "shard",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}}),
         .attrs = Sampling(2, 6, false, 2,
                           {{"unigrams", std::vector<float>{3.0f, 4.0f, 5.0f, 6.0f}},
                            {"num_shards", int64_t{2}},
                            {"shard", int64_t{1}}}),
         .want = {{T<int64_t>({0, 0, 1, 0, 1, 1}), M({{2.4, 3.6000001}}),
                   T({2.4, 2.4, 3.6000001, 2.4, 3.6000001, 3.6000001})},
                  {T<int64_t>({0, 1, 1, 1, 1, 1}), M({{2.4, 3.6000001}}),
                   T({2.4, 3.6000001, 3.6000001, 3.6000001, 3.6000001, 3.6000001})},
                  {T<int64_t>({0, 0, 1, 0, 1, 0}), M({{2.4, 3.6000001}}),
                   T({2.4, 2.4, 3.6000001, 2.4, 3.6000001, 2.4})}}},
        {.name = "class out of range",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{10}}),
         .attrs = Sampling(1, 6, true, 10),
         .want_error = "true class 10 is out of range"},
        {.name = "negative class",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{-1}}),
         .attrs = Sampling(1, 6, true, 10),
         .want_error = "true class -1"},
        {.name = "too many",
         .op = "UniformCandidateSampler",
         .classes = M<int64_t>({{1}}),
         .attrs = Sampling(1, 11, true, 10),
         .want_error = "there are only 10 classes"},
        {.name = "rank",
         .op = "UniformCandidateSampler",
         .classes = T<int64_t>({1, 2}),
         .attrs = Sampling(1, 2, true, 10),
         .want_error = "rank"},
        {.name = "class of all out of range",
         .op = "AllCandidateSampler",
         .classes = M<int64_t>({{0, 1}, {3, 2}}),
         .attrs = Sampling(2, 3, true),
         .want_error = "out of range [0, 3)"},
        {.name = "too few weights",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}}),
         .attrs = Sampling(2, 6, false, 3,
                           {{"unigrams", std::vector<float>{3.0f, 4.0f, 5.0f, 6.0f}},
                            {"num_shards", int64_t{2}},
                            {"shard", int64_t{1}}}),
         .want_error = "there are 2 weights, range_max is 3"},
        {.name = "no weights",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{0, 1}}),
         .attrs = Sampling(2, 6, false, 3),
         .want_error = "either vocab_file or unigrams"},
        {.name = "range",
         .op = "LearnedUnigramCandidateSampler",
         .classes = M<int64_t>({{7}}),
         .attrs = Sampling(1, 5, false, 2147483647),
         .want_error = "less than 2^31"},
        {.name = "negative weight",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{1}}),
         .attrs = Sampling(1, 1, false, 2, {{"unigrams", std::vector<float>{-1.0f, 2.0f}}}),
         .want_error = "the weight of class 0 is -1"},
        {.name = "weights of nothing",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{1}}),
         .attrs = Sampling(1, 1, false, 2, {{"unigrams", std::vector<float>{0.0f, 0.0f}}}),
         .want_error = "the weights sum to 0"},
        {.name = "more than have a weight",
         .op = "FixedUnigramCandidateSampler",
         .classes = M<int64_t>({{1}}),
         .attrs = Sampling(1, 2, true, 2, {{"unigrams", std::vector<float>{0.0f, 1.0f}}}),
         .want_error = "there are only 1 classes"}}),
    [](const auto& info) {
      std::string name = info.param.op + "_" + info.param.name;
      for (char& c : name) c = c == ' ' ? '_' : c;
      return name;
    });

TEST(FixedUnigrams, ReadsItsWeightsFromAFile) {
  const std::string path = testing::TempDir() + "/weights.csv";
  ASSERT_TRUE(WriteWholeFile(PosixEnv(), path, "the,3\nof,4\nand,5\n").ok());
  Graph g;
  const Output classes = Const(g, M<int64_t>({{0, 1}, {3, 2}}));
  const CandidateSamplerOptions options = {.num_sampled = 6, .unique = false, .range_max = 5, .seed = 4};
  const CandidateSamples file =
      FixedUnigramCandidateSampler(classes, {.vocab_file = path, .num_reserved_ids = 2}, options);
  const CandidateSamples missing = FixedUnigramCandidateSampler(classes, {.vocab_file = path + "x"}, options);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const absl::StatusOr<Tensor> counts = session.Run({}, file.true_expected_count);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_TRUE(TensorsNear(*counts, M({{0, 0}, {2, 1.5}}), 1e-6));
  EXPECT_EQ(session.Run({}, missing.sampled).status().code(), absl::StatusCode::kNotFound);
}

INSTANTIATE_OP_TEST(ComputeAccidentalHits,
                    {{.name = "hits",
                      .inputs = {M<int64_t>({{1, 2}, {3, 1}, {9, 9}}), T<int64_t>({3, 1, 4, 1, 9})},
                      .attrs = {{"num_true", int64_t{2}}},
                      .want = {T<int32_t>({0, 1, 1, 2, 2}), T<int64_t>({3, 0, 3, 4, 4}),
                               T({-3.4028235e+38, -3.4028235e+38, -3.4028235e+38, -3.4028235e+38, -3.4028235e+38})}},
                     {.name = "none",
                      .inputs = {M<int64_t>({{1, 2}}), T<int64_t>({3})},
                      .attrs = {{"num_true", int64_t{2}}},
                      .want = {T<int32_t>({0}, {}), T<int64_t>({0}, {}), T({0}, {})}},
                     {.name = "columns",
                      .inputs = {M<int64_t>({{1, 2}}), T<int64_t>({3})},
                      .attrs = {{"num_true", int64_t{1}}},
                      .want_error = "true classes in a row"}});

// The sampler's seeds are 7 (of the graph) and 3 (its own): it draws 4 of 6 classes.
struct LossCase {
  bool nce;
  int num_true;
  std::vector<std::optional<bool>> remove_accidental_hits;  // each gives `want`
  std::vector<Tensor> want;                                 // the losses, their gradients by weights, biases and inputs
};

TEST(SampledLosses, AreTensorFlows) {
  const std::vector<LossCase> rows = {
      {.nce = true,
       .num_true = 1,
       .remove_accidental_hits = {std::nullopt, false},
       .want = {T({6.1264677, 6.4334207, 5.2722363}),
                M({{0.71660316, 0.91119146},
                   {1.2102655, 1.5072608},
                   {0, 0},
                   {0.4122681, 0.8340434},
                   {0, 0},
                   {1.3741663, 1.5719951}}),
                T({1.4767486, 2.379137, 0, 1.2920253, 0, 2.471996}),
                M({{0.6586558, 0.73977107}, {0.7578883, 0.5163659}, {0.56095344, 0.85329604}})}},
      {.nce = true,
       .num_true = 1,
       .remove_accidental_hits = {true},
       .want = {T({5.1437407, 5.6148415, 3.4547663}),
                M({{0.34117642, 0.47319362},
                   {1.2102655, 1.5072608},
                   {0, 0},
                   {-0.14667407, 0.49867812},
                   {0, 0},
                   {1.4579226, 1.0694568}}),
                T({0.8510374, 2.379137, 0, 0.7330831, 0, 1.6344323}),
                M({{0.59608465, 0.48948658}, {0.8137825, 0.06921214}, {0.058415152, 0.76953965}})}},
      {.nce = true,
       .num_true = 2,
       .remove_accidental_hits = {std::nullopt, false},
       .want = {T({7.2955713, 7.268709, 6.8057404}),
                M({{1.0066417, 1.3209604},
                   {1.3889375, 1.7157114},
                   {-0.10759485, -0.06455691},
                   {0.9122681, 1.1340435},
                   {0, 0},
                   {1.3241663, 1.8719951}}),
                T({2.0763636, 2.6769238, -0.10759485, 1.7920253, 0, 2.971996}),
                M({{0.7682131, 0.9695498}, {0.7294073, 0.88408744}, {0.87091494, 0.94314206}})}},
      {.nce = true,
       .num_true = 2,
       .remove_accidental_hits = {true},
       .want = {T({4.714412, 6.45013, 4.072942}),
                M({{0.6911764, 0.5231936},
                   {0.9102655, 1.1572609},
                   {-0.10759485, -0.06455691},
                   {0.35332593, 0.79867816},
                   {0, 0},
                   {1.4079226, 1.3694568}}),
                T({0.8510374, 1.8791369, -0.10759485, 1.2330831, 0, 2.1344323}),
                M({{0.54608464, 0.6394867}, {0.7853015, 0.43693367}, {0.30841517, 0.6195397}})}},
      {.nce = false,
       .num_true = 1,
       .remove_accidental_hits = {std::nullopt, true},
       .want = {T({2.1923442, 2.6049323, 0.79901874}),
                M({{-0.44857413, -0.4849646},
                   {0.3752553, 0.51023775},
                   {0, 0},
                   {-0.8811719, -0.414815},
                   {0, 0},
                   {0.9544907, 0.38954175}}),
                T({-0.6602168, 0.806479, 0, -0.70726377, 0, 0.5610014}),
                M({{0.2719684, -0.1997008}, {0.5008068, -0.61901546}, {-0.27017388, 0.12556654}})}},
      {.nce = false,
       .num_true = 1,
       .remove_accidental_hits = {false},
       .want = {T({2.298194, 2.6762366, 1.1704237}),
                M({{-0.39769602, -0.45084876},
                   {0.3515814, 0.42638588},
                   {0, 0},
                   {-0.81935966, -0.40625256},
                   {0, 0},
                   {0.86547434, 0.43071544}}),
                T({-0.6182279, 0.671137, 0, -0.6913955, 0, 0.6384865}),
                M({{0.24465191, -0.17964284}, {0.46634048, -0.57641375}, {-0.18635632, 0.08661135}})}},
      {.nce = false,
       .num_true = 2,
       .remove_accidental_hits = {std::nullopt, true},
       .want = {T({1.7630162, 2.9789474, 1.4171941}),
                M({{-0.10211306, -0.43708795},
                   {0.066297844, 0.15486334},
                   {-0.46370187, -0.27822113},
                   {-0.3838546, -0.11642465},
                   {0, 0},
                   {0.88337165, 0.67687035}}),
                T({-0.6637557, 0.2975216, -0.46370187, -0.2099465, 0, 1.0398823}),
                M({{0.2219684, -0.04970081}, {0.5289987, -0.3646954}, {-0.020173851, -0.024433464}})}},
      {.nce = false,
       .num_true = 2,
       .remove_accidental_hits = {false},
       .want = {T({2.0815852, 3.0477505, 1.8748734}),
                M({{-0.08138847, -0.38451308},
                   {0.13320172, 0.16391903},
                   {-0.46611533, -0.2796692},
                   {-0.33319002, -0.12478702},
                   {0, 0},
                   {0.7474921, 0.6250503}}),
                T({-0.58458656, 0.2926594, -0.46611533, -0.2195446, 0, 0.977587}),
                M({{0.16693415, -0.052705303}, {0.49715024, -0.32382452}, {0.03771864, -0.045750484}})}}};
  for (const LossCase& row : rows) {
    for (const std::optional<bool> remove : row.remove_accidental_hits) {
      SCOPED_TRACE(testing::Message() << (row.nce ? "nce " : "softmax ") << row.num_true << " "
                                      << remove.value_or(false));
      Graph g;
      g.set_seed(7);
      const SampledLossInputs in = {
          .weights = Const(g, M({{0.1, 0.4}, {0.2, 0.1}, {-0.2, 0.3}, {-0.1, 0.8}, {0.9, -0.2}, {0.6, 0.1}})),
          .biases = Const(g, T({0.1, 0.9, -0.9, -0.8, -1, 0.7})),
          .labels = Const(g, row.num_true == 1 ? M<int64_t>({{0}, {3}, {5}}) : M<int64_t>({{0, 1}, {3, 2}, {5, 0}})),
          .inputs = Const(g, M({{0.6, 0.7}, {1, 0.6}, {-0.1, 0.6}}))};
      const SampledLossOptions options = {
          .num_sampled = 4, .num_classes = 6, .remove_accidental_hits = remove, .seed = 3};
      const Output loss = row.nce ? NceLoss(in, options) : SampledSoftmaxLoss(in, options);
      std::vector<Output> fetches = Gradients({loss}, {in.weights, in.biases, in.inputs});
      fetches.insert(fetches.begin(), loss);
      ASSERT_TRUE(g.status().ok()) << g.status();
      Session session(g, {.threads = 1});
      const auto got = session.Run({}, fetches);
      ASSERT_TRUE(got.ok()) << got.status();
      for (size_t i = 0; i < row.want.size(); ++i) EXPECT_TRUE(TensorsNear((*got)[i], row.want[i], 1e-5)) << i;
    }
  }
}

}  // namespace
}  // namespace staticflow
