// Recurrent networks over all time steps: as a loop, laid out, and in both directions.
#include "absl/strings/str_cat.h"
#include "graph/source_line.h"
#include "ops/array.h"
#include "ops/array_layout.h"
#include "ops/control_flow_while.h"
#include "ops/layers/layer_scope.h"
#include "ops/layers/recurrent.h"
#include "ops/math.h"
#include "ops/tensor_array.h"

namespace staticflow::layers {
namespace {

void Fail(Graph& g, absl::string_view kind, const RnnOptions& options, absl::string_view message) {
  const SourceLine line = LineOf(options.where);
  g.RecordError(absl::InvalidArgumentError(
      absl::StrCat(kind, " '", options.name, "' (", line.file, ":", line.line, "): ", message)));
}

bool CheckOptions(Graph& g, absl::string_view kind, const RnnCellPtr& cell, const RnnOptions& options) {
  if (!g.status().ok()) return false;
  if (cell == nullptr) {
    Fail(g, kind, options, "there is no cell");
    return false;
  }
  const Output lengths = options.sequence_length;
  if (lengths.valid() && (!IsInteger(lengths.dtype()) || !lengths.shape().IsCompatibleWith(Shape({-1})))) {
    Fail(g, kind, options,
         absl::StrCat(".sequence_length is ", DataTypeName(lengths.dtype()), lengths.shape().ToString(),
                      ", expected one integer per sequence"));
    return false;
  }
  if (!options.initial_state.empty() && options.initial_state.size() != cell->state_sizes().size()) {
    Fail(g, kind, options,
         absl::StrCat(".initial_state has ", options.initial_state.size(), " tensors, the cell's has ",
                      cell->state_sizes().size()));
    return false;
  }
  return true;
}

// What a sequence that is over gives: the output zero, the state as it was.
RnnStep Masked(RnnStep step, const RnnState& before, Output over) {
  if (!over.valid() || !step.output.valid()) return step;
  step.output = Select(over, ZerosLike(step.output), step.output);
  for (size_t i = 0; i < step.state.size(); ++i) step.state[i] = Select(over, before[i], step.state[i]);
  return step;
}

Output SwapTime(Output x) {
  std::vector<int64_t> order = {1, 0};
  for (int i = 2; i < x.shape().rank(); ++i) order.push_back(i);
  return Transpose(x, order);
}

// What building knows of a result's shape, which its op does not tell.
void Refine(Output output, const Shape& shape) {
  if (output.valid()) output.node()->MergeOutputShape(output.index(), shape).IgnoreError();
}

// One unrolling as a loop over time-major inputs.
class Loop {
 public:
  Loop(Graph& g, RnnCell& cell, Output inputs, const RnnOptions& options)
      : graph_(g), cell_(cell), inputs_(inputs), options_(options) {}

  RnnResult Run() {
    const Shape& shape = inputs_.shape();
    const Shape row({shape.dim(1), shape.dim(2)}), result({shape.dim(1), cell_.output_size()});
    steps_ = shape.dim(0) >= 0 ? Const(graph_, static_cast<int32_t>(shape.dim(0)), {.name = "Shape"})
                               : StridedSlice(ShapeOf(inputs_), {0}, {1}, {}, {.shrink_axis_mask = 1});
    const Output first_row = shape.dim(1) >= 0 ? Zeros(graph_, inputs_.dtype(), row) : FirstRow();
    RnnState state = options_.initial_state.empty() ? cell_.ZeroState(graph_, first_row) : options_.initial_state;
    if (!steps_.valid() || state.empty()) return {};
    input_array_ = TensorArray::Create(graph_, inputs_.dtype(), steps_, {.element_shape = row}).Unstack(inputs_);
    arrays_.push_back(TensorArray::Create(graph_, inputs_.dtype(), steps_, {.element_shape = result}));
    for (int k = 0; k < cell_.num_statistics(); ++k) {
      arrays_.push_back(TensorArray::Create(graph_, inputs_.dtype(), steps_));
    }
    LoopVariables variables = {Const(graph_, Tensor(int32_t{0}), {.name = "time"})};
    for (const TensorArray& array : arrays_) variables.push_back(array.flow());
    variables.insert(variables.end(), state.begin(), state.end());
    const LoopVariables end = While([&](const LoopVariables& v) { return Less(v[0], steps_); },
                                    [&](const LoopVariables& v) { return Step(v); }, variables,
                                    {.parallel_iterations = options_.parallel_iterations, .where = options_.where});
    if (end.empty()) return {};
    RnnResult rnn{.outputs = arrays_[0].WithFlow(end[1]).Stack(),
                  .state = {end.begin() + 1 + static_cast<int64_t>(arrays_.size()), end.end()}};
    Refine(rnn.outputs, Shape({shape.dim(0)}).Concatenate(result));
    std::vector<Output> statistics;
    for (size_t k = 1; k < arrays_.size(); ++k) statistics.push_back(arrays_[k].WithFlow(end[1 + k]).Stack());
    if (!statistics.empty()) cell_.MakeUpdates(graph_, statistics);
    return rnn;
  }

 private:
  // A matrix with the batch's rows, for a batch whose size only the step tells.
  Output FirstRow() const {
    const Output sizes = Slice(ShapeOf(inputs_), {1}, {2});
    const Output zeros = Fill(sizes, Cast(Const(graph_, 0.0f), inputs_.dtype()));
    Refine(zeros, Shape({-1, inputs_.shape().dim(2)}));
    return zeros;
  }
  LoopVariables Step(const LoopVariables& v) {
    const Output time = v[0];
    const RnnState before(v.begin() + 1 + static_cast<int64_t>(arrays_.size()), v.end());
    const Output input = input_array_.Read(time);
    RnnStep step = cell_.Call(graph_, input, before, time);
    if (!step.output.valid() || step.statistics.size() + 1 != arrays_.size()) return {};
    Output over;
    if (options_.sequence_length.valid())
      over = GreaterEqual(Cast(time, options_.sequence_length.dtype()), options_.sequence_length);
    step = Masked(std::move(step), before, over);
    LoopVariables next = {time + 1};
    for (size_t k = 0; k < arrays_.size(); ++k) {
      TensorArray written = arrays_[k].WithFlow(v[1 + k]).Write(time, k == 0 ? step.output : step.statistics[k - 1]);
      next.push_back(written.flow());
      arrays_[k] = written;  // knows the elements' shape
    }
    for (size_t i = 0; i < step.state.size(); ++i) {
      Refine(step.state[i], before[i].shape());
      next.push_back(step.state[i]);
    }
    return next;
  }

  Graph& graph_;
  RnnCell& cell_;
  const Output inputs_;
  const RnnOptions& options_;
  Output steps_;
  TensorArray input_array_;
  std::vector<TensorArray> arrays_;  // of outputs, and of each statistic
};

absl::string_view NameOr(const std::string& name, absl::string_view fallback) {
  return name.empty() ? fallback : absl::string_view(name);
}

// The steps of each sequence in reverse order; what is behind its end stays.
Output ReverseTime(Output x, const RnnOptions& options) {
  const int time = options.time_major ? 0 : 1;
  if (!options.sequence_length.valid()) return Reverse(x, {time});
  return ReverseSequence(x, options.sequence_length, {.seq_dim = time, .batch_dim = 1 - time});
}

}  // namespace

RnnResult DynamicRnn(Graph& g, RnnCellPtr cell, Output inputs, const RnnOptions& options) {
  const VariableScope scope(g, NameOr(options.name, "rnn"));
  if (!CheckOptions(g, "DynamicRnn", cell, options)) return {};
  if (!inputs.valid() || inputs.shape().rank() != 3 || inputs.shape().dim(2) < 0 || !IsFloating(inputs.dtype())) {
    Fail(g, "DynamicRnn", options,
         inputs.valid() ? absl::StrCat("the inputs are ", DataTypeName(inputs.dtype()), inputs.shape().ToString(),
                                       ", expected floating numbers of rank 3 with a known last dimension")
                        : "the inputs are no output of any node");
    return {};
  }
  RnnResult rnn = Loop(g, *cell, options.time_major ? inputs : SwapTime(inputs), options).Run();
  if (!rnn.outputs.valid() || !g.status().ok()) return {};
  if (!options.time_major) rnn.outputs = SwapTime(rnn.outputs);
  return rnn;
}

StaticRnnResult StaticRnn(Graph& g, RnnCellPtr cell, const std::vector<Output>& inputs, const RnnOptions& options) {
  const VariableScope scope(g, NameOr(options.name, "rnn"));
  if (!CheckOptions(g, "StaticRnn", cell, options)) return {};
  if (inputs.empty() || !inputs[0].valid() || inputs[0].shape().rank() != 2) {
    Fail(g, "StaticRnn", options, "the inputs are no matrices, one per step");
    return {};
  }
  StaticRnnResult rnn{.outputs = {},
                      .state = options.initial_state.empty() ? cell->ZeroState(g, inputs[0]) : options.initial_state};
  std::vector<std::vector<Output>> statistics(static_cast<size_t>(cell->num_statistics()));
  for (size_t t = 0; t < inputs.size(); ++t) {
    const Output time = Const(g, static_cast<int32_t>(t), {.name = "time"});
    RnnStep step = cell->Call(g, inputs[t], rnn.state, time);
    if (!step.output.valid()) return {};
    Output over;
    if (options.sequence_length.valid()) {
      over = GreaterEqual(Cast(time, options.sequence_length.dtype()), options.sequence_length);
    }
    step = Masked(std::move(step), rnn.state, over);
    rnn.outputs.push_back(step.output);
    rnn.state = step.state;
    for (size_t k = 0; k < statistics.size(); ++k) statistics[k].push_back(step.statistics[k]);
  }
  std::vector<Output> stacked;
  for (const std::vector<Output>& one : statistics) stacked.push_back(Stack(one));
  if (!stacked.empty()) cell->MakeUpdates(g, stacked);
  if (!g.status().ok()) return {};
  return rnn;
}

BidirectionalRnnResult BidirectionalDynamicRnn(Graph& g, RnnCellPtr forward, RnnCellPtr backward, Output inputs,
                                               const RnnOptions& options) {
  const VariableScope scope(g, NameOr(options.name, "bidirectional_rnn"));
  if (!options.initial_state.empty()) {
    Fail(g, "BidirectionalDynamicRnn", options, ".initial_state is for one direction");
    return {};
  }
  RnnOptions one = options;
  BidirectionalRnnResult rnn;
  one.name = "fw";
  rnn.forward = DynamicRnn(g, std::move(forward), inputs, one);
  if (!rnn.forward.outputs.valid()) return {};
  one.name = "bw";
  rnn.backward = DynamicRnn(g, std::move(backward), ReverseTime(inputs, options), one);
  if (!rnn.backward.outputs.valid()) return {};
  rnn.backward.outputs = ReverseTime(rnn.backward.outputs, options);
  return rnn;
}

}  // namespace staticflow::layers
