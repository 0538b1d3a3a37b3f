// Tables of Fill, ZerosLike, OnesLike, PlaceholderWithDefault; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Fill, {{.name = "matrix",
            .inputs = {T<int32_t>({2, 3}), Tensor(1.5f)},
            .want = {M({{1.5, 1.5, 1.5}, {1.5, 1.5, 1.5}})},
            .second_order = true},
           {.name = "int64_dims", .inputs = {T<int64_t>({2}), Tensor(7)}, .want = {T<int32_t>({7, 7})}},
           {.name = "scalar", .inputs = {T<int32_t>({}), Tensor(2.0f)}, .want = {Tensor(2.0f)}},
           {.name = "empty", .inputs = {T<int32_t>({0, 3}), Tensor(2.0f)}, .want = {T({0, 3}, {})}},
           {.name = "strings", .inputs = {T<int32_t>({2}), Tensor("a")}, .want = {T<std::string>({"a", "a"})}},
           {.name = "negative", .inputs = {T<int32_t>({-1}), Tensor(2.0f)}, .want_error = "negative size"},
           {.name = "value_is_no_scalar", .inputs = {T<int32_t>({2}), T({2, 3})}, .want_error = "expected rank 0"}});

INSTANTIATE_OP_TEST(ZerosLike,
                    {{.name = "floats", .inputs = {M({{1, 2, 3}, {4, 5, 6}})}, .want = {M({{0, 0, 0}, {0, 0, 0}})}},
                     {.name = "strings", .inputs = {T<std::string>({"a", "b"})}, .want = {T<std::string>({"", ""})}},
                     {.name = "bools", .inputs = {T<bool>({true, false})}, .want = {T<bool>({false, false})}}});

INSTANTIATE_OP_TEST(OnesLike,
                    {{.name = "floats", .inputs = {M({{1, 2, 3}, {4, 5, 6}})}, .want = {M({{1, 1, 1}, {1, 1, 1}})}},
                     {.name = "bools", .inputs = {T<bool>({true, false})}, .want = {T<bool>({true, true})}},
                     {.name = "ints", .inputs = {Tensor(5)}, .want = {Tensor(1)}},
                     {.name = "strings", .inputs = {T<std::string>({"a"})}, .want_error = "T"}});

INSTANTIATE_OP_TEST(PlaceholderWithDefault, {{.name = "takes_the_default",
                                              .inputs = {M({{1, -2}, {3, 0.5}})},
                                              .attrs = {{"shape", Shape({-1, 2})}},
                                              .want = {M({{1, -2}, {3, 0.5}})},
                                              .second_order = true},
                                             {.name = "contradiction",
                                              .inputs = {M({{1, -2}, {3, 0.5}})},
                                              .attrs = {{"shape", Shape({3, 2})}},
                                              .want_error = "do not agree"}});

}  // namespace
}  // namespace staticflow
