// The cells of recurrent networks.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/layers/recurrent_cell.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"

namespace staticflow::layers {
namespace {

// [x, h] kernel + bias.
Output Linear(Output x, Output h, const Variable& kernel, const Variable& bias) {
  return BiasAdd(MatMul(Concat({{x, h}}, 1), kernel.snapshot), bias.snapshot);
}
Output Clip(Output x, double limit) { return limit > 0 ? ClipByValue(x, -limit, limit) : x; }

class BasicRnn : public WeightedCell {
 public:
  explicit BasicRnn(const BasicRNNCellOptions& options)
      : WeightedCell("BasicRNNCell", "basic_rnn_cell", options.name, options.num_units, options.where),
        options_(options) {}
  std::vector<int64_t> state_sizes() const override { return {num_units_}; }
  int64_t output_size() const override { return num_units_; }

 private:
  void MakeWeights(const LayerScope& layer, DataType dtype, int64_t input_size) override {
    kernel_ = Matrix(layer, "kernel", dtype, input_size + num_units_, num_units_, options_.kernel_initializer);
    bias_ = Vector(layer, "bias", dtype, num_units_, 0);
  }
  RnnStep Compute(Graph&, Output input, const RnnState& state, Output) override {
    const Output output = options_.activation(Linear(input, state[0], kernel_, bias_));
    return {.output = output, .state = {output}};
  }

  const BasicRNNCellOptions options_;
  Variable kernel_, bias_;
};

class Gru : public WeightedCell {
 public:
  explicit Gru(const GRUCellOptions& options)
      : WeightedCell("GRUCell", "gru_cell", options.name, options.num_units, options.where), options_(options) {}
  std::vector<int64_t> state_sizes() const override { return {num_units_}; }
  int64_t output_size() const override { return num_units_; }

 private:
  void MakeWeights(const LayerScope& layer, DataType dtype, int64_t input_size) override {
    const int64_t rows = input_size + num_units_;
    gates_kernel_ = Matrix(layer, "gates/kernel", dtype, rows, 2 * num_units_, options_.kernel_initializer);
    gates_bias_ = Vector(layer, "gates/bias", dtype, 2 * num_units_, 1);
    kernel_ = Matrix(layer, "candidate/kernel", dtype, rows, num_units_, options_.kernel_initializer);
    bias_ = Vector(layer, "candidate/bias", dtype, num_units_, 0);
  }
  RnnStep Compute(Graph&, Output input, const RnnState& state, Output) override {
    const Output h = state[0];
    const std::vector<Output> gates = Split(Sigmoid(Linear(input, h, gates_kernel_, gates_bias_)), 2, 1);
    if (gates.size() != 2) return {};
    const Output r = gates[0], u = gates[1];
    const Output candidate = options_.activation(Linear(input, r * h, kernel_, bias_));
    const Output next = u * h + (1 - u) * candidate;
    return {.output = next, .state = {next}};
  }
  const GRUCellOptions options_;
  Variable gates_kernel_, gates_bias_, kernel_, bias_;
};

class Lstm : public WeightedCell {
 public:
  Lstm(std::string kind, std::string default_name, const LSTMCellOptions& options)
      : WeightedCell(std::move(kind), std::move(default_name), options.name, options.num_units, options.where),
        options_(options) {}
  std::vector<int64_t> state_sizes() const override { return {num_units_, output_size()}; }
  int64_t output_size() const override { return options_.num_proj > 0 ? options_.num_proj : num_units_; }

 private:
  void MakeWeights(const LayerScope& layer, DataType dtype, int64_t input_size) override {
    kernel_ = Matrix(layer, "kernel", dtype, input_size + output_size(), 4 * num_units_, options_.initializer);
    bias_ = Vector(layer, "bias", dtype, 4 * num_units_, 0);
    if (options_.use_peepholes) {
      const auto diagonal = [&](const char* name) {
        return layer.Weight(name, {.dtype = dtype, .shape = {num_units_}, .initializer = options_.initializer});
      };
      w_f_ = diagonal("w_f_diag");
      w_i_ = diagonal("w_i_diag");
      w_o_ = diagonal("w_o_diag");
    }
    if (options_.num_proj > 0) {
      projection_ = Matrix(layer, "projection/kernel", dtype, num_units_, options_.num_proj, options_.initializer);
    }
  }
  RnnStep Compute(Graph&, Output input, const RnnState& state, Output) override {
    const Output c = state[0];
    const std::vector<Output> parts = Split(Linear(input, state[1], kernel_, bias_), 4, 1);
    if (parts.size() != 4) return {};
    const auto peep = [&](Output gate, const Variable& diagonal, Output at) {
      return options_.use_peepholes ? gate + diagonal.snapshot * at : gate;
    };
    const Output i = Sigmoid(peep(parts[0], w_i_, c)), f = Sigmoid(peep(parts[2] + options_.forget_bias, w_f_, c));
    const Output next = Clip(f * c + i * options_.activation(parts[1]), options_.cell_clip);
    Output h = Sigmoid(peep(parts[3], w_o_, next)) * options_.activation(next);
    if (options_.num_proj > 0) h = Clip(MatMul(h, projection_.snapshot), options_.proj_clip);
    return {.output = h, .state = {next, h}};
  }
  const LSTMCellOptions options_;
  Variable kernel_, bias_, w_f_, w_i_, w_o_, projection_;
};

class Multi : public RnnCell {
 public:
  explicit Multi(std::vector<RnnCellPtr> cells) : cells_(std::move(cells)) {}
  std::vector<int64_t> state_sizes() const override {
    std::vector<int64_t> sizes;
    for (const RnnCellPtr& cell : cells_) {
      for (int64_t size : cell->state_sizes()) sizes.push_back(size);
    }
    return sizes;
  }
  int64_t output_size() const override { return cells_.empty() ? 0 : cells_.back()->output_size(); }
  int num_statistics() const override {
    int n = 0;
    for (const RnnCellPtr& cell : cells_) n += cell->num_statistics();
    return n;
  }
  RnnStep Call(Graph& g, Output input, const RnnState& state, Output time) override {
    const VariableScope scope(g, "multi_rnn_cell");
    RnnStep all{.output = input};
    size_t next = 0;
    for (size_t i = 0; i < cells_.size(); ++i) {
      const VariableScope inner(g, absl::StrCat("cell_", i));
      const size_t count = cells_[i]->state_sizes().size();
      if (next + count > state.size()) return {};
      RnnStep step = cells_[i]->Call(g, all.output, {state.begin() + next, state.begin() + next + count}, time);
      next += count;
      all.output = step.output;
      all.state.insert(all.state.end(), step.state.begin(), step.state.end());
      all.statistics.insert(all.statistics.end(), step.statistics.begin(), step.statistics.end());
      if (!step.output.valid()) return {};
    }
    return all;
  }
  void MakeUpdates(Graph& g, const std::vector<Output>& statistics) override {
    size_t next = 0;
    for (const RnnCellPtr& cell : cells_) {
      const size_t count = static_cast<size_t>(cell->num_statistics());
      cell->MakeUpdates(g, {statistics.begin() + next, statistics.begin() + next + count});
      next += count;
    }
  }

 private:
  std::vector<RnnCellPtr> cells_;
};

class WithDropout : public RnnCell {
 public:
  WithDropout(RnnCellPtr cell, const DropoutWrapperOptions& options) : cell_(std::move(cell)), options_(options) {}
  std::vector<int64_t> state_sizes() const override { return cell_->state_sizes(); }
  int64_t output_size() const override { return cell_->output_size(); }
  int num_statistics() const override { return cell_->num_statistics(); }
  void MakeUpdates(Graph& g, const std::vector<Output>& statistics) override { cell_->MakeUpdates(g, statistics); }
  RnnStep Call(Graph& g, Output input, const RnnState& state, Output time) override {
    RnnStep step = cell_->Call(g, Drop(input, options_.input_keep_prob), state, time);
    step.output = Drop(step.output, options_.output_keep_prob);
    for (size_t i = 0; i < step.state.size(); ++i) {
      const bool is_c = step.state.size() == 2 && i == 0;
      if (!is_c) step.state[i] = Drop(step.state[i], options_.state_keep_prob);
    }
    return step;
  }

 private:
  Output Drop(Output x, double keep) const {
    if (keep >= 1 || !x.valid()) return x;
    return options_.training.Choose(
        [&]() -> Output { return staticflow::Dropout(x, {.rate = 1 - keep, .seed = options_.seed}); },
        [&]() -> Output { return x; });
  }
  RnnCellPtr cell_;
  const DropoutWrapperOptions options_;
};

}  // namespace

RnnState RnnCell::ZeroState(Graph& g, Output input) const {
  RnnState state;
  if (!input.valid()) return state;
  const NameScope scope(g, "ZeroState");
  const int64_t batch = input.shape().dim(0);
  for (int64_t size : state_sizes()) {
    if (batch >= 0) {
      state.push_back(Zeros(g, input.dtype(), {batch, size}));
      continue;
    }
    const Output rows = Slice(ShapeOf(input), {0}, {1});
    const Output dims = Concat({{rows, Const(g, Tensor::Vector<int32_t>({static_cast<int32_t>(size)}))}}, 0);
    state.push_back(Fill(dims, Cast(Const(g, 0.0f), input.dtype())));
  }
  return state;
}

bool WeightedCell::Check(const LayerScope& layer, Output input, const RnnState& state) const {
  if (!layer.Accepts(input, 2, 2)) return false;
  if (num_units_ < 1) return layer.Fail(absl::StrCat(".num_units is ", num_units_, ", expected at least 1")).valid();
  if (input.shape().dim(1) < 0) {
    return layer.Fail(absl::StrCat("the input has shape ", input.shape().ToString(), ", expected known columns"))
        .valid();
  }
  const std::vector<int64_t> sizes = state_sizes();
  bool fits = state.size() == sizes.size();
  for (size_t i = 0; i < sizes.size() && fits; ++i) {
    fits = state[i].valid() && state[i].shape().IsCompatibleWith(Shape({input.shape().dim(0), sizes[i]}));
  }
  return fits || layer.Fail("the state does not have the cell's sizes").valid();
}

RnnStep WeightedCell::Call(Graph& g, Output input, const RnnState& state, Output time) {
  if (graph_ != nullptr) {
    if (graph_ != &g || !g.status().ok()) return {};
    const NameScope scope(g, name_.empty() ? default_name_ : name_);
    return Compute(g, input, state, time);
  }
  const LayerScope layer(g, {kind_, default_name_, name_, Reuse::kInherit, where_});
  if (!Check(layer, input, state)) return {};
  {
    const ControlDependencies outside(g, ControlDependencies::kClear);
    MakeWeights(layer, input.dtype(), input.shape().dim(1));
  }
  if (!g.status().ok()) return {};
  graph_ = &g;
  return Compute(g, input, state, time);
}

Variable WeightedCell::Matrix(const LayerScope& layer, absl::string_view name, DataType dtype, int64_t rows,
                              int64_t columns, const Initializer& initializer) {
  return layer.Weight(name, {.dtype = dtype, .shape = {rows, columns}, .initializer = initializer});
}

Variable WeightedCell::Vector(const LayerScope& layer, absl::string_view name, DataType dtype, int64_t size,
                              double value) {
  return layer.Weight(name, {.dtype = dtype, .shape = {size}, .initializer = initializers::Constant(value)});
}

RnnCellPtr BasicRNNCell(const BasicRNNCellOptions& options) { return std::make_shared<BasicRnn>(options); }
RnnCellPtr GRUCell(const GRUCellOptions& options) { return std::make_shared<Gru>(options); }
RnnCellPtr LSTMCell(const LSTMCellOptions& options) { return std::make_shared<Lstm>("LSTMCell", "lstm_cell", options); }
RnnCellPtr BasicLSTMCell(const BasicLSTMCellOptions& options) {
  return std::make_shared<Lstm>("BasicLSTMCell", "basic_lstm_cell",
                                LSTMCellOptions{.num_units = options.num_units,
                                                .forget_bias = options.forget_bias,
                                                .activation = options.activation,
                                                .name = options.name,
                                                .where = options.where});
}
RnnCellPtr MultiRNNCell(std::vector<RnnCellPtr> cells) { return std::make_shared<Multi>(std::move(cells)); }
RnnCellPtr DropoutWrapper(RnnCellPtr cell, const DropoutWrapperOptions& options) {
  return std::make_shared<WithDropout>(std::move(cell), options);
}

}  // namespace staticflow::layers
