// Inverses, linear systems, determinants and the Cholesky decomposition. Values: TensorFlow 2.21.
#include <limits>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/linalg.h"
#include "ops/math.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(
    MatrixInverse,
    {
        {.name = "half",
         .inputs = {T<Half>({2, 2, 2},
                            {Half(1.f), Half(2.f), Half(3.f), Half(4.f), Half(2.f), Half(0.f), Half(1.f), Half(4.f)})},
         .attrs = {{"adjoint", true}},
         .want = {T<Half>({2, 2, 2}, {Half(-2.f), Half(1.5f), Half(1.f), Half(-.5f), Half(.5f), Half(-.125f), Half(0.f),
                                      Half(.25f)})},
         .check_gradient = false},
        {.name = "one",
         .inputs = {M<double>({{1.62, -0.61, -0.53}, {-1.07, 0.87, -2.3}, {1.74, -0.76, 0.32}})},
         .want = {M<double>({{-6.59244040516415, 2.68255264173119, 8.36211769138983},
                             {-16.4165044275577, 6.46235005966214, 19.2583055956793},
                             {-3.14280331236936, 0.76170140228421, 3.39446084280601}})},
         .tolerance = 1e-10,
         .second_order = true},
        {.name = "adjoint batch",
         .inputs = {T<double>({2, 2, 2}, {-0.25, 1.46, -2.06, -0.32, -0.38, 1.13, -1.1, -0.17})},
         .attrs = {{"adjoint", true}},
         .want = {T<double>({2, 2, 2}, {-0.103640367923306, 0.667184868506283, -0.472859178650084, -0.0809690374400829,
                                        -0.130009177118385, 0.84123585194249, -0.864178647904558, -0.29060874885286})},
         .tolerance = 1e-10,
         .second_order = true},
        {.name = "float", .inputs = {M({{0, 1}, {2, 3}})}, .want = {M({{-1.5, 0.5}, {1, 0}})}},
        {.name = "empty", .inputs = {T({0, 0}, {})}, .want = {T({0, 0}, {})}},
        {.name = "singular", .inputs = {M({{1, 2}, {2, 4}})}, .want_error = "matrix 0 is not invertible"},
        {.name = "nan", .inputs = {T({1, 1}, {kNan})}, .want_error = "not invertible"},
        {.name = "not square", .inputs = {M({{1, 2}})}, .want_error = "rows and columns"},
    });

INSTANTIATE_OP_TEST(
    MatrixSolve,
    {
        {.name = "one",
         .inputs = {M<double>({{-0.88, 0.04, 0.58}, {-1.1, 1.14, 0.9}, {0.5, 0.9, -0.68}}),
                    M<double>({{-0.12, -0.94}, {-0.27, 0.53}, {-0.69, -0.4}})},
         .want = {M<double>({{0.989695895085477, 4.24718978956876},
                             {-0.321518182730588, 0.798676859255294},
                             {1.31688468100766, 4.76824127663845}})},
         .tolerance = 1e-10,
         .second_order = true},
        {.name = "adjoint batch",
         .inputs = {T<double>({2, 2, 2}, {-0.69, -0.85, -0.67, -0.01, -1.12, 0.23, 1.66, 0.74}),
                    T<double>({2, 2, 3}, {-0.19, -0.89, -0.75, 1.69, 0.05, -0.64, 0.19, 2.1, 0.12, 0.62, 0.3, -0.35})},
         .attrs = {{"adjoint", true}},
         .want = {T<double>({2, 2, 3}, {-2.01599715606114, -0.0753643796658372, 0.748844649840029, 2.3597582651973,
                                        1.40597227159616, 0.348204763597583, 0.73401619031885, -0.872294729886007,
                                        -0.553279365603833, 0.609697670576574, 0.676524037667272, -0.301007764744755})},
         .tolerance = 1e-10,
         .second_order = true},
        {.name = "singular", .inputs = {M({{0, 0}, {0, 0}}), M({{1}, {1}})}, .want_error = "not invertible"},
        {.name = "other rows", .inputs = {M({{1, 0}, {0, 1}}), M({{1}})}, .want_error = "2"},
    });

INSTANTIATE_OP_TEST(
    MatrixDeterminant,
    {
        {.name = "one",
         .inputs = {M<double>({{-1.14, -0.35, -0.21}, {0.59, 0.84, 0.93}, {0.29, 0.89, -0.75}})},
         .want = {T<double>({}, {1.353393})},
         .second_order = true},
        {.name = "batch",
         .inputs = {T({2, 2, 2}, {1.25, 0.51, -0.3, 0.49, -0.08, 1.13, 1.52, 2.19})},
         .want = {T({0.7655, -1.8928})}},
        {.name = "singular", .inputs = {M({{1, 2}, {2, 4}})}, .want = {T({}, {-0})}, .check_gradient = false},
        {.name = "empty", .inputs = {T({2, 0, 0}, {})}, .want = {T({1, 1})}},
    });

INSTANTIATE_OP_TEST(MatrixTriangularSolve,
                    {
                        {.name = "lower",
                         .inputs = {M<double>({{-1.4, -1.44, -0.5}, {0.16, 0.88, 0.32}, {-2.02, -0.31, 0.83}}),
                                    M<double>({{0.23, 0.76}, {-0.22, -0.2}, {0.19, 0.41}})},
                         .want = {M<double>({{-0.164285714285714, -0.542857142857143},
                                             {-0.22012987012987, -0.128571428571429},
                                             {-0.253129400719762, -0.875215146299484}})},
                         .tolerance = 1e-10,
                         .second_order = true},
                        {.name = "upper",
                         .inputs = {M<double>({{0.2, 0.12, -0.67}, {0.38, 0.12, 1.13}, {1.2, 0.19, -0.38}}),
                                    M<double>({{-0.64, 0.42}, {0.08, -0.34}, {0.04, -0.62}})},
                         .attrs = {{"lower", false}},
                         .want = {M<double>({{-4.54736842105263, 18.4842105263158},
                                             {1.65789473684211, -18.1973684210526},
                                             {-0.105263157894737, 1.63157894736842}})},
                         .tolerance = 1e-10,
                         .second_order = true},
                        {.name = "lower adjoint",
                         .inputs = {M<double>({{0.7, -0.45, 1.22}, {0.4, 0.59, -1.09}, {0.17, 0.74, -0.95}}),
                                    M<double>({{-0.27}, {0.03}, {-1.37}})},
                         .attrs = {{"adjoint", true}},
                         .want = {M<double>({{0.268571428571429}, {-1.75789473684211}, {1.44210526315789}})},
                         .tolerance = 1e-10,
                         .second_order = true},
                        {.name = "upper adjoint batch",
                         .inputs = {T<double>({2, 2, 2}, {0.32, 0.85, -0.86, 0.35, -1.31, -0.04, -1.62, 1.12}),
                                    T<double>({2, 2, 1}, {0.41, -0.02, -0.78, 1.27})},
                         .attrs = {{"lower", false}, {"adjoint", true}},
                         .want = {T<double>({2, 2, 1}, {1.28125, -3.16875, 0.595419847328244, 1.15519356597601})},
                         .tolerance = 1e-10,
                         .second_order = true},
                        {.name = "one matrix for all",
                         .inputs = {M<double>({{2, 0}, {1, 4}}), T<double>({2, 2, 1}, {2, 9, 4, 6})},
                         .want = {T<double>({2, 2, 1}, {1, 2, 2, 1})},
                         .tolerance = 1e-10,
                         .second_order = true},
                        {.name = "many matrices for one side",
                         .inputs = {T<double>({2, 1, 1}, {2, -4}), M<double>({{8}})},
                         .want = {T<double>({2, 1, 1}, {4, -2})},
                         .tolerance = 1e-10,
                         .second_order = true},
                        {.name = "zero on the diagonal",
                         .inputs = {M({{1, 0}, {1, 0}}), M({{1}, {1}})},
                         .want = {M({{1}, {kNan}})},
                         .check_gradient = false},
                    });

INSTANTIATE_OP_TEST(
    Cholesky,
    {
        // Only the lower triangle is read, and the gradient is that of symmetric matrices: see CholeskyGradient.
        {.name = "one",
         .inputs = {M<double>({{9.88, 1.09, 1.28}, {1.09, 5.21, 2.06}, {1.28, 2.06, 2.13}})},
         .want = {M<double>({{3.14324672910034, 0, 0},
                             {0.346775195821799, 2.25604675562426, 0},
                             {0.407222248304498, 0.850507827604963, 1.11391493197125}})},
         .tolerance = 1e-10,
         .check_gradient = false},
        {.name = "batch",
         .inputs = {T<double>({2, 2, 2}, {9.88, 1.09, 1.09, 5.21, 2, 0, 0, 2})},
         .want = {T<double>({2, 2, 2}, {3.14324672910034, 0, 0.346775195821799, 2.25604675562426, 1.4142135623731, 0, 0,
                                        1.4142135623731})},
         .tolerance = 1e-10,
         .check_gradient = false},
        {.name = "lower triangle",
         .inputs = {M({{4, 99}, {2, 5}})},
         .want = {M({{2, 0}, {1, 2}})},
         .check_gradient = false},
        {.name = "not positive", .inputs = {M({{1, 2}, {2, 1}})}, .want_error = "matrix 0 is not positive definite"},
        {.name = "nan", .inputs = {T({1, 1}, {kNan})}, .want = {T({1, 1}, {kNan})}, .check_gradient = false},
    });

TEST(CholeskyGradient, IsSymmetric) {
  Graph g;
  const Output a = Const(g, M<double>({{4, 1, 0.5}, {1, 3, 0.2}, {0.5, 0.2, 2}}));
  const Output weights = Const(g, M<double>({{1, 0, 0}, {-2, 0.5, 0}, {0.3, 4, -1}}));
  const std::vector<Output> gradient = Gradients({Sum(Cholesky(a) * weights)}, {a});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  const absl::StatusOr<Tensor> got = session.Run({}, gradient[0]);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear(*got,
                          M<double>({{0.443349582361424, -0.68137995156776, -0.184036755755869},
                                     {-0.68137995156776, 0.11759620302068, 1.21584720650072},
                                     {-0.184036755755869, 1.21584720650072, -0.359400366954497}}),
                          1e-10));
}

INSTANTIATE_OP_TEST(
    BandedTriangularSolve,
    {{.name = "lower transposed",
      .inputs = {T<double>({3, 4}, {2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 1, 2}),
                 T<double>({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .attrs = {{"lower", true}, {"adjoint", true}},
      .want = {T<double>({4, 2}, {-0.22774999999999998, -0.5004166666666666, -0.729, 0.5283333333333333, -0.2655,
                                  0.06249999999999997, 0.21400000000000002, -0.32999999999999996})}},
     {.name = "lower",
      .inputs = {T<double>({3, 4}, {2, 3, 4, 5, 9, 1, 2, 3, 7, 8, 1, 2}),
                 T<double>({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .attrs = {{"lower", true}, {"adjoint", false}},
      .want = {T<double>({4, 2}, {-0.725, -0.205, -0.5216666666666666, 0.4183333333333334, 0.3370833333333333,
                                  -0.3429166666666667, 0.22041666666666665, -0.29158333333333336})},
      .second_order = true},
     {.name = "upper transposed",
      .inputs = {T<double>({3, 4}, {7, 8, 1, 2, 9, 1, 2, 3, 2, 3, 4, 5}),
                 T<double>({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .attrs = {{"lower", false}, {"adjoint", true}},
      .want = {T<double>({4, 2}, {-0.725, -0.205, 1.4116666666666664, 0.965, 0.8108333333333335, -0.06750000000000003,
                                  -2.3689999999999998, -1.847})}},
     {.name = "upper",
      .inputs = {T<double>({3, 4}, {7, 8, 1, 2, 9, 1, 2, 3, 2, 3, 4, 5}),
                 T<double>({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .attrs = {{"lower", false}, {"adjoint", false}},
      .want = {T<double>({4, 2},
                         {5.702000000000001, -5.699999999999999, -1.2633333333333334, 1.2366666666666666,
                          -0.21200000000000002, -0.020000000000000018, 0.21400000000000002, -0.32999999999999996})}},
     {.name = "broadcast",
      .inputs = {T<double>({2, 1, 2, 4}, {2, 3, 4, 5, 9, 1, 2, 3, 3, 4, 5, 6, 1e+01, 2, 3, 4}),
                 T<double>({3, 4, 1}, {0.54, -2.06, -0.66, -1.2, 1.46, 1.77, -0.33, 0.84, -0.18, 0.57, -0.75, -1.71})},
      .want = {T<double>({2, 3, 4, 1}, {0.27,
                                        -0.7766666666666667,
                                        0.22333333333333336,
                                        -0.374,
                                        0.73,
                                        0.3466666666666667,
                                        -0.25583333333333336,
                                        0.3215,
                                        -0.09,
                                        0.21999999999999997,
                                        -0.2975,
                                        -0.1635,
                                        0.18000000000000002,
                                        -0.605,
                                        0.23099999999999996,
                                        -0.3539999999999999,
                                        0.48666666666666664,
                                        0.1991666666666667,
                                        -0.1855,
                                        0.26366666666666666,
                                        -0.06,
                                        0.1725,
                                        -0.2535,
                                        -0.11599999999999999})}},
     {.name = "diagonal alone, float",
      .inputs = {T({1, 4}, {2, 3, 4, 5}), T({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .want = {T({4, 2}, {-0.725, -0.205, -0.7633333, 0.35, -0.105, -0.185, 0.21400002, -0.32999998})}},
     {.name = "more rows than diagonals",
      .inputs = {T<double>({5, 4}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}),
                 T<double>({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .want = {T<double>({4, 2}, {-1.45, -0.41, -0.8400000000000001, 1.46, 1.87, -1.79, 1.49, -0.9099999999999999})},
      .check_gradient = false},
     {.name = "zero",
      .inputs = {T<double>({2, 2}, {1, 0, 1, 1}), T<double>({2, 2}, {-1.45, -0.41, -2.29, 1.05})},
      .want_error = "diagonal has a zero"},
     {.name = "sizes",
      .inputs = {T<double>({2, 4}, {1, 1, 1, 1, 1, 1, 1, 1}),
                 T<double>({3, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74})},
      .want_error = "equations"},
     {.name = "no diagonals",
      .inputs = {T<double>({0, 4}, {}), T<double>({4, 2}, {-1.45, -0.41, -2.29, 1.05, -0.42, -0.74, 1.07, -1.65})},
      .want_error = "no diagonals"}});

}  // namespace
}  // namespace staticflow
