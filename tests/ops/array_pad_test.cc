// Tables of padding ops; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    Pad,
    {{.name = "matrix",
      .inputs = {M({{1, -2}, {3, 0.5}}), M<int32_t>({{1, 0}, {0, 2}})},
      .want = {M({{0, 0, 0, 0}, {1, -2, 0, 0}, {3, 0.5, 0, 0}})},
      .second_order = true},
     {.name = "int64_none",
      .inputs = {M({{1, -2}, {3, 0.5}}), M<int64_t>({{0, 0}, {0, 0}})},
      .want = {M({{1, -2}, {3, 0.5}})}},
     {.name = "scalar", .inputs = {Tensor(1.0f), T<int32_t>({0, 2}, {})}, .want = {Tensor(1.0f)}},
     {.name = "ints", .inputs = {T<int32_t>({1}), M<int32_t>({{1, 1}})}, .want = {T<int32_t>({0, 1, 0})}},
     {.name = "of_nothing", .inputs = {T({}), M<int32_t>({{1, 2}})}, .want = {T({0, 0, 0})}},
     {.name = "negative",
      .inputs = {M({{1, -2}, {3, 0.5}}), M<int32_t>({{0, 0}, {-1, 0}})},
      .want_error = "expected 0 or more"},
     {.name = "wrong_rank", .inputs = {M({{1, -2}, {3, 0.5}}), M<int32_t>({{0, 0}})}, .want_error = "do not agree"}});

INSTANTIATE_OP_TEST(PadV2, {{.name = "matrix",
                             .inputs = {M({{1, -2}, {3, 0.5}}), M<int32_t>({{1, 0}, {0, 2}}), Tensor(9.0f)},
                             .want = {M({{9, 9, 9, 9}, {1, -2, 9, 9}, {3, 0.5, 9, 9}})},
                             .second_order = true}});

INSTANTIATE_OP_TEST(MirrorPad,
                    {{.name = "reflect",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), M<int32_t>({{1, 1}, {2, 1}})},
                      .attrs = {{"mode", "REFLECT"}},
                      .want = {M({{6, 5, 4, 5, 6, 5}, {3, 2, 1, 2, 3, 2}, {6, 5, 4, 5, 6, 5}, {3, 2, 1, 2, 3, 2}})},
                      .second_order = true},
                     {.name = "symmetric",
                      .inputs = {M({{1, 2, 3}, {4, 5, 6}}), M<int32_t>({{1, 1}, {2, 1}})},
                      .attrs = {{"mode", "SYMMETRIC"}},
                      .want = {M({{2, 1, 1, 2, 3, 3}, {2, 1, 1, 2, 3, 3}, {5, 4, 4, 5, 6, 6}, {5, 4, 4, 5, 6, 6}})},
                      .second_order = true},
                     {.name = "strings",
                      .inputs = {T<std::string>({"a", "b"}), M<int32_t>({{0, 2}})},
                      .attrs = {{"mode", "SYMMETRIC"}},
                      .want = {T<std::string>({"a", "b", "b", "a"})}},
                     {.name = "too_far",
                      .inputs = {T({1, 2}), M<int32_t>({{2, 0}})},
                      .attrs = {{"mode", "REFLECT"}},
                      .want_error = "at most 1 is allowed"},
                     {.name = "bad_mode",
                      .inputs = {T({1, 2}), M<int32_t>({{1, 0}})},
                      .attrs = {{"mode", "EDGE"}},
                      .want_error = "mode"}});

INSTANTIATE_OP_TEST(
    MirrorPadGrad,
    {{.name = "reflect",
      .inputs = {M({{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}, {12, 13, 14, 15, 16, 17}, {18, 19, 20, 21, 22, 23}}),
                 M<int32_t>({{1, 1}, {2, 1}})},
      .attrs = {{"mode", "REFLECT"}},
      .want = {M({{28, 90, 56}, {16, 54, 32}})},
      .second_order = true},
     {.name = "symmetric",
      .inputs = {M({{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}, {12, 13, 14, 15, 16, 17}, {18, 19, 20, 21, 22, 23}}),
                 M<int32_t>({{1, 1}, {2, 1}})},
      .attrs = {{"mode", "SYMMETRIC"}},
      .want = {M({{18, 18, 30}, {66, 66, 78}})},
      .second_order = true},
     {.name = "too_small",
      .inputs = {T({1, 2}), M<int32_t>({{2, 1}})},
      .attrs = {{"mode", "REFLECT"}},
      .want_error = "does not fit"}});

}  // namespace
}  // namespace staticflow
