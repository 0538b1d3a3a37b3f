// Reference values: TensorFlow 2.21.
#include "tests/op_test.h"

namespace staticflow {
namespace {

INSTANTIATE_OP_TEST(
    SparseSegmentSum,
    {{.name = "rows",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3})},
      .want = {M({{6, 8}, {5, 6}, {0, 0}, {-1, 0.5}})},
      .second_order = true},
     {.name = "wide indices",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int64_t>({0, 2, 2, 3}), T<int64_t>({0, 0, 1, 3})},
      .want = {M({{6, 8}, {5, 6}, {0, 0}, {-1, 0.5}})}},
     {.name = "nothing",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0}, {}), T<int32_t>({0}, {})},
      .want = {T({0, 2}, {})},
      .check_gradient = false},
     {.name = "index",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({4}), T<int32_t>({0})},
      .want_error = "indices[0] = 4 is not in [0, 4)"},
     {.name = "unsorted",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 1}), T<int32_t>({1, 0})},
      .want_error = "expected at least 1"},
     {.name = "lengths",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 1}), T<int32_t>({0})},
      .want_error = "indices and segment_ids"},
     {.name = "integers",
      .inputs = {M<int32_t>({{1}, {2}}), T<int32_t>({1, 1}), T<int32_t>({0, 0})},
      .want = {M<int32_t>({{4}})}}});

INSTANTIATE_OP_TEST(
    SparseSegmentSumWithNumSegments,
    {{.name = "rows",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3}), Tensor(5)},
      .want = {M({{6, 8}, {5, 6}, {0, 0}, {-1, 0.5}, {0, 0}})},
      .second_order = true},
     {.name = "too few",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3}), Tensor(3)},
      .want_error = "goes up to 3 of 3 segments"}});

INSTANTIATE_OP_TEST(
    SparseSegmentMean,
    {{.name = "rows",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3})},
      .want = {M({{3, 4}, {5, 6}, {0, 0}, {-1, 0.5}})},
      .second_order = true},
     {.name = "wide indices",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int64_t>({0, 2, 2, 3}), T<int64_t>({0, 0, 1, 3})},
      .want = {M({{3, 4}, {5, 6}, {0, 0}, {-1, 0.5}})}},
     {.name = "nothing",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0}, {}), T<int32_t>({0}, {})},
      .want = {T({0, 2}, {})},
      .check_gradient = false},
     {.name = "index",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({4}), T<int32_t>({0})},
      .want_error = "indices[0] = 4 is not in [0, 4)"},
     {.name = "unsorted",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 1}), T<int32_t>({1, 0})},
      .want_error = "expected at least 1"},
     {.name = "lengths",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 1}), T<int32_t>({0})},
      .want_error = "indices and segment_ids"}});

INSTANTIATE_OP_TEST(
    SparseSegmentMeanWithNumSegments,
    {{.name = "rows",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3}), Tensor(5)},
      .want = {M({{3, 4}, {5, 6}, {0, 0}, {-1, 0.5}, {0, 0}})},
      .second_order = true},
     {.name = "too few",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3}), Tensor(3)},
      .want_error = "goes up to 3 of 3 segments"}});

INSTANTIATE_OP_TEST(
    SparseSegmentSqrtN,
    {{.name = "rows",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3})},
      .want = {M({{4.2426405, 5.656854}, {5, 6}, {0, 0}, {-1, 0.5}})},
      .second_order = true},
     {.name = "wide indices",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int64_t>({0, 2, 2, 3}), T<int64_t>({0, 0, 1, 3})},
      .want = {M({{4.2426405, 5.656854}, {5, 6}, {0, 0}, {-1, 0.5}})}},
     {.name = "nothing",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0}, {}), T<int32_t>({0}, {})},
      .want = {T({0, 2}, {})},
      .check_gradient = false},
     {.name = "index",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({4}), T<int32_t>({0})},
      .want_error = "indices[0] = 4 is not in [0, 4)"},
     {.name = "unsorted",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 1}), T<int32_t>({1, 0})},
      .want_error = "expected at least 1"},
     {.name = "lengths",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 1}), T<int32_t>({0})},
      .want_error = "indices and segment_ids"}});

INSTANTIATE_OP_TEST(
    SparseSegmentSqrtNWithNumSegments,
    {{.name = "rows",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3}), Tensor(5)},
      .want = {M({{4.2426405, 5.656854}, {5, 6}, {0, 0}, {-1, 0.5}, {0, 0}})},
      .second_order = true},
     {.name = "too few",
      .inputs = {M({{1, 2}, {3, 4}, {5, 6}, {-1, 0.5}}), T<int32_t>({0, 2, 2, 3}), T<int32_t>({0, 0, 1, 3}), Tensor(3)},
      .want_error = "goes up to 3 of 3 segments"}});

INSTANTIATE_OP_TEST(SparseSegmentSumGrad,
                    {{.name = "rows",
                      .inputs = {M({{1, 2}, {3, 4}, {9, 9}, {5, 6}}), T<int32_t>({0, 2, 2, 3}),
                                 T<int32_t>({0, 0, 1, 3}), Tensor(4)},
                      .want = {M({{1, 2}, {0, 0}, {4, 6}, {5, 6}})},
                      .second_order = true},
                     {.name = "index",
                      .inputs = {M({{1, 2}, {3, 4}, {9, 9}, {5, 6}}), T<int32_t>({4}), T<int32_t>({0}), Tensor(4)},
                      .want_error = "indices[0] = 4"}});

INSTANTIATE_OP_TEST(SparseSegmentMeanGrad,
                    {{.name = "rows",
                      .inputs = {M({{1, 2}, {3, 4}, {9, 9}, {5, 6}}), T<int32_t>({0, 2, 2, 3}),
                                 T<int32_t>({0, 0, 1, 3}), Tensor(4)},
                      .want = {M({{0.5, 1}, {0, 0}, {3.5, 5}, {5, 6}})},
                      .second_order = true},
                     {.name = "index",
                      .inputs = {M({{1, 2}, {3, 4}, {9, 9}, {5, 6}}), T<int32_t>({4}), T<int32_t>({0}), Tensor(4)},
                      .want_error = "indices[0] = 4"}});

INSTANTIATE_OP_TEST(SparseSegmentSqrtNGrad,
                    {{.name = "rows",
                      .inputs = {M({{1, 2}, {3, 4}, {9, 9}, {5, 6}}), T<int32_t>({0, 2, 2, 3}),
                                 T<int32_t>({0, 0, 1, 3}), Tensor(4)},
                      .want = {M({{0.70710677, 1.4142135}, {0, 0}, {3.7071068, 5.4142137}, {5, 6}})},
                      .second_order = true},
                     {.name = "index",
                      .inputs = {M({{1, 2}, {3, 4}, {9, 9}, {5, 6}}), T<int32_t>({4}), T<int32_t>({0}), Tensor(4)},
                      .want_error = "indices[0] = 4"}});

}  // namespace
}  // namespace staticflow
