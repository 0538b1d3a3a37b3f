// The networks that benchmarks/training.cc trains: multilayer perceptrons, also behind a stack of convolutions.
//
//   SF_ASSIGN_OR_RETURN(NetworkSpec spec, NamedNetwork("W2"));
//   SF_ASSIGN_OR_RETURN(const std::vector<float> weights, InitialWeights(spec, "/tmp/raw"));
//   Network net;
//   BuildNetwork(spec, weights, Part::kTraining, &net);              // net.train minimizes net.loss
//
//   W1  784-100-100-100-10 with ReLU and biases, batches of 60, softmax cross-entropy, gradient descent 0.01
//   W2  W1 with batch normalization before each ReLU, moving averages updated in the step, no hidden biases
//   W3  W2 with sigmoid
//   W4  28x28x1, 19 convolutions 3x3 (the i-th has 4 i channels, and stride 2 where i is a multiple of 3), dense 100,
//       all with batch normalization and ReLU, dense 10; batches of 64, Adam 0.002
//   W5  W2 with tanh and orthogonal weights, Adam 0.001
//
// Nothing else in the project knows these networks.
#ifndef STATICFLOW_BENCHMARKS_TRAINING_NETWORKS_H_
#define STATICFLOW_BENCHMARKS_TRAINING_NETWORKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow::bench {

struct NetworkSpec {
  std::vector<int64_t> widths = {784, 100, 100, 100, 10};  // of the dense layers, what comes in first
  int convolutions = 0;                                    // before them
  bool batch_norm = true;           // of every hidden layer, which then has no bias; momentum 0.99, epsilon 0.001
  std::string activation = "relu";  // or "sigmoid", "tanh"
  std::string optimizer = "sgd";    // or "momentum" (0.9), "adam"
  double learning_rate = 0.01;
  int64_t batch = 60;
  bool orthogonal = false;        // initial weights with orthonormal rows or columns, else normal(0, 0.05)
  std::string weights_file = "";  // of the raw data's folder; where it is missing the weights are computed
  int accuracy_steps = 1000;      // after which the accuracy is compared
};

// W1 to W5. InvalidArgument for any other name.
absl::StatusOr<NetworkSpec> NamedNetwork(absl::string_view name);

// InvalidArgument unless a network can be built by `spec`: at least two widths from 784 to 10, known words, a batch.
absl::Status CheckSpec(const NetworkSpec& spec);

// All layers' weights, one after the other: from the file, or as tools/peers/raw_data.py computes them. InvalidArgument
// for a file of another length.
absl::StatusOr<std::vector<float>> InitialWeights(const NetworkSpec& spec, const std::string& folder);

enum class Part { kTraining, kInference };

struct Network {
  Graph graph;
  Output x;            // float[-1,784]
  Output labels;       // float[-1,10]
  Output is_training;  // bool, false by default; invalid without batch normalization
  Output logits;
  // For training only:
  Output loss;
  Output accuracy;
  Operation train;
};

// Mistakes stick to net->graph. `weights` must outlive the network.
void BuildNetwork(const NetworkSpec& spec, absl::Span<const float> weights, Part part, Network* net);

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_TRAINING_NETWORKS_H_
