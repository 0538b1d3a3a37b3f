// Tables of ReverseV2, ReverseSequence, Roll; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    ReverseV2,
    {{.name = "columns",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({1})},
      .want = {M({{3, 2, 1}, {6, 5, 4}})},
      .second_order = true},
     {.name = "both",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({0, -1})},
      .want = {M({{6, 5, 4}, {3, 2, 1}})},
      .second_order = true},
     {.name = "none", .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({})}, .want = {M({{1, 2, 3}, {4, 5, 6}})}},
     {.name = "strings", .inputs = {T<std::string>({"a", "b"}), T<int32_t>({0})}, .want = {T<std::string>({"b", "a"})}},
     {.name = "of_nothing", .inputs = {T({0, 2}, {}), T<int32_t>({0})}, .want = {T({0, 2}, {})}},
     {.name = "twice", .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({1, -1})}, .want_error = "named twice"},
     {.name = "out_of_range", .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({2})}, .want_error = "out of range"}});

INSTANTIATE_OP_TEST(ReverseSequence,
                    {{.name = "rows",
                      .inputs = {M({{0, 1, 2, 3}, {4, 5, 6, 7}}), T<int64_t>({3, 1})},
                      .attrs = {{"seq_dim", 1}, {"batch_dim", 0}},
                      .want = {M({{2, 1, 0, 3}, {4, 5, 6, 7}})},
                      .second_order = true},
                     {.name = "columns",
                      .inputs = {T({3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), T<int32_t>({2, 3})},
                      .attrs = {{"seq_dim", 0}, {"batch_dim", 1}},
                      .want = {T({3, 2, 2}, {4, 5, 10, 11, 0, 1, 6, 7, 8, 9, 2, 3})},
                      .second_order = true},
                     {.name = "too_long",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({4, 0})},
                      .attrs = {{"seq_dim", 1}, {"batch_dim", 0}},
                      .want_error = "sequence length 4"},
                     {.name = "same_dims",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1, 1})},
                      .attrs = {{"seq_dim", 0}, {"batch_dim", 0}},
                      .want_error = "do not fit"},
                     {.name = "wrong_count",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1})},
                      .attrs = {{"seq_dim", 1}, {"batch_dim", 0}},
                      .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(Roll, {{.name = "columns",
                            .inputs = {M({{1, 2, 3}, {4, 5, 6}}), Tensor(1), Tensor(1)},
                            .want = {M({{3, 1, 2}, {6, 4, 5}})},
                            .second_order = true},
                           {.name = "both_ways",
                            .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({-1, 5}), T<int32_t>({0, 1})},
                            .want = {M({{5, 6, 4}, {2, 3, 1}})},
                            .second_order = true},
                           {.name = "same_axis_twice",
                            .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1, 1}), T<int64_t>({1, 1})},
                            .want = {M({{2, 3, 1}, {5, 6, 4}})}},
                           {.name = "strings",
                            .inputs = {T<std::string>({"a", "b", "c"}), Tensor(1), Tensor(0)},
                            .want = {T<std::string>({"c", "a", "b"})}},
                           {.name = "huge",
                            .inputs = {T({1, 2, 3}), Tensor(int64_t{4611686018427387904}), Tensor(0)},
                            .want = {T({3, 1, 2})}},
                           {.name = "lengths_differ",
                            .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({1}), T<int32_t>({0, 1})},
                            .want_error = "do not agree"},
                           {.name = "out_of_range",
                            .inputs = {M({{1, 2, 3}, {4, 5, 6}}), Tensor(1), Tensor(2)},
                            .want_error = "out of range"}});

INSTANTIATE_OP_TEST(
    Reverse,
    {{.name = "rows",
      .inputs = {T({2, 3}, {1.69, -0.47, 0.03, 0.41, -0.79, 0}), T<bool>({true, false})},
      .want = {T({2, 3}, {0.41, -0.79, 0, 1.69, -0.47, 0.03})},
      .second_order = true},
     {.name = "both",
      .inputs = {T<int64_t>({2, 3}, {0, 1, 2, 3, 4, 5}), T<bool>({true, true})},
      .want = {T<int64_t>({2, 3}, {5, 4, 3, 2, 1, 0})}},
     {.name = "strings", .inputs = {T<std::string>({"a", "b"}), T<bool>({true})}, .want = {T<std::string>({"b", "a"})}},
     {.name = "scalar", .inputs = {T({}, {3}), T<bool>({})}, .want = {T({}, {3})}, .check_gradient = false},
     {.name = "one bool",
      .inputs = {T({2, 3}, {1.69, -0.47, 0.03, 0.41, -0.79, 0}), T<bool>({true})},
      .want_error = "elements of dims"}});

}  // namespace
}  // namespace staticflow
