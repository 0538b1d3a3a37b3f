// Arithmetic of one tensor. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

INSTANTIATE_OP_TEST(
    Abs, {{.name = "values", .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})}, .want = {T({2.5f, 0.7f, 0.3f, 1.9f})}},
          {.name = "special",
           .inputs = {T({kNan, kInf, -kInf, 0})},
           .want = {T({kNan, kInf, kInf, 0})},
           .check_gradient = false},
          {.name = "half",
           .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
           .want = {As<Half>({2.5f, 0.7001953f, 0.30004883f, 1.9003906f})},
           .tolerance = 2e-3,
           .check_gradient = false},
          {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}},
          {.name = "int32", .inputs = {T<int32_t>({-7, 0, 3, 100})}, .want = {T<int32_t>({7, 0, 3, 100})}},
          {.name = "int64", .inputs = {T<int64_t>({-7, 0, 3, 100})}, .want = {T<int64_t>({7, 0, 3, 100})}},
          {.name = "int8", .inputs = {T<int8_t>({-7, 0, 3, 100})}, .want = {T<int8_t>({7, 0, 3, 100})}}});

INSTANTIATE_OP_TEST(Neg,
                    {{.name = "values",
                      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                      .want = {T({2.5f, 0.7f, -0.3f, -1.9f})},
                      .second_order = true},
                     {.name = "special",
                      .inputs = {T({kNan, kInf, -kInf, 0})},
                      .want = {T({kNan, -kInf, kInf, -0})},
                      .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                      .want = {As<Half>({2.5f, 0.7001953f, -0.30004883f, -1.9003906f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}},
                     {.name = "int32", .inputs = {T<int32_t>({-7, 0, 3, 100})}, .want = {T<int32_t>({7, 0, -3, -100})}},
                     {.name = "int64", .inputs = {T<int64_t>({-7, 0, 3, 100})}, .want = {T<int64_t>({7, 0, -3, -100})}},
                     {.name = "int8", .inputs = {T<int8_t>({-7, 0, 3, 100})}, .want = {T<int8_t>({7, 0, -3, -100})}}});

INSTANTIATE_OP_TEST(
    Sign,
    {{.name = "values", .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})}, .want = {T({-1, -1, 1, 1})}},
     {.name = "special", .inputs = {T({kNan, kInf, -kInf, 0})}, .want = {T({kNan, 1, -1, 0})}, .check_gradient = false},
     {.name = "half",
      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
      .want = {As<Half>({-1, -1, 1, 1})},
      .tolerance = 2e-3,
      .check_gradient = false},
     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}},
     {.name = "int32", .inputs = {T<int32_t>({-7, 0, 3, 100})}, .want = {T<int32_t>({-1, 0, 1, 1})}},
     {.name = "int16", .inputs = {T<int16_t>({-7, 0, 3, 100})}, .want = {T<int16_t>({-1, 0, 1, 1})}}});

INSTANTIATE_OP_TEST(
    Square, {{.name = "values",
              .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
              .want = {T({6.25f, 0.48999998f, 0.09f, 3.61f})},
              .second_order = true},
             {.name = "special",
              .inputs = {T({kNan, kInf, -kInf, 0})},
              .want = {T({kNan, kInf, kInf, 0})},
              .check_gradient = false},
             {.name = "half",
              .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
              .want = {As<Half>({6.25f, 0.49023438f, 0.090026855f, 3.6113281f})},
              .tolerance = 2e-3,
              .check_gradient = false},
             {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}},
             {.name = "int32", .inputs = {T<int32_t>({-7, 0, 3, 100})}, .want = {T<int32_t>({49, 0, 9, 10000})}},
             {.name = "int64", .inputs = {T<int64_t>({-7, 0, 3, 100})}, .want = {T<int64_t>({49, 0, 9, 10000})}},
             {.name = "uint8", .inputs = {T<uint8_t>({0, 3, 200})}, .want = {T<uint8_t>({0, 9, 64})}}});

INSTANTIATE_OP_TEST(Sqrt, {{.name = "values",
                            .inputs = {T({0.2f, 0.9f, 1, 7.5f})},
                            .want = {T({0.4472136f, 0.94868326f, 1, 2.738613f})},
                            .second_order = true},
                           {.name = "special",
                            .inputs = {T({kNan, kInf, -1, 0})},
                            .want = {T({kNan, kInf, kNan, 0})},
                            .check_gradient = false},
                           {.name = "half",
                            .inputs = {As<Half>({0.19995117f, 0.89990234f, 1, 7.5f})},
                            .want = {As<Half>({0.44726562f, 0.94873047f, 1, 2.7382812f})},
                            .tolerance = 2e-3,
                            .check_gradient = false},
                           {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Rsqrt, {{.name = "values",
                             .inputs = {T({0.2f, 0.9f, 1, 7.5f})},
                             .want = {T({2.236068f, 1.0540926f, 1, 0.36514837f})},
                             .second_order = true},
                            {.name = "special",
                             .inputs = {T({kNan, kInf, -1, 0})},
                             .want = {T({kNan, 0, kNan, kInf})},
                             .check_gradient = false},
                            {.name = "half",
                             .inputs = {As<Half>({0.19995117f, 0.89990234f, 1, 7.5f})},
                             .want = {As<Half>({2.2363281f, 1.0537109f, 1, 0.36523438f})},
                             .tolerance = 2e-3,
                             .check_gradient = false},
                            {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Reciprocal,
                    {{.name = "values",
                      .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                      .want = {T({-0.4f, -1.4285715f, 3.3333333f, 0.5263158f})},
                      .second_order = true},
                     {.name = "special",
                      .inputs = {T({kNan, kInf, -kInf, 0})},
                      .want = {T({kNan, 0, -0, kInf})},
                      .check_gradient = false},
                     {.name = "half",
                      .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                      .want = {As<Half>({-0.39990234f, -1.4277344f, 3.3320312f, 0.5263672f})},
                      .tolerance = 2e-3,
                      .check_gradient = false},
                     {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(Inv, {{.name = "values",
                           .inputs = {T({-2.5f, -0.7f, 0.3f, 1.9f})},
                           .want = {T({-0.4f, -1.4285715f, 3.3333333f, 0.5263158f})},
                           .second_order = true},
                          {.name = "special",
                           .inputs = {T({kNan, kInf, -kInf, 0})},
                           .want = {T({kNan, 0, -0, kInf})},
                           .check_gradient = false},
                          {.name = "half",
                           .inputs = {As<Half>({-2.5f, -0.7001953f, 0.30004883f, 1.9003906f})},
                           .want = {As<Half>({-0.39990234f, -1.4277344f, 3.3320312f, 0.5263672f})},
                           .tolerance = 2e-3,
                           .check_gradient = false},
                          {.name = "empty", .inputs = {T<double>({0, 3}, {})}, .want = {T<double>({0, 3}, {})}}});

INSTANTIATE_OP_TEST(SqrtGrad, {{.name = "values",
                                .inputs = {T({0.3f, 0.9f, -1.5f}), T({1, -2, 0.5f})},
                                .want = {T({1.6666666f, -1.1111112f, -0.16666667f})},
                                .second_order = true},
                               {.name = "double",
                                .inputs = {M<double>({{0.25, 2}}), M<double>({{3, -1}})},
                                .want = {M<double>({{6, -0.25}})}},
                               {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
                               {.name = "shapes_differ", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "2"}});

INSTANTIATE_OP_TEST(RsqrtGrad, {{.name = "values",
                                 .inputs = {T({0.3f, 0.9f, -1.5f}), T({1, -2, 0.5f})},
                                 .want = {T({-0.013500001f, 0.7289999f, 0.84375f})},
                                 .second_order = true},
                                {.name = "double",
                                 .inputs = {M<double>({{0.25, 2}}), M<double>({{3, -1}})},
                                 .want = {M<double>({{-0.0234375, 4}})}},
                                {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
                                {.name = "shapes_differ", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "2"}});

INSTANTIATE_OP_TEST(
    ReciprocalGrad,
    {{.name = "values",
      .inputs = {T({0.3f, 0.9f, -1.5f}), T({1, -2, 0.5f})},
      .want = {T({-0.09f, 1.6199999f, -1.125f})},
      .second_order = true},
     {.name = "double", .inputs = {M<double>({{0.25, 2}}), M<double>({{3, -1}})}, .want = {M<double>({{-0.1875, 4}})}},
     {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
     {.name = "shapes_differ", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "2"}});

INSTANTIATE_OP_TEST(InvGrad, {{.name = "values",
                               .inputs = {T({0.3f, 0.9f, -1.5f}), T({1, -2, 0.5f})},
                               .want = {T({-0.09f, 1.6199999f, -1.125f})},
                               .second_order = true},
                              {.name = "double",
                               .inputs = {M<double>({{0.25, 2}}), M<double>({{3, -1}})},
                               .want = {M<double>({{-0.1875, 4}})}},
                              {.name = "empty", .inputs = {T({0}, {}), T({0}, {})}, .want = {T({0}, {})}},
                              {.name = "shapes_differ", .inputs = {T({1, 2}), T({1, 2, 3})}, .want_error = "2"}});

}  // namespace
}  // namespace staticflow
