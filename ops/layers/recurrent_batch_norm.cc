// An LSTM with batch normalization inside.
//
// The statistics of a step are the batch's. They leave the cell beside its output, so that the moving averages can be
// updated once, outside of the loop that runs the steps.
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/array_index.h"
#include "ops/layers/recurrent_cell.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/nn_composition.h"

namespace staticflow::layers {
namespace {

// One normalization: its scale, its averages (a row per time step), and how it is applied.
class StepNormalization {
 public:
  StepNormalization(const BatchNormLSTMCellOptions& options) : options_(options) {}  // NOLINT

  void MakeWeights(const LayerScope& layer, const std::string& prefix, DataType dtype, int64_t size) {
    const auto make = [&](absl::string_view name, const Shape& shape, double value, bool trainable) {
      return layer.Weight(
          prefix + std::string(name),
          {.dtype = dtype, .shape = shape, .initializer = initializers::Constant(value), .trainable = trainable});
    };
    gamma_ = make("gamma", {size}, options_.gamma, true);
    mean_ = make("moving_mean", {options_.max_steps, size}, 0, false);
    variance_ = make("moving_variance", {options_.max_steps, size}, 1, false);
  }

  // gamma (x - mean) / sqrt(variance + epsilon) (+ offset); the statistics join `step`.
  Output Apply(Output x, Output offset, Output time, RnnStep& step) const {
    const auto moving = [&]() -> std::vector<Output> {
      const Output row =
          options_.max_steps == 1 ? Const(x.graph(), 0) : Minimum(time, static_cast<int>(options_.max_steps - 1));
      return {Gather(mean_.snapshot, row), Gather(variance_.snapshot, row)};
    };
    const auto of_batch = [&]() -> std::vector<Output> {
      const MomentsResult batch = Moments(x, {0});
      return {batch.mean, batch.variance};
    };
    const std::vector<Output> statistics = options_.training.Choose(of_batch, moving);
    if (statistics.size() != 2 || !statistics[0].valid() || !statistics[1].valid()) return Output();
    step.statistics.insert(step.statistics.end(), statistics.begin(), statistics.end());
    return staticflow::BatchNormalization(x, statistics[0], statistics[1], offset, gamma_.snapshot, options_.epsilon);
  }

  void MakeUpdates(Graph& g, Output means, Output variances) const {
    if (options_.training.known() == false) return;
    for (const auto& [moving, statistics] : {std::pair(mean_, means), std::pair(variance_, variances)}) {
      const Variable& average = moving;
      const Output values = statistics;
      const Output update = options_.training.Choose([&]() -> Output { return Move(average, values); },
                                                     [&]() -> Output { return average.snapshot; });
      if (!update.valid()) return;
      const bool is_resource_write = average.is_resource && options_.training.known().has_value();
      g.AddToCollection(kUpdateOps, Operation(is_resource_write ? update.node()->control_inputs()[0] : update.node()));
    }
  }

 private:
  // moving -= (moving - statistics) (1 - momentum), by rows; rows of steps that did not come stay.
  Output Move(const Variable& moving, Output statistics) const {
    Graph& g = statistics.graph();
    const NameScope scope(g, "AssignMovingAvg");
    const Output decay = Cast(Const(g, static_cast<float>(1 - options_.momentum)), moving.dtype);
    if (options_.max_steps == 1) {
      const Output mean = Mean(statistics, {0}, {.keep_dims = true});
      return AssignSub(moving.ref(), (moving.snapshot - mean) * decay);
    }
    const int64_t rows = options_.max_steps, size = moving.shape.dim(1);
    const Output steps = StridedSlice(ShapeOf(statistics), {0}, {1}, {}, {.shrink_axis_mask = 1});
    const Output count = Minimum(steps, static_cast<int>(rows));
    const Output seen = StridedSlice(statistics, {0}, ExpandDims(count, 0), {1});
    const Output kept = StridedSlice(moving.snapshot, {0}, ExpandDims(count, 0), {1});
    const Output indices = ExpandDims(Range(0, count, 1), 1);
    return AssignSub(moving.ref(), ScatterNd(indices, (kept - seen) * decay, {rows, size}));
  }

  const BatchNormLSTMCellOptions& options_;
  Variable gamma_, mean_, variance_;
};

class BatchNormLstm : public WeightedCell {
 public:
  explicit BatchNormLstm(const BatchNormLSTMCellOptions& options)
      : WeightedCell("BatchNormLSTMCell", "batch_norm_lstm_cell", options.name, options.num_units, options.where),
        options_(options) {}
  std::vector<int64_t> state_sizes() const override { return {num_units_, num_units_}; }
  int64_t output_size() const override { return num_units_; }
  int num_statistics() const override { return 6; }
  void MakeUpdates(Graph& g, const std::vector<Output>& statistics) override {
    const StepNormalization* parts[] = {&of_input_, &of_state_, &of_cell_};
    for (size_t k = 0; k < 3; ++k) parts[k]->MakeUpdates(g, statistics[2 * k], statistics[2 * k + 1]);
  }

 private:
  void MakeWeights(const LayerScope& layer, DataType dtype, int64_t input_size) override {
    if (options_.max_steps < 1 || options_.max_steps > (int64_t{1} << 20)) {
      layer.Fail(absl::StrCat(".max_steps is ", options_.max_steps, ", expected at least 1"));
      return;
    }
    if (!(options_.momentum >= 0 && options_.momentum <= 1)) {
      layer.Fail(absl::StrCat(".momentum is ", options_.momentum, ", expected a number in [0, 1]"));
      return;
    }
    input_kernel_ = Matrix(layer, "input/kernel", dtype, input_size, 4 * num_units_, nullptr);
    state_kernel_ = Matrix(layer, "state/kernel", dtype, num_units_, 4 * num_units_, nullptr);
    bias_ = Vector(layer, "bias", dtype, 4 * num_units_, 0);
    beta_ = Vector(layer, "cell/beta", dtype, num_units_, 0);
    of_input_.MakeWeights(layer, "input/", dtype, 4 * num_units_);
    of_state_.MakeWeights(layer, "state/", dtype, 4 * num_units_);
    of_cell_.MakeWeights(layer, "cell/", dtype, num_units_);
  }
  RnnStep Compute(Graph&, Output input, const RnnState& state, Output time) override {
    RnnStep step;
    const Output from_input = of_input_.Apply(MatMul(input, input_kernel_.snapshot), bias_.snapshot, time, step);
    const Output from_state = of_state_.Apply(MatMul(state[1], state_kernel_.snapshot), Output(), time, step);
    const std::vector<Output> parts = Split(from_input + from_state, 4, 1);
    if (parts.size() != 4) return {};
    const Output c = Sigmoid(parts[2] + options_.forget_bias) * state[0] + Sigmoid(parts[0]) * Tanh(parts[1]);
    step.output = Sigmoid(parts[3]) * Tanh(of_cell_.Apply(c, beta_.snapshot, time, step));
    step.state = {c, step.output};
    return step;
  }

  const BatchNormLSTMCellOptions options_;
  Variable input_kernel_, state_kernel_, bias_, beta_;
  StepNormalization of_input_{options_}, of_state_{options_}, of_cell_{options_};
};

}  // namespace

RnnCellPtr BatchNormLSTMCell(const BatchNormLSTMCellOptions& options) {
  return std::make_shared<BatchNormLstm>(options);
}

}  // namespace staticflow::layers
