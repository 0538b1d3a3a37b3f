// FractionalMaxPool, FractionalAvgPool and their gradients (Graham 2014): pools whose windows have random sizes, so
// that the output is smaller by any ratio.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/pool.h"
#include "ops/random_counter.h"

namespace staticflow {
namespace {

constexpr char kPoolT[] = "T: {float, double, int32, int64}";

absl::StatusOr<int64_t> OutputSize(int64_t in, float ratio) {
  const int64_t out = static_cast<int64_t>(std::floor(static_cast<float>(in) / ratio));
  if (out < 1) return absl::InvalidArgumentError(absl::StrCat("nothing is left of ", in, " at the ratio ", ratio));
  return out;
}

absl::Status PoolShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  const auto& ratio = c.attr<std::vector<float>>("pooling_ratio");
  if (ratio.size() != 4 || ratio[0] != 1 || ratio[3] != 1 || !(ratio[1] >= 1) || !(ratio[2] >= 1)) {
    return absl::InvalidArgumentError("pooling_ratio must have the form [1, rows, columns, 1] of numbers >= 1");
  }
  if (shape.dim(0) == 0 || shape.dim(3) == 0) return absl::InvalidArgumentError("value is empty");
  for (int d = 1; d <= 2; ++d) {
    int64_t size = Shape::kUnknownDim;
    if (shape.dim(d) >= 0) {
      SF_ASSIGN_OR_RETURN(size, OutputSize(shape.dim(d), ratio[d]));
    }
    shape.set_dim(d, size);
    c.set_output(d, {size < 0 ? Shape::kUnknownDim : size + 1});
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// Fills `edges`, the out + 1 places where windows over `in` elements begin and the last one ends.
void PlaceWindows(int64_t in, int64_t out, bool pseudo_random, Philox& generator, int64_t* edges) {
  const int64_t step = in / out;
  edges[0] = 0;
  if (in % out == 0) {
    for (int64_t i = 0; i < out; ++i) edges[i + 1] = edges[i] + step;
    return;
  }
  if (pseudo_random) {
    // ceil(alpha (i + u)), where u is such that no window is longer than step + 1.
    const double alpha = static_cast<double>(in) / static_cast<double>(out);
    const double most = std::min(static_cast<double>(step + 2) / alpha - 1,
                                 static_cast<double>(in + 1 - step) / alpha - static_cast<double>(out - 1));
    PhiloxNumbers numbers(generator);
    const uint32_t low = numbers(), high = numbers();
    generator.Skip(1);
    const double u = UniformDouble(low, high) * most;
    for (int64_t i = 1; i < out; ++i) {
      edges[i] = static_cast<int64_t>(std::ceil(alpha * (static_cast<double>(i) + u))) - 1;
    }
    edges[out] = in;
    return;
  }
  // The windows that are longer by one come first, then all are shuffled.
  for (int64_t i = 0; i < out; ++i) edges[i + 1] = step + (i < in % out ? 1 : 0);
  PhiloxNumbers numbers(generator);
  for (int64_t i = 0; i + 1 < out; ++i) {
    std::swap(edges[i + 1], edges[i + 1 + numbers() % static_cast<uint32_t>(out - i)]);
  }
  generator.Skip(static_cast<uint64_t>((out + 3) / 4));
  for (int64_t i = 0; i < out; ++i) edges[i + 1] += edges[i];
}

// Calls f(output element, first row, last row, first column, last column) for every window of example b; last ones are
// included and, with `overlapping`, belong to the next window too.
struct Windows {
  const int64_t *rows, *columns;
  int64_t height, width, out_height, out_width, channels;
  bool overlapping;

  template <typename F>
  void ForEach(int64_t batch, F f) const {
    const auto last = [this](int64_t edge, int64_t size) { return std::min(overlapping ? edge : edge - 1, size - 1); };
    int64_t out = 0;
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t y = 0; y < out_height; ++y) {
        for (int64_t x = 0; x < out_width; ++x) {
          for (int64_t k = 0; k < channels; ++k, ++out) {
            f(out, b * height * width * channels + k, rows[y], last(rows[y + 1], height), columns[x],
              last(columns[x + 1], width));
          }
        }
      }
    }
  }
  int64_t Offset(int64_t row, int64_t column) const { return (row * width + column) * channels; }
};

template <typename T, bool is_max>
absl::Status Pool(KernelContext& c, Philox generator, bool pseudo_random, bool overlapping) {
  const TensorView &x = c.input(0), &y = c.output(0);
  PlaceWindows(x.dim(1), y.dim(1), pseudo_random, generator, c.out<int64_t>(1));
  PlaceWindows(x.dim(2), y.dim(2), pseudo_random, generator, c.out<int64_t>(2));
  const Windows windows = {c.out<int64_t>(1), c.out<int64_t>(2), x.dim(1), x.dim(2),
                           y.dim(1),          y.dim(2),          x.dim(3), overlapping};
  windows.ForEach(x.dim(0), [&](int64_t out, int64_t start, int64_t top, int64_t bottom, int64_t left, int64_t right) {
    T best = std::numeric_limits<T>::lowest();
    T sum = 0;
    for (int64_t row = top; row <= bottom; ++row) {
      for (int64_t column = left; column <= right; ++column) {
        const T value = c.in<T>(0)[start + windows.Offset(row, column)];
        best = std::max(best, value);
        sum = WrapAdd(sum, value);
      }
    }
    const T count = static_cast<T>((bottom - top + 1) * (right - left + 1));
    c.out<T>(0)[out] = is_max ? best : static_cast<T>(sum / count);
  });
  return absl::OkStatus();
}

template <bool is_max>
absl::StatusOr<Kernel> PoolKernel(const KernelSetup& setup) {
  const bool pseudo_random = setup.attr<bool>("pseudo_random"), overlapping = setup.attr<bool>("overlapping");
  const bool deterministic = setup.attr<bool>("deterministic");
  const int64_t seed = setup.attr<int64_t>("seed"), seed2 = setup.attr<int64_t>("seed2");
  if (!deterministic && (seed != 0 || seed2 != 0)) {
    return absl::InvalidArgumentError("seed and seed2 are given, but deterministic is false");
  }
  SF_ASSIGN_OR_RETURN(RandomCounter * counter, RandomCounterOf(setup));
  Kernel kernel;
  DispatchType<float, double, int32_t, int64_t>(setup.input_dtype(0), [&]<typename T>() {
    kernel = [=](KernelContext& c) -> absl::Status {
      // A deterministic pool has the same windows in every step.
      const Philox generator = deterministic ? Philox(static_cast<uint64_t>(seed), static_cast<uint64_t>(seed2))
                                             : counter->Reserve(BlocksFor(c.output(0).dim(1) + c.output(0).dim(2)));
      return Pool<T, is_max>(c, generator, pseudo_random, overlapping);
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}

// InvalidArgument unless the edges lie in [0, size] and do not decrease.
absl::Status CheckEdges(const TensorView& edges, int64_t windows, int64_t size) {
  if (edges.num_elements != windows + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a pooling sequence has ", edges.num_elements, " elements, expected ", windows + 1));
  }
  for (int64_t i = 0; i < edges.num_elements; ++i) {
    const int64_t edge = edges.as<int64_t>()[i];
    if (edge < (i > 0 ? edges.as<int64_t>()[i - 1] + 1 : 0) || edge > size) {
      return absl::InvalidArgumentError(absl::StrCat("a pooling sequence has ", edge, " at position ", i));
    }
  }
  return absl::OkStatus();
}

// The gradients: dy to the first maximum of its window, or shared by the whole window.
template <typename T, bool is_max>
absl::Status PoolGrad(KernelContext& c, bool overlapping) {
  const TensorView &dx = c.output(0), &dy = c.input(is_max ? 2 : 1);
  const TensorView &rows = c.input(is_max ? 3 : 2), &columns = c.input(is_max ? 4 : 3);
  if (dy.dim(0) != dx.dim(0) || dy.dim(3) != dx.dim(3) || (is_max && *c.input(1).shape != *dy.shape)) {
    return absl::InvalidArgumentError("the shapes of the pool and of out_backprop do not fit");
  }
  SF_RETURN_IF_ERROR(CheckEdges(rows, dy.dim(1), dx.dim(1)));
  SF_RETURN_IF_ERROR(CheckEdges(columns, dy.dim(2), dx.dim(2)));
  const Windows windows = {
      rows.as<int64_t>(), columns.as<int64_t>(), dx.dim(1), dx.dim(2), dy.dim(1), dy.dim(2), dx.dim(3), overlapping};
  std::fill_n(c.out<T>(0), dx.num_elements, T(0));
  int64_t wrong = -1;
  windows.ForEach(dx.dim(0), [&](int64_t out, int64_t start, int64_t top, int64_t bottom, int64_t left, int64_t right) {
    const T share = dy.as<T>()[out] / static_cast<T>(is_max ? 1 : (bottom - top + 1) * (right - left + 1));
    int64_t best = -1;
    for (int64_t row = top; row <= bottom; ++row) {
      for (int64_t column = left; column <= right; ++column) {
        const int64_t at = start + windows.Offset(row, column);
        if (!is_max) c.out<T>(0)[at] = WrapAdd(c.out<T>(0)[at], share);
        if (is_max && (best < 0 || c.in<T>(0)[at] > c.in<T>(0)[best])) best = at;
      }
    }
    if (best < 0) return;
    if (is_max && c.in<T>(0)[best] != c.input(1).as<T>()[out]) wrong = out;
    c.out<T>(0)[best] = WrapAdd(c.out<T>(0)[best], share);
  });
  if (wrong < 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("element ", wrong, " of orig_output is not the largest of its window of orig_input"));
}
template <bool is_max>
absl::StatusOr<Kernel> PoolGradKernel(const KernelSetup& setup) {
  Kernel kernel;
  const bool overlapping = setup.attr<bool>("overlapping");
  DispatchType<float, double, int32_t, int64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [overlapping](KernelContext& c) { return PoolGrad<T, is_max>(c, overlapping); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

void MaxGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder("FractionalMaxPoolGrad", {c.x(0), c.y(0), c.dy(0), c.y(1), c.y(2)})
                  .Attr("overlapping", c.attr<bool>("overlapping"))
                  .Build());
}
void AvgGradient(GradientContext& c) {
  c.set_dx(0, NodeBuilder("FractionalAvgPoolGrad", {ShapeOf(c.x(0), {.out_type = DT_INT64}), c.dy(0), c.y(1), c.y(2)})
                  .Attr("overlapping", c.attr<bool>("overlapping"))
                  .Build());
}
// The sequences hold where the windows begin, which random numbers alone decide.
void FractionalPoolBatch(BatchContext& c) {
  LeadingBatch(c);
  for (int i = 1; i < c.num_outputs(); ++i) c.set_output(i, BatchRows::Constant());
}
OpSpec FractionalPool(const char* name, KernelSource kernel, GradientFunction gradient, const char* doc) {
  return {.name = name,
          .inputs = {"value: T"},
          .outputs = {"output: T", "row_pooling_sequence: int64", "col_pooling_sequence: int64"},
          .attrs = {"pooling_ratio: list(float) >= 4", "pseudo_random: bool = false", "overlapping: bool = false",
                    "deterministic: bool = false", kSeedAttr, kSeed2Attr, kPoolT},
          .shape = PoolShape,
          .gradient = gradient,
          .kernel = kernel,
          .traits = kStateful,
          .batch = FractionalPoolBatch,
          .doc = doc};
}
const OpRegistrar max_pool(FractionalPool("FractionalMaxPool", PoolKernel<true>, MaxGradient,
                                          "Maxima under windows of random sizes."));
const OpRegistrar avg_pool(FractionalPool("FractionalAvgPool", PoolKernel<false>, AvgGradient,
                                          "Means under windows of random sizes."));

absl::Status MaxGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(0, 4));
  SF_RETURN_IF_ERROR(c.WithRank(1, 4).status());
  SF_RETURN_IF_ERROR(c.WithRank(2, 4).status());
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::Status AvgGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 0));
  SF_RETURN_IF_ERROR(c.WithRank(1, 4).status());
  SF_ASSIGN_OR_RETURN(shape, shape.MergeWith(Shape::UnknownOfRank(4)));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
OpSpec FractionalGrad(const char* name, std::vector<std::string> inputs, ShapeFunction shape, KernelSource kernel,
                      const char* doc) {
  inputs.insert(inputs.end(), {"out_backprop: T", "row_pooling_sequence: int64", "col_pooling_sequence: int64"});
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"output: T"},
          .attrs = {"overlapping: bool = false", kPoolT},
          .shape = shape,
          .gradient = kGradientIsError,
          .kernel = kernel,
          .batch = LeadingBatch,
          .doc = doc};
}
const OpRegistrar max_grad(FractionalGrad("FractionalMaxPoolGrad", {"orig_input: T", "orig_output: T"}, MaxGradShape,
                                          PoolGradKernel<true>, "The gradient of FractionalMaxPool by its input."));
const OpRegistrar avg_grad(FractionalGrad("FractionalAvgPoolGrad", {"orig_input_tensor_shape: int64"}, AvgGradShape,
                                          PoolGradKernel<false>, "The gradient of FractionalAvgPool by its input."));

FractionalPoolResult Build(const char* type, const Operand& value, const FractionalPoolOptions& options) {
  if (!value.output().valid()) return {};
  const bool fixed = options.seed != 0;
  const auto [seed, seed2] = fixed ? value.output().graph().OpSeeds(options.seed) : std::pair<int64_t, int64_t>(0, 0);
  Node* node = NodeBuilder(type, {value})
                   .Attr("pooling_ratio", options.pooling_ratio)
                   .Attr("pseudo_random", options.pseudo_random)
                   .Attr("overlapping", options.overlapping)
                   .Attr("deterministic", fixed)
                   .Attr("seed", seed)
                   .Attr("seed2", seed2)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {.output = node->output(0), .row_pooling_sequence = node->output(1), .col_pooling_sequence = node->output(2)};
}

}  // namespace

FractionalPoolResult FractionalMaxPool(Operand value, const FractionalPoolOptions& options) {
  return Build("FractionalMaxPool", value, options);
}
FractionalPoolResult FractionalAvgPool(Operand value, const FractionalPoolOptions& options) {
  return Build("FractionalAvgPool", value, options);
}

}  // namespace staticflow
