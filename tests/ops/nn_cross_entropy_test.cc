// The softmax cross-entropies and L2Loss. Values: TensorFlow 2.21.
#include <limits>

#include "graph/node_builder.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/random.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(
    SoftmaxCrossEntropyWithLogits,
    {
        {.name = "probabilities",
         .inputs = {M<double>({{1.76, 0.4, 0.98}, {2.24, 1.87, -0.98}}), M<double>({{0.2, 0.5, 0.3}, {1, 0, 0}})},
         .want = {T<double>({1.45345202345075, 0.548519819825848}),
                  M<double>({{0.38306767225972, -0.350349398221319, -0.0327182740384006},
                             {-0.422195567607463, 0.399109357847955, 0.0230862097595079}})},
         .second_order = true},
        {.name = "one row of labels",
         .inputs = {M<double>({{0.95, -0.15, -0.1}, {0.41, 0.14, 1.45}}), M<double>({{0.2, 0.5, 0.3}})},
         .want = {T<double>({1.38546432159687, 1.34744555229863}),
                  M<double>({{0.394244563317764, -0.302193168226724, -0.0920513950910402},
                             {0.0177417498158547, -0.333780413129551, 0.316038663313697}})},
         .second_order = true},
        {.name = "one row of logits",
         .inputs = {M<double>({{0.76, 0.12, 0.44}}), M<double>({{0.2, 0.5, 0.3}, {1, 0, 0}})},
         .want = {T<double>({1.22845858593818, 0.812458585938181}),
                  M<double>({{0.243765687840158, -0.266005714751632, 0.0222400269114747},
                             {-0.556234312159842, 0.233994285248368, 0.322240026911475}})},
         .second_order = true},
        {.name = "one column of labels",
         .inputs = {M<double>({{0.33, 1.49, -0.21}, {0.31, -0.85, -2.55}}),
                    M<double>({{0.333333333333333}, {0.333333333333333}})},
         .want = {T<double>({1.35624164557979, 1.65536163999957}),
                  M<double>({{-0.123807515607895, 0.335040044834498, -0.211232529226603},
                             {0.396191667803961, -0.104637326868425, -0.291554340935537}})}},
        {.name = "large logits",
         .inputs = {M({{1000, 0, -1000}}), M({{0, 1, 0}})},
         .want = {T({1000}), M({{1, -1, 0}})},
         .check_gradient = false},
        {.name = "nan",
         .inputs = {M({{kNan, 0, 1}}), M({{0, 1, 0}})},
         .want = {T({kNan}), M({{kNan, kNan, kNan}})},
         .check_gradient = false},
        {.name = "excluded class",
         .inputs = {M({{-kInf, 0, 0}}), M({{0, 1, 0}})},
         .want = {T({0.69314718}), M({{0, -0.5, 0.5}})},
         .check_gradient = false},
        {.name = "no rows", .inputs = {T({0, 3}, {}), T({0, 3}, {})}, .want = {T({}), T({0, 3}, {})}},
        {.name = "no classes", .inputs = {T({2, 0}, {}), T({2, 0}, {})}, .want = {T({0, 0}), T({2, 0}, {})}},
        {.name = "other size", .inputs = {M({{1, 2, 3}}), M({{1, 2}})}, .want_error = "3"},
        {.name = "vectors", .inputs = {T({1, 2}), T({1, 2})}, .want_error = "rank"},
    });

INSTANTIATE_OP_TEST(
    SparseSoftmaxCrossEntropyWithLogits,
    {
        {.name = "int64",
         .inputs = {M<double>({{0.65, 0.86, -0.74}, {2.27, -1.45, 0.05}}), T<int64_t>({2, 0})},
         .want = {T<double>({2.29936817198656, 0.124730469956292}),
                  M<double>({{0.402778630476563, 0.496899159438361, -0.899677789914924},
                             {-0.117265205928668, 0.0213921666157974, 0.0958730393128702}})},
         .second_order = true},
        {.name = "int32",
         .inputs = {M({{-0.19, 1.53, 1.47}, {0.15, 0.38, -0.89}}), T<int32_t>({1, 1})},
         .want = {T({0.75180787, 0.73013717}),
                  M({{0.08443207, -0.52848667, 0.44405457}, {0.38284037, -0.5181571, 0.13531673}})}},
        {.name = "no rows", .inputs = {T({0, 3}, {}), T<int32_t>({})}, .want = {T({}), T({0, 3}, {})}},
        {.name = "label too large",
         .inputs = {M({{1, 2}, {3, 4}}), T<int32_t>({1, 2})},
         .want_error = "label 2 of row 1 is outside [0, 2)"},
        {.name = "negative label", .inputs = {M({{1, 2}}), T<int64_t>({-1})}, .want_error = "outside [0, 2)"},
        {.name = "no classes", .inputs = {T({1, 0}, {}), T<int64_t>({0})}, .want_error = "outside [0, 0)"},
        {.name = "other number of rows", .inputs = {M({{1, 2}}), T<int64_t>({0, 1})}, .want_error = "rows"},
    });

INSTANTIATE_OP_TEST(
    L2Loss,
    {
        {.name = "matrix",
         .inputs = {M<double>({{-1.98, -0.35, 0.16, 1.23}, {1.2, -0.39, -0.3, -1.05}, {-1.42, -1.71, 1.95, -0.51}})},
         .want = {T<double>({}, {8.68455})},
         .second_order = true},
        {.name = "scalar", .inputs = {T({}, {-3})}, .want = {T({}, {4.5})}},
        {.name = "empty", .inputs = {T({})}, .want = {T({}, {0})}},
        {.name = "long",
         .inputs = {T({-0.44, -1.25, 0.78,  -1.61, -0.21, -0.9,  0.39,  -0.51, -1.18, -0.03, 0.43,
                       0.07,  0.3,   -0.63, -0.36, -0.67, -0.36, -0.81, -1.73, 0.18,  -0.4})},
         .want = {T({}, {6.4212})}},
    });

// Few classes are computed with rows in the lanes, many along the rows: both as the plain kernel of double does, for
// numbers of rows and classes that fill vectors and that do not, and for rows that share their labels.
TEST(SoftmaxCrossEntropyWithLogitsTest, AnyNumberOfRowsAndClasses) {
  for (const auto& [rows, classes] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 5}, {3, 3}, {16, 4}, {17, 7}, {60, 10}, {64, 16}, {65, 10}, {130, 31}, {47, 32}, {20, 33}}) {
    for (const int64_t label_rows : {rows, int64_t{1}}) {
      Graph g;
      const Output logits = RandomUniform(g, {rows, classes}, {.minval = -9.0, .maxval = 9.0, .seed = 1});
      const Output labels = RandomUniform(g, {label_rows, classes}, {.seed = 2});
      const Output got = NodeBuilder("SoftmaxCrossEntropyWithLogits", {logits, labels}).Build();
      const Output want =
          NodeBuilder("SoftmaxCrossEntropyWithLogits", {Cast(logits, DT_DOUBLE), Cast(labels, DT_DOUBLE)}).Build();
      Session session(g, {.threads = 1});
      for (int i : {0, 1}) {
        const Output difference = Cast(got.node()->output(i), DT_DOUBLE) - want.node()->output(i);
        const absl::StatusOr<Tensor> most = session.Run({}, Max(Reshape(Abs(difference), {-1}), {0}));
        ASSERT_TRUE(most.ok()) << most.status();
        EXPECT_LT(most->scalar<double>(), i == 0 ? 5e-5 : 1e-6) << rows << "x" << classes;
      }
    }
  }
}

}  // namespace
}  // namespace staticflow
