#include "benchmarks/training/networks.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "benchmarks/training/raw_data.h"
#include "graph/status.h"
#include "graph/tensor.h"
#include "ops/array.h"
#include "ops/conv.h"
#include "ops/initializers.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "ops/train/adam.h"
#include "ops/train/gradient_descent.h"
#include "ops/train/momentum.h"

namespace staticflow::bench {
namespace {

constexpr double kMomentum = 0.99;
constexpr double kEpsilon = 1e-3;

int64_t StrideOf(int convolution) { return convolution % 3 == 0 ? 2 : 1; }

// Of the weights of all layers, the first layer's first.
std::vector<Shape> WeightShapes(const NetworkSpec& spec) {
  std::vector<Shape> shapes;
  for (int i = 1; i <= spec.convolutions; ++i) shapes.push_back({3, 3, std::max(1, 4 * (i - 1)), 4 * i});
  for (size_t i = 0; i + 1 < spec.widths.size(); ++i) shapes.push_back({spec.widths[i], spec.widths[i + 1]});
  return shapes;
}

// Makes the columns of the [rows, columns] matrix orthonormal, each in the direction that it adds to those before it.
// Twice, because once leaves what rounding made of nearly dependent columns.
void Orthonormalize(std::vector<double>& matrix, int64_t rows, int64_t columns) {
  const auto dot = [&](int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += matrix[r * columns + i] * matrix[r * columns + j];
    return sum;
  };
  for (int64_t j = 0; j < columns; ++j) {
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t i = 0; i < j; ++i) {
        const double along = dot(i, j);
        for (int64_t r = 0; r < rows; ++r) matrix[r * columns + j] -= along * matrix[r * columns + i];
      }
    }
    const double length = std::sqrt(dot(j, j));
    for (int64_t r = 0; r < rows; ++r) matrix[r * columns + j] /= length;
  }
}

void AppendOrthogonal(NormalNumbers& numbers, int64_t rows, int64_t columns, std::vector<float>* weights) {
  const int64_t longer = std::max(rows, columns), shorter = std::min(rows, columns);
  std::vector<double> q(longer * shorter);
  for (double& value : q) value = numbers.Next();
  Orthonormalize(q, longer, shorter);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      weights->push_back(static_cast<float>(rows >= columns ? q[r * shorter + c] : q[c * shorter + r]));
    }
  }
}

// Builds the layers, taking the weights as they come.
class LayerBuilder {
 public:
  LayerBuilder(const NetworkSpec& spec, absl::Span<const float> weights, Network& net)
      : spec_(spec), weights_(weights), net_(net) {}

  Output Forward() {
    Graph& g = net_.graph;
    Output h = net_.x;
    if (spec_.convolutions > 0) h = Reshape(h, {-1, 28, 28, 1});
    for (int i = 1; i <= spec_.convolutions; ++i) {
      const int64_t channels = h.shape().dim(-1), stride = StrideOf(i);
      h = Hidden(Conv2D(h, Weights({3, 3, channels, 4 * i}), {.strides = {1, stride, stride, 1}, .padding = "SAME"}));
    }
    if (spec_.convolutions > 0) h = Reshape(h, {-1, spec_.widths[0]});
    for (size_t i = 0; i + 1 < spec_.widths.size(); ++i) {
      h = MatMul(h, Weights({spec_.widths[i], spec_.widths[i + 1]}));
      const bool last = i + 2 == spec_.widths.size();
      if (last || !spec_.batch_norm) {
        h = Add(h, NewVariable(g, Zeros(g, DT_FLOAT, {spec_.widths[i + 1]}), {.name = "biases"}).snapshot);
      }
      if (!last) h = Hidden(h);
    }
    return h;
  }

 private:
  Output Weights(const Shape& shape) {
    const Tensor initial = Tensor::Borrow<float>(shape, weights_.data());
    weights_.remove_prefix(shape.num_elements());
    return NewVariable(net_.graph, initial, {.name = "weights"}).snapshot;
  }

  Output Hidden(Output h) {
    if (spec_.batch_norm) {
      h = layers::BatchNormalization(net_.graph, h,
                                     {.momentum = kMomentum, .epsilon = kEpsilon, .training = net_.is_training});
    }
    if (spec_.activation == "sigmoid") return Sigmoid(h);
    if (spec_.activation == "tanh") return Tanh(h);
    return Relu(h);
  }

  const NetworkSpec& spec_;
  absl::Span<const float> weights_;
  Network& net_;
};

Operation Minimize(const NetworkSpec& spec, Output loss) {
  Graph& g = loss.graph();
  const ControlDependencies after(g, g.collection(kUpdateOps));
  if (spec.optimizer == "adam") return train::Adam(g, {.learning_rate = spec.learning_rate}).Minimize(loss);
  if (spec.optimizer == "momentum") return train::Momentum(g, {.learning_rate = spec.learning_rate}).Minimize(loss);
  return train::GradientDescent(g, {.learning_rate = spec.learning_rate}).Minimize(loss);
}

}  // namespace

absl::StatusOr<NetworkSpec> NamedNetwork(absl::string_view name) {
  if (name == "W1") return NetworkSpec{.batch_norm = false, .weights_file = "W1.f32"};
  if (name == "W2") return NetworkSpec{.weights_file = "W1.f32"};
  if (name == "W3") return NetworkSpec{.activation = "sigmoid", .weights_file = "W1.f32"};
  if (name == "W4") {
    return NetworkSpec{.widths = {76, 100, 10},
                       .convolutions = 19,
                       .optimizer = "adam",
                       .learning_rate = 0.002,
                       .batch = 64,
                       .weights_file = "W4.f32",
                       .accuracy_steps = 100};
  }
  if (name == "W5") {
    return NetworkSpec{.activation = "tanh",
                       .optimizer = "adam",
                       .learning_rate = 0.001,
                       .orthogonal = true,
                       .weights_file = "W5.f32"};
  }
  return absl::InvalidArgumentError(absl::StrCat("there is no network '", name, "'"));
}

absl::Status CheckSpec(const NetworkSpec& spec) {
  if (spec.convolutions == 0 &&
      (spec.widths.size() < 2 || spec.widths.front() != kPixels || spec.widths.back() != kClasses)) {
    return absl::InvalidArgumentError(absl::StrCat("widths must go from ", kPixels, " to ", kClasses));
  }
  for (int64_t width : spec.widths) {
    if (width < 1 || width > 1 << 20) return absl::InvalidArgumentError(absl::StrCat("a width of ", width));
  }
  if (spec.batch < 1) return absl::InvalidArgumentError(absl::StrCat("a batch of ", spec.batch));
  if (spec.activation != "relu" && spec.activation != "sigmoid" && spec.activation != "tanh") {
    return absl::InvalidArgumentError(
        absl::StrCat("activation '", spec.activation, "', expected relu, sigmoid or tanh"));
  }
  if (spec.optimizer != "sgd" && spec.optimizer != "momentum" && spec.optimizer != "adam") {
    return absl::InvalidArgumentError(absl::StrCat("optimizer '", spec.optimizer, "', expected sgd, momentum or adam"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> InitialWeights(const NetworkSpec& spec, const std::string& folder) {
  const std::vector<Shape> shapes = WeightShapes(spec);
  int64_t count = 0;
  for (const Shape& shape : shapes) count += shape.num_elements();
  if (!spec.weights_file.empty()) {
    const std::string path = absl::StrCat(folder, "/", spec.weights_file);
    absl::StatusOr<std::vector<float>> weights = ReadFloats(path);
    if (weights.ok() && static_cast<int64_t>(weights->size()) != count) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " has ", weights->size(), " numbers, the network takes ", count));
    }
    if (!absl::IsNotFound(weights.status())) return weights;
  }
  std::vector<float> weights;
  weights.reserve(count);
  NormalNumbers numbers(0);
  for (const Shape& shape : shapes) {
    if (spec.orthogonal && shape.rank() == 2) {
      AppendOrthogonal(numbers, shape.dim(0), shape.dim(1), &weights);
      continue;
    }
    for (int64_t i = 0; i < shape.num_elements(); ++i) weights.push_back(static_cast<float>(numbers.Next() * 0.05));
  }
  return weights;
}

void BuildNetwork(const NetworkSpec& spec, absl::Span<const float> weights, Part part, Network* net) {
  Graph& g = net->graph;
  net->x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, kPixels}, .name = "x"});
  net->labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, kClasses}, .name = "labels"});
  if (spec.batch_norm) net->is_training = PlaceholderWithDefault(g, Tensor(false), {.name = "is_training"});
  net->logits = LayerBuilder(spec, weights, *net).Forward();
  if (part == Part::kInference || !net->logits.valid()) return;
  net->loss = Mean(SoftmaxCrossEntropyWithLogits(net->logits, net->labels));
  net->accuracy = Mean(Cast(Equal(ArgMax(net->logits, 1), ArgMax(net->labels, 1)), DT_FLOAT));
  net->train = Minimize(spec, net->loss);
}

}  // namespace staticflow::bench
