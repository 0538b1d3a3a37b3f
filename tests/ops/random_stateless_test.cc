// The stateless random ops. Values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    StatelessRandomUniform,
    {
        {.name = "float32",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_FLOAT}},
         .want = {T({0.5455766, 0.19691694, 0.23146129, 0.4433471, 0.20777476, 0.38368833, 0.35475814})},
         .tolerance = 1e-6},
        {.name = "float64",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_DOUBLE}},
         .want = {T<double>({0.364613470056871, 0.851690624735033, 0.662198387801067, 0.838065877757617,
                             0.35022816897443, 0.452635895709845, 0.456958593558287})},
         .tolerance = 1e-14},
        {.name = "float16",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_HALF}},
         .want = {As<Half>({0.36328125, 0.14355469, 0.13085938, 0.89941406, 0.09082031, 0.17480469, 0.17871094})},
         .tolerance = 0},
        {.name = "bfloat16",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_BFLOAT16}},
         .want = {As<BFloat16>({0.90625, 0.1484375, 0.046875, 0.1953125, 0.7265625, 0.3984375, 0.4296875})},
         .tolerance = 0},
        {.name = "int32 seed",
         .inputs = {T<int64_t>({2, 3}), T<int32_t>({5, -7})},
         .want = {M({{0.5455766, 0.19691694, 0.23146129}, {0.4433471, 0.20777476, 0.38368833}})}},
        {.name = "empty", .inputs = {T<int32_t>({0, 3}), T<int32_t>({1, 2})}, .want = {T({0, 3}, {})}},
        {.name = "seed of one", .inputs = {T<int32_t>({2}), T<int32_t>({1})}, .want_error = "input 1"},
        {.name = "negative shape", .inputs = {T<int32_t>({-2}), T<int32_t>({1, 2})}, .want_error = "-2"},
    });

INSTANTIATE_OP_TEST(
    StatelessRandomUniformV2,
    {
        {.name = "philox",
         .inputs = {T<int32_t>({7}), T<uint64_t>({1128823970552913380}), T<uint64_t>({0, 3961801194668936536}),
                    Tensor(int32_t{1})},
         .attrs = {{"dtype", DT_FLOAT}},
         .want = {T({0.5455766, 0.19691694, 0.23146129, 0.4433471, 0.20777476, 0.38368833, 0.35475814})}},
        {.name = "other algorithm",
         .inputs = {T<int32_t>({7}), T<uint64_t>({1128823970552913380}), T<uint64_t>({0, 3961801194668936536}),
                    Tensor(int32_t{2})},
         .want_error = "algorithm"},
    });

INSTANTIATE_OP_TEST(
    StatelessRandomNormal,
    {
        {.name = "float32",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_FLOAT}},
         .want = {T({1.0401648, 0.3603907, 0.59618306, -1.6035122, 1.183252, -1.3200439, 0.9023425})},
         .tolerance = 1e-6},
        {.name = "float64",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_DOUBLE}},
         .want = {T<double>({-1.14027887074554, 0.847112178088422, -0.772466269740194, 0.477154104119579,
                             0.424754207662625, -1.38489158931774, -0.938759695304367})},
         .tolerance = 1e-14},
        {.name = "float16",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_HALF}},
         .want = {As<Half>({1.0400391, 0.36035156, 0.5961914, -1.6035156, 1.1835938, -1.3203125, 0.90234375})},
         .tolerance = 0},
        {.name = "bfloat16",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_BFLOAT16}},
         .want = {As<BFloat16>({1.0390625, 0.36132812, 0.59765625, -1.6015625, 1.1796875, -1.3203125, 0.90234375})},
         .tolerance = 0},
        {.name = "int32 seed",
         .inputs = {T<int64_t>({2, 3}), T<int32_t>({5, -7})},
         .want = {M({{1.0401648, 0.3603907, 0.59618306}, {-1.6035122, 1.183252, -1.3200439}})}},
        {.name = "empty", .inputs = {T<int32_t>({0, 3}), T<int32_t>({1, 2})}, .want = {T({0, 3}, {})}},
        {.name = "seed of one", .inputs = {T<int32_t>({2}), T<int32_t>({1})}, .want_error = "input 1"},
        {.name = "negative shape", .inputs = {T<int32_t>({-2}), T<int32_t>({1, 2})}, .want_error = "-2"},
    });

INSTANTIATE_OP_TEST(StatelessRandomNormalV2,
                    {
                        {.name = "philox",
                         .inputs = {T<int32_t>({7}), T<uint64_t>({1128823970552913380}),
                                    T<uint64_t>({0, 3961801194668936536}), Tensor(int32_t{1})},
                         .attrs = {{"dtype", DT_FLOAT}},
                         .want = {T({1.0401648, 0.3603907, 0.59618306, -1.6035122, 1.183252, -1.3200439, 0.9023425})}},
                        {.name = "other algorithm",
                         .inputs = {T<int32_t>({7}), T<uint64_t>({1128823970552913380}),
                                    T<uint64_t>({0, 3961801194668936536}), Tensor(int32_t{2})},
                         .want_error = "algorithm"},
                    });

INSTANTIATE_OP_TEST(
    StatelessTruncatedNormal,
    {
        {.name = "float32",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_FLOAT}},
         .want = {T({1.0401648, 0.3603907, 0.59618306, -1.6035122, 0.6004328, -0.23023304, 0.5833196})},
         .tolerance = 1e-6},
        {.name = "float64",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_DOUBLE}},
         .want = {T<double>({-1.14027887074554, 0.847112178088422, -0.977633092077518, 0.629601774333766,
                             -0.795692904629046, -0.854697789963459, 0.0734857364947191})},
         .tolerance = 1e-14},
        {.name = "float16",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_HALF}},
         .want = {As<Half>({1.0400391, 0.36035156, 0.5961914, -1.6035156, 0.60058594, -0.23022461, 0.5834961})},
         .tolerance = 0},
        {.name = "bfloat16",
         .inputs = {T<int32_t>({7}), T<int64_t>({5, -7})},
         .attrs = {{"dtype", DT_BFLOAT16}},
         .want = {As<BFloat16>({1.0390625, 0.36132812, 0.59765625, -1.6015625, 0.6015625, -0.23046875, 0.58203125})},
         .tolerance = 0},
        {.name = "int32 seed",
         .inputs = {T<int64_t>({2, 3}), T<int32_t>({5, -7})},
         .want = {M({{1.0401648, 0.3603907, 0.59618306}, {-1.6035122, 0.6004328, -0.23023304}})}},
        {.name = "empty", .inputs = {T<int32_t>({0, 3}), T<int32_t>({1, 2})}, .want = {T({0, 3}, {})}},
        {.name = "seed of one", .inputs = {T<int32_t>({2}), T<int32_t>({1})}, .want_error = "input 1"},
        {.name = "negative shape", .inputs = {T<int32_t>({-2}), T<int32_t>({1, 2})}, .want_error = "-2"},
    });

INSTANTIATE_OP_TEST(
    StatelessTruncatedNormalV2,
    {
        {.name = "philox",
         .inputs = {T<int32_t>({7}), T<uint64_t>({1128823970552913380}), T<uint64_t>({0, 3961801194668936536}),
                    Tensor(int32_t{1})},
         .attrs = {{"dtype", DT_FLOAT}},
         .want = {T({1.0401648, 0.3603907, 0.59618306, -1.6035122, 0.6004328, -0.23023304, 0.5833196})}},
        {.name = "other algorithm",
         .inputs = {T<int32_t>({7}), T<uint64_t>({1128823970552913380}), T<uint64_t>({0, 3961801194668936536}),
                    Tensor(int32_t{2})},
         .want_error = "algorithm"},
    });

INSTANTIATE_OP_TEST(StatelessRandomUniformInt,
                    {
                        {.name = "int32",
                         .inputs = {T<int32_t>({6}), T<int64_t>({5, -7}), T<int32_t>({}, {-3}), T<int32_t>({}, {1000})},
                         .want = {T<int32_t>({312, 256, 470, 44, 681, 985})}},
                        {.name = "int64",
                         .inputs = {T<int32_t>({5}), T<int64_t>({5, -7}), T<int64_t>({}, {-3}),
                                    T<int64_t>({}, {1099511627776})},
                         .want = {T<int64_t>({635344292309, 659345765958, 769723467014, 869418483536, 368099909666})}},
                        {.name = "no range",
                         .inputs = {T<int32_t>({2}), T<int32_t>({1, 2}), Tensor(int32_t{3}), Tensor(int32_t{3})},
                         .want_error = "minval < maxval"},
                        {.name = "empty",
                         .inputs = {T<int32_t>({0}), T<int64_t>({5, -7}), T<int32_t>({}, {3}), T<int32_t>({}, {1000})},
                         .want = {T<int32_t>({})}},
                    });

INSTANTIATE_OP_TEST(StatelessRandomUniformIntV2,
                    {
                        {.name = "int64",
                         .inputs = {T<int32_t>({5}), T<uint64_t>({1128823970552913380}),
                                    T<uint64_t>({0, 3961801194668936536}), Tensor(int32_t{1}), Tensor(int64_t{7}),
                                    Tensor(int64_t{1000})},
                         .want = {T<int64_t>({241, 325, 190, 260, 736})}},
                    });

INSTANTIATE_OP_TEST(StatelessRandomGetKeyCounter,
                    {
                        {.name = "int64",
                         .inputs = {T<int64_t>({5, -7})},
                         .want = {T<uint64_t>({1128823970552913380}), T<uint64_t>({0, 3961801194668936536})}},
                        {.name = "int32",
                         .inputs = {T<int32_t>({-5, 7})},
                         .want = {T<uint64_t>({16859588945514098090u}), T<uint64_t>({0, 12911382013569801577u})}},
                    });

INSTANTIATE_OP_TEST(
    StatelessRandomGetKeyCounterAlg,
    {
        {.name = "int64",
         .inputs = {T<int64_t>({5, -7})},
         .want = {T<uint64_t>({1128823970552913380}), T<uint64_t>({0, 3961801194668936536}), T<int32_t>({}, {1})}},
        {.name = "int32",
         .inputs = {T<int32_t>({-5, 7})},
         .want = {T<uint64_t>({16859588945514098090u}), T<uint64_t>({0, 12911382013569801577u}), T<int32_t>({}, {1})}},
    });

INSTANTIATE_OP_TEST(StatelessRandomGetAlg, {
                                               {.name = "philox", .want = {Tensor(int32_t{1})}},
                                           });

}  // namespace
}  // namespace staticflow
