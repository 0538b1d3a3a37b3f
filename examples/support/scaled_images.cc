#include "examples/support/scaled_images.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace staticflow {
namespace {

const std::vector<int64_t>& MnistCounts() {
  static const auto& counts = *new std::vector<int64_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
  return counts;
}

// The images as whole numbers from 0 to 255, as the files have them, and the labels.
absl::StatusOr<std::vector<Tensor>> Pixels(const DataSet& data) {
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> rows, data.AllRows());
  for (float& pixel : rows[0].flat<float>()) pixel = std::round(pixel * 255);
  return rows;
}

std::vector<int64_t> Counts(const Tensor& onehot) {
  std::vector<int64_t> counts(10, 0);
  for (int64_t i = 0; i < onehot.num_elements(); ++i)
    counts[static_cast<size_t>(i % 10)] += onehot.data<float>()[i] > 0;
  return counts;
}

absl::StatusOr<DataSet> Shuffled(const DataSet& data, uint64_t seed) {
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> rows, data.Rows(ShuffledOrder(data.size(), seed, 0)));
  return DataSet::Create(std::move(rows));
}

void Measure(const Tensor& pixels, ScaledImages* images) {
  const absl::Span<const double> offset = images->scaler.offset(), scale = images->scaler.scale();
  const float* x = pixels.data<float>();
  const int64_t n = pixels.num_elements();
  images->min = std::numeric_limits<double>::infinity();
  images->max = -images->min;
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n;) {
    double row_sum = 0, row_squares = 0;  // first by rows: sums of a like size lose fewer digits
    for (size_t j = 0; j < scale.size(); ++j, ++i) {
      const double value = (static_cast<double>(x[i]) - offset[j]) / scale[j];
      images->min = std::min(images->min, value);
      images->max = std::max(images->max, value);
      row_sum += value;
      row_squares += value * value;
    }
    sum += row_sum;
    squares += row_squares;
  }
  images->mean = sum / static_cast<double>(n);
  images->variance = squares / static_cast<double>(n) - images->mean * images->mean;
}

double Average(absl::Span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

absl::StatusOr<ScaledImages> LoadScaledImages(const std::string& dir, int64_t validation, uint64_t seed) {
  SF_ASSIGN_OR_RETURN(const Mnist mnist, LoadMnist(PosixEnv(), dir));
  if (mnist.train.size() <= validation || mnist.test.size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(dir, ": ", mnist.train.size(), " training images and ",
                                                   mnist.test.size(), " test images, expected more than ", validation,
                                                   " and at least one"));
  }
  ScaledImages images;
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> train, Pixels(mnist.train));
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> test, Pixels(mnist.test));
  SF_ASSIGN_OR_RETURN(images.scaler, train::Scaler::FitStandard(train[0]));
  images.constant_pixels = std::count(images.scaler.variance().begin(), images.scaler.variance().end(), 0.0);
  Measure(train[0], &images);
  images.train_counts = Counts(train[1]);
  images.test_counts = Counts(test[1]);
  images.is_mnist = images.train_counts == MnistCounts();
  SF_ASSIGN_OR_RETURN(train[0], images.scaler.Transform(train[0]));
  SF_ASSIGN_OR_RETURN(test[0], images.scaler.Transform(test[0]));
  SF_ASSIGN_OR_RETURN(const DataSet all, DataSet::Create(std::move(train)));
  SF_ASSIGN_OR_RETURN(const DataSet shuffled, Shuffled(all, seed));
  std::tie(images.validation, images.train) = shuffled.Split(validation);
  SF_ASSIGN_OR_RETURN(const DataSet tests, DataSet::Create(std::move(test)));
  SF_ASSIGN_OR_RETURN(images.test, Shuffled(tests, seed));
  return images;
}

std::string Describe(const ScaledImages& images) {
  const train::Scaler& scaler = images.scaler;
  std::string text = absl::StrFormat("%d training images, %d for validation, %d for the test%s\n", images.train.size(),
                                     images.validation.size(), images.test.size(),
                                     images.is_mnist ? " (MNIST)" : " (not MNIST: other numbers than the notebook's)");
  absl::StrAppend(&text, "training images by class: ", absl::StrJoin(images.train_counts, " "),
                  "\ntest images by class:     ", absl::StrJoin(images.test_counts, " "), "\n");
  absl::StrAppendFormat(&text, "%d pixels never change: their scale is 1\n\n%-42s %20s %20s\n", images.constant_pixels,
                        "standard scaling", "here", "notebook");
  const auto row = [&](const char* what, double here, const char* notebook) {
    absl::StrAppendFormat(&text, "%-42s %20.13g %20s\n", what, here, notebook);
  };
  row("images", static_cast<double>(scaler.samples()), "60000");
  row("root of the mean of the pixels' means", std::sqrt(Average(scaler.mean())), "5.772211140441");
  row("root of the mean of their variances", std::sqrt(Average(scaler.variance())), "66.12879201996");
  row("smallest scaled pixel", images.min, "-1.274207892082");
  row("largest", images.max, "244.9469330287");
  row("variance of all", images.variance, "0.9145408163266");
  row("mean of all (0 but for rounding)", images.mean, "-2.197e-18");
  return text;
}

}  // namespace staticflow
