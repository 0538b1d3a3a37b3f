// Tables of ops on shapes; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Shape,
    {{.name = "matrix", .inputs = {M({{1, 2, 3}, {4, 5, 6}})}, .want = {T<int32_t>({2, 3})}},
     {.name = "scalar_int64", .inputs = {Tensor(1.0f)}, .attrs = {{"out_type", DT_INT64}}, .want = {T<int64_t>({})}}});

INSTANTIATE_OP_TEST(ShapeN, {{.name = "two",
                              .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T({1})},
                              .attrs = {{"N", 2}},
                              .want = {T<int32_t>({2, 3}), T<int32_t>({1})}}});

INSTANTIATE_OP_TEST(Size, {{.name = "matrix", .inputs = {M({{1, 2, 3}, {4, 5, 6}})}, .want = {Tensor(6)}},
                           {.name = "empty_int64",
                            .inputs = {T({0, 3}, {})},
                            .attrs = {{"out_type", DT_INT64}},
                            .want = {Tensor(int64_t{0})}}});

INSTANTIATE_OP_TEST(Rank, {{.name = "matrix", .inputs = {M({{1, 2, 3}, {4, 5, 6}})}, .want = {Tensor(2)}}});

INSTANTIATE_OP_TEST(
    Reshape,
    {{.name = "open_size",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({3, -1})},
      .want = {M({{1, 2}, {3, 4}, {5, 6}})},
      .second_order = true},
     {.name = "to_scalar", .inputs = {T({7}), T<int32_t>({})}, .want = {Tensor(7.0f)}, .second_order = true},
     {.name = "int64_shape_strings",
      .inputs = {T<std::string>({"a", "b"}), T<int64_t>({2, 1})},
      .want = {M<std::string>({{"a"}, {"b"}})}},
     {.name = "empty", .inputs = {T({0, 3}, {}), T<int32_t>({3, -1})}, .want = {T({3, 0}, {})}},
     {.name = "does_not_fit",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({4, -1})},
      .want_error = "expected a shape that fits"},
     {.name = "wrong_size",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({5})},
      .want_error = "expected a shape that fits"},
     {.name = "two_open_sizes",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({-1, -1})},
      .want_error = "more than one size open"},
     {.name = "open_size_of_nothing", .inputs = {T({0, 3}, {}), T<int32_t>({0, -1})}, .want = {T({0, 3}, {})}},
     {.name = "open_size_of_something",
      .inputs = {M({{1, 2, 3}}), T<int32_t>({0, -1})},
      .want_error = "does not follow"},
     {.name = "below_minus_one", .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({-2, 3})}, .want_error = "-2"}});

INSTANTIATE_OP_TEST(
    ExpandDims,
    {{.name = "front",
      .inputs = {M({{1, -2}, {3, 0.5}}), Tensor(0)},
      .want = {T({1, 2, 2}, {1, -2, 3, 0.5})},
      .second_order = true},
     {.name = "last", .inputs = {M({{1, -2}, {3, 0.5}}), Tensor(-1)}, .want = {T({2, 2, 1}, {1, -2, 3, 0.5})}},
     {.name = "int64_one_element",
      .inputs = {M({{1, -2}, {3, 0.5}}), T<int64_t>({1})},
      .want = {T({2, 1, 2}, {1, -2, 3, 0.5})}},
     {.name = "out_of_range", .inputs = {M({{1, -2}, {3, 0.5}}), Tensor(3)}, .want_error = "out of range"}});

INSTANTIATE_OP_TEST(Squeeze,
                    {{.name = "all", .inputs = {T({1, 2, 1}, {1, 2})}, .want = {T({1, 2})}, .second_order = true},
                     {.name = "one",
                      .inputs = {T({1, 2, 1}, {1, 2})},
                      .attrs = {{"squeeze_dims", std::vector<int64_t>{-1}}},
                      .want = {M({{1, 2}})},
                      .second_order = true},
                     {.name = "not_one",
                      .inputs = {T({1, 2, 1}, {1, 2})},
                      .attrs = {{"squeeze_dims", std::vector<int64_t>{1}}},
                      .want_error = "expected size 1 in dimension 1"}});

}  // namespace
}  // namespace staticflow
