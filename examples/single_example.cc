// One example at a time or all at once: why the same network, asked about the same picture, gives two answers.
//
//   bazel run //examples:single_example                          three networks on drawn pictures
//   bazel run //examples:single_example -- --network=dense --data=FOLDER
//
// Each network is trained with its batch normalization hard-wired to `training = true`, and then asked about single
// pictures and about all of them. The fix shares its weights and needs no training: only `training` becomes a
// placeholder, which is false unless it is fed. Its moving averages have not arrived after a hundred updates, so they
// are then replaced by the statistics that they approach.
//
//   dense   flatten, dense 3136, batch norm, relu, dense 6. One example is its own mean: batch norm gives beta for
//           every picture, and so all single predictions are the same. To the last bit they are when it is computed as
//           gamma (x - mean) / sqrt(variance + epsilon) + beta; the layer, as TensorFlow's, rounds a little.
//   conv    conv 7 x 7 / 2 of 64 channels, batch norm, relu, flatten, dense 6. The mean is taken over the pixels too:
//           single predictions differ, but not only by what the picture shows.
//   resnet  zero padding, the same convolution, max pooling, a residual block, global pooling, dense 6.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "examples/support/picture_networks.h"
#include "examples/support/pictures.h"
#include "examples/support/program.h"
#include "graph/batch_dependence.h"
#include "ops/diagnostics/batch_norm_audit.h"
#include "ops/diagnostics/reestimate.h"
#include "ops/diagnostics/skew.h"
#include "ops/train/progress.h"
#include "staticflow.h"

ABSL_FLAG(std::string, data, "", "A folder with a folder of PPM files for each class; empty: drawn pictures.");
ABSL_FLAG(std::string, network, "dense,conv,resnet", "Which networks, with commas between them.");
ABSL_FLAG(int64_t, units, 64 * 7 * 7, "Of the dense network's hidden layer.");
ABSL_FLAG(int64_t, filters, 64, "Channels of the convolutions.");
ABSL_FLAG(int64_t, epochs, 3, "How often the training pictures are seen.");
ABSL_FLAG(int64_t, batch_size, 32, "Pictures in a batch.");
ABSL_FLAG(double, momentum, 0.99, "The share of the moving averages that an update keeps.");
ABSL_FLAG(int64_t, train_images, 1080, "Drawn pictures to train with.");
ABSL_FLAG(int64_t, test_images, 120, "Drawn pictures to test with.");
ABSL_FLAG(int64_t, seed, 1, "Of the drawn pictures and the order of the batches.");
ABSL_FLAG(int32_t, threads, 0, "0: as many as the machine has. The results do not depend on it.");

namespace sf = staticflow;

namespace {

constexpr int64_t kSide = sf::kPictureSide;
constexpr int kShown = 3;           // pictures whose predictions are printed
constexpr double kAgree = 1e-5;     // predictions that differ by less agree
constexpr double kSmallest = 1e-7;  // probabilities are clipped here before their logarithm

// What a network answers about the test pictures, a row for each picture.
struct Answers {
  sf::Tensor all_at_once, one_by_one;
  std::vector<sf::Tensor> normalized;  // of each single picture
};

class Network {
 public:
  explicit Network(std::string name) : name_(std::move(name)) {
    x_ = sf::Placeholder(g_, {.dtype = sf::DT_FLOAT, .shape = {-1, kSide, kSide, 3}, .name = "pictures"});
    labels_ = sf::Placeholder(g_, {.dtype = sf::DT_FLOAT, .shape = {-1, sf::kPictureClasses}, .name = "labels"});
    hard_wired_ = Apply({.training = true});
    const sf::Output p = sf::ClipByValue(hard_wired_.probabilities, kSmallest, 1 - kSmallest);
    loss_ = sf::Mean(-sf::Sum(labels_ * sf::Log(p), {1}));
    const sf::ControlDependencies after(g_, g_.collection(sf::kUpdateOps));
    train_ = sf::train::Adam(g_, {.epsilon = 1e-7}).Minimize(loss_);
  }

  absl::Status Train(const sf::DataSet& data) {
    session_ = std::make_unique<sf::Session>(g_, sf::SessionOptions{.threads = absl::GetFlag(FLAGS_threads)});
    SF_RETURN_IF_ERROR(session_->Initialize());
    SF_ASSIGN_OR_RETURN(const sf::Step step,
                        session_->Prepare({.feeds = {x_, labels_}, .fetches = {loss_}, .targets = {train_}}));
    const int64_t batch_size = absl::GetFlag(FLAGS_batch_size), epochs = absl::GetFlag(FLAGS_epochs);
    sf::Batches batches(data, {.batch_size = batch_size,
                               .shuffle = true,
                               .seed = static_cast<uint64_t>(absl::GetFlag(FLAGS_seed)),
                               .epochs = epochs});
    const int64_t in_epoch = (data.size() + batch_size - 1) / batch_size;
    sf::train::Progress progress({.label = name_, .total = epochs * in_epoch, .line_every = in_epoch});
    std::vector<sf::Tensor> batch;
    for (int64_t i = 1;; ++i) {
      SF_ASSIGN_OR_RETURN(const bool more, batches.Next(&batch));
      if (!more) break;
      SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> out, step.Run(batch));
      updates_ = i;
      progress.Update(i, {{"loss", out[0].scalar<float>()}});
    }
    progress.Finish();
    return absl::OkStatus();
  }

  // The network as it should have been written, with the same variables.
  sf::PictureNetwork Fixed() {
    const sf::Output is_training = sf::PlaceholderWithDefault(g_, sf::Tensor(false), {.name = "is_training"});
    return Apply({.training = is_training});
  }
  sf::PictureNetwork ByHand() { return Apply({.by_hand = true}); }
  absl::StatusOr<sf::Tensor> Beta() {
    const sf::VariableScope scope(g_, name_ + "/batch_normalization", {.reuse = sf::Reuse::kReuse});
    return session_->Run({}, sf::GetVariable(g_, "beta").ref());
  }

  absl::StatusOr<Answers> Ask(const sf::PictureNetwork& network, const sf::Tensor& pictures) {
    SF_ASSIGN_OR_RETURN(const sf::Step step,
                        session_->Prepare({.feeds = {x_}, .fetches = {network.probabilities, network.normalized}}));
    const int64_t n = pictures.shape().dim(0), size = pictures.num_elements() / n;
    Answers answers;
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> all, step.Run({pictures}));
    answers.all_at_once = all[0];
    SF_ASSIGN_OR_RETURN(answers.one_by_one, sf::Tensor::Create(sf::DT_FLOAT, all[0].shape()));
    for (int64_t i = 0; i < n; ++i) {
      const sf::Tensor one = sf::Tensor::Borrow<float>({1, kSide, kSide, 3}, pictures.data<float>() + i * size);
      SF_ASSIGN_OR_RETURN(std::vector<sf::Tensor> out, step.Run({one}));
      std::copy_n(out[0].data<float>(), sf::kPictureClasses,
                  answers.one_by_one.data<float>() + i * sf::kPictureClasses);
      answers.normalized.push_back(std::move(out[1]));
    }
    return answers;
  }

  // What can be said of these predictions without making any.
  absl::Status Diagnose(const sf::PictureNetwork& network) {
    const sf::Tensor one =
        sf::Tensor::Of<float>({1, kSide, kSide, 3}, std::vector<float>(static_cast<size_t>(kSide * kSide * 3), 0.5f));
    SF_ASSIGN_OR_RETURN(const sf::BatchNormAudit audit, sf::AuditBatchNorm(g_, {{x_, one}}, {network.probabilities}));
    SF_ASSIGN_OR_RETURN(const sf::BatchDependence dependence, sf::AnalyzeBatchDependence(network.probabilities));
    std::printf("the audit of a run for one picture:\n%sdependence on the batch: %s\n", audit.ToString().c_str(),
                dependence.ToString().c_str());
    return absl::OkStatus();
  }

  // In place of the moving averages.
  absl::Status Reestimate(const sf::DataSet& data) {
    return sf::ReestimateBatchNorm(*session_, g_, data, {.feeds = {x_}}).status();
  }

  const sf::PictureNetwork& hard_wired() const { return hard_wired_; }
  int64_t updates() const { return updates_; }  // of the moving averages, so far

 private:
  sf::PictureNetwork Apply(sf::PictureNetworkOptions options) {
    options.units = absl::GetFlag(FLAGS_units);
    options.filters = absl::GetFlag(FLAGS_filters);
    options.momentum = absl::GetFlag(FLAGS_momentum);
    return sf::ApplyPictureNetwork(g_, name_, x_, options);
  }

  std::string name_;
  sf::Graph g_;
  sf::Output x_, labels_, loss_;
  sf::Operation train_;
  sf::PictureNetwork hard_wired_;
  std::unique_ptr<sf::Session> session_;
  int64_t updates_ = 0;
};

absl::Span<const float> Row(const sf::Tensor& tensor, int64_t i) {
  return tensor.flat<float>().subspan(static_cast<size_t>(i * sf::kPictureClasses), sf::kPictureClasses);
}

double LargestDifference(absl::Span<const float> a, absl::Span<const float> b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(double{a[i]} - double{b[i]}));
  return largest;
}

double Accuracy(const sf::Tensor& predictions, const sf::Tensor& labels) {
  int64_t right = 0;
  const int64_t n = labels.shape().dim(0);
  for (int64_t i = 0; i < n; ++i) {
    const auto p = Row(predictions, i), l = Row(labels, i);
    right += std::max_element(p.begin(), p.end()) - p.begin() == std::max_element(l.begin(), l.end()) - l.begin();
  }
  return static_cast<double>(right) / static_cast<double>(n);
}

// "the same bit for bit", or how far apart.
std::string Difference(double largest, double rounding = kAgree) {
  if (largest == 0) return "the same bit for bit";
  if (largest <= rounding) return absl::StrFormat("the same but for rounding, by up to %.3g", largest);
  return absl::StrFormat("they differ by up to %.3g", largest);
}

// Returns the largest difference between the two predictions for a picture.
double PrintAnswers(const std::string& title, const Answers& answers, const sf::Tensor& labels) {
  const int64_t n = labels.shape().dim(0);
  double to_batch = 0, to_single = 0;
  std::printf("\n%s\n", title.c_str());
  for (int64_t i = 0; i < n; ++i) {
    const auto one = Row(answers.one_by_one, i), all = Row(answers.all_at_once, i);
    to_batch = std::max(to_batch, LargestDifference(one, all));
    to_single = std::max(to_single, LargestDifference(one, Row(answers.one_by_one, 0)));
    if (i >= kShown) continue;
    const auto print = [](std::string* out, float value) { absl::StrAppendFormat(out, "%.6f", value); };
    std::printf("Pred vector - inference from one example  = %d = [%s]\n", static_cast<int>(i),
                absl::StrJoin(one, " ", print).c_str());
    std::printf("Pred vector - inference from all examples = %d = [%s]\n", static_cast<int>(i),
                absl::StrJoin(all, " ", print).c_str());
  }
  std::printf("a picture by itself and among all: %s\n", Difference(to_batch).c_str());
  std::printf("different pictures, each by itself: %s\n", Difference(to_single).c_str());
  std::printf("accuracy on %d test pictures: one by one %.4f, all at once %.4f\n", static_cast<int>(n),
              Accuracy(answers.one_by_one, labels), Accuracy(answers.all_at_once, labels));
  return to_batch;
}

// What the post suspected: batch normalization of a single row leaves beta.
void CompareWithBeta(const Answers& answers, const sf::Tensor& beta) {
  double largest = 0;
  for (const sf::Tensor& y : answers.normalized) {
    largest = std::max(largest, LargestDifference(y.flat<float>(), beta.flat<float>()));
  }
  std::printf("what batch normalization makes of a single picture, and beta: %s\n", Difference(largest, 1e-3).c_str());
}

absl::Status RunNetwork(const std::string& name, const sf::Pictures& pictures) {
  std::printf("\n==== %s ====\n", name.c_str());
  Network network(name);
  SF_RETURN_IF_ERROR(network.Train(pictures.train));
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> test, pictures.test.AllRows());

  SF_ASSIGN_OR_RETURN(const Answers before, network.Ask(network.hard_wired(), test[0]));
  PrintAnswers("before: training = true is hard-wired", before, test[1]);
  SF_RETURN_IF_ERROR(network.Diagnose(network.hard_wired()));
  if (name == "dense") {
    SF_ASSIGN_OR_RETURN(const sf::Tensor beta, network.Beta());
    CompareWithBeta(before, beta);
    SF_ASSIGN_OR_RETURN(const Answers by_hand, network.Ask(network.ByHand(), test[0]));
    PrintAnswers("before, batch normalization written as gamma (x - mean) / sqrt(variance + epsilon) + beta", by_hand,
                 test[1]);
    CompareWithBeta(by_hand, beta);
  }

  const sf::PictureNetwork fixed = network.Fixed();
  SF_ASSIGN_OR_RETURN(const Answers after, network.Ask(fixed, test[0]));
  const double apart = PrintAnswers("after: training is a placeholder, false for predictions", after, test[1]);
  std::printf("the moving averages, after %d updates with momentum %g: %.1f %% of them are their initial values\n",
              static_cast<int>(network.updates()), absl::GetFlag(FLAGS_momentum),
              100 * sf::InitialWeight(absl::GetFlag(FLAGS_momentum), network.updates()));
  SF_RETURN_IF_ERROR(network.Diagnose(fixed));
  SF_RETURN_IF_ERROR(network.Reestimate(pictures.train));
  SF_ASSIGN_OR_RETURN(const Answers settled, network.Ask(fixed, test[0]));
  PrintAnswers("after, with the exact statistics of the training pictures", settled, test[1]);
  if (apart <= kAgree) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(name, ": single predictions of the fixed network differ by ", apart, " from those of the batch"));
}

absl::StatusOr<sf::Pictures> LoadPictures() {
  if (const std::string data = absl::GetFlag(FLAGS_data); !data.empty()) return sf::ReadPictures(sf::PosixEnv(), data);
  return sf::DrawPictures({.train = absl::GetFlag(FLAGS_train_images),
                           .test = absl::GetFlag(FLAGS_test_images),
                           .seed = static_cast<uint64_t>(absl::GetFlag(FLAGS_seed))});
}

absl::Status Run() {
  SF_RETURN_IF_ERROR(sf::CheckRange("units", absl::GetFlag(FLAGS_units), 1, 10000));
  SF_RETURN_IF_ERROR(sf::CheckRange("filters", absl::GetFlag(FLAGS_filters), 1, 1000));
  SF_RETURN_IF_ERROR(sf::CheckRange("epochs", absl::GetFlag(FLAGS_epochs), 0, 10000));
  SF_RETURN_IF_ERROR(sf::CheckRange("batch_size", absl::GetFlag(FLAGS_batch_size), 1, 10000));
  SF_RETURN_IF_ERROR(sf::CheckRange("momentum", absl::GetFlag(FLAGS_momentum), 0, 1));
  SF_RETURN_IF_ERROR(sf::CheckRange("threads", absl::GetFlag(FLAGS_threads), 0, 1024));
  const std::vector<std::string> networks = absl::StrSplit(absl::GetFlag(FLAGS_network), ',');
  for (const std::string& name : networks) {
    SF_RETURN_IF_ERROR(sf::CheckChoice("network", name, {"dense", "conv", "resnet"}));
  }
  SF_ASSIGN_OR_RETURN(const sf::Pictures pictures, LoadPictures());
  for (const std::string& name : networks) SF_RETURN_IF_ERROR(RunNetwork(name, pictures));
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  return sf::RunProgram(argc, argv, "Compares predictions for one example and for many, before and after the fix.",
                        Run);
}
