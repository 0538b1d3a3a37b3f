// Times training on the workloads that the project compares itself by, in this process, speaking the line protocol of
// the comparison's driver.
//
//   training --workload W2 --threads 2 --seconds 2 --data RAW          five windows, one JSON line
//   training --workload W2 --threads 2 --seconds 2 --data RAW --serve  a window per 'w' on standard input, until 'q'
//
// W1: 784-100-100-100-10 with ReLU and biases, batches of 60, softmax cross-entropy, gradient descent 0.01.
// W2: W1 with batch normalization before each ReLU, moving averages updated in the step, no hidden biases.
//
// --data (or the environment variable PEER_RAW) is a folder of raw arrays, the same for all frameworks: x.f32 and
// tx.f32 (images of 784 floats), y.i64 and ty.i64 (classes), W1.f32 (initial weights of all layers in order). Each step
// is fed with slices of the arrays, as they lie in memory.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "staticflow.h"

ABSL_FLAG(std::string, workload, "W2", "W1 or W2");
ABSL_FLAG(int, threads, 1, "threads of the session");
ABSL_FLAG(double, seconds, 2.0, "least length of a timed window");
ABSL_FLAG(int, windows, 5, "windows without --serve");
ABSL_FLAG(bool, serve, false, "run a window for each 'w' on standard input");
ABSL_FLAG(std::string, data, "", "folder of the raw arrays; default: $PEER_RAW");
ABSL_FLAG(bool, profile, false, "print where one step spends its time, by op type, then end");

namespace sf = staticflow;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kPixels = 784, kClasses = 10, kBatch = 60;
constexpr int kAccuracySteps = 1000;

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <typename T>
absl::StatusOr<std::vector<T>> ReadArray(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  const int64_t bytes = file.tellg();
  std::vector<T> values(bytes / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), bytes);
  if (!file) return absl::DataLossError(absl::StrCat("cannot read ", path));
  return values;
}

std::vector<float> OneHot(const std::vector<int64_t>& classes) {
  std::vector<float> rows(classes.size() * kClasses, 0.0f);
  for (size_t i = 0; i < classes.size(); ++i) rows[i * kClasses + std::clamp<int64_t>(classes[i], 0, kClasses - 1)] = 1;
  return rows;
}

struct Data {
  std::vector<float> images, labels, test_images, test_labels, weights;
  double seconds = 0;

  int64_t size() const { return static_cast<int64_t>(images.size()) / kPixels; }
  int64_t test_size() const { return static_cast<int64_t>(test_images.size()) / kPixels; }
  double megabytes() const {
    return 4e-6 * static_cast<double>(images.size() + labels.size() + test_images.size() + test_labels.size());
  }
};

absl::StatusOr<Data> LoadData(const std::string& folder) {
  const Clock::time_point start = Clock::now();
  Data data;
  SF_ASSIGN_OR_RETURN(data.images, ReadArray<float>(folder + "/x.f32"));
  SF_ASSIGN_OR_RETURN(data.test_images, ReadArray<float>(folder + "/tx.f32"));
  SF_ASSIGN_OR_RETURN(std::vector<int64_t> classes, ReadArray<int64_t>(folder + "/y.i64"));
  SF_ASSIGN_OR_RETURN(std::vector<int64_t> test_classes, ReadArray<int64_t>(folder + "/ty.i64"));
  SF_ASSIGN_OR_RETURN(data.weights, ReadArray<float>(folder + "/W1.f32"));
  data.labels = OneHot(classes);
  data.test_labels = OneHot(test_classes);
  data.seconds = SecondsSince(start);
  return data;
}

// The network of a workload, ready to step.
struct Trainer {
  sf::Graph graph;
  sf::Output x, labels, is_training, accuracy;
  sf::Operation train;
  std::unique_ptr<sf::Session> session;
  sf::Step step, evaluate;
};

absl::Status BuildTrainer(const Data& data, bool batch_norm, int threads, Trainer* t) {
  sf::Graph& g = t->graph;
  t->x = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, kPixels}, .name = "x"});
  t->labels = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, kClasses}, .name = "labels"});
  t->is_training = sf::PlaceholderWithDefault(g, sf::Tensor(false), {.name = "is_training"});
  const std::vector<int64_t> widths = {kPixels, 100, 100, 100, kClasses};
  const float* weights = data.weights.data();
  sf::Output h = t->x;
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const sf::Shape shape = {widths[i], widths[i + 1]};
    const sf::Tensor initial = sf::Tensor::Borrow<float>(shape, weights);
    weights += shape.num_elements();
    sf::Variable w = sf::NewVariable(g, initial, {.name = "weights"});
    const bool last = i + 2 == widths.size();
    h = sf::MatMul(h, w.snapshot);
    if (batch_norm && !last) {
      h = sf::layers::BatchNormalization(g, h, {.training = t->is_training});
    } else {
      h = h + sf::NewVariable(g, sf::Zeros(g, sf::DT_FLOAT, {widths[i + 1]}), {.name = "biases"}).snapshot;
    }
    if (!last) h = sf::Relu(h);
  }
  sf::Output loss = sf::Mean(sf::SoftmaxCrossEntropyWithLogits(h, t->labels));
  t->accuracy = sf::Mean(sf::Cast(sf::Equal(sf::ArgMax(h, 1), sf::ArgMax(t->labels, 1)), sf::DT_FLOAT));
  {
    sf::ControlDependencies after(g, g.collection(sf::kUpdateOps));
    t->train = sf::train::GradientDescent(g, {.learning_rate = 0.01}).Minimize(loss);
  }
  t->session = std::make_unique<sf::Session>(g, sf::SessionOptions{.threads = threads});
  SF_RETURN_IF_ERROR(t->session->Initialize());
  const std::vector<sf::Output> feeds = {t->x, t->labels, t->is_training};
  SF_ASSIGN_OR_RETURN(t->step, t->session->Prepare({.feeds = feeds, .targets = {t->train}}));
  SF_ASSIGN_OR_RETURN(t->evaluate, t->session->Prepare({.feeds = feeds, .fetches = {t->accuracy}}));
  return absl::OkStatus();
}

// Steps through the data in order, again and again.
class Loop {
 public:
  Loop(const Data& data, const Trainer& trainer)
      : data_(data), trainer_(trainer), end_(data.size() / kBatch * kBatch), training_(true) {}

  absl::Status Step(const sf::RunOptions& options = {}) {
    const sf::Tensor x = sf::Tensor::Borrow<float>({kBatch, kPixels}, &data_.images[next_ * kPixels]);
    const sf::Tensor y = sf::Tensor::Borrow<float>({kBatch, kClasses}, &data_.labels[next_ * kClasses]);
    next_ = next_ + kBatch >= end_ ? 0 : next_ + kBatch;
    return trainer_.step.Run({x, y, training_}, options).status();
  }

  absl::StatusOr<double> Accuracy() const {
    const sf::Tensor x = sf::Tensor::Borrow<float>({data_.test_size(), kPixels}, data_.test_images.data());
    const sf::Tensor y = sf::Tensor::Borrow<float>({data_.test_size(), kClasses}, data_.test_labels.data());
    SF_ASSIGN_OR_RETURN(std::vector<sf::Tensor> out, trainer_.evaluate.Run({x, y, false}));
    return double{out[0].scalar<float>()};
  }

  // Steps per second over at least `seconds`.
  absl::StatusOr<double> Window(double seconds) {
    constexpr int kChunk = 50;
    const Clock::time_point start = Clock::now();
    for (int64_t steps = kChunk;; steps += kChunk) {
      for (int i = 0; i < kChunk; ++i) SF_RETURN_IF_ERROR(Step());
      const double elapsed = SecondsSince(start);
      if (elapsed >= seconds) return static_cast<double>(steps) / elapsed;
    }
  }

 private:
  const Data& data_;
  const Trainer& trainer_;
  const int64_t end_;
  const sf::Tensor training_;
  int64_t next_ = 0;
};

double PeakMegabytes() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void PrintLine(const std::string& line) {
  std::cout << line << std::endl;  // flushed: the driver waits for it
}

absl::Status Run(Clock::time_point start) {
  const std::string workload = absl::GetFlag(FLAGS_workload);
  const int threads = absl::GetFlag(FLAGS_threads);
  if (workload != "W1" && workload != "W2") {
    return absl::InvalidArgumentError(absl::StrCat("--workload=", workload, ", expected W1 or W2"));
  }
  if (threads < 1) return absl::InvalidArgumentError("--threads must be at least 1");
  std::string folder = absl::GetFlag(FLAGS_data);
  if (folder.empty() && std::getenv("PEER_RAW") != nullptr) folder = std::getenv("PEER_RAW");
  if (folder.empty()) return absl::InvalidArgumentError("give --data=DIR or set PEER_RAW");
  SF_ASSIGN_OR_RETURN(const Data data, LoadData(folder));
  Trainer trainer;
  SF_RETURN_IF_ERROR(BuildTrainer(data, workload == "W2", threads, &trainer));
  Loop loop(data, trainer);
  SF_RETURN_IF_ERROR(loop.Step());
  const double to_first_step = SecondsSince(start);
  for (int i = 1; i < kAccuracySteps; ++i) SF_RETURN_IF_ERROR(loop.Step());
  SF_ASSIGN_OR_RETURN(const double accuracy, loop.Accuracy());
  if (absl::GetFlag(FLAGS_profile)) {
    sf::StepProfile profile;
    SF_RETURN_IF_ERROR(loop.Step({.profile = &profile}));
    PrintLine(profile.Summary());
    return absl::OkStatus();
  }
  SF_RETURN_IF_ERROR(loop.Window(1.0).status());
  const std::string base = absl::StrFormat(
      R"("framework": "staticflow", "variant": "default", "workload": "%s", "threads": %d, "to_first_step_s": %.3f, )"
      R"("data_s": %.3f, "data_mb": %.1f, "acc_after_%d": %.4f)",
      workload, threads, to_first_step, data.seconds, data.megabytes(), kAccuracySteps, accuracy);
  const double seconds = absl::GetFlag(FLAGS_seconds);
  std::vector<double> rates;
  if (absl::GetFlag(FLAGS_serve)) {
    PrintLine(absl::StrCat("{", base, ", \"ready\": true}"));
    for (std::string line; std::getline(std::cin, line) && line == "w";) {
      SF_ASSIGN_OR_RETURN(const double rate, loop.Window(seconds));
      rates.push_back(rate);
      PrintLine(absl::StrFormat("{\"steps_per_s\": %.2f}", rate));
    }
  } else {
    for (int i = 0; i < absl::GetFlag(FLAGS_windows); ++i) {
      SF_ASSIGN_OR_RETURN(const double rate, loop.Window(seconds));
      rates.push_back(rate);
    }
  }
  std::string line = absl::StrCat("{", base);
  if (!rates.empty()) {
    std::sort(rates.begin(), rates.end());
    const size_t n = rates.size();
    const double median = n % 2 == 1 ? rates[n / 2] : (rates[n / 2 - 1] + rates[n / 2]) / 2;
    absl::StrAppendFormat(&line, ", \"steps_per_s\": %.2f, \"min\": %.2f, \"max\": %.2f, \"windows\": %d", median,
                          rates.front(), rates.back(), static_cast<int>(n));
  }
  PrintLine(absl::StrFormat("%s, \"peak_rss_mb\": %.1f}", line, PeakMegabytes()));
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const Clock::time_point start = Clock::now();
  absl::ParseCommandLine(argc, argv);
  const absl::Status status = Run(start);
  if (status.ok()) return 0;
  std::cerr << "training: " << status.message() << "\n";
  return 1;
}
