// Powers, and products and quotients that are 0 where a factor is. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

INSTANTIATE_OP_TEST(Pow,
                    {{.name = "values",
                      .inputs = {T<double>({0.5, 2, 3}), T<double>({2, -1.5, 0.5})},
                      .want = {T<double>({0.25, 0.3535533905932738, 1.7320508075688772})},
                      .second_order = true},
                     {.name = "negative_base",
                      .inputs = {T<double>({-2, -1.5}), T<double>({2, 3})},
                      .want = {T<double>({4, -3.375})},
                      .gradient_inputs = {0}},
                     {.name = "broadcast",
                      .inputs = {M<double>({{0.5}, {2}}), T<double>({2, 3, 0.5})},
                      .want = {M<double>({{0.25, 0.125, 0.7071067811865476}, {4, 8, 1.4142135623730951}})}},
                     {.name = "zeros",
                      .inputs = {T({0, 0, -2, kInf}), T({0, 2, 0.5f, -1})},
                      .want = {T({1, 0, kNan, 0})},
                      .check_gradient = false},
                     {.name = "int32",
                      .inputs = {T<int32_t>({2, -3, 0, 5}), T<int32_t>({10, 3, 0, 20})},
                      .want = {T<int32_t>({1024, -27, 1, 1977800241})}},
                     {.name = "int8", .inputs = {T<int8_t>({2, -3}), T<int8_t>({9, 3})}, .want = {T<int8_t>({0, -27})}},
                     {.name = "negative_integer_power",
                      .inputs = {T<int32_t>({2}), T<int32_t>({-1})},
                      .want_error = "negative integer power"}});

INSTANTIATE_OP_TEST(Xlogy, {{.name = "values",
                             .inputs = {T<double>({0.5, -2, 3}), T<double>({2, 1.5, 0.5})},
                             .want = {T<double>({0.34657359027997264, -0.8109302162163288, -2.0794415416798357})},
                             .second_order = true},
                            {.name = "broadcast",
                             .inputs = {M<double>({{0.5}, {2}}), T<double>({2, 3, 0.5})},
                             .want = {M<double>({{0.34657359027997264, 0.5493061443340548, -0.34657359027997264},
                                                 {1.3862943611198906, 2.1972245773362196, -1.3862943611198906}})}},
                            {.name = "zeros",
                             .inputs = {T({0, 0, 1}), T({0, kNan, -1})},
                             .want = {T({0, 0, kNan})},
                             .check_gradient = false}});

INSTANTIATE_OP_TEST(Xlog1py, {{.name = "values",
                               .inputs = {T<double>({0.5, -2, 3}), T<double>({2, 1.5, 0.5})},
                               .want = {T<double>({0.5493061443340548, -1.8325814637483102, 1.2163953243244932})},
                               .second_order = true},
                              {.name = "broadcast",
                               .inputs = {M<double>({{0.5}, {2}}), T<double>({2, 3, 0.5})},
                               .want = {M<double>({{0.5493061443340548, 0.6931471805599453, 0.2027325540540822},
                                                   {2.197224577336219, 2.772588722239781, 0.8109302162163288}})}},
                              {.name = "zeros",
                               .inputs = {T({0, 0, 1}), T({0, kNan, -1})},
                               .want = {T({0, 0, -kInf})},
                               .check_gradient = false}});

INSTANTIATE_OP_TEST(MulNoNan, {{.name = "values",
                                .inputs = {T<double>({0.5, -2, 3}), T<double>({2, 1.5, 0.5})},
                                .want = {T<double>({1, -3, 1.5})},
                                .second_order = true},
                               {.name = "broadcast",
                                .inputs = {M<double>({{0.5}, {2}}), T<double>({2, 3, 0.5})},
                                .want = {M<double>({{1, 1.5, 0.25}, {4, 6, 1}})}},
                               {.name = "zeros",
                                .inputs = {T({kInf, kNan, 1, 0}), T({0, 0, 0, kInf})},
                                .want = {T({0, 0, 0, kNan})},
                                .check_gradient = false}});

INSTANTIATE_OP_TEST(
    ClipByValue,
    {{.name = "scalars",
      .inputs = {M<double>({{-3, 0.5}, {1.5, 7}}), T<double>({}, {-1}), T<double>({}, {2})},
      .want = {M<double>({{-1, 0.5}, {1.5, 2}})}},
     {.name = "tensors",
      .inputs = {T<double>({-3, 0.5, 7}), T<double>({-1, 1, 0}), T<double>({0, 2, 3})},
      .want = {T<double>({-1, 1, 3})}},
     {.name = "int32", .inputs = {T<int32_t>({-3, 5, 9}), Tensor(0), Tensor(6)}, .want = {T<int32_t>({0, 5, 6})}},
     {.name = "wrong_bound",
      .inputs = {T({1, 2}), T({1, 2, 3}), Tensor(2.0f)},
      .want_error = "clip_value_min must be"}});

}  // namespace
}  // namespace staticflow
