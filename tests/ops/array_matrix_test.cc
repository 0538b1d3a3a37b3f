// Tables of ops on diagonals; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    MatrixBandPart,
    {{.name = "band",
      .inputs = {M({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}), Tensor(int64_t{1}), Tensor(int64_t{0})},
      .want = {M({{1, 0, 0, 0}, {5, 6, 0, 0}, {0, 10, 11, 0}})},
      .second_order = true},
     {.name = "upper",
      .inputs = {T({2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), Tensor(0), Tensor(-1)},
      .want = {T({2, 2, 3}, {1, 2, 3, 0, 5, 6, 7, 8, 9, 0, 11, 12})}},
     {.name = "too_many",
      .inputs = {M({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}), Tensor(int64_t{4}), Tensor(int64_t{0})},
      .want_error = "exceed"}});

INSTANTIATE_OP_TEST(MatrixDiag, {{.name = "two",
                                  .inputs = {M({{1, -2}, {3, 0.5}})},
                                  .want = {T({2, 2, 2}, {1, 0, 0, -2, 3, 0, 0, 0.5})},
                                  .second_order = true}});

INSTANTIATE_OP_TEST(MatrixDiagPart, {{.name = "wide",
                                      .inputs = {M({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}})},
                                      .want = {T({1, 6, 11})},
                                      .second_order = true},
                                     {.name = "tall_batch",
                                      .inputs = {T({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})},
                                      .want = {M({{0, 3}, {6, 9}})}},
                                     {.name = "vector", .inputs = {T({1})}, .want_error = "expected rank 2 or more"}});

INSTANTIATE_OP_TEST(MatrixSetDiag, {{.name = "wide",
                                     .inputs = {M({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}), T({-1, -2, -3})},
                                     .want = {M({{-1, 2, 3, 4}, {5, -2, 7, 8}, {9, 10, -3, 12}})},
                                     .second_order = true},
                                    {.name = "wrong_length",
                                     .inputs = {M({{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}), T({-1, -2})},
                                     .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(
    Diag,
    {{.name = "vector", .inputs = {T({1, 2, 3})}, .want = {M({{1, 0, 0}, {0, 2, 0}, {0, 0, 3}})}, .second_order = true},
     {.name = "matrix",
      .inputs = {M<int32_t>({{1, 2}, {3, 4}})},
      .want = {T<int32_t>({2, 2, 2, 2}, {1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 4})}}});

INSTANTIATE_OP_TEST(DiagPart,
                    {{.name = "matrix", .inputs = {M({{1, 2}, {3, 4}})}, .want = {T({1, 4})}, .second_order = true},
                     {.name = "rank_4",
                      .inputs = {T<int32_t>({2, 3, 2, 3},
                                            {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
                                             18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35})},
                      .want = {M<int32_t>({{0, 7, 14}, {21, 28, 35}})}},
                     {.name = "odd_rank", .inputs = {T({1})}, .want_error = "even rank"},
                     {.name = "not_square", .inputs = {M({{1, 2, 3}, {4, 5, 6}})}, .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(BatchMatrixBandPart,
                    {{.name = "lower",
                      .inputs = {T({2, 3, 3}, {-0, -1.75, 1.02, 0.6, -0.63, -0.17, 0.51, -0.26, -0.24, -1.45, 0.55,
                                               0.12, 0.27, -1.53, 1.65, 0.15, -0.39, 2.03}),
                                 T<int64_t>({}, {1}), T<int64_t>({}, {0})},
                      .want = {T({2, 3, 3}, {-0, 0, 0, 0.6, -0.63, 0, 0, -0.26, -0.24, -1.45, 0, 0, 0.27, -1.53, 0, 0,
                                             -0.39, 2.03})}}});

}  // namespace
}  // namespace staticflow
