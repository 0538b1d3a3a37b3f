// LSTMBlockCell, BlockLSTM, BlockLSTMV2 and their gradients. Contracts: ops/rnn.h; formulas: ops/rnn_lstm.h.
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/rnn.h"
#include "ops/rnn_lstm.h"

namespace staticflow {
namespace {

constexpr char kLstmT[] = "T: {half, float}";
constexpr char kPeephole[] = "use_peephole: bool = false";
const std::vector<std::string> kWeights = {"cs_prev: T", "h_prev: T", "w: T", "wci: T", "wcf: T", "wco: T", "b: T"};
const std::vector<std::string> kStates = {"i: T", "cs: T", "f: T", "o: T", "ci: T", "co: T", "h: T"};

std::vector<std::string> Join(std::initializer_list<std::vector<std::string>> lists) {
  std::vector<std::string> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

// Checks the inputs from x on, which is input `x` of rank `rank`: (x, cs_prev, h_prev, w, wci, wcf, wco, b). Gives the
// shape of a state.
absl::StatusOr<Shape> StateShape(const ShapeContext& c, int x, int rank) {
  SF_ASSIGN_OR_RETURN(Shape state, c.WithRank(x, rank));
  SF_ASSIGN_OR_RETURN(Shape prev, c.WithRank(x + 1, 2));
  SF_ASSIGN_OR_RETURN(prev, prev.MergeWith(c.input(x + 2)));
  SF_ASSIGN_OR_RETURN(const Shape w, c.WithRank(x + 3, 2));
  SF_ASSIGN_OR_RETURN(const Shape b, c.WithRank(x + 7, 1));
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(state.dim(rank - 2), prev.dim(0), "batch sizes"));
  int64_t cell = prev.dim(1);
  for (int i = x + 4; i < x + 7; ++i) {
    SF_ASSIGN_OR_RETURN(const Shape peephole, c.WithRank(i, 1));
    SF_ASSIGN_OR_RETURN(cell, c.MergeDims(cell, peephole.dim(0), "cells"));
  }
  if (cell >= 0) {
    SF_RETURN_IF_ERROR(c.MergeDims(w.dim(1), MultiplySizes(cell, 4), "columns of w").status());
    SF_RETURN_IF_ERROR(c.MergeDims(b.dim(0), MultiplySizes(cell, 4), "biases").status());
    const int64_t input = state.dim(rank - 1);
    if (input >= 0) SF_RETURN_IF_ERROR(c.MergeDims(w.dim(0), AddSizes(input, cell), "rows of w").status());
  }
  state.set_dim(rank - 2, batch);
  state.set_dim(rank - 1, cell);
  return state;
}

LstmSizes SizesOf(const KernelContext& c, int x, bool ifco) {
  const TensorView& view = c.input(x);
  return {.batch = view.dim(-2), .input = view.dim(-1), .cell = c.input(x + 1).dim(1), .ifco = ifco};
}
template <typename T>
LstmWeights<T> WeightsOf(const KernelContext& c, int w, bool peephole) {
  const auto of = [&](int i) { return peephole ? c.in<T>(i) : nullptr; };
  return {.w = c.in<T>(w), .wci = of(w + 1), .wcf = of(w + 2), .wco = of(w + 3), .b = c.in<T>(w + 4)};
}
template <typename T>
LstmOutputs<T> StatesOf(KernelContext& c) {
  return {c.out<T>(0), c.out<T>(1), c.out<T>(2), c.out<T>(3), c.out<T>(4), c.out<T>(5), c.out<T>(6)};
}

template <typename F>
absl::StatusOr<Kernel> LstmKernel(const KernelSetup& setup, F make) {
  Kernel kernel;
  DispatchType<float, Half>(setup.output_dtype(0), [&]<typename T>() { kernel = make.template operator()<T>(); });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}

// The steps that count, of an int64 scalar in input 0.
absl::StatusOr<int64_t> StepsInput(const KernelContext& c, int64_t time) {
  const int64_t steps = c.scalar<int64_t>(0);
  if (steps >= 0 && steps <= time) return steps;
  return absl::InvalidArgumentError(absl::StrCat("seq_len_max is ", steps, ", expected 0 to ", time));
}

// --- One step ---

absl::Status CellShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape state, StateShape(c, 0, 2));
  for (int i = 0; i < 7; ++i) c.set_output(i, state);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> CellKernel(const KernelSetup& setup) {
  const float bias = setup.attr<float>("forget_bias"), clip = setup.attr<float>("cell_clip");
  const bool peephole = setup.attr<bool>("use_peephole");
  return LstmKernel(setup, [=]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      const LstmSizes n = SizesOf(c, 0, false);
      SF_ASSIGN_OR_RETURN(float* gates, c.Scratch<float>(n.batch * 4 * n.cell));
      LstmStep(n, WeightsOf<T>(c, 3, peephole), c.in<T>(0), c.in<T>(1), c.in<T>(2), bias, clip, StatesOf<T>(c), gates);
      return absl::OkStatus();
    };
  });
}

// Only gradients by cs and h count, as in TensorFlow; the gates are there for this computation.
void CellGradient(GradientContext& c) {
  NodeBuilder builder("LSTMBlockCellGrad", {});
  for (int i = 0; i < 8; ++i) builder.Input(c.x(i));
  for (int i : {0, 1, 2, 3, 4, 5}) builder.Input(c.y(i));
  Node* node = builder.Input(c.dy(1)).Input(c.dy(6)).Attr("use_peephole", c.attr<bool>("use_peephole")).BuildNode();
  if (node == nullptr) return;
  const Output x = c.x(0), h_prev = c.x(2), dgates = node->output(1);
  const Output dxh = MatMul(dgates, c.x(3), {.transpose_b = true});
  const Output columns = StridedSlice(ShapeOf(x), {1}, {2}, {1});
  const Output zero = Const(c.graph(), Tensor::Vector<int32_t>({0}));
  const Output start = Concat({zero, columns}, 0);
  c.set_dx(0, Slice(dxh, {0, 0}, ShapeOf(x)));
  c.set_dx(1, node->output(0));
  c.set_dx(2, Slice(dxh, start, ShapeOf(h_prev)));
  c.set_dx(3, MatMul(Concat({x, h_prev}, 1), dgates, {.transpose_a = true}));
  for (int i = 0; i < 3; ++i) c.set_dx(4 + i, node->output(2 + i));
  c.set_dx(7, Sum(dgates, {0}));
}
const OpRegistrar cell({.name = "LSTMBlockCell",
                        .inputs = Join({{"x: T"}, kWeights}),
                        .outputs = kStates,
                        .attrs = {"forget_bias: float = 1.0", "cell_clip: float = 3.0", kPeephole, kLstmT},
                        .shape = CellShape,
                        .gradient = CellGradient,
                        .kernel = CellKernel,
                        .doc = "One step of an LSTM."});

absl::Status CellGradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape state, StateShape(c, 0, 2));
  for (int i = 8; i < 16; ++i) {
    SF_ASSIGN_OR_RETURN(state, state.MergeWith(c.input(i)));
  }
  c.set_output(0, state);
  const int64_t cell = state.dim(1);
  c.set_output(1, {state.dim(0), cell < 0 ? cell : MultiplySizes(cell, 4)});
  for (int i = 2; i < 5; ++i) c.set_output(i, {cell});
  return absl::OkStatus();
}
template <typename T>
void ToFloats(const T* from, int64_t n, float* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}
template <typename T>
void FromFloats(const float* from, int64_t n, T* to) {
  for (int64_t i = 0; i < n; ++i) to[i] = T(from[i]);
}
absl::StatusOr<Kernel> CellGradKernel(const KernelSetup& setup) {
  const bool peephole = setup.attr<bool>("use_peephole");
  return LstmKernel(setup, [=]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      const LstmSizes n = SizesOf(c, 0, false);
      const int64_t state = n.batch * n.cell;
      SF_ASSIGN_OR_RETURN(float* dcs, c.Scratch<float>(6 * state + 3 * n.cell));
      float *dh = dcs + state, *dgates = dh + state, *dpeephole = dgates + 4 * state;
      ToFloats(c.in<T>(14), state, dcs);
      ToFloats(c.in<T>(15), state, dh);
      std::fill_n(dpeephole, 3 * n.cell, 0.0f);
      const LstmValues<T> values = {c.in<T>(1),  c.in<T>(8),  c.in<T>(9), c.in<T>(10),
                                    c.in<T>(11), c.in<T>(12), c.in<T>(13)};
      LstmStepBack(n, WeightsOf<T>(c, 3, peephole), values, dcs, dh, dgates, dcs, dpeephole, dpeephole + n.cell,
                   dpeephole + 2 * n.cell);
      FromFloats(dcs, state, c.out<T>(0));
      FromFloats(dgates, 4 * state, c.out<T>(1));
      for (int i = 0; i < 3; ++i) FromFloats(dpeephole + i * n.cell, n.cell, c.out<T>(2 + i));
      return absl::OkStatus();
    };
  });
}
const OpRegistrar cell_grad({.name = "LSTMBlockCellGrad",
                             .inputs = Join({{"x: T"},
                                             kWeights,
                                             {"i: T", "cs: T", "f: T", "o: T", "ci: T", "co: T"},
                                             {"cs_grad: T", "h_grad: T"}}),
                             .outputs = {"cs_prev_grad: T", "dicfo: T", "wci_grad: T", "wcf_grad: T", "wco_grad: T"},
                             .attrs = {"use_peephole: bool", kLstmT},
                             .shape = CellGradShape,
                             .gradient = kGradientIsError,
                             .kernel = CellGradKernel,
                             .doc = "The gradient of LSTMBlockCell by the state before, the gates and the peepholes."});

// --- All steps ---

absl::Status BlockShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(const Shape state, StateShape(c, 1, 3));
  for (int i = 0; i < 7; ++i) c.set_output(i, state);
  return absl::OkStatus();
}
absl::StatusOr<Kernel> BlockKernel(const KernelSetup& setup) {
  const bool v2 = setup.node().type() == "BlockLSTMV2", peephole = setup.attr<bool>("use_peephole");
  const float bias = v2 ? 0.0f : setup.attr<float>("forget_bias"), clip = setup.attr<float>("cell_clip");
  return LstmKernel(setup, [=]<typename T>() -> Kernel {
    return [=](KernelContext& c) -> absl::Status {
      const LstmSizes n = SizesOf(c, 1, v2);
      SF_ASSIGN_OR_RETURN(const int64_t steps, StepsInput(c, c.input(1).dim(0)));
      SF_ASSIGN_OR_RETURN(float* gates, c.Scratch<float>(n.batch * 4 * n.cell));
      const int64_t state = n.batch * n.cell;
      const LstmOutputs<T> y = StatesOf<T>(c);
      const T *cs = c.in<T>(2), *h = c.in<T>(3);
      for (int64_t t = 0; t < steps; ++t) {
        const LstmOutputs<T> now = y.After(t * state);
        LstmStep(n, WeightsOf<T>(c, 4, peephole), c.in<T>(1) + t * n.batch * n.input, cs, h, bias, clip, now, gates);
        cs = now.cs;
        h = now.h;
      }
      for (int i = 0; i < 7; ++i) std::fill(c.out<T>(i) + steps * state, c.out<T>(i) + c.output(i).num_elements, T(0));
      return absl::OkStatus();
    };
  });
}
void BlockGradient(GradientContext& c) {
  NodeBuilder builder(c.node().type() == "BlockLSTMV2" ? "BlockLSTMGradV2" : "BlockLSTMGrad", {});
  for (int i = 0; i < 9; ++i) builder.Input(c.x(i));
  for (int i = 0; i < 7; ++i) builder.Input(c.y(i));
  Node* node = builder.Input(c.dy(1)).Input(c.dy(6)).Attr("use_peephole", c.attr<bool>("use_peephole")).BuildNode();
  for (int i = 0; node != nullptr && i < 8; ++i) c.set_dx(1 + i, node->output(i));
}
OpSpec BlockOp(const char* name, std::vector<std::string> attrs) {
  return {.name = name,
          .inputs = Join({{"seq_len_max: int64", "x: T"}, kWeights}),
          .outputs = kStates,
          .attrs = Join({attrs, {kPeephole, kLstmT}}),
          .shape = BlockShape,
          .gradient = BlockGradient,
          .kernel = BlockKernel,
          .doc = "All steps of an LSTM."};
}
const OpRegistrar block(BlockOp("BlockLSTM", {"forget_bias: float = 1.0", "cell_clip: float = 3.0"}));
const OpRegistrar block_v2(BlockOp("BlockLSTMV2", {"cell_clip: float = 0.0"}));

absl::Status BlockGradShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  SF_ASSIGN_OR_RETURN(Shape state, StateShape(c, 1, 3));
  for (int i = 9; i < 18; ++i) {
    SF_ASSIGN_OR_RETURN(state, state.MergeWith(c.input(i)));
  }
  constexpr int kRanks[] = {3, 2, 2, 2, 1, 1, 1, 1};
  for (int i = 0; i < 8; ++i) {
    SF_ASSIGN_OR_RETURN(Shape shape, c.WithRank(1 + i, kRanks[i]));
    c.set_output(i, std::move(shape));
  }
  return absl::OkStatus();
}

// Goes back through the steps. [dx, dh_prev] = dgates w^T, dw += [x, h_prev]^T dgates.
template <typename T>
absl::Status BlockBack(KernelContext& c, bool v2, bool peephole) {
  const LstmSizes n = SizesOf(c, 1, v2);
  SF_ASSIGN_OR_RETURN(const int64_t steps, StepsInput(c, c.input(1).dim(0)));
  const int64_t state = n.batch * n.cell, columns = 4 * n.cell, weights = n.inner() * columns;
  SF_ASSIGN_OR_RETURN(float* dcs, c.Scratch<float>(6 * state + 3 * n.cell + weights + columns));
  float *dh = dcs + state, *dgates = dh + state, *dpeephole = dgates + 4 * state, *dw = dpeephole + 3 * n.cell;
  float* db = dw + weights;
  std::fill(dcs, db + columns, 0.0f);
  const LstmWeights<T> p = WeightsOf<T>(c, 4, peephole);
  std::fill_n(c.out<T>(0), c.output(0).num_elements, T(0));
  for (int64_t t = steps - 1; t >= 0; --t) {
    const auto at = [&](int input) { return c.in<T>(input) + t * state; };
    const T* cs_prev = t == 0 ? c.in<T>(2) : at(10) - state;
    const T* h_prev = t == 0 ? c.in<T>(3) : at(15) - state;
    const T* x = c.in<T>(1) + t * n.batch * n.input;
    for (int64_t i = 0; i < state; ++i) {
      dcs[i] += static_cast<float>(at(16)[i]);
      dh[i] += static_cast<float>(at(17)[i]);
    }
    LstmStepBack(n, p, {cs_prev, at(9), at(10), at(11), at(12), at(13), at(14)}, dcs, dh, dgates, dcs, dpeephole,
                 dpeephole + n.cell, dpeephole + 2 * n.cell);
    for (int64_t r = 0; r < n.batch; ++r) {
      const float* gate = dgates + r * columns;
      for (int64_t j = 0; j < columns; ++j) db[j] += gate[j];
      for (int64_t k = 0; k < n.inner(); ++k) {
        const bool from_x = k < n.input;
        const float value(from_x ? x[r * n.input + k] : h_prev[r * n.cell + k - n.input]);
        float sum = 0;
        for (int64_t j = 0; j < columns; ++j) {
          sum += gate[j] * static_cast<float>(p.w[k * columns + j]);
          dw[k * columns + j] += value * gate[j];
        }
        if (from_x) c.out<T>(0)[(t * n.batch + r) * n.input + k] = T(sum);
        if (!from_x) dh[r * n.cell + k - n.input] = sum;
      }
    }
  }
  FromFloats(dcs, state, c.out<T>(1));
  FromFloats(dh, state, c.out<T>(2));
  FromFloats(dw, weights, c.out<T>(3));
  for (int i = 0; i < 3; ++i) FromFloats(dpeephole + i * n.cell, n.cell, c.out<T>(4 + i));
  FromFloats(db, columns, c.out<T>(7));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> BlockGradKernel(const KernelSetup& setup) {
  const bool v2 = setup.node().type() == "BlockLSTMGradV2", peephole = setup.attr<bool>("use_peephole");
  return LstmKernel(
      setup, [=]<typename T>() -> Kernel { return [=](KernelContext& c) { return BlockBack<T>(c, v2, peephole); }; });
}
OpSpec BlockGradOp(const char* name, const char* doc) {
  return {.name = name,
          .inputs = Join({{"seq_len_max: int64", "x: T"}, kWeights, kStates, {"cs_grad: T", "h_grad: T"}}),
          .outputs = {"x_grad: T", "cs_prev_grad: T", "h_prev_grad: T", "w_grad: T", "wci_grad: T", "wcf_grad: T",
                      "wco_grad: T", "b_grad: T"},
          .attrs = {"use_peephole: bool", kLstmT},
          .shape = BlockGradShape,
          .gradient = kGradientIsError,
          .kernel = BlockGradKernel,
          .doc = doc};
}
const OpRegistrar block_grad(BlockGradOp("BlockLSTMGrad", "The gradient of BlockLSTM."));
const OpRegistrar block_grad_v2(BlockGradOp("BlockLSTMGradV2", "The gradient of BlockLSTMV2."));

LstmStates Build(NodeBuilder builder, const LstmBlockOptions& options) {
  Node* node = builder.Attr("forget_bias", options.forget_bias)
                   .Attr("cell_clip", options.cell_clip)
                   .Attr("use_peephole", options.use_peephole)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  const auto y = [node](int i) { return node->output(i); };
  return {.i = y(0), .cs = y(1), .f = y(2), .o = y(3), .ci = y(4), .co = y(5), .h = y(6)};
}

}  // namespace

LstmStates LstmBlockCell(Operand x, Operand cs_prev, Operand h_prev, Operand w, Operand wci, Operand wcf, Operand wco,
                         Operand b, const LstmBlockOptions& options) {
  return Build(NodeBuilder("LSTMBlockCell", {x, cs_prev, h_prev, w, wci, wcf, wco, b}), options);
}
LstmStates BlockLstm(Operand seq_len_max, Operand x, Operand cs_prev, Operand h_prev, Operand w, Operand wci,
                     Operand wcf, Operand wco, Operand b, const LstmBlockOptions& options) {
  return Build(NodeBuilder("BlockLSTM", {seq_len_max, x, cs_prev, h_prev, w, wci, wcf, wco, b}), options);
}

}  // namespace staticflow
