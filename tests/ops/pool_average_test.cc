// The values are TensorFlow's.
#include "tests/op_test.h"
#include "tests/op_test_cycle.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    AvgPool,
    {{.name = "valid",
      .inputs = {Cycle({1, 4, 4, 2}, 13, 101)},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want = {T({1, 2, 2, 2}, {-35.5, -22.5, 16.5, 29.5, -29.5, -16.5, 22.5, 35.5})},
      .second_order = true},
     {.name = "overlapping same",
      .inputs = {Cycle({2, 3, 4, 1}, 13, 101)},
      .attrs = {{"ksize", Ints{1, 3, 2, 1}}, {"strides", Ints{1, 1, 2, 1}}, {"padding", "SAME"}},
      .want = {T({2, 3, 2, 1},
                 {-17.5, 8.5, -25.166666, 0.833333, -16, 10, -13, 13, -3.833333, 22.166666, -11.5, 14.5})},
      .second_order = true},
     {.name = "stride beyond window",
      .inputs = {Cycle({1, 5, 5, 1}, 13, 101)},
      .attrs = {{"ksize", Ints{1, 2, 1, 1}}, {"strides", Ints{1, 3, 2, 1}}, {"padding", "SAME"}},
      .want = {T({1, 2, 3, 1}, {-17.5, 8.5, -16, 26, 1.5, -23})},
      .second_order = true},
     {.name = "NCHW",
      .inputs = {Cycle({2, 2, 3, 3}, 13, 101)},
      .attrs =
          {{"ksize", Ints{1, 1, 2, 2}}, {"strides", Ints{1, 1, 1, 1}}, {"padding", "SAME"}, {"data_format", "NCHW"}},
      .want = {T({2, 2, 3, 3}, {-24,   -11,   -4.5, 15, 2.75,  -16, 34.5, -3,   -47,   -8,    5,    11.5,
                                5.75,  -6.5,  0,    0,  -37.5, -31, 8,    21,   27.5,  -3.5,  9.5,  16,
                                -34.5, -21.5, -15,  24, 11.75, -7,  12.5, 0.25, -18.5, -18.5, -5.5, 1})},
      .second_order = true},
     {.name = "half",
      .inputs = {Tensor::Of<Half>({1, 1, 2, 1}, {Half(1), Half(2)})},
      .attrs = {{"ksize", Ints{1, 1, 2, 1}}, {"strides", Ints{1, 1, 2, 1}}, {"padding", "VALID"}},
      .want = {Tensor::Of<Half>({1, 1, 1, 1}, {Half(1.5f)})},
      .check_gradient = false},
     {.name = "int32",
      .inputs = {Cycle<int32_t>({1, 2, 2, 1}, 7, 11)},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 1, 1, 1}}, {"padding", "VALID"}},
      .want_error = "T"}});

INSTANTIATE_OP_TEST(
    AvgPoolGrad,
    {{.name = "valid",
      .inputs = {T<int32_t>({1, 4, 4, 2}), Cycle({1, 2, 2, 2}, 3, 5)},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 2, 2, 1}}, {"padding", "VALID"}},
      .want = {T({1, 4, 4, 2},
                 {-0.5, 0.25, -0.5, 0.25, -0.25, 0.5,  -0.25, 0.5, -0.5, 0.25, -0.5, 0.25, -0.25, 0.5,  -0.25, 0.5, 0,
                  -0.5, 0,    -0.5, 0.25, -0.25, 0.25, -0.25, 0,   -0.5, 0,    -0.5, 0.25, -0.25, 0.25, -0.25})},
      .second_order = true},
     {.name = "overlapping same",
      .inputs = {T<int32_t>({2, 3, 4, 1}), Cycle({2, 3, 2, 1}, 3, 5)},
      .attrs = {{"ksize", Ints{1, 3, 2, 1}}, {"strides", Ints{1, 1, 2, 1}}, {"padding", "SAME"}},
      .want = {T({2, 3, 4, 1}, {-0.666667, -0.666667, 0.583333,  0.583333,  -0.666667, -0.666667, 0.083333, 0.083333,
                                -0.166667, -0.166667, -0.166667, -0.166667, 0.583333,  0.583333,  -0.25,    -0.25,
                                0.083333,  0.083333,  0,         0,         -0.166667, -0.166667, 0.25,     0.25})},
      .second_order = true},
     {.name = "stride beyond window",
      .inputs = {T<int32_t>({1, 5, 5, 1}), Cycle({1, 2, 3, 1}, 3, 5)},
      .attrs = {{"ksize", Ints{1, 2, 1, 1}}, {"strides", Ints{1, 3, 2, 1}}, {"padding", "SAME"}},
      .want = {T({1, 5, 5, 1},
                 {-1, 0, 0.5, 0, -0.5, -1, 0, 0.5, 0, -0.5, 0, 0, 0, 0, 0, 1, 0, 0, 0, -1, 1, 0, 0, 0, -1})},
      .second_order = true},
     {.name = "NCHW",
      .inputs = {T<int32_t>({2, 2, 3, 3}), Cycle({2, 2, 3, 3}, 3, 5)},
      .attrs =
          {{"ksize", Ints{1, 1, 2, 2}}, {"strides", Ints{1, 1, 1, 1}}, {"padding", "SAME"}, {"data_format", "NCHW"}},
      .want = {T({2, 2, 3, 3}, {-0.5,  -0.25, -0.25, 0,     0.25,  -1.25, 1,     0.5, 0.5,  0,    -0.5, 0,
                                -0.25, -0.25, 0.5,   -1.25, -0.25, 0,     0.5,   0.5, -1,   0.75, 0.5,  -0.25,
                                0.25,  -1,    0.75,  -0.25, 0.25,  0.5,   -0.75, 0,   0.25, 0.5,  0.75, -2.25})},
      .second_order = true},
     {.name = "wrong size",
      .inputs = {T<int32_t>({1, 3, 3, 1}), Cycle({1, 3, 3, 1}, 3, 5)},
      .attrs = {{"ksize", Ints{1, 2, 2, 1}}, {"strides", Ints{1, 1, 1, 1}}, {"padding", "VALID"}},
      .want_error = "2"}});

}  // namespace
}  // namespace staticflow
