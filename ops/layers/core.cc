#include "ops/layers/core.h"

#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/initializers.h"
#include "ops/layers/layer_scope.h"
#include "ops/matmul.h"
#include "ops/nn.h"

namespace staticflow::layers {
namespace {

// x[0, ..., n-1] as a shape of the graph, with `last` as its last dimension: what a Reshape of rows gives back.
Output WithLastDimension(Output x, int64_t last) {
  Graph& g = x.graph();
  std::vector<int64_t> dims(x.shape().dims().begin(), x.shape().dims().end());
  dims.back() = last;
  if (Shape(dims).IsFullyDefined()) return Const(g, Ints(dims).AsTensor(), {.name = "shape"});
  const Output leading = Slice(ShapeOf(x), {0}, {x.shape().rank() - 1});
  return Concat({leading, Const(g, Tensor::Vector<int32_t>({static_cast<int32_t>(last)}))}, 0);
}

// [..., n] by [n, units]: the rows one below the other, multiplied, and put back into their places.
Output TimesRows(Graph& g, Output x, Output kernel) {
  const NameScope scope(g, "Tensordot");
  const int64_t n = kernel.shape().dim(0), units = kernel.shape().dim(1);
  const Output shape = WithLastDimension(x, units);
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.shape().rank(); ++i) {
    rows = x.shape().dim(i) < 0 || rows < 0 ? -1 : MultiplySizes(rows, x.shape().dim(i));
  }
  const Output product = MatMul(Reshape(x, {rows, n}), kernel);
  return Reshape(product, shape, {.name = scope.name()});
}

}  // namespace

Output Dense(Graph& g, Output x, const DenseOptions& options) {
  const LayerScope layer(g, {"Dense", "dense", options.name, options.reuse, options.where});
  if (!layer.Accepts(x, 2, Shape::kMaxKernelRank)) return Output();
  if (options.units < 1) return layer.Fail(absl::StrCat(".units is ", options.units, ", expected at least 1"));
  const int64_t n = x.shape().dim(-1);
  if (n < 0) {
    return layer.Fail(absl::StrCat("the input has shape ", x.shape().ToString(), ", expected a known last dimension"));
  }
  const Variable kernel = layer.Kernel(x.dtype(), {n, options.units}, options);
  const Variable bias = layer.Bias(x.dtype(), options.units, options);
  if (!kernel.snapshot.valid() || bias.snapshot.valid() != options.use_bias) return Output();
  Output y = x.shape().rank() == 2 ? MatMul(x, kernel.snapshot) : TimesRows(g, x, kernel.snapshot);
  if (options.use_bias) y = BiasAdd(y, bias.snapshot);
  return y.valid() ? options.activation(y) : Output();
}

Output Flatten(Graph& g, Output x, const FlattenOptions& options) {
  const LayerScope layer(g, {"Flatten", "flatten", options.name, Reuse::kInherit, options.where});
  if (!layer.Accepts(x, 1, Shape::kMaxKernelRank, /*floating=*/false)) return Output();
  const int rank = x.shape().rank();
  if (options.data_format == "channels_first") {
    std::vector<int64_t> perm = {0};
    for (int i = 2; i < rank; ++i) perm.push_back(i);
    if (rank > 1) perm.push_back(1);
    x = Transpose(x, perm, {.name = "transpose"});
  } else if (options.data_format != "channels_last") {
    return layer.Fail(
        absl::StrCat(".data_format is '", options.data_format, "', expected 'channels_last' or 'channels_first'"));
  }
  if (!x.valid()) return Output();
  int64_t columns = 1;
  for (int i = 1; i < rank; ++i) {
    columns = x.shape().dim(i) < 0 || columns < 0 ? -1 : MultiplySizes(columns, x.shape().dim(i));
  }
  if (rank == 1) return ExpandDims(x, 1, {.name = "Reshape"});
  // A size of -1 stands for what remains, which an empty batch does not tell: it is written only where it has to be.
  const int64_t rows = x.shape().dim(0);
  if (rows >= 0) return Reshape(x, {rows, columns});
  const auto index = [&g](const char* name, int32_t i) {
    return Const(g, Tensor::Vector<int32_t>({i}), {.name = name});
  };
  const Output batch =
      StridedSlice(ShapeOf(x), index("strided_slice/stack", 0), index("strided_slice/stack_1", 1),
                   index("strided_slice/stack_2", 1), {.shrink_axis_mask = 1, .name = "strided_slice"});
  const int32_t size = columns > std::numeric_limits<int32_t>::max() ? -1 : static_cast<int32_t>(columns);
  const Output shape = Stack({batch, Const(g, size, {.name = "Reshape/shape/1"})}, 0, {.name = "Reshape/shape"});
  const Output y = Reshape(x, shape);
  if (!y.valid()) return y;
  const absl::Status known = y.node()->MergeOutputShape(0, {-1, columns});
  return known.ok() ? y : layer.Fail(known.message());
}

Output Dropout(Graph& g, Output x, const DropoutOptions& options) {
  const LayerScope layer(g, {"Dropout", "dropout", options.name, Reuse::kInherit, options.where});
  if (!layer.Accepts(x, 0, Shape::kMaxKernelRank)) return Output();
  if (!(options.rate >= 0 && options.rate < 1)) {
    return layer.Fail(absl::StrCat(".rate is ", options.rate, ", expected a number in [0, 1)"));
  }
  const auto dropped = [&]() -> Output { return staticflow::Dropout(x, {.rate = options.rate, .seed = options.seed}); };
  return options.training.Choose(dropped, [&]() -> Output { return Identity(x); });
}

}  // namespace staticflow::layers
