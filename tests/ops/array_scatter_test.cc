// Tables of ScatterNd and TensorScatter*; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(ScatterNd, {{.name = "adds_up",
                                 .inputs = {M<int32_t>({{1}, {3}, {1}}), T({1, 2, 3}), T<int32_t>({4})},
                                 .want = {T({0, 4, 0, 2})},
                                 .second_order = true},
                                {.name = "rows",
                                 .inputs = {M<int64_t>({{1}, {0}}), M({{1, -2}, {3, 0.5}}), T<int64_t>({3, 2})},
                                 .want = {M({{3, 0.5}, {1, -2}, {0, 0}})},
                                 .second_order = true},
                                {.name = "ints",
                                 .inputs = {M<int32_t>({{0, 1}}), T<int32_t>({5}), T<int32_t>({2, 2})},
                                 .want = {M<int32_t>({{0, 5}, {0, 0}})}},
                                {.name = "out_of_range",
                                 .inputs = {M<int32_t>({{4}}), T({1}), T<int32_t>({4})},
                                 .want_error = "index 4 at position 0 is out of range [0, 4)"},
                                {.name = "updates_do_not_fit",
                                 .inputs = {M<int32_t>({{0}}), T({1, 2}), T<int32_t>({4})},
                                 .want_error = "updates has shape"}});

INSTANTIATE_OP_TEST(TensorScatterUpdate,
                    {{.name = "elements",
                      .inputs = {T({1, 2, 3, 4}), M<int32_t>({{3}, {0}}), T({2.5, 2})},
                      .want = {T({2, 2, 3, 2.5})},
                      .second_order = true},
                     {.name = "rows",
                      .inputs = {M({{1, -2}, {3, 0.5}}), M<int64_t>({{1}}), M({{1, 2}})},
                      .want = {M({{1, -2}, {1, 2}})}},
                     {.name = "strings",
                      .inputs = {T<std::string>({"a", "b"}), M<int32_t>({{1}}), T<std::string>({"c"})},
                      .want = {T<std::string>({"a", "c"})}},
                     {.name = "out_of_range",
                      .inputs = {T({1, 2}), M<int32_t>({{-1}}), T({1})},
                      .want_error = "index -1 at position 0"}});

INSTANTIATE_OP_TEST(TensorScatterAdd, {{.name = "elements",
                                        .inputs = {T({1, 2, 3, 4}), M<int32_t>({{3}, {0}}), T({2.5, 2})},
                                        .want = {T({3, 2, 3, 6.5})},
                                        .second_order = true},
                                       {.name = "rows",
                                        .inputs = {M({{1, -2}, {3, 0.5}}), M<int64_t>({{1}}), M({{1, 2}})},
                                        .want = {M({{1, -2}, {4, 2.5}})}},
                                       {.name = "several",
                                        .inputs = {T<int32_t>({1, 2}), M<int32_t>({{1}, {1}}), T<int32_t>({3, 4})},
                                        .want = {T<int32_t>({1, 9})}}});

INSTANTIATE_OP_TEST(TensorScatterSub, {{.name = "elements",
                                        .inputs = {T({1, 2, 3, 4}), M<int32_t>({{3}, {0}}), T({2.5, 2})},
                                        .want = {T({-1, 2, 3, 1.5})},
                                        .second_order = true},
                                       {.name = "rows",
                                        .inputs = {M({{1, -2}, {3, 0.5}}), M<int64_t>({{1}}), M({{1, 2}})},
                                        .want = {M({{1, -2}, {2, -1.5}})}}});

INSTANTIATE_OP_TEST(TensorScatterMax, {{.name = "elements",
                                        .inputs = {T({1, 2, 3, 4}), M<int32_t>({{3}, {0}}), T({2.5, 2})},
                                        .want = {T({2, 2, 3, 4})}},
                                       {.name = "rows",
                                        .inputs = {M({{1, -2}, {3, 0.5}}), M<int64_t>({{1}}), M({{1, 2}})},
                                        .want = {M({{1, -2}, {3, 2}})}}});

INSTANTIATE_OP_TEST(TensorScatterMin, {{.name = "elements",
                                        .inputs = {T({1, 2, 3, 4}), M<int32_t>({{3}, {0}}), T({2.5, 2})},
                                        .want = {T({1, 2, 3, 2.5})}},
                                       {.name = "rows",
                                        .inputs = {M({{1, -2}, {3, 0.5}}), M<int64_t>({{1}}), M({{1, 2}})},
                                        .want = {M({{1, -2}, {1, 0.5}})}}});

}  // namespace
}  // namespace staticflow
