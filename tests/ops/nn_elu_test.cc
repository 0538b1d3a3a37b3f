// Elu, Selu and their gradient ops. Values: TensorFlow 2.21.
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(Elu, {
                             {.name = "mixed",
                              .inputs = {T({-3, -0.5, 0, 0.25, 7})},
                              .want = {T({-0.95021296, -0.39346933, 0, 0.25, 7})},
                              .check_gradient = false},
                             {.name = "smooth points",
                              .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
                              .want = {T<double>({-0.917915001376101, -0.259181779318282, 0.4, 5.5})},
                              .second_order = true},
                             {.name = "nan and infinity",
                              .inputs = {T({kNan, kInf, -kInf})},
                              .want = {T({kNan, kInf, -1})},
                              .check_gradient = false},
                             {.name = "half",
                              .inputs = {As<Half>({-1, 0.5, 2})},
                              .want = {As<Half>({-0.63183594, 0.5, 2})},
                              .tolerance = 2e-3,
                              .check_gradient = false},
                             {.name = "empty", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
                         });

INSTANTIATE_OP_TEST(
    Selu, {
              {.name = "mixed",
               .inputs = {T({-3, -0.5, 0, 0.25, 7})},
               .want = {T({-1.6705687, -0.69175816, 0, 0.26267526, 7.354907})},
               .check_gradient = false},
              {.name = "smooth points",
               .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
               .want = {T<double>({-1.61378575887324, -0.455667315379122, 0.420280394942192, 5.77885543045514})},
               .second_order = true},
              {.name = "nan and infinity",
               .inputs = {T({kNan, kInf, -kInf})},
               .want = {T({kNan, kInf, -1.7580993})},
               .check_gradient = false},
              {.name = "half",
               .inputs = {As<Half>({-1, 0.5, 2})},
               .want = {As<Half>({-1.1103516, 0.5253906, 2.1015625})},
               .tolerance = 2e-3,
               .check_gradient = false},
              {.name = "empty", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
          });

INSTANTIATE_OP_TEST(EluGrad, {
                                 {.name = "values",
                                  .inputs = {T<double>({0.7, -1.2, 1.1, 2}), T<double>({-0.9, -0.3, 0.4, 5.5})},
                                  .want = {T<double>({0.07, -0.84, 1.1, 2})},
                                  .second_order = true},
                                 {.name = "two shapes", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "one shape"},
                             });

INSTANTIATE_OP_TEST(SeluGrad, {
                                  {.name = "values",
                                   .inputs = {T<double>({0.7, 2}), T<double>({-0.9, 5.5})},
                                   .want = {T<double>({0.7 * (1.7580993408473768 - 0.9), 2 * 1.0507009873554805})},
                                   .second_order = true},
                              });

}  // namespace
}  // namespace staticflow
