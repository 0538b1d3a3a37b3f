// TensorBoard: a callback that writes event files for it.
//
//   train::TensorBoard board(g, {.dir = "logs", .histogram_freq = 1, .write_images = true});
//   trainer.Fit(data, {.epochs = 10, .callbacks = {&board}});            then: tensorboard --logdir logs
//
// After each epoch, at its number as step: every log as a scalar, the number of failures so far as `failures`; after
// every histogram_freq-th one each trainable and each moving variable as a histogram and, if asked, as a picture. The
// graph is written once. A folder that cannot be written is a failure of each epoch, not the training's end. Resumed
// trainings write a new file which tells TensorBoard to forget the steps that come again.
//
// Source of names and defaults: tf.keras.callbacks.TensorBoard (TensorFlow 2.1).
#ifndef STATICFLOW_OPS_TRAIN_TENSOR_BOARD_H_
#define STATICFLOW_OPS_TRAIN_TENSOR_BOARD_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "ops/train/callback.h"
#include "runtime/io/events.h"

namespace staticflow::train {

struct TensorBoardOptions {
  std::string dir = "";
  int64_t histogram_freq = 0;  // epochs between histograms; 0: none
  bool write_graph = true;
  bool write_images = false;  // with the histograms: matrices and vectors as grey pictures
  int64_t update_every = 0;   // also the logs after so many steps, as batch_NAME; 0: none
};

class TensorBoard : public Callback {
 public:
  // Adds histograms of the variables that exist to the graph.
  TensorBoard(Graph& g, TensorBoardOptions options);
  std::string name() const override { return "TensorBoard"; }
  absl::Status OnFitBegin(FitState& fit) override;
  absl::Status OnStepEnd(FitState& fit) override;
  absl::Status OnEpochEnd(FitState& fit) override;
  absl::Status OnFitEnd(FitState& fit) override;

 private:
  // Opens the file, unless it is open.
  absl::Status Open(FitState& fit);
  absl::Status WriteLogs(FitState& fit, const std::string& prefix, int64_t step);
  absl::Status WriteHistograms(FitState& fit);
  absl::Status WritePictures(FitState& fit);
  absl::Status Keep(absl::Status status);  // closes the file after an error

  Graph& graph_;
  TensorBoardOptions options_;
  std::vector<std::pair<std::string, Output>> variables_;  // values by name
  Output histograms_;                                      // a Summary
  std::unique_ptr<EventWriter> writer_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_TENSOR_BOARD_H_
