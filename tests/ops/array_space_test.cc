// Tables of ops on blocks of space; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(SpaceToBatchND,
                    {{.name = "padded",
                      .inputs = {T({1, 2, 3, 1}, {0, 1, 2, 3, 4, 5}), T<int32_t>({2, 2}), M<int32_t>({{0, 0}, {1, 0}})},
                      .want = {T({4, 1, 2, 1}, {0, 1, 0, 2, 0, 4, 3, 5})},
                      .second_order = true},
                     {.name = "one_dimension",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({3}), M<int32_t>({{0, 0}})},
                      .want = {M({{1}, {4}, {2}, {5}, {3}, {6}})},
                      .second_order = true},
                     {.name = "does_not_divide",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({2}), M<int32_t>({{0, 0}})},
                      .want_error = "do not divide"},
                     {.name = "zero_block",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0}), M<int32_t>({{0, 0}})},
                      .want_error = "block size"},
                     {.name = "block_matrix",
                      .inputs = {M({{1, 2}}), M<int32_t>({{2}}), M<int32_t>({{0, 0}})},
                      .want_error = "expected rank 1"},
                     {.name = "paddings_of_three",
                      .inputs = {M({{1, 2}}), T<int32_t>({2}), M<int32_t>({{0, 0, 0}})},
                      .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(BatchToSpaceND, {{.name = "cropped",
                                      .inputs = {T({4, 1, 2, 1}, {0, 1, 2, 3, 4, 5, 6, 7}), T<int32_t>({2, 2}),
                                                 M<int32_t>({{0, 0}, {1, 0}})},
                                      .want = {T({1, 2, 3, 1}, {2, 1, 3, 6, 5, 7})},
                                      .second_order = true},
                                     {.name = "crops_too_large",
                                      .inputs = {M({{0, 1}, {2, 3}}), T<int32_t>({2}), M<int32_t>({{3, 2}})},
                                      .want_error = "exceed"},
                                     {.name = "batch_does_not_divide",
                                      .inputs = {M({{0, 1}, {2, 3}, {4, 5}}), T<int32_t>({2}), M<int32_t>({{0, 0}})},
                                      .want_error = "does not divide"}});

INSTANTIATE_OP_TEST(SpaceToBatch, {{.name = "padded",
                                    .inputs = {T({1, 2, 3, 1}, {0, 1, 2, 3, 4, 5}), M<int32_t>({{0, 0}, {1, 0}})},
                                    .attrs = {{"block_size", 2}},
                                    .want = {T({4, 1, 2, 1}, {0, 1, 0, 2, 0, 4, 3, 5})},
                                    .second_order = true}});

INSTANTIATE_OP_TEST(BatchToSpace, {{.name = "cropped",
                                    .inputs = {T({4, 1, 2, 1}, {0, 1, 2, 3, 4, 5, 6, 7}), M<int32_t>({{0, 0}, {1, 0}})},
                                    .attrs = {{"block_size", 2}},
                                    .want = {T({1, 2, 3, 1}, {2, 1, 3, 6, 5, 7})},
                                    .second_order = true}});

INSTANTIATE_OP_TEST(SpaceToDepth,
                    {{.name = "nhwc",
                      .inputs = {T({1, 4, 4, 2}, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31})},
                      .attrs = {{"block_size", 2}},
                      .want = {T({1, 2, 2, 8}, {0,  1,  2,  3,  8,  9,  10, 11, 4,  5,  6,  7,  12, 13, 14, 15,
                                                16, 17, 18, 19, 24, 25, 26, 27, 20, 21, 22, 23, 28, 29, 30, 31})},
                      .second_order = true},
                     {.name = "does_not_divide",
                      .inputs = {T({1, 3, 4, 1}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})},
                      .attrs = {{"block_size", 2}},
                      .want_error = "do not divide"},
                     {.name = "nchw",
                      .inputs = {T({1, 2, 4, 4}, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31})},
                      .attrs = {{"block_size", 2}, {"data_format", "NCHW"}},
                      .want = {T({1, 8, 2, 2}, {0, 2, 8,  10, 16, 18, 24, 26, 1, 3, 9,  11, 17, 19, 25, 27,
                                                4, 6, 12, 14, 20, 22, 28, 30, 5, 7, 13, 15, 21, 23, 29, 31})},
                      .second_order = true}});

INSTANTIATE_OP_TEST(DepthToSpace,
                    {{.name = "nhwc",
                      .inputs = {T({1, 2, 1, 8}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})},
                      .attrs = {{"block_size", 2}},
                      .want = {T({1, 4, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})},
                      .second_order = true},
                     {.name = "nchw",
                      .inputs = {T({1, 8, 2, 2}, {0, 2, 8,  10, 16, 18, 24, 26, 1, 3, 9,  11, 17, 19, 25, 27,
                                                  4, 6, 12, 14, 20, 22, 28, 30, 5, 7, 13, 15, 21, 23, 29, 31})},
                      .attrs = {{"block_size", 2}, {"data_format", "NCHW"}},
                      .want = {T({1, 2, 4, 4}, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31})},
                      .second_order = true},
                     {.name = "does_not_divide",
                      .inputs = {T({1, 3, 4, 1}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})},
                      .attrs = {{"block_size", 2}},
                      .want_error = "expected a multiple of 4"}});

}  // namespace
}  // namespace staticflow
