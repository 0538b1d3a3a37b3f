// GRUBlockCell and its gradient. Contract: ops/rnn.h.
//
//   [r, u] = sigmoid([x, h_prev] w_ru + b_ru)          h = u h_prev + (1 - u) c
//   c = tanh([x, r h_prev] w_c + b_c)
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/rnn.h"
#include "ops/rnn_lstm.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// Inputs x, h_prev, w_ru, w_c, b_ru, b_c. Gives the shape of h.
absl::StatusOr<Shape> StateShape(const ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape x, c.WithRank(0, 2));
  SF_ASSIGN_OR_RETURN(Shape h, c.WithRank(1, 2));
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(x.dim(0), h.dim(0), "batch sizes"));
  const int64_t cell = h.dim(1);
  for (int gates = 2; gates >= 1; --gates) {
    SF_ASSIGN_OR_RETURN(const Shape w, c.WithRank(4 - gates, 2));
    SF_ASSIGN_OR_RETURN(const Shape b, c.WithRank(6 - gates, 1));
    if (cell < 0) continue;
    SF_RETURN_IF_ERROR(c.MergeDims(w.dim(1), MultiplySizes(cell, gates), "columns of weights").status());
    SF_RETURN_IF_ERROR(c.MergeDims(b.dim(0), MultiplySizes(cell, gates), "biases").status());
    if (x.dim(1) >= 0) {
      SF_RETURN_IF_ERROR(c.MergeDims(w.dim(0), AddSizes(x.dim(1), cell), "rows of weights").status());
    }
  }
  h.set_dim(0, batch);
  return h;
}

// y[r, :] = bias + [x, h] w for rows, all of them [batch, ...].
void Affine(const float* x, int64_t inputs, const float* h, int64_t cell, const float* w, const float* bias,
            int64_t batch, int64_t columns, float* y) {
  for (int64_t r = 0; r < batch; ++r) std::copy_n(bias, columns, y + r * columns);
  AddProduct(x, w, batch, inputs, columns, y);
  AddProduct(h, w + inputs * columns, batch, cell, columns, y);
}

absl::Status CellShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape state, StateShape(c));
  for (int i = 0; i < 4; ++i) c.set_output(i, state);
  return absl::OkStatus();
}
absl::Status CellKernel(KernelContext& c) {
  const int64_t batch = c.input(0).dim(0), inputs = c.input(0).dim(1), cell = c.input(1).dim(1), state = batch * cell;
  const float *x = c.in<float>(0), *h_prev = c.in<float>(1);
  SF_ASSIGN_OR_RETURN(float* gates, c.Scratch<float>(4 * state));
  float *reset = gates + 2 * state, *candidate = reset + state;
  Affine(x, inputs, h_prev, cell, c.in<float>(2), c.in<float>(4), batch, 2 * cell, gates);
  float *r = c.out<float>(0), *u = c.out<float>(1);
  for (int64_t at = 0; at < state; ++at) {
    const float* gate = gates + (at / cell) * 2 * cell + at % cell;
    r[at] = 1.0f / (1.0f + std::exp(-gate[0]));
    u[at] = 1.0f / (1.0f + std::exp(-gate[cell]));
    reset[at] = r[at] * h_prev[at];
  }
  Affine(x, inputs, reset, cell, c.in<float>(3), c.in<float>(5), batch, cell, candidate);
  for (int64_t at = 0; at < state; ++at) {
    const float value = std::tanh(candidate[at]);
    c.out<float>(2)[at] = value;
    c.out<float>(3)[at] = u[at] * h_prev[at] + (1 - u[at]) * value;
  }
  return absl::OkStatus();
}

// Only the gradient by h counts, as in TensorFlow; r, u and c are there for this computation.
void CellGradient(GradientContext& c) {
  NodeBuilder builder("GRUBlockCellGrad", {});
  for (int i = 0; i < 6; ++i) builder.Input(c.x(i));
  for (int i = 0; i < 3; ++i) builder.Input(c.y(i));
  Node* node = builder.Input(c.dy(3)).BuildNode();
  if (node == nullptr) return;
  const Output x = c.x(0), h_prev = c.x(1), dc = node->output(2), dru = node->output(3);
  c.set_dx(0, node->output(0));
  c.set_dx(1, node->output(1));
  c.set_dx(2, MatMul(Concat({x, h_prev}, 1), dru, {.transpose_a = true}));
  c.set_dx(3, MatMul(Concat({x, h_prev * c.y(0)}, 1), dc, {.transpose_a = true}));
  c.set_dx(4, Sum(dru, {0}));
  c.set_dx(5, Sum(dc, {0}));
}
const OpRegistrar cell({.name = "GRUBlockCell",
                        .inputs = {"x: T", "h_prev: T", "w_ru: T", "w_c: T", "b_ru: T", "b_c: T"},
                        .outputs = {"r: T", "u: T", "c: T", "h: T"},
                        .attrs = {"T: {float}"},
                        .shape = CellShape,
                        .gradient = CellGradient,
                        .kernel = CellKernel,
                        .doc = "One step of a gated recurrent unit."});

// GRUBlockCellGrad: (dx, dh_prev, dc, [dr, du]), the latter by what is in the tanh and the sigmoids.
absl::Status GradShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape state, StateShape(c));
  for (int i = 6; i < 10; ++i) {
    SF_ASSIGN_OR_RETURN(state, state.MergeWith(c.input(i)));
  }
  SF_ASSIGN_OR_RETURN(Shape x, c.WithRank(0, 2));
  c.set_output(0, std::move(x));
  c.set_output(1, state);
  c.set_output(2, state);
  c.set_output(3, {state.dim(0), state.dim(1) < 0 ? Shape::kUnknownDim : MultiplySizes(state.dim(1), 2)});
  return absl::OkStatus();
}
// The product of a row of gate gradients with row k of the weights.
float Dot(const float* gate, const float* w, int64_t columns) {
  float sum = 0;
  for (int64_t j = 0; j < columns; ++j) sum += gate[j] * w[j];
  return sum;
}
absl::Status GradKernel(KernelContext& c) {
  const int64_t batch = c.input(0).dim(0), inputs = c.input(0).dim(1), cell = c.input(1).dim(1);
  const float *h_prev = c.in<float>(1), *w_ru = c.in<float>(2), *w_c = c.in<float>(3);
  const float *r = c.in<float>(6), *u = c.in<float>(7), *value = c.in<float>(8), *dh = c.in<float>(9);
  float *dx = c.out<float>(0), *dh_prev = c.out<float>(1), *dc = c.out<float>(2), *dru = c.out<float>(3);
  for (int64_t row = 0; row < batch; ++row) {
    float *row_dc = dc + row * cell, *row_dru = dru + row * 2 * cell;
    for (int64_t j = 0; j < cell; ++j) {
      const int64_t at = row * cell + j;
      row_dc[j] = dh[at] * (1 - u[at]) * (1 - value[at] * value[at]);
      row_dru[cell + j] = dh[at] * (h_prev[at] - value[at]) * u[at] * (1 - u[at]);
    }
    for (int64_t j = 0; j < cell; ++j) {
      const int64_t at = row * cell + j;
      const float dreset = Dot(row_dc, w_c + (inputs + j) * cell, cell);
      row_dru[j] = dreset * h_prev[at] * r[at] * (1 - r[at]);
      dh_prev[at] = dreset * r[at] + dh[at] * u[at];
    }
    for (int64_t k = 0; k < inputs; ++k) {
      dx[row * inputs + k] = Dot(row_dc, w_c + k * cell, cell) + Dot(row_dru, w_ru + k * 2 * cell, 2 * cell);
    }
    for (int64_t j = 0; j < cell; ++j) {
      dh_prev[row * cell + j] += Dot(row_dru, w_ru + (inputs + j) * 2 * cell, 2 * cell);
    }
  }
  return absl::OkStatus();
}
const OpRegistrar grad({.name = "GRUBlockCellGrad",
                        .inputs = {"x: T", "h_prev: T", "w_ru: T", "w_c: T", "b_ru: T", "b_c: T", "r: T", "u: T",
                                   "c: T", "d_h: T"},
                        .outputs = {"d_x: T", "d_h_prev: T", "d_c_bar: T", "d_r_bar_u_bar: T"},
                        .attrs = {"T: {float}"},
                        .shape = GradShape,
                        .gradient = kGradientIsError,
                        .kernel = GradKernel,
                        .doc = "The gradient of GRUBlockCell by its inputs and its gates."});

}  // namespace

GruStates GruBlockCell(Operand x, Operand h_prev, Operand w_ru, Operand w_c, Operand b_ru, Operand b_c,
                       const OpOptions& options) {
  Node* node = NodeBuilder("GRUBlockCell", {x, h_prev, w_ru, w_c, b_ru, b_c}).Name(options.name).BuildNode();
  if (node == nullptr) return {};
  return {.r = node->output(0), .u = node->output(1), .c = node->output(2), .h = node->output(3)};
}

}  // namespace staticflow
