// The batch normalization lesson: two networks with the same starting weights, one with and one without batch
// normalization, trained on the same batches, compared, saved, restored and tested.
//
//   bazel run //examples:batch_norm_lesson -- --data=/usr/share/datasets/fashion-mnist
//   bazel run //examples:batch_norm_lesson -- --activation=sigmoid --learning_rate=1 --weights_stddev=5
//   bazel run //examples:batch_norm_lesson -- --network=conv --implementation=ops --batches=2000
//   bazel run //examples:batch_norm_lesson -- --all --data=MNIST        # every comparison of the lesson: one report
//
// --out gets the plot of both (validation_accuracy.svg) and of each network its graph (.pb, .pbtxt), its checkpoint and
// its event files, for TensorBoard. The same flags print the same losses and accuracies, with any number of threads.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "examples/support/lesson_report.h"
#include "examples/support/neural_net.h"
#include "examples/support/program.h"
#include "examples/support/saved_network.h"
#include "runtime/io/env.h"
#include "runtime/io/line_plot.h"
#include "staticflow.h"

ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "The folder of the four IDX files, plain or .gz.");
ABSL_FLAG(std::string, out, "batch_norm_lesson_out", "The folder for plot, graphs, checkpoints and event files.");
ABSL_FLAG(std::string, network, "dense",
          "dense: fully connected layers; conv: convolutions, then one connected layer; recurrent: row by row.");
ABSL_FLAG(std::string, hidden, "",
          "Nodes (or channels) of the hidden layers; empty: 100,100,100, or 8,16,32 for conv, or 50 for recurrent.");
ABSL_FLAG(std::string, activation, "relu", "Of the hidden layers: relu, sigmoid, tanh or leaky_relu.");
ABSL_FLAG(std::string, batch_norm, "both", "Which networks to train: both, on or off.");
ABSL_FLAG(std::string, implementation, "layer", "Batch normalization as layer, as ops in a cond, or from scratch.");
ABSL_FLAG(std::string, bn_position, "before", "Batch normalization before or after the activation.");
ABSL_FLAG(double, weights_stddev, 0.05, "The starting weights are normal; 0.05 is good, 5 is bad.");
ABSL_FLAG(double, learning_rate, 0.01, "Of gradient descent.");
ABSL_FLAG(int64_t, batches, 50000, "How many batches to train.");
ABSL_FLAG(int64_t, batch_size, 60, "Examples in a batch.");
ABSL_FLAG(int64_t, batches_per_sample, 500, "How many batches lie between two points of the plot.");
ABSL_FLAG(int64_t, twin_batches, 2000, "Train a network whose update operations nobody runs for so many batches.");
ABSL_FLAG(std::string, save_model_as, "", "The checkpoint's path; empty: in --out, named after the network.");
ABSL_FLAG(std::string, restore_from, "", "A checkpoint to test, without training.");
ABSL_FLAG(bool, stop_on_nan, false, "End a training whose loss is no number.");
ABSL_FLAG(int64_t, seed, 1, "Of the starting weights and the order of the batches.");
ABSL_FLAG(int64_t, seeds, 1, "How many seeds to train with, one after the other; prints the spread.");
ABSL_FLAG(bool, all, false,
          "All comparisons of the lesson and what belongs to them, as batch_norm_lesson.html and .txt.");
ABSL_FLAG(double, batches_scale, 1, "With --all: trains for this share of the lesson's batches.");
ABSL_FLAG(int32_t, threads, 0, "0: as many as the machine has. The results do not depend on it.");

namespace sf = staticflow;

namespace {

constexpr int kSingles = 200;  // images that are predicted one at a time
const char kWith[] = "With Batch Norm";
const char kWithout[] = "Without Batch Norm";
const char kRule[] = "---------------------------------------------------------------------------";

// The flags that make a network, read and checked.
struct Settings {
  std::vector<sf::Shape> weights;
  sf::NeuralNetOptions network;
  sf::TrainingOptions training;
  std::vector<bool> batch_norm;  // the networks to train

  sf::NeuralNetOptions Network(const std::vector<sf::Tensor>& initial_weights, bool use_batch_norm) const {
    sf::NeuralNetOptions options = network;
    options.initial_weights = initial_weights;
    options.use_batch_norm = use_batch_norm;
    return options;
  }
};

absl::Status CheckFlags() {
  using sf::CheckChoice;
  using sf::CheckRange;
  const double infinity = std::numeric_limits<double>::infinity();
  SF_RETURN_IF_ERROR(CheckChoice("network", absl::GetFlag(FLAGS_network), {"dense", "conv", "recurrent"}));
  SF_RETURN_IF_ERROR(
      CheckChoice("activation", absl::GetFlag(FLAGS_activation), {"relu", "sigmoid", "tanh", "leaky_relu"}));
  SF_RETURN_IF_ERROR(CheckChoice("batch_norm", absl::GetFlag(FLAGS_batch_norm), {"both", "on", "off"}));
  SF_RETURN_IF_ERROR(CheckChoice("implementation", absl::GetFlag(FLAGS_implementation), {"layer", "ops", "scratch"}));
  SF_RETURN_IF_ERROR(CheckChoice("bn_position", absl::GetFlag(FLAGS_bn_position), {"before", "after"}));
  SF_RETURN_IF_ERROR(CheckRange("weights_stddev", absl::GetFlag(FLAGS_weights_stddev), 0, 1e6));
  SF_RETURN_IF_ERROR(CheckRange("learning_rate", absl::GetFlag(FLAGS_learning_rate), 0, 1e6));
  SF_RETURN_IF_ERROR(CheckRange("batches", absl::GetFlag(FLAGS_batches), 0, infinity));
  SF_RETURN_IF_ERROR(CheckRange("batch_size", absl::GetFlag(FLAGS_batch_size), 1, 100000));
  SF_RETURN_IF_ERROR(CheckRange("batches_per_sample", absl::GetFlag(FLAGS_batches_per_sample), 1, infinity));
  SF_RETURN_IF_ERROR(CheckRange("twin_batches", absl::GetFlag(FLAGS_twin_batches), 0, infinity));
  SF_RETURN_IF_ERROR(CheckRange("seeds", absl::GetFlag(FLAGS_seeds), 1, 1000));
  SF_RETURN_IF_ERROR(CheckRange("batches_scale", absl::GetFlag(FLAGS_batches_scale), 0, 100));
  return CheckRange("threads", absl::GetFlag(FLAGS_threads), 0, 1024);
}

absl::StatusOr<std::vector<sf::Shape>> ReadWeightShapes() {
  const std::string network = absl::GetFlag(FLAGS_network);
  std::string text = absl::GetFlag(FLAGS_hidden);
  if (text.empty()) text = network == "conv" ? "8,16,32" : network == "recurrent" ? "50" : "100,100,100";
  SF_ASSIGN_OR_RETURN(const std::vector<double> numbers, sf::ParseNumbers("hidden", text));
  std::vector<int64_t> hidden;
  for (double number : numbers) {
    hidden.push_back(static_cast<int64_t>(number));
    if (number < 1 || number > 100000 || static_cast<double>(hidden.back()) != number) {
      return absl::InvalidArgumentError(
          absl::StrCat("--hidden=", text, ": expected whole numbers from 1 to 100000, '", number, "' is none"));
    }
  }
  if (network != "recurrent") {
    return sf::WeightShapes(network == "conv" ? sf::NetworkKind::kConv : sf::NetworkKind::kDense, hidden);
  }
  if (hidden.size() == 1) return sf::WeightShapes(sf::NetworkKind::kRecurrent, hidden);
  return absl::InvalidArgumentError(absl::StrCat("--hidden=", text, ": a recurrent network has one hidden layer"));
}

absl::StatusOr<Settings> ReadFlags() {
  SF_RETURN_IF_ERROR(CheckFlags());
  Settings settings;
  SF_ASSIGN_OR_RETURN(settings.weights, ReadWeightShapes());
  settings.network.recurrent = absl::GetFlag(FLAGS_network) == "recurrent";
  const std::string activation = absl::GetFlag(FLAGS_activation);
  if (activation == "sigmoid") settings.network.activation = sf::Sigmoid;
  if (activation == "tanh") settings.network.activation = sf::Tanh;
  if (activation == "leaky_relu") settings.network.activation = [](sf::Output x) { return sf::LeakyRelu(x); };
  const std::string implementation = absl::GetFlag(FLAGS_implementation);
  if (implementation == "ops") settings.network.implementation = sf::Implementation::kOps;
  if (implementation == "scratch") settings.network.implementation = sf::Implementation::kScratch;
  settings.network.normalize_after_activation = absl::GetFlag(FLAGS_bn_position) == "after";
  settings.training = {.learning_rate = absl::GetFlag(FLAGS_learning_rate),
                       .batches = absl::GetFlag(FLAGS_batches),
                       .batches_per_sample = absl::GetFlag(FLAGS_batches_per_sample),
                       .batch_size = absl::GetFlag(FLAGS_batch_size),
                       .stop_on_nan = absl::GetFlag(FLAGS_stop_on_nan)};
  const std::string batch_norm = absl::GetFlag(FLAGS_batch_norm);
  if (batch_norm != "on") settings.batch_norm.push_back(false);
  if (batch_norm != "off") settings.batch_norm.push_back(true);
  return settings;
}

// The starting weights are made outside of the networks and given to both.
absl::StatusOr<std::vector<sf::Tensor>> StartingWeights(const std::vector<sf::Shape>& shapes, int64_t seed) {
  const double stddev = absl::GetFlag(FLAGS_weights_stddev);
  SF_ASSIGN_OR_RETURN(std::vector<sf::Tensor> weights, sf::DrawWeights(shapes, stddev, seed));
  std::vector<std::string> text;
  for (const sf::Shape& shape : shapes) text.push_back(shape.ToString());
  std::printf("starting weights: %s, normal, standard deviation %g, checksum %08x\n", absl::StrJoin(text, " ").c_str(),
              stddev, sf::Checksum(weights));
  return weights;
}

// "with_batch_norm", for files; and the network's folder.
std::string FileName(const std::string& name) { return absl::AsciiStrToLower(absl::StrReplaceAll(name, {{" ", "_"}})); }
std::string Folder(const std::string& name) { return sf::JoinPath(absl::GetFlag(FLAGS_out), FileName(name)); }

// `path` belongs to one network; of two, each gets its name added.
std::string CheckpointPath(const std::string& path, const std::string& name, const Settings& settings) {
  if (path.empty()) return sf::JoinPath(Folder(name), "model.ckpt");
  return settings.batch_norm.size() == 1 ? path : absl::StrCat(path, "-", FileName(name));
}

void PrintTest(const std::string& name, const sf::TestReport& report) {
  std::printf("%s\n%s: Accuracy on full test set = %.4f\n", kRule, name.c_str(), report.accuracy);
  const int n = static_cast<int>(report.predictions.size());
  std::printf("%d Predictions: [%s]\n", n, absl::StrJoin(report.predictions, ", ").c_str());
  std::printf("Accuracy on %d samples: %.4f\n", n, report.single_accuracy);
}

// Tests in inference mode and then, as one should not, with the statistics of the batch: where there is batch
// normalization, that makes a difference.
absl::Status TestBothModes(sf::Session& session, sf::Graph& g, const sf::NetworkTensors& tensors,
                           const std::string& name, const sf::LessonData& data) {
  SF_ASSIGN_OR_RETURN(const sf::TestReport inference,
                      sf::TestNetwork(session, g, tensors, data, {.singles = kSingles}));
  PrintTest(name, inference);
  if (name != kWith) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const sf::TestReport training,
                      sf::TestNetwork(session, g, tensors, data, {.is_training = true, .singles = kSingles}));
  PrintTest(name + ", fed is_training = True", training);
  return absl::OkStatus();
}

// The network once more, from the files alone. Its predictions must have the bits of the session that trained.
absl::Status RestoreAndTest(sf::Session& trained, const sf::NeuralNet& net, const std::string& checkpoint,
                            const sf::LessonData& data) {
  SF_ASSIGN_OR_RETURN(const sf::LoadedNetwork loaded,
                      sf::LoadNetwork(Folder(net.name()), checkpoint, net.tensors(), trained.options()));
  const auto logits = [&](sf::Session& session, const sf::NetworkTensors& tensors) {
    return session.Run({{tensors.input, data.test_images}, {tensors.is_training, false}}, tensors.logits);
  };
  SF_ASSIGN_OR_RETURN(const sf::Tensor before, logits(trained, net.tensors()));
  SF_ASSIGN_OR_RETURN(const sf::Tensor after, logits(*loaded.session, loaded.tensors));
  if (!sf::BitwiseEqual(before, after)) {
    return absl::InternalError(absl::StrCat(net.name(), ": the restored network predicts otherwise"));
  }
  std::printf("%s: restored from the files; the predictions are the same bit for bit\n", net.name().c_str());
  return TestBothModes(*loaded.session, *loaded.graph, loaded.tensors, net.name(), data);
}

absl::StatusOr<sf::TrainingReport> TrainOne(bool use_batch_norm, const std::vector<sf::Tensor>& weights,
                                            const Settings& settings, const sf::LessonData& data, uint64_t seed) {
  sf::NeuralNet net(settings.Network(weights, use_batch_norm));
  sf::Session session(net.graph(), {.threads = absl::GetFlag(FLAGS_threads)});
  SF_RETURN_IF_ERROR(session.Initialize());

  SF_ASSIGN_OR_RETURN(const std::unique_ptr<sf::EventWriter> events,
                      sf::EventWriter::Create(sf::PosixEnv(), Folder(net.name())));
  sf::TrainingOptions training = settings.training;
  training.seed = seed;
  training.events = events.get();
  SF_ASSIGN_OR_RETURN(const sf::TrainingReport report, net.Train(session, data, training));
  std::printf("%s: After training, final accuracy on validation set = %.4f\n", net.name().c_str(),
              report.final_accuracy);
  std::printf("%s: last loss %.9g, checksum of all losses %08x, %.0f batches/s\n", net.name().c_str(),
              std::isnan(report.last_loss) ? NAN : report.last_loss, report.losses_checksum, report.batches_per_second);

  const std::string path = CheckpointPath(absl::GetFlag(FLAGS_save_model_as), net.name(), settings);
  SF_ASSIGN_OR_RETURN(const std::string checkpoint,
                      sf::SaveNetwork(session, net, Folder(net.name()), path, events.get()));
  SF_RETURN_IF_ERROR(events->Close());
  std::printf("%s: saved %s and %s/graph.pb\n", net.name().c_str(), checkpoint.c_str(), Folder(net.name()).c_str());
  SF_RETURN_IF_ERROR(RestoreAndTest(session, net, checkpoint, data));
  return report;
}

// What becomes of a network with batch normalization when its update operations are forgotten.
absl::Status TrainTwin(const std::vector<sf::Tensor>& weights, const Settings& settings, const sf::LessonData& data,
                       uint64_t seed) {
  sf::NeuralNet net(settings.Network(weights, /*use_batch_norm=*/true));
  sf::Session session(net.graph(), {.threads = absl::GetFlag(FLAGS_threads)});
  SF_RETURN_IF_ERROR(session.Initialize());
  sf::TrainingOptions training = settings.training;
  training.batches = absl::GetFlag(FLAGS_twin_batches);
  training.batches_per_sample = std::max<int64_t>(1, training.batches);
  training.seed = seed;
  training.run_update_ops = false;
  SF_ASSIGN_OR_RETURN(const sf::TrainingReport report, net.Train(session, data, training));
  std::printf("%s\n%s, update_ops forgotten: After training, final accuracy on validation set = %.4f\n", kRule,
              net.name().c_str(), report.final_accuracy);
  return absl::OkStatus();
}

absl::Status TestCheckpoints(const Settings& settings, const sf::LessonData& data) {
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> weights,
                      StartingWeights(settings.weights, absl::GetFlag(FLAGS_seed)));
  for (bool use_batch_norm : settings.batch_norm) {
    sf::NeuralNet net(settings.Network(weights, use_batch_norm));
    sf::train::Saver saver(net.graph());
    sf::Session session(net.graph(), {.threads = absl::GetFlag(FLAGS_threads)});
    const std::string path = CheckpointPath(absl::GetFlag(FLAGS_restore_from), net.name(), settings);
    SF_RETURN_IF_ERROR(saver.Restore(session, path));
    std::printf("%s: restored from %s\n", net.name().c_str(), path.c_str());
    SF_RETURN_IF_ERROR(TestBothModes(session, net.graph(), net.tensors(), net.name(), data));
  }
  return absl::OkStatus();
}

absl::Status Plot(const std::vector<std::pair<std::string, sf::TrainingReport>>& reports) {
  const std::string subtitle = absl::StrFormat("%s network, %s, learning rate %g, weights with standard deviation %g",
                                               absl::GetFlag(FLAGS_network), absl::GetFlag(FLAGS_activation),
                                               absl::GetFlag(FLAGS_learning_rate), absl::GetFlag(FLAGS_weights_stddev));
  sf::LinePlot plot({.title = "Validation Accuracy During Training",
                     .subtitle = subtitle,
                     .x_label = "Training steps",
                     .y_label = "Accuracy"});
  for (const auto& [name, report] : reports) plot.Add(name, report.accuracies);
  const std::string path = sf::JoinPath(absl::GetFlag(FLAGS_out), "validation_accuracy.svg");
  SF_RETURN_IF_ERROR(sf::ReplaceFile(sf::PosixEnv(), path, plot.Svg()));
  std::printf("plot: %s\n", path.c_str());
  return absl::OkStatus();
}

void PrintSpread(const std::string& name, const std::vector<double>& accuracies) {
  double sum = 0, low = accuracies[0], high = accuracies[0];
  for (double accuracy : accuracies) {
    sum += accuracy;
    low = std::min(low, accuracy);
    high = std::max(high, accuracy);
  }
  std::printf("%s: final accuracy on validation set over %d seeds: mean %.4f, from %.4f to %.4f\n", name.c_str(),
              static_cast<int>(accuracies.size()), sum / static_cast<double>(accuracies.size()), low, high);
}

absl::Status TrainAndTest(const Settings& settings, const sf::LessonData& data) {
  const int64_t first = absl::GetFlag(FLAGS_seed), count = absl::GetFlag(FLAGS_seeds);
  std::vector<double> final_accuracies[2];
  for (int64_t seed = first; seed < first + count; ++seed) {
    if (count > 1) std::printf("%s\nseed %d\n", kRule, static_cast<int>(seed));
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> weights, StartingWeights(settings.weights, seed));
    std::vector<std::pair<std::string, sf::TrainingReport>> reports;
    for (bool use_batch_norm : settings.batch_norm) {
      SF_ASSIGN_OR_RETURN(const sf::TrainingReport report,
                          TrainOne(use_batch_norm, weights, settings, data, static_cast<uint64_t>(seed)));
      reports.emplace_back(use_batch_norm ? kWith : kWithout, report);
      final_accuracies[use_batch_norm].push_back(report.final_accuracy);
    }
    const bool forgettable = settings.network.implementation == sf::Implementation::kLayer &&
                             settings.batch_norm.back() && absl::GetFlag(FLAGS_twin_batches) > 0;
    if (forgettable) SF_RETURN_IF_ERROR(TrainTwin(weights, settings, data, static_cast<uint64_t>(seed)));
    SF_RETURN_IF_ERROR(Plot(reports));
  }
  if (count == 1) return absl::OkStatus();
  if (!final_accuracies[0].empty()) PrintSpread(kWithout, final_accuracies[0]);
  if (!final_accuracies[1].empty()) PrintSpread(kWith, final_accuracies[1]);
  return absl::OkStatus();
}

absl::Status WriteReport(const sf::LessonData& data) {
  SF_ASSIGN_OR_RETURN(const sf::Report report,
                      sf::MakeLessonReport(data, {.batches_scale = absl::GetFlag(FLAGS_batches_scale),
                                                  .seed = absl::GetFlag(FLAGS_seed),
                                                  .threads = absl::GetFlag(FLAGS_threads)}));
  const std::string path = sf::JoinPath(absl::GetFlag(FLAGS_out), "batch_norm_lesson");
  SF_RETURN_IF_ERROR(report.Write(sf::PosixEnv(), path));
  std::printf("%s\nreport: %s.html and %s.txt\n", kRule, path.c_str(), path.c_str());
  return absl::OkStatus();
}

absl::Status Run() {
  SF_ASSIGN_OR_RETURN(const Settings settings, ReadFlags());
  SF_ASSIGN_OR_RETURN(const sf::LessonData data, sf::LoadLessonData(absl::GetFlag(FLAGS_data)));
  SF_RETURN_IF_ERROR(sf::PosixEnv()->CreateDir(absl::GetFlag(FLAGS_out)));
  if (absl::GetFlag(FLAGS_all)) return WriteReport(data);
  if (!absl::GetFlag(FLAGS_restore_from).empty()) return TestCheckpoints(settings, data);
  return TrainAndTest(settings, data);
}

}  // namespace

int main(int argc, char** argv) {
  return sf::RunProgram(argc, argv, "Trains a network with and without batch normalization and compares them.", Run);
}
