// Sines and their kin. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(Sin,
                    {{.name = "values",
                      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.2f})},
                      .want = {T({-0.5984721f, -0.64421767f, 0.29552022f, 0.9320391f})},
                      .second_order = true},
                     {.name = "special", .inputs = {T({kNan, 0})}, .want = {T({kNan, 0})}, .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.2001953f})},
                      .want = {As<Half>({-0.5986328f, -0.64453125f, 0.2956543f, 0.9321289f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Cos,
                    {{.name = "values",
                      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.2f})},
                      .want = {T({-0.8011436f, 0.7648422f, 0.9553365f, 0.3623577f})},
                      .second_order = true},
                     {.name = "special", .inputs = {T({kNan, 0})}, .want = {T({kNan, 1})}, .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.2001953f})},
                      .want = {As<Half>({-0.80126953f, 0.76464844f, 0.9550781f, 0.36206055f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Tan,
                    {{.name = "values",
                      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.2f})},
                      .want = {T({0.74702233f, -0.8422884f, 0.30933627f, 2.572152f})},
                      .second_order = true},
                     {.name = "special", .inputs = {T({kNan, 0})}, .want = {T({kNan, 0})}, .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.2001953f})},
                      .want = {As<Half>({0.7470703f, -0.84277344f, 0.30932617f, 2.5742188f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Atan,
                    {{.name = "values",
                      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.2f})},
                      .want = {T({-1.19029f, -0.61072594f, 0.29145682f, 0.8760581f})},
                      .second_order = true},
                     {.name = "special", .inputs = {T({kNan, 0})}, .want = {T({kNan, 0})}, .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.2001953f})},
                      .want = {As<Half>({-1.1904297f, -0.61083984f, 0.2915039f, 0.87597656f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Asin,
    {{.name = "values",
      .inputs = {T({-0.8f, 0, 0.3f})},
      .want = {T({-0.9272952f, 0, 0.30469266f})},
      .second_order = true},
     {.name = "special", .inputs = {T({kNan, 1, 2})}, .want = {T({kNan, 1.5707964f, kNan})}, .check_gradient = false},
     {.name = "half",
      .inputs = {As<Half>({-0.7998047f, 0, 0.30004883f})},
      .want = {As<Half>({-0.9267578f, 0, 0.3046875f})},
      .tolerance = 2e-3,
      .check_gradient = false},
     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Acos, {{.name = "values",
            .inputs = {T({-0.8f, 0, 0.3f})},
            .want = {T({2.4980917f, 1.5707964f, 1.2661036f})},
            .second_order = true},
           {.name = "special", .inputs = {T({kNan, 1, 2})}, .want = {T({kNan, 0, kNan})}, .check_gradient = false},
           {.name = "half",
            .inputs = {As<Half>({-0.7998047f, 0, 0.30004883f})},
            .want = {As<Half>({2.4980469f, 1.5703125f, 1.265625f})},
            .tolerance = 2e-3,
            .check_gradient = false},
           {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Atan2, {{.name = "quadrants",
             .inputs = {T({1, 1, -1, -1}), T({1, -1, 1, -1})},
             .want = {T({0.7853982f, 2.3561945f, -0.7853982f, -2.3561945f})},
             .second_order = true},
            {.name = "broadcast",
             .inputs = {M<double>({{1}, {2}}), T<double>({0.5, -3})},
             .want = {M<double>({{1.1071487177940904, 2.819842099193151}, {1.3258176636680323, 2.5535900500422253}})}},
            {.name = "axes",
             .inputs = {T({0, 0, 1}), T({-1, 1, 0})},
             .want = {T({3.1415927f, 0, 1.5707964f})},
             .check_gradient = false}});

}  // namespace
}  // namespace staticflow
