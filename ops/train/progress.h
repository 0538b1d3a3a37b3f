// Progress: how far a training is, how fast, and how well it does.
//
//   train::Progress progress({.label = "With Batch Norm", .total = 2000});
//   for (int64_t i = 0; i < 2000; ++i) {
//     ...
//     progress.Update(i + 1, {{"loss", loss}, {"accuracy", accuracy}});
//   }
//   progress.Finish();
//
// On a terminal one line redraws itself, ten times a second:
//   With Batch Norm   62% ############........  1240/2000  533 batches/s  ETA 0:01  loss 0.2061  accuracy 0.9310
// Elsewhere there is one plain line after every `line_every` batches and after the last one.
//
// Not thread-safe.
#ifndef STATICFLOW_OPS_TRAIN_PROGRESS_H_
#define STATICFLOW_OPS_TRAIN_PROGRESS_H_

#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace staticflow::train {

struct ProgressOptions {
  std::string label = "";
  int64_t total = 0;
  int64_t done = 0;  // before the first Update, of a training that goes on
  int64_t line_every = 500;
  std::FILE* out = stdout;
  std::optional<bool> terminal = std::nullopt;  // nullopt: whether `out` is one
  std::function<double()> clock = nullptr;      // seconds; null: a steady clock
};

class Progress {
 public:
  using Values = std::vector<std::pair<std::string, double>>;

  explicit Progress(ProgressOptions options);

  // After `done` of `total` batches, with numbers to show; plain lines show the first (the loss) with all its digits.
  void Update(int64_t done, const Values& values);
  // Leaves the terminal's cursor on a new line.
  void Finish();
  // Batches per second since the beginning; 0 before the first.
  double rate() const;

 private:
  std::string Line(const Values& values, bool bar) const;

  ProgressOptions options_;
  bool terminal_;
  double start_;
  double last_drawn_ = -std::numeric_limits<double>::infinity();
  int64_t done_ = 0;
  int64_t last_line_ = 0;
  size_t width_ = 0;  // of the line on the terminal
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_PROGRESS_H_
