// Tables of Slice, Range, LinSpace; the values are TensorFlow's.
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Slice,
    {{.name = "block",
      .inputs = {T({2, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}),
                 T<int32_t>({0, 1, 1}), T<int32_t>({2, 2, 2})},
      .want = {T({2, 2, 2}, {5, 6, 9, 10, 17, 18, 21, 22})},
      .second_order = true},
     {.name = "rest",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1, 1}), T<int64_t>({-1, -1})},
      .want = {M({{5, 6}})},
      .second_order = true},
     {.name = "nothing",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({2, 0}), T<int32_t>({0, 3})},
      .want = {T({0, 3}, {})}},
     {.name = "scalar", .inputs = {Tensor(3.0f), T<int32_t>({}), T<int32_t>({})}, .want = {Tensor(3.0f)}},
     {.name = "strings",
      .inputs = {T<std::string>({"a", "b"}), T<int32_t>({1}), T<int32_t>({1})},
      .want = {T<std::string>({"b"})}},
     {.name = "begin_too_large",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({3, 0}), T<int32_t>({-1, 1})},
      .want_error = "begin[0] is 3"},
     {.name = "too_long",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({1, 0}), T<int32_t>({2, 1})},
      .want_error = "reach beyond"},
     {.name = "negative_begin",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({-1, 0}), T<int32_t>({1, 1})},
      .want_error = "begin[0] is -1"},
     {.name = "wrong_length",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0}), T<int32_t>({1})},
      .want_error = "do not agree"},
     {.name = "size_below_minus_one",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 0}), T<int32_t>({-2, 1})},
      .want_error = "-2"}});

INSTANTIATE_OP_TEST(
    Range, {{.name = "ints", .inputs = {Tensor(3), Tensor(18), Tensor(3)}, .want = {T<int32_t>({3, 6, 9, 12, 15})}},
            {.name = "down",
             .inputs = {Tensor(int64_t{5}), Tensor(int64_t{0}), Tensor(int64_t{-2})},
             .want = {T<int64_t>({5, 3, 1})}},
            {.name = "floats",
             .inputs = {Tensor(0.0f), Tensor(1.0f), Tensor(0.300000012f)},
             .want = {T({0, 0.300000012, 0.600000024, 0.900000036})}},
            {.name = "nothing", .inputs = {Tensor(3), Tensor(3), Tensor(1)}, .want = {T<int32_t>({})}},
            {.name = "zero_delta", .inputs = {Tensor(3), Tensor(4), Tensor(0)}, .want_error = "delta is 0"},
            {.name = "wrong_way", .inputs = {Tensor(3), Tensor(1), Tensor(1)}, .want_error = "lies beyond limit"},
            {.name = "too_long",
             .inputs = {Tensor(int64_t{std::numeric_limits<int64_t>::min()}), Tensor(int64_t{9223372036854775807}),
                        Tensor(int64_t{1})},
             .want_error = "too many"},
            {.name = "to_the_largest",
             .inputs = {Tensor(int64_t{9223372036854775805}), Tensor(int64_t{9223372036854775807}), Tensor(int64_t{5})},
             .want = {T<int64_t>({9223372036854775805})}}});

INSTANTIATE_OP_TEST(
    LinSpace,
    {{.name = "three", .inputs = {Tensor(10.0f), Tensor(12.0f), Tensor(3)}, .want = {T({10, 11, 12})}},
     {.name = "one", .inputs = {Tensor(10.0), Tensor(12.0), Tensor(int64_t{1})}, .want = {T<double>({10})}},
     {.name = "none", .inputs = {Tensor(10.0f), Tensor(12.0f), Tensor(0)}, .want_error = "expected 1 or more"}});

}  // namespace
}  // namespace staticflow
