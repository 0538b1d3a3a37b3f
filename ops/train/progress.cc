#include "ops/train/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace staticflow::train {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr int kBarWidth = 20;

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// 75 seconds are "1:15", 3675 are "1:01:15".
std::string Clock(double seconds) {
  const int64_t s = static_cast<int64_t>(std::ceil(std::min(seconds, 359999.0)));
  if (s >= 3600) return absl::StrFormat("%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
  return absl::StrFormat("%d:%02d", s / 60, s % 60);
}

}  // namespace

Progress::Progress(ProgressOptions options) : options_(std::move(options)) {
  if (!options_.clock) options_.clock = SteadySeconds;
  terminal_ = options_.terminal.value_or(isatty(fileno(options_.out)) != 0);
  start_ = options_.clock();
  done_ = last_line_ = options_.done;
}

double Progress::rate() const {
  const double seconds = options_.clock() - start_;
  return seconds > 0 ? static_cast<double>(done_ - options_.done) / seconds : 0;
}

std::string Progress::Line(const Values& values, bool bar) const {
  std::string line = options_.label;
  if (bar) {
    const double part = options_.total > 0 ? static_cast<double>(done_) / static_cast<double>(options_.total) : 1;
    const int full = static_cast<int>(part * kBarWidth);
    absl::StrAppendFormat(&line, "  %3d%% %s%s", static_cast<int>(part * 100), std::string(full, '#'),
                          std::string(kBarWidth - full, '.'));
  } else {
    line += ':';
  }
  const double speed = rate();
  absl::StrAppendFormat(&line, "  %d/%d  %.0f batches/s", done_, options_.total, speed);
  if (done_ < options_.total && speed > 0) {
    absl::StrAppend(&line, "  ETA ", Clock(static_cast<double>(options_.total - done_) / speed));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    auto [name, value] = values[i];
    // A NaN has a sign, which says nothing.
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    const bool exact = !bar && i == 0;
    absl::StrAppend(&line, "  ", name, " ", exact ? absl::StrFormat("%.9g", value) : absl::StrFormat("%.4f", value));
  }
  return line;
}

void Progress::Update(int64_t done, const Values& values) {
  done_ = done;
  const bool last = done >= options_.total;
  if (!terminal_) {
    if (!last && done - last_line_ < options_.line_every) return;
    last_line_ = done;
    absl::FPrintF(options_.out, "%s\n", Line(values, /*bar=*/false));
    std::fflush(options_.out);
    return;
  }
  const double now = options_.clock();
  if (!last && now - last_drawn_ < kRedrawSeconds) return;
  last_drawn_ = now;
  const std::string line = Line(values, /*bar=*/true);
  absl::FPrintF(options_.out, "\r%s%s", line, std::string(width_ > line.size() ? width_ - line.size() : 0, ' '));
  std::fflush(options_.out);
  width_ = line.size();
}

void Progress::Finish() {
  if (terminal_ && width_ > 0) absl::FPrintF(options_.out, "\n");
  width_ = 0;
}

}  // namespace staticflow::train
