// Tables of Unique, UniqueWithCounts, ListDiff; the values are TensorFlow's.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(Unique, {{.name = "ints",
                              .inputs = {T<int32_t>({4, 1, 4, 2, 1})},
                              .want = {T<int32_t>({4, 1, 2}), T<int32_t>({0, 1, 0, 2, 1})}},
                             {.name = "int64_index",
                              .inputs = {T<int64_t>({7, 7})},
                              .attrs = {{"out_idx", DT_INT64}},
                              .want = {T<int64_t>({7}), T<int64_t>({0, 0})}},
                             {.name = "strings",
                              .inputs = {T<std::string>({"b", "a", "b"})},
                              .want = {T<std::string>({"b", "a"}), T<int32_t>({0, 1, 0})}},
                             {.name = "none", .inputs = {T({})}, .want = {T({}), T<int32_t>({})}},
                             {.name = "nan_is_never_equal",
                              .inputs = {T({NAN, 1, NAN, 1, 0, 0})},
                              .want = {T({NAN, 1, NAN, 0}), T<int32_t>({0, 1, 2, 1, 3, 3})}},
                             {.name = "matrix", .inputs = {M({{1, -2}, {3, 0.5}})}, .want_error = "expected rank 1"}});

INSTANTIATE_OP_TEST(UniqueWithCounts,
                    {{.name = "ints",
                      .inputs = {T<int32_t>({4, 1, 4, 2, 1})},
                      .want = {T<int32_t>({4, 1, 2}), T<int32_t>({0, 1, 0, 2, 1}), T<int32_t>({2, 2, 1})}},
                     {.name = "int64_index",
                      .inputs = {T({1.5, 1.5})},
                      .attrs = {{"out_idx", DT_INT64}},
                      .want = {T({1.5}), T<int64_t>({0, 0}), T<int64_t>({2})}}});

INSTANTIATE_OP_TEST(ListDiff, {{.name = "ints",
                                .inputs = {T<int32_t>({1, 2, 3, 4, 2, 6}), T<int32_t>({3, 2, 7})},
                                .want = {T<int32_t>({1, 4, 6}), T<int32_t>({0, 3, 5})}},
                               {.name = "strings",
                                .inputs = {T<std::string>({"a", "b"}), T<std::string>({"a"})},
                                .attrs = {{"out_idx", DT_INT64}},
                                .want = {T<std::string>({"b"}), T<int64_t>({1})}},
                               {.name = "nothing",
                                .inputs = {T<int32_t>({1}), T<int32_t>({1})},
                                .want = {T<int32_t>({}), T<int32_t>({})}}});

}  // namespace
}  // namespace staticflow
