#include "ops/candidate_weights.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace staticflow {

LearnedWeights::LearnedWeights(int64_t range) : ClassDistribution(range) {
  while (int64_t{1} << (levels_ - 1) < range) ++levels_;
}

int64_t LearnedWeights::Weight(int level, int64_t index) const {
  const int height = levels_ - 1 - level;
  const int64_t first = index << height, last = std::min(range(), (index + 1) << height);
  const auto found = gained_.find({level, index});
  return std::max<int64_t>(0, last - first) + (found == gained_.end() ? 0 : found->second);
}

int64_t LearnedWeights::Draw(PhiloxNumbers& numbers) const {
  int64_t position = numbers.NextBelow(static_cast<uint32_t>(Weight(0, 0))), index = 0;
  for (int level = 1; level < levels_; ++level) {
    index *= 2;
    if (const int64_t left = Weight(level, index); position >= left) {
      position -= left;
      ++index;
    }
  }
  return index;
}

void LearnedWeights::Learn(absl::Span<const int64_t> values) {
  // The sum of all weights stays an int32, as in TensorFlow.
  const int64_t room = std::numeric_limits<int32_t>::max() - Weight(0, 0);
  for (int64_t value : values.subspan(0, static_cast<size_t>(std::max<int64_t>(0, room)))) {
    for (int level = levels_ - 1; level >= 0; --level, value >>= 1) ++gained_[{level, value}];
  }
}

FixedWeights::FixedWeights(std::vector<float> weights, float total)
    : ClassDistribution(static_cast<int64_t>(weights.size())),
      weights_(std::move(weights)),
      buckets_(weights_.size()),
      total_(total) {
  const size_t n = weights_.size();
  double sum = 0;
  for (const float weight : weights_) {
    sum += weight;
    possible_ += weight > 0;
  }
  // Every bucket below the mean is filled up from one above it.
  std::vector<double> shares(n);
  std::vector<int64_t> low, high;
  for (size_t i = 0; i < n; ++i) {
    shares[i] = weights_[i] * static_cast<double>(n) / sum;
    (shares[i] < 1 ? low : high).push_back(static_cast<int64_t>(i));
  }
  while (!low.empty() && !high.empty()) {
    const int64_t l = low.back(), h = high.back();
    low.pop_back();
    high.pop_back();
    buckets_[l] = {.probability = static_cast<float>(shares[l]), .other = h};
    shares[h] -= 1 - shares[l];
    (shares[h] < 1 ? low : high).push_back(h);
  }
  for (const std::vector<int64_t>& rest : {low, high}) {
    for (const int64_t i : rest) buckets_[i] = {.probability = 1, .other = i};
  }
}

}  // namespace staticflow
