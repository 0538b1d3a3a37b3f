// EncodePng and ImageSummary: the pixels are what TensorFlow 2.21 wrote; the files are packed by other means.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>

#include "graph/status.h"
#include "ops/array.h"
#include "ops/image.h"
#include "ops/summary.h"
#include "proto/summary.pb.h"
#include "runtime/io/png.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using Bytes = std::vector<int>;

uint32_t BigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[static_cast<size_t>(i)]);
  return value;
}

// The header's width, height, bits and color, then the bytes of all rows; empty for what is no PNG file of plain rows.
Bytes Decode(absl::string_view png) {
  if (png.substr(0, 8) != "\x89PNG\r\n\x1a\n") return {};
  Bytes decoded;
  std::string rows;
  for (png.remove_prefix(8); png.size() >= 12;) {
    const uint32_t size = BigEndian(png);
    const absl::string_view body = png.substr(4, size + 4), type = body.substr(0, 4), data = body.substr(4);
    const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    if (BigEndian(png.substr(size + 8)) != crc) return {};
    if (type == "IHDR") {
      decoded = {static_cast<int>(BigEndian(data)), static_cast<int>(BigEndian(data.substr(4))), data[8], data[9]};
    }
    if (type == "IDAT") {
      rows.resize(10000);
      uLongf length = rows.size();
      if (uncompress(reinterpret_cast<Bytef*>(rows.data()), &length, reinterpret_cast<const Bytef*>(data.data()),
                     data.size()) != Z_OK) {
        return {};
      }
      rows.resize(length);
    }
    png.remove_prefix(size + 12);
  }
  const int channels[] = {1, 0, 3, 0, 2, 0, 4};
  const size_t row = 1 + static_cast<size_t>(decoded[0] * channels[decoded[3]] * decoded[2] / 8);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % row == 0 && rows[i] != 0) return {};
    if (i % row != 0) decoded.push_back(static_cast<uint8_t>(rows[i]));
  }
  return decoded;
}

TEST(EncodePng, RowsComeBack) {
  Graph g;
  const Output small = Const(g, Tensor::Of<uint8_t>({2, 1, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255}));
  const Output wide = Const(g, Tensor::Of<uint16_t>({1, 2, 1}, {1, 2000}));
  Session session(g);
  const auto files = session.Run({}, {EncodePng(small), EncodePng(wide, {.compression = 0})});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ((*files)[0].shape(), Shape({2}));
  EXPECT_EQ(Decode((*files)[0].data<std::string>()[1]), (Bytes{3, 1, 8, 4, 6, 7, 8, 9, 10, 255}));
  EXPECT_EQ(Decode((*files)[1].scalar<std::string>()), (Bytes{2, 1, 16, 0, 0, 1, 7, 208}));
}

TEST(EncodePng, RefusesWhatNoFileHas) {
  for (const PngPicture& picture : std::vector<PngPicture>{{.pixels = "", .width = 0, .height = 1},
                                                           {.pixels = "ab", .width = 1, .height = 1},
                                                           {.pixels = "abcde", .width = 1, .height = 1, .channels = 5},
                                                           {.pixels = "a", .width = 1, .height = 1, .bits = 4},
                                                           {.pixels = "", .width = 1 << 30, .height = 1 << 30}}) {
    EXPECT_EQ(EncodePng(picture).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

INSTANTIATE_OP_TEST(
    EncodePng, {{.name = "channels", .inputs = {T<uint8_t>({1, 1, 5}, {1, 2, 3, 4, 5})}, .want_error = "5 channels"},
                {.name = "rank", .inputs = {T<uint8_t>({1, 1}, {1})}, .want_error = "rank"},
                {.name = "compression",
                 .inputs = {T<uint8_t>({1, 1, 1}, {1})},
                 .attrs = {{"compression", int64_t{10}}},
                 .want_error = "compression is 10"}});

struct Case {
  Tensor tensor;
  Bytes want;  // of picture 0, behind the header
};

TEST(ImageSummary, PixelsAreTensorFlows) {
  const float inf = INFINITY;
  const std::vector<Case> cases = {
      {T({1, 2, 2, 1}, {0, 0.5, 1, 0.25}), {0, 127, 255, 63}},
      {T({1, 2, 2, 1}, {-0.5, 0, 0.5, -0.25}), {1, 128, 255, 64}},
      {T({1, 2, 2, 1}, {0, 0, 0, 0}), {0, 0, 0, 0}},
      {T({1, 2, 2, 1}, {NAN, 0.5, 1, inf}), {255, 127, 255, 255}},
      {T({1, 2, 2, 1}, {-inf, -0.5, 1, 2}), {255, 96, 191, 255}},
      {T({1, 2, 2, 1}, {-4, -0.5, 1, 2}), {1, 112, 159, 191}},
      {T<uint8_t>({1, 2, 2, 1}, {0, 128, 255, 3}), {0, 128, 255, 3}},
      {T<double>({1, 2, 2, 1}, {0, 0.5, 1, 3}), {0, 42, 85, 255}},
      {T({1, 1, 2, 3}, {NAN, 1, 2, 1, 2, 3}), {255, 0, 0, 85, 170, 255}},
  };
  for (const Case& c : cases) {
    Graph g;
    const Output summary = ImageSummary("a", Const(g, c.tensor));
    Session session(g);
    const auto bytes = session.Run({}, summary);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    proto::Summary message;
    ASSERT_TRUE(message.ParseFromString(bytes->scalar<std::string>()));
    ASSERT_EQ(message.value_size(), 1);
    EXPECT_EQ(message.value(0).tag(), "a/image/0");
    const auto& image = message.value(0).image();
    EXPECT_EQ(image.colorspace(), c.tensor.shape().dim(3));
    Bytes want = {image.width(), image.height(), 8, image.colorspace() == 3 ? 2 : 0};
    want.insert(want.end(), c.want.begin(), c.want.end());
    EXPECT_EQ(Decode(image.encoded_image_string()), want);
  }
}

TEST(ImageSummary, TagsCountThePictures) {
  Graph g;
  const Output pictures = Const(g, T({2, 1, 1, 1}, {1, 2}));
  const std::vector<Output> fetches = {ImageSummary("a", pictures), ImageSummary("b", pictures, {.max_images = 1})};
  EXPECT_EQ(g.collection("summaries").size(), 2u);
  Session session(g);
  const auto bytes = session.Run({}, fetches);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::string tags;
  for (const Tensor& summary : *bytes) {
    proto::Summary message;
    ASSERT_TRUE(message.ParseFromString(summary.scalar<std::string>()));
    for (const auto& value : message.value()) tags += value.tag() + " ";
  }
  EXPECT_EQ(tags, "a/image/0 a/image/1 b/image ");
}

INSTANTIATE_OP_TEST(
    ImageSummary,
    {{.name = "no pictures", .inputs = {Tensor("a"), T({0, 2, 2, 1}, {})}, .want = {Tensor("")}},
     {.name = "channels",
      .inputs = {Tensor("a"), T({1, 1, 1, 2}, {1, 2})},
      .want_error = "2 channels, expected 1, 3 or 4"},
     {.name = "rank", .inputs = {Tensor("a"), T({1, 1, 1}, {1})}, .want_error = "rank"},
     {.name = "no pixels", .inputs = {Tensor("a"), T({1, 0, 1, 1}, {})}, .want_error = "no pixels"},
     {.name = "two tags", .inputs = {T<std::string>({"a", "b"}), T({1, 1, 1, 1}, {1})}, .want_error = "tag"},
     {.name = "short color",
      .inputs = {Tensor("a"), T({1, 1, 1, 3}, {1, 2, 3})},
      .attrs = {{"bad_color", T<uint8_t>({1, 2})}},
      .want_error = "bad_color has 2 elements"}});

}  // namespace
}  // namespace staticflow
