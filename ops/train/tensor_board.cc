#include "ops/train/tensor_board.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/graph_def.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/summary.h"
#include "proto/event.pb.h"
#include "proto/summary.pb.h"
#include "runtime/io/png.h"
#include "runtime/session.h"

namespace staticflow::train {
namespace {

constexpr int64_t kMaxSide = 4096;  // pixels of a picture

// Weights and moving statistics: no scalars, and nothing that an optimizer keeps beside a variable, under its name.
bool IsShown(const Variable& variable, absl::Span<const Variable* const> all) {
  if (variable.shape.rank() < 1 || (variable.dtype != DT_FLOAT && variable.dtype != DT_DOUBLE)) return false;
  return std::none_of(all.begin(), all.end(), [&](const Variable* other) {
    return absl::StartsWith(variable.name(), absl::StrCat(other->name(), "/"));
  });
}

// A matrix or vector as grey levels between its extremes; numbers that are not finite are black.
proto::Summary::Image Picture(const Tensor& values) {
  const bool is_vector = values.shape().rank() == 1;
  const int64_t height = is_vector ? 1 : values.shape().dim(0), width = values.shape().dim(-1);
  const float* x = values.data<float>();
  const int64_t n = values.num_elements();
  float low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(x[i])) continue;
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  const float scale = high > low ? 255 / (high - low) : 0;
  std::vector<uint8_t> pixels(static_cast<size_t>(n), 0);
  for (int64_t i = 0; i < n; ++i) {
    if (std::isfinite(x[i])) pixels[static_cast<size_t>(i)] = static_cast<uint8_t>(std::lround((x[i] - low) * scale));
  }
  proto::Summary::Image image;
  image.set_height(static_cast<int32_t>(height));
  image.set_width(static_cast<int32_t>(width));
  image.set_colorspace(1);
  const absl::string_view bytes(reinterpret_cast<const char*>(pixels.data()), pixels.size());
  image.set_encoded_image_string(EncodePng({.pixels = bytes, .width = width, .height = height}).value_or(""));
  return image;
}

bool IsPicture(const Tensor& values) {
  const Shape& shape = values.shape();
  if (values.dtype() != DT_FLOAT || shape.rank() > 2 || values.num_elements() == 0) return false;
  return shape.dim(0) <= kMaxSide && shape.dim(-1) <= kMaxSide;
}

}  // namespace

TensorBoard::TensorBoard(Graph& g, TensorBoardOptions options) : graph_(g), options_(std::move(options)) {
  if (options_.histogram_freq < 1) return;
  const std::vector<const Variable*> all = g.variables(kGlobalVariables);
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope scope(g, "tensor_board");
  std::vector<Output> histograms;
  for (const Variable* variable : all) {
    if (!IsShown(*variable, all)) continue;
    variables_.emplace_back(variable->name(), variable->snapshot);
    histograms.push_back(HistogramSummary(variable->name(), variable->snapshot, {.collection = ""}));
  }
  if (!histograms.empty()) histograms_ = MergeSummary(histograms);
}

absl::Status TensorBoard::Keep(absl::Status status) {
  if (!status.ok()) writer_ = nullptr;
  return status;
}

absl::Status TensorBoard::Open(FitState& fit) {
  if (writer_ != nullptr) return absl::OkStatus();
  Env* env = fit.session.options().env != nullptr ? fit.session.options().env : PosixEnv();
  SF_ASSIGN_OR_RETURN(writer_, EventWriter::Create(env, options_.dir));
  if (fit.history.resumed_from.has_value()) {
    proto::Event begin;
    begin.set_step(fit.epoch);
    begin.mutable_session_log()->set_status(proto::SessionLog::START);
    SF_RETURN_IF_ERROR(Keep(writer_->Write(begin)));
  }
  if (!options_.write_graph) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(const std::string bytes, GraphDefBytes(graph_));
  proto::Event event;
  event.set_graph_def(bytes);
  return Keep(writer_->Write(event));
}

absl::Status TensorBoard::WriteLogs(FitState& fit, const std::string& prefix, int64_t step) {
  proto::Event event;
  event.set_step(step);
  const auto add = [&](const std::string& name, double value) {
    proto::Summary::Value* scalar = event.mutable_summary()->add_value();
    scalar->set_tag(prefix + name);
    scalar->set_simple_value(static_cast<float>(value));
  };
  for (const auto& [name, value] : fit.logs) add(name, value);
  if (prefix.empty()) add("failures", static_cast<double>(fit.history.num_failures));
  return Keep(writer_->Write(event));
}

absl::Status TensorBoard::WriteHistograms(FitState& fit) {
  SF_ASSIGN_OR_RETURN(const Tensor bytes, fit.session.Run({}, histograms_));
  proto::Event event;
  event.set_step(fit.epoch);
  if (!event.mutable_summary()->ParseFromString(bytes.scalar<std::string>())) {
    return absl::InternalError("the histograms are no Summary");
  }
  return Keep(writer_->Write(event));
}

absl::Status TensorBoard::WritePictures(FitState& fit) {
  std::vector<Output> values;
  for (const auto& [name, value] : variables_) values.push_back(value);
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> fetched, fit.session.Run({}, values));
  proto::Event event;
  event.set_step(fit.epoch);
  for (size_t i = 0; i < fetched.size(); ++i) {
    if (!IsPicture(fetched[i])) continue;
    proto::Summary::Value* value = event.mutable_summary()->add_value();
    value->set_tag(absl::StrCat(variables_[i].first, "/image"));
    *value->mutable_image() = Picture(fetched[i]);
  }
  return Keep(writer_->Write(event));
}

absl::Status TensorBoard::OnFitBegin(FitState& fit) { return Open(fit); }

absl::Status TensorBoard::OnStepEnd(FitState& fit) {
  if (options_.update_every < 1 || fit.step % options_.update_every != 0 || writer_ == nullptr) return absl::OkStatus();
  return WriteLogs(fit, "batch_", fit.step);
}

absl::Status TensorBoard::OnEpochEnd(FitState& fit) {
  SF_RETURN_IF_ERROR(Open(fit));
  SF_RETURN_IF_ERROR(WriteLogs(fit, "", fit.epoch));
  if (histograms_.valid() && fit.epoch % options_.histogram_freq == 0) {
    SF_RETURN_IF_ERROR(WriteHistograms(fit));
    if (options_.write_images) SF_RETURN_IF_ERROR(WritePictures(fit));
  }
  return Keep(writer_->Flush());
}

absl::Status TensorBoard::OnFitEnd(FitState&) {
  if (writer_ == nullptr) return absl::OkStatus();
  const absl::Status closed = writer_->Close();
  writer_ = nullptr;
  return closed;
}

}  // namespace staticflow::train
