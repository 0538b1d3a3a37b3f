#include "examples/support/given_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace staticflow {

absl::Status ShowMomentumZero(const ScaledImages& data) {
  const auto given = [](absl::Span<const double> values) {
    const std::vector<float> floats(values.begin(), values.end());
    return initializers::FromTensor(Tensor::Of<float>({784}, absl::MakeConstSpan(floats)));
  };
  Graph g;
  const Output x = Placeholder(g, {.shape = {-1, 784}, .name = "x"});
  const Output training = Placeholder(g, {.dtype = DT_BOOL, .name = "training"});
  const Output y = layers::BatchNormalization(g, x,
                                              {.axis = {-1},
                                               .momentum = 0,
                                               .training = training,
                                               .moving_mean_initializer = given(data.scaler.mean()),
                                               .moving_variance_initializer = given(data.scaler.variance())});
  SF_RETURN_IF_ERROR(g.status());
  Session session(g, {.threads = 1});
  SF_RETURN_IF_ERROR(session.Initialize());
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> rows, data.validation.Split(60).first.AllRows());
  SF_ASSIGN_OR_RETURN(const Tensor pixels, data.scaler.InverseTransform(rows[0]));
  const Output mean = g.FindVariable(g.FindNode("batch_normalization/moving_mean"))->snapshot;
  const auto largest_difference = [&](const Tensor& a, const Tensor& b) {
    double largest = 0;
    for (int64_t i = 0; i < a.num_elements(); ++i) {
      // Pixels that never change have another epsilon here.
      if (data.scaler.variance()[static_cast<size_t>(i % 784)] < 1) continue;
      largest = std::max(largest, static_cast<double>(std::abs(a.data<float>()[i] - b.data<float>()[i])) /
                                      (1 + std::abs(b.data<float>()[i])));
    }
    return largest;
  };
  SF_ASSIGN_OR_RETURN(const Tensor inferred, session.Run({{x, pixels}, {training, false}}, y));
  std::printf("before any step, inference is the scaler's: relative difference at most %.1e\n",
              largest_difference(inferred, rows[0]));
  const auto& updates = g.collection(kUpdateOps);
  SF_RETURN_IF_ERROR(session
                         .Run({{x, pixels}, {training, true}}, std::vector<Output>(),
                              std::vector<Operation>(updates.begin(), updates.end()))
                         .status());
  SF_ASSIGN_OR_RETURN(const Tensor moved, session.Run({}, mean));
  SF_ASSIGN_OR_RETURN(const train::Scaler batch, train::Scaler::FitStandard(pixels));
  const std::vector<float> batch_mean(batch.mean().begin(), batch.mean().end());
  std::printf("after one, the moving mean is that step's batch's: relative difference at most %.1e\n",
              largest_difference(moved, Tensor::Of<float>({784}, absl::MakeConstSpan(batch_mean))));
  return absl::OkStatus();
}

}  // namespace staticflow
