// Tables of ExtractImagePatches; the values are TensorFlow's.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(ExtractImagePatches,
                    {{.name = "valid",
                      .inputs = {T({1, 3, 4, 2}, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                                  12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23})},
                      .attrs = {{"ksizes", std::vector<int64_t>{1, 2, 2, 1}},
                                {"strides", std::vector<int64_t>{1, 1, 2, 1}},
                                {"rates", std::vector<int64_t>{1, 1, 1, 1}},
                                {"padding", "VALID"}},
                      .want = {T({1, 2, 2, 8}, {0, 1, 2,  3,  8,  9,  10, 11, 4,  5,  6,  7,  12, 13, 14, 15,
                                                8, 9, 10, 11, 16, 17, 18, 19, 12, 13, 14, 15, 20, 21, 22, 23})},
                      .second_order = true},
                     {.name = "same_dilated",
                      .inputs = {T({1, 3, 4, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})},
                      .attrs = {{"ksizes", std::vector<int64_t>{1, 2, 2, 1}},
                                {"strides", std::vector<int64_t>{1, 2, 2, 1}},
                                {"rates", std::vector<int64_t>{1, 2, 1, 1}},
                                {"padding", "SAME"}},
                      .want = {T({1, 2, 2, 4}, {0, 0, 4, 5, 0, 0, 6, 7, 4, 5, 0, 0, 6, 7, 0, 0})},
                      .second_order = true},
                     {.name = "zero_stride",
                      .inputs = {T({1, 4, 4, 1}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})},
                      .attrs = {{"ksizes", std::vector<int64_t>{1, 2, 2, 1}},
                                {"strides", std::vector<int64_t>{1, 0, 1, 1}},
                                {"rates", std::vector<int64_t>{1, 1, 1, 1}},
                                {"padding", "SAME"}},
                      .want_error = "both positive"}});

}  // namespace
}  // namespace staticflow
