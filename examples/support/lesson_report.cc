#include "examples/support/lesson_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "examples/support/lesson_cells.h"

namespace staticflow {
namespace {

constexpr int kSingles = 200;
constexpr int64_t kShortBatches = 2000, kShortSample = 50;  // of the trainings beyond the lesson's
constexpr double kMarks[] = {0.8, 0.9, 0.95};
const std::vector<int64_t> kHidden = {100, 100, 100};

// A network to train.
struct Entry {
  std::string name;  // of its curve
  std::string activation = "relu";
  NetworkKind kind = NetworkKind::kDense;
  std::vector<int64_t> hidden = kHidden;
  double stddev = 0.05;
  double learning_rate = 0.01;
  int64_t batches = kShortBatches, batches_per_sample = kShortSample;
  int64_t run = 1;
  bool use_batch_norm = true;
  Implementation implementation = Implementation::kLayer;
  bool normalize_after_activation = false;
  bool run_update_ops = true;
};

struct Result {
  TrainingReport training;
  TestReport test, fed_training;  // the second: tested with is_training = true
};

std::string Accuracy(double value) { return absl::StrFormat("%.4f", value); }
std::string Count(double value) { return absl::StrFormat("%.0f", value); }
// By how many percent more batches a second the network without batch normalization trains.
double Cost(double without, double with) { return 100 * (without / with - 1); }

// The first sampled batch with this accuracy, or "-".
std::string BatchesTo(const TrainingReport& report, double accuracy) {
  for (const auto& [batch, value] : report.accuracies) {
    if (value >= accuracy) return Count(batch);
  }
  return "-";
}

// "always 3" for a network that gives every image the same class.
std::string Collapse(const TestReport& test) {
  const std::vector<int64_t>& p = test.predictions;
  const bool always = std::all_of(p.begin(), p.end(), [&](int64_t k) { return k == p[0]; });
  return always && !p.empty() ? absl::StrCat("always ", p[0]) : "";
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

class Lesson {
 public:
  Lesson(const LessonData& data, const LessonReportOptions& options)
      : data_(data), options_(options), report_("Batch normalization: the lesson's comparisons, repeated") {}

  absl::StatusOr<Report> Make() {
    SF_RETURN_IF_ERROR(Introduction());
    SF_RETURN_IF_ERROR(Comparisons());
    SF_RETURN_IF_ERROR(Tests());
    SF_RETURN_IF_ERROR(Implementations());
    SF_RETURN_IF_ERROR(Positions());
    SF_RETURN_IF_ERROR(OtherNetworks());
    return std::move(report_);
  }

 private:
  int64_t Scaled(int64_t batches) const {
    return std::max<int64_t>(1, std::llround(static_cast<double>(batches) * options_.batches_scale));
  }

  absl::StatusOr<Result> Train(const Entry& entry) {
    std::printf("---- %s: %s, learning rate %g, weights %g\n", entry.name.c_str(), entry.activation.c_str(),
                entry.learning_rate, entry.stddev);
    NeuralNetOptions network = {.recurrent = entry.kind == NetworkKind::kRecurrent,
                                .use_batch_norm = entry.use_batch_norm,
                                .implementation = entry.implementation,
                                .normalize_after_activation = entry.normalize_after_activation};
    if (entry.activation == "sigmoid") network.activation = Sigmoid;
    if (entry.activation == "tanh") network.activation = Tanh;
    const int64_t seed = options_.seed + entry.run - 1;
    SF_ASSIGN_OR_RETURN(network.initial_weights,
                        DrawWeights(WeightShapes(entry.kind, entry.hidden), entry.stddev, seed));
    NeuralNet net(network);
    Session session(net.graph(), {.threads = options_.threads});
    SF_RETURN_IF_ERROR(session.Initialize());
    Result result;
    SF_ASSIGN_OR_RETURN(result.training, net.Train(session, data_,
                                                   {.learning_rate = entry.learning_rate,
                                                    .batches = Scaled(entry.batches),
                                                    .batches_per_sample = Scaled(entry.batches_per_sample),
                                                    .seed = static_cast<uint64_t>(seed),
                                                    .run_update_ops = entry.run_update_ops}));
    SF_ASSIGN_OR_RETURN(result.test, TestNetwork(session, net.graph(), net.tensors(), data_, {.singles = kSingles}));
    if (entry.use_batch_norm) {
      SF_ASSIGN_OR_RETURN(result.fed_training, TestNetwork(session, net.graph(), net.tensors(), data_,
                                                           {.is_training = true, .singles = kSingles}));
    }
    return result;
  }

  absl::Status Introduction();
  absl::Status Comparisons();
  void AccuracyTables(const std::vector<std::pair<Result, Result>>& results);
  void BatchesTables(const std::vector<std::pair<Result, Result>>& results);
  void SpeedTable(const std::vector<std::pair<Result, Result>>& results);
  absl::Status Tests();
  absl::Status Implementations();
  absl::Status Positions();
  absl::Status OtherNetworks();
  // Trains all, adds a table of them and a plot.
  absl::StatusOr<std::vector<Result>> Compare(const std::string& title, const std::vector<Entry>& entries);

  const LessonData& data_;
  const LessonReportOptions options_;
  Report report_;
};

// MNIST is told by the classes of its test images.
bool IsMnist(const LessonData& data) {
  constexpr int kCounts[10] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
  int counts[10] = {};
  for (int64_t i = 0; i < data.test_labels.num_elements(); ++i) counts[i % 10] += data.test_labels.flat<float>()[i] > 0;
  return std::equal(counts, counts + 10, kCounts);
}

absl::Status Lesson::Introduction() {
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> weights,
                      DrawWeights(WeightShapes(NetworkKind::kDense, kHidden), 0.05, options_.seed));
  report_.Paragraph(absl::StrFormat(
      "Two networks start from the same weights and see the same batches of 60; one of them has batch normalization "
      "before each of its three hidden activations (100 nodes each), the other biases. Gradient descent minimizes the "
      "cross-entropy. The data: %s, %d training, %d validation and %d test images. Good weights are normal with "
      "standard deviation 0.05, bad ones with 5; the good ones of the first run have checksum %08x. Beside each "
      "of our figures stands the lesson's.",
      IsMnist(data_) ? "MNIST" : "not MNIST, from which the lesson's figures are", data_.train->size(),
      data_.validation_images.shape().dim(0), data_.test_images.shape().dim(0), Checksum(weights)));
  if (options_.batches_scale != 1) {
    report_.Paragraph(absl::StrFormat("Trained for %g of the lesson's batches only.", options_.batches_scale));
  }
  std::string command = "examples/run.sh batch_norm_lesson --all --data=FOLDER";
  if (options_.batches_scale != 1) absl::StrAppend(&command, " --batches_scale=", options_.batches_scale);
  if (options_.seed != 1) absl::StrAppend(&command, " --seed=", options_.seed);
  if (options_.threads != 0) absl::StrAppend(&command, " --threads=", options_.threads);
  report_.Preformatted(std::move(command));
  return absl::OkStatus();
}

absl::Status Lesson::Comparisons() {
  report_.Heading("The 18 comparisons");
  report_.Paragraph(
      "The rows 8, 20 and 21 repeat 7, 16 and 18 with other weights and batches: there chance decides, in the lesson "
      "as here. A network that has collapsed gives all images one class, and its accuracy is that class's share: "
      "0.0958, 0.1126 and 0.0986 of MNIST's validation images are of class 0, 1 and 3 (test: 0.0980, 0.1135, 0.1010).");
  std::vector<std::pair<Result, Result>> results;
  std::vector<LinePlot> plots;
  for (const LessonCell& cell : LessonCells()) {
    Entry entry = {.name = absl::StrCat("cell ", cell.number, ", Without Batch Norm"),
                   .activation = cell.activation,
                   .stddev = cell.stddev,
                   .learning_rate = cell.learning_rate,
                   .batches = cell.batches,
                   .batches_per_sample = cell.batches_per_sample,
                   .run = cell.run,
                   .use_batch_norm = false};
    SF_ASSIGN_OR_RETURN(Result without, Train(entry));
    entry.name = absl::StrCat("cell ", cell.number, ", With Batch Norm");
    entry.use_batch_norm = true;
    SF_ASSIGN_OR_RETURN(Result with, Train(entry));
    LinePlot plot({.title = "Validation Accuracy During Training",
                   .subtitle = absl::StrFormat("cell %d: %s, learning rate %g, %s weights%s", cell.number,
                                               cell.activation, cell.learning_rate, cell.stddev < 1 ? "good" : "bad",
                                               cell.run > 1 ? ", again" : ""),
                   .x_label = "Training steps",
                   .y_label = "Accuracy",
                   .width = 520,
                   .height = 380});
    plot.Add("Without Batch Norm", without.training.accuracies);
    plot.Add("With Batch Norm", with.training.accuracies);
    plots.push_back(std::move(plot));
    results.emplace_back(std::move(without), std::move(with));
  }
  AccuracyTables(results);
  BatchesTables(results);
  SpeedTable(results);
  for (LinePlot& plot : plots) report_.Plot(std::move(plot));
  return absl::OkStatus();
}

void Lesson::AccuracyTables(const std::vector<std::pair<Result, Result>>& results) {
  for (const bool test : {false, true}) {
    ReportTable table = {.caption = test ? "Accuracy on the test set" : "Accuracy on the validation set after training",
                         .header = {"cell", "activation", "rate", "weights", "batches", "without: lesson", "ours",
                                    "with: lesson", "ours", "collapsed"}};
    for (size_t i = 0; i < results.size(); ++i) {
      const LessonCell& cell = LessonCells()[i];
      const auto& [without, with] = results[i];
      const Both& lesson = test ? cell.test : cell.validation;
      std::vector<std::string> collapsed;
      for (const auto& [result, name] : {std::pair(&without, "without "), std::pair(&with, "with ")}) {
        if (const std::string always = Collapse(result->test); !always.empty()) collapsed.push_back(name + always);
      }
      table.rows.push_back(
          {absl::StrCat(cell.number), cell.activation, absl::StrFormat("%g", cell.learning_rate),
           cell.stddev < 1 ? "good" : "bad", absl::StrCat(Scaled(cell.batches)), Accuracy(lesson.without),
           Accuracy(test ? without.test.accuracy : without.training.final_accuracy), Accuracy(lesson.with),
           Accuracy(test ? with.test.accuracy : with.training.final_accuracy), absl::StrJoin(collapsed, ", ")});
    }
    report_.Table(std::move(table));
  }
}

void Lesson::BatchesTables(const std::vector<std::pair<Result, Result>>& results) {
  ReportTable table = {
      .caption = "Batches until the validation accuracy is 80, 90 and 95 %, as sampled",
      .header = {"cell", "sampled every", "without: 80 %", "90 %", "95 %", "with: 80 %", "90 %", "95 %"}};
  std::map<int, const std::pair<Result, Result>*> by_cell;
  for (size_t i = 0; i < results.size(); ++i) {
    const LessonCell& cell = LessonCells()[i];
    by_cell[cell.number] = &results[i];
    std::vector<std::string> row = {absl::StrCat(cell.number), absl::StrCat(Scaled(cell.batches_per_sample))};
    for (const Result* result : {&results[i].first, &results[i].second}) {
      for (double mark : kMarks) row.push_back(BatchesTo(result->training, mark));
    }
    table.rows.push_back(std::move(row));
  }
  report_.Table(std::move(table));

  ReportTable claims = {.caption = "Where the lesson's text says how many batches",
                        .header = {"cell", "network", "until", "lesson, about", "ours"}};
  for (const LessonClaim& claim : LessonClaims()) {
    const auto& [without, with] = *by_cell[claim.number];
    claims.rows.push_back({absl::StrCat(claim.number), claim.with ? "with" : "without",
                           absl::StrFormat("%.0f %%", 100 * claim.accuracy), absl::StrCat(claim.batches),
                           BatchesTo(claim.with ? with.training : without.training, claim.accuracy)});
  }
  report_.Table(std::move(claims));
}

void Lesson::SpeedTable(const std::vector<std::pair<Result, Result>>& results) {
  ReportTable table = {
      .caption = "Speed, with the time for the samples of the validation accuracy; ours in seconds of processor time",
      .header = {"cell", "batches/s without: lesson", "ours", "with: lesson", "ours", "examples/s without", "with",
                 "BN costs: lesson", "ours"}};
  std::vector<double> lesson_costs, costs;
  for (size_t i = 0; i < results.size(); ++i) {
    const LessonCell& cell = LessonCells()[i];
    const Both lesson = cell.batches_per_second;
    const double without = results[i].first.training.batches_per_processor_second,
                 with = results[i].second.training.batches_per_processor_second;
    lesson_costs.push_back(Cost(lesson.without, lesson.with));
    costs.push_back(Cost(without, with));
    table.rows.push_back({absl::StrCat(cell.number), Count(lesson.without), Count(without), Count(lesson.with),
                          Count(with), Count(60 * without), Count(60 * with),
                          absl::StrFormat("%.0f %%", lesson_costs.back()), absl::StrFormat("%.0f %%", costs.back())});
  }
  report_.Table(std::move(table));
  report_.Paragraph(absl::StrFormat(
      "Without batch normalization the lesson trains %.0f %% more batches a second (median of the rows), and this "
      "program %.0f %%. Processor time is counted over all threads, so that other programs on the machine do not "
      "count.",
      Median(lesson_costs), Median(costs)));
}

absl::Status Lesson::Tests() {
  SF_ASSIGN_OR_RETURN(const Result result, Train({.name = "cells 23 and 24", .batches_per_sample = kShortBatches}));
  report_.Heading("The two tests: 200 images, one at a time");
  report_.Paragraph(
      "Fed is_training = True, the network normalizes a single image with its own mean and a variance of 0: every "
      "image looks the same. Fed False, it uses the averages of the training. The lesson trains a network for each "
      "test; here it is one, asked twice.");
  ReportTable table = {.header = {"cell", "is_training", "", "validation", "full test set", "200 singles"}};
  for (const LessonTest& test : LessonTests()) {
    const TestReport& ours = test.is_training ? result.fed_training : result.test;
    const char* fed = test.is_training ? "True" : "False";
    table.rows.push_back({absl::StrCat(test.number), fed, "lesson", Accuracy(test.validation), Accuracy(test.test),
                          Accuracy(test.singles)});
    table.rows.push_back({absl::StrCat(test.number), fed, "ours", Accuracy(result.training.final_accuracy),
                          Accuracy(ours.accuracy), Accuracy(ours.single_accuracy)});
  }
  report_.Table(std::move(table));
  report_.Preformatted(absl::StrCat("With Batch Norm, is_training = True, the first 20 of 200 Predictions: [",
                                    absl::StrJoin(absl::MakeConstSpan(result.fed_training.predictions).first(20), ", "),
                                    "]\nWith Batch Norm, is_training = False, the first 20 of 200 Predictions: [",
                                    absl::StrJoin(absl::MakeConstSpan(result.test.predictions).first(20), ", "), "]"));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Result>> Lesson::Compare(const std::string& title, const std::vector<Entry>& entries) {
  ReportTable table = {.caption = title,
                       .header = {"network", "validation", "test", "test, fed True", "last loss", "80 %", "90 %",
                                  "95 %", "examples/s (processor)"}};
  LinePlot plot({.title = "Validation Accuracy During Training",
                 .subtitle = title,
                 .x_label = "Training steps",
                 .y_label = "Accuracy",
                 .width = 520,
                 .height = 380});
  std::vector<Result> results;
  for (const Entry& entry : entries) {
    SF_ASSIGN_OR_RETURN(const Result result, Train(entry));
    plot.Add(entry.name, result.training.accuracies);
    std::vector<std::string> row = {entry.name, Accuracy(result.training.final_accuracy),
                                    Accuracy(result.test.accuracy),
                                    entry.use_batch_norm ? Accuracy(result.fed_training.accuracy) : "-",
                                    absl::StrFormat("%.6f", result.training.last_loss)};
    for (double mark : kMarks) row.push_back(BatchesTo(result.training, mark));
    row.push_back(Count(60 * result.training.batches_per_processor_second));
    table.rows.push_back(std::move(row));
    results.push_back(result);
  }
  report_.Table(std::move(table));
  report_.Plot(std::move(plot));
  return results;
}

absl::Status Lesson::Implementations() {
  report_.Heading("Other ways to write it, and one to get it wrong");
  report_.Paragraph(
      "The layer, the same with moments and assignments in a cond, and that from scratch: the same mathematics, whose "
      "sums round in another order. Without update_ops the layer's moving averages stay 0 and 1: the losses in "
      "training "
      "are the same to the last bit, and inference suffers (fed True, it does not).");
  return Compare("Forms of batch normalization; relu, learning rate 0.01",
                 {{.name = "layer"},
                  {.name = "ops in a cond", .implementation = Implementation::kOps},
                  {.name = "from scratch", .implementation = Implementation::kScratch},
                  {.name = "layer, no update_ops", .run_update_ops = false}})
      .status();
}

absl::Status Lesson::Positions() {
  report_.Heading("Before or after the activation");
  for (const char* activation : {"relu", "sigmoid"}) {
    SF_RETURN_IF_ERROR(Compare(absl::StrCat(activation, ", learning rate 0.01"),
                               {{.name = "no batch norm", .activation = activation, .use_batch_norm = false},
                                {.name = "before", .activation = activation},
                                {.name = "after", .activation = activation, .normalize_after_activation = true}})
                           .status());
  }
  return absl::OkStatus();
}

absl::Status Lesson::OtherNetworks() {
  report_.Heading("Convolutions");
  report_.Paragraph(
      "Three convolutions 3 x 3 of 8, 16 and 32 channels, the last two with stride 2, then one connected layer. Mean "
      "and "
      "variance are those of a channel over images, rows and columns.");
  const Entry conv = {.name = "With Batch Norm", .kind = NetworkKind::kConv, .hidden = {8, 16, 32}};
  Entry without = conv;
  without.name = "Without Batch Norm";
  without.use_batch_norm = false;
  SF_RETURN_IF_ERROR(Compare("Convolutions; relu, learning rate 0.01", {without, conv}).status());

  report_.Heading("Recurrence");
  report_.Paragraph(
      "A network of 50 units reads the 28 rows of an image one after the other: h = tanh(BN(row W) + BN(h V)), with "
      "statistics of their own for each row, and gammas that start at 0.1 so that tanh keeps its gradient.");
  const Entry recurrent = {.name = "With Batch Norm",
                           .activation = "tanh",
                           .kind = NetworkKind::kRecurrent,
                           .hidden = {50},
                           .learning_rate = 0.1};
  without = recurrent;
  without.name = "Without Batch Norm";
  without.use_batch_norm = false;
  return Compare("Recurrent; tanh, learning rate 0.1", {without, recurrent}).status();
}

}  // namespace

absl::StatusOr<Report> MakeLessonReport(const LessonData& data, const LessonReportOptions& options) {
  return Lesson(data, options).Make();
}

}  // namespace staticflow
