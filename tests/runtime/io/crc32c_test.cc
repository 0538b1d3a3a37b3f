#include "runtime/io/crc32c.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"

namespace staticflow {
namespace {

std::string Ascending(int from, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(from + step * i));
  return bytes;
}

TEST(Crc32cTest, PublishedVectors) {
  const struct {
    std::string data;
    uint32_t crc;
  } rows[] = {
      // RFC 3720, B.4
      {std::string(32, '\0'), 0x8a9136aau}, {std::string(32, '\xff'), 0x62a8ab43u},
      {Ascending(0, 1), 0x46dd794eu},       {Ascending(31, -1), 0x113fdb5cu},
      {"123456789", 0xe3069283u},           {"", 0},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(crc32c::Value(row.data), row.crc);
    EXPECT_EQ(crc32c::ExtendPortable(0, row.data), row.crc);
  }
}

TEST(Crc32cTest, BothWaysAgreeAtEverySplit) {
  std::string data;
  for (int i = 0; i < 300; ++i) data.push_back(static_cast<char>(i * i + 7 * i));
  const absl::string_view view = data;
  for (size_t n = 0; n <= data.size(); ++n) {
    EXPECT_EQ(crc32c::Value(view.substr(n)), crc32c::ExtendPortable(0, view.substr(n)));
    EXPECT_EQ(crc32c::Extend(crc32c::Value(view.substr(0, n)), view.substr(n)), crc32c::Value(view));
    EXPECT_EQ(crc32c::ExtendPortable(crc32c::Value(view.substr(0, n)), view.substr(n)), crc32c::Value(view));
  }
}

TEST(Crc32cTest, MaskIsInvertible) {
  EXPECT_EQ(crc32c::Mask(0), 0xa282ead8u);
  for (uint32_t crc : {0u, 1u, 0xe3069283u, 0xffffffffu}) {
    EXPECT_NE(crc32c::Mask(crc), crc);
    EXPECT_EQ(crc32c::Unmask(crc32c::Mask(crc)), crc);
  }
}

}  // namespace
}  // namespace staticflow
