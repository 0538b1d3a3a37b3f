// Tables of broadcasting ops; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    BroadcastGradientArgs,
    {{.name = "equal", .inputs = {T<int32_t>({2, 3}), T<int32_t>({2, 3})}, .want = {T<int32_t>({}), T<int32_t>({})}},
     {.name = "equal_with_ones",
      .inputs = {T<int32_t>({1, 3}), T<int32_t>({1, 3})},
      .want = {T<int32_t>({}), T<int32_t>({})}},
     {.name = "scalar", .inputs = {T<int32_t>({2, 3}), T<int32_t>({})}, .want = {T<int32_t>({}), T<int32_t>({0, 1})}},
     {.name = "row", .inputs = {T<int32_t>({2, 3}), T<int32_t>({3})}, .want = {T<int32_t>({}), T<int32_t>({0})}},
     {.name = "column", .inputs = {T<int32_t>({2, 1}), T<int32_t>({2, 3})}, .want = {T<int32_t>({1}), T<int32_t>({})}},
     {.name = "both",
      .inputs = {T<int32_t>({2, 1, 1}), T<int32_t>({3, 4})},
      .want = {T<int32_t>({1, 2}), T<int32_t>({0})}},
     {.name = "common_ones",
      .inputs = {T<int32_t>({1, 1, 3}), T<int32_t>({1, 1})},
      .want = {T<int32_t>({0, 1}), T<int32_t>({0, 1, 2})}},
     {.name = "ones_of_two_ranks",
      .inputs = {T<int32_t>({1, 3}), T<int32_t>({3})},
      .want = {T<int32_t>({0}), T<int32_t>({0})}},
     {.name = "zero", .inputs = {T<int32_t>({0, 3}), T<int32_t>({1, 3})}, .want = {T<int32_t>({}), T<int32_t>({0})}},
     {.name = "empty", .inputs = {T<int32_t>({}), T<int32_t>({})}, .want = {T<int32_t>({}), T<int32_t>({})}},
     {.name = "int64", .inputs = {T<int64_t>({2, 1}), T<int64_t>({1, 3})}, .want = {T<int64_t>({1}), T<int64_t>({0})}},
     {.name = "no_fit", .inputs = {T<int32_t>({2}), T<int32_t>({3})}, .want_error = "cannot be broadcast"}});

INSTANTIATE_OP_TEST(
    BroadcastArgs,
    {{.name = "both", .inputs = {T<int32_t>({2, 1, 1}), T<int32_t>({3, 4})}, .want = {T<int32_t>({2, 3, 4})}},
     {.name = "no_fit", .inputs = {T<int32_t>({2}), T<int32_t>({3})}, .want_error = "cannot be broadcast"}});

INSTANTIATE_OP_TEST(BroadcastTo,
                    {{.name = "row",
                      .inputs = {T({1, 2}), T<int32_t>({3, 2})},
                      .want = {M({{1, 2}, {1, 2}, {1, 2}})},
                      .second_order = true},
                     {.name = "column",
                      .inputs = {M({{1}, {2}}), T<int64_t>({2, 2, 3})},
                      .want = {T({2, 2, 3}, {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2})},
                      .second_order = true},
                     {.name = "scalar", .inputs = {Tensor(1.0f), T<int32_t>({2})}, .want = {T({1, 1})}},
                     {.name = "no_fit", .inputs = {T({1, 2}), T<int32_t>({3})}, .want_error = "broadcast"}});

INSTANTIATE_OP_TEST(
    Tile,
    {{.name = "matrix",
      .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({2, 3})},
      .want = {M({{1, -2, 1, -2, 1, -2}, {3, 0.5, 3, 0.5, 3, 0.5}, {1, -2, 1, -2, 1, -2}, {3, 0.5, 3, 0.5, 3, 0.5}})},
      .second_order = true},
     {.name = "strings",
      .inputs = {T<std::string>({"a", "b"}), T<int64_t>({2})},
      .want = {T<std::string>({"a", "b", "a", "b"})}},
     {.name = "zero_times", .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({0, 1})}, .want = {T({0, 2}, {})}},
     {.name = "wrong_length", .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({2})}, .want_error = "expected"},
     {.name = "negative", .inputs = {T({1}), T<int32_t>({-1})}, .want_error = "negative"}});

}  // namespace
}  // namespace staticflow
