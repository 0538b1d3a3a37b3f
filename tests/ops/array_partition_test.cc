// Tables of DynamicPartition and DynamicStitch; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(DynamicPartition, {{.name = "vector",
                                        .inputs = {T({1, 2, 3, 4}), T<int32_t>({0, 2, 0, 1})},
                                        .attrs = {{"num_partitions", 3}},
                                        .want = {T({1, 3}), T({4}), T({2})},
                                        .second_order = true},
                                       {.name = "rows_and_an_empty_one",
                                        .inputs = {M({{1, -2}, {3, 0.5}}), T<int32_t>({1, 1})},
                                        .attrs = {{"num_partitions", 2}},
                                        .want = {T({0, 2}, {}), M({{1, -2}, {3, 0.5}})}},
                                       {.name = "out_of_range",
                                        .inputs = {T({1}), T<int32_t>({2})},
                                        .attrs = {{"num_partitions", 2}},
                                        .want_error = "partitions[0] is 2"},
                                       {.name = "shapes_differ",
                                        .inputs = {T({1, 2}), T<int32_t>({0})},
                                        .attrs = {{"num_partitions", 1}},
                                        .want_error = "does not start"}});

INSTANTIATE_OP_TEST(DynamicStitch,
                    {{.name = "rows",
                      .inputs = {Tensor(2), T<int32_t>({0, 1}), T({1, 2}), M({{1, -2}, {3, 0.5}})},
                      .attrs = {{"N", 2}},
                      .want = {M({{1, -2}, {3, 0.5}, {1, 2}})},
                      .second_order = true},
                     {.name = "last_wins",
                      .inputs = {T<int32_t>({0, 1}), T<int32_t>({1}), T<int32_t>({1, 2}), T<int32_t>({3})},
                      .attrs = {{"N", 2}},
                      .want = {T<int32_t>({1, 3})}},
                     {.name = "negative",
                      .inputs = {T<int32_t>({-1}), T({1})},
                      .attrs = {{"N", 1}},
                      .want_error = "expected 0 or more"}});

INSTANTIATE_OP_TEST(ParallelDynamicStitch, {{.name = "rows",
                                             .inputs = {T<int32_t>({1}), T<int32_t>({0}), T({1}), T({2})},
                                             .attrs = {{"N", 2}},
                                             .want = {T({2, 1})}}});

}  // namespace
}  // namespace staticflow
