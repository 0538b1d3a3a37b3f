#include "ops/train/trainer.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "ops/state.h"
#include "ops/train/fit_run.h"
#include "ops/train/training_backup.h"

namespace staticflow::train {

std::optional<double> FindLog(const Logs& logs, absl::string_view name) {
  for (const auto& [key, value] : logs) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<double> History::Values(absl::string_view name) const {
  std::vector<double> values;
  for (const Logs& logs : epochs) {
    values.push_back(FindLog(logs, name).value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  return values;
}

Trainer::Trainer(Graph& g, Session& session, TrainerOptions options)
    : graph_(g), session_(session), options_(std::move(options)) {
  std::vector<metrics::Metric> all;
  for (const auto& [name, metric] : options_.metrics) all.push_back(metric);
  if (all.empty() || !g.status().ok()) return;
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope root(g, "");
  reset_ = metrics::ResetOperation(g, all, {.name = "trainer/reset_metrics"});
}

Trainer::~Trainer() = default;

absl::Status Trainer::CheckData(const DataSet& data, absl::string_view what) const {
  SF_RETURN_IF_ERROR(graph_.status());
  if (data.size() == 0) return absl::InvalidArgumentError(absl::StrCat(what, ": the data set is empty"));
  if (data.num_components() == static_cast<int>(options_.inputs.size())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ": the data set has ", data.num_components(),
                                                 " components, expected one for each of ", options_.inputs.size(),
                                                 " inputs"));
}

absl::StatusOr<Step> Trainer::PrepareStep(std::vector<Operation> targets) {
  Signature signature = {.feeds = options_.inputs, .targets = std::move(targets)};
  if (options_.training.valid()) signature.feeds.push_back(options_.training);
  if (options_.loss.valid()) signature.fetches.push_back(options_.loss);
  for (const auto& [name, metric] : options_.metrics) signature.fetches.push_back(metric.update);
  return session_.Prepare(std::move(signature));
}

absl::StatusOr<std::vector<Tensor>> Trainer::RunStep(const Step& step, std::vector<Tensor> batch, bool training) const {
  if (options_.training.valid()) batch.push_back(Tensor(training));
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> fetched, step.Run(batch));
  if (options_.loss.valid()) {
    if (fetched[0].num_elements() != 1 || !IsFloating(fetched[0].dtype())) {
      return absl::InvalidArgumentError(absl::StrCat("the loss '", options_.loss.name(), "' is ",
                                                     DataTypeName(fetched[0].dtype()), fetched[0].shape().ToString(),
                                                     ", expected a floating scalar"));
    }
  }
  return fetched;
}

absl::Status Trainer::ResetMetrics() {
  if (!reset_.valid()) return graph_.status();
  return session_.Run({}, std::vector<Output>(), {reset_}).status();
}

void Trainer::AppendMetrics(absl::Span<const Tensor> fetched, Logs* logs) const {
  size_t i = options_.loss.valid() ? 1 : 0;
  for (const auto& [name, metric] : options_.metrics) {
    if (fetched[i].num_elements() == 1) logs->emplace_back(name, ScalarValue(fetched[i]));
    ++i;
  }
}

TrainingBackup& Trainer::backup() {
  if (backup_ == nullptr) backup_ = std::make_unique<TrainingBackup>(graph_);
  return *backup_;
}

absl::StatusOr<History> Trainer::Fit(const DataSet& data, const FitOptions& options) {
  SF_RETURN_IF_ERROR(CheckData(data, "Fit"));
  if (!options_.loss.valid() || !options_.train_op.valid()) {
    return absl::InvalidArgumentError("Fit: the trainer needs a loss and a train_op");
  }
  if (options.validation.has_value()) SF_RETURN_IF_ERROR(CheckData(*options.validation, "Fit, validation"));
  Run run(*this, data, options);
  return run.Execute();
}

absl::StatusOr<Logs> Trainer::Evaluate(const DataSet& data, const EvaluateOptions& options) {
  SF_RETURN_IF_ERROR(CheckData(data, "Evaluate"));
  SF_RETURN_IF_ERROR(ResetMetrics());
  SF_ASSIGN_OR_RETURN(const Step step, PrepareStep({}));
  Batches batches(data, {.batch_size = options.batch_size, .epochs = 1});
  std::vector<Tensor> batch, fetched;
  double loss = 0;
  for (;;) {
    SF_ASSIGN_OR_RETURN(const bool more, batches.Next(&batch));
    if (!more) break;
    const double rows = static_cast<double>(batch[0].shape().dim(0));
    SF_ASSIGN_OR_RETURN(fetched, RunStep(step, std::move(batch), /*training=*/false));
    if (options_.loss.valid()) loss += rows * ScalarValue(fetched[0]);
  }
  Logs logs;
  if (options_.loss.valid()) logs.emplace_back("loss", loss / static_cast<double>(data.size()));
  AppendMetrics(fetched, &logs);
  return logs;
}

absl::StatusOr<Tensor> Trainer::Predict(const DataSet& data, const PredictOptions& options) {
  SF_RETURN_IF_ERROR(graph_.status());
  if (!options_.predictions.valid()) return absl::InvalidArgumentError("Predict: the trainer has no predictions");
  if (data.size() == 0) return absl::InvalidArgumentError("Predict: the data set is empty");
  const size_t components = static_cast<size_t>(data.num_components());
  if (components > options_.inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat("Predict: the data set has ", components,
                                                   " components, expected at most ", options_.inputs.size()));
  }
  Signature signature = {.fetches = {options_.predictions}};
  signature.feeds.assign(options_.inputs.begin(), options_.inputs.begin() + static_cast<ptrdiff_t>(components));
  if (options_.training.valid()) signature.feeds.push_back(options_.training);
  SF_ASSIGN_OR_RETURN(const Step step, session_.Prepare(std::move(signature)));

  Batches batches(data, {.batch_size = options.batch_size, .epochs = 1});
  std::vector<Tensor> batch;
  Tensor all;
  for (int64_t row = 0; row < data.size();) {
    SF_RETURN_IF_ERROR(batches.Next(&batch).status());
    const int64_t rows = batch[0].shape().dim(0);
    if (options_.training.valid()) batch.push_back(Tensor(false));
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> fetched, step.Run(batch));
    const Tensor& part = fetched[0];
    Shape shape = part.shape();
    if (shape.rank() < 1 || shape.dim(0) != rows) {
      return absl::InvalidArgumentError(absl::StrCat("Predict: '", options_.predictions.name(), "' has shape ",
                                                     shape.ToString(), " for a batch of ", rows, ", expected [", rows,
                                                     ", ...]"));
    }
    shape.set_dim(0, data.size());
    if (row == 0) {
      SF_ASSIGN_OR_RETURN(all, Tensor::Create(part.dtype(), shape));
    }
    if (all.shape() != shape) {
      return absl::InvalidArgumentError("Predict: the predictions of two batches differ in their shapes");
    }
    const int64_t per_row = shape.num_elements(1, shape.rank());
    char* to = static_cast<char*>(all.raw()) + row * per_row * DataTypeSize(all.dtype());
    CopyElements(all.dtype(), part.raw(), to, part.num_elements());
    row += rows;
  }
  return all;
}

}  // namespace staticflow::train
