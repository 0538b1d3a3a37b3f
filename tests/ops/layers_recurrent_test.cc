// Cells of recurrent networks and their unrolling.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/layers/core.h"
#include "ops/layers/recurrent.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/train/adam.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 0.5 sin(1), 0.5 sin(2), ...: weights that a few lines of NumPy make as well.
Output Pattern(Graph& g, DataType dtype, const Shape& shape) {
  std::vector<double> values;
  for (int64_t k = 0; k < shape.num_elements(); ++k) values.push_back(0.5 * std::sin(static_cast<double>(k + 1)));
  return Cast(Const(g, Tensor::Of<double>(shape, values)), dtype);
}

// Three steps of two sequences: 0.3 cos(0), 0.3 cos(1), ...
Tensor InputValue() {
  std::vector<double> values;
  for (int k = 0; k < 12; ++k) values.push_back(0.3 * std::cos(static_cast<double>(k)));
  return Tensor::Of<double>({2, 3, 2}, values);
}

struct CellCase {
  const char* name;
  std::function<layers::RnnCellPtr()> make;
  std::vector<std::string> variables;
  Tensor want;  // [2, 3, units], by the formulas in NumPy; none: only the other checks
};

void PrintTo(const CellCase& row, std::ostream* out) { *out << row.name; }

class Cells : public testing::TestWithParam<CellCase> {
 protected:
  // Outputs [2, 3, n] and last state, laid out or as a loop.
  static layers::RnnResult Unroll(Graph& g, const layers::RnnCellPtr& cell, Output x, bool as_loop,
                                  layers::RnnOptions options) {
    const VariableScope scope(g, "", {.reuse = Reuse::kAutoReuse, .initializer = Pattern});
    if (as_loop) return layers::DynamicRnn(g, cell, x, options);
    layers::StaticRnnResult rnn = layers::StaticRnn(g, cell, Unstack(x, 3, 1), options);
    return {.outputs = rnn.outputs.empty() ? Output() : Stack(rnn.outputs, 1), .state = rnn.state};
  }
};

TEST_P(Cells, GiveTheSameLaidOutAndAsALoop) {
  for (const bool with_lengths : {false, true}) {
    Graph g;
    const Output x = Placeholder(g, {.dtype = DT_DOUBLE, .shape = {-1, 3, 2}, .name = "x"});
    layers::RnnOptions options;
    if (with_lengths) options.sequence_length = Const(g, Tensor::Vector<int32_t>({3, 1}));
    const layers::RnnCellPtr cell = GetParam().make();
    std::vector<Output> fetches;
    std::vector<std::string> names;
    for (const bool as_loop : {true, false}) {
      const layers::RnnResult rnn = Unroll(g, cell, x, as_loop, options);
      ASSERT_TRUE(g.status().ok()) << g.status();
      Output loss = Sum(Square(rnn.outputs));
      for (Output state : rnn.state) loss = loss + Sum(Sin(state));
      std::vector<Output> xs = {x};
      for (const Variable* variable : g.variables(kTrainableVariables)) xs.push_back(variable->ref());
      const std::vector<Output> gradients = Gradients({loss}, xs);
      ASSERT_TRUE(g.status().ok()) << g.status();
      fetches.push_back(rnn.outputs);
      fetches.push_back(loss);
      fetches.insert(fetches.end(), rnn.state.begin(), rnn.state.end());
      fetches.insert(fetches.end(), gradients.begin(), gradients.end());
    }
    for (const Variable* variable : g.variables(kTrainableVariables)) names.push_back(variable->name());
    EXPECT_EQ(names, GetParam().variables);
    Session session(g);
    ASSERT_TRUE(session.Initialize().ok());
    const auto got = session.Run({{x, InputValue()}}, fetches);
    ASSERT_TRUE(got.ok()) << got.status();
    const size_t half = fetches.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      EXPECT_TRUE(TensorsNear((*got)[i], (*got)[half + i], 1e-12)) << fetches[i].name();
    }
    if (!with_lengths && GetParam().want.valid()) {
      EXPECT_TRUE(TensorsNear((*got)[0], GetParam().want, 1e-8));
    }
    if (with_lengths) {
      for (int64_t k = (*got)[0].num_elements() * 2 / 3; k < (*got)[0].num_elements(); ++k) {
        EXPECT_EQ((*got)[0].data<double>()[k], 0) << "behind the end of the second sequence";
      }
    }
    // The gradient by x against differences.
    const Tensor& dx = (*got)[2 + cell->state_sizes().size()];
    for (int64_t i = 0; i < dx.num_elements(); ++i) {
      double side[2];
      for (int k = 0; k < 2; ++k) {
        Tensor moved = InputValue();
        moved.data<double>()[i] += k == 0 ? -1e-6 : 1e-6;
        side[k] = session.Run({{x, moved}}, fetches[1])->scalar<double>();
      }
      EXPECT_NEAR(dx.data<double>()[i], (side[1] - side[0]) / 2e-6, 1e-8) << i;
    }
  }
}

Tensor Want(std::initializer_list<double> values, int64_t units = 2) {
  return Tensor::Of<double>({2, 3, units}, values);
}

INSTANTIATE_TEST_SUITE_P(
    All, Cells,
    testing::Values(
        CellCase{"Basic",
                 [] { return layers::BasicRNNCell({.num_units = 2}); },
                 {"rnn/basic_rnn_cell/kernel", "rnn/basic_rnn_cell/bias"},
                 Want({0.1367947856, 0.07491865217, -0.1139628843, 0.07344106725, 0.002267022957, -0.06899385854,
                       0.1362983689, 0.04534766666, -0.0878781486, 0.08675836752, -0.03516617439, -0.0596814217})},
        CellCase{"GRU",
                 [] { return layers::GRUCell({.num_units = 2}); },
                 {"rnn/gru_cell/gates/kernel", "rnn/gru_cell/gates/bias", "rnn/gru_cell/candidate/kernel",
                  "rnn/gru_cell/candidate/bias"},
                 Want({0.03482311339, 0.02064355253, 0.0009664234067, 0.03192417509, -0.01758241735, -0.003150252827,
                       0.03417670952, 0.01217017835, 0.01059928308, 0.03343259545, -0.01974789269, -0.00116048493})},
        CellCase{"BasicLSTM",
                 [] { return layers::BasicLSTMCell({.num_units = 2}); },
                 {"rnn/basic_lstm_cell/kernel", "rnn/basic_lstm_cell/bias"},
                 Want({-0.01735441079, -0.04317609661, 0.01500924828, -0.000514220794, -0.001287135482, 0.01250427975,
                       -0.02713836271, -0.04574725707, 0.008007560272, -0.01275083134, 0.000628754877, 0.01242678547})},
        CellCase{"LSTMWithPeepholes",
                 [] {
                   return layers::LSTMCell(
                       {.num_units = 2, .use_peepholes = true, .cell_clip = 0.1, .forget_bias = 0.5});
                 },
                 {"rnn/lstm_cell/kernel", "rnn/lstm_cell/bias", "rnn/lstm_cell/w_f_diag", "rnn/lstm_cell/w_i_diag",
                  "rnn/lstm_cell/w_o_diag"},
                 Want({-0.01724539024, -0.04242575823, 0.01672206995, 0.003912139143, -0.001342257179, 0.01570942278,
                       -0.02687601537, -0.04489185677, 0.01063577029, -0.007663906537, 0.002079152046, 0.01715973304})},
        CellCase{
            "LSTMWithProjection",
            [] { return layers::LSTMCell({.num_units = 2, .num_proj = 3, .proj_clip = 0.05}); },
            {"rnn/lstm_cell/kernel", "rnn/lstm_cell/bias", "rnn/lstm_cell/projection/kernel"},
            Want({0.009036272258, 0.01281114303, 0.004807507978, 0.007111056238, 0.007391060856, 0.0008757582083,
                  -0.004093391809, -0.005498500841, -0.001848313558, 0.005892746756, 0.009595655964, 0.004476363331,
                  0.008604904736, 0.00980534872, 0.00199080031, -0.003206458846, -0.004659153121, -0.001828243504},
                 3)},
        CellCase{
            "Multi",
            [] {
              return layers::MultiRNNCell(
                  {layers::BasicRNNCell({.num_units = 2}), layers::BasicLSTMCell({.num_units = 2})});
            },
            {"rnn/multi_rnn_cell/cell_0/basic_rnn_cell/kernel", "rnn/multi_rnn_cell/cell_0/basic_rnn_cell/bias",
             "rnn/multi_rnn_cell/cell_1/basic_lstm_cell/kernel", "rnn/multi_rnn_cell/cell_1/basic_lstm_cell/bias"},
            Want({-0.007452386339, -0.0188220216, -0.01867430738, -0.009079346028, -0.006375947466, -0.004862176453,
                  -0.003472994169, -0.01679916432, -0.01687098718, -0.0103311769, -0.006997942542, -0.002676599177})},
        CellCase{"BatchNormLSTM",
                 [] { return layers::BatchNormLSTMCell({.num_units = 2, .training = true, .max_steps = 2}); },
                 {"rnn/batch_norm_lstm_cell/input/kernel", "rnn/batch_norm_lstm_cell/state/kernel",
                  "rnn/batch_norm_lstm_cell/bias", "rnn/batch_norm_lstm_cell/cell/beta",
                  "rnn/batch_norm_lstm_cell/input/gamma", "rnn/batch_norm_lstm_cell/state/gamma",
                  "rnn/batch_norm_lstm_cell/cell/gamma"},
                 Tensor()}),
    [](const auto& info) { return info.param.name; });

// The moving averages of a batch-normalized cell: what each step's statistics are, and who moves them.
TEST(BatchNormLSTMCell, UpdatesItsAveragesOnceForAllSteps) {
  for (const int64_t max_steps : {1, 2, 5}) {
    std::vector<Tensor> after[2];
    for (const bool as_loop : {false, true}) {
      Graph g;
      const Output x = Placeholder(g, {.dtype = DT_DOUBLE, .shape = {2, 3, 2}, .name = "x"});
      const Output training = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "training"});
      const VariableScope scope(g, "", {.initializer = Pattern});
      const auto cell =
          layers::BatchNormLSTMCell({.num_units = 2, .training = training, .max_steps = max_steps, .momentum = 0.5});
      Output y;
      if (as_loop) {
        y = layers::DynamicRnn(g, cell, x).outputs;
      } else {
        y = Stack(layers::StaticRnn(g, cell, Unstack(x, 3, 1)).outputs, 1);
      }
      ASSERT_TRUE(g.status().ok()) << g.status();
      const std::vector<CollectionItem>& updates = g.collection(kUpdateOps);
      ASSERT_EQ(updates.size(), 6u);
      std::vector<Output> averages;
      for (const Variable& v : g.variables()) {
        if (!v.trainable) averages.push_back(v.snapshot);
      }
      ASSERT_EQ(averages.size(), 6u);
      EXPECT_EQ(averages[0].shape(), Shape({max_steps, 8}));
      Session session(g);
      ASSERT_TRUE(session.Initialize().ok());
      const std::vector<Tensor> before = *session.Run({}, averages);
      const std::vector<Operation> all(updates.begin(), updates.end());
      ASSERT_TRUE(session.Run({{x, InputValue()}, {training, false}}, {y}, all).ok());
      std::vector<Tensor> now = *session.Run({}, averages);
      for (size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(BitwiseEqual(now[i], before[i])) << "inference moves nothing";
      const auto trained = session.Run({{x, InputValue()}, {training, true}}, {y}, all);
      ASSERT_TRUE(trained.ok()) << trained.status();
      after[as_loop] = *session.Run({}, averages);
      after[as_loop].push_back((*trained)[0]);
      // Inference with the averages.
      after[as_loop].push_back(*session.Run({{x, InputValue()}, {training, false}}, y));
      // The state enters as zeros: its first mean is 0, and the average's row moves half of the way to it.
      if (max_steps > 1) {
        EXPECT_EQ(after[as_loop][2].data<double>()[0], 0);
      }
      if (max_steps == 5) {
        EXPECT_EQ(after[as_loop][1].data<double>()[3 * 8], 1) << "the row of a step that never came";
        EXPECT_NE(after[as_loop][1].data<double>()[2 * 8], 1);
      }
    }
    for (size_t i = 0; i < after[0].size(); ++i) {
      EXPECT_TRUE(TensorsNear(after[1][i], after[0][i], 1e-12)) << i << " with " << max_steps;
    }
  }
}

TEST(BidirectionalDynamicRnn, RunsOneCellBackwards) {
  Graph g;
  const VariableScope scope(g, "", {.initializer = Pattern});
  const Output x = Placeholder(g, {.dtype = DT_DOUBLE, .shape = {2, -1, 2}, .name = "x"});
  const layers::BidirectionalRnnResult rnn =
      layers::BidirectionalDynamicRnn(g, layers::BasicRNNCell({.num_units = 2}), layers::BasicRNNCell({.num_units = 2}),
                                      x, {.sequence_length = Const(g, Tensor::Vector<int32_t>({2, 3}))});
  ASSERT_TRUE(g.status().ok()) << g.status();
  EXPECT_EQ(g.variables()[0].name(), "bidirectional_rnn/fw/basic_rnn_cell/kernel");
  EXPECT_EQ(g.variables()[2].name(), "bidirectional_rnn/bw/basic_rnn_cell/kernel");
  EXPECT_EQ(rnn.backward.outputs.shape(), Shape({2, -1, 2}));
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const auto got = session.Run({{x, InputValue()}}, {rnn.forward.outputs, rnn.backward.outputs, rnn.backward.state[0]});
  ASSERT_TRUE(got.ok()) << got.status();
  // The backward cell's state is its output at the first step, and its first step is the sequence's last.
  for (int row = 0; row < 2; ++row) {
    for (int k = 0; k < 2; ++k) {
      EXPECT_EQ((*got)[2].data<double>()[2 * row + k], (*got)[1].data<double>()[6 * row + k]);
    }
  }
  const Tensor input = InputValue();
  const double* last = input.data<double>() + 10;
  EXPECT_NEAR((*got)[1].data<double>()[10], std::tanh(last[0] * 0.5 * std::sin(1.0) + last[1] * 0.5 * std::sin(3.0)),
              1e-12);
  EXPECT_EQ((*got)[1].data<double>()[4], 0);
}

TEST(DropoutWrapper, DropsInTrainingAlone) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, -1, 2}, .name = "x"});
  const Output training = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "training"});
  const auto cell = layers::DropoutWrapper(layers::BasicRNNCell({.num_units = 64}),
                                           {.output_keep_prob = 0.5, .training = training, .seed = 3});
  const Output y = layers::DynamicRnn(g, cell, x).outputs;
  const Output dx = Gradients({y}, {x})[0];
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  const Tensor value = Tensor::Of<float>({1, 2, 2}, {1, 2, 3, 4});
  for (const bool is_training : {false, true}) {
    const auto got = session.Run({{x, value}, {training, is_training}}, {y, dx});
    ASSERT_TRUE(got.ok()) << got.status();
    int zeros = 0;
    for (float v : (*got)[0].flat<float>()) zeros += v == 0;
    if (is_training) {
      EXPECT_GT(zeros, 30);
      EXPECT_LT(zeros, 98);
    } else {
      EXPECT_EQ(zeros, 0);
    }
  }
}

// An LSTM learns to tell whether the first and the last bit of a sequence agree.
TEST(DynamicRnn, Learns) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, -1, 1}, .name = "x"});
  const Output labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 1}, .name = "labels"});
  const layers::RnnResult rnn = layers::DynamicRnn(g, layers::LSTMCell({.num_units = 8}), x);
  const Output logits = layers::Dense(g, rnn.state[1], {.units = 1});
  const Output loss = Mean(SigmoidCrossEntropyWithLogits(logits, labels));
  const Operation train = train::Adam(g, {.learning_rate = 0.05}).Minimize(loss);
  ASSERT_TRUE(g.status().ok()) << g.status();
  std::vector<float> bits, agree;
  for (int row = 0; row < 32; ++row) {
    for (int t = 0; t < 5; ++t) bits.push_back((row >> t) % 2 == 0 ? -1.0f : 1.0f);
    agree.push_back(row % 2 == (row >> 4) % 2 ? 1.0f : 0.0f);
  }
  Session session(g);
  ASSERT_TRUE(session.Initialize().ok());
  float last = 0;
  for (int step = 0; step < 150; ++step) {
    const auto got = session.Run(
        {{x, Tensor::Of<float>({32, 5, 1}, bits)}, {labels, Tensor::Of<float>({32, 1}, agree)}}, {loss}, {train});
    ASSERT_TRUE(got.ok()) << got.status();
    last = (*got)[0].scalar<float>();
  }
  EXPECT_LT(last, 0.05);
}

struct ErrorCase {
  const char* name;
  std::function<void(Graph& g, Output x)> build;  // x: float[2,3,4]
  const char* message;
};

class RnnErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(RnnErrors, AreReported) {
  Graph g;
  GetParam().build(g, Placeholder(g, {.dtype = DT_FLOAT, .shape = {2, 3, 4}, .name = "x"}));
  EXPECT_EQ(g.status().code(), absl::StatusCode::kInvalidArgument) << g.status();
  EXPECT_THAT(std::string(g.status().message()), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, RnnErrors,
    testing::Values(
        ErrorCase{"rank",
                  [](Graph& g, Output x) {
                    layers::DynamicRnn(g, layers::GRUCell({.num_units = 2}), Reshape(x, {6, 4}));
                  },
                  "the inputs are float[6,4], expected floating numbers of rank 3"},
        ErrorCase{"units", [](Graph& g, Output x) { layers::DynamicRnn(g, layers::GRUCell({}), x); },
                  "(layers_recurrent_test.cc:"},
        ErrorCase{"cell", [](Graph& g, Output x) { layers::DynamicRnn(g, nullptr, x); }, "there is no cell"},
        ErrorCase{"lengths",
                  [](Graph& g, Output x) {
                    layers::DynamicRnn(g, layers::GRUCell({.num_units = 2}), x, {.sequence_length = Const(g, 3.0f)});
                  },
                  ".sequence_length is float[], expected one integer per sequence"},
        ErrorCase{"state",
                  [](Graph& g, Output x) {
                    layers::DynamicRnn(g, layers::LSTMCell({.num_units = 2}), x,
                                       {.initial_state = {Zeros(g, DT_FLOAT, {2, 2})}});
                  },
                  ".initial_state has 1 tensors, the cell's has 2"},
        ErrorCase{"stateSize",
                  [](Graph& g, Output x) {
                    layers::DynamicRnn(g, layers::GRUCell({.num_units = 2}), x,
                                       {.initial_state = {Zeros(g, DT_FLOAT, {2, 3})}});
                  },
                  "the state does not have the cell's sizes"},
        ErrorCase{"noSteps", [](Graph& g, Output) { layers::StaticRnn(g, layers::GRUCell({.num_units = 2}), {}); },
                  "the inputs are no matrices"},
        ErrorCase{"maxSteps",
                  [](Graph& g, Output x) {
                    layers::DynamicRnn(g, layers::BatchNormLSTMCell({.num_units = 2, .max_steps = 0}), x);
                  },
                  ".max_steps is 0"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace staticflow
