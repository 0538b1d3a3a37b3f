// BiasAdd, BiasAddV1, BiasAddGrad. Values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    BiasAdd, {
                 {.name = "matrix",
                  .inputs = {M<double>({{1.76, 0.4, 0.98}, {2.24, 1.87, -0.98}}), T<double>({0.95, -0.15, -0.1})},
                  .want = {M<double>({{2.71, 0.25, 0.88}, {3.19, 1.72, -1.08}})},
                  .second_order = true},
                 {.name = "images",
                  .inputs = {T({1, 2, 2, 2}, {0.41, 0.14, 1.45, 0.76, 0.12, 0.44, 0.33, 1.49}), T({-0.21, 0.31})},
                  .want = {T({1, 2, 2, 2}, {0.2, 0.45, 1.24, 1.0699999, -0.089999996, 0.75, 0.12000002, 1.8})}},
                 {.name = "channels first",
                  .inputs = {T<double>({2, 3, 1, 2},
                                       {-0.85, -2.55, 0.65, 0.86, -0.74, 2.27, -1.45, 0.05, -0.19, 1.53, 1.47, 0.15}),
                             T<double>({0.38, -0.89, -1.98})},
                  .attrs = {{"data_format", "NCHW"}},
                  .want = {T<double>({2, 3, 1, 2}, {-0.47, -2.17, -0.24, -0.03, -2.72, 0.29, -1.07, 0.43, -1.08, 0.64,
                                                    -0.51, -1.83})},
                  .second_order = true},
                 {.name = "channels first volume",
                  .inputs = {T({1, 2, 1, 2, 2}, {-0.35, 0.16, 1.23, 1.2, -0.39, -0.3, -1.05, -1.42}), T({-1.71, 1.95})},
                  .attrs = {{"data_format", "NCHW"}},
                  .want = {T({1, 2, 1, 2, 2},
                             {-2.06, -1.5500001, -0.48000002, -0.51, 1.5600001, 1.6500001, 0.9000001, 0.5300001})},
                  .check_gradient = false},
                 {.name = "int32",
                  .inputs = {M<int32_t>({{1, 2}, {3, 4}}), T<int32_t>({10, 20})},
                  .want = {M<int32_t>({{11, 22}, {13, 24}})}},
                 {.name = "uint8 wraps",
                  .inputs = {M<uint8_t>({{250, 3}}), T<uint8_t>({10, 20})},
                  .want = {M<uint8_t>({{4, 23}})}},
                 {.name = "no rows", .inputs = {T({0, 2}, {}), T({1, 2})}, .want = {T({0, 2}, {})}},
                 {.name = "wrong size", .inputs = {M({{1, 2}}), T({1, 2, 3})}, .want_error = "channels"},
                 {.name = "vector", .inputs = {T({1, 2}), T({1, 2})}, .want_error = "rank"},
             });

INSTANTIATE_OP_TEST(
    BiasAddV1,
    {
        {.name = "matrix",
         .inputs = {M<double>({{-0.51, -0.44, -1.25}, {0.78, -1.61, -0.21}}), T<double>({-0.9, 0.39, -0.51})},
         .want = {M<double>({{-1.41, -0.05, -1.76}, {-0.12, -1.22, -0.72}})},
         .second_order = true},
        {.name = "images",
         .inputs = {T({1, 2, 2, 2}, {-1.18, -0.03, 0.43, 0.07, 0.3, -0.63, -0.36, -0.67}), T({-0.36, -0.81})},
         .want = {T({1, 2, 2, 2}, {-1.54, -0.84, 0.06999999, -0.74, -0.060000002, -1.44, -0.72, -1.48})}},
        {.name = "int32",
         .inputs = {M<int32_t>({{1, 2}, {3, 4}}), T<int32_t>({10, 20})},
         .want = {M<int32_t>({{11, 22}, {13, 24}})}},
        {.name = "uint8 wraps",
         .inputs = {M<uint8_t>({{250, 3}}), T<uint8_t>({10, 20})},
         .want = {M<uint8_t>({{4, 23}})}},
        {.name = "no rows", .inputs = {T({0, 2}, {}), T({1, 2})}, .want = {T({0, 2}, {})}},
        {.name = "wrong size", .inputs = {M({{1, 2}}), T({1, 2, 3})}, .want_error = "channels"},
        {.name = "vector", .inputs = {T({1, 2}), T({1, 2})}, .want_error = "rank"},
    });

INSTANTIATE_OP_TEST(
    BiasAddGrad,
    {
        {.name = "matrix",
         .inputs = {M<double>({{-1.73, 0.18}, {-0.4, -1.63}, {0.46, -0.91}})},
         .want = {T<double>({-1.67, -2.36})},
         .second_order = true},
        {.name = "channels first",
         .inputs = {T<double>({2, 3, 1, 2},
                              {0.05, 0.73, 0.13, 1.14, -1.23, 0.4, -0.68, -0.87, -0.58, -0.31, 0.06, -1.17})},
         .attrs = {{"data_format", "NCHW"}},
         .want = {T<double>({-0.77, 0.38, -1.94})},
         .second_order = true},
        {.name = "long planes",
         .inputs = {T({2, 2, 1, 19},
                      {0.9,   0.47,  -1.54, 1.49,  1.9,   1.18,  -0.18, -1.07, 1.05,  -0.4,  1.22,  0.21, 0.98,
                       0.36,  0.71,  0.01,  1.79,  0.13,  0.4,   1.88,  -1.35, -1.27, 0.97,  -1.17, 1.94, -0.41,
                       -0.75, 1.92,  1.48,  1.87,  0.91,  -0.86, 1.91,  -0.27, 0.8,   0.95,  -0.16, 0.61, 0.92,
                       0.38,  -1.1,  0.3,   1.33,  -0.69, -0.15, -0.44, 1.85,  0.67,  0.41,  -0.77, 0.54, -0.67,
                       0.03,  -0.64, 0.68,  0.58,  -0.21, 0.4,   -1.09, -1.49, 0.44,  0.17,  0.64,  2.38, 0.94,
                       -0.91, 1.12,  -1.32, -0.46, -0.07, 1.71,  -0.74, -0.83, -0.1,  -0.66, 1.13})},
         .attrs = {{"data_format", "NCHW"}},
         .want = {T({12.63, 10.26})},
         .check_gradient = false},
        {.name = "int64", .inputs = {M<int64_t>({{1, 2}, {3, 4}})}, .want = {T<int64_t>({4, 6})}},
        {.name = "no rows", .inputs = {T({0, 2}, {})}, .want = {T({0, 0})}},
    });

}  // namespace
}  // namespace staticflow
