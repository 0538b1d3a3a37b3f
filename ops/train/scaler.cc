#include "ops/train/scaler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "runtime/io/bundle.h"

namespace staticflow::train {
namespace {

Shape RowShape(const Tensor& rows) {
  std::vector<int64_t> dims(rows.shape().dims().begin() + 1, rows.shape().dims().end());
  return Shape(dims);
}

Tensor Vector(const std::vector<double>& values) {
  return Tensor::Of<double>({static_cast<int64_t>(values.size())}, absl::MakeConstSpan(values));
}

template <typename F>
bool DispatchNumber(DataType dtype, F&& f) {
  return DispatchType<float, double, uint8_t, int32_t, int64_t>(dtype, f);
}

}  // namespace

template <typename T>
absl::Status Scaler::Observe(const Tensor& rows) {
  const T* x = rows.data<T>();
  const size_t features = mean_.size();
  // The mean first, then the squares of what differs from it: no two large numbers are subtracted.
  for (int64_t row = 0; row < samples_; ++row) {
    for (size_t i = 0; i < features; ++i) {
      const double value = static_cast<double>(x[static_cast<size_t>(row) * features + i]);
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(absl::StrCat("Scaler: feature ", i, " of row ", row, " is ", value));
      }
      mean_[i] += value;
      low_[i] = std::min(low_[i], value);
      high_[i] = std::max(high_[i], value);
    }
  }
  for (double& mean : mean_) mean /= static_cast<double>(samples_);
  for (int64_t row = 0; row < samples_; ++row) {
    for (size_t i = 0; i < features; ++i) {
      const double difference = static_cast<double>(x[static_cast<size_t>(row) * features + i]) - mean_[i];
      variance_[i] += difference * difference;
    }
  }
  for (double& variance : variance_) variance /= static_cast<double>(samples_);
  return absl::OkStatus();
}

absl::StatusOr<Scaler> Scaler::Observed(const Tensor& rows) {
  if (!rows.valid() || rows.shape().rank() < 1 || rows.shape().dim(0) == 0) {
    return absl::InvalidArgumentError("Scaler: there are no rows");
  }
  Scaler scaler;
  scaler.shape_ = RowShape(rows);
  scaler.samples_ = rows.shape().dim(0);
  const size_t features = static_cast<size_t>(rows.num_elements() / scaler.samples_);
  for (std::vector<double>* zeros : {&scaler.offset_, &scaler.mean_, &scaler.variance_}) zeros->assign(features, 0);
  scaler.scale_.assign(features, 1);
  scaler.low_.assign(features, std::numeric_limits<double>::infinity());
  scaler.high_.assign(features, -std::numeric_limits<double>::infinity());
  absl::Status status;
  if (!DispatchNumber(rows.dtype(), [&]<typename T>() { status = scaler.Observe<T>(rows); })) {
    return absl::InvalidArgumentError(absl::StrCat("Scaler: the rows are ", DataTypeName(rows.dtype()),
                                                   ", expected float, double, uint8, int32 or int64"));
  }
  SF_RETURN_IF_ERROR(status);
  return scaler;
}

absl::StatusOr<Scaler> Scaler::FitStandard(const Tensor& rows, const StandardScalingOptions& options) {
  SF_ASSIGN_OR_RETURN(Scaler scaler, Observed(rows));
  if (options.with_mean) scaler.offset_ = scaler.mean_;
  for (size_t i = 0; options.with_std && i < scaler.scale_.size(); ++i) {
    if (scaler.variance_[i] > 0) scaler.scale_[i] = std::sqrt(scaler.variance_[i]);
  }
  return scaler;
}

absl::StatusOr<Scaler> Scaler::FitMinMax(const Tensor& rows, const MinMaxScalingOptions& options) {
  if (!(options.min < options.max)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Scaler: .min is ", options.min, ", .max is ", options.max, ", expected min < max"));
  }
  SF_ASSIGN_OR_RETURN(Scaler scaler, Observed(rows));
  for (size_t i = 0; i < scaler.scale_.size(); ++i) {
    const double range = scaler.high_[i] > scaler.low_[i] ? scaler.high_[i] - scaler.low_[i] : 1;
    scaler.scale_[i] = range / (options.max - options.min);
    scaler.offset_[i] = scaler.low_[i] - options.min * scaler.scale_[i];
  }
  return scaler;
}

absl::Status Scaler::Check(const Tensor& rows) const {
  if (rows.valid() && rows.shape().rank() >= 1 && RowShape(rows) == shape_) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Scaler: the rows have shape ",
                                                 rows.valid() ? rows.shape().ToString() : "none",
                                                 ", expected some of shape ", shape_.ToString()));
}

template <typename F>
absl::StatusOr<Tensor> Scaler::Map(const Tensor& rows, F f) const {
  SF_RETURN_IF_ERROR(Check(rows));
  SF_ASSIGN_OR_RETURN(Tensor result, Tensor::Create(rows.dtype() == DT_DOUBLE ? DT_DOUBLE : DT_FLOAT, rows.shape()));
  const size_t features = scale_.size();
  const bool known = DispatchNumber(rows.dtype(), [&]<typename T>() {
    using R = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const T* x = rows.data<T>();
    R* y = result.data<R>();
    for (int64_t n = rows.num_elements(), i = 0; i < n;) {
      for (size_t feature = 0; feature < features; ++feature, ++i) {
        y[i] = static_cast<R>(f(static_cast<double>(x[i]), offset_[feature], scale_[feature]));
      }
    }
  });
  if (!known) return absl::InvalidArgumentError(absl::StrCat("Scaler: the rows are ", DataTypeName(rows.dtype())));
  return result;
}

absl::StatusOr<Tensor> Scaler::Transform(const Tensor& rows) const {
  return Map(rows, [](double x, double offset, double scale) { return (x - offset) / scale; });
}

absl::StatusOr<Tensor> Scaler::InverseTransform(const Tensor& rows) const {
  return Map(rows, [](double y, double offset, double scale) { return y * scale + offset; });
}

absl::StatusOr<DataSet> Scaler::Transform(const DataSet& data, int component) const {
  if (component < 0 || component >= data.num_components()) {
    return absl::InvalidArgumentError(
        absl::StrCat("Scaler: component ", component, " of a data set that has ", data.num_components()));
  }
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> rows, data.AllRows());
  Tensor& scaled = rows[static_cast<size_t>(component)];
  SF_ASSIGN_OR_RETURN(scaled, Transform(scaled));
  return DataSet::Create(std::move(rows));
}

Output Scaler::Apply(Graph& g, Output x, const std::string& name) const {
  if (!x.valid()) return Output();
  const NameScope scope(g, name);
  const auto variable = [&](const char* what, const std::vector<double>& values) -> Output {
    absl::StatusOr<Tensor> tensor = Vector(values).Reshaped(shape_);
    if (!tensor.ok()) return Output();
    if (x.dtype() == DT_DOUBLE) return NewVariable(g, *tensor, {.name = what, .trainable = false}).snapshot;
    const std::vector<float> narrow(values.begin(), values.end());
    const Tensor floats = Tensor::Of<float>(shape_, absl::MakeConstSpan(narrow));
    return Cast(NewVariable(g, floats, {.name = what, .trainable = false}).snapshot, x.dtype());
  };
  const Output offset = variable("offset", offset_), scale = variable("scale", scale_);
  return (x - offset) / scale;
}

absl::Status Scaler::Save(Env* env, const std::string& prefix) const {
  BundleWriter writer(env, prefix);
  for (const auto& [name, values] : {std::pair("offset", &offset_), std::pair("scale", &scale_),
                                     std::pair("mean", &mean_), std::pair("variance", &variance_)}) {
    SF_ASSIGN_OR_RETURN(const Tensor tensor, Vector(*values).Reshaped(shape_));
    SF_RETURN_IF_ERROR(writer.Add(name, tensor));
  }
  SF_RETURN_IF_ERROR(writer.Add("samples", Tensor(samples_)));
  return writer.Finish();
}

absl::StatusOr<Scaler> Scaler::Load(Env* env, const std::string& prefix) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, prefix));
  Scaler scaler;
  SF_ASSIGN_OR_RETURN(const Tensor samples, reader.Read("samples"));
  bool sound = samples.dtype() == DT_INT64 && samples.num_elements() == 1;
  for (const auto& [name, values] : {std::pair("offset", &scaler.offset_), std::pair("scale", &scaler.scale_),
                                     std::pair("mean", &scaler.mean_), std::pair("variance", &scaler.variance_)}) {
    SF_ASSIGN_OR_RETURN(const Tensor tensor, reader.Read(name));
    if (values == &scaler.offset_) scaler.shape_ = tensor.shape();
    sound = sound && tensor.dtype() == DT_DOUBLE && tensor.shape() == scaler.shape_;
    if (sound) values->assign(tensor.flat<double>().begin(), tensor.flat<double>().end());
  }
  if (!sound) return absl::InvalidArgumentError(absl::StrCat(prefix, " is no scaler's checkpoint"));
  scaler.samples_ = samples.scalar<int64_t>();
  return scaler;
}

}  // namespace staticflow::train
