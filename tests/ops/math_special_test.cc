// Error functions and the gamma function's family. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

INSTANTIATE_OP_TEST(
    Erf, {{.name = "values",
           .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
           .want = {T({-0.99959296f, -0.6778012f, 0.32862678f, 0.99279034f})},
           .second_order = true},
          {.name = "special", .inputs = {T({kNan, kInf, -kInf})}, .want = {T({kNan, 1, -1})}, .check_gradient = false},
          {.name = "half",
           .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
           .want = {As<Half>({-0.9995117f, -0.6777344f, 0.32861328f, 0.9926758f})},
           .tolerance = 2e-3,
           .check_gradient = false},
          {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Erfc, {{.name = "values",
            .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
            .want = {T({1.999593f, 1.6778011f, 0.6713732f, 0.007209571f})},
            .second_order = true},
           {.name = "special", .inputs = {T({kNan, kInf, -kInf})}, .want = {T({kNan, 0, 2})}, .check_gradient = false},
           {.name = "half",
            .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
            .want = {As<Half>({2, 1.6777344f, 0.6713867f, 0.0071983337f})},
            .tolerance = 2e-3,
            .check_gradient = false},
           {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Lgamma, {{.name = "values",
                              .inputs = {T({0.3f, 1, 2.5f, 12, -1.5f})},
                              .want = {T({1.095798f, 0, 0.28468287f, 17.502308f, 0.86004704f})},
                              .second_order = true},
                             {.name = "special",
                              .inputs = {T({kNan, 0, 1e+02f})},
                              .want = {T({kNan, kInf, 359.13422f})},
                              .check_gradient = false},
                             {.name = "half",
                              .inputs = {As<Half>({0.30004883f, 1, 2.5f, 12, -1.5f})},
                              .want = {As<Half>({1.0957031f, 0, 0.28466797f, 17.5f, 0.8598633f})},
                              .tolerance = 2e-3,
                              .check_gradient = false},
                             {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Digamma,
                    {{.name = "values",
                      .inputs = {T({0.3f, 1, 2.5f, 13, -1.5f})},
                      .want = {T({-3.502524f, -0.5772159f, 0.7031568f, 2.525995f, 0.7031568f})},
                      .second_order = true},
                     {.name = "special", .inputs = {T({kNan, -2})}, .want = {T({kNan, kNan})}, .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({0.30004883f, 1, 2.5f, 13, -1.5f})},
                      .want = {As<Half>({-3.5019531f, -0.57714844f, 0.703125f, 2.5253906f, 0.703125f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Zeta, {{.name = "values",
            .inputs = {T<double>({1.5, 2, 2, 3.5, 3e+01}), T<double>({1, 1, 0.2, 7.5, 1})},
            .want = {T<double>({2.612375348685488, 1.6449340668482266, 26.26737720542378, 0.0030627969326974215,
                                1.0000000009313275})},
            .gradient_inputs = {1}},
           {.name = "left_of_zero",
            .inputs = {T<double>({2, 3, 4}), T<double>({-1.5, -1.5, -20.25})},
            .want = {T<double>({9.379246644989124, 0.11810202582086413, 259.7575388239817})},
            .tolerance = 1e-9,
            .check_gradient = false},
           {.name = "far_out", .inputs = {T({2, 1}), T({kInf, kInf})}, .want = {T({0, kInf})}, .check_gradient = false},
           {.name = "outside",
            .inputs = {T({1, 0.5f, 2.5f, 3}), T({2, 2, -0.5f, -2})},
            .want = {T({kInf, kNan, kNan, kNan})},
            .check_gradient = false}});

INSTANTIATE_OP_TEST(
    Polygamma,
    {{.name = "values",
      .inputs = {T<double>({0, 1, 1, 2, 5}), T<double>({1.5, 1, 0.2, 7.5, 3})},
      .want = {T<double>({0.03648997397857645, 1.6449340668482266, 26.26737720542378, -0.02030525253664467,
                          0.20616743813389665})},
      .gradient_inputs = {1}},
     {.name = "broadcast",
      .inputs = {T<double>({}, {1}), M<double>({{2, 3}})},
      .want = {M<double>({{0.6449340668482266, 0.39493406684822646}})},
      .gradient_inputs = {1}},
     {.name = "far_out",
      .inputs = {T({1, 2, 1}), T({kInf, kInf, -kInf})},
      .want = {T({0, 0, kInf})},
      .check_gradient = false},
     {.name = "outside", .inputs = {T({-1, 0.5f}), T({2, 2})}, .want = {T({kNan, kNan})}, .check_gradient = false}});

}  // namespace
}  // namespace staticflow
