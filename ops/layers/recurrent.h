// Recurrent networks: a cell that is applied to one time step after the other.
//
//   auto cell = layers::MultiRNNCell({layers::LSTMCell({.num_units = 128}), layers::GRUCell({.num_units = 64})});
//   const layers::RnnResult rnn = layers::DynamicRnn(g, cell, x, {.sequence_length = lengths});   // x: [batch, time,
//   n] Output logits = layers::Dense(g, rnn.state.back(), {.units = 10});
//
// DynamicRnn is a while loop over any number of steps; StaticRnn lays the steps out one by one. Both give the same
// values and gradients. A cell makes its variables when it is first used and shares them from then on.
//
// Variables, in the scope "rnn" (BidirectionalDynamicRnn: "bidirectional_rnn/fw" and ".../bw"):
//   basic_rnn_cell/{kernel,bias}           basic_lstm_cell/{kernel,bias}      gru_cell/{gates,candidate}/{kernel,bias}
//   lstm_cell/{kernel,bias,w_f_diag,w_i_diag,w_o_diag,projection/kernel}      multi_rnn_cell/cell_0/...
//
// Inputs and states are matrices [batch, size] of one floating type. InvalidArgument for other shapes and for sizes
// below 1. Not thread-safe: everything adds to the graph.
// Source: tf.nn.rnn_cell, tf.nn.static_rnn, tf.nn.dynamic_rnn (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_LAYERS_RECURRENT_H_
#define STATICFLOW_OPS_LAYERS_RECURRENT_H_

#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "graph/variable_scope.h"
#include "ops/layers/layer.h"
#include "ops/math.h"

namespace staticflow::layers {

using RnnState = std::vector<Output>;  // an LSTM's is {c, h}; those of several cells stand one after the other

struct RnnStep {
  Output output;  // invalid after an error
  RnnState state = {};
  std::vector<Output> statistics = {};  // vectors of this step that MakeUpdates wants to see
};

class RnnCell {
 public:
  virtual ~RnnCell() = default;
  virtual std::vector<int64_t> state_sizes() const = 0;
  virtual int64_t output_size() const = 0;
  // One step. `time`, an int32 scalar, counts them.
  virtual RnnStep Call(Graph& g, Output input, const RnnState& state, Output time) = 0;

  // How many statistics Call gives, and what becomes of them once all steps are there: statistics[k] is [time, size].
  virtual int num_statistics() const { return 0; }
  virtual void MakeUpdates(Graph&, const std::vector<Output>&) {}

  // Zeros for a batch as large as that of `input`, a matrix.
  RnnState ZeroState(Graph& g, Output input) const;
};
using RnnCellPtr = std::shared_ptr<RnnCell>;

struct BasicRNNCellOptions {
  int64_t num_units = 0;
  Activation activation = Tanh;
  Initializer kernel_initializer = nullptr;  // the variable scope's; without one Glorot's uniform
  std::string name = "";                     // "": "basic_rnn_cell"
  std::source_location where = std::source_location::current();
};
// output = state = activation([input, state] kernel + bias).
RnnCellPtr BasicRNNCell(const BasicRNNCellOptions& options);

struct GRUCellOptions {
  int64_t num_units = 0;
  Activation activation = Tanh;
  Initializer kernel_initializer = nullptr;
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// r, u = sigmoid([input, state] gates); c = activation([input, r state] candidate); state = u state + (1 - u) c.
// The gates' bias begins as ones. Source: Cho et al. 2014.
RnnCellPtr GRUCell(const GRUCellOptions& options);

struct LSTMCellOptions {
  int64_t num_units = 0;
  bool use_peepholes = false;  // the gates see c, too, through diagonal matrices
  double cell_clip = 0;        // above 0: c is cut to [-cell_clip, cell_clip]
  int64_t num_proj = 0;        // above 0: h is projected to this size
  double proj_clip = 0;        // above 0: and cut
  double forget_bias = 1;
  Activation activation = Tanh;
  Initializer initializer = nullptr;
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// i, j, f, o = [input, h] kernel + bias; c = sigmoid(f + forget_bias) c + sigmoid(i) activation(j);
// h = output = sigmoid(o) activation(c). Source: Hochreiter and Schmidhuber 1997; Sak et al. 2014.
RnnCellPtr LSTMCell(const LSTMCellOptions& options);

struct BasicLSTMCellOptions {
  int64_t num_units = 0;
  double forget_bias = 1;
  Activation activation = Tanh;
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// The LSTM without the extras, in a scope of its own name.
RnnCellPtr BasicLSTMCell(const BasicLSTMCellOptions& options);

struct BatchNormLSTMCellOptions {
  int64_t num_units = 0;
  Training training = false;
  // How many time steps have statistics of their own; later ones use the last one's. 1: all steps share theirs.
  int64_t max_steps = 1;
  double momentum = 0.99;
  double epsilon = 1e-3;
  double forget_bias = 1;
  double gamma = 0.1;  // what the scales begin as
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// An LSTM whose input's part, h's part and c (on its way to h) are each normalized over the batch. In training it uses
// the batch's statistics of its step, else the moving averages; two update operations per normalization join
// update_ops, made once for all steps: with shared statistics the averages move towards the mean over the steps.
// Source: Cooijmans et al. 2016.
RnnCellPtr BatchNormLSTMCell(const BatchNormLSTMCellOptions& options);

// Several cells, each on the output of the one before.
RnnCellPtr MultiRNNCell(std::vector<RnnCellPtr> cells);

struct DropoutWrapperOptions {
  double input_keep_prob = 1;
  double output_keep_prob = 1;
  double state_keep_prob = 1;  // not of an LSTM's c
  Training training = true;
  int64_t seed = 0;
};
// The cell with dropout around it.
RnnCellPtr DropoutWrapper(RnnCellPtr cell, const DropoutWrapperOptions& options);

struct RnnOptions {
  Output sequence_length = {};  // int32 [batch]: behind it outputs are zero and the state stays; invalid: all steps
  RnnState initial_state = {};  // empty: zeros
  bool time_major = false;      // inputs and outputs are [time, batch, size]; DynamicRnn and bidirectional alone
  int64_t parallel_iterations = 32;
  std::string name = "";  // "": "rnn"
  std::source_location where = std::source_location::current();
};

struct RnnResult {
  Output outputs;  // [batch, time, size]; invalid after an error
  RnnState state;  // after the last step (of each sequence)
};
RnnResult DynamicRnn(Graph& g, RnnCellPtr cell, Output inputs, const RnnOptions& options = {});

struct StaticRnnResult {
  std::vector<Output> outputs;  // by step, [batch, size]; empty after an error
  RnnState state;
};
StaticRnnResult StaticRnn(Graph& g, RnnCellPtr cell, const std::vector<Output>& inputs, const RnnOptions& options = {});

struct BidirectionalRnnResult {
  RnnResult forward, backward;  // both in the order of the inputs
};
// Two cells, one from the first step to the last and one from the last (of each sequence) to the first. Initial states
// are zeros.
BidirectionalRnnResult BidirectionalDynamicRnn(Graph& g, RnnCellPtr forward, RnnCellPtr backward, Output inputs,
                                               const RnnOptions& options = {});

}  // namespace staticflow::layers

#endif  // STATICFLOW_OPS_LAYERS_RECURRENT_H_
