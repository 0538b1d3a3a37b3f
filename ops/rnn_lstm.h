// The arithmetic of one LSTM step, forwards and backwards, which LSTMBlockCell and BlockLSTM share.
//
//   gates = [x, h_prev] w + b, in four parts            cs = ci i + f cs_prev, clipped
//   i = sigmoid(gi + wci cs_prev)                       o = sigmoid(go + wco cs)
//   f = sigmoid(gf + wcf cs_prev + forget_bias)         co = tanh(cs)
//   ci = tanh(gci)                                      h = o co
#ifndef STATICFLOW_OPS_RNN_LSTM_H_
#define STATICFLOW_OPS_RNN_LSTM_H_

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "graph/dtype.h"

namespace staticflow {

struct LstmSizes {
  int64_t batch = 0, input = 0, cell = 0;
  int64_t inner() const { return input + cell; }
  bool ifco = false;  // the order of the gates' columns: i, f, ci, o (BlockLSTMV2) instead of i, ci, f, o
  int64_t ci_column() const { return (ifco ? 2 : 1) * cell; }
  int64_t f_column() const { return (ifco ? 1 : 2) * cell; }
  int64_t o_column() const { return 3 * cell; }
};

template <typename T>
struct LstmWeights {
  const T *w, *wci, *wcf, *wco, *b;  // the peephole weights are null where there are none
};

template <typename T>
struct LstmOutputs {
  T *i, *cs, *f, *o, *ci, *co, *h;  // [batch, cell] each
  LstmOutputs After(int64_t elements) const {
    return {i + elements, cs + elements, f + elements, o + elements, ci + elements, co + elements, h + elements};
  }
};

// y[r, :] += x[r, :] w for rows of x.
template <typename T>
void AddProduct(const T* x, const T* w, int64_t rows, int64_t inner, int64_t columns, float* y) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t k = 0; k < inner; ++k) {
      const float factor(x[r * inner + k]);
      for (int64_t j = 0; j < columns; ++j) y[r * columns + j] += factor * static_cast<float>(w[k * columns + j]);
    }
  }
}

// One step; `gates` is memory for [batch, 4 cell] floats.
template <typename T>
void LstmStep(const LstmSizes& n, const LstmWeights<T>& p, const T* x, const T* cs_prev, const T* h_prev,
              float forget_bias, float clip, const LstmOutputs<T>& y, float* gates) {
  const int64_t cell = n.cell, columns = 4 * cell;
  for (int64_t r = 0; r < n.batch; ++r) {
    for (int64_t j = 0; j < columns; ++j) gates[r * columns + j] = static_cast<float>(p.b[j]);
  }
  AddProduct(x, p.w, n.batch, n.input, columns, gates);
  AddProduct(h_prev, p.w + n.input * columns, n.batch, cell, columns, gates);
  const auto sigmoid = [](float v) { return 1.0f / (1.0f + std::exp(-v)); };
  const auto peep = [](const T* w, int64_t j, float cs) { return w == nullptr ? 0.0f : static_cast<float>(w[j]) * cs; };
  for (int64_t r = 0; r < n.batch; ++r) {
    for (int64_t j = 0; j < cell; ++j) {
      const int64_t at = r * cell + j;
      const float* gate = gates + r * columns + j;
      const float before(cs_prev[at]);
      const float i = sigmoid(gate[0] + peep(p.wci, j, before));
      const float ci = std::tanh(gate[n.ci_column()]);
      const float f = sigmoid(gate[n.f_column()] + forget_bias + peep(p.wcf, j, before));
      float cs = ci * i + f * before;
      if (clip > 0) cs = std::clamp(cs, -clip, clip);
      const float o = sigmoid(gate[n.o_column()] + peep(p.wco, j, cs)), co = std::tanh(cs);
      y.i[at] = T(i);
      y.ci[at] = T(ci);
      y.f[at] = T(f);
      y.cs[at] = T(cs);
      y.o[at] = T(o);
      y.co[at] = T(co);
      y.h[at] = T(o * co);
    }
  }
}

// What a step needs of the way forwards when it goes back.
template <typename T>
struct LstmValues {
  const T *cs_prev, *i, *cs, *f, *o, *ci, *co;
};

// The gradients by the gates, [batch, 4 cell], of those by cs and h, and by cs_prev; peephole gradients are added to.
// `dcs` may be `dcs_prev`.
template <typename T>
void LstmStepBack(const LstmSizes& n, const LstmWeights<T>& p, const LstmValues<T>& v, const float* dcs_in,
                  const float* dh_in, float* dgates, float* dcs_prev, float* dwci, float* dwcf, float* dwco) {
  const bool peephole = p.wci != nullptr;
  for (int64_t at = 0; at < n.batch * n.cell; ++at) {
    const int64_t j = at % n.cell;
    const float i(v.i[at]), f(v.f[at]), o(v.o[at]), ci(v.ci[at]), co(v.co[at]), cs(v.cs[at]), before(v.cs_prev[at]);
    const float d_o = o * (1 - o) * dh_in[at] * co;
    float dcs = (1 - co * co) * dh_in[at] * o + dcs_in[at];
    if (peephole) dcs += d_o * static_cast<float>(p.wco[j]);
    const float dci = (1 - ci * ci) * dcs * i, df = f * (1 - f) * dcs * before, di = i * (1 - i) * dcs * ci;
    float* gate = dgates + (at / n.cell) * 4 * n.cell + j;
    gate[0] = di;
    gate[n.ci_column()] = dci;
    gate[n.f_column()] = df;
    gate[n.o_column()] = d_o;
    dcs_prev[at] = dcs * f;
    if (!peephole) continue;
    dcs_prev[at] += di * static_cast<float>(p.wci[j]) + df * static_cast<float>(p.wcf[j]);
    dwci[j] += di * before;
    dwcf[j] += df * before;
    dwco[j] += d_o * cs;
  }
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RNN_LSTM_H_
