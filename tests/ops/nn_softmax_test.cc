// Softmax and LogSoftmax. Values: TensorFlow 2.21.
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_OP_TEST(
    Softmax,
    {
        {.name = "matrix",
         .inputs = {M<double>({{1.76, 0.4, 0.98, 2.24}, {1.87, -0.98, 0.95, -0.15}})},
         .want = {M<double>({{0.300197422692975, 0.0770489037478339, 0.137612303140795, 0.485141370418397},
                             {0.629319164117845, 0.0364025396619177, 0.250795669820351, 0.0834826263998861}})},
         .second_order = true},
        {.name = "vector",
         .inputs = {T<double>({-0.1, 0.41, 0.14, 1.45, 0.76})},
         .want = {T<double>({0.0908168604300368, 0.15123651802677, 0.115450856656542, 0.427880929992623,
                             0.214614834894028})},
         .second_order = true},
        {.name = "volume",
         .inputs = {T({2, 2, 3}, {0.12, 0.44, 0.33, 1.49, -0.21, 0.31, -0.85, -2.55, 0.65, 0.86, -0.74, 2.27})},
         .want = {T({2, 2, 3}, {0.2769465, 0.38139072, 0.3416628, 0.671158, 0.12260951, 0.20623256, 0.17654206,
                                0.032251336, 0.79120666, 0.18875575, 0.038109127, 0.7731351})}},
        {.name = "large logits",
         .inputs = {M({{1000, 1001, -1000}, {-1e+30, -1e+30, -1e+30}})},
         .want = {M({{0.26894143, 0.73105854, 0}, {0.33333334, 0.33333334, 0.33333334}})},
         .check_gradient = false},
        {.name = "one class", .inputs = {M({{3}, {-4}})}, .want = {M({{1}, {1}})}},
        {.name = "impossible class",
         .inputs = {M({{-kInf, 0, 1}})},
         .want = {M({{0, 0.26894143, 0.73105854}})},
         .check_gradient = false},
        {.name = "nan",
         .inputs = {M({{kNan, 0}, {1, 1}})},
         .want = {M({{kNan, kNan}, {0.5, 0.5}})},
         .check_gradient = false},
        {.name = "half",
         .inputs = {As<Half>({1, 2, 3})},
         .want = {As<Half>({0.090026855, 0.24475098, 0.66503906})},
         .tolerance = 2e-3,
         .check_gradient = false},
        {.name = "no rows", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
        {.name = "no classes", .inputs = {T({2, 0}, {})}, .want = {T({2, 0}, {})}},
        {.name = "scalar", .inputs = {Tensor(1.0f)}, .want_error = "rank"},
    });

INSTANTIATE_OP_TEST(
    LogSoftmax,
    {
        {.name = "matrix",
         .inputs = {M<double>({{-1.45, 0.05, -0.19, 1.53}, {1.47, 0.15, 0.38, -0.89}})},
         .want = {M<double>({{-3.35672035461568, -1.85672035461568, -2.09672035461568, -0.376720354615684},
                             {-0.529316814368914, -1.84931681436891, -1.61931681436891, -2.88931681436891}})},
         .second_order = true},
        {.name = "vector",
         .inputs = {T<double>({-1.98, -0.35, 0.16, 1.23, 1.2})},
         .want = {T<double>({-4.14992356844429, -2.51992356844429, -2.00992356844429, -0.939923568444295,
                             -0.969923568444295})},
         .second_order = true},
        {.name = "volume",
         .inputs = {T({2, 2, 3}, {-0.39, -0.3, -1.05, -1.42, -1.71, 1.95, -0.51, -0.44, -1.25, 0.78, -1.61, -0.21})},
         .want = {T({2, 2, 3}, {-0.9597431, -0.8697431, -1.6197431, -3.428384, -3.7183843, -0.05838412, -0.93594515,
                                -0.86594516, -1.6759452, -0.3806302, -2.7706301, -1.3706301})}},
        {.name = "large logits",
         .inputs = {M({{1000, 1001, -1000}, {-1e+30, -1e+30, -1e+30}})},
         .want = {M({{-1.3132616, -0.31326166, -2001.3132}, {-1.0986123, -1.0986123, -1.0986123}})},
         .check_gradient = false},
        {.name = "one class", .inputs = {M({{3}, {-4}})}, .want = {M({{0}, {0}})}},
        {.name = "impossible class",
         .inputs = {M({{-kInf, 0, 1}})},
         .want = {M({{-kInf, -1.3132616, -0.31326166}})},
         .check_gradient = false},
        {.name = "nan",
         .inputs = {M({{kNan, 0}, {1, 1}})},
         .want = {M({{kNan, kNan}, {-0.6931472, -0.6931472}})},
         .check_gradient = false},
        {.name = "half",
         .inputs = {As<Half>({1, 2, 3})},
         .want = {As<Half>({-2.4082031, -1.4082031, -0.40795898})},
         .tolerance = 2e-3,
         .check_gradient = false},
        {.name = "no rows", .inputs = {T({0, 3}, {})}, .want = {T({0, 3}, {})}},
        {.name = "no classes", .inputs = {T({2, 0}, {})}, .want = {T({2, 0}, {})}},
        {.name = "scalar", .inputs = {Tensor(1.0f)}, .want_error = "rank"},
    });

}  // namespace
}  // namespace staticflow
