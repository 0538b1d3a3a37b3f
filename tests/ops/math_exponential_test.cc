// Exponentials, logarithms and hyperbolic functions. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

INSTANTIATE_OP_TEST(Exp, {{.name = "values",
                           .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                           .want = {T({0.082085f, 0.4965853f, 1.3498589f, 6.6858945f})},
                           .second_order = true},
                          {.name = "special",
                           .inputs = {T({kNan, kInf, -kInf, 0})},
                           .want = {T({kNan, kInf, 0, 1})},
                           .check_gradient = false},
                          {.name = "half",
                           .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                           .want = {As<Half>({0.082092285f, 0.49658203f, 1.3496094f, 6.6875f})},
                           .tolerance = 2e-3,
                           .check_gradient = false},
                          {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Expm1, {{.name = "values",
                             .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                             .want = {T({-0.917915f, -0.5034147f, 0.34985882f, 5.685894f})},
                             .second_order = true},
                            {.name = "special",
                             .inputs = {T({kNan, kInf, -kInf, 0})},
                             .want = {T({kNan, kInf, -1, 0})},
                             .check_gradient = false},
                            {.name = "half",
                             .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                             .want = {As<Half>({-0.91796875f, -0.50341797f, 0.34985352f, 5.6875f})},
                             .tolerance = 2e-3,
                             .check_gradient = false},
                            {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Sigmoid, {{.name = "values",
                               .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                               .want = {T({0.075858176f, 0.3318122f, 0.57444257f, 0.8698915f})},
                               .second_order = true},
                              {.name = "special",
                               .inputs = {T({kNan, kInf, -kInf, 0})},
                               .want = {T({kNan, 1, 0, 0.5f})},
                               .check_gradient = false},
                              {.name = "half",
                               .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                               .want = {As<Half>({0.0758667f, 0.33203125f, 0.57421875f, 0.8701172f})},
                               .tolerance = 2e-3,
                               .check_gradient = false},
                              {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Tanh,
    {{.name = "values",
      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
      .want = {T({-0.98661435f, -0.60436773f, 0.29131263f, 0.9562374f})},
      .second_order = true},
     {.name = "special", .inputs = {T({kNan, kInf, -kInf, 0})}, .want = {T({kNan, 1, -1, 0})}, .check_gradient = false},
     {.name = "half",
      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
      .want = {As<Half>({-0.9868164f, -0.6044922f, 0.29125977f, 0.9560547f})},
      .tolerance = 2e-3,
      .check_gradient = false},
     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Sinh, {{.name = "values",
                            .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                            .want = {T({-6.0502048f, -0.75858366f, 0.3045203f, 3.2681627f})},
                            .second_order = true},
                           {.name = "special",
                            .inputs = {T({kNan, kInf, -kInf, 0})},
                            .want = {T({kNan, kInf, -kInf, 0})},
                            .check_gradient = false},
                           {.name = "half",
                            .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                            .want = {As<Half>({-6.0507812f, -0.75878906f, 0.3046875f, 3.2695312f})},
                            .tolerance = 2e-3,
                            .check_gradient = false},
                           {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Cosh, {{.name = "values",
                            .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                            .want = {T({6.1322894f, 1.255169f, 1.0453385f, 3.4177315f})},
                            .second_order = true},
                           {.name = "special",
                            .inputs = {T({kNan, kInf, -kInf, 0})},
                            .want = {T({kNan, kInf, kInf, 1})},
                            .check_gradient = false},
                           {.name = "half",
                            .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                            .want = {As<Half>({6.1328125f, 1.2548828f, 1.0449219f, 3.4199219f})},
                            .tolerance = 2e-3,
                            .check_gradient = false},
                           {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Asinh, {{.name = "values",
                             .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                             .want = {T({-1.6472312f, -0.65266657f, 0.29567307f, 1.3979983f})},
                             .second_order = true},
                            {.name = "special",
                             .inputs = {T({kNan, kInf, -kInf, 0})},
                             .want = {T({kNan, kInf, -kInf, 0})},
                             .check_gradient = false},
                            {.name = "half",
                             .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                             .want = {As<Half>({-1.6474609f, -0.65283203f, 0.2956543f, 1.3984375f})},
                             .tolerance = 2e-3,
                             .check_gradient = false},
                            {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Log, {{.name = "values",
                           .inputs = {T({0.2f, 0.9f, 1, 7.5f})},
                           .want = {T({-1.609438f, -0.105360545f, 0, 2.014903f})},
                           .second_order = true},
                          {.name = "special",
                           .inputs = {T({kNan, kInf, -1, 0})},
                           .want = {T({kNan, kInf, kNan, -kInf})},
                           .check_gradient = false},
                          {.name = "half",
                           .inputs = {As<Half>({0.19995117f, 0.89990234f, 1, 7.5f})},
                           .want = {As<Half>({-1.609375f, -0.10546875f, 0, 2.015625f})},
                           .tolerance = 2e-3,
                           .check_gradient = false},
                          {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Log1p, {{.name = "values",
                             .inputs = {T({-0.5f, 0, 0.3f, 4})},
                             .want = {T({-0.6931472f, 0, 0.26236427f, 1.609438f})},
                             .second_order = true},
                            {.name = "special",
                             .inputs = {T({kNan, kInf, -1, -2})},
                             .want = {T({kNan, kInf, -kInf, kNan})},
                             .check_gradient = false},
                            {.name = "half",
                             .inputs = {As<Half>({-0.5f, 0, 0.30004883f, 4})},
                             .want = {As<Half>({-0.6933594f, 0, 0.26245117f, 1.609375f})},
                             .tolerance = 2e-3,
                             .check_gradient = false},
                            {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Acosh, {{.name = "values",
             .inputs = {T({1.1f, 1.5f, 3})},
             .want = {T({0.4435683f, 0.9624237f, 1.7627472f})},
             .second_order = true},
            {.name = "special", .inputs = {T({kNan, 1, 0.5f})}, .want = {T({kNan, 0, kNan})}, .check_gradient = false},
            {.name = "half",
             .inputs = {As<Half>({1.0996094f, 1.5f, 3})},
             .want = {As<Half>({0.44262695f, 0.96240234f, 1.7626953f})},
             .tolerance = 2e-3,
             .check_gradient = false},
            {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(
    Atanh, {{.name = "values",
             .inputs = {T({-0.9f, 0.1f, 0.5f})},
             .want = {T({-1.4722193f, 0.100335345f, 0.54930615f})},
             .second_order = true},
            {.name = "special", .inputs = {T({kNan, 1, 2})}, .want = {T({kNan, kInf, kNan})}, .check_gradient = false},
            {.name = "half",
             .inputs = {As<Half>({-0.89990234f, 0.099975586f, 0.5f})},
             .want = {As<Half>({-1.4716797f, 0.10028076f, 0.5493164f})},
             .tolerance = 2e-3,
             .check_gradient = false},
            {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(TanhGrad, {{.name = "values",
                                .inputs = {T({0.3f, 0.9f, -1.5f}), T({1, -2, 0.5f})},
                                .want = {T({0.90999997f, -0.3800001f, -0.625f})},
                                .second_order = true},
                               {.name = "double",
                                .inputs = {M<double>({{0.25, 2}}), M<double>({{3, -1}})},
                                .want = {M<double>({{2.8125, 3}})}},
                               {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
                               {.name = "shapes_differ", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "2"}});

INSTANTIATE_OP_TEST(SigmoidGrad, {{.name = "values",
                                   .inputs = {T({0.3f, 0.9f, -1.5f}), T({1, -2, 0.5f})},
                                   .want = {T({0.21000001f, -0.18000004f, -1.875f})},
                                   .second_order = true},
                                  {.name = "double",
                                   .inputs = {M<double>({{0.25, 2}}), M<double>({{3, -1}})},
                                   .want = {M<double>({{0.5625, 2}})}},
                                  {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
                                  {.name = "shapes_differ", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "2"}});

}  // namespace
}  // namespace staticflow
