#include "examples/support/pictures.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/io/env.h"

namespace staticflow {
namespace {

constexpr int64_t kBytes = kPictureSide * kPictureSide * 3;
constexpr int64_t kMaxPictures = 20000;  // a gigabyte

// SplitMix64 (Steele, Lea and Flood 2014).
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  // Uniform in [low, high).
  float operator()(float low, float high) {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return low + (high - low) * static_cast<float>(z >> 40) * 0x1p-24f;
  }

 private:
  uint64_t state_;
};

struct Segment {
  float x0, y0, x1, y1, radius;
  // Whether the point is nearer than `radius` to the segment.
  bool Covers(float x, float y) const {
    const float dx = x1 - x0, dy = y1 - y0;
    const float t = std::clamp(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0.0f, 1.0f);
    const float ex = x - x0 - t * dx, ey = y - y0 - t * dy;
    return ex * ex + ey * ey < radius * radius;
  }
};

// A palm, and fingers that spread from it.
std::vector<Segment> Hand(int64_t fingers, Draw& draw) {
  const float x = draw(27, 37), y = draw(40, 46), scale = draw(0.85f, 1.1f), turn = draw(-0.25f, 0.25f);
  std::vector<Segment> parts = {{x, y, x, y + 3 * scale, 9 * scale}};
  for (int64_t f = 0; f < fingers; ++f) {
    const float angle = turn + 0.38f * (static_cast<float>(f) - static_cast<float>(fingers - 1) / 2);
    const float dx = std::sin(angle) * scale, dy = -std::cos(angle) * scale, length = draw(20, 25);
    parts.push_back({x + 6 * dx, y + 6 * dy, x + length * dx, y + length * dy, 2.2f * scale});
  }
  return parts;
}

void DrawPicture(int64_t label, Draw& draw, float* pixels) {
  const std::vector<Segment> hand = Hand(label, draw);
  const float light = draw(0.75f, 1.05f);
  const float skin[3] = {0.80f * light, 0.60f * light, 0.48f * light};
  const float shade = draw(0.82f, 0.95f), wall[3] = {0.93f * shade, 0.92f * shade, 0.88f * shade};
  for (int64_t row = 0; row < kPictureSide; ++row) {
    for (int64_t column = 0; column < kPictureSide; ++column) {
      const float x = static_cast<float>(column), y = static_cast<float>(row);
      const bool covered = std::any_of(hand.begin(), hand.end(), [&](const Segment& s) { return s.Covers(x, y); });
      for (int c = 0; c < 3; ++c) {
        *pixels++ = std::clamp((covered ? skin : wall)[c] + draw(-0.04f, 0.04f), 0.0f, 1.0f);
      }
    }
  }
}

absl::StatusOr<DataSet> DrawSet(int64_t n, uint64_t seed) {
  SF_ASSIGN_OR_RETURN(Tensor images, Tensor::Create(DT_FLOAT, {n, kPictureSide, kPictureSide, 3}));
  SF_ASSIGN_OR_RETURN(Tensor labels, Tensor::Create(DT_FLOAT, {n, kPictureClasses}));
  Draw draw(seed);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = i % kPictureClasses;
    DrawPicture(label, draw, images.data<float>() + i * kBytes);
    labels.flat<float>()[i * kPictureClasses + label] = 1;
  }
  return DataSet::Create({std::move(images), std::move(labels)});
}

// The word at `*at` of a PPM header, after white space and comments; leaves `*at` behind it.
absl::string_view HeaderWord(absl::string_view file, size_t* at) {
  while (*at < file.size() && (std::isspace(static_cast<unsigned char>(file[*at])) || file[*at] == '#')) {
    if (file[*at] == '#') *at = std::min(file.find('\n', *at), file.size() - 1);
    ++*at;
  }
  const size_t begin = *at;
  while (*at < file.size() && !std::isspace(static_cast<unsigned char>(file[*at]))) ++*at;
  return file.substr(begin, *at - begin);
}

// The bytes of the pixels, and the value that stands for 1.
absl::StatusOr<std::pair<std::string, int>> ReadPpm(Env* env, const std::string& path) {
  SF_ASSIGN_OR_RETURN(const std::string file, ReadWholeFile(env, path, /*max_bytes=*/1 << 20));
  size_t at = 0;
  const absl::string_view magic = HeaderWord(file, &at), width = HeaderWord(file, &at), height = HeaderWord(file, &at);
  int most = 0;
  const bool header = magic == "P6" && width == "64" && height == "64" &&
                      absl::SimpleAtoi(HeaderWord(file, &at), &most) && most >= 1 && most <= 255;
  if (!header || file.size() != at + 1 + static_cast<size_t>(kBytes)) {
    return absl::DataLossError(absl::StrCat(path, ": expected a binary PPM (P6) of 64 x 64 pixels, one byte a colour"));
  }
  return std::pair(file.substr(at + 1), most);
}

// What belongs together until it becomes tensors.
struct Part {
  std::vector<float> images, labels;
  absl::StatusOr<DataSet> ToDataSet() const {
    const int64_t n = static_cast<int64_t>(labels.size()) / kPictureClasses;
    return DataSet::Create({Tensor::Of<float>({n, kPictureSide, kPictureSide, 3}, images),
                            Tensor::Of<float>({n, kPictureClasses}, labels)});
  }
};

absl::Status ReadClass(Env* env, const std::string& dir, size_t label, Part* train, Part* test) {
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> names, env->ListDir(dir));
  int64_t i = 0;
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, ".ppm")) continue;
    Part* part = i++ % 10 == 9 ? test : train;
    if (static_cast<int64_t>(part->labels.size()) >= kMaxPictures * kPictureClasses) {
      return absl::InvalidArgumentError(absl::StrCat(dir, ": more than ", kMaxPictures, " pictures"));
    }
    SF_ASSIGN_OR_RETURN(const auto picture, ReadPpm(env, JoinPath(dir, name)));
    for (char c : picture.first) {
      part->images.push_back(static_cast<float>(static_cast<unsigned char>(c)) / static_cast<float>(picture.second));
    }
    for (size_t c = 0; c < kPictureClasses; ++c) part->labels.push_back(c == label ? 1.0f : 0.0f);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Pictures> DrawPictures(const DrawPicturesOptions& options) {
  if (options.train < 1 || options.test < 1 || std::max(options.train, options.test) > kMaxPictures) {
    return absl::InvalidArgumentError(absl::StrCat(options.train, " training and ", options.test,
                                                   " test pictures: expected from 1 to ", kMaxPictures));
  }
  SF_ASSIGN_OR_RETURN(DataSet train, DrawSet(options.train, 2 * options.seed));
  SF_ASSIGN_OR_RETURN(DataSet test, DrawSet(options.test, 2 * options.seed + 1));
  return Pictures{std::move(train), std::move(test)};
}

absl::StatusOr<Pictures> ReadPictures(Env* env, const std::string& dir) {
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> names, env->ListDir(dir));
  if (names.empty() || static_cast<int64_t>(names.size()) > kPictureClasses) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, ": ", names.size(), " folders, expected 1 to ", kPictureClasses, ", one for each class"));
  }
  Part train, test;
  for (size_t label = 0; label < names.size(); ++label) {
    SF_RETURN_IF_ERROR(ReadClass(env, JoinPath(dir, names[label]), label, &train, &test));
  }
  if (test.labels.empty()) return absl::InvalidArgumentError(absl::StrCat(dir, ": no class has ten pictures (*.ppm)"));
  SF_ASSIGN_OR_RETURN(DataSet train_set, train.ToDataSet());
  SF_ASSIGN_OR_RETURN(DataSet test_set, test.ToDataSet());
  return Pictures{std::move(train_set), std::move(test_set)};
}

}  // namespace staticflow
