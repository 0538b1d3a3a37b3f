// Training in one page: the program of docs/training.md. Points of three classes are told apart by a small network with
// batch normalization; the run can be killed at any moment and goes on where it was.
//
//   bazel run //examples:training -- --out=/tmp/training
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "examples/support/program.h"
#include "staticflow.h"

ABSL_FLAG(std::string, out, "training_out", "The folder for backups, checkpoints, logs and event files.");

namespace sf = staticflow;

namespace {

// `n` points around three corners of a triangle, and which corner it is.
absl::StatusOr<sf::DataSet> Points(int64_t n, int64_t seed) {
  sf::Graph g;
  sf::Output corner = sf::RandomUniform(g, {n}, {.minval = 0, .maxval = 3, .dtype = sf::DT_INT32, .seed = seed});
  sf::Output corners = sf::Const(g, sf::Tensor::Matrix<float>({{0, 100}, {90, -50}, {-90, -50}}));
  sf::Output points = sf::Gather(corners, corner) + sf::RandomNormal(g, {n, 2}, {.stddev = 40, .seed = seed + 1});
  sf::Output onehot = sf::OneHot(corner, 3, sf::Const(g, 1.0f), sf::Const(g, 0.0f));
  sf::Session session(g);
  SF_ASSIGN_OR_RETURN(std::vector<sf::Tensor> rows, session.Run({}, {points, onehot}));
  return sf::DataSet::Create(std::move(rows));
}

absl::Status Run() {
  const std::string out = absl::GetFlag(FLAGS_out);
  SF_ASSIGN_OR_RETURN(sf::DataSet all, Points(1200, 1));
  SF_ASSIGN_OR_RETURN(std::vector<sf::Tensor> rows, all.AllRows());
  SF_ASSIGN_OR_RETURN(sf::train::Scaler scaler, sf::train::Scaler::FitStandard(rows[0]));
  SF_ASSIGN_OR_RETURN(all, scaler.Transform(all));
  auto [validation, training_set] = all.Split(200);

  sf::Graph g;
  sf::Output x = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, 2}, .name = "x"});
  sf::Output labels = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, 3}, .name = "labels"});
  sf::Output training = sf::PlaceholderWithDefault(g, sf::Tensor(false), {.name = "training"});
  sf::Output h = sf::layers::Dense(g, x, {.units = 16, .kernel_regularizer = sf::regularizers::L2(1e-4)});
  h = sf::Relu(sf::layers::BatchNormalization(g, h, {.momentum = 0.9, .training = training}));
  sf::Output logits = sf::layers::Dense(g, h, {.units = 3, .kernel_constraint = sf::constraints::MaxNorm()});
  sf::losses::SoftmaxCrossEntropy(labels, logits);
  sf::Output loss = sf::losses::GetTotalLoss(g);
  sf::metrics::Metric accuracy = sf::metrics::CategoricalAccuracy(labels, logits);
  sf::Operation step;
  {
    sf::ControlDependencies after(g, g.collection(sf::kUpdateOps));  // else the moving averages never change
    step = sf::train::Adam(g, {.learning_rate = 0.01}).Minimize(loss);
  }
  std::printf("%s", sf::train::ModelSummary({.inputs = {x}, .output = logits, .title = "points"}).c_str());

  sf::train::ProgressBar bar;
  sf::train::SaveBest best(g, {.path = out + "/best/model", .monitor = "val_loss"});
  sf::train::TensorBoard board(g, {.dir = out + "/logs", .histogram_freq = 1});
  sf::train::EarlyStopping patience({.monitor = "val_loss", .patience = 5});
  sf::train::CsvLog csv(out + "/history.csv");
  sf::train::TerminateOnNan nan;
  sf::Session session(g);
  SF_RETURN_IF_ERROR(session.Initialize());
  sf::train::Trainer trainer(g, session,
                             {.inputs = {x, labels},
                              .training = training,
                              .loss = loss,
                              .train_op = step,
                              .metrics = {{"accuracy", accuracy}},
                              .predictions = sf::Softmax(logits)});
  SF_ASSIGN_OR_RETURN(sf::train::History history,
                      trainer.Fit(training_set, {.epochs = 20,
                                                 .batch_size = 50,
                                                 .seed = 1,
                                                 .validation = validation,
                                                 .callbacks = {&bar, &best, &board, &patience, &csv, &nan},
                                                 .backup_dir = out + "/backup",
                                                 .backup_every = 5}));
  if (history.resumed_from.has_value()) std::printf("resumed at step %d\n", static_cast<int>(*history.resumed_from));
  std::printf("%d steps, %d epochs %s\n", static_cast<int>(history.steps), static_cast<int>(history.epochs.size()),
              history.stop_reason.c_str());

  SF_RETURN_IF_ERROR(best.saver().Restore(session, best.best_path()));
  SF_ASSIGN_OR_RETURN(sf::DataSet test, Points(600, 7));
  SF_ASSIGN_OR_RETURN(test, scaler.Transform(test));
  SF_ASSIGN_OR_RETURN(sf::train::Logs logs, trainer.Evaluate(test));
  for (const auto& [name, value] : logs) std::printf("test %s: %.4f\n", name.c_str(), value);
  SF_ASSIGN_OR_RETURN(sf::Tensor probabilities, trainer.Predict(test.Split(2).first));
  std::printf("first predictions: %s\n", probabilities.ToString().c_str());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) { return sf::RunProgram(argc, argv, "Trains a small network, resumably.", Run); }
