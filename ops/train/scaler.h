// Scaler: features brought to one scale, by numbers that are computed on the training set and then belong to the model.
//
//   SF_ASSIGN_OR_RETURN(train::Scaler scaler, train::Scaler::FitStandard(train_images));   // [60000, 784]
//   SF_ASSIGN_OR_RETURN(Tensor x, scaler.Transform(test_images));                          // mean 0, variance 1
//   SF_RETURN_IF_ERROR(scaler.Save(env, "model/scaler"));
//
//   Output x = scaler.Apply(g, raw);        // or as nodes: checkpoints of the graph hold scaler/offset, scaler/scale
//
// A row's feature y = (x - offset) / scale, with an offset and a scale of its own for each position behind dimension 0.
// All arithmetic is in double. A Scaler is a value; it may be read from any thread.
// Source of formulas: StandardScaler and MinMaxScaler of scikit-learn.
#ifndef STATICFLOW_OPS_TRAIN_SCALER_H_
#define STATICFLOW_OPS_TRAIN_SCALER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/graph.h"
#include "runtime/io/dataset.h"
#include "runtime/io/env.h"

namespace staticflow::train {

struct StandardScalingOptions {
  bool with_mean = true;
  bool with_std = true;
};

struct MinMaxScalingOptions {
  double min = 0;  // what the smallest value of a feature becomes
  double max = 1;
};

class Scaler {
 public:
  // Offset: the mean. Scale: the standard deviation of the population, 1 where that is 0.
  // `rows` [n, ...] holds numbers (float, double, uint8, int32, int64). InvalidArgument: no rows, other types, and a
  // number that is not finite, which is named.
  static absl::StatusOr<Scaler> FitStandard(const Tensor& rows, const StandardScalingOptions& options = {});
  // The features' smallest and largest values become min and max; a feature that is constant becomes min.
  static absl::StatusOr<Scaler> FitMinMax(const Tensor& rows, const MinMaxScalingOptions& options = {});

  // Scaled rows: double for double, float for all other types. InvalidArgument for another number of features.
  absl::StatusOr<Tensor> Transform(const Tensor& rows) const;
  absl::StatusOr<Tensor> InverseTransform(const Tensor& rows) const;
  // The data set with one of its components scaled.
  absl::StatusOr<DataSet> Transform(const DataSet& data, int component = 0) const;

  // (x - offset) / scale for an `x` of floating type, as nodes. The numbers are variables (collection variables, not
  // trained), of the features' shape: `name`/offset and `name`/scale.
  Output Apply(Graph& g, Output x, const std::string& name = "scaler") const;

  // As a checkpoint of the tensors offset, scale, mean, variance, samples. Load: DataLoss, NotFound, InvalidArgument
  // for a checkpoint that is no scaler's.
  absl::Status Save(Env* env, const std::string& prefix) const;
  static absl::StatusOr<Scaler> Load(Env* env, const std::string& prefix);

  absl::Span<const double> offset() const { return offset_; }
  absl::Span<const double> scale() const { return scale_; }
  // Of the rows that it was computed on.
  absl::Span<const double> mean() const { return mean_; }
  absl::Span<const double> variance() const { return variance_; }
  int64_t samples() const { return samples_; }

 private:
  template <typename T>
  absl::Status Observe(const Tensor& rows);
  static absl::StatusOr<Scaler> Observed(const Tensor& rows);
  absl::Status Check(const Tensor& rows) const;
  template <typename F>
  absl::StatusOr<Tensor> Map(const Tensor& rows, F f) const;

  Shape shape_;  // of a row
  int64_t samples_ = 0;
  std::vector<double> offset_, scale_, mean_, variance_;
  std::vector<double> low_, high_;  // extremes; not saved
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_SCALER_H_
