// RawData: MNIST as arrays in memory, the same for every framework that is compared, and the layers' initial weights.
//
//   SF_ASSIGN_OR_RETURN(const RawData data, ReadRawData("/tmp/raw"));
//   Tensor x = Tensor::Borrow<float>({60, kPixels}, data.images.data() + 60 * kPixels);     // the second batch of 60
//
// The folder is made by tools/peers/raw_data.py: x.f32 and tx.f32 (images of 784 floats in [0,1], the training set in
// one shuffled order), y.i64 and ty.i64 (their classes) and, optionally, W1.f32, W4.f32, W5.f32 (the initial weights of
// all layers, one after the other).
#ifndef STATICFLOW_BENCHMARKS_TRAINING_RAW_DATA_H_
#define STATICFLOW_BENCHMARKS_TRAINING_RAW_DATA_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace staticflow::bench {

inline constexpr int64_t kPixels = 784;
inline constexpr int64_t kClasses = 10;

struct RawData {
  std::vector<float> images, labels;            // labels: one row of kClasses per image
  std::vector<float> test_images, test_labels;  // the same
  double seconds = 0;                           // that reading took

  int64_t size() const { return static_cast<int64_t>(images.size()) / kPixels; }
  int64_t test_size() const { return static_cast<int64_t>(test_images.size()) / kPixels; }
  double mebibytes() const;
};

// NotFound or DataLoss naming the file; InvalidArgument when images and classes do not fit together.
absl::StatusOr<RawData> ReadRawData(const std::string& folder);

// All numbers of one file.
absl::StatusOr<std::vector<float>> ReadFloats(const std::string& path);

// The normal numbers of numpy.random.RandomState(seed).randn(), bit for bit but for the system's log: a Mersenne
// twister and Marsaglia's polar method. So a network of any size starts as its counterpart in Python does.
class NormalNumbers {
 public:
  explicit NormalNumbers(uint32_t seed) : bits_(seed) {}
  double Next();

 private:
  double Uniform();  // in [0,1), with 53 bits

  std::mt19937 bits_;
  bool has_spare_ = false;
  double spare_ = 0;
};

}  // namespace staticflow::bench

#endif  // STATICFLOW_BENCHMARKS_TRAINING_RAW_DATA_H_
