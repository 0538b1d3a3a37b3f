#include "benchmarks/training/raw_data.h"

#include <chrono>
#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow::bench {
namespace {

template <typename T>
absl::StatusOr<std::vector<T>> ReadArray(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot open ", path));
  const int64_t bytes = file.tellg();
  if (bytes < 0 || bytes % sizeof(T) != 0) {
    return absl::DataLossError(absl::StrCat(path, " has ", bytes, " bytes, not a multiple of ", sizeof(T)));
  }
  std::vector<T> values(bytes / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), bytes);
  if (!file) return absl::DataLossError(absl::StrCat("cannot read ", path));
  return values;
}

absl::Status ReadSet(const std::string& images_path, const std::string& classes_path, std::vector<float>* images,
                     std::vector<float>* labels) {
  SF_ASSIGN_OR_RETURN(*images, ReadArray<float>(images_path));
  SF_ASSIGN_OR_RETURN(const std::vector<int64_t> classes, ReadArray<int64_t>(classes_path));
  if (images->size() != classes.size() * kPixels) {
    return absl::InvalidArgumentError(absl::StrCat(images_path, " has ", images->size(), " numbers, ", classes_path,
                                                   " has ", classes.size(), " classes: expected ", kPixels,
                                                   " numbers per class"));
  }
  labels->assign(classes.size() * kClasses, 0.0f);
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] < 0 || classes[i] >= kClasses) {
      return absl::InvalidArgumentError(absl::StrCat(classes_path, ": class ", classes[i], " is not in [0,10)"));
    }
    (*labels)[i * kClasses + classes[i]] = 1;
  }
  return absl::OkStatus();
}

}  // namespace

double RawData::mebibytes() const {
  const size_t numbers = images.size() + labels.size() + test_images.size() + test_labels.size();
  return static_cast<double>(numbers * sizeof(float)) / (1 << 20);
}

absl::StatusOr<std::vector<float>> ReadFloats(const std::string& path) { return ReadArray<float>(path); }

absl::StatusOr<RawData> ReadRawData(const std::string& folder) {
  const auto start = std::chrono::steady_clock::now();
  RawData data;
  SF_RETURN_IF_ERROR(ReadSet(folder + "/x.f32", folder + "/y.i64", &data.images, &data.labels));
  SF_RETURN_IF_ERROR(ReadSet(folder + "/tx.f32", folder + "/ty.i64", &data.test_images, &data.test_labels));
  data.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return data;
}

double NormalNumbers::Uniform() {
  const uint32_t high = bits_() >> 5, low = bits_() >> 6;
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

double NormalNumbers::Next() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x, y, square;
  do {
    x = 2 * Uniform() - 1;
    y = 2 * Uniform() - 1;
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double factor = std::sqrt(-2 * std::log(square) / square);
  has_spare_ = true;
  spare_ = factor * x;
  return factor * y;
}

}  // namespace staticflow::bench
