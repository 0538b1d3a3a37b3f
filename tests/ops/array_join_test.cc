// Tables of Concat, ConcatV2, ConcatOffset, Pack; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(ConcatV2, {{.name = "rows",
                                .inputs = {M({{1, -2}, {3, 0.5}}), M({{7, 8}}), Tensor(0)},
                                .want = {M({{1, -2}, {3, 0.5}, {7, 8}})},
                                .second_order = true},
                               {.name = "columns",
                                .inputs = {M({{1, -2}, {3, 0.5}}), M({{1, 2, 3}, {4, 5, 6}}), Tensor(-1)},
                                .want = {M({{1, -2, 1, 2, 3}, {3, 0.5, 4, 5, 6}})},
                                .second_order = true},
                               {.name = "int64_axis_three",
                                .inputs = {T<int32_t>({1}), T<int32_t>({}), T<int32_t>({2, 3}), Tensor(int64_t{0})},
                                .want = {T<int32_t>({1, 2, 3})}},
                               {.name = "strings",
                                .inputs = {T<std::string>({"a"}), T<std::string>({"b"}), Tensor(0)},
                                .want = {T<std::string>({"a", "b"})}},
                               {.name = "other_sizes_differ",
                                .inputs = {M({{1, -2}, {3, 0.5}}), M({{1, 2, 3}, {4, 5, 6}}), Tensor(0)},
                                .want_error = "value 1 has shape"},
                               {.name = "ranks_differ",
                                .inputs = {M({{1, -2}, {3, 0.5}}), T({1}), Tensor(0)},
                                .want_error = "expected rank 2"},
                               {.name = "axis_out_of_range",
                                .inputs = {M({{1, -2}, {3, 0.5}}), M({{1, -2}, {3, 0.5}}), Tensor(2)},
                                .want_error = "out of range"},
                               {.name = "scalars",
                                .inputs = {Tensor(1.0f), Tensor(2.0f), Tensor(0)},
                                .want_error = "scalars cannot be concatenated"}});

INSTANTIATE_OP_TEST(Concat, {{.name = "columns",
                              .inputs = {Tensor(1), M({{1, -2}, {3, 0.5}}), M({{1, 2, 3}, {4, 5, 6}})},
                              .want = {M({{1, -2, 1, 2, 3}, {3, 0.5, 4, 5, 6}})},
                              .second_order = true}});

INSTANTIATE_OP_TEST(ConcatOffset,
                    {{.name = "columns",
                      .inputs = {Tensor(1), T<int32_t>({2, 2, 5}), T<int32_t>({2, 3, 5}), T<int32_t>({2, 4, 5})},
                      .attrs = {{"N", 3}},
                      .want = {T<int32_t>({0, 0, 0}), T<int32_t>({0, 2, 0}), T<int32_t>({0, 5, 0})}},
                     {.name = "differ",
                      .inputs = {Tensor(1), T<int32_t>({2, 2}), T<int32_t>({3, 3})},
                      .attrs = {{"N", 2}},
                      .want_error = "expected 2"}});

INSTANTIATE_OP_TEST(Pack, {{.name = "front",
                            .inputs = {M({{1, -2}, {3, 0.5}}), M({{2, -4}, {6, 1}})},
                            .attrs = {{"N", 2}},
                            .want = {T({2, 2, 2}, {1, -2, 3, 0.5, 2, -4, 6, 1})},
                            .second_order = true},
                           {.name = "middle",
                            .inputs = {M({{1, 2, 3}, {4, 5, 6}}), M({{2, 4, 6}, {8, 10, 12}})},
                            .attrs = {{"N", 2}, {"axis", 1}},
                            .want = {T({2, 2, 3}, {1, 2, 3, 2, 4, 6, 4, 5, 6, 8, 10, 12})},
                            .second_order = true},
                           {.name = "last",
                            .inputs = {M({{1, -2}, {3, 0.5}}), M({{2, -4}, {6, 1}})},
                            .attrs = {{"N", 2}, {"axis", -1}},
                            .want = {T({2, 2, 2}, {1, 2, -2, -4, 3, 6, 0.5, 1})}},
                           {.name = "scalars",
                            .inputs = {Tensor(1), Tensor(2), Tensor(3)},
                            .attrs = {{"N", 3}},
                            .want = {T<int32_t>({1, 2, 3})}},
                           {.name = "strings",
                            .inputs = {Tensor("a"), Tensor("b")},
                            .attrs = {{"N", 2}},
                            .want = {T<std::string>({"a", "b"})}},
                           {.name = "shapes_differ",
                            .inputs = {M({{1, -2}, {3, 0.5}}), M({{1, 2, 3}, {4, 5, 6}})},
                            .attrs = {{"N", 2}},
                            .want_error = "do not agree"},
                           {.name = "axis_out_of_range",
                            .inputs = {M({{1, -2}, {3, 0.5}})},
                            .attrs = {{"N", 1}, {"axis", 3}},
                            .want_error = "out of range"}});

}  // namespace
}  // namespace staticflow
