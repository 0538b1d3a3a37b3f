// Reference values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(RandomGamma, {{.name = "vector",
                                   .inputs = {T<int32_t>({3}), T({0.5, 1, 4})},
                                   .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}},
                                   .want = {M({{0.027734945, 0.59160125, 1.8941497},
                                               {0.08037696, 1.4543693, 5.5622096},
                                               {0.104876526, 0.82442, 3.042401}})},
                                   .check_gradient = false},
                                  {.name = "double",
                                   .inputs = {T<int64_t>({2, 2}), Tensor(2.5)},
                                   .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}},
                                   .want = {M<double>({{0.3270578696760454, 0.9050868007430898},
                                                       {0.8495141632971523, 0.8057366630564531}})},
                                   .check_gradient = false},
                                  {.name = "nothing",
                                   .inputs = {T<int32_t>({0}), T({1, 2})},
                                   .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}},
                                   .want = {T({0, 2}, {})},
                                   .check_gradient = false},
                                  {.name = "negative",
                                   .inputs = {T<int32_t>({-1}), Tensor(1.0f)},
                                   .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}},
                                   .want_error = "negative size"}});

INSTANTIATE_OP_TEST(RandomPoisson,
                    {{.name = "vector",
                      .inputs = {T<int32_t>({4}), T({0.5, 4, 12, 200})},
                      .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}},
                      .want = {M({{0, 4, 14, 194}, {0, 7, 11, 200}, {0, 2, 12, 200}, {0, 4, 10, 196}})}}});

INSTANTIATE_OP_TEST(RandomPoissonV2,
                    {{.name = "vector",
                      .inputs = {T<int32_t>({4}), T({0.5, 4, 12, 200})},
                      .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}, {"dtype", DT_INT64}},
                      .want = {M<int64_t>({{0, 4, 14, 194}, {0, 7, 11, 200}, {0, 2, 12, 200}, {0, 4, 10, 196}})}},
                     {.name = "integers",
                      .inputs = {T<int32_t>({3}), Tensor(30)},
                      .attrs = {{"seed", int64_t{87654321}}, {"seed2", int64_t{5}}, {"dtype", DT_INT32}},
                      .want = {T<int32_t>({30, 30, 29})}}});

INSTANTIATE_OP_TEST(StatelessRandomPoisson, {{.name = "vector",
                                              .inputs = {T<int32_t>({3, 2}), T<int32_t>({7, 8}), T({3, 25})},
                                              .attrs = {{"dtype", DT_FLOAT}},
                                              .want = {M({{2, 31}, {3, 24}, {5, 22}})}},
                                             {.name = "shape",
                                              .inputs = {T<int32_t>({3}), T<int32_t>({7, 8}), T({3, 25})},
                                              .attrs = {{"dtype", DT_FLOAT}},
                                              .want_error = "does not end with that"}});

INSTANTIATE_OP_TEST(StatelessRandomUniformFullInt,
                    {{.name = "int32",
                      .inputs = {T<int32_t>({5}), T<int64_t>({1, 2})},
                      .attrs = {{"dtype", DT_INT32}},
                      .want = {T<int32_t>({1105988140, 1738052849, -335576002, 370444179, 10670227})}},
                     {.name = "int64",
                      .inputs = {T<int32_t>({5}), T<int64_t>({1, 2})},
                      .attrs = {{"dtype", DT_INT64}},
                      .want = {T<int64_t>({7464880146280614444, 1591045637757961278, -1057468755545501549,
                                           2524363516007002203, 6884554327646026923})}},
                     {.name = "uint32",
                      .inputs = {T<int32_t>({5}), T<int64_t>({1, 2})},
                      .attrs = {{"dtype", DT_UINT32}},
                      .want = {T<uint32_t>({1105988140, 1738052849, 3959391294, 370444179, 10670227})}},
                     {.name = "uint64",
                      .inputs = {T<int32_t>({5}), T<int64_t>({1, 2})},
                      .attrs = {{"dtype", DT_UINT64}},
                      .want = {T<uint64_t>({7464880146280614444, 1591045637757961278, 17389275318164050067u,
                                            2524363516007002203, 6884554327646026923})}}});

INSTANTIATE_OP_TEST(StatelessRandomUniformFullIntV2,
                    {{.name = "int32",
                      .inputs = {T<int32_t>({3}), T<uint64_t>({11}), T<uint64_t>({1, 2}), Tensor(1)},
                      .attrs = {{"dtype", DT_INT32}},
                      .want = {T<int32_t>({1997193157, 333940394, 1511593142})}},
                     {.name = "uint64",
                      .inputs = {T<int32_t>({3}), T<uint64_t>({11}), T<uint64_t>({1, 2}), Tensor(1)},
                      .attrs = {{"dtype", DT_UINT64}},
                      .want = {T<uint64_t>({1434263073040547781, 7660852160008623286, 16311673206166409847u})}}});

INSTANTIATE_OP_TEST(StatelessMultinomial,
                    {{.name = "rows",
                      .inputs = {M({{1, 2, 0.5}, {0, 0, 3}}), Tensor(6), T<int64_t>({3, 4})},
                      .want = {M<int64_t>({{2, 1, 0, 1, 2, 1}, {2, 0, 2, 2, 2, 2}})}},
                     {.name = "seed", .inputs = {M({{1, 2}}), Tensor(6), T<int64_t>({3})}, .want_error = "seed"}});

}  // namespace
}  // namespace staticflow
