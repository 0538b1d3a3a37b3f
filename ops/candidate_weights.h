// Distributions over classes 0, ..., range - 1: what candidate samplers draw from.
//
// Drawing is a function of the numbers, from any thread; only LearnedWeights change, under their mutex.
#ifndef STATICFLOW_OPS_CANDIDATE_WEIGHTS_H_
#define STATICFLOW_OPS_CANDIDATE_WEIGHTS_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "ops/philox.h"
#include "runtime/resource_store.h"

namespace staticflow {

class ClassDistribution : public Resource {
 public:
  explicit ClassDistribution(int64_t range) : range_(range) {}

  int64_t range() const { return range_; }
  virtual int64_t Draw(PhiloxNumbers& numbers) const = 0;
  virtual float Probability(int64_t value) const = 0;
  // So many classes have a probability above 0.
  virtual int64_t possible() const { return range_; }
  // Learns from the true classes of a step, all in [0, range).
  virtual void Learn(absl::Span<const int64_t>) {}

 private:
  int64_t range_;
};

class UniformClasses : public ClassDistribution {
 public:
  explicit UniformClasses(int64_t range) : ClassDistribution(range), each_(static_cast<float>(1.0 / range)) {}
  int64_t Draw(PhiloxNumbers& numbers) const override {
    return static_cast<int64_t>(numbers.Next64Below(static_cast<uint64_t>(range())));
  }
  float Probability(int64_t) const override { return each_; }

 private:
  float each_;
};

class LogUniformClasses : public ClassDistribution {
 public:
  explicit LogUniformClasses(int64_t range) : ClassDistribution(range), log_range_(std::log1p(range)) {}
  int64_t Draw(PhiloxNumbers& numbers) const override {
    const double value = std::exp(numbers.NextDouble() * log_range_);
    // Rounding may lead beyond the range, in the extreme beyond the type.
    if (!(value < 9.2e18)) return range() - 1;
    return (static_cast<int64_t>(value) - 1) % range();
  }
  float Probability(int64_t value) const override {
    return static_cast<float>(std::log((value + 2.0) / (value + 1.0)) / log_range_);
  }

 private:
  double log_range_;
};

// Each class has as weight how often it was seen, plus 1. A binary tree over the classes holds what the nodes gained,
// so that a range of billions takes memory only for what was seen.
class LearnedWeights : public ClassDistribution {
 public:
  explicit LearnedWeights(int64_t range);
  int64_t Draw(PhiloxNumbers& numbers) const override;
  float Probability(int64_t value) const override {
    return static_cast<float>(Weight(levels_ - 1, value)) / static_cast<float>(Weight(0, 0));
  }
  void Learn(absl::Span<const int64_t> values) override;
  // For whoever draws from it or makes it learn, as several steps of a session may.
  absl::Mutex& mutex() { return mutex_; }

 private:
  // The weight of node `index` of a level, 0 for the root's; 1 for each class below it at the beginning.
  int64_t Weight(int level, int64_t index) const;

  absl::Mutex mutex_;
  int levels_ = 1;
  absl::flat_hash_map<std::pair<int, int64_t>, int64_t> gained_;
};

// Weights that were given, drawn from by Walker's alias method.
class FixedWeights : public ClassDistribution {
 public:
  // `weights` are numbers >= 0, not all 0, and at most 2^31 - 1; `total` is their sum as it is rounded on the way.
  FixedWeights(std::vector<float> weights, float total);
  int64_t Draw(PhiloxNumbers& numbers) const override {
    const float u = numbers.NextFloat();
    const uint32_t i = numbers.NextBelow(static_cast<uint32_t>(buckets_.size()));
    return u < buckets_[i].probability ? static_cast<int64_t>(i) : buckets_[i].other;
  }
  float Probability(int64_t value) const override { return weights_[static_cast<size_t>(value)] / total_; }
  int64_t possible() const override { return possible_; }

 private:
  struct Bucket {
    float probability = 1;
    int64_t other = 0;
  };
  std::vector<float> weights_;
  std::vector<Bucket> buckets_;
  float total_;
  int64_t possible_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_CANDIDATE_WEIGHTS_H_
