// The layers notebook's data: images standardized by the whole training set, then shuffled, then split.
#ifndef STATICFLOW_EXAMPLES_SUPPORT_SCALED_IMAGES_H_
#define STATICFLOW_EXAMPLES_SUPPORT_SCALED_IMAGES_H_

#include <string>
#include <vector>

#include "ops/train/scaler.h"
#include "staticflow.h"

namespace staticflow {

struct ScaledImages {
  DataSet train, validation, test;  // images [n, 784], one-hot labels [n, 10]
  train::Scaler scaler;
  std::vector<int64_t> train_counts, test_counts;  // images of each class
  int64_t constant_pixels = 0;
  // Of the scaled training images, in double.
  double min = 0, max = 0, mean = 0, variance = 0;
  bool is_mnist = false;  // by the numbers of images of each class
};

// Four IDX files in `dir`. The first `validation` of the shuffled training images are held out.
absl::StatusOr<ScaledImages> LoadScaledImages(const std::string& dir, int64_t validation, uint64_t seed);

// Scaling, class counts and what the notebook has for them, as text.
std::string Describe(const ScaledImages& images);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_SCALED_IMAGES_H_
