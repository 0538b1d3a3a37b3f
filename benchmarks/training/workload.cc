#include "benchmarks/training/workload.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/math.h"

namespace staticflow::bench {
namespace {

// The batches of the training set in order, again and again.
class Batches {
 public:
  Batches(const RawData& data, int64_t size) : data_(data), size_(size), end_(data.size() / size * size) {}

  absl::Status Check() const {
    if (end_ > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("batches of ", size_, " from ", data_.size(), " images"));
  }
  // Where the next batch begins.
  int64_t Next() {
    const int64_t begin = next_;
    next_ = next_ + size_ >= end_ ? 0 : next_ + size_;
    return begin;
  }
  Tensor images(int64_t begin) const {
    return Tensor::Borrow<float>({size_, kPixels}, data_.images.data() + begin * kPixels);
  }
  Tensor labels(int64_t begin) const {
    return Tensor::Borrow<float>({size_, kClasses}, data_.labels.data() + begin * kClasses);
  }

 private:
  const RawData& data_;
  const int64_t size_;
  const int64_t end_;
  int64_t next_ = 0;
};

// What workloads on a network have in common.
class NetworkWorkload : public Workload {
 public:
  double data_seconds() const override { return data_.seconds; }
  double data_mebibytes() const override { return data_.mebibytes(); }

 protected:
  absl::Status Open(const NetworkSpec& spec, const WorkloadOptions& options, Part part, int64_t batch) {
    SF_RETURN_IF_ERROR(CheckSpec(spec));
    SF_ASSIGN_OR_RETURN(data_, ReadRawData(options.data));
    batches_ = std::make_unique<Batches>(data_, batch);
    SF_RETURN_IF_ERROR(batches_->Check());
    SF_ASSIGN_OR_RETURN(weights_, InitialWeights(spec, options.data));
    BuildNetwork(spec, weights_, part, &net_);
    session_ = std::make_unique<Session>(net_.graph, options.session);
    return session_->Initialize();
  }

  RawData data_;
  std::unique_ptr<Batches> batches_;
  std::vector<float> weights_;
  Network net_;
  std::unique_ptr<Session> session_;
};

class Training : public NetworkWorkload {
 public:
  explicit Training(const NetworkSpec& spec) : spec_(spec) {}

  absl::Status Open(const WorkloadOptions& options) {
    SF_RETURN_IF_ERROR(NetworkWorkload::Open(spec_, options, Part::kTraining, spec_.batch));
    std::vector<Output> feeds = {net_.x, net_.labels};
    SF_ASSIGN_OR_RETURN(evaluate_, session_->Prepare({.feeds = feeds, .fetches = {net_.accuracy}}));
    if (spec_.batch_norm) feeds.push_back(net_.is_training);
    SF_ASSIGN_OR_RETURN(step_, session_->Prepare({.feeds = feeds, .targets = {net_.train}}));
    return absl::OkStatus();
  }

  absl::Status Call(const RunOptions& options) override {
    const int64_t begin = batches_->Next();
    const Tensor feeds[] = {batches_->images(begin), batches_->labels(begin), training_};
    return step_.Run(absl::MakeConstSpan(feeds, spec_.batch_norm ? 3 : 2), options).status();
  }

  absl::StatusOr<double> Accuracy() override {
    const Tensor images = Tensor::Borrow<float>({data_.test_size(), kPixels}, data_.test_images.data());
    const Tensor labels = Tensor::Borrow<float>({data_.test_size(), kClasses}, data_.test_labels.data());
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> out, evaluate_.Run({images, labels}));
    return double{out[0].scalar<float>()};
  }

  int accuracy_steps() const override { return spec_.accuracy_steps; }
  bool is_latency() const override { return false; }

 private:
  const NetworkSpec spec_;
  const Tensor training_ = true;
  Step step_, evaluate_;
};

class Inference : public NetworkWorkload {
 public:
  absl::Status Open(int64_t batch, const WorkloadOptions& options) {
    SF_ASSIGN_OR_RETURN(const NetworkSpec spec, NamedNetwork("W2"));
    SF_RETURN_IF_ERROR(NetworkWorkload::Open(spec, options, Part::kInference, batch));
    SF_ASSIGN_OR_RETURN(step_, session_->Prepare({.feeds = {net_.x}, .fetches = {net_.logits}}));
    return absl::OkStatus();
  }

  absl::Status Call(const RunOptions& options) override {
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> out, step_.Run({batches_->images(batches_->Next())}, options));
    last_ = out[0].flat<float>()[0];
    return absl::OkStatus();
  }

 private:
  Step step_;
  volatile float last_ = 0;  // reads the result, as a caller would
};

class ScalarAdditions : public Workload {
 public:
  absl::Status Open(absl::string_view name, const WorkloadOptions& options) {
    const Output x = Placeholder(graph_, {.dtype = DT_FLOAT, .shape = Shape{}, .name = "x"});
    const Output c = Placeholder(graph_, {.dtype = DT_FLOAT, .shape = Shape{}, .name = "c"});
    Output result = x;
    if (name == "W7wide") {
      std::vector<Output> terms;
      for (int i = 0; i < kAdditions; ++i) terms.push_back(x + static_cast<float>(i));
      result = AddN(terms);
    } else {
      for (int i = 0; i < (name == "W7one" ? 1 : kAdditions); ++i) result = result + c;
    }
    session_ = std::make_unique<Session>(graph_, options.session);
    SF_ASSIGN_OR_RETURN(step_, session_->Prepare({.feeds = {x, c}, .fetches = {result}}));
    SF_RETURN_IF_ERROR(Call({}));
    const float expected = name == "W7one" ? 2 : name == "W7chain" ? 1 + kAdditions : kAdditions * (kAdditions + 1) / 2;
    if (std::abs(last_ - expected) < 1) return absl::OkStatus();
    return absl::InternalError(absl::StrCat("the sum is ", float{last_}, ", expected ", expected));
  }

  absl::Status Call(const RunOptions& options) override {
    SF_ASSIGN_OR_RETURN(const std::vector<Tensor> out, step_.Run({one_, one_}, options));
    last_ = out[0].scalar<float>();
    return absl::OkStatus();
  }

 private:
  static constexpr int kAdditions = 1000;

  Graph graph_;
  std::unique_ptr<Session> session_;
  Step step_;
  const Tensor one_ = 1.0f;
  volatile float last_ = 0;
};

template <typename T, typename... Args>
absl::StatusOr<std::unique_ptr<Workload>> Opened(std::unique_ptr<T> workload, const Args&... args) {
  SF_RETURN_IF_ERROR(workload->Open(args...));
  return workload;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Workload>> MakeTraining(const NetworkSpec& spec, const WorkloadOptions& options) {
  return Opened(std::make_unique<Training>(spec), options);
}

absl::StatusOr<std::unique_ptr<Workload>> MakeWorkload(absl::string_view name, const WorkloadOptions& options) {
  if (name == "W6b1") return Opened(std::make_unique<Inference>(), 1, options);
  if (name == "W6b1000") return Opened(std::make_unique<Inference>(), 1000, options);
  if (name == "W7chain" || name == "W7wide" || name == "W7one") {
    return Opened(std::make_unique<ScalarAdditions>(), name, options);
  }
  absl::StatusOr<NetworkSpec> spec = NamedNetwork(name);
  if (!spec.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("workload '", name, "', expected W1 to W5, W6b1, W6b1000, W7chain, W7wide or W7one"));
  }
  return MakeTraining(*spec, options);
}

}  // namespace staticflow::bench
