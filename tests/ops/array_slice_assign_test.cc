// Reference values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    StridedSliceAssign,
    {{.name = "block",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 1}), T<int32_t>({2, 3}), T<int32_t>({1, 1}),
                 M({{10, 20}, {30, 40}})},
      .want_variables = {M({{1, 10, 20}, {4, 30, 40}})}},
     {.name = "row",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1}), T<int64_t>({2}), T<int64_t>({1}), T({7, 8, 9})},
      .attrs = {{"shrink_axis_mask", int64_t{1}}},
      .want_variables = {M({{1, 2, 3}, {7, 8, 9}})}},
     {.name = "backwards",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 2}), T<int32_t>({1, 0}), T<int32_t>({1, -1}), M({{10, 20}})},
      .want_variables = {M({{1, 20, 10}, {4, 5, 6}})}},
     {.name = "masks",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 1}), T<int32_t>({0, 0}), T<int32_t>({1, 2}), M({{9}, {8}})},
      .attrs = {{"begin_mask", int64_t{1}}, {"end_mask", int64_t{3}}},
      .want_variables = {M({{1, 9, 3}, {4, 8, 6}})}},
     {.name = "shape",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0}), T<int32_t>({1}), T<int32_t>({1}), M({{1, 2}})},
      .want_error = "slice"}});

INSTANTIATE_OP_TEST(
    ResourceStridedSliceAssign,
    {{.name = "block",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 1}), T<int32_t>({2, 3}), T<int32_t>({1, 1}),
                 M({{10, 20}, {30, 40}})},
      .want_variables = {M({{1, 10, 20}, {4, 30, 40}})}},
     {.name = "row",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1}), T<int64_t>({2}), T<int64_t>({1}), T({7, 8, 9})},
      .attrs = {{"shrink_axis_mask", int64_t{1}}},
      .want_variables = {M({{1, 2, 3}, {7, 8, 9}})}},
     {.name = "backwards",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 2}), T<int32_t>({1, 0}), T<int32_t>({1, -1}), M({{10, 20}})},
      .want_variables = {M({{1, 20, 10}, {4, 5, 6}})}},
     {.name = "masks",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 1}), T<int32_t>({0, 0}), T<int32_t>({1, 2}), M({{9}, {8}})},
      .attrs = {{"begin_mask", int64_t{1}}, {"end_mask", int64_t{3}}},
      .want_variables = {M({{1, 9, 3}, {4, 8, 6}})}},
     {.name = "shape",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0}), T<int32_t>({1}), T<int32_t>({1}), M({{1, 2}})},
      .want_error = "slice"}});

INSTANTIATE_OP_TEST(
    TensorStridedSliceUpdate,
    {{.name = "block",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 1}), T<int32_t>({2, 3}), T<int32_t>({1, 1}),
                 M({{10, 20}, {30, 40}})},
      .want = {M({{1, 10, 20}, {4, 30, 40}})},
      .second_order = true},
     {.name = "row",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int64_t>({1}), T<int64_t>({2}), T<int64_t>({1}), T({7, 8, 9})},
      .attrs = {{"shrink_axis_mask", int64_t{1}}},
      .want = {M({{1, 2, 3}, {7, 8, 9}})}},
     {.name = "backwards",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 2}), T<int32_t>({1, 0}), T<int32_t>({1, -1}), M({{10, 20}})},
      .want = {M({{1, 20, 10}, {4, 5, 6}})}},
     {.name = "masks",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0, 1}), T<int32_t>({0, 0}), T<int32_t>({1, 2}), M({{9}, {8}})},
      .attrs = {{"begin_mask", int64_t{1}}, {"end_mask", int64_t{3}}},
      .want = {M({{1, 9, 3}, {4, 8, 6}})}},
     {.name = "shape",
      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), T<int32_t>({0}), T<int32_t>({1}), T<int32_t>({1}), M({{1, 2}})},
      .want_error = "slice"}});

}  // namespace
}  // namespace staticflow
