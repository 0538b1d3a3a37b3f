// Tables of Transpose and InvertPermutation; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Transpose,
    {{.name = "matrix",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({1, 0})},
      .want = {M({{1, 4}, {2, 5}, {3, 6}})},
      .second_order = true},
     {.name = "cube_021",
      .inputs = {T({2, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}),
                 T<int64_t>({0, 2, 1})},
      .want = {T({2, 4, 3}, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 12, 16, 20, 13, 17, 21, 14, 18, 22, 15, 19, 23})}},
     {.name = "cube_102",
      .inputs = {T({2, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}),
                 T<int64_t>({1, 0, 2})},
      .want = {T({3, 2, 4}, {0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19, 8, 9, 10, 11, 20, 21, 22, 23})}},
     {.name = "cube_210",
      .inputs = {T({2, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}),
                 T<int64_t>({2, 1, 0})},
      .want = {T({4, 3, 2}, {0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23})}},
     {.name = "cube_120",
      .inputs = {T({2, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}),
                 T<int64_t>({1, 2, 0})},
      .want = {T({3, 4, 2}, {0, 12, 1, 13, 2, 14, 3, 15, 4, 16, 5, 17, 6, 18, 7, 19, 8, 20, 9, 21, 10, 22, 11, 23})}},
     {.name = "same", .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({0, 1})}, .want = {M({{1, -2}, {3, 0.5}})}},
     {.name = "strings",
      .inputs = {M<std::string>({{"a", "b"}}), T<int32_t>({1, 0})},
      .want = {M<std::string>({{"a"}, {"b"}})}},
     {.name = "scalar", .inputs = {Tensor(1.0f), T<int32_t>({})}, .want = {Tensor(1.0f)}},
     {.name = "empty", .inputs = {T({0, 2}, {}), T<int32_t>({1, 0})}, .want = {T({2, 0}, {})}},
     {.name = "twice_the_same",
      .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({0, 0})},
      .want_error = "is no permutation"},
     {.name = "out_of_range",
      .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({0, 2})},
      .want_error = "is no permutation"},
     {.name = "wrong_length", .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({0})}, .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(
    InvertPermutation,
    {{.name = "int32", .inputs = {T<int32_t>({2, 0, 3, 1})}, .want = {T<int32_t>({1, 3, 0, 2})}},
     {.name = "int64", .inputs = {T<int64_t>({0})}, .want = {T<int64_t>({0})}},
     {.name = "twice_the_same", .inputs = {T<int32_t>({0, 0})}, .want_error = "expected each of 0 to 1 once"},
     {.name = "out_of_range", .inputs = {T<int32_t>({0, 5})}, .want_error = "expected each of 0 to 1 once"}});

}  // namespace
}  // namespace staticflow
