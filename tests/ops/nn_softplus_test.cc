// Softplus, Softsign and their gradient ops. Values: TensorFlow 2.21.
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(
    Softplus, {
                  {.name = "mixed",
                   .inputs = {T({-3, -0.5, 0, 0.25, 7})},
                   .want = {T({0.048587352, 0.474077, 0.6931472, 0.8259394, 7.0009117})},
                   .check_gradient = false},
                  {.name = "smooth points",
                   .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
                   .want = {T<double>({0.0788897342925496, 0.554355244468527, 0.913015252399953, 5.50407844327057})},
                   .second_order = true},
                  {.name = "nan and infinity",
                   .inputs = {T({kNan, kInf, -kInf})},
                   .want = {T({kNan, kInf, 0})},
                   .check_gradient = false},
                  {.name = "half",
                   .inputs = {As<Half>({-1, 0.5, 2})},
                   .want = {As<Half>({0.31323242, 0.9741211, 2.1269531})},
                   .tolerance = 2e-3,
                   .check_gradient = false},
                  {.name = "empty", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
              });

INSTANTIATE_OP_TEST(
    SoftplusGrad,
    {
        {.name = "values",
         .inputs = {T<double>({0.7, -1.2, 1.1, 2}), T<double>({-2.5, -0.3, 0.4, 5.5})},
         .want = {T<double>({0.0531007260148705, -0.510668979826009, 0.658556426123697, 1.99185972456821})},
         .second_order = true},
        {.name = "float",
         .inputs = {T({1, -2, 3, 0.5, -1.5}), T({-3, -0.5, 0, 0.25, 7})},
         .want = {T({0.047425874, -0.75508136, 1.5, 0.28108826, -1.4986335})},
         .check_gradient = false},
        {.name = "two shapes", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "one shape"},
    });

INSTANTIATE_OP_TEST(
    Softsign, {
                  {.name = "mixed",
                   .inputs = {T({-3, -0.5, 0, 0.25, 7})},
                   .want = {T({-0.75, -0.33333334, 0, 0.2, 0.875})},
                   .check_gradient = false},
                  {.name = "smooth points",
                   .inputs = {T<double>({-2.5, -0.3, 0.4, 5.5})},
                   .want = {T<double>({-0.714285714285714, -0.230769230769231, 0.285714285714286, 0.846153846153846})},
                   .second_order = true},
                  {.name = "nan and infinity",
                   .inputs = {T({kNan, kInf, -kInf})},
                   .want = {T({kNan, kNan, kNan})},
                   .check_gradient = false},
                  {.name = "half",
                   .inputs = {As<Half>({-1, 0.5, 2})},
                   .want = {As<Half>({-0.5, 0.33325195, 0.6665039})},
                   .tolerance = 2e-3,
                   .check_gradient = false},
                  {.name = "empty", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
              });

INSTANTIATE_OP_TEST(
    SoftsignGrad,
    {
        {.name = "values",
         .inputs = {T<double>({0.7, -1.2, 1.1, 2}), T<double>({-2.5, -0.3, 0.4, 5.5})},
         .want = {T<double>({0.0571428571428571, -0.710059171597633, 0.561224489795918, 0.0473372781065089})},
         .second_order = true},
        {.name = "float",
         .inputs = {T({1, -2, 3, 0.5, -1.5}), T({-3, -0.5, 0, 0.25, 7})},
         .want = {T({0.0625, -0.8888889, 3, 0.32, -0.0234375})},
         .check_gradient = false},
        {.name = "two shapes", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "one shape"},
    });

}  // namespace
}  // namespace staticflow
