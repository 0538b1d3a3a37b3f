#include "benchmarks/training/made_up.h"

#include "benchmarks/training/raw_data.h"
#include "graph/status.h"

namespace staticflow::bench {

absl::StatusOr<std::unique_ptr<MadeUpTraining>> MadeUpTraining::Open(const NetworkSpec& spec,
                                                                     const SessionOptions& options) {
  SF_RETURN_IF_ERROR(CheckSpec(spec));
  std::unique_ptr<MadeUpTraining> training(new MadeUpTraining);
  SF_ASSIGN_OR_RETURN(training->weights_, InitialWeights(spec, ""));
  Network& net = training->net_;
  BuildNetwork(spec, training->weights_, Part::kTraining, &net);
  training->session_ = std::make_unique<Session>(net.graph, options);
  SF_RETURN_IF_ERROR(training->session_->Initialize());

  SF_ASSIGN_OR_RETURN(Tensor images, Tensor::Create(DT_FLOAT, {spec.batch, kPixels}));
  SF_ASSIGN_OR_RETURN(Tensor labels, Tensor::Create(DT_FLOAT, {spec.batch, kClasses}));
  NormalNumbers numbers(1);
  for (float& pixel : images.flat<float>()) pixel = static_cast<float>(numbers.Next());
  for (int64_t i = 0; i < spec.batch; ++i) labels.data<float>()[i * kClasses + i % kClasses] = 1;
  training->feeds_ = {images, labels};
  std::vector<Output> feeds = {net.x, net.labels};
  if (spec.batch_norm) {
    feeds.push_back(net.is_training);
    training->feeds_.push_back(true);
  }
  SF_ASSIGN_OR_RETURN(training->step_, training->session_->Prepare({.feeds = feeds, .targets = {net.train}}));
  return training;
}

}  // namespace staticflow::bench
