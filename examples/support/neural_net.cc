#include "examples/support/neural_net.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "absl/strings/str_cat.h"
#include "ops/train/progress.h"
#include "proto/event.pb.h"
#include "runtime/io/crc32c.h"

namespace staticflow {
namespace {

constexpr double kMomentum = 0.99;
constexpr double kEpsilon = 1e-3;
constexpr double kRecurrentGamma = 0.1;

// Batch normalization without the layer, as the lesson writes it: the population's statistics are assigned inside the
// branch for training, so that no update operations are left to run.
Output HandWrittenBatchNorm(Graph& g, Output x, Output is_training, double gamma_start, bool from_scratch) {
  const int64_t n = x.shape().dim(-1);
  const Variable gamma = NewVariable(g, initializers::Constant(gamma_start)(g, DT_FLOAT, {n}));
  const Variable beta = NewVariable(g, Zeros(g, DT_FLOAT, {n}));
  const Variable pop_mean = NewVariable(g, Zeros(g, DT_FLOAT, {n}), {.trainable = false});
  const Variable pop_variance = NewVariable(g, Ones(g, DT_FLOAT, {n}), {.trainable = false});
  std::vector<int64_t> axes;
  for (int i = 0; i + 1 < x.shape().rank(); ++i) axes.push_back(i);

  const auto normalize = [&](Output mean, Output variance) -> Output {
    if (!from_scratch) return BatchNormalization(x, mean, variance, beta.snapshot, gamma.snapshot, kEpsilon);
    const Output normalized = (x - mean) / Sqrt(variance + kEpsilon);
    return gamma.snapshot * normalized + beta.snapshot;
  };
  const auto moments = [&]() -> MomentsResult {
    if (!from_scratch) return Moments(x, axes);
    const Output mean = Mean(x, axes);
    return {mean, Mean(Square(x - mean), axes)};
  };
  const auto moved = [](const Variable& population, Output batch) {
    return Assign(population.ref(), population.snapshot * kMomentum + batch * (1 - kMomentum));
  };
  return Cond(
      is_training,
      [&]() -> Output {
        const MomentsResult batch = moments();
        const Output train_mean = moved(pop_mean, batch.mean), train_variance = moved(pop_variance, batch.variance);
        const ControlDependencies after(g, {train_mean, train_variance});
        return normalize(batch.mean, batch.variance);
      },
      [&]() -> Output { return normalize(pop_mean.snapshot, pop_variance.snapshot); });
}

// The share of rows in which logits and one-hot labels name the same class.
Output Accuracy(Output logits, Output labels) {
  const Output correct = Equal(ArgMax(logits, 1), ArgMax(labels, 1));
  return Mean(Cast(correct, DT_FLOAT));
}

absl::Status WriteSample(EventWriter* events, int64_t step, float loss, float accuracy) {
  if (events == nullptr) return absl::OkStatus();
  proto::Event event;
  event.set_step(step);
  for (const auto& [tag, value] : {std::pair("loss", loss), std::pair("accuracy", accuracy)}) {
    proto::Summary::Value* scalar = event.mutable_summary()->add_value();
    scalar->set_tag(tag);
    scalar->set_simple_value(value);
  }
  return events->Write(event);
}

}  // namespace

absl::StatusOr<LessonData> LoadLessonData(const std::string& dir, int64_t validation) {
  SF_ASSIGN_OR_RETURN(const Mnist mnist, LoadMnist(PosixEnv(), dir));
  const auto [held_out, train] = mnist.train.Split(validation);
  if (train.size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, ": ", mnist.train.size(), " training images, expected more than ", validation));
  }
  LessonData data;
  data.train = train;
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> validation_rows, held_out.AllRows());
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> test_rows, mnist.test.AllRows());
  data.validation_images = validation_rows[0];
  data.validation_labels = validation_rows[1];
  data.test_images = test_rows[0];
  data.test_labels = test_rows[1];
  return data;
}

std::vector<Shape> WeightShapes(NetworkKind kind, const std::vector<int64_t>& hidden) {
  std::vector<Shape> shapes;
  if (kind == NetworkKind::kRecurrent) return {{28, hidden[0]}, {hidden[0], hidden[0]}, {hidden[0], 10}};
  const bool conv = kind == NetworkKind::kConv;
  int64_t inputs = conv ? 1 : 784, side = 28;
  for (int64_t nodes : hidden) {
    if (conv && !shapes.empty()) side = (side + 1) / 2;
    shapes.push_back(conv ? Shape({3, 3, inputs, nodes}) : Shape({inputs, nodes}));
    inputs = nodes;
  }
  shapes.push_back({conv ? inputs * side * side : inputs, 10});
  return shapes;
}

absl::StatusOr<std::vector<Tensor>> DrawWeights(const std::vector<Shape>& shapes, double stddev, int64_t seed) {
  Graph g({.seed = seed});
  std::vector<Output> draws;
  for (const Shape& shape : shapes) draws.push_back(RandomNormal(g, Ints(shape), {.stddev = stddev}));
  Session session(g, {.threads = 1});
  return session.Run({}, draws);
}

uint32_t Checksum(const std::vector<Tensor>& weights) {
  uint32_t checksum = 0;
  for (const Tensor& w : weights) {
    checksum = crc32c::Extend(checksum, absl::string_view(static_cast<const char*>(w.raw()), w.bytes()));
  }
  return checksum;
}

NeuralNet::NeuralNet(const NeuralNetOptions& options) : options_(options) {
  tensors_.is_training = Placeholder(graph_, {.dtype = DT_BOOL, .name = "is_training"});
  tensors_.input = Placeholder(graph_, {.dtype = DT_FLOAT, .shape = {-1, 784}, .name = "input_layer"});
  Output x = tensors_.input;
  const int layers = static_cast<int>(options.initial_weights.size());
  if (options.recurrent) x = Recurrent(x);
  for (int i = options.recurrent ? layers - 1 : 0; i < layers; ++i)
    x = Layer(x, options.initial_weights[i], i, /*hidden=*/i + 1 < layers);
  tensors_.logits = x;
}

Output NeuralNet::Layer(Output x, const Tensor& initial_weights, int index, bool hidden) {
  if (!x.valid()) return Output();
  const Variable weights = NewVariable(graph_, initial_weights);
  Output linear;
  if (initial_weights.shape().rank() == 4) {
    if (x.shape().rank() == 2) x = Reshape(x, {-1, 28, 28, 1});
    const int64_t stride = index == 0 ? 1 : 2;
    linear = Conv2D(x, weights.snapshot, {.strides = {1, stride, stride, 1}, .padding = "SAME"});
  } else {
    if (x.shape().rank() == 4) x = layers::Flatten(graph_, x);
    linear = MatMul(x, weights.snapshot);
  }
  if (options_.use_batch_norm && hidden) {
    // No bias: beta does its work.
    if (options_.normalize_after_activation) return Normalized(options_.activation(linear));
    return options_.activation(Normalized(linear));
  }
  const Variable biases = NewVariable(graph_, Zeros(graph_, DT_FLOAT, {initial_weights.shape().dim(-1)}));
  linear = Add(linear, biases.snapshot, {.name = "Add"});
  return hidden ? options_.activation(linear) : linear;
}

// h = activation(row W + h V + b), or with each product normalized in place of the bias. Each step normalizes by layers
// of its own, and there is no h before the first row: a batch of zeros has no statistics.
class NeuralNet::Cell : public layers::RnnCell {
 public:
  explicit Cell(NeuralNet* net)
      : net_(*net),
        from_row_(NewVariable(net->graph_, net->options_.initial_weights[0])),
        from_units_(NewVariable(net->graph_, net->options_.initial_weights[1])) {
    if (Normalizes()) return;
    biases_ = NewVariable(net->graph_, Zeros(net->graph_, DT_FLOAT, {output_size()})).snapshot;
  }
  std::vector<int64_t> state_sizes() const override { return {output_size()}; }
  int64_t output_size() const override { return from_row_.shape.dim(1); }
  layers::RnnStep Call(Graph&, Output row, const layers::RnnState& state, Output) override {
    Output sum = Term(row, from_row_);
    if (has_h_) sum = sum + Term(state[0], from_units_);
    if (!Normalizes()) sum = sum + biases_;
    has_h_ = true;
    const Output h = net_.options_.activation(sum);
    return {.output = h, .state = {h}};
  }

 private:
  bool Normalizes() const { return net_.options_.use_batch_norm; }
  Output Term(Output in, const Variable& weights) {
    const Output product = MatMul(in, weights.snapshot);
    return Normalizes() ? net_.Normalized(product, kRecurrentGamma) : product;
  }

  NeuralNet& net_;
  const Variable from_row_, from_units_;
  Output biases_;
  bool has_h_ = false;
};

Output NeuralNet::Recurrent(Output x) {
  const std::vector<Output> rows = Unstack(Reshape(x, {-1, 28, 28}), 28, 1);
  const layers::StaticRnnResult rnn = layers::StaticRnn(graph_, std::make_shared<Cell>(this), rows);
  return rnn.outputs.empty() ? Output() : rnn.outputs.back();
}

Output NeuralNet::Normalized(Output x, double gamma) {
  if (!x.valid()) return Output();
  if (options_.implementation == Implementation::kLayer) {
    return layers::BatchNormalization(graph_, x,
                                      {.momentum = kMomentum,
                                       .epsilon = kEpsilon,
                                       .training = tensors_.is_training,
                                       .gamma_initializer = gamma == 1 ? nullptr : initializers::Constant(gamma)});
  }
  return HandWrittenBatchNorm(graph_, x, tensors_.is_training, gamma,
                              options_.implementation == Implementation::kScratch);
}

absl::StatusOr<TrainingReport> NeuralNet::Train(Session& session, const LessonData& data,
                                                const TrainingOptions& options) {
  const Output labels = Placeholder(graph_, {.dtype = DT_FLOAT, .shape = {-1, 10}, .name = "labels"});
  const Output loss = Mean(SoftmaxCrossEntropyWithLogits(tensors_.logits, labels));
  const Output accuracy = Accuracy(tensors_.logits, labels);
  Operation train_step;
  {
    // Without this the layers' moving averages would stay as they are, and inference would fail.
    const std::vector<CollectionItem> none;
    const ControlDependencies after(graph_, options.run_update_ops ? graph_.collection(kUpdateOps) : none);
    train_step = train::GradientDescent(graph_, {.learning_rate = options.learning_rate}).Minimize(loss);
  }
  const std::vector<Output> feeds = {tensors_.input, labels, tensors_.is_training};
  SF_ASSIGN_OR_RETURN(const Step train, session.Prepare({.feeds = feeds, .fetches = {loss}, .targets = {train_step}}));
  SF_ASSIGN_OR_RETURN(const Step validate, session.Prepare({.feeds = feeds, .fetches = {accuracy}}));
  const auto validation_accuracy = [&]() -> absl::StatusOr<float> {
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> out,
                        validate.Run({data.validation_images, data.validation_labels, false}));
    return out[0].scalar<float>();
  };

  Batches batches(
      *data.train,
      {.batch_size = options.batch_size, .shuffle = true, .seed = options.seed, .tail = Tail::kAcrossEpochs});
  TrainingReport report;
  const std::clock_t start = std::clock();
  train::Progress progress(
      {.label = name(), .total = options.batches, .line_every = std::max<int64_t>(1, options.batches / 10)});
  std::vector<Tensor> batch;
  std::optional<double> last_accuracy;
  for (int64_t i = 0; i < options.batches; ++i) {
    SF_RETURN_IF_ERROR(batches.Next(&batch).status());
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> out, train.Run({batch[0], batch[1], true}));
    report.last_loss = out[0].scalar<float>();
    report.losses_checksum = crc32c::Extend(
        report.losses_checksum, absl::string_view(reinterpret_cast<const char*>(&report.last_loss), sizeof(float)));
    if (i % options.batches_per_sample == 0) {
      SF_ASSIGN_OR_RETURN(last_accuracy, validation_accuracy());
      report.accuracies.emplace_back(i, *last_accuracy);
      SF_RETURN_IF_ERROR(WriteSample(options.events, i, report.last_loss, static_cast<float>(*last_accuracy)));
    }
    train::Progress::Values values = {{"loss", report.last_loss}};
    if (last_accuracy.has_value()) values.emplace_back("accuracy", *last_accuracy);
    progress.Update(i + 1, values);
    if (options.stop_on_nan && std::isnan(report.last_loss)) break;
  }
  progress.Finish();
  report.batches_per_second = progress.rate();
  const double processor_seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (processor_seconds > 0) {
    report.batches_per_processor_second = static_cast<double>(options.batches) / processor_seconds;
  }
  SF_ASSIGN_OR_RETURN(report.final_accuracy, validation_accuracy());
  return report;
}

absl::StatusOr<TestReport> TestNetwork(Session& session, Graph& g, const NetworkTensors& network,
                                       const LessonData& data, const TestOptions& options) {
  const Output labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 10}, .name = "labels"});
  const Output prediction = ArgMax(network.logits, 1);
  const Output accuracy = Accuracy(network.logits, labels);
  SF_ASSIGN_OR_RETURN(const Step step, session.Prepare({.feeds = {network.input, labels, network.is_training},
                                                        .fetches = {prediction, accuracy}}));
  TestReport report;
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> all,
                      step.Run({data.test_images, data.test_labels, options.is_training}));
  report.accuracy = all[1].scalar<float>();
  double correct = 0;
  const int64_t singles = std::min<int64_t>(options.singles, data.test_images.shape().dim(0));
  for (int64_t i = 0; i < singles; ++i) {
    // One row of the test set, read where it lies.
    const Tensor image = Tensor::Borrow<float>({1, 784}, data.test_images.data<float>() + 784 * i);
    const Tensor label = Tensor::Borrow<float>({1, 10}, data.test_labels.data<float>() + 10 * i);
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> one, step.Run({image, label, options.is_training}));
    report.predictions.push_back(one[0].flat<int64_t>()[0]);
    correct += one[1].scalar<float>();
  }
  if (singles > 0) report.single_accuracy = correct / static_cast<double>(singles);
  return report;
}

}  // namespace staticflow
