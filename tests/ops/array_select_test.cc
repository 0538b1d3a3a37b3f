// Tables of Select, SelectV2, Where; the values are TensorFlow's.
#include <cmath>

#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Select, {{.name = "elements",
              .inputs = {M<bool>({{true, false}, {false, true}}), M({{1, -2}, {3, 0.5}}), M({{10, -20}, {30, 5}})},
              .want = {M({{1, -20}, {30, 0.5}})},
              .second_order = true},
             {.name = "rows",
              .inputs = {T<bool>({true, false}), M({{1, -2}, {3, 0.5}}), M({{10, -20}, {30, 5}})},
              .want = {M({{1, -2}, {30, 5}})},
              .second_order = true},
             {.name = "scalar",
              .inputs = {Tensor(false), M({{1, -2}, {3, 0.5}}), M({{10, -20}, {30, 5}})},
              .want = {M({{10, -20}, {30, 5}})}},
             {.name = "strings",
              .inputs = {T<bool>({true, false}), T<std::string>({"a", "b"}), T<std::string>({"c", "d"})},
              .want = {T<std::string>({"a", "d"})}},
             {.name = "no_fit",
              .inputs = {T<bool>({true, false, true}), M({{1, -2}, {3, 0.5}}), M({{1, -2}, {3, 0.5}})},
              .want_error = "does not fit"}});

INSTANTIATE_OP_TEST(
    SelectV2, {{.name = "elements",
                .inputs = {M<bool>({{true, false}, {false, true}}), M({{1, -2}, {3, 0.5}}), M({{10, -20}, {30, 5}})},
                .want = {M({{1, -20}, {30, 0.5}})},
                .second_order = true},
               {.name = "all_broadcast",
                .inputs = {M<bool>({{true}, {false}}), T({1, 2, 3}), M({{4}, {5}})},
                .want = {M({{1, 2, 3}, {5, 5, 5}})},
                .second_order = true},
               {.name = "condition_along_rows",
                .inputs = {T<bool>({true, false, true}), M({{1, 2, 3}, {4, 5, 6}}), Tensor(0.0f)},
                .want = {M({{1, 0, 3}, {4, 0, 6}})},
                .second_order = true},
               {.name = "strings",
                .inputs = {T<bool>({true, false}), Tensor("a"), T<std::string>({"c", "d"})},
                .want = {T<std::string>({"a", "d"})}},
               {.name = "no_fit",
                .inputs = {T<bool>({true, false}), M({{1, 2, 3}, {4, 5, 6}}), M({{1, 2, 3}, {4, 5, 6}})},
                .want_error = "cannot be broadcast"}});

INSTANTIATE_OP_TEST(Where, {{.name = "bools",
                             .inputs = {M<bool>({{true, false}, {true, true}})},
                             .want = {M<int64_t>({{0, 0}, {1, 0}, {1, 1}})}},
                            {.name = "floats", .inputs = {T({0, 1.5, 0, NAN})}, .want = {M<int64_t>({{1}, {3}})}},
                            {.name = "nothing", .inputs = {T<bool>({false})}, .want = {T<int64_t>({0, 1}, {})}},
                            {.name = "scalar", .inputs = {Tensor(true)}, .want_error = "no indices"},
                            {.name = "empty", .inputs = {T<bool>({0, 2}, {})}, .want = {T<int64_t>({0, 2}, {})}}});

}  // namespace
}  // namespace staticflow
