// Reference values: TensorFlow 2.21.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    LogMatrixDeterminant,
    {{.name = "matrix",
      .inputs = {M({{2, -1, 0.5}, {1, 3, 0}, {0, 1, -1}})},
      .want = {Tensor(-1.0f), Tensor(1.8718021f)}},
     {.name = "batch",
      .inputs = {T({2, 3, 3}, {2, -1, 0.5, 1, 3, 0, 0, 1, -1, 2, 1, 0, 1, 3, 0.5, 0, 0.5, -1})},
      .want = {T({-1, -1}), T({1.8718021, 1.7047482})},
      .gradient_outputs = {1}},
     {.name = "singular",
      .inputs = {M({{1, 2}, {2, 4}})},
      .want = {Tensor(-0.0f), Tensor(float{-INFINITY})},
      .check_gradient = false},
     {.name = "nothing", .inputs = {T({0, 2, 2}, {})}, .want = {T({0}, {}), T({0}, {})}, .check_gradient = false},
     {.name = "not square", .inputs = {M({{2, -1, 0.5}, {1, 3, 0}})}, .want_error = "rows and columns"}});

INSTANTIATE_OP_TEST(
    SelfAdjointEigV2,
    {{.name = "values",
      .inputs = {M({{2, 1, 0}, {1, 3, 0.5}, {0, 0.5, -1}})},
      .attrs = {{"compute_v", false}},
      .want = {T({-1.0668314, 1.4096982, 3.657133}), Tensor()}},
     {.name = "batch",
      .inputs = {T({2, 3, 3}, {2, 1, 0, 1, 3, 0.5, 0, 0.5, -1, 5, 2, 0, 2, 7, 1, 0, 1, -1})},
      .want = {M({{-1.0668314, 1.4096982, 3.657133}, {-1.1336628, 3.819397, 8.314266}}), Tensor()},
      .gradient_outputs = {0}},
     {.name = "diagonal",
      .inputs = {M({{3, 0}, {0, 1}})},
      .want = {T({1, 3}), M({{0, 1}, {1, 0}})},
      .check_gradient = false},
     {.name = "vectors",
      .inputs = {M({{2, 1}, {1, 2}})},
      .want = {T({1, 3}), M({{0.70710677, 0.70710677}, {-0.70710677, 0.70710677}})}},
     {.name = "not finite", .inputs = {M({{NAN}})}, .check_gradient = false, .want_error = "not finite"}});

INSTANTIATE_OP_TEST(CholeskyGrad, {{.name = "matrix",
                                    .inputs = {M({{2, 0, 0}, {0.5, 1.6583124, 0}, {0, 0.30151135, 1.3816986}}),
                                               M({{1, 0, 0}, {0.5, -1, 0}, {2, 0.25, 1}})},
                                    .want = {M({{0.19979665, 0.20081341, 0.49760434},
                                                {0.20081341, -0.30325362, 0.0095826695},
                                                {0.49760434, 0.0095826695, 0.36187342}})},
                                    .check_gradient = false},
                                   {.name = "singular",
                                    .inputs = {M({{0, 0}, {0, 0}}), M({{1, 1}, {1, 1}})},
                                    .want_error = "not invertible"}});

}  // namespace
}  // namespace staticflow
