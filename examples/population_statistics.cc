// Which statistics to normalize with when a trained network is asked: moving averages, the batch's own, or those of a
// population, estimated anew.
//
//   bazel run //examples:population_statistics
//   bazel run //examples:population_statistics -- --momentum=0.01 --steps=40 --shift=0.8
//
// The network is the post's: convolution 3 x 3 of 3 channels over pictures (32, 1, 19, 19), channels first, batch
// normalization, relu; to train it, one logit follows. The first part repeats the post's experiment, the second
// compares the statistics on a test set like the training set and on one from elsewhere (brighter, with less contrast),
// the third shows two losses that look right and are not. The momentum is PyTorch's, the share of the new value: 0.1
// there is 0.9 here.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_format.h"
#include "examples/support/program.h"
#include "ops/diagnostics/reestimate.h"
#include "staticflow.h"

ABSL_FLAG(double, momentum, 0.1, "The share of the batch in an update of the running statistics, as PyTorch counts.");
ABSL_FLAG(int64_t, steps, 150, "Training steps of 32 pictures.");
ABSL_FLAG(int64_t, train_pictures, 1600, "Pictures to train with.");
ABSL_FLAG(int64_t, test_pictures, 640, "Pictures to test with; a multiple of 32.");
ABSL_FLAG(double, shift, 0.6, "How far the other test set lies from the training set, from 0 to 1.");
ABSL_FLAG(int64_t, seed, 1, "Of weights, pictures and the order of the batches.");
ABSL_FLAG(int32_t, threads, 0, "0: as many as the machine has. The results do not depend on it.");

namespace sf = staticflow;

namespace {

constexpr int64_t kBatch = 32, kSide = 19, kPixels = kSide * kSide, kChannels = 3;
constexpr int64_t kWarnBelow = 16;  // examples; smaller batches are poor estimates
constexpr double kEpsilon = 1e-5;   // PyTorch's
constexpr double kSame = 1e-5;      // of a norm

// Pictures of noise with a stroke that rises (label 1) or falls (0). `shift` makes them brighter and weakens contrast.
absl::StatusOr<sf::DataSet> DrawStrokes(int64_t n, uint32_t seed, double shift) {
  std::mt19937 random(seed);  // its numbers, unlike those of the standard's distributions, are the same everywhere
  const auto uniform = [&] { return static_cast<float>(random() >> 8) * 0x1p-24f; };
  SF_ASSIGN_OR_RETURN(sf::Tensor x, sf::Tensor::Create(sf::DT_FLOAT, {n, 1, kSide, kSide}));
  SF_ASSIGN_OR_RETURN(sf::Tensor labels, sf::Tensor::Create(sf::DT_FLOAT, {n}));
  const float contrast = 1 - 0.4f * static_cast<float>(shift), light = 2 * static_cast<float>(shift);
  for (int64_t i = 0; i < n; ++i) {
    float* picture = x.data<float>() + i * kPixels;
    for (int64_t p = 0; p < kPixels; ++p) picture[p] = 2 * uniform() - 1;
    const bool rises = random() % 2 == 1;
    labels.data<float>()[i] = rises ? 1 : 0;
    const int64_t row = random() % (kSide - 7), column = random() % (kSide - 7);
    for (int64_t d = 0; d < 8; ++d) picture[(row + (rises ? 7 - d : d)) * kSide + column + d] += 2.2f;
    for (int64_t p = 0; p < kPixels; ++p) picture[p] = light + contrast * picture[p];
  }
  return sf::DataSet::Create({x, labels});
}

// nn.Sequential(nn.Conv2d(1, 3, kernel_size=3, padding=1), nn.BatchNorm2d(3), nn.ReLU()), and a logit after it.
// `track_running_stats` can be set for the built layer: feed false, and it uses the statistics of the batch in
// inference too.
class Network {
 public:
  explicit Network(int64_t seed);
  absl::Status Start() {
    session = std::make_unique<sf::Session>(g, sf::SessionOptions{.threads = absl::GetFlag(FLAGS_threads)});
    return session->Initialize();
  }
  absl::StatusOr<std::vector<sf::Tensor>> RunningStatistics() { return session->Run({}, {running_mean, running_var}); }

  sf::Graph g;
  sf::Output x, training, track_running_stats;
  sf::Output convolved, y, logit;
  sf::Output running_mean, running_var;  // references
  std::unique_ptr<sf::Session> session;
};

Network::Network(int64_t seed) : g({.seed = seed}) {
  x = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, 1, kSide, kSide}, .name = "x"});
  training = sf::PlaceholderWithDefault(g, sf::Tensor(false), {.name = "training"});
  track_running_stats = sf::PlaceholderWithDefault(g, sf::Tensor(true), {.name = "1/track_running_stats"});
  convolved = sf::layers::Conv2D(
      g, x,
      {.filters = kChannels,
       .kernel_size = 3,
       .padding = "same",
       .data_format = "channels_first",
       .kernel_initializer = sf::initializers::RandomUniform({.minval = -1.0 / 3, .maxval = 1.0 / 3})});
  const sf::Output of_batch = sf::LogicalOr(training, sf::LogicalNot(track_running_stats));
  const sf::Output normalized = sf::layers::BatchNormalization(
      g, convolved,
      {.axis = 1, .momentum = 1 - absl::GetFlag(FLAGS_momentum), .epsilon = kEpsilon, .training = of_batch});
  y = sf::Relu(normalized);
  logit = sf::Reshape(sf::layers::Dense(g, sf::layers::Flatten(g, y), {.units = 1}), {-1});
  const sf::VariableScope scope(g, "batch_normalization", {.reuse = sf::Reuse::kReuse});
  running_mean = sf::GetVariable(g, "moving_mean").ref();
  running_var = sf::GetVariable(g, "moving_variance").ref();
}

double Distance(const sf::Tensor& a, const sf::Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.num_elements(); ++i) {
    const double difference = double{a.flat<float>()[i]} - double{b.flat<float>()[i]};
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

const char* TrueOrFalse(bool value) { return value ? "True" : "False"; }

// The post's program, with numbers in place of memory that nothing initialized.
absl::Status PostsExperiment() {
  std::printf("==== the post's experiment ====\n");
  Network m(absl::GetFlag(FLAGS_seed));
  const sf::Output drawn = sf::RandomNormal(m.g, {kBatch, 1, kSide, kSide});
  const sf::MomentsResult moments = sf::Moments(m.convolved, {0, 2, 3});
  SF_RETURN_IF_ERROR(m.Start());
  SF_ASSIGN_OR_RETURN(const sf::Tensor x, m.session->Run({}, drawn));
  const auto forward = [&](bool training, bool track) {
    return m.session->Run({{m.x, x}, {m.training, training}, {m.track_running_stats, track}}, m.y);
  };
  const auto compare = [](double err) {
    if (err > kSame) std::printf("3 ... difference in results on training and eval mode : %.4f\n", err);
    if (err <= kSame) std::printf("eval and train results SAME (difference %.3g)\n", err);
  };
  std::printf(" 1 ...  %s\n", TrueOrFalse(false));
  SF_ASSIGN_OR_RETURN(const sf::Tensor eval, forward(false, true));
  std::printf(" 2 ...  %s\n", TrueOrFalse(true));
  SF_ASSIGN_OR_RETURN(const sf::Tensor train, forward(true, true));
  compare(Distance(eval, train));
  std::printf("4 ...  %s, with track_running_stats = False\n", TrueOrFalse(false));
  SF_ASSIGN_OR_RETURN(const sf::Tensor of_batch, forward(false, false));
  compare(Distance(of_batch, train));

  // One update, and what it says about the variance that is averaged.
  const std::vector<sf::CollectionItem>& updates = m.g.collection(sf::kUpdateOps);
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> batch,
                      m.session->Run({{m.x, x}, {m.training, true}}, {moments.mean, moments.variance},
                                     {updates.begin(), updates.end()}));
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> running, m.RunningStatistics());
  const double n = kBatch * kPixels, momentum = absl::GetFlag(FLAGS_momentum), var = batch[1].flat<float>()[0];
  std::printf("running_var[0] after one update: %.7f; by n - 1 it would be %.7f, by n %.7f (n = %g values a channel)\n",
              running[1].flat<float>()[0], 1 - momentum + momentum * var * n / (n - 1), 1 - momentum + momentum * var,
              n);
  return absl::OkStatus();
}

// Training and evaluation of the network with a loss of its logit.
class Trained {
 public:
  Trained() : m_(absl::GetFlag(FLAGS_seed)) {
    labels_ = sf::Placeholder(m_.g, {.dtype = sf::DT_FLOAT, .shape = {-1}, .name = "labels"});
    bce_ = sf::Mean(sf::SigmoidCrossEntropyWithLogits(m_.logit, labels_));
    const sf::Output right = sf::Equal(sf::Greater(m_.logit, 0.0f), sf::Greater(labels_, 0.5f));
    accuracy_ = sf::Mean(sf::Cast(right, sf::DT_FLOAT));
    mean_ = sf::Placeholder(m_.g, {.dtype = sf::DT_FLOAT, .shape = {kChannels}, .name = "mean"});
    var_ = sf::Placeholder(m_.g, {.dtype = sf::DT_FLOAT, .shape = {kChannels}, .name = "var"});
    set_mean_ = sf::Assign(m_.running_mean, mean_);
    set_var_ = sf::Assign(m_.running_var, var_);
  }

  // Minimizes the mean of loss(logit, labels).
  using Loss = sf::Output (*)(sf::Output logit, sf::Output labels);
  absl::Status Train(const sf::DataSet& data, Loss loss) {
    sf::Operation step;
    {
      const sf::ControlDependencies after(m_.g, m_.g.collection(sf::kUpdateOps));
      step = sf::train::Adam(m_.g, {.learning_rate = 0.01}).Minimize(sf::Mean(loss(m_.logit, labels_)));
    }
    SF_RETURN_IF_ERROR(m_.Start());
    SF_ASSIGN_OR_RETURN(const sf::Step train,
                        m_.session->Prepare({.feeds = {m_.x, labels_, m_.training}, .targets = {step}}));
    sf::Batches batches(data, {.batch_size = kBatch, .shuffle = true, .tail = sf::Tail::kDrop});
    std::vector<sf::Tensor> batch;
    for (int64_t i = 0; i < absl::GetFlag(FLAGS_steps); ++i) {
      SF_RETURN_IF_ERROR(batches.Next(&batch).status());
      SF_RETURN_IF_ERROR(train.Run({batch[0], batch[1], true}).status());
    }
    return absl::OkStatus();
  }

  struct Score {
    double accuracy = 0, loss = 0;
  };
  // In batches of this size; track_running_stats = false normalizes with the statistics of each.
  absl::StatusOr<Score> Evaluate(const sf::DataSet& data, int64_t batch_size, bool track) {
    SF_ASSIGN_OR_RETURN(const sf::Step step, m_.session->Prepare({.feeds = {m_.x, labels_, m_.track_running_stats},
                                                                  .fetches = {accuracy_, bce_}}));
    sf::Batches batches(data, {.batch_size = batch_size, .epochs = 1});
    std::vector<sf::Tensor> batch;
    Score score;
    while (true) {
      SF_ASSIGN_OR_RETURN(const bool more, batches.Next(&batch));
      if (!more) break;
      SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> out, step.Run({batch[0], batch[1], track}));
      const double share = static_cast<double>(batch[1].num_elements()) / static_cast<double>(data.size());
      score.accuracy += share * out[0].scalar<float>();
      score.loss += share * out[1].scalar<float>();
    }
    return score;
  }

  // The statistics of all of `data`, from batches of one size, become the running ones.
  absl::StatusOr<sf::ReestimateReport> Reestimate(const sf::DataSet& data) {
    return sf::ReestimateBatchNorm(*m_.session, m_.g, data, {.feeds = {m_.x}, .batch_size = kBatch});
  }
  absl::StatusOr<std::vector<sf::Tensor>> RunningStatistics() { return m_.RunningStatistics(); }
  absl::Status SetRunningStatistics(const std::vector<sf::Tensor>& statistics) {
    return m_.session->Run({{mean_, statistics[0]}, {var_, statistics[1]}}, {set_mean_, set_var_}).status();
  }

 private:
  Network m_;
  sf::Output labels_, bce_, accuracy_, mean_, var_, set_mean_, set_var_;
};

struct Sets {
  sf::DataSet train, test, elsewhere;
};

sf::Output FromLogits(sf::Output logit, sf::Output labels) { return sf::SigmoidCrossEntropyWithLogits(logit, labels); }
// The sigmoid is taken twice.
sf::Output SigmoidFirst(sf::Output logit, sf::Output labels) { return FromLogits(sf::Sigmoid(logit), labels); }
// Over an axis of size 1 a softmax is 1, whatever the logit: no gradient passes.
sf::Output SoftmaxFirst(sf::Output logit, sf::Output labels) {
  return FromLogits(sf::Reshape(sf::Softmax(sf::Reshape(logit, {-1, 1})), {-1}), labels);
}

absl::Status CompareStatistics(const Sets& sets) {
  std::printf("\n==== which statistics ====\n%-44s %21s   %21s\n%-44s %10s %10s   %10s %10s\n", "", "test set",
              "from elsewhere", "normalized with", "accuracy", "loss", "accuracy", "loss");
  Trained net;
  SF_RETURN_IF_ERROR(net.Train(sets.train, FromLogits));
  const auto row = [&](const std::string& name, int64_t batch_size, bool track) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const Trained::Score test, net.Evaluate(sets.test, batch_size, track));
    SF_ASSIGN_OR_RETURN(const Trained::Score elsewhere, net.Evaluate(sets.elsewhere, batch_size, track));
    std::printf("%-44s %10.4f %10.4f   %10.4f %10.4f\n", name.c_str(), test.accuracy, test.loss, elsewhere.accuracy,
                elsewhere.loss);
    return absl::OkStatus();
  };
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> moving, net.RunningStatistics());
  SF_RETURN_IF_ERROR(row("moving averages", kBatch, true));
  SF_RETURN_IF_ERROR(row("moving averages, one picture at a time", 1, true));
  for (int64_t size : {kBatch, int64_t{16}, int64_t{8}, int64_t{4}, int64_t{2}, int64_t{1}}) {
    SF_RETURN_IF_ERROR(
        row(absl::StrFormat("the batch's own, of %d%s", size, size < kWarnBelow ? " (warning 1)" : ""), size, false));
  }
  std::vector<std::string> reports;
  const auto population = [&](const char* name, const sf::DataSet& data) -> absl::Status {
    SF_ASSIGN_OR_RETURN(const sf::ReestimateReport report, net.Reestimate(data));
    reports.push_back(absl::StrFormat("%s: %s", name, report.ToString()));
    SF_RETURN_IF_ERROR(row(absl::StrFormat("population: %d batches of %s", data.size() / kBatch, name), kBatch, true));
    return net.SetRunningStatistics(moving);
  };
  SF_RETURN_IF_ERROR(population("the training set", sets.train));
  SF_RETURN_IF_ERROR(population("the test set", sets.test));
  SF_RETURN_IF_ERROR(population("elsewhere", sets.elsewhere));
  std::printf(
      "warning 1: less than %d examples; their statistics are poor estimates, and a picture's prediction\n"
      "           depends on its company\n",
      static_cast<int>(kWarnBelow));
  return absl::OkStatus();
}

absl::Status CompareLosses(const Sets& sets) {
  std::printf("\n==== binary cross-entropy, from logits and not ====\n");
  for (const auto& [name, loss] : {std::pair<const char*, Trained::Loss>("from the logit", FromLogits),
                                   {"from the sigmoid of the logit, as if it were one", SigmoidFirst},
                                   {"from the softmax over one logit, as if it were one", SoftmaxFirst}}) {
    Trained net;
    SF_RETURN_IF_ERROR(net.Train(sets.train, loss));
    SF_ASSIGN_OR_RETURN(const Trained::Score score, net.Evaluate(sets.test, kBatch, true));
    std::printf("%-52s accuracy %.4f, true loss %.4f\n", name, score.accuracy, score.loss);
  }
  return absl::OkStatus();
}

absl::Status Run() {
  SF_RETURN_IF_ERROR(sf::CheckRange("momentum", absl::GetFlag(FLAGS_momentum), 0, 1));
  SF_RETURN_IF_ERROR(sf::CheckRange("steps", absl::GetFlag(FLAGS_steps), 0, 1000000));
  SF_RETURN_IF_ERROR(sf::CheckRange("train_pictures", absl::GetFlag(FLAGS_train_pictures), kBatch, 100000));
  SF_RETURN_IF_ERROR(sf::CheckRange("test_pictures", absl::GetFlag(FLAGS_test_pictures), kBatch, 100000));
  SF_RETURN_IF_ERROR(sf::CheckRange("shift", absl::GetFlag(FLAGS_shift), 0, 1));
  SF_RETURN_IF_ERROR(sf::CheckRange("threads", absl::GetFlag(FLAGS_threads), 0, 1024));
  SF_RETURN_IF_ERROR(PostsExperiment());
  const uint32_t seed = static_cast<uint32_t>(absl::GetFlag(FLAGS_seed));
  Sets sets;
  SF_ASSIGN_OR_RETURN(sets.train, DrawStrokes(absl::GetFlag(FLAGS_train_pictures), 3 * seed, 0));
  SF_ASSIGN_OR_RETURN(sets.test, DrawStrokes(absl::GetFlag(FLAGS_test_pictures), 3 * seed + 1, 0));
  SF_ASSIGN_OR_RETURN(sets.elsewhere,
                      DrawStrokes(absl::GetFlag(FLAGS_test_pictures), 3 * seed + 2, absl::GetFlag(FLAGS_shift)));
  SF_RETURN_IF_ERROR(CompareStatistics(sets));
  return CompareLosses(sets);
}

}  // namespace

int main(int argc, char** argv) {
  return sf::RunProgram(argc, argv, "Compares the statistics that batch normalization can use in inference.", Run);
}
