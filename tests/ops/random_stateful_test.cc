// The stateful random ops: TensorFlow's numbers for given seeds, run after run. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_replace.h"
#include "graph/node_builder.h"
#include "ops/array.h"
#include "ops/random.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Output Build(Graph& g, const OpCase& row) {
  NodeBuilder builder(g, row.op, std::source_location::current());
  for (const Tensor& input : row.inputs) builder.Input(Const(g, input));
  for (const auto& [name, value] : row.attrs) builder.Attr(name, value);
  return builder.Build();
}

// `want` holds the results of the first runs in a session.
class RandomRunsTest : public testing::TestWithParam<OpCase> {};

TEST_P(RandomRunsTest, GivesTensorFlowsNumbersInEverySession) {
  Graph g;
  const Output y = Build(g, GetParam());
  ASSERT_TRUE(g.status().ok()) << g.status();
  for (const int threads : {1, 2}) {
    Session session(g, {.threads = threads});
    for (const Tensor& want : GetParam().want) {
      const absl::StatusOr<Tensor> got = session.Run({}, y);
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_TRUE(TensorsNear(*got, want, 1e-6));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Seeds, RandomRunsTest,
    testing::ValuesIn(std::vector<OpCase>{
        {.name = "uniform float32",
         .op = "RandomUniform",
         .inputs = {T<int32_t>({7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_FLOAT}},
         .want = {T({0.148229, 0.6941197, 0.399217, 0.34022713, 0.03517425, 0.34661424, 0.13653672}),
                  T({0.4174807, 0.05274558, 0.29489243, 0.19053876, 0.3309219, 0.0036115646, 0.066435575})}},
        {.name = "uniform float64",
         .op = "RandomUniform",
         .inputs = {T<int32_t>({7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_DOUBLE}},
         .want = {T<double>({0.185832090106084, 0.193736507259732, 0.2813949256141, 0.0922939958067914,
                             0.902099169097673, 0.83499966340386, 0.171033383896961}),
                  T<double>({0.339845763617653, 0.359139472601076, 0.647375911480955, 0.531485139785559,
                             0.461390220205264, 0.409797899137994, 0.403162040588947})}},
        {.name = "uniform half",
         .op = "RandomUniform",
         .inputs = {T<int64_t>({5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_HALF}},
         .want = {As<Half>({0.2919922, 0.22851562, 0.3857422, 0.140625, 0.14746094}),
                  As<Half>({0.3720703, 0.23730469, 0.049804688, 0.8339844, 0.0146484375})}},
        {.name = "uniform bfloat16",
         .op = "RandomUniform",
         .inputs = {T<int32_t>({5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_BFLOAT16}},
         .want = {As<BFloat16>({0.3359375, 0.828125, 0.0859375, 0.125, 0.1796875}),
                  As<BFloat16>({0.9765625, 0.8984375, 0.3984375, 0.671875, 0.1171875})}},
        {.name = "normal float32",
         .op = "RandomStandardNormal",
         .inputs = {T<int32_t>({7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_FLOAT}},
         .want = {T({-1.8347627, -0.67204154, 1.1431749, -0.7277714, 2.1251664, -1.4759909, -1.9014243}),
                  T({0.4300682, 1.2498301, 1.4549776, 0.5703765, 0.0337447, 1.486811, -2.2596037})}},
        {.name = "normal float64",
         .op = "RandomStandardNormal",
         .inputs = {T<int32_t>({7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_DOUBLE}},
         .want = {T<double>({1.72116895054487, 0.635138530071346, 0.872584283161758, 1.33213700609025,
                             -0.390725837438112, 0.23107350075135, -1.16843163755925}),
                  T<double>({1.13707926843963, -0.930364196814479, -0.183283297117083, -0.914365094230544,
                             0.667790888842355, -1.04932244212227, -1.34110765012578})}},
        {.name = "normal half",
         .op = "RandomStandardNormal",
         .inputs = {T<int64_t>({5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_HALF}},
         .want = {As<Half>({-1.8349609, -0.671875, 1.1435547, -0.72753906, 2.125}),
                  As<Half>({0.8183594, -1.3847656, -0.7836914, 0.58203125, -0.29101562})}},
        {.name = "normal bfloat16",
         .op = "RandomStandardNormal",
         .inputs = {T<int32_t>({5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_BFLOAT16}},
         .want = {As<BFloat16>({-1.8359375, -0.671875, 1.140625, -0.7265625, 2.125}),
                  As<BFloat16>({0.81640625, -1.3828125, -0.78515625, 0.58203125, -0.29101562})}},
        {.name = "truncated float32",
         .op = "TruncatedNormal",
         .inputs = {T<int32_t>({7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_FLOAT}},
         .want = {T({-1.8347627, -0.67204154, 1.1431749, -0.7277714, -0.8164376, 0.36940807, 0.013160356}),
                  T({0.4300682, 1.2498301, 1.4549776, 0.5703765, -0.5612587, 1.1015257, 0.5830754})}},
        {.name = "truncated float64",
         .op = "TruncatedNormal",
         .inputs = {T<int32_t>({7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_DOUBLE}},
         .want = {T<double>({1.72116895054487, 0.635138530071346, 0.365743935373282, -1.18329023046545,
                             0.951573092161486, -1.08118664143034, -0.862583605519299}),
                  T<double>({1.13707926843963, -0.930364196814479, -0.0125276324310446, -0.537225999252156,
                             -0.779022077542234, 0.185319421868611, 0.0187016739875627})}},
        {.name = "truncated half",
         .op = "TruncatedNormal",
         .inputs = {T<int64_t>({5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_HALF}},
         .want = {As<Half>({-1.8349609, -0.671875, 1.1435547, -0.72753906, -0.81640625}),
                  As<Half>({0.8183594, -1.3847656, -0.7836914, 0.58203125, 0.038269043})}},
        {.name = "truncated bfloat16",
         .op = "TruncatedNormal",
         .inputs = {T<int32_t>({5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"dtype", DT_BFLOAT16}},
         .want = {As<BFloat16>({-1.8359375, -0.671875, 1.140625, -0.7265625, -0.81640625}),
                  As<BFloat16>({0.81640625, -1.3828125, -0.78515625, 0.58203125, 0.038330078})}},
        {.name = "uniform negative seed",
         .op = "RandomUniform",
         .inputs = {T<int32_t>({2, 2})},
         .attrs = {{"seed", int64_t{-5}}, {"seed2", int64_t{1099511627776}}, {"dtype", DT_FLOAT}},
         .want = {M({{0.45631897, 0.27367473}, {0.45081043, 0.45746982}}),
                  M({{0.91631794, 0.657058}, {0.6959326, 0.05971086}})}},
        {.name = "int32",
         .op = "RandomUniformInt",
         .inputs = {T<int32_t>({6}), Tensor(int32_t{-3}), Tensor(int32_t{1000})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {T<int32_t>({414, 391, 771, 23, 121, 532}), T<int32_t>({834, 448, 81, 409, 55, 437})}},
        {.name = "int64",
         .op = "RandomUniformInt",
         .inputs = {T<int32_t>({5}), Tensor(int64_t{-3}), Tensor(int64_t{1} << 40)},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {T<int64_t>({1008241307296, 619135375076, 942445362045, 688885263585, 397097893343}),
                  T<int64_t>({1046868753946, 373485942055, 1005621992366, 1029395396221, 1012614063734})}},
        {.name = "whole int32 range",
         .op = "RandomUniformInt",
         .inputs = {T<int32_t>({3}), Tensor(std::numeric_limits<int32_t>::min()),
                    Tensor(std::numeric_limits<int32_t>::max())},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {T<int32_t>({1074985259, -1848059670, -1464657525}),
                  T<int32_t>({1449626112, 1957898642, -1263366529})}},
        {.name = "shuffle",
         .op = "RandomShuffle",
         .inputs = {T<int32_t>({0, 1, 2, 3, 4, 5, 6, 7})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {T<int32_t>({3, 1, 7, 0, 2, 5, 4, 6}), T<int32_t>({7, 4, 2, 3, 5, 1, 0, 6})}},
        {.name = "shuffle rows",
         .op = "RandomShuffle",
         .inputs = {M({{1, 2}, {3, 4}, {5, 6}})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {M({{3, 4}, {1, 2}, {5, 6}}), M({{1, 2}, {5, 6}, {3, 4}})}},
        {.name = "shuffle one",
         .op = "RandomShuffle",
         .inputs = {T({3})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {T({3}), T({3})}},
        {.name = "multinomial",
         .op = "Multinomial",
         .inputs = {M({{0, 1, 2}, {3, -1, 2}}), Tensor(int32_t{6})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {M<int64_t>({{1, 1, 1, 1, 2, 2}, {0, 0, 0, 0, 0, 0}}),
                  M<int64_t>({{1, 1, 1, 2, 1, 2}, {0, 0, 0, 0, 0, 0}})}},
        {.name = "multinomial int32 of double",
         .op = "Multinomial",
         .inputs = {M<double>({{0, 1, 2}}), Tensor(int32_t{5})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}, {"output_dtype", DT_INT32}},
         .want = {M<int32_t>({{1, 1, 1, 1, 2}}), M<int32_t>({{2, 2, 2, 2, 0}})}},
        {.name = "multinomial excluded class",
         .op = "Multinomial",
         .inputs = {M({{-kInf, 0, 1}}), Tensor(int32_t{8})},
         .attrs = {{"seed", int64_t{87}}, {"seed2", int64_t{42}}},
         .want = {M<int64_t>({{1, 1, 2, 1, 2, 2, 1, 2}}), M<int64_t>({{2, 2, 2, 2, 1, 1, 2, 2}})}},
    }),
    [](const auto& info) {
      return absl::StrReplaceAll(info.param.name, {{" ", "_"}});
    });

// One uniform vector of the node `name` with the two seeds, in a session of its own.
Tensor UniformOf(const char* name, int64_t seed, int64_t seed2) {
  Graph g;
  const Output y = NodeBuilder("RandomUniform", {Const(g, Tensor::Vector<int32_t>({4}))})
                       .Attr("dtype", DT_FLOAT)
                       .Attr("seed", seed)
                       .Attr("seed2", seed2)
                       .Name(name)
                       .Build();
  Session session(g);
  return session.Run({}, y).value_or(Tensor());
}

TEST(RandomSeeds, WithoutSeedsTheNameDecides) {
  EXPECT_TRUE(BitwiseEqual(UniformOf("a", 0, 0), UniformOf("a", 0, 0)));
  EXPECT_FALSE(BitwiseEqual(UniformOf("a", 0, 0), UniformOf("b", 0, 0)));
  EXPECT_TRUE(BitwiseEqual(UniformOf("a", 0, 3), UniformOf("b", 0, 3)));
}

TEST(RandomSeeds, EachNodeCountsForItself) {
  Graph g;
  const OpCase row{.op = "RandomUniform",
                   .inputs = {T<int32_t>({4})},
                   .attrs = {{"seed", int64_t{1}}, {"seed2", int64_t{2}}, {"dtype", DT_FLOAT}}};
  const Output a = Build(g, row), b = Build(g, row);
  Session session(g);
  const absl::StatusOr<Tensor> first = session.Run({}, a);
  ASSERT_TRUE(session.Run({}, a).ok());
  const absl::StatusOr<Tensor> other = session.Run({}, b);
  ASSERT_TRUE(first.ok() && other.ok());
  EXPECT_TRUE(BitwiseEqual(*first, *other));
}

TEST(RandomErrors, AreTold) {
  Graph g;
  const Output low = Const(g, Tensor(int32_t{3}));
  const Output y = NodeBuilder("RandomUniformInt", {Const(g, Tensor::Vector<int32_t>({2})), low, low}).Build();
  const Output shape = Placeholder(g, {.dtype = DT_INT32, .shape = {1}});
  const Output z = RandomUniform(g, shape);
  const Output samples = Placeholder(g, {.dtype = DT_INT32, .shape = {}});
  const Output classes = Multinomial(Const(g, M({{0, 1}})), samples);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  EXPECT_EQ(session.Run({}, y).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session.Run({{shape, Tensor::Vector<int32_t>({-1})}}, z).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session.Run({{samples, Tensor(int32_t{-1})}}, classes).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RandomBuilders, NameTheirNodesAsTensorFlowDoes) {
  Graph g;
  EXPECT_EQ(RandomUniform(g, {2}).name(), "random_uniform/RandomUniform:0");
  EXPECT_EQ(RandomUniform(g, {2}, {.minval = -1}).name(), "random_uniform_1:0");
  EXPECT_NE(g.FindNode("random_uniform_1/RandomUniform"), nullptr);
  EXPECT_NE(g.FindNode("random_uniform_1/shape"), nullptr);
  EXPECT_EQ(RandomUniform(g, {2}, {.maxval = 9, .dtype = DT_INT32}).name(), "random_uniform_2:0");
  EXPECT_EQ(RandomNormal(g, {2}).name(), "random_normal:0");
  EXPECT_EQ(TruncatedNormal(g, {2}, {.name = "start"}).name(), "start:0");
  EXPECT_EQ(RandomShuffle(Const(g, T({1, 2}))).name(), "RandomShuffle:0");
  EXPECT_TRUE(g.status().ok()) << g.status();
}

}  // namespace
}  // namespace staticflow
