// Non-maximum suppression: of boxes that show the same thing, the one with the highest score. What all ops of that kind
// share; pure functions.
#ifndef STATICFLOW_OPS_IMAGE_SUPPRESSION_H_
#define STATICFLOW_OPS_IMAGE_SUPPRESSION_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <queue>
#include <vector>

#include "absl/types/span.h"

namespace staticflow {

// What decides which boxes stay.
struct Suppression {
  int64_t max_boxes = 0;
  float overlap_threshold = 0;
  float score_threshold = std::numeric_limits<float>::lowest();
  float sigma = 0;  // above 0, overlap lowers scores instead of removing boxes
};

struct Candidate {
  int64_t box = 0;
  float score = 0;
  size_t compared = 0;  // the chosen boxes before this one were looked at
};
struct Worse {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return a.score < b.score || (a.score == b.score && a.box > b.box);
  }
};

struct Chosen {
  std::vector<int64_t> boxes;
  std::vector<float> scores;
};

// Takes the best candidate that overlaps no chosen box too much, until there are enough or none is left.
template <typename Overlap>
Chosen ChooseBoxes(absl::Span<const float> scores, const Suppression& how, Overlap overlap) {
  std::priority_queue<Candidate, std::vector<Candidate>, Worse> candidates;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > how.score_threshold) candidates.push({static_cast<int64_t>(i), scores[i], 0});
  }
  const bool soft = how.sigma > 0;
  const float scale = soft ? -0.5f / how.sigma : 0.0f;
  Chosen chosen;
  while (static_cast<int64_t>(chosen.boxes.size()) < how.max_boxes && !candidates.empty()) {
    Candidate next = candidates.top();
    candidates.pop();
    const float score = next.score;
    bool removed = false;
    for (size_t j = chosen.boxes.size(); j-- > next.compared;) {
      const float similarity = overlap(next.box, chosen.boxes[j]);
      removed = !soft && similarity > how.overlap_threshold;
      if (removed) break;
      next.score *= std::exp(scale * similarity * similarity);
      if (next.score <= how.score_threshold) break;
    }
    next.compared = chosen.boxes.size();
    if (removed) continue;
    if (next.score == score) {
      chosen.boxes.push_back(next.box);
      chosen.scores.push_back(score);
    } else if (next.score > how.score_threshold) {
      candidates.push(next);
    }
  }
  return chosen;
}

// The intersection of two boxes over their union; corners may come in any order.
inline float IntersectionOverUnion(const float* a, const float* b) {
  const auto low = [](const float* box, int i) { return std::min(box[i], box[i + 2]); };
  const auto high = [](const float* box, int i) { return std::max(box[i], box[i + 2]); };
  const auto area = [&](const float* box) { return (high(box, 0) - low(box, 0)) * (high(box, 1) - low(box, 1)); };
  if (!(area(a) > 0) || !(area(b) > 0)) return 0;
  float common = 1;
  for (int i = 0; i < 2; ++i) {
    common *= std::max(std::min(high(a, i), high(b, i)) - std::max(low(a, i), low(b, i)), 0.0f);
  }
  return common / (area(a) + area(b) - common);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_IMAGE_SUPPRESSION_H_
