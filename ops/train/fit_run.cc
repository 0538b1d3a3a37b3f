#include "ops/train/fit_run.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "ops/train/trainer_state.pb.h"
#include "ops/train/training_backup.h"

namespace staticflow::train {
namespace {

constexpr size_t kMaxFailures = 100;  // kept in a History

void WriteLogs(const Logs& logs, proto::TrainerState::Log* out) {
  for (const auto& [name, value] : logs) {
    out->add_names(name);
    out->add_values(value);
  }
}

absl::StatusOr<Logs> ReadLogs(const proto::TrainerState::Log& in) {
  if (in.names_size() != in.values_size()) return absl::DataLossError("the history in the backup is damaged");
  Logs logs;
  for (int i = 0; i < in.names_size(); ++i) logs.emplace_back(in.names(i), in.values(i));
  return logs;
}

int64_t CeilOfRatio(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

}  // namespace

double ScalarValue(const Tensor& tensor) {
  double value = 0;
  DispatchType<float, double, Half, BFloat16>(
      tensor.dtype(), [&]<typename T>() { value = static_cast<double>(float(tensor.scalar<T>())); });
  DispatchType<double, int32_t, int64_t>(tensor.dtype(),
                                         [&]<typename T>() { value = static_cast<double>(tensor.scalar<T>()); });
  return value;
}

Trainer::Run::Run(Trainer& trainer, const DataSet& data, const FitOptions& options)
    : trainer_(trainer),
      data_(data),
      options_(options),
      batches_(data, {.batch_size = options.batch_size,
                      .shuffle = options.shuffle,
                      .seed = options.seed,
                      .tail = options.tail,
                      .epochs = options.epochs,
                      .prefetch = options.prefetch}),
      fit_{.session = trainer.session_, .history = history_, .epochs = options.epochs} {}

void Trainer::Run::NoteFailure(absl::string_view who, const absl::Status& status) {
  if (status.ok()) return;
  const absl::Status failure = Annotate(status, absl::StrCat(who, ", step ", fit_.step, ": "));
  ++history_.num_failures;
  if (history_.failures.size() < kMaxFailures) history_.failures.push_back(failure);
  const auto& warn = trainer_.session_.options().warn;
  const std::string text = absl::StrCat("training goes on, but ", failure.message());
  if (warn) {
    warn(text);
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

void Trainer::Run::Notify(absl::Status (Callback::*event)(FitState&)) {
  for (Callback* callback : options_.callbacks) NoteFailure(callback->name(), (callback->*event)(fit_));
}

int64_t Trainer::Run::StepsOfEpoch() const {
  const int64_t n = data_.size(), batch = options_.batch_size;
  if (options_.tail == Tail::kDrop) return n / batch;
  if (options_.tail == Tail::kKeep) return CeilOfRatio(n, batch);
  const int64_t before = fit_.epoch * (n % batch), after = before + n % batch;
  return n / batch + CeilOfRatio(after, batch) - CeilOfRatio(before, batch);
}

bool Trainer::Run::EpochIsOver() const {
  const BatchPosition position = batches_.position();
  if (data_is_over_ || position.epoch != fit_.epoch) return data_is_over_ || position.epoch > fit_.epoch;
  const int64_t left = data_.size() - position.row;
  return options_.tail == Tail::kDrop ? left < options_.batch_size : left <= 0;
}

absl::Status Trainer::Run::TrainStep(std::vector<Tensor> batch) {
  const double rows = static_cast<double>(batch[0].shape().dim(0));
  const absl::StatusOr<std::vector<Tensor>> fetched = trainer_.RunStep(step_, std::move(batch), /*training=*/true);
  if (!fetched.ok()) {
    return Annotate(fetched.status(), absl::StrCat("Fit, epoch ", fit_.epoch + 1, ", step ", fit_.step + 1, ": "));
  }
  ++fit_.step;
  ++fit_.step_in_epoch;
  history_.steps = fit_.step;
  fit_.batch_loss = ScalarValue((*fetched)[0]);
  loss_sum_ += rows * fit_.batch_loss;
  loss_rows_ += rows;
  fit_.logs = {{"loss", loss_sum_ / loss_rows_}};
  trainer_.AppendMetrics(*fetched, &fit_.logs);
  return absl::OkStatus();
}

absl::Status Trainer::Run::TrainEpoch() {
  std::vector<Tensor> batch;
  while (!EpochIsOver()) {
    if (options_.cancellation != nullptr && options_.cancellation->flag()) {
      fit_.stop_reason = "cancelled";
      return absl::OkStatus();
    }
    SF_ASSIGN_OR_RETURN(const bool more, batches_.Next(&batch));
    if (!more) {
      data_is_over_ = true;
      break;
    }
    SF_RETURN_IF_ERROR(TrainStep(std::move(batch)));
    Notify(&Callback::OnStepEnd);
    if (!fit_.stop_reason.empty()) return absl::OkStatus();
    const bool due = options_.backup_every > 0 && fit_.step - last_backup_ >= options_.backup_every;
    if (due && !EpochIsOver()) Backup();
  }
  return absl::OkStatus();
}

absl::Status Trainer::Run::FinishEpoch() {
  if (options_.validation.has_value()) {
    const int64_t batch_size =
        options_.validation_batch_size > 0 ? options_.validation_batch_size : options_.batch_size;
    SF_ASSIGN_OR_RETURN(const Logs logs, trainer_.Evaluate(*options_.validation, {.batch_size = batch_size}));
    for (const auto& [name, value] : logs) fit_.logs.emplace_back(absl::StrCat("val_", name), value);
  }
  history_.epochs.push_back(fit_.logs);
  Notify(&Callback::OnEpochEnd);
  ++fit_.epoch;
  fit_.step_in_epoch = 0;
  history_.stop_reason = fit_.stop_reason;
  Backup();
  return absl::OkStatus();
}

absl::StatusOr<History> Trainer::Run::Execute() {
  if (options_.batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("Fit: batch_size is ", options_.batch_size, ", expected at least 1"));
  }
  if (options_.tail == Tail::kDrop && data_.size() < options_.batch_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("Fit: a data set of ", data_.size(), " rows gives no batch of ", options_.batch_size));
  }
  if (!options_.backup_dir.empty()) SF_RETURN_IF_ERROR(Resume());
  SF_ASSIGN_OR_RETURN(step_, trainer_.PrepareStep({trainer_.options_.train_op}));
  fit_.steps_per_epoch = StepsOfEpoch();
  Notify(&Callback::OnFitBegin);
  while (fit_.epoch < options_.epochs && fit_.stop_reason.empty() && !data_is_over_) {
    fit_.steps_per_epoch = StepsOfEpoch();
    if (!resumed_inside_epoch_) {
      SF_RETURN_IF_ERROR(trainer_.ResetMetrics());
      loss_sum_ = loss_rows_ = 0;
      fit_.logs.clear();
      Notify(&Callback::OnEpochBegin);
      if (!fit_.stop_reason.empty()) break;
    }
    resumed_inside_epoch_ = false;
    SF_RETURN_IF_ERROR(TrainEpoch());
    if (!fit_.stop_reason.empty()) break;
    if (fit_.step_in_epoch > 0) {
      SF_RETURN_IF_ERROR(FinishEpoch());
    } else {
      ++fit_.epoch;  // a batch of more rows than the data set has ended several epochs at once
    }
  }
  // A training that was cancelled goes on from here one day; one that ran into NaN had better not.
  if (fit_.stop_reason == "cancelled" && fit_.step > last_backup_) Backup();
  history_.stop_reason = fit_.stop_reason;
  Notify(&Callback::OnFitEnd);
  return history_;
}

// ---- Going on ----

std::string Trainer::Run::CallbackKey(size_t i) const { return absl::StrCat(i, "/", options_.callbacks[i]->name()); }

void Trainer::Run::SaveTo(proto::TrainerState* state) const {
  proto::TrainerState::Settings& settings = *state->mutable_settings();
  settings.set_rows(data_.size());
  settings.set_batch_size(options_.batch_size);
  settings.set_shuffle(options_.shuffle);
  settings.set_seed(options_.seed);
  settings.set_tail(static_cast<int>(options_.tail));
  state->set_epoch(fit_.epoch);
  state->set_step(fit_.step);
  state->set_step_in_epoch(fit_.step_in_epoch);
  state->set_position_epoch(batches_.position().epoch);
  state->set_position_row(batches_.position().row);
  state->set_loss_sum(loss_sum_);
  state->set_loss_rows(loss_rows_);
  for (const Logs& logs : history_.epochs) WriteLogs(logs, state->add_epochs());
  state->set_stop_reason(history_.stop_reason);
  for (size_t i = 0; i < options_.callbacks.size(); ++i) {
    (*state->mutable_callbacks())[CallbackKey(i)] = options_.callbacks[i]->SaveState();
  }
}

void Trainer::Run::Backup() {
  if (options_.backup_dir.empty() || fit_.step < next_backup_) return;
  proto::TrainerState state;
  SaveTo(&state);
  const absl::Status saved = trainer_.backup().Save(trainer_.session_, options_.backup_dir, &state);
  last_backup_ = fit_.step;
  if (saved.ok()) {
    failed_backups_ = 0;
    return;
  }
  NoteFailure("the backup", saved);
  const int64_t interval = options_.backup_every > 0 ? options_.backup_every : fit_.steps_per_epoch;
  failed_backups_ = std::min<int64_t>(failed_backups_ + 1, 6);
  next_backup_ = fit_.step + (interval << failed_backups_);
}

absl::Status Trainer::Run::Resume() {
  const absl::StatusOr<bool> found = trainer_.backup().Restore(
      trainer_.session_, options_.backup_dir, [this](const proto::TrainerState& state) { return Restore(state); });
  return Annotate(found.status(), absl::StrCat("Fit, backup_dir ", options_.backup_dir, ": "));
}

absl::Status Trainer::Run::Restore(const proto::TrainerState& state) {
  const proto::TrainerState::Settings& settings = state.settings();
  if (settings.rows() != data_.size() || settings.batch_size() != options_.batch_size ||
      settings.shuffle() != options_.shuffle || settings.seed() != options_.seed ||
      settings.tail() != static_cast<int>(options_.tail)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the backup is of a training on ", settings.rows(), " rows in batches of ", settings.batch_size(),
        settings.shuffle() ? ", shuffled" : "", ", with seed ", settings.seed(), "; this one has ", data_.size(),
        " rows, batches of ", options_.batch_size, options_.shuffle ? ", shuffled" : "", ", seed ", options_.seed));
  }
  if (state.epoch() < 0 || state.step() < 0 || state.step_in_epoch() < 0) {
    return absl::DataLossError("the trainer's state is damaged");
  }
  SF_RETURN_IF_ERROR(batches_.Seek({.epoch = state.position_epoch(), .row = state.position_row()}));
  for (const proto::TrainerState::Log& log : state.epochs()) {
    SF_ASSIGN_OR_RETURN(Logs logs, ReadLogs(log));
    history_.epochs.push_back(std::move(logs));
  }
  for (size_t i = 0; i < options_.callbacks.size(); ++i) {
    const auto saved = state.callbacks().find(CallbackKey(i));
    if (saved == state.callbacks().end()) continue;
    SF_RETURN_IF_ERROR(Annotate(options_.callbacks[i]->RestoreState(saved->second),
                                absl::StrCat("callback ", options_.callbacks[i]->name(), ": ")));
  }
  fit_.epoch = state.epoch();
  fit_.step = history_.steps = last_backup_ = state.step();
  fit_.step_in_epoch = state.step_in_epoch();
  fit_.stop_reason = history_.stop_reason = state.stop_reason();
  loss_sum_ = state.loss_sum();
  loss_rows_ = state.loss_rows();
  resumed_inside_epoch_ = fit_.step_in_epoch > 0;
  history_.resumed_from = fit_.step;
  return absl::OkStatus();
}

}  // namespace staticflow::train
