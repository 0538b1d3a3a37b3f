// Rounding, classes of values, bits. The values are TensorFlow's where it has a kernel.
#include <cstdint>
#include <limits>

#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();

INSTANTIATE_OP_TEST(Floor, {{.name = "halves",
                             .inputs = {T({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4f, 2.6f})},
                             .want = {T({-3, -2, -1, 0, 0, 1, 2, 2})}},
                            {.name = "special", .inputs = {T({kNan, kInf, -kInf})}, .want = {T({kNan, kInf, -kInf})}},
                            {.name = "half",
                             .inputs = {As<Half>({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4003906f, 2.5996094f})},
                             .want = {As<Half>({-3, -2, -1, 0, 0, 1, 2, 2})}}});

INSTANTIATE_OP_TEST(Ceil, {{.name = "halves",
                            .inputs = {T({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4f, 2.6f})},
                            .want = {T({-2, -1, -0, 0, 1, 2, 3, 3})}},
                           {.name = "special", .inputs = {T({kNan, kInf, -kInf})}, .want = {T({kNan, kInf, -kInf})}},
                           {.name = "half",
                            .inputs = {As<Half>({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4003906f, 2.5996094f})},
                            .want = {As<Half>({-2, -1, -0, 0, 1, 2, 3, 3})}}});

INSTANTIATE_OP_TEST(Rint, {{.name = "halves",
                            .inputs = {T({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4f, 2.6f})},
                            .want = {T({-2, -2, -0, 0, 0, 2, 2, 3})}},
                           {.name = "special", .inputs = {T({kNan, kInf, -kInf})}, .want = {T({kNan, kInf, -kInf})}}});

INSTANTIATE_OP_TEST(Round, {{.name = "halves",
                             .inputs = {T({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4f, 2.6f})},
                             .want = {T({-2, -2, -0, 0, 0, 2, 2, 3})}},
                            {.name = "special", .inputs = {T({kNan, kInf, -kInf})}, .want = {T({kNan, kInf, -kInf})}},
                            {.name = "half",
                             .inputs = {As<Half>({-2.5f, -1.5f, -0.5f, 0, 0.5f, 1.5f, 2.4003906f, 2.5996094f})},
                             .want = {As<Half>({-2, -2, -0, 0, 0, 2, 2, 3})}},
                            {.name = "int32", .inputs = {T<int32_t>({-3, 7})}, .want = {T<int32_t>({-3, 7})}}});

INSTANTIATE_OP_TEST(
    IsNan,
    {{.name = "float", .inputs = {T({kNan, kInf, -kInf, 0, 1})}, .want = {T<bool>({true, false, false, false, false})}},
     {.name = "double", .inputs = {M<double>({{kNan}, {kInf}, {1}})}, .want = {M<bool>({{true}, {false}, {false}})}},
     {.name = "half", .inputs = {As<Half>({kNan, kInf, 1})}, .want = {T<bool>({true, false, false})}}});

INSTANTIATE_OP_TEST(
    IsInf,
    {{.name = "float", .inputs = {T({kNan, kInf, -kInf, 0, 1})}, .want = {T<bool>({false, true, true, false, false})}},
     {.name = "double", .inputs = {M<double>({{kNan}, {kInf}, {1}})}, .want = {M<bool>({{false}, {true}, {false}})}},
     {.name = "half", .inputs = {As<Half>({kNan, kInf, 1})}, .want = {T<bool>({false, true, false})}}});

INSTANTIATE_OP_TEST(
    IsFinite,
    {{.name = "float", .inputs = {T({kNan, kInf, -kInf, 0, 1})}, .want = {T<bool>({false, false, false, true, true})}},
     {.name = "double", .inputs = {M<double>({{kNan}, {kInf}, {1}})}, .want = {M<bool>({{false}, {false}, {true}})}},
     {.name = "half", .inputs = {As<Half>({kNan, kInf, 1})}, .want = {T<bool>({false, false, true})}}});

INSTANTIATE_OP_TEST(
    Invert, {{.name = "int32", .inputs = {T<int32_t>({12, -7, 0, 127})}, .want = {T<int32_t>({-13, 6, -1, -128})}},
             {.name = "int8", .inputs = {T<int8_t>({12, -7, 0, 127})}, .want = {T<int8_t>({-13, 6, -1, -128})}},
             {.name = "uint8", .inputs = {T<uint8_t>({12, 200, 0, 127})}, .want = {T<uint8_t>({243, 55, 255, 128})}},
             {.name = "int64", .inputs = {T<int64_t>({12, -7, 0, 127})}, .want = {T<int64_t>({-13, 6, -1, -128})}}});

INSTANTIATE_OP_TEST(BitwiseAnd, {{.name = "int32",
                                  .inputs = {T<int32_t>({12, -7, 0, 127}), T<int32_t>({10, 3, -1, 1})},
                                  .want = {T<int32_t>({8, 1, 0, 1})}},
                                 {.name = "int8",
                                  .inputs = {T<int8_t>({12, -7, 0, 127}), T<int8_t>({10, 3, -1, 1})},
                                  .want = {T<int8_t>({8, 1, 0, 1})}},
                                 {.name = "uint8",
                                  .inputs = {T<uint8_t>({12, 200, 0, 127}), T<uint8_t>({10, 3, 255, 1})},
                                  .want = {T<uint8_t>({8, 0, 0, 1})}},
                                 {.name = "int64",
                                  .inputs = {T<int64_t>({12, -7, 0, 127}), T<int64_t>({10, 3, -1, 1})},
                                  .want = {T<int64_t>({8, 1, 0, 1})}},
                                 {.name = "broadcast",
                                  .inputs = {M<int32_t>({{1}, {6}}), T<int32_t>({3, 5})},
                                  .want = {M<int32_t>({{1, 1}, {2, 4}})}}});

INSTANTIATE_OP_TEST(BitwiseOr, {{.name = "int32",
                                 .inputs = {T<int32_t>({12, -7, 0, 127}), T<int32_t>({10, 3, -1, 1})},
                                 .want = {T<int32_t>({14, -5, -1, 127})}},
                                {.name = "int8",
                                 .inputs = {T<int8_t>({12, -7, 0, 127}), T<int8_t>({10, 3, -1, 1})},
                                 .want = {T<int8_t>({14, -5, -1, 127})}},
                                {.name = "uint8",
                                 .inputs = {T<uint8_t>({12, 200, 0, 127}), T<uint8_t>({10, 3, 255, 1})},
                                 .want = {T<uint8_t>({14, 203, 255, 127})}},
                                {.name = "int64",
                                 .inputs = {T<int64_t>({12, -7, 0, 127}), T<int64_t>({10, 3, -1, 1})},
                                 .want = {T<int64_t>({14, -5, -1, 127})}},
                                {.name = "broadcast",
                                 .inputs = {M<int32_t>({{1}, {6}}), T<int32_t>({3, 5})},
                                 .want = {M<int32_t>({{3, 5}, {7, 7}})}}});

INSTANTIATE_OP_TEST(BitwiseXor, {{.name = "int32",
                                  .inputs = {T<int32_t>({12, -7, 0, 127}), T<int32_t>({10, 3, -1, 1})},
                                  .want = {T<int32_t>({6, -6, -1, 126})}},
                                 {.name = "int8",
                                  .inputs = {T<int8_t>({12, -7, 0, 127}), T<int8_t>({10, 3, -1, 1})},
                                  .want = {T<int8_t>({6, -6, -1, 126})}},
                                 {.name = "uint8",
                                  .inputs = {T<uint8_t>({12, 200, 0, 127}), T<uint8_t>({10, 3, 255, 1})},
                                  .want = {T<uint8_t>({6, 203, 255, 126})}},
                                 {.name = "int64",
                                  .inputs = {T<int64_t>({12, -7, 0, 127}), T<int64_t>({10, 3, -1, 1})},
                                  .want = {T<int64_t>({6, -6, -1, 126})}},
                                 {.name = "broadcast",
                                  .inputs = {M<int32_t>({{1}, {6}}), T<int32_t>({3, 5})},
                                  .want = {M<int32_t>({{2, 4}, {5, 3}})}}});

INSTANTIATE_OP_TEST(LeftShift, {{.name = "int32",
                                 .inputs = {T<int32_t>({1, -8, 5, 1}), T<int32_t>({3, 1, -1, 40})},
                                 .want = {T<int32_t>({8, -16, 5, INT32_MIN})}},
                                {.name = "uint8",
                                 .inputs = {T<uint8_t>({200, 255}), T<uint8_t>({1, 9})},
                                 .want = {T<uint8_t>({144, 128})}},
                                {.name = "int64",
                                 .inputs = {T<int64_t>({1, -9}), T<int64_t>({40, 2})},
                                 .want = {T<int64_t>({1099511627776, -36})}}});

INSTANTIATE_OP_TEST(
    RightShift,
    {{.name = "int32",
      .inputs = {T<int32_t>({1, -8, 5, 1}), T<int32_t>({3, 1, -1, 40})},
      .want = {T<int32_t>({0, -4, 5, 0})}},
     {.name = "uint8", .inputs = {T<uint8_t>({200, 255}), T<uint8_t>({1, 9})}, .want = {T<uint8_t>({100, 1})}},
     {.name = "int64", .inputs = {T<int64_t>({1, -9}), T<int64_t>({40, 2})}, .want = {T<int64_t>({0, -3})}}});

}  // namespace
}  // namespace staticflow
