// Reference values: TensorFlow 2.21.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    EuclideanNorm,
    {{.name = "rows",
      .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), T<int32_t>({1})},
      .want = {T({5.0990195, 2.8722813})},
      .second_order = true},
     {.name = "one element kept",
      .inputs = {M({{-3}, {2}}), T<int32_t>({1})},
      .attrs = {{"keep_dims", true}},
      .want = {M({{3}, {2}})}},
     {.name = "columns kept",
      .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), T<int64_t>({-2})},
      .attrs = {{"keep_dims", true}},
      .want = {M({{3.0413814, 4.472136, 2.236068}})}},
     {.name = "all", .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), T<int32_t>({0, 1})}, .want = {Tensor(5.8523498f)}},
     {.name = "int", .inputs = {T<int32_t>({3, 4}), T<int32_t>({0})}, .want = {Tensor(5)}},
     {.name = "int32 that overflows",
      .inputs = {M<int32_t>({{100000, 3}, {60000, 60000}}), T<int32_t>({1})},
      .want = {T<int32_t>({37550, std::numeric_limits<int32_t>::min()})}},
     {.name = "int64 that overflows",
      .inputs = {T<int64_t>({3000000000, 3000000000}), T<int32_t>({0})},
      .want = {Tensor(std::numeric_limits<int64_t>::min())}},
     {.name = "uint32 that overflows",
      .inputs = {M<uint32_t>({{100000, 3}, {60000, 60000}}), T<int32_t>({1})},
      .want = {T<uint32_t>({37550, 53898})}},
     {.name = "uint64", .inputs = {T<uint64_t>({3, 4, 8589934592}), T<int32_t>({0})}, .want = {T<uint64_t>({}, {5})}},
     {.name = "int16 that overflows",
      .inputs = {M<int16_t>({{-31072, 3}, {-5536, -5536}}), T<int32_t>({1})},
      .want = {T<int16_t>({0, 135})}},
     {.name = "uint8 that overflows",
      .inputs = {T<uint8_t>({100, 3, 3, 4, 60, 60}), T<int32_t>({0})},
      .want = {T<uint8_t>({}, {9})}},
     {.name = "axis", .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), T<int32_t>({2})}, .want_error = "axis"}});

INSTANTIATE_OP_TEST(
    CumulativeLogsumexp,
    {{.name = "rows",
      .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), Tensor(1)},
      .want = {M({{3, 3.0009115, 3.1277308}, {0.5, 2.2014134, 2.216277}})},
      .second_order = true},
     {.name = "columns reverse",
      .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), Tensor(int64_t{0})},
      .attrs = {{"reverse", true}},
      .want = {M({{3.0788898, 2.0024757, 1.0485873}, {0.5, 2, -2}})}},
     {.name = "exclusive",
      .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), Tensor(1)},
      .attrs = {{"exclusive", true}},
      .want = {M({{-INFINITY, 3, 3.0009115}, {-INFINITY, 0.5, 2.2014134}})},
      .check_gradient = false},
     {.name = "large", .inputs = {T({1000, 1001, -1000}), Tensor(0)}, .want = {T({1000, 1001.31323, 1001.31323})}},
     {.name = "axis", .inputs = {M({{3, -4, 1}, {0.5, 2, -2}}), Tensor(2)}, .want_error = "axis"}});

INSTANTIATE_OP_TEST(
    Cross,
    {{.name = "vectors",
      .inputs = {M({{1, 2, 3}, {0, 1, 0}}), M({{4, 5, 6}, {1, 0, 0}})},
      .want = {M({{-3, 6, -3}, {0, 0, -1}})},
      .second_order = true},
     {.name = "int", .inputs = {T<int32_t>({1, 2, 3}), T<int32_t>({3, 2, 1})}, .want = {T<int32_t>({-4, 8, -4})}},
     {.name = "size", .inputs = {T({1, 2}), T({1, 2})}, .want_error = "elements of the vectors"}});

INSTANTIATE_OP_TEST(
    UnravelIndex,
    {{.name = "vector",
      .inputs = {T<int32_t>({2, 5, 7}), T<int32_t>({3, 3})},
      .want = {M<int32_t>({{0, 1, 2}, {2, 2, 1}})}},
     {.name = "scalar", .inputs = {Tensor(int64_t{22}), T<int64_t>({2, 3, 4})}, .want = {T<int64_t>({1, 2, 2})}},
     {.name = "outside", .inputs = {T<int32_t>({9}), T<int32_t>({3, 3})}, .want_error = "is not in [0, 9)"},
     {.name = "dims", .inputs = {T<int32_t>({0}), T<int32_t>({0, 3})}, .want_error = "dims[0] is 0"}});

}  // namespace
}  // namespace staticflow
