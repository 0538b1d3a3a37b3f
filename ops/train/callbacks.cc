#include "ops/train/callbacks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/io/env.h"

namespace staticflow::train {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool HigherIsBetter(const std::string& monitor, Mode mode) {
  if (mode != Mode::kAuto) return mode == Mode::kMax;
  for (const char* word : {"acc", "auc", "precision", "recall"}) {
    if (absl::StrContains(monitor, word)) return true;
  }
  return false;
}

Env* EnvOf(const FitState& fit) {
  return fit.session.options().env != nullptr ? fit.session.options().env : PosixEnv();
}

// A number for SaveState, and what follows it there, back.
std::string Packed(double value) { return absl::StrCat(std::bit_cast<uint64_t>(value), " "); }

absl::StatusOr<double> Unpack(absl::string_view* state) {
  const size_t end = state->find(' ');
  uint64_t bits;
  if (end == state->npos || !absl::SimpleAtoi(state->substr(0, end), &bits)) {
    return absl::InvalidArgumentError("the saved state is damaged");
  }
  state->remove_prefix(end + 1);
  return std::bit_cast<double>(bits);
}

// Whether `format` is what may follow in "{val_loss:.3f}": digits, a precision, one letter of `letters`.
bool IsFormat(absl::string_view format, absl::string_view letters) {
  if (format.empty() || format.size() > 6 || !absl::StrContains(letters, format.substr(format.size() - 1))) {
    return false;
  }
  return format.substr(0, format.size() - 1).find_first_not_of("0123456789.") == format.npos &&
         std::count(format.begin(), format.end(), '.') <= 1;
}

std::string Formatted(const std::string& format, double value) {
  char text[512];
  const int size = std::snprintf(text, sizeof(text), format.c_str(), value);
  return std::string(text, static_cast<size_t>(std::clamp(size, 0, static_cast<int>(sizeof(text)) - 1)));
}

}  // namespace

// ---- What the monitors share ----

Best::Best(std::string monitor, Mode mode, double min_delta)
    : monitor_(std::move(monitor)),
      higher_(HigherIsBetter(monitor_, mode)),
      min_delta_(std::abs(min_delta)),
      value_(higher_ ? -kInfinity : kInfinity) {}

absl::StatusOr<double> Best::Find(const Logs& logs) const {
  if (const std::optional<double> value = FindLog(logs, monitor_)) return *value;
  const auto append_name = [](std::string* out, const auto& log) { out->append(log.first); };
  return absl::NotFoundError(
      absl::StrCat("there is no '", monitor_, "' among the logs ", absl::StrJoin(logs, ", ", append_name)));
}

bool Best::IsBetter(double value) const { return higher_ ? value - min_delta_ > value_ : value + min_delta_ < value_; }

// ---- ProgressBar ----

void ProgressBar::Begin(const FitState& fit, int64_t done) {
  progress_ = std::make_unique<Progress>(
      ProgressOptions{.label = absl::StrCat("Epoch ", fit.epoch + 1, "/", fit.epochs),
                      .total = fit.steps_per_epoch,
                      .done = done,
                      .line_every = options_.line_every > 0 ? options_.line_every : fit.steps_per_epoch,
                      .out = options_.out,
                      .terminal = options_.terminal,
                      .clock = options_.clock});
}

absl::Status ProgressBar::OnEpochBegin(FitState& fit) {
  Begin(fit, 0);
  return absl::OkStatus();
}

absl::Status ProgressBar::OnStepEnd(FitState& fit) {
  if (progress_ == nullptr) Begin(fit, fit.step_in_epoch - 1);
  // The last line of an epoch has the numbers of the validation too.
  if (fit.step_in_epoch < fit.steps_per_epoch) progress_->Update(fit.step_in_epoch, fit.logs);
  return absl::OkStatus();
}

absl::Status ProgressBar::OnEpochEnd(FitState& fit) {
  if (progress_ == nullptr) Begin(fit, fit.step_in_epoch);
  progress_->Update(fit.steps_per_epoch, fit.logs);
  return OnFitEnd(fit);
}

absl::Status ProgressBar::OnFitEnd(FitState&) {
  if (progress_ != nullptr) progress_->Finish();
  progress_ = nullptr;
  return absl::OkStatus();
}

// ---- SaveBest ----

absl::StatusOr<std::string> FormatPath(absl::string_view path, int64_t epoch, const Logs& logs) {
  std::string result;
  for (size_t begin; (begin = path.find('{')) != path.npos;) {
    const size_t end = path.find('}', begin);
    if (end == path.npos) return absl::InvalidArgumentError(absl::StrCat("'", path, "': a '{' is not closed"));
    absl::StrAppend(&result, path.substr(0, begin));
    const absl::string_view field = path.substr(begin + 1, end - begin - 1);
    const absl::string_view name = field.substr(0, field.find(':'));
    const absl::string_view format = name.size() < field.size() ? field.substr(name.size() + 1) : "";
    const bool is_epoch = name == "epoch";
    if (!format.empty() && !IsFormat(format, is_epoch ? "d" : "feg")) {
      return absl::InvalidArgumentError(
          absl::StrCat("'{", field, "}': expected a format like {epoch:02d} or {val_loss:.3f}"));
    }
    if (is_epoch) {
      const absl::string_view digits = format.empty() ? format : format.substr(0, format.size() - 1);
      absl::StrAppend(&result, Formatted(absl::StrCat("%", digits, ".0f"), static_cast<double>(epoch)));
    } else {
      SF_ASSIGN_OR_RETURN(const double value, Best(std::string(name), Mode::kMin).Find(logs));
      absl::StrAppend(&result, Formatted(absl::StrCat("%", format.empty() ? "g" : format), value));
    }
    path.remove_prefix(end + 1);
  }
  return absl::StrCat(result, path);
}

SaveBest::SaveBest(Graph& g, SaveBestOptions options)
    : options_(std::move(options)),
      best_(options_.monitor, options_.mode),
      saver_(g, {.max_to_keep = options_.max_to_keep,
                 .var_list = options_.var_list,
                 .partial = options_.partial,
                 .name = "save_best"}) {}

absl::Status SaveBest::OnEpochEnd(FitState& fit) {
  SF_ASSIGN_OR_RETURN(const double value, best_.Find(fit.logs));
  const bool better = best_.IsBetter(value);
  const std::string epoch = absl::StrFormat("Epoch %05d: ", fit.epoch + 1);
  if (options_.save_best_only && !better) {
    if (options_.out != nullptr) {
      absl::FPrintF(options_.out, "%s%s did not improve from %.5f\n", epoch, options_.monitor, best_.value());
    }
    return absl::OkStatus();
  }
  SF_ASSIGN_OR_RETURN(const std::string path, FormatPath(options_.path, fit.epoch + 1, fit.logs));
  if (options_.out != nullptr) {
    const std::string reason =
        better ? absl::StrFormat("%s improved from %.5f to %.5f, ", options_.monitor, best_.value(), value) : "";
    absl::FPrintF(options_.out, "%s%ssaving model to %s\n", epoch, reason, path);
  }
  SF_ASSIGN_OR_RETURN(const std::string saved, saver_.Save(fit.session, path));
  if (!better) return absl::OkStatus();
  best_.set_value(value);
  best_path_ = saved;
  return absl::OkStatus();
}

std::string SaveBest::SaveState() const { return absl::StrCat(Packed(best_.value()), best_path_); }

absl::Status SaveBest::RestoreState(absl::string_view state) {
  SF_ASSIGN_OR_RETURN(const double best, Unpack(&state));
  best_.set_value(best);
  best_path_ = std::string(state);
  return absl::OkStatus();
}

// ---- EarlyStopping ----

EarlyStopping::EarlyStopping(EarlyStoppingOptions options)
    : options_(std::move(options)), best_(options_.monitor, options_.mode, options_.min_delta) {
  if (options_.baseline.has_value()) best_.set_value(*options_.baseline);
}

absl::Status EarlyStopping::OnEpochEnd(FitState& fit) {
  SF_ASSIGN_OR_RETURN(const double value, best_.Find(fit.logs));
  if (best_.IsBetter(value)) {
    best_.set_value(value);
    waited_ = 0;
    return absl::OkStatus();
  }
  if (++waited_ < std::max<int64_t>(1, options_.patience)) return absl::OkStatus();
  fit.stop_reason = absl::StrCat(options_.monitor, " has not improved for ", waited_, " epochs");
  return absl::OkStatus();
}

std::string EarlyStopping::SaveState() const {
  return absl::StrCat(Packed(best_.value()), Packed(static_cast<double>(waited_)));
}

absl::Status EarlyStopping::RestoreState(absl::string_view state) {
  SF_ASSIGN_OR_RETURN(const double best, Unpack(&state));
  SF_ASSIGN_OR_RETURN(const double waited, Unpack(&state));
  best_.set_value(best);
  waited_ = static_cast<int64_t>(std::clamp(waited, 0.0, 1e15));
  return absl::OkStatus();
}

// ---- The learning rate ----

LearningRateSchedule::LearningRateSchedule(Graph& g, const Variable& rate,
                                           std::function<double(int64_t, double)> schedule)
    : schedule_(std::move(schedule)) {
  if (rate.variable == nullptr || !IsFloating(rate.dtype) || rate.shape.rank() != 0) {
    built_ = absl::InvalidArgumentError("the learning rate is no scalar variable of floating type");
    return;
  }
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope scope(g, absl::StrCat(rate.name(), "/schedule"));
  rate_ = Cast(rate.snapshot, DT_DOUBLE, {.name = "rate"});
  new_rate_ = Placeholder(g, {.dtype = DT_DOUBLE, .shape = {}, .name = "new_rate"});
  assign_ = Assign(rate.ref(), Cast(new_rate_, rate.dtype));
}

absl::Status LearningRateSchedule::Change(Session& session, const std::function<double(double)>& change) {
  SF_RETURN_IF_ERROR(built_);
  SF_ASSIGN_OR_RETURN(const Tensor rate, session.Run({}, rate_));
  const double changed = change(rate.scalar<double>());
  return session.Run({{new_rate_, Tensor(changed)}}, std::vector<Output>(), {assign_}).status();
}

absl::Status LearningRateSchedule::OnEpochBegin(FitState& fit) {
  return Change(fit.session, [&](double rate) { return schedule_(fit.epoch, rate); });
}

ReduceLearningRateOnPlateau::ReduceLearningRateOnPlateau(Graph& g, const Variable& rate,
                                                         ReduceLearningRateOptions options)
    : options_(std::move(options)),
      best_(options_.monitor, options_.mode, options_.min_delta),
      rate_(g, rate, nullptr) {}

absl::Status ReduceLearningRateOnPlateau::OnEpochEnd(FitState& fit) {
  SF_ASSIGN_OR_RETURN(const double value, best_.Find(fit.logs));
  if (cooling_ > 0) {
    --cooling_;
    waited_ = 0;
  }
  if (best_.IsBetter(value)) {
    best_.set_value(value);
    waited_ = 0;
    return absl::OkStatus();
  }
  if (cooling_ > 0 || ++waited_ < options_.patience) return absl::OkStatus();
  waited_ = 0;
  cooling_ = options_.cooldown;
  return rate_.Change(fit.session, [this](double rate) {
    return rate > options_.min_rate ? std::max(rate * options_.factor, options_.min_rate) : rate;
  });
}

std::string ReduceLearningRateOnPlateau::SaveState() const {
  return absl::StrCat(Packed(best_.value()), Packed(static_cast<double>(waited_)),
                      Packed(static_cast<double>(cooling_)));
}

absl::Status ReduceLearningRateOnPlateau::RestoreState(absl::string_view state) {
  SF_ASSIGN_OR_RETURN(const double best, Unpack(&state));
  SF_ASSIGN_OR_RETURN(const double waited, Unpack(&state));
  SF_ASSIGN_OR_RETURN(const double cooling, Unpack(&state));
  best_.set_value(best);
  waited_ = static_cast<int64_t>(std::clamp(waited, 0.0, 1e15));
  cooling_ = static_cast<int64_t>(std::clamp(cooling, 0.0, 1e15));
  return absl::OkStatus();
}

// ---- CsvLog, TerminateOnNan ----

std::string HistoryCsv(const History& history) {
  std::string text = "epoch";
  if (!history.epochs.empty()) {
    for (const auto& [name, value] : history.epochs[0]) absl::StrAppend(&text, ",", name);
  }
  text += "\n";
  for (size_t epoch = 0; epoch < history.epochs.size(); ++epoch) {
    absl::StrAppend(&text, epoch);
    for (const auto& [name, unused] : history.epochs[0]) {
      const std::optional<double> value = FindLog(history.epochs[epoch], name);
      text += ",";
      if (value.has_value()) absl::StrAppendFormat(&text, "%.17g", *value);
    }
    text += "\n";
  }
  return text;
}

absl::Status CsvLog::OnEpochEnd(FitState& fit) {
  Env* env = EnvOf(fit);
  SF_RETURN_IF_ERROR(env->CreateDir(DirName(path_)));
  return ReplaceFile(env, path_, HistoryCsv(fit.history));
}

absl::Status TerminateOnNan::OnStepEnd(FitState& fit) {
  if (!std::isfinite(fit.batch_loss)) fit.stop_reason = absl::StrCat("the loss is ", fit.batch_loss);
  return absl::OkStatus();
}

}  // namespace staticflow::train
