// Tables of TopKV2 and InTopK; the values are TensorFlow's.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(TopKV2,
                    {{.name = "rows",
                      .inputs = {M({{1, 5, 3}, {2, 4, 1}}), Tensor(2)},
                      .want = {M({{5, 3}, {4, 2}}), M<int32_t>({{1, 2}, {1, 0}})},
                      .second_order = true},
                     {.name = "first_of_equals",
                      .inputs = {T({2, 3, 3, 2, 2}), Tensor(3)},
                      .want = {T({3, 3, 2}), T<int32_t>({1, 2, 0})},
                      .check_gradient = false},
                     {.name = "int64",
                      .inputs = {T<double>({1, 3, 2}), Tensor(int64_t{2})},
                      .attrs = {{"index_type", DT_INT64}},
                      .want = {T<double>({3, 2}), T<int64_t>({1, 2})},
                      .second_order = true},
                     {.name = "ints",
                      .inputs = {T<int32_t>({3, 1, 2}), Tensor(3)},
                      .want = {T<int32_t>({3, 2, 1}), T<int32_t>({0, 2, 1})}},
                     {.name = "none", .inputs = {T({1, 2}), Tensor(0)}, .want = {T({}), T<int32_t>({})}},
                     {.name = "too_many", .inputs = {T({1, 2}), Tensor(3)}, .want_error = "k is 3"},
                     {.name = "scalar", .inputs = {Tensor(1.0f), Tensor(0)}, .want_error = "expected rank 1 or more"}});

INSTANTIATE_OP_TEST(
    InTopK,
    {{.name = "rows",
      .inputs = {M({{0.100000001, 0.899999976, 0.5}, {0.300000012, 0.300000012, 0.100000001}, {1, NAN, 0}, {1, 2, 3}}),
                 T<int32_t>({2, 1, 0, 7})},
      .attrs = {{"k", 1}},
      .want = {T<bool>({false, true, false, false})},
      .check_gradient = false}});

INSTANTIATE_OP_TEST(
    InTopKV2,
    {{.name = "rows",
      .inputs = {M({{0.100000001, 0.899999976, 0.5}, {0.300000012, 0.300000012, 0.100000001}, {1, NAN, 0}, {1, 2, 3}}),
                 T<int64_t>({2, 1, 0, 7}), Tensor(int64_t{2})},
      .want = {T<bool>({true, true, false, false})}},
     {.name = "wrong_count",
      .inputs = {M({{0.100000001, 0.899999976, 0.5}, {0.300000012, 0.300000012, 0.100000001}, {1, NAN, 0}, {1, 2, 3}}),
                 T<int32_t>({1}), Tensor(1)},
      .want_error = "do not agree"}});

}  // namespace
}  // namespace staticflow
