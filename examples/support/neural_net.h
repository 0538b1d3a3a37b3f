// NeuralNet: one network of the batch normalization lesson, to be built with or without batch normalization from given
// starting weights, trained, and tested.
//
//   NeuralNet net({.initial_weights = weights, .activation = Relu, .use_batch_norm = true});
//   Session session(net.graph(), {.threads = 2});
//   SF_RETURN_IF_ERROR(session.Initialize());
//   SF_ASSIGN_OR_RETURN(TrainingReport report, net.Train(session, data, {.learning_rate = 0.01, .batches = 2000}));
//   SF_ASSIGN_OR_RETURN(TestReport test, TestNetwork(session, net.graph(), net.tensors(), data, {}));
//
// The shapes of the weights are the network: matrices make fully connected layers, [rows, columns, in, out] make
// convolutions ("same" padding, stride 2 from the second one on). A recurrent network reads the rows of an image one
// after the other. The last layer has neither activation nor batch normalization. Each network has a graph of its own;
// it grows with Train and Test. Not thread-safe.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_NEURAL_NET_H_
#define STATICFLOW_EXAMPLES_SUPPORT_NEURAL_NET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "staticflow.h"

namespace staticflow {

// How batch normalization is written: one call of the layer, moments and assignments inside a cond, or that with the
// moments and the normalization from scratch too. The three agree but for the rounding of sums in another order: after
// 40 batches the dense network's losses differ by less than 1e-4 of themselves. With relu after convolutions such a
// difference can switch the many equal pixels of a background at once, and the losses part sooner.
enum class Implementation { kLayer, kOps, kScratch };

enum class NetworkKind { kDense, kConv, kRecurrent };

// The shapes of the weights for images of 28 x 28 pixels and ten classes: of each hidden layer's nodes or channels; of
// a recurrent network's units (one number): from a row, from the units of the row before, to the classes.
std::vector<Shape> WeightShapes(NetworkKind kind, const std::vector<int64_t>& hidden);
// Normal with this standard deviation.
absl::StatusOr<std::vector<Tensor>> DrawWeights(const std::vector<Shape>& shapes, double stddev, int64_t seed);
// CRC-32C of all their bytes.
uint32_t Checksum(const std::vector<Tensor>& weights);

struct NeuralNetOptions {
  std::vector<Tensor> initial_weights = {};  // of every layer, float
  // h = activation(BN(row W) + BN(h V)), with layers and so statistics of their own for each of the 28 rows, whose
  // gamma starts at 0.1 (Cooijmans et al. 2016).
  bool recurrent = false;
  layers::Activation activation = Relu;
  bool use_batch_norm = false;
  Implementation implementation = Implementation::kLayer;
  bool normalize_after_activation = false;
};

// Images [n, 784] in [0, 1] and one-hot labels [n, 10].
struct LessonData {
  std::optional<DataSet> train;
  Tensor validation_images, validation_labels;
  Tensor test_images, test_labels;
};
// The first `validation` training images, unshuffled, are the validation set.
absl::StatusOr<LessonData> LoadLessonData(const std::string& dir, int64_t validation = 5000);

struct TrainingOptions {
  double learning_rate = 0.01;
  int64_t batches = 50000;
  int64_t batches_per_sample = 500;  // validation accuracy after batch 0, after this many, ...
  int64_t batch_size = 60;
  uint64_t seed = 1;              // of the batches
  bool run_update_ops = true;     // false: the layers' moving averages never change
  bool stop_on_nan = false;       // false: a diverged training runs to its end
  EventWriter* events = nullptr;  // gets loss and accuracy at every sample
};

struct TrainingReport {
  std::vector<std::pair<double, double>> accuracies;  // (batch, validation accuracy)
  double final_accuracy = 0;                          // on the validation set, after training
  float last_loss = 0;
  uint32_t losses_checksum = 0;  // CRC-32C of the bits of all losses: equal for equal trainings
  double batches_per_second = 0;
  double batches_per_processor_second = 0;  // of all threads; what else the machine does hardly changes it
};

// What a trained network is asked through, in the graph that built it or in one that was read from a file.
struct NetworkTensors {
  Output input, is_training, logits;
};

class NeuralNet {
 public:
  explicit NeuralNet(const NeuralNetOptions& options);

  Graph& graph() { return graph_; }
  const NetworkTensors& tensors() const { return tensors_; }
  std::string name() const { return options_.use_batch_norm ? "With Batch Norm" : "Without Batch Norm"; }

  // Adds loss and optimizer to the graph and trains. The batches depend on nothing but the data and the seed.
  absl::StatusOr<TrainingReport> Train(Session& session, const LessonData& data, const TrainingOptions& options);

 private:
  class Cell;  // of the recurrent network

  Output Layer(Output x, const Tensor& initial_weights, int index, bool hidden);
  Output Recurrent(Output x);  // the last row's h
  Output Normalized(Output x, double gamma = 1);

  Graph graph_;
  NeuralNetOptions options_;
  NetworkTensors tensors_;
};

struct TestOptions {
  bool is_training = false;  // true: normalize with the statistics of the batch, as never to be done in earnest
  int singles = 0;           // so many images of the test set are predicted one at a time
};

struct TestReport {
  double accuracy = 0;  // on the full test set
  std::vector<int64_t> predictions;
  double single_accuracy = 0;
};
absl::StatusOr<TestReport> TestNetwork(Session& session, Graph& g, const NetworkTensors& network,
                                       const LessonData& data, const TestOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_NEURAL_NET_H_
