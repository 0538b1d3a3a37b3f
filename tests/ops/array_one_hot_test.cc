// Tables of OneHot; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(OneHot, {{.name = "vector",
                              .inputs = {T<int32_t>({0, 2, -1, 3}), Tensor(3), Tensor(5.0f), Tensor(1.0f)},
                              .want = {M({{5, 1, 1}, {1, 1, 5}, {1, 1, 1}, {1, 1, 1}})}},
                             {.name = "front",
                              .inputs = {M<int64_t>({{0, 1}, {2, 0}}), Tensor(3), Tensor(1.0f), Tensor(0.0f)},
                              .attrs = {{"axis", 0}},
                              .want = {T({3, 2, 2}, {1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0})}},
                             {.name = "middle",
                              .inputs = {M<int64_t>({{0, 1}, {2, 0}}), Tensor(3), Tensor(1), Tensor(0)},
                              .attrs = {{"axis", 1}},
                              .want = {T<int32_t>({2, 3, 2}, {1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0})}},
                             {.name = "scalar_bytes",
                              .inputs = {T<uint8_t>(Shape(), {1}), Tensor(2), Tensor(true), Tensor(false)},
                              .want = {T<bool>({false, true})}},
                             {.name = "no_depth",
                              .inputs = {T<int32_t>({0}), Tensor(0), Tensor(1.0f), Tensor(0.0f)},
                              .want = {T({1, 0}, {})}},
                             {.name = "negative_depth",
                              .inputs = {T<int32_t>({0}), Tensor(-1), Tensor(1.0f), Tensor(0.0f)},
                              .want_error = "depth is -1"},
                             {.name = "axis_out_of_range",
                              .inputs = {T<int32_t>({0}), Tensor(2), Tensor(1.0f), Tensor(0.0f)},
                              .attrs = {{"axis", 3}},
                              .want_error = "out of range"}});

}  // namespace
}  // namespace staticflow
