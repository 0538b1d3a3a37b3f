// The values are TensorFlow's.
#include "tests/op_test.h"
#include "tests/op_test_cycle.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    MaxPoolWithArgmax,
    {{.name = "valid",
      .inputs = {Cycle({2, 4, 4, 2}, 13, 101)},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want = {T({2, 2, 2, 2}, {-21, -8, 31, 44, -15, -2, 37, 50, -9, 4, 43, 30, -3, 10, 49, 36}),
               T<int64_t>({2, 2, 2, 2}, {10, 11, 14, 15, 26, 27, 30, 31, 10, 11, 14, 13, 26, 27, 30, 29})},
      .second_order = true},
     {.name = "batch in index",
      .inputs = {Cycle({2, 3, 3, 1}, 13, 101)},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}},
                {"strides", Ints{1, 1, 1, 1}},
                {"padding", "SAME"},
                {"include_batch_in_index", true},
                {"Targmax", DT_INT32}},
      .want = {T({2, 3, 3, 1}, {2, 15, 15, 41, 41, 15, 41, 41, -47, 18, 31, 31, 44, 31, 31, 44, -31, -31}),
               T<int32_t>({2, 3, 3, 1}, {4, 5, 5, 7, 7, 5, 7, 7, 8, 13, 14, 14, 15, 14, 14, 15, 17, 17})},
      .second_order = true},
     {.name = "the first of equal maxima",
      .inputs = {T({1, 3, 3, 1}, {1, 2, 2, 2, 2, 1, 0, 2, 2})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 1, 1, 1}}, {"padding", "SAME"}},
      .want = {T({1, 3, 3, 1}, {2, 2, 2, 2, 2, 2, 2, 2, 2}), T<int64_t>({1, 3, 3, 1}, {1, 1, 2, 3, 4, 8, 7, 7, 8})},
      .check_gradient = false}});

INSTANTIATE_OP_TEST(
    MaxPoolGradWithArgmax,
    {{.name = "valid",
      .inputs = {Cycle({2, 4, 4, 2}, 13, 101), Cycle({2, 2, 2, 2}, 3, 5),
                 T<int64_t>({2, 2, 2, 2}, {10, 11, 14, 15, 26, 27, 30, 31, 10, 11, 14, 13, 26, 27, 30, 29})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want = {T({2, 4, 4, 2}, {0, 0, 0,  0, 0, 0,  0, 0, 0, 0,  -2, 1, 0, 0, -1, 2, 0, 0,  0, 0, 0, 0,
                                0, 0, 0,  0, 0, -2, 0, 0, 1, -1, 0,  0, 0, 0, 0,  0, 0, 0,  0, 0, 2, 0,
                                0, 1, -2, 0, 0, 0,  0, 0, 0, 0,  0,  0, 0, 0, -1, 2, 0, -2, 0, 0})},
      .second_order = true},
     {.name = "batch in index",
      .inputs = {Cycle({2, 3, 3, 1}, 13, 101), Cycle({2, 3, 3, 1}, 3, 5),
                 T<int32_t>({2, 3, 3, 1}, {4, 5, 5, 7, 7, 5, 7, 7, 8, 13, 14, 14, 15, 14, 14, 15, 17, 17})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}},
                {"strides", Ints{1, 1, 1, 1}},
                {"padding", "SAME"},
                {"include_batch_in_index", true}},
      .want = {T({2, 3, 3, 1}, {0, 0, 0, 0, -2, -2, 0, 2, 2, 0, 0, 0, 0, 0, 1, -3, 0, 0})},
      .second_order = true},
     {.name = "index too large",
      .inputs = {Cycle({1, 2, 2, 1}, 7, 11), Cycle({1, 1, 1, 1}, 3, 5), T<int64_t>({1, 1, 1, 1}, {4})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want_error = "argmax 4 lies outside of picture 0 of 4 elements"},
     {.name = "negative index",
      .inputs = {Cycle({1, 2, 2, 1}, 7, 11), Cycle({1, 1, 1, 1}, 3, 5), T<int64_t>({1, 1, 1, 1}, {-1})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want_error = "argmax -1 lies outside"}});

INSTANTIATE_OP_TEST(
    MaxPoolGradGradWithArgmax,
    {{.name = "valid",
      .inputs = {Cycle({2, 4, 4, 2}, 13, 101), Cycle({2, 4, 4, 2}, 3, 7),
                 T<int64_t>({2, 2, 2, 2}, {10, 11, 14, 15, 26, 27, 30, 31, 10, 11, 14, 13, 26, 27, 30, 29})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want = {T({2, 2, 2, 2}, {-1, 2, -3, 0, -2, 1, 3, -1, -3, 0, 2, -1, 3, -1, 1, -2})},
      .second_order = true},
     {.name = "batch in index",
      .inputs = {Cycle({2, 3, 3, 1}, 13, 101), Cycle({2, 3, 3, 1}, 3, 7),
                 T<int32_t>({2, 3, 3, 1}, {4, 5, 5, 7, 7, 5, 7, 7, 8, 13, 14, 14, 15, 14, 14, 15, 17, 17})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}},
                {"strides", Ints{1, 1, 1, 1}},
                {"padding", "SAME"},
                {"include_batch_in_index", true}},
      .want = {T({2, 3, 3, 1}, {2, -2, -2, -3, -3, -2, -3, -3, 0, 1, -3, -3, 0, -3, -3, 0, -1, -1})},
      .second_order = true},
     {.name = "index too large",
      .inputs = {Cycle({1, 2, 2, 1}, 7, 11), Cycle({1, 2, 2, 1}, 3, 5), T<int64_t>({1, 1, 1, 1}, {4})},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want_error = "argmax 4 lies outside"}});

}  // namespace
}  // namespace staticflow
