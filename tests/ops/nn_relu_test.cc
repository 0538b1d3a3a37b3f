// Relu, Relu6, LeakyRelu and their gradient ops. Values: TensorFlow 2.21.
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(Relu, {
                              {.name = "mixed",
                               .inputs = {T({-3, -0.5, 0, 0.25, 7})},
                               .want = {T({0, 0, 0, 0.25, 7})},
                               .check_gradient = false},
                              {.name = "smooth points",
                               .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
                               .want = {T<double>({0, 0, 0.4, 5.5})},
                               .second_order = true},
                              {.name = "nan and infinity",
                               .inputs = {T({kNan, kInf, -kInf})},
                               .want = {T({kNan, kInf, 0})},
                               .check_gradient = false},
                              {.name = "int32", .inputs = {T<int32_t>({-2, 3, 9})}, .want = {T<int32_t>({0, 3, 9})}},
                              {.name = "uint8", .inputs = {T<uint8_t>({2, 3, 9})}, .want = {T<uint8_t>({2, 3, 9})}},
                              {.name = "int64 scalar", .inputs = {T<int64_t>({}, {-4})}, .want = {T<int64_t>({}, {0})}},
                              {.name = "bfloat16",
                               .inputs = {As<BFloat16>({-1, 0.5, 2})},
                               .want = {As<BFloat16>({0, 0.5, 2})},
                               .check_gradient = false},
                              {.name = "empty", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
                              {.name = "strings", .inputs = {Tensor("a")}, .want_error = "T"},
                          });

INSTANTIATE_OP_TEST(
    ReluGrad, {
                  {.name = "values",
                   .inputs = {T<double>({0.7, -1.2, 1.1, 2}), T<double>({-2.5, -0.3, 0.4, 5.5})},
                   .want = {T<double>({0, -0, 1.1, 2})},
                   .second_order = true},
                  {.name = "zero and nan",
                   .inputs = {T({1, -2, 3}), T({0, -1, 2})},
                   .want = {T({0, -0, 3})},
                   .check_gradient = false},
                  {.name = "what is not finite",
                   .inputs = {T({1, kNan, kInf, -kInf, kNan, kInf, kNan, 1, 1, kInf}),
                              T({kNan, kNan, kNan, kNan, 1, -1, 0, kInf, -kInf, 2})},
                   .want = {T({0, kNan, kNan, kNan, kNan, kNan, kNan, 1, 0, kInf})},
                   .check_gradient = false},
                  {.name = "half that is not finite",
                   .inputs = {As<Half>({1, kNan, kInf, kInf}), As<Half>({kNan, -1, -1, 1})},
                   .want = {As<Half>({0, kNan, kNan, kInf})},
                   .check_gradient = false},
                  {.name = "int32", .inputs = {T<int32_t>({5, 6}), T<int32_t>({-1, 1})}, .want = {T<int32_t>({0, 6})}},
                  {.name = "two shapes", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "one shape"},
              });

INSTANTIATE_OP_TEST(Relu6,
                    {
                        {.name = "mixed",
                         .inputs = {T({-3, -0.5, 0, 0.25, 7})},
                         .want = {T({0, 0, 0, 0.25, 6})},
                         .check_gradient = false},
                        {.name = "smooth points",
                         .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
                         .want = {T<double>({0, 0, 0.4, 5.5})},
                         .second_order = true},
                        {.name = "nan and infinity",
                         .inputs = {T({kNan, kInf, -kInf})},
                         .want = {T({kNan, 6, 0})},
                         .check_gradient = false},
                        {.name = "int32", .inputs = {T<int32_t>({-2, 3, 9})}, .want = {T<int32_t>({0, 3, 6})}},
                        {.name = "uint8", .inputs = {T<uint8_t>({2, 3, 9})}, .want = {T<uint8_t>({2, 3, 6})}},
                        {.name = "int64 scalar", .inputs = {T<int64_t>({}, {-4})}, .want = {T<int64_t>({}, {0})}},
                        {.name = "bfloat16",
                         .inputs = {As<BFloat16>({-1, 0.5, 2})},
                         .want = {As<BFloat16>({0, 0.5, 2})},
                         .check_gradient = false},
                        {.name = "empty", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
                        {.name = "strings", .inputs = {Tensor("a")}, .want_error = "T"},
                    });

INSTANTIATE_OP_TEST(
    Relu6Grad, {
                   {.name = "values",
                    .inputs = {T<double>({0.7, -1.2, 1.1, 2}), T<double>({-2.5, 7, 0.4, 5.5})},
                    .want = {T<double>({0, 0, 1.1, 2})},
                    .second_order = true},
                   {.name = "corners", .inputs = {T({1, 2}), T({0, 6})}, .want = {T({0, 0})}, .check_gradient = false},
                   {.name = "what is not finite",
                    .inputs = {T({1, kNan, kInf, -kInf, kNan, kInf, kNan, 1, kInf, -1}),
                               T({kNan, kNan, kNan, 7, 1, -1, 6, kInf, 3, 7})},
                    .want = {T({0, kNan, kNan, kNan, kNan, kNan, kNan, 0, kInf, 0})},
                    .check_gradient = false},
                   {.name = "two shapes", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "one shape"},
               });

INSTANTIATE_OP_TEST(
    LeakyRelu, {
                   {.name = "mixed",
                    .inputs = {T({-3, -0.5, 0, 0.25, 7})},
                    .attrs = {{"alpha", 0.25f}},
                    .want = {T({-0.75, -0.125, 0, 0.25, 7})},
                    .check_gradient = false},
                   {.name = "smooth points",
                    .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
                    .attrs = {{"alpha", 0.25f}},
                    .want = {T<double>({-0.625, -0.075, 0.4, 5.5})},
                    .second_order = true},
                   {.name = "nan and infinity",
                    .inputs = {T({kNan, kInf, -kInf})},
                    .attrs = {{"alpha", 0.25f}},
                    .want = {T({kNan, kInf, -kInf})},
                    .check_gradient = false},
                   {.name = "half",
                    .inputs = {As<Half>({-1, 0.5, 2})},
                    .attrs = {{"alpha", 0.25f}},
                    .want = {As<Half>({-0.25, 0.5, 2})},
                    .tolerance = 2e-3,
                    .check_gradient = false},
                   {.name = "empty", .inputs = {T({0, 3}, {})}, .attrs = {{"alpha", 0.25f}}, .want = {T({0, 3}, {})}},
               });

INSTANTIATE_OP_TEST(LeakyReluGrad,
                    {
                        {.name = "values",
                         .inputs = {T<double>({0.7, -1.2, 1.1, 2}), T<double>({-2.5, -0.3, 0.4, 5.5})},
                         .attrs = {{"alpha", 0.25f}},
                         .want = {T<double>({0.175, -0.3, 1.1, 2})},
                         .second_order = true},
                        {.name = "float",
                         .inputs = {T({1, -2, 3, 0.5, -1.5}), T({-3, -0.5, 0, 0.25, 7})},
                         .attrs = {{"alpha", 0.25f}},
                         .want = {T({0.25, -0.5, 0.75, 0.5, -1.5})},
                         .check_gradient = false},
                        {.name = "two shapes", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "one shape"},
                    });

}  // namespace
}  // namespace staticflow
