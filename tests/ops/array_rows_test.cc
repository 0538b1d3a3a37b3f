// InplaceUpdate and its kin, ops that hand their input on, TopK, UniqueV2. Values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    InplaceUpdate,
    {
        {.name = "InplaceUpdate",
         .inputs = {M({{2.54, -0.69999999}, {0.050000001, 0.61000001}, {-1.1799999, 0}, {-0, -2.6300001}}),
                    T<int32_t>({2, -1, 0}), M({{1.53, 0.89999998}, {-0.94, -0.25999999}, {0.75999999, -0.38999999}})},
         .want = {M({{0.75999999, -0.38999999}, {0.050000001, 0.61000001}, {1.53, 0.89999998}, {-0.94, -0.25999999}})},
         .check_gradient = false},
        {.name = "InplaceAdd",
         .op = "InplaceAdd",
         .inputs = {M({{-0.36000001, -2.1800001}, {0.82999998, 0.19}, {0.41, -2.29}, {2.48, 0.23}}),
                    T<int32_t>({2, -1, 0}), M({{-0.57999998, 3.04}, {-0.07, -2.1800001}, {-0.61000001, -3.4300001}})},
         .want = {M({{-0.97000003, -5.6100001}, {0.82999998, 0.19}, {-0.16999999, 0.75}, {2.4100001, -1.95}})},
         .check_gradient = false},
        {.name = "InplaceSub",
         .op = "InplaceSub",
         .inputs = {M({{1.5700001, -0.62}, {-1.11, 1.61}, {-2.48, 0.80000001}, {-3.0999999, -0.99000001}}),
                    T<int32_t>({2, -1, 0}),
                    M({{-1.8099999, 2.1900001}, {2.6500001, -0.49000001}, {1.26, -0.27000001}})},
         .want = {M({{0.31000006, -0.34999999}, {-1.11, 1.61}, {-0.67000008, -1.3900001}, {-5.75, -0.5}})},
         .check_gradient = false},
        {.name = "strings",
         .inputs = {T<std::string>({"a", "b"}), T<int32_t>({1}), T<std::string>({"c"})},
         .want = {T<std::string>({"a", "c"})}},
        {.name = "integers wrap",
         .op = "InplaceAdd",
         .inputs = {T<int32_t>({2147483647, 1}), T<int32_t>({0, 0}), T<int32_t>({1, 5})},
         .want = {T<int32_t>({-2147483643, 1})}},
        {.name = "rows",
         .inputs = {M({{0.85000002, -1.13}, {-2.5599999, -2.7}, {0.56999999, 3.3699999}, {0.40000001, -0.79000002}}),
                    T<int32_t>({2, -1, 0}), M({{2.8699999, 0.36000001}, {0.15000001, 0.38}})},
         .want_error = "rows of v"},
        {.name = "row size",
         .inputs = {M({{-0.2, -0.46000001}, {-2.1500001, 0.75}, {-0.14, 1.79}, {-0.55000001, -2.8599999}}),
                    T<int32_t>({2, -1, 0}),
                    M({{-0.15000001, 2.55, -0.57999998}, {-1.33, -1.79, -1.58}, {-0.44999999, -1.77, 2.25}})},
         .want_error = "the rows of x and v"},
    });

INSTANTIATE_OP_TEST(ParallelConcat, {
                                        {.name = "two rows",
                                         .inputs = {M({{-0.41999999, 0.16}}), M({{2.1600001, 2.25}})},
                                         .attrs = {{"shape", Shape({2, 2})}},
                                         .want = {M({{-0.41999999, 0.16}, {2.1600001, 2.25}})},
                                         .check_gradient = false},
                                        {.name = "three rows",
                                         .inputs = {M({{-0.31999999, 0.5}}), M({{1.1, -0.28999999}})},
                                         .attrs = {{"shape", Shape({3, 2})}},
                                         .want_error = "values"},
                                    });

INSTANTIATE_OP_TEST(
    Empty, {
               {.name = "zeros",
                .inputs = {T<int32_t>({2, 1})},
                .attrs = {{"dtype", DT_INT32}, {"init", true}},
                .want = {M<int32_t>({{0}, {0}})}},
               {.name = "negative", .inputs = {T<int32_t>({-2})}, .attrs = {{"dtype", DT_INT32}}, .want_error = "-2"},
           });

INSTANTIATE_OP_TEST(Copy, {
                              {.name = "Copy",
                               .inputs = {M({{-2.6700001, 0.98000002}, {1.34, 0.62}})},
                               .want = {M({{-2.6700001, 0.98000002}, {1.34, 0.62}})}},
                              {.name = "CopyHost",
                               .op = "CopyHost",
                               .inputs = {M({{-1.39, -0.28999999}, {-0.88999999, -0.44999999}})},
                               .want = {M({{-1.39, -0.28999999}, {-0.88999999, -0.44999999}})}},
                              {.name = "DebugIdentity",
                               .op = "DebugIdentity",
                               .inputs = {M({{1.95, 2.29}, {1, 0.81999999}})},
                               .want = {M({{1.95, 2.29}, {1, 0.81999999}})}},
                              {.name = "DebugIdentityV2",
                               .op = "DebugIdentityV2",
                               .inputs = {M({{1.01, -0.02}, {-0.11, -1.01}})},
                               .want = {M({{1.01, -0.02}, {-0.11, -1.01}})}},
                              {.name = "DebugGradientIdentity",
                               .op = "DebugGradientIdentity",
                               .inputs = {M({{-0.079999998, 3.3900001}, {1.3, -0.50999999}})},
                               .want = {M({{-0.079999998, 3.3900001}, {1.3, -0.50999999}})}},
                              {.name = "DeepCopy",
                               .op = "DeepCopy",
                               .inputs = {M({{-0.70999998, -1.3}, {0.56, 0.58999997}})},
                               .want = {M({{-0.70999998, -1.3}, {0.56, 0.58999997}})}},
                          });

INSTANTIATE_OP_TEST(
    TopK,
    {
        {.name = "two",
         .inputs = {M({{-2.1600001, 0.73000002, -0.85000002, 2.1400001}, {0.23999999, 2.5799999, -0.69, -0.43000001}})},
         .attrs = {{"k", int64_t{2}}},
         .want = {M({{2.1400001, 0.73000002}, {2.5799999, 0.23999999}}), M<int32_t>({{3, 1}, {1, 0}})},
         .gradient_outputs = {0}},
        {.name = "too many",
         .inputs = {M({{0.44999999, 1.58, 0.85000002, -1.85}, {0.27000001, 0.029999999, -0.63999999, -0.97000003}})},
         .attrs = {{"k", int64_t{5}}},
         .want_error = "k is 5"},
    });

INSTANTIATE_OP_TEST(
    UniqueV2,
    {
        {.name = "rows",
         .inputs = {M({{1, 0, 1}, {1, 0, 1}, {2, 0, 2}}), T<int64_t>({0})},
         .want = {M({{1, 0, 1}, {2, 0, 2}}), T<int32_t>({0, 0, 1})},
         .check_gradient = false},
        {.name = "columns",
         .inputs = {M({{1, 0, 1}, {1, 0, 1}, {2, 0, 2}}), T<int32_t>({-1})},
         .attrs = {{"out_idx", DT_INT64}},
         .want = {M({{1, 0}, {1, 0}, {2, 0}}), T<int64_t>({0, 1, 0})},
         .check_gradient = false},
        {.name = "vector",
         .inputs = {T<std::string>({"b", "a", "b"}), T<int64_t>({})},
         .want = {T<std::string>({"b", "a"}), T<int32_t>({0, 1, 0})}},
        {.name = "empty",
         .inputs = {T({0, 2}, {}), T<int64_t>({0})},
         .want = {T({0, 2}, {}), T<int32_t>({})},
         .check_gradient = false},
        {.name = "counts",
         .op = "UniqueWithCountsV2",
         .inputs = {M<int32_t>({{1, 1}, {2, 1}, {1, 1}}), T<int64_t>({0})},
         .want = {M<int32_t>({{1, 1}, {2, 1}}), T<int32_t>({0, 1, 0}), T<int32_t>({2, 1})}},
        {.name = "cube",
         .op = "UniqueWithCountsV2",
         .inputs = {T<int64_t>({2, 5, 1}, {1, 1, 1, 0, 1, 1, 0, 0, 0, 0}), T<int64_t>({1})},
         .want = {T<int64_t>({2, 3, 1}, {1, 1, 0, 1, 0, 0}), T<int32_t>({0, 1, 1, 2, 1}), T<int32_t>({1, 3, 1})}},
        {.name = "axis", .inputs = {M({{1, 0, 1}, {1, 0, 1}, {2, 0, 2}}), T<int64_t>({2})}, .want_error = "axis"},
        {.name = "no axis", .inputs = {M({{1, 0, 1}, {1, 0, 1}, {2, 0, 2}}), T<int64_t>({})}, .want_error = "rank"},
    });

}  // namespace
}  // namespace staticflow
