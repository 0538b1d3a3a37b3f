// Unique, UniqueWithCounts, UniqueV2, UniqueWithCountsV2, ListDiff.
#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "ops/array_index.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"

namespace staticflow {
namespace {

// A total order: NaNs last. Zeros of both signs are one value, but two of half and bfloat16, as in TensorFlow.
template <typename T>
bool Before(const T& a, const T& b) {
  if constexpr (kIsShortFloat<T>) {
    return a == b ? a.bits > b.bits : Before(float(a), float(b));
  } else if constexpr (std::is_floating_point_v<T>) {
    return a < b || (b != b && a == a);
  } else {
    return a < b;
  }
}

template <typename T>
bool Same(const T& a, const T& b) {
  return a == b && !Before(a, b) && !Before(b, a);
}

// order[0, n): the positions of x in the order of their values, equal ones in order of position.
template <typename T>
void SortPositions(const T* x, int64_t n, int64_t* order) {
  std::iota(order, order + n, 0);
  std::sort(order, order + n, [x](int64_t i, int64_t j) {
    if (Before(x[i], x[j])) return true;
    return !Before(x[j], x[i]) && i < j;
  });
}

template <typename F>
absl::StatusOr<Kernel> ComparableKernel(DataType dtype, F&& make) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, int8_t, int16_t, uint8_t, uint16_t, uint32_t, uint64_t,
               bool, std::string>(dtype, [&]<typename T>() { kernel = make.template operator()<T>(); });
  return kernel;
}
constexpr char kComparableT[] =
    "T: {float, double, half, bfloat16, int32, int64, int8, int16, uint8, uint16, uint32, uint64, bool, string}";

void StoreIndex(const TensorView& out, int64_t i, int64_t value) {
  if (out.dtype == DT_INT64) {
    out.as<int64_t>()[i] = value;
  } else {
    out.as<int32_t>()[i] = static_cast<int32_t>(value);
  }
}

// Unique: the distinct elements in the order in which they first come, and which of them every element is.
absl::Status UniqueShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape x, c.WithRank(0, 1));
  c.set_output(0, Shape::UnknownOfRank(1));
  c.set_output(1, std::move(x));
  if (c.num_outputs() == 3) c.set_output(2, Shape::UnknownOfRank(1));
  return absl::OkStatus();
}

// Sorting finds for every element the first one that equals it; numbering those in order gives y and idx.
template <typename T>
absl::Status FindUnique(KernelContext& c) {
  const T* x = c.in<T>(0);
  const int64_t n = c.input(0).num_elements;
  SF_ASSIGN_OR_RETURN(int64_t * order, c.Scratch<int64_t>(MultiplySizes(n, 2)));
  int64_t* first = order + n;
  SortPositions(x, n, order);
  int64_t distinct = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool same = i > 0 && Same(x[order[i]], x[order[i - 1]]);
    first[order[i]] = same ? first[order[i - 1]] : order[i];
    distinct += same ? 0 : 1;
  }
  int64_t* number = order;  // of the distinct element that first comes at a position
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {distinct}));
  const bool counts = c.num_outputs() == 3;
  if (counts) {
    SF_RETURN_IF_ERROR(c.AllocateOutput(2, {distinct}));
    ClearOutput(c.output(2));
  }
  int64_t next = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (first[i] == i) {
      c.out<T>(0)[next] = x[i];
      number[i] = next++;
    }
    const int64_t k = number[first[i]];
    StoreIndex(c.output(1), i, k);
    if (counts && c.output(2).dtype == DT_INT64) ++c.out<int64_t>(2)[k];
    if (counts && c.output(2).dtype == DT_INT32) ++c.out<int32_t>(2)[k];
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> UniqueKernel(const KernelSetup& setup) {
  return ComparableKernel(setup.input_dtype(0), []<typename T>() -> Kernel { return FindUnique<T>; });
}

const OpRegistrar unique({.name = "Unique",
                          .inputs = {"x: T"},
                          .outputs = {"y: T", "idx: out_idx"},
                          .attrs = {kComparableT, "out_idx: indextype = int32"},
                          .shape = UniqueShape,
                          .gradient = kGradientIsError,
                          .kernel = UniqueKernel,
                          .batch = MixBatch,
                          .doc = "The distinct elements of a vector."});

const OpRegistrar unique_with_counts({.name = "UniqueWithCounts",
                                      .inputs = {"x: T"},
                                      .outputs = {"y: T", "idx: out_idx", "count: out_idx"},
                                      .attrs = {kComparableT, "out_idx: indextype = int32"},
                                      .shape = UniqueShape,
                                      .gradient = kGradientIsError,
                                      .kernel = UniqueKernel,
                                      .batch = MixBatch,
                                      .doc = "The distinct elements of a vector and how often they come."});

// UniqueV2, UniqueWithCountsV2: the distinct slices along a dimension; without one (an empty axis), the distinct
// elements of a vector.
absl::Status UniqueSlicesShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape axis, c.WithRank(1, 1));
  if (axis.dim(0) > 1) return absl::InvalidArgumentError("expected one axis or none");
  Shape idx = Shape::UnknownOfRank(1);
  const Shape& x = c.input(0);
  SF_ASSIGN_OR_RETURN(const auto axes, c.Integers(1));
  Shape y = x.has_rank() ? Shape::UnknownOfRank(x.rank()) : Shape::Unknown();
  if (axes.has_value() && x.has_rank()) {
    if (axes->empty()) SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
    SF_ASSIGN_OR_RETURN(const int d, NormalizeAxis(axes->empty() ? 0 : (*axes)[0], x.rank()));
    y = x;
    y.set_dim(d, Shape::kUnknownDim);
    idx.set_dim(0, x.dim(d));
  }
  c.set_output(0, std::move(y));
  c.set_output(1, std::move(idx));
  if (c.num_outputs() == 3) c.set_output(2, Shape::UnknownOfRank(1));
  return absl::OkStatus();
}

// A tensor [outer, size, inner], whose slices along the middle are compared and copied.
template <typename T>
struct Slices {
  Slices(const TensorView& view, int axis)
      : x(view.as<T>()),
        outer(view.shape->num_elements(0, axis)),
        size(view.dim(axis)),
        inner(view.shape->num_elements(axis + 1, view.rank())) {}
  // < 0, 0 or > 0 as slice a comes before, with or after slice b.
  int Compare(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < outer; ++o) {
      const T *p = x + (o * size + a) * inner, *q = x + (o * size + b) * inner;
      for (int64_t i = 0; i < inner; ++i) {
        if (Before(p[i], q[i])) return -1;
        if (Before(q[i], p[i])) return 1;
      }
    }
    return 0;
  }
  const T* x;
  int64_t outer, size, inner;
};

template <typename T>
absl::Status FindUniqueSlices(KernelContext& c, bool allocate_idx) {
  if (c.input(1).num_elements == 0 && c.input(0).rank() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("without an axis expected a vector, got shape ", c.input(0).shape->ToString()));
  }
  int axis = 0;
  if (c.input(1).num_elements == 1) {
    SF_ASSIGN_OR_RETURN(axis, AxisInput(c, 1, c.input(0).rank()));
  }
  const Slices<T> slices(c.input(0), axis);
  const int64_t n = slices.size;
  SF_ASSIGN_OR_RETURN(int64_t * order, c.Scratch<int64_t>(MultiplySizes(n, 2)));
  int64_t* first = order + n;
  std::iota(order, order + n, 0);
  std::sort(order, order + n, [&](int64_t a, int64_t b) {
    const int compared = slices.Compare(a, b);
    return compared != 0 ? compared < 0 : a < b;
  });
  int64_t distinct = 0;
  for (int64_t i = 0; i < n; ++i) {
    const bool same = i > 0 && slices.Compare(order[i], order[i - 1]) == 0;
    first[order[i]] = same ? first[order[i - 1]] : order[i];
    distinct += same ? 0 : 1;
  }
  Shape shape = *c.input(0).shape;
  shape.set_dim(axis, distinct);
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  if (allocate_idx) SF_RETURN_IF_ERROR(c.AllocateOutput(1, {n}));
  if (c.num_outputs() == 3) {
    SF_RETURN_IF_ERROR(c.AllocateOutput(2, {distinct}));
    ClearOutput(c.output(2));
  }
  int64_t* number = order;
  int64_t next = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (first[i] == i) {
      for (int64_t o = 0; o < slices.outer; ++o) {
        std::copy_n(slices.x + (o * n + i) * slices.inner, slices.inner,
                    c.out<T>(0) + (o * distinct + next) * slices.inner);
      }
      number[i] = next++;
    }
    const int64_t k = number[first[i]];
    StoreIndex(c.output(1), i, k);
    if (c.num_outputs() == 3 && c.output(2).dtype == DT_INT64) ++c.out<int64_t>(2)[k];
    if (c.num_outputs() == 3 && c.output(2).dtype == DT_INT32) ++c.out<int32_t>(2)[k];
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> UniqueSlicesKernel(const KernelSetup& setup) {
  const bool allocate_idx = !setup.output_shape(1).IsFullyDefined();
  return ComparableKernel(setup.input_dtype(0), [allocate_idx]<typename T>() -> Kernel {
    return [allocate_idx](KernelContext& c) { return FindUniqueSlices<T>(c, allocate_idx); };
  });
}

const OpRegistrar unique_v2({.name = "UniqueV2",
                             .inputs = {"x: T", "axis: Taxis"},
                             .outputs = {"y: T", "idx: out_idx"},
                             .attrs = {kComparableT, "Taxis: indextype = int64", "out_idx: indextype = int32"},
                             .shape = UniqueSlicesShape,
                             .gradient = kGradientIsError,
                             .kernel = UniqueSlicesKernel,
                             .doc = "The distinct slices along a dimension."});
const OpRegistrar unique_with_counts_v2({.name = "UniqueWithCountsV2",
                                         .inputs = {"x: T", "axis: Taxis"},
                                         .outputs = {"y: T", "idx: out_idx", "count: out_idx"},
                                         .attrs = {kComparableT, "Taxis: indextype = int64",
                                                   "out_idx: indextype = int32"},
                                         .shape = UniqueSlicesShape,
                                         .gradient = kGradientIsError,
                                         .kernel = UniqueSlicesKernel,
                                         .doc = "The distinct slices along a dimension, and how often they come."});

// ListDiff: the elements of x that are not in y.
absl::Status ListDiffShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_RETURN_IF_ERROR(c.WithRank(1, 1).status());
  c.set_output(0, Shape::UnknownOfRank(1));
  c.set_output(1, Shape::UnknownOfRank(1));
  return absl::OkStatus();
}

template <typename T>
absl::Status FindMissing(KernelContext& c) {
  const T *x = c.in<T>(0), *y = c.in<T>(1);
  const int64_t n = c.input(0).num_elements, m = c.input(1).num_elements;
  SF_ASSIGN_OR_RETURN(int64_t * order, c.Scratch<int64_t>(AddSizes(n, m)));
  int64_t* missing = order + m;
  SortPositions(y, m, order);
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t* at =
        std::lower_bound(order, order + m, x[i], [y](int64_t j, const T& v) { return Before(y[j], v); });
    if (at == order + m || !Same(y[*at], x[i])) missing[count++] = i;
  }
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {count}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {count}));
  for (int64_t k = 0; k < count; ++k) {
    c.out<T>(0)[k] = x[missing[k]];
    StoreIndex(c.output(1), k, missing[k]);
  }
  return absl::OkStatus();
}

absl::StatusOr<Kernel> ListDiffKernel(const KernelSetup& setup) {
  return ComparableKernel(setup.input_dtype(0), []<typename T>() -> Kernel { return FindMissing<T>; });
}

const OpRegistrar list_diff({.name = "ListDiff",
                             .inputs = {"x: T", "y: T"},
                             .outputs = {"out: T", "idx: out_idx"},
                             .attrs = {kComparableT, "out_idx: indextype = int32"},
                             .shape = ListDiffShape,
                             .gradient = kGradientIsError,
                             .kernel = ListDiffKernel,
                             .batch = MixBatch,
                             .doc = "The elements of x that are not in y."});

}  // namespace

UniqueOutputs Unique(Operand x, const IndexOptions& options) {
  Node* node = NodeBuilder("Unique", {x}).Attr("out_idx", options.out_idx).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.y = node->output(0), .idx = node->output(1), .count = Output()};
}

UniqueOutputs UniqueWithCounts(Operand x, const IndexOptions& options) {
  Node* node = NodeBuilder("UniqueWithCounts", {x}).Attr("out_idx", options.out_idx).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.y = node->output(0), .idx = node->output(1), .count = node->output(2)};
}

ListDiffOutputs ListDiff(Operand x, Operand y, const IndexOptions& options) {
  Node* node = NodeBuilder("ListDiff", {x, y}).Attr("out_idx", options.out_idx).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.out = node->output(0), .idx = node->output(1)};
}

}  // namespace staticflow
