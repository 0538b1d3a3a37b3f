// Initializers: TensorFlow's numbers for the same seeds, its node names, and errors. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "ops/initializers.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

struct InitializerCase {
  const char* name;
  Initializer initializer;
  Tensor want;
  const char* node = "";  // the name of the result
};

class InitializerTest : public testing::TestWithParam<InitializerCase> {};

TEST_P(InitializerTest, GivesTensorFlowsValues) {
  const InitializerCase& row = GetParam();
  Graph g;
  const Output value = row.initializer(g, row.want.dtype(), row.want.shape());
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(value.name(), row.node);
  Session session(g);
  const absl::StatusOr<Tensor> got = session.Run({}, value);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear(*got, row.want, 2e-6));
}

using namespace initializers;  // NOLINT: the names under test

INSTANTIATE_TEST_SUITE_P(
    All, InitializerTest,
    testing::ValuesIn(std::vector<InitializerCase>{
        {"Zeros", Zeros(), T<int32_t>({0, 0}), "zeros:0"},
        {"Ones", Ones(), T<double>({1, 1}), "ones:0"},
        {"Constant", Constant(2.5), As<Half>({2.5, 2.5}), "Const:0"},
        {"FromTensor", FromTensor(T({3, 4})), T({3, 4}), "initial_value:0"},
        {"RandomUniform", RandomUniform({.minval = -1, .maxval = 2, .seed = 1}),
         T({-0.28288782, 1.7611985, -0.8484627}), "random_uniform:0"},
        {"RandomNormal", RandomNormal({.mean = 1, .stddev = 2, .seed = 1}), T({-0.62263644, 3.9691975, 1.1306587}),
         "random_normal:0"},
        {"TruncatedNormal", TruncatedNormal({.mean = 1, .stddev = 2, .seed = 1}),
         T({-0.62263644, 3.9691975, 1.1306587}), "truncated_normal:0"},
        {"VarianceScaling",
         VarianceScaling({.scale = 3, .mode = Fan::kOut, .distribution = Distribution::kUntruncatedNormal, .seed = 1}),
         T({2, 2, 3}, {-0.5736886, 1.0497699, 0.04619484, -1.7272527, 0.07017922, 0.41805872, 0.41918913, -1.5011379,
                       -0.5111655, -0.039789166, 0.45505488, -0.18690534}),
         "random_normal:0"},
        {"GlorotUniform", GlorotUniform({.seed = 1}),
         M({{-0.57174045, 0.92104936, -0.9847779}, {-0.009323359, 0.7350925, -1.0374514}}), "random_uniform:0"},
        {"GlorotNormal", GlorotNormal({.seed = 1}),
         M({{-0.58334213, 1.0674344, 0.046972167}, {0.07136013, 0.45994562, 1.158225}}), "truncated_normal:0"},
        {"HeUniform", HeUniform({.seed = 1}),
         M({{-0.90400094, 1.4563068, -1.5570706}, {-0.01474154, 1.1622833, -1.6403545}}), "random_uniform:0"},
        {"HeNormal", HeNormal({.seed = 1}),
         M({{-0.92234486, 1.687762, 0.07426952}, {0.112830274, 0.7272379, 1.8313144}}), "truncated_normal:0"},
        {"LecunNormal", LecunNormal({.seed = 1}),
         M({{-0.65219635, 1.1934279, 0.05251648}, {0.07978305, 0.51423484, 1.2949349}}), "truncated_normal:0"},
        {"LecunUniform", LecunUniform({.seed = 1}),
         M({{-0.90400094f * std::sqrt(0.5f), 1.4563068f * std::sqrt(0.5f), -1.5570706f * std::sqrt(0.5f)},
            {-0.01474154f * std::sqrt(0.5f), 1.1622833f * std::sqrt(0.5f), -1.6403545f * std::sqrt(0.5f)}}),
         "random_uniform:0"},
        {"OrthogonalTall", Orthogonal({.seed = 1}),
         M({{-0.9894452, -0.0370237}, {0.079672605, -0.9465561}, {0.12103864, 0.32040727}}), "mul_1:0"},
        {"OrthogonalWide", Orthogonal({.gain = 2, .seed = 1}),
         M({{-1.9788904, 0.15934521, 0.24207728}, {-0.0740474, -1.8931122, 0.64081454}}), "mul_1:0"},
        {"OrthogonalWindow", Orthogonal({.seed = 1}), T({1, 2, 2}, {-0.99677384, -0.08026272, 0.08026272, -0.9967737}),
         "mul_1:0"},
        {"IdentityWide", Identity({.gain = 2}), M({{2, 0, 0}, {0, 2, 0}}), "mul:0"},
        {"IdentitySquare", Identity(), M<double>({{1, 0}, {0, 1}}), "mul:0"},
    }),
    [](const auto& info) { return info.param.name; });

TEST(InitializerNames, AreTensorFlows) {
  Graph g;
  NameScope scope(g, "kernel/Initializer/");
  GlorotUniform()(g, DT_FLOAT, {2, 3});
  for (const char* name : {"shape", "min", "max", "RandomUniform", "sub", "mul"}) {
    EXPECT_NE(g.FindNode(absl::StrCat("kernel/Initializer/random_uniform/", name)), nullptr) << name;
  }
  EXPECT_NE(g.FindNode("kernel/Initializer/random_uniform"), nullptr);
}

TEST(InitializerErrors, AreKeptByTheGraph) {
  const auto error = [](const Initializer& initializer, DataType dtype, const Shape& shape) {
    Graph g;
    initializer(g, dtype, shape);
    return std::string(g.status().message());
  };
  EXPECT_TRUE(absl::StrContains(error(Orthogonal(), DT_FLOAT, {3}), "expected rank 2 or more, got [3]"));
  EXPECT_TRUE(absl::StrContains(error(Identity(), DT_FLOAT, {3}), "expected rank 2, got [3]"));
  EXPECT_TRUE(absl::StrContains(error(FromTensor(T({1, 2})), DT_FLOAT, {3}), "the tensor is float[2]"));
  EXPECT_TRUE(absl::StrContains(error(Constant(1), DT_STRING, {3}), "a number cannot become string"));
  EXPECT_FALSE(error(GlorotUniform(), DT_STRING, {3}).empty());
}

}  // namespace
}  // namespace staticflow
