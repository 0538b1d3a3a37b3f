// Sparse tensors grouped, split, merged and as strings. Values: TensorFlow 2.21.
#include <gtest/gtest.h>

#include <string>

#include "ops/array.h"
#include "ops/sparse.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

const Tensor kEntries = M<int64_t>({{0, 0, 1}, {0, 2, 0}, {1, 0, 0}, {1, 0, 2}, {1, 1, 1}});
const Tensor kValues = T({-1, -2, 3, 4, 5});
const Tensor kShape = T<int64_t>({2, 3, 3});
const Tensor kReversed = M<int64_t>({{1, 1, 1}, {1, 0, 2}, {1, 0, 0}, {0, 2, 0}, {0, 0, 1}});
const Tensor kOverlapping = M<int64_t>({{0, 0, 0}, {1, 0, 0}, {0, 1, 1}, {1, 1, 1}, {0, 2, 2}});

INSTANTIATE_OP_TEST(
    SparseReduceMax,
    {{.name = "first",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0})},
      .want = {M({{3, -1, 4}, {0, 5, 0}, {-2, 0, 0}})}},
     {.name = "first kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0})},
      .attrs = {{"keep_dims", true}},
      .want = {T({1, 3, 3}, {3, -1, 4, 0, 5, 0, -2, 0, 0})}},
     {.name = "last two", .inputs = {kEntries, kValues, kShape, T<int32_t>({1, 2})}, .want = {T({-1, 5})}},
     {.name = "last two kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({1, 2})},
      .attrs = {{"keep_dims", true}},
      .want = {T({2, 1, 1}, {-1, 5})}},
     {.name = "none",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0}, {})},
      .want = {T({2, 3, 3}, {0, -1, 0, 0, 0, 0, -2, 0, 0, 3, 0, 4, 0, 5, 0, 0, 0, 0})}},
     {.name = "none kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0}, {})},
      .attrs = {{"keep_dims", true}},
      .want = {T({2, 3, 3}, {0, -1, 0, 0, 0, 0, -2, 0, 0, 3, 0, 4, 0, 5, 0, 0, 0, 0})}},
     {.name = "all", .inputs = {kEntries, kValues, kShape, T<int32_t>({0, 1, 2})}, .want = {Tensor(5.0f)}},
     {.name = "all kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0, 1, 2})},
      .attrs = {{"keep_dims", true}},
      .want = {T({1, 1, 1}, {5})}},
     {.name = "negative",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({-1})},
      .want = {M({{-1, 0, -2}, {4, 5, 0}})}},
     {.name = "negative kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({-1})},
      .attrs = {{"keep_dims", true}},
      .want = {T({2, 3, 1}, {-1, 0, -2, 4, 5, 0})}},
     {.name = "scalar axis", .inputs = {kEntries, kValues, kShape, Tensor(1)}, .want = {M({{-2, -1, 0}, {3, 5, 4}})}},
     {.name = "unordered entries",
      .inputs = {kReversed, kValues, kShape, Tensor(1)},
      .want = {M({{4, 5, 0}, {3, -1, -2}})}},
     {.name = "no entries",
      .inputs = {T<int64_t>({0, 3}, {}), T({0}, {}), kShape, T<int32_t>({1})},
      .want = {M({{0, 0, 0}, {0, 0, 0}})}},
     {.name = "int8",
      .inputs = {kOverlapping, T<int8_t>({100, 100, 100, 100, -7}), kShape, T<int32_t>({0})},
      .want = {M<int8_t>({{100, 0, 0}, {0, 100, 0}, {0, 0, -7}})}},
     {.name = "half",
      .inputs = {kEntries, As<Half>({-1, -2, 3, 4, 5}), kShape, T<int32_t>({2})},
      .want = {As<Half>({2, 3}, {-1, 0, -2, 4, 5, 0})}},
     {.name = "axis", .inputs = {kEntries, kValues, kShape, T<int32_t>({3})}, .want_error = "3"}});

INSTANTIATE_OP_TEST(
    SparseReduceSumSparse,
    {{.name = "first",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0})},
      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}, {2, 0}}), T({3, -1, 4, 5, -2}), T<int64_t>({3, 3})}},
     {.name = "first kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 1, 1}, {0, 2, 0}}), T({3, -1, 4, 5, -2}),
               T<int64_t>({1, 3, 3})}},
     {.name = "last two",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({1, 2})},
      .want = {M<int64_t>({{0}, {1}}), T({-3, 12}), T<int64_t>({2})}},
     {.name = "last two kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({1, 2})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}, {1, 0, 0}}), T({-3, 12}), T<int64_t>({2, 1, 1})}},
     {.name = "none", .inputs = {kEntries, kValues, kShape, T<int32_t>({0}, {})}, .want = {kEntries, kValues, kShape}},
     {.name = "none kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0}, {})},
      .attrs = {{"keep_dims", true}},
      .want = {kEntries, kValues, kShape}},
     {.name = "all",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0, 1, 2})},
      .want = {T<int64_t>({1, 0}, {}), T({9}), T<int64_t>({0}, {})}},
     {.name = "all kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0, 1, 2})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}}), T({9}), T<int64_t>({1, 1, 1})}},
     {.name = "negative",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({-1})},
      .want = {M<int64_t>({{0, 0}, {0, 2}, {1, 0}, {1, 1}}), T({-1, -2, 7, 5}), T<int64_t>({2, 3})}},
     {.name = "negative kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({-1})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}, {0, 2, 0}, {1, 0, 0}, {1, 1, 0}}), T({-1, -2, 7, 5}), T<int64_t>({2, 3, 1})}},
     {.name = "scalar axis",
      .inputs = {kEntries, kValues, kShape, Tensor(1)},
      .want = {M<int64_t>({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}}), T({-2, -1, 3, 5, 4}), T<int64_t>({2, 3})}},
     {.name = "unordered entries",
      .inputs = {kReversed, kValues, kShape, Tensor(1)},
      .want = {M<int64_t>({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}}), T({4, 5, 3, -1, -2}), T<int64_t>({2, 3})}},
     {.name = "no entries",
      .inputs = {T<int64_t>({0, 3}, {}), T({0}, {}), kShape, T<int32_t>({1})},
      .want = {T<int64_t>({0, 2}, {}), T({0}, {}), T<int64_t>({2, 3})}},
     {.name = "int8",
      .inputs = {kOverlapping, T<int8_t>({100, 100, 100, 100, -7}), kShape, T<int32_t>({0})},
      .want = {M<int64_t>({{0, 0}, {1, 1}, {2, 2}}), T<int8_t>({-56, -56, -7}), T<int64_t>({3, 3})}},
     {.name = "half",
      .inputs = {kEntries, As<Half>({-1, -2, 3, 4, 5}), kShape, T<int32_t>({2})},
      .want = {M<int64_t>({{0, 0}, {0, 2}, {1, 0}, {1, 1}}), As<Half>({-1, -2, 7, 5}), T<int64_t>({2, 3})}},
     {.name = "axis", .inputs = {kEntries, kValues, kShape, T<int32_t>({3})}, .want_error = "3"}});

INSTANTIATE_OP_TEST(
    SparseReduceMaxSparse,
    {{.name = "first",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0})},
      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}, {2, 0}}), T({3, -1, 4, 5, -2}), T<int64_t>({3, 3})}},
     {.name = "first kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 1, 1}, {0, 2, 0}}), T({3, -1, 4, 5, -2}),
               T<int64_t>({1, 3, 3})}},
     {.name = "last two",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({1, 2})},
      .want = {M<int64_t>({{0}, {1}}), T({-1, 5}), T<int64_t>({2})}},
     {.name = "last two kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({1, 2})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}, {1, 0, 0}}), T({-1, 5}), T<int64_t>({2, 1, 1})}},
     {.name = "none", .inputs = {kEntries, kValues, kShape, T<int32_t>({0}, {})}, .want = {kEntries, kValues, kShape}},
     {.name = "none kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0}, {})},
      .attrs = {{"keep_dims", true}},
      .want = {kEntries, kValues, kShape}},
     {.name = "all",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0, 1, 2})},
      .want = {T<int64_t>({1, 0}, {}), T({5}), T<int64_t>({0}, {})}},
     {.name = "all kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({0, 1, 2})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}}), T({5}), T<int64_t>({1, 1, 1})}},
     {.name = "negative",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({-1})},
      .want = {M<int64_t>({{0, 0}, {0, 2}, {1, 0}, {1, 1}}), T({-1, -2, 4, 5}), T<int64_t>({2, 3})}},
     {.name = "negative kept",
      .inputs = {kEntries, kValues, kShape, T<int32_t>({-1})},
      .attrs = {{"keep_dims", true}},
      .want = {M<int64_t>({{0, 0, 0}, {0, 2, 0}, {1, 0, 0}, {1, 1, 0}}), T({-1, -2, 4, 5}), T<int64_t>({2, 3, 1})}},
     {.name = "scalar axis",
      .inputs = {kEntries, kValues, kShape, Tensor(1)},
      .want = {M<int64_t>({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}}), T({-2, -1, 3, 5, 4}), T<int64_t>({2, 3})}},
     {.name = "unordered entries",
      .inputs = {kReversed, kValues, kShape, Tensor(1)},
      .want = {M<int64_t>({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}}), T({4, 5, 3, -1, -2}), T<int64_t>({2, 3})}},
     {.name = "no entries",
      .inputs = {T<int64_t>({0, 3}, {}), T({0}, {}), kShape, T<int32_t>({1})},
      .want = {T<int64_t>({0, 2}, {}), T({0}, {}), T<int64_t>({2, 3})}},
     {.name = "int8",
      .inputs = {kOverlapping, T<int8_t>({100, 100, 100, 100, -7}), kShape, T<int32_t>({0})},
      .want = {M<int64_t>({{0, 0}, {1, 1}, {2, 2}}), T<int8_t>({100, 100, -7}), T<int64_t>({3, 3})}},
     {.name = "half",
      .inputs = {kEntries, As<Half>({-1, -2, 3, 4, 5}), kShape, T<int32_t>({2})},
      .want = {M<int64_t>({{0, 0}, {0, 2}, {1, 0}, {1, 1}}), As<Half>({-1, -2, 4, 5}), T<int64_t>({2, 3})}},
     {.name = "axis", .inputs = {kEntries, kValues, kShape, T<int32_t>({3})}, .want_error = "3"}});

INSTANTIATE_OP_TEST(
    SparseSplit,
    {{.name = "even",
      .inputs = {Tensor(int64_t{0}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{2}}},
      .want = {M<int64_t>({{0, 0, 1}, {0, 2, 0}}), M<int64_t>({{0, 0, 0}, {0, 0, 2}, {0, 1, 1}}), T({-1, -2}),
               T({3, 4, 5}), T<int64_t>({1, 3, 3}), T<int64_t>({1, 3, 3})}},
     {.name = "uneven",
      .inputs = {Tensor(int64_t{1}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{2}}},
      .want = {M<int64_t>({{0, 0, 1}, {1, 0, 0}, {1, 0, 2}, {1, 1, 1}}), M<int64_t>({{0, 0, 0}}), T({-1, 3, 4, 5}),
               T({-2}), T<int64_t>({2, 2, 3}), T<int64_t>({2, 1, 3})}},
     {.name = "three",
      .inputs = {Tensor(int64_t{2}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{3}}},
      .want = {M<int64_t>({{0, 2, 0}, {1, 0, 0}}), M<int64_t>({{0, 0, 0}, {1, 1, 0}}), M<int64_t>({{1, 0, 0}}),
               T({-2, 3}), T({-1, 5}), T({4}), T<int64_t>({2, 3, 1}), T<int64_t>({2, 3, 1}), T<int64_t>({2, 3, 1})}},
     {.name = "one",
      .inputs = {Tensor(int64_t{1}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{1}}},
      .want = {kEntries, kValues, kShape}},
     {.name = "negative",
      .inputs = {Tensor(int64_t{-1}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{2}}},
      .want = {M<int64_t>({{0, 0, 1}, {0, 2, 0}, {1, 0, 0}, {1, 1, 1}}), M<int64_t>({{1, 0, 0}}), T({-1, -2, 3, 5}),
               T({4}), T<int64_t>({2, 3, 2}), T<int64_t>({2, 3, 1})}},
     {.name = "strings",
      .inputs = {Tensor(int64_t{0}), kEntries, T<std::string>({"a", "b", "c", "d", "e"}), kShape},
      .attrs = {{"num_split", int64_t{2}}},
      .want = {M<int64_t>({{0, 0, 1}, {0, 2, 0}}), M<int64_t>({{0, 0, 0}, {0, 0, 2}, {0, 1, 1}}),
               T<std::string>({"a", "b"}), T<std::string>({"c", "d", "e"}), T<int64_t>({1, 3, 3}),
               T<int64_t>({1, 3, 3})}},
     {.name = "too many",
      .inputs = {Tensor(int64_t{1}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{4}}},
      .want_error = "num_split is 4"},
     {.name = "axis",
      .inputs = {Tensor(int64_t{3}), kEntries, kValues, kShape},
      .attrs = {{"num_split", int64_t{2}}},
      .want_error = "axis"},
     {.name = "index",
      .inputs = {Tensor(int64_t{0}), M<int64_t>({{0, 0, 5}, {0, 10, 0}, {5, 0, 0}, {5, 0, 10}, {5, 5, 5}}), kValues,
                 kShape},
      .attrs = {{"num_split", int64_t{2}}},
      .want_error = "is outside dimension"}});

INSTANTIATE_OP_TEST(SparseSparseMaximum,
                    {{.name = "float",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}}), T({1, 0, -1, 4})}},
                     {.name = "int32",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T<int32_t>({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T<int32_t>({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}}), T<int32_t>({1, 0, -1, 4})}},
                     {.name = "half",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), As<Half>({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), As<Half>({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}}), As<Half>({1, 0, -1, 4})}},
                     {.name = "empty",
                      .inputs = {T<int64_t>({0, 2}, {}), T({0}, {}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({0, 0, 4})}},
                     {.name = "shapes",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2, 4})},
                      .want_error = "different shapes"},
                     {.name = "rank",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2})},
                      .want_error = "dimensions"},
                     {.name = "index",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 4}, {0, 8}, {4, 4}}), T({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want_error = "is outside dimension"}});

INSTANTIATE_OP_TEST(SparseSparseMinimum,
                    {{.name = "float",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}}), T({0, -1, -2, 3})}},
                     {.name = "int32",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T<int32_t>({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T<int32_t>({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}}), T<int32_t>({0, -1, -2, 3})}},
                     {.name = "half",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), As<Half>({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), As<Half>({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 0}, {0, 1}, {0, 2}, {1, 1}}), As<Half>({0, -1, -2, 3})}},
                     {.name = "empty",
                      .inputs = {T<int64_t>({0, 2}, {}), T({0}, {}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want = {M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 0})}},
                     {.name = "shapes",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2, 4})},
                      .want_error = "different shapes"},
                     {.name = "rank",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 1}, {0, 2}, {1, 1}}), T({-1, -1, 4}), T<int64_t>({2})},
                      .want_error = "dimensions"},
                     {.name = "index",
                      .inputs = {M<int64_t>({{0, 0}, {0, 2}, {1, 1}}), T({1, -2, 3}), T<int64_t>({2, 3}),
                                 M<int64_t>({{0, 4}, {0, 8}, {4, 4}}), T({-1, -1, 4}), T<int64_t>({2, 3})},
                      .want_error = "is outside dimension"}});

INSTANTIATE_OP_TEST(SerializeManySparse, {{.name = "rank",
                                           .inputs = {M<int64_t>({{0}}), T<int8_t>({5}), T<int64_t>({2})},
                                           .want_error = "at least 2"},
                                          {.name = "out of order",
                                           .inputs = {M<int64_t>({{1, 0}, {0, 1}}), T({5, 6}), T<int64_t>({2, 2})},
                                           .want_error = "is out of order"}});

// The bytes may differ from TensorFlow's, what they say does not.
TEST(SerializeSparseTest, IsReadBack) {
  Graph g;
  const SparseParts a = {.indices = Const(g, M<int64_t>({{0, 1, 0}, {0, 2, 1}, {2, 0, 1}})),
                         .values = Const(g, T<std::string>({"a", "", "c"})),
                         .shape = Const(g, T<int64_t>({4, 3, 2}))};
  const Output one = SerializeSparse(a), many = SerializeManySparse(a);
  const Output variants = SerializeSparse(a, {.out_type = DT_VARIANT});
  const Output many_variants = SerializeManySparse(a, {.out_type = DT_VARIANT});
  std::vector<Output> fetches = {a.indices, a.values, a.shape};
  for (const Output& serialized : {one, many, variants, many_variants}) {
    const SparseParts parts = DeserializeSparse(serialized, DT_STRING);
    for (const Output& part : {parts.indices, parts.values, parts.shape}) fetches.push_back(part);
  }
  fetches.push_back(many);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const auto got = session.Run({}, fetches);
  ASSERT_TRUE(got.ok()) << got.status();
  for (size_t i = 3; i < 15; ++i) EXPECT_TRUE(TensorsNear((*got)[i], (*got)[i % 3], 0)) << i;
  EXPECT_EQ(got->back().shape(), Shape({4, 3}));
}

using std::string_literals::operator""s;

// What SerializeManySparse writes of kEntries and kValues, row by row: indices, values and shape as TensorProtos.
const std::string kFirstIndices =
    "\x08\x09\x12\x08\x12\x02\x08\x02\x12\x02\x08\x02\" \0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s;
const std::string kFirstValues = "\x08\x01\x12\x04\x12\x02\x08\x02\"\x08\0\0\x80\xbf\0\0\0\xc0"s;
const std::string kRowShape = "\x08\x09\x12\x04\x12\x02\x08\x02\"\x10\x03\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"s;
const std::string kSecondIndices =
    "\x08\x09\x12\x08\x12\x02\x08\x03\x12\x02\x08\x02\"0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"s;
const std::string kSecondValues = "\x08\x01\x12\x04\x12\x02\x08\x03\"\x0c\0\0@@\0\0\x80@\0\0\xa0@"s;
const Tensor kRows =
    T<std::string>({2, 3}, {kFirstIndices, kFirstValues, kRowShape, kSecondIndices, kSecondValues, kRowShape});

TEST(SerializeSparseTest, VariantsAreStackedAndChecked) {
  Graph g;
  const SparseParts a = {.indices = Const(g, M<int64_t>({{0, 1}, {1, 0}})),
                         .values = Const(g, T({5, 6})),
                         .shape = Const(g, T<int64_t>({2, 3}))};
  const Output variants = SerializeSparse(a, {.out_type = DT_VARIANT});
  const Output pair = Stack({variants, variants});
  const SparseParts both = DeserializeSparse(pair, DT_FLOAT);
  const SparseParts other_type = DeserializeSparse(variants, DT_INT32);
  const SparseParts no_tensor = DeserializeSparse(NodeBuilder(g, "FakeParam", std::source_location::current())
                                                      .Attr("dtype", DT_VARIANT)
                                                      .Attr("shape", Shape({3}))
                                                      .Build(),
                                                  DT_FLOAT);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  const auto got = session.Run({}, {both.indices, both.values, both.shape});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], M<int64_t>({{0, 0, 1}, {0, 1, 0}, {1, 0, 1}, {1, 1, 0}}), 0));
  EXPECT_TRUE(TensorsNear((*got)[1], T({5, 6, 5, 6}), 0));
  EXPECT_TRUE(TensorsNear((*got)[2], T<int64_t>({2, 2, 3}), 0));
  const absl::Status wrong = session.Run({}, other_type.values).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument) << wrong;
  const absl::Status empty = session.Run({}, no_tensor.values).status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kInvalidArgument) << empty;
}

INSTANTIATE_OP_TEST(
    DeserializeManySparse,
    {{.name = "rows", .inputs = {kRows}, .attrs = {{"dtype", DT_FLOAT}}, .want = {kEntries, kValues, kShape}},
     {.name = "type", .inputs = {kRows}, .attrs = {{"dtype", DT_INT32}}, .want_error = "the values are float"},
     {.name = "no tensor",
      .inputs = {T<std::string>({1, 3}, {"a", "b", "c"})},
      .attrs = {{"dtype", DT_FLOAT}},
      .want_error = "tensor 0"},
     {.name = "columns",
      .inputs = {T<std::string>({1, 2}, {"a", "b"})},
      .attrs = {{"dtype", DT_FLOAT}},
      .want_error = "strings of a tensor"}});

INSTANTIATE_OP_TEST(
    DeserializeSparse,
    {{.name = "rows", .inputs = {kRows}, .attrs = {{"dtype", DT_FLOAT}}, .want = {kEntries, kValues, kShape}},
     {.name = "type", .inputs = {kRows}, .attrs = {{"dtype", DT_INT32}}, .want_error = "the values are float"},
     {.name = "no tensor",
      .inputs = {T<std::string>({1, 3}, {"a", "b", "c"})},
      .attrs = {{"dtype", DT_FLOAT}},
      .want_error = "tensor 0"},
     {.name = "columns",
      .inputs = {T<std::string>({1, 2}, {"a", "b"})},
      .attrs = {{"dtype", DT_FLOAT}},
      .want_error = "strings of a tensor"},
     {.name = "one",
      .inputs = {T<std::string>(
          {"\x08\x09\x12\x08\x12\x02\x08\x05\x12\x02\x08\x03\"x\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"s,
           "\x08\x01\x12\x04\x12\x02\x08\x05\"\x14\0\0\x80\xbf\0\0\0\xc0\0\0@@\0\0\x80@\0\0\xa0@"s,
           "\x08\x09\x12\x04\x12\x02\x08\x03\"\x18\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"s})},
      .attrs = {{"dtype", DT_FLOAT}},
      .want = {kEntries, kValues, kShape}},
     {.name = "two dimensions",
      .inputs = {T<std::string>(
          {2, 2, 3}, {kFirstIndices, kFirstValues, kRowShape, kSecondIndices, kSecondValues, kRowShape, kFirstIndices,
                      "\x08\x01\x12\x04\x12\x02\x08\x02\"\x08\0\0\0\xc0\0\0\x80\xc0"s, kRowShape, kSecondIndices,
                      "\x08\x01\x12\x04\x12\x02\x08\x03\"\x0c\0\0\xc0@\0\0\0A\0\0 A"s, kRowShape})},
      .attrs = {{"dtype", DT_FLOAT}},
      .want = {M<int64_t>({{0, 0, 0, 1},
                           {0, 0, 2, 0},
                           {0, 1, 0, 0},
                           {0, 1, 0, 2},
                           {0, 1, 1, 1},
                           {1, 0, 0, 1},
                           {1, 0, 2, 0},
                           {1, 1, 0, 0},
                           {1, 1, 0, 2},
                           {1, 1, 1, 1}}),
               T({-1, -2, 3, 4, 5, -2, -4, 6, 8, 10}), T<int64_t>({2, 2, 3, 3})}},
     {.name = "strings",
      .inputs = {T<std::string>({2, 3}, {"\x08\x09\x12\x08\x12\x02\x08\x01\x12\x02\x08\x01\"\x08\x01\0\0\0\0\0\0\0"s,
                                         "\x08\x07\x12\x04\x12\x02\x08\x01\"\x02\x01x",
                                         "\x08\x09\x12\x04\x12\x02\x08\x01\"\x08\x03\0\0\0\0\0\0\0"s,
                                         "\x08\x09\x12\x08\x12\x02\x08\x01\x12\x02\x08\x01\"\x08\0\0\0\0\0\0\0\0"s,
                                         "\x08\x07\x12\x04\x12\x02\x08\x01\"\x03\x02yz",
                                         "\x08\x09\x12\x04\x12\x02\x08\x01\"\x08\x03\0\0\0\0\0\0\0"s})},
      .attrs = {{"dtype", DT_STRING}},
      .want = {M<int64_t>({{0, 1}, {1, 0}}), T<std::string>({"x", "yz"}), T<int64_t>({2, 3})}}});

}  // namespace
}  // namespace staticflow
