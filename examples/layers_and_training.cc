// The layers notebook: a network of Dense, batch normalization and tanh layers on MNIST, trained three times: with
// batch normalization that follows a placeholder, as it should, with two of three layers hard-wired to training, and
// with all. Then what the hard-wired ones do to predictions, what `training` and `trainable` mean, and how one repairs
// a model.
//
//   bazel run //examples:layers_and_training -- --data=/usr/share/datasets/fashion-mnist
//   bazel run //examples:layers_and_training -- --epochs=2 --l2=1e-4 --max_norm=3
//   bazel run //examples:layers_and_training -- --resume         go on where a killed run was
//
// --out gets, for each network: the best checkpoints, event files for TensorBoard (scalars, histograms, weights as
// pictures, the graph), history.csv; and model.json, the correct network's architecture.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "examples/support/given_statistics.h"
#include "examples/support/layered_network.h"
#include "examples/support/predictions.h"
#include "examples/support/program.h"
#include "examples/support/scaled_images.h"
#include "ops/train/architecture.h"
#include "ops/train/callbacks.h"
#include "ops/train/model_summary.h"
#include "ops/train/tensor_board.h"
#include "ops/train/trainer.h"
#include "runtime/io/env.h"
#include "staticflow.h"

ABSL_FLAG(std::string, data, "/usr/share/datasets/fashion-mnist", "The folder of the four IDX files, plain or .gz.");
ABSL_FLAG(std::string, out, "layers_and_training_out", "The folder for checkpoints, event files and the architecture.");
ABSL_FLAG(int64_t, epochs, 10, "How often the training images come.");
ABSL_FLAG(int64_t, batch_size, 60, "Examples in a batch.");
ABSL_FLAG(int64_t, validation, 5000, "Training images that are held out.");
ABSL_FLAG(double, learning_rate, 1e-3, "Of Adam.");
ABSL_FLAG(double, l2, 0, "Not 0: regularization of the kernels, l2 sum(w^2).");
ABSL_FLAG(double, max_norm, 0, "Not 0: the largest norm of a unit's weights.");
ABSL_FLAG(int64_t, seed, 4, "Of the weights and the order of the images.");
ABSL_FLAG(bool, resume, false, "Back up after every 500 steps, and go on from the backups that are in --out.");
ABSL_FLAG(int32_t, threads, 0, "0: as many as the machine has. The results do not depend on it.");

namespace sf = staticflow;

namespace {

// What the notebook printed after each epoch of its network, and at the end.
constexpr double kNotebookValLoss[] = {0.21771, 0.16106, 0.15292, 0.13310, 0.13114, 0.12137, 0, 0, 0, 0.11878};

void Title(const char* text) { std::printf("\n==== %s ====\n", text); }
std::string Out(const std::string& name) { return sf::JoinPath(absl::GetFlag(FLAGS_out), name); }

struct Trained {
  std::string name;
  std::unique_ptr<sf::LayeredNetwork> net;
  std::unique_ptr<sf::Session> session;
  sf::train::History history;
  sf::train::Logs test;
  std::string best;  // the checkpoint with the lowest val_loss, which the session's variables have
  std::vector<sf::Operation> update_ops;
};

sf::LayeredNetworkOptions NetworkOptions(sf::Wiring wiring) {
  return {.wiring = wiring,
          .l2 = absl::GetFlag(FLAGS_l2),
          .max_norm = absl::GetFlag(FLAGS_max_norm),
          .seed = absl::GetFlag(FLAGS_seed)};
}

std::string Summary(const sf::LayeredNetwork& net, const std::string& title) {
  return sf::train::ModelSummary({.inputs = {net.input}, .output = net.logits, .title = title});
}

// The whole model, saved and loaded from its files alone.
absl::Status SaveAndLoad(const Trained& trained, sf::train::Trainer& trainer, sf::train::Saver& saver,
                         const sf::ScaledImages& data) {
  SF_ASSIGN_OR_RETURN(const std::string path,
                      sf::train::SaveModel(*trained.session, saver, Out(trained.name + "/whole.ckpt"),
                                           {{"input", trained.net->input}, {"logits", trained.net->logits}}));
  SF_ASSIGN_OR_RETURN(sf::train::LoadedModel loaded, sf::train::LoadModel(path, trained.session->options()));
  const sf::DataSet some = data.test.Split(60).first;
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> rows, some.AllRows());
  SF_ASSIGN_OR_RETURN(const sf::Tensor before, trainer.Predict(some, {.batch_size = 60}));
  SF_ASSIGN_OR_RETURN(const sf::Tensor after,
                      loaded.session->Run({{loaded.tensors["input"], rows[0]}}, loaded.tensors["logits"]));
  if (!sf::BitwiseEqual(before, after)) return absl::InternalError("the loaded model predicts otherwise");
  std::printf("saved as %s and loaded from there: the predictions are the same bit for bit\n", path.c_str());
  return absl::OkStatus();
}

// Networks that are wired wrongly on purpose need no warning.
sf::SessionOptions SessionOptions() { return {.threads = absl::GetFlag(FLAGS_threads), .audit = sf::Audit::kOff}; }

absl::StatusOr<Trained> Train(const std::string& name, sf::Wiring wiring, const sf::ScaledImages& data) {
  Title(absl::StrCat("training: ", name).c_str());
  Trained trained;
  trained.name = name;
  trained.net = std::make_unique<sf::LayeredNetwork>(NetworkOptions(wiring));
  sf::LayeredNetwork& net = *trained.net;
  for (const sf::CollectionItem& item : net.graph().collection(sf::kUpdateOps)) trained.update_ops.push_back(item);
  trained.session = std::make_unique<sf::Session>(net.graph(), SessionOptions());

  sf::train::ProgressBar bar;
  sf::train::SaveBest best(net.graph(),
                           {.path = Out(name + "/model_{epoch}-{val_loss:.3f}"), .monitor = "val_loss", .out = stdout});
  sf::train::TensorBoard board(net.graph(), {.dir = Out(name + "/logs"), .histogram_freq = 1, .write_images = true});
  sf::train::CsvLog csv(Out(name + "/history.csv"));
  sf::train::TerminateOnNan nan;
  const double rate = absl::GetFlag(FLAGS_learning_rate);
  sf::train::LearningRateSchedule schedule(net.graph(), net.learning_rate, [rate](int64_t, double) { return rate; });
  sf::train::Trainer trainer(net.graph(), *trained.session, net.trainer_options());
  SF_RETURN_IF_ERROR(trained.session->Initialize());
  const bool resume = absl::GetFlag(FLAGS_resume);
  SF_ASSIGN_OR_RETURN(trained.history,
                      trainer.Fit(data.train, {.epochs = absl::GetFlag(FLAGS_epochs),
                                               .batch_size = absl::GetFlag(FLAGS_batch_size),
                                               .seed = static_cast<uint64_t>(absl::GetFlag(FLAGS_seed)),
                                               .tail = sf::Tail::kDrop,
                                               .validation = data.validation,
                                               .callbacks = {&schedule, &bar, &best, &board, &csv, &nan},
                                               .backup_dir = resume ? Out(name + "/backup") : "",
                                               .backup_every = 500}));
  if (!trained.history.stop_reason.empty()) std::printf("stopped: %s\n", trained.history.stop_reason.c_str());
  SF_ASSIGN_OR_RETURN(trained.test, trainer.Evaluate(data.test, {.batch_size = absl::GetFlag(FLAGS_batch_size)}));
  std::printf("test: loss %.5f, categorical accuracy %.4f\n", trained.test[0].second, trained.test[1].second);
  SF_RETURN_IF_ERROR(SaveAndLoad(trained, trainer, best.saver(), data));
  trained.best = best.best_path();
  if (!trained.best.empty()) SF_RETURN_IF_ERROR(best.saver().Restore(*trained.session, trained.best));
  return trained;
}

// ---- Predictions ----

// The same images in batches of all, 5, 3, 2 and 1, in inference.
struct BatchReport {
  std::vector<int64_t> together, singly;
  int64_t correct = 0;
};

absl::StatusOr<BatchReport> CompareBatches(const Trained& trained, const sf::Tensor& images,
                                           const std::vector<int64_t>& truth) {
  SF_ASSIGN_OR_RETURN(const sf::Step step,
                      trained.session->Prepare({.feeds = {trained.net->input}, .fetches = {trained.net->logits}}));
  BatchReport report;
  const int64_t n = images.shape().dim(0);
  std::string last;
  for (const int64_t size :
       {n, std::min<int64_t>(n, 5), std::min<int64_t>(n, 3), std::min<int64_t>(n, 2), int64_t{1}}) {
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> out, step.Run({sf::RowsOf(images, n - size, n)}));
    const std::vector<int64_t> classes = sf::Largest(out[0]);
    if (size == n) report.together = classes;
    const std::vector<int64_t> tail(classes.end() - std::min<int64_t>(size, 5), classes.end());
    absl::StrAppendFormat(&last, "  in a batch of %2d the last %d are %s\n", size, tail.size(),
                          absl::StrJoin(tail, " "));
  }
  SF_ASSIGN_OR_RETURN(report.singly, sf::PredictSingly(step, images));
  std::vector<sf::Tensor> fed;
  for (const bool training : {false, true}) {
    SF_ASSIGN_OR_RETURN(
        fed.emplace_back(),
        trained.session->Run({{trained.net->input, images}, {trained.net->training, training}}, trained.net->logits));
  }
  report.correct = sf::Agreeing(report.together, truth);
  const std::set<int64_t> distinct(report.singly.begin(), report.singly.end());
  std::printf(
      "%s: %d of %d right in one batch; one at a time %d are as in the batch, of %d different classes\n%s"
      "  training fed as true or false gives %s logits\n",
      trained.name.c_str(), static_cast<int>(report.correct), static_cast<int>(n),
      static_cast<int>(sf::Agreeing(report.singly, report.together)), static_cast<int>(distinct.size()), last.c_str(),
      sf::BitwiseEqual(fed[0], fed[1]) ? "the same" : "different");
  return report;
}

// ---- training and trainable ----

constexpr const char* kFirstNorm[] = {"gamma", "beta", "moving_mean", "moving_variance"};

absl::StatusOr<std::vector<sf::Tensor>> FirstNorm(sf::Session& session) {
  std::vector<sf::Output> values;
  for (const char* name : kFirstNorm) {
    values.push_back(
        session.graph().FindVariable(session.graph().FindNode(absl::StrCat("batch_normalization/", name)))->snapshot);
  }
  return session.Run({}, values);
}

// Which of the first layer's variables a prediction of one image leaves as they are, with the layers' updates run
// beside it as Keras does, and alone.
absl::Status ShowWrites(const std::string& name, sf::Session& session, const sf::LayeredNetwork& net,
                        const std::vector<sf::Operation>& updates, const sf::Tensor& image) {
  std::vector<std::string> columns;
  for (const bool with_updates : {false, true}) {
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> before, FirstNorm(session));
    const sf::Session::Feeds feeds = {{net.input, image}};
    SF_RETURN_IF_ERROR(
        session.Run(feeds, {net.logits}, with_updates ? updates : std::vector<sf::Operation>()).status());
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> after, FirstNorm(session));
    std::vector<std::string> changed;
    for (size_t i = 0; i < before.size(); ++i) {
      if (!sf::BitwiseEqual(before[i], after[i])) changed.push_back(kFirstNorm[i]);
    }
    columns.push_back(changed.empty() ? "nothing" : absl::StrJoin(changed, ", "));
  }
  std::printf("%-28s %2d update ops; a prediction writes %s, with them %s\n", name.c_str(),
              static_cast<int>(updates.size()), columns[0].c_str(), columns[1].c_str());
  return absl::OkStatus();
}

absl::Status ShowTrainable(const Trained& correct, const Trained& wired, const sf::Tensor& images) {
  Title("training is not trainable");
  const sf::Tensor image = sf::RowsOf(images, 0, 1);
  SF_RETURN_IF_ERROR(ShowWrites("correct", *correct.session, *correct.net, correct.update_ops, image));
  SF_RETURN_IF_ERROR(ShowWrites("hard-wired", *wired.session, *wired.net, wired.update_ops, image));
  // The hard-wired network once more, frozen, with the same weights.
  sf::LayeredNetworkOptions options = wired.net->options();
  options.trainable = options.optimizer = false;
  sf::LayeredNetwork frozen(options);
  sf::train::Saver saver(frozen.graph());
  sf::Session session(frozen.graph(), SessionOptions());
  SF_RETURN_IF_ERROR(saver.Restore(session, wired.best));
  const auto& collection = frozen.graph().collection(sf::kUpdateOps);
  SF_RETURN_IF_ERROR(ShowWrites("hard-wired, not trainable", session, frozen,
                                std::vector<sf::Operation>(collection.begin(), collection.end()), image));
  SF_ASSIGN_OR_RETURN(const sf::Step step, session.Prepare({.feeds = {frozen.input}, .fetches = {frozen.logits}}));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> singly, sf::PredictSingly(step, images));
  std::printf(
      "Frozen, its single predictions are still of %d class: `trainable` decides what is written, `training` which\n"
      "statistics are used. The notebook ends with \"during inference, it uses running stats and updates the same if\n"
      "trainable\": that is wrong. The correct network writes nothing in inference, trainable or not; what it saw "
      "were\n"
      "layers hard-wired to training.\n",
      static_cast<int>(std::set<int64_t>(singly.begin(), singly.end()).size()));
  SF_RETURN_IF_ERROR(saver.Restore(session, wired.best));
  return absl::OkStatus();
}

// ---- Repairs ----

// The correct architecture from its file, with the weights that the hard-wired network learned.
absl::StatusOr<int64_t> Rebuild(const Trained& wired, const sf::Tensor& images, const std::vector<int64_t>& together) {
  Title("the correct architecture, from its file, with the hard-wired network's weights");
  sf::LayeredNetworkOptions options = NetworkOptions(sf::Wiring::kCorrect);
  options.optimizer = false;
  const sf::LayeredNetwork built(options);
  const std::string path = Out("model.json");
  SF_RETURN_IF_ERROR(sf::train::SaveArchitecture(sf::PosixEnv(), built.input.graph(), path,
                                                 {{"input", built.input}, {"logits", built.logits}}));
  sf::Graph g;
  SF_ASSIGN_OR_RETURN(sf::train::Architecture model, sf::train::LoadArchitecture(sf::PosixEnv(), path, g));
  sf::train::Saver saver(g);
  sf::Session session(g, SessionOptions());
  SF_RETURN_IF_ERROR(saver.Restore(session, wired.best));
  SF_ASSIGN_OR_RETURN(const sf::Step step,
                      session.Prepare({.feeds = {model.tensors["input"]}, .fetches = {model.tensors["logits"]}}));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> singly, sf::PredictSingly(step, images));
  const int64_t same = sf::Agreeing(singly, together);
  std::printf("%s, weights of %s: one at a time, %d of %d are as in the hard-wired network's batch\n", path.c_str(),
              wired.best.c_str(), static_cast<int>(same), static_cast<int>(singly.size()));
  return same;
}

// The hard-wired network's layers applied again, one by one, to single images.
absl::StatusOr<int64_t> LayerByLayer(Trained& wired, const sf::Tensor& images, const std::vector<int64_t>& together) {
  Title("the hard-wired network's layers, applied one by one");
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> before, FirstNorm(*wired.session));
  const sf::Tensor image = sf::RowsOf(images, images.shape().dim(0) - 1, images.shape().dim(0));
  int64_t same = 0;
  for (const bool training : {false, true}) {
    const sf::LayerOutputs layers = wired.net->Again(wired.net->input, training);
    SF_RETURN_IF_ERROR(wired.net->graph().status());
    std::vector<sf::Output> fetches;
    for (const auto& [name, output] : layers) fetches.push_back(output);
    SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> values, wired.session->Run({{wired.net->input, image}}, fetches));
    std::printf("training = %s, on the last image:\n", training ? "true" : "false");
    for (size_t i = 0; i < layers.size(); ++i) {
      const float* x = values[i].data<float>();
      std::printf("  %-24s %-8s %10.6f %10.6f %10.6f ...\n", layers[i].first.c_str(),
                  values[i].shape().ToString().c_str(), x[0], x[1], x[2]);
    }
    SF_ASSIGN_OR_RETURN(const sf::Step step,
                        wired.session->Prepare({.feeds = {wired.net->input}, .fetches = {fetches.back()}}));
    SF_ASSIGN_OR_RETURN(const std::vector<int64_t> singly, sf::PredictSingly(step, images));
    if (!training) same = sf::Agreeing(singly, together);
    std::printf("  single predictions of all images: %d of %d as in the batch, first ones %s\n",
                static_cast<int>(sf::Agreeing(singly, together)), static_cast<int>(singly.size()),
                absl::StrJoin(singly.begin(), singly.begin() + std::min<size_t>(5, singly.size()), " ").c_str());
  }
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> after, FirstNorm(*wired.session));
  bool equal = true;
  for (size_t i = 0; i < before.size(); ++i) equal = equal && sf::BitwiseEqual(before[i], after[i]);
  std::printf("the first layer's variables are %s\n", equal ? "as they were" : "CHANGED");
  return same;
}

// AUC takes probabilities; logits are refused by name.
absl::Status ShowAuc(const Trained& trained, const sf::Tensor& images, const sf::Tensor& labels) {
  Title("AUC of logits");
  const absl::Status refused =
      trained.session
          ->Run({{trained.net->input, images}, {trained.net->labels, labels}}, trained.net->auc_of_logits.update)
          .status();
  std::printf("%s\n", refused.ToString().c_str());
  sf::Graph& g = trained.net->graph();
  const sf::metrics::Metric auc =
      sf::metrics::Auc(trained.net->labels, sf::Softmax(trained.net->logits), {.name = "auc_of_softmax"});
  SF_RETURN_IF_ERROR(
      trained.session->Run({}, std::vector<sf::Output>(), {sf::metrics::ResetOperation(g, {auc})}).status());
  SF_ASSIGN_OR_RETURN(const sf::Tensor value,
                      trained.session->Run({{trained.net->input, images}, {trained.net->labels, labels}}, auc.update));
  std::printf("of their softmax: %.4f\n", value.scalar<float>());
  return refused.code() == absl::StatusCode::kInvalidArgument
             ? absl::OkStatus()
             : absl::InternalError("AUC took logits for probabilities");
}

// ---- The table ----

void PrintTable(const std::vector<const Trained*>& networks, bool is_mnist) {
  Title(is_mnist ? "the notebook's figures beside these" : "the notebook's figures (MNIST) beside these (not MNIST)");
  std::printf("%-24s %10s", "", "notebook");
  for (const Trained* trained : networks) std::printf(" %12s", trained->name.c_str());
  std::printf("\n");
  for (size_t epoch = 0; epoch < networks[0]->history.epochs.size(); ++epoch) {
    const double notebook = epoch < 10 ? kNotebookValLoss[epoch] : 0;
    std::printf("val_loss, epoch %-8d %10s", static_cast<int>(epoch + 1),
                notebook > 0 ? absl::StrFormat("%.5f", notebook).c_str() : "-");
    for (const Trained* trained : networks) std::printf(" %12.5f", trained->history.Values("val_loss")[epoch]);
    std::printf("\n");
  }
  const auto row = [&](const char* what, const char* notebook, auto value) {
    std::printf("%-24s %10s", what, notebook);
    for (const Trained* trained : networks) std::printf(" %12.5f", value(*trained));
    std::printf("\n");
  };
  row("lowest val_loss", "0.11878", [](const Trained& trained) {
    const std::vector<double> values = trained.history.Values("val_loss");
    return values.empty() ? std::numeric_limits<double>::quiet_NaN() : *std::min_element(values.begin(), values.end());
  });
  row("test loss", "0.11143", [](const Trained& trained) { return trained.test[0].second; });
  row("test accuracy", "0.97110", [](const Trained& trained) { return trained.test[1].second; });
}

absl::Status Run() {
  SF_RETURN_IF_ERROR(sf::CheckRange("epochs", absl::GetFlag(FLAGS_epochs), 1, 1e6));
  SF_RETURN_IF_ERROR(sf::CheckRange("batch_size", absl::GetFlag(FLAGS_batch_size), 1, 100000));
  SF_RETURN_IF_ERROR(sf::CheckRange("validation", absl::GetFlag(FLAGS_validation), 60, 1e6));
  SF_RETURN_IF_ERROR(sf::CheckRange("learning_rate", absl::GetFlag(FLAGS_learning_rate), 0, 1e6));
  SF_RETURN_IF_ERROR(sf::CheckRange("l2", absl::GetFlag(FLAGS_l2), 0, 1e6));
  SF_RETURN_IF_ERROR(sf::CheckRange("max_norm", absl::GetFlag(FLAGS_max_norm), 0, 1e6));
  SF_RETURN_IF_ERROR(sf::CheckRange("threads", absl::GetFlag(FLAGS_threads), 0, 1024));
  SF_ASSIGN_OR_RETURN(const sf::ScaledImages data,
                      sf::LoadScaledImages(absl::GetFlag(FLAGS_data), absl::GetFlag(FLAGS_validation),
                                           static_cast<uint64_t>(absl::GetFlag(FLAGS_seed))));
  std::printf("%s", sf::Describe(data).c_str());
  SF_RETURN_IF_ERROR(sf::PosixEnv()->CreateDir(absl::GetFlag(FLAGS_out)));
  SF_RETURN_IF_ERROR(data.scaler.Save(sf::PosixEnv(), Out("scaler")));

  Title("the network");
  {
    sf::LayeredNetworkOptions options = NetworkOptions(sf::Wiring::kHardWired);
    options.optimizer = false;
    sf::LayeredNetwork net(options);
    std::printf("%s%d weights, %d regularization losses\n", Summary(net, "kerasmodel1").c_str(),
                static_cast<int>(net.graph().variables(sf::kGlobalVariables).size()),
                static_cast<int>(net.graph().collection(sf::kRegularizationLosses).size()));
  }
  SF_ASSIGN_OR_RETURN(const Trained correct, Train("correct", sf::Wiring::kCorrect, data));
  SF_ASSIGN_OR_RETURN(const Trained mixed, Train("mixed", sf::Wiring::kMixed, data));
  SF_ASSIGN_OR_RETURN(Trained wired, Train("hard_wired", sf::Wiring::kHardWired, data));
  PrintTable({&wired, &mixed, &correct}, data.is_mnist);

  Title("60 test images, with the best weights: in one batch, in smaller ones, one at a time");
  SF_ASSIGN_OR_RETURN(const std::vector<sf::Tensor> batch, data.test.Split(60).first.AllRows());
  const std::vector<int64_t> truth = sf::Largest(batch[1]);
  BatchReport of_wired;
  for (const Trained* trained : std::vector<const Trained*>{&wired, &mixed, &correct}) {
    SF_ASSIGN_OR_RETURN(const BatchReport report, CompareBatches(*trained, batch[0], truth));
    if (trained == &wired) of_wired = report;
  }
  SF_RETURN_IF_ERROR(ShowTrainable(correct, wired, batch[0]));
  SF_RETURN_IF_ERROR(sf::train::Saver(wired.net->graph(), {.name = "again"}).Restore(*wired.session, wired.best));
  SF_ASSIGN_OR_RETURN(const int64_t rebuilt, Rebuild(wired, batch[0], of_wired.together));
  SF_ASSIGN_OR_RETURN(const int64_t layered, LayerByLayer(wired, batch[0], of_wired.together));
  std::printf("(the notebook: 58 of 60; all single predictions in training were class 8)\n");
  if (rebuilt != layered) return absl::InternalError("the rebuilt network and the layers one by one differ");
  Title("momentum 0, and moving statistics that begin with given numbers");
  SF_RETURN_IF_ERROR(sf::ShowMomentumZero(data));
  return ShowAuc(correct, batch[0], batch[1]);
}

}  // namespace

int main(int argc, char** argv) {
  return sf::RunProgram(argc, argv, "Trains the layers notebook's networks, rightly and wrongly wired.", Run);
}
