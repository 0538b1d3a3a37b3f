// Reference values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(Bucketize, {{.name = "float",
                                 .inputs = {T({-5, 0, 1, 2.5, 10, 100})},
                                 .attrs = {{"boundaries", std::vector<float>{0, 1, 10}}},
                                 .want = {T<int32_t>({0, 1, 2, 2, 3, 3})}},
                                {.name = "int",
                                 .inputs = {M<int32_t>({{1, 2}, {3, 11}})},
                                 .attrs = {{"boundaries", std::vector<float>{2, 3}}},
                                 .want = {M<int32_t>({{0, 1}, {2, 2}})}},
                                {.name = "unsorted",
                                 .inputs = {T({1})},
                                 .attrs = {{"boundaries", std::vector<float>{2, 1}}},
                                 .want_error = "not sorted"}});

INSTANTIATE_OP_TEST(HistogramFixedWidth,
                    {{.name = "float",
                      .inputs = {T({-1, 0, 1.5, 2, 5, 15}), T({0, 5}), Tensor(5)},
                      .want = {T<int32_t>({2, 1, 1, 0, 2})}},
                     {.name = "int64 counts",
                      .inputs = {T<int32_t>({1, 1, 9}), T<int32_t>({0, 10}), Tensor(2)},
                      .attrs = {{"dtype", DT_INT64}},
                      .want = {T<int64_t>({2, 1})}},
                     {.name = "range", .inputs = {T({1}), T({5, 5}), Tensor(2)}, .want_error = "value_range is"},
                     {.name = "nbins", .inputs = {T({1}), T({0, 5}), Tensor(0)}, .want_error = "nbins is 0"}});

INSTANTIATE_OP_TEST(
    DenseBincount,
    {{.name = "vector", .inputs = {T<int32_t>({0, 1, 1, 4}), Tensor(4), T({0}, {})}, .want = {T({1, 2, 0, 0})}},
     {.name = "weights",
      .inputs = {M<int64_t>({{0, 1}, {1, 1}}), Tensor(int64_t{3}), M({{1, 2}, {3, 4}})},
      .want = {M({{1, 2, 0}, {0, 7, 0}})}},
     {.name = "binary",
      .inputs = {M<int32_t>({{0, 1}, {1, 1}}), Tensor(3), T<int32_t>({0}, {})},
      .attrs = {{"binary_output", true}},
      .want = {M<int32_t>({{1, 1, 0}, {0, 1, 0}})}},
     {.name = "negative",
      .inputs = {T<int32_t>({-1}), Tensor(2), T({0}, {})},
      .want_error = "is -1, expected 0 or more"},
     {.name = "shapes", .inputs = {T<int32_t>({1, 2}), Tensor(2), T({1})}, .want_error = "weights has shape"}});

INSTANTIATE_OP_TEST(LowerBound,
                    {{.name = "rows",
                      .inputs = {M({{0, 3, 9, 9, 10}, {1, 2, 3, 4, 5}}), M({{2, 4, 9}, {0, 2, 6}})},
                      .want = {M<int32_t>({{1, 2, 2}, {0, 1, 5}})}},
                     {.name = "int64",
                      .inputs = {M<int32_t>({{1, 2}}), M<int32_t>({{2}})},
                      .attrs = {{"out_type", DT_INT64}},
                      .want = {M<int64_t>({{1}})}},
                     {.name = "batches", .inputs = {M({{1}}), M({{1}, {2}})}, .want_error = "rows of sorted_inputs"}});

INSTANTIATE_OP_TEST(UpperBound,
                    {{.name = "rows",
                      .inputs = {M({{0, 3, 9, 9, 10}, {1, 2, 3, 4, 5}}), M({{2, 4, 9}, {0, 2, 6}})},
                      .want = {M<int32_t>({{1, 2, 4}, {0, 2, 5}})}},
                     {.name = "int64",
                      .inputs = {M<int32_t>({{1, 2}}), M<int32_t>({{2}})},
                      .attrs = {{"out_type", DT_INT64}},
                      .want = {M<int64_t>({{2}})}},
                     {.name = "batches", .inputs = {M({{1}}), M({{1}, {2}})}, .want_error = "rows of sorted_inputs"}});

INSTANTIATE_OP_TEST(PopulationCount,
                    {{.name = "int32", .inputs = {T<int32_t>({0, 1, -1, 255})}, .want = {T<uint8_t>({0, 1, 32, 8})}},
                     {.name = "uint8", .inputs = {T<uint8_t>({7, 255})}, .want = {T<uint8_t>({3, 8})}},
                     {.name = "int64", .inputs = {T<int64_t>({-1})}, .want = {T<uint8_t>({64})}}});

INSTANTIATE_OP_TEST(NthElement,
                    {{.name = "second", .inputs = {M({{3, 1, 2, 5}, {4, 4, 0, -1}}), Tensor(1)}, .want = {T({2, 0})}},
                     {.name = "reverse",
                      .inputs = {M({{3, 1, 2, 5}, {4, 4, 0, -1}}), Tensor(1)},
                      .attrs = {{"reverse", true}},
                      .want = {T({3, 4})},
                      .check_gradient = false},
                     {.name = "vector", .inputs = {T({2, 1, 3}), Tensor(0)}, .want = {Tensor(1.0f)}},
                     {.name = "int", .inputs = {T<int32_t>({3, 1, 2}), Tensor(2)}, .want = {Tensor(3)}},
                     {.name = "too large",
                      .inputs = {M({{3, 1, 2, 5}, {4, 4, 0, -1}}), Tensor(4)},
                      .want_error = "n is 4 for rows of 4"}});

}  // namespace
}  // namespace staticflow
