#include "runtime/io/table.h"

#include <cstdio>
#include <map>

#include "gtest/gtest.h"
#include "runtime/io/coding.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

using Entries = std::map<std::string, std::string>;

std::string Write(const Entries& entries, const TableWriterOptions& options = {}) {
  FaultEnv env;
  auto file = *env.NewWritableFile("t");
  TableWriter writer(file.get(), options);
  for (const auto& [key, value] : entries) EXPECT_TRUE(writer.Add(key, value).ok());
  EXPECT_TRUE(writer.Finish().ok());
  EXPECT_TRUE(file->Close().ok());
  return *ReadWholeFile(&env, "t");
}

absl::StatusOr<Entries> Read(const std::string& bytes, const TableLimits& limits = {}) {
  FaultEnv env;
  EXPECT_TRUE(WriteWholeFile(&env, "t", bytes).ok());
  Entries entries;
  std::string last;
  const absl::Status status = ScanTable(&env, "t", limits, [&](absl::string_view key, absl::string_view value) {
    EXPECT_TRUE(entries.empty() || last < key);
    last = std::string(key);
    entries[last] = std::string(value);
    return absl::OkStatus();
  });
  EXPECT_EQ(env.open_files(), 0);
  if (!status.ok()) return status;
  return entries;
}

Entries Numbered(int n) {
  Entries entries;
  for (int i = 0; i < n; ++i) {
    char key[32];
    std::snprintf(key, sizeof(key), "layer/%04d/kernel", i);
    entries[key] = std::string(static_cast<size_t>(i % 50), 'v');
  }
  entries[""] = "header";
  entries[std::string(3, '\xff')] = "last";
  return entries;
}

TEST(TableTest, RoundTripAtEveryBlockSize) {
  for (size_t block_size : {1, 100, 1000, 256 << 10}) {
    for (int n : {0, 1, 15, 16, 17, 300}) {
      const Entries entries = Numbered(n);
      const auto got = Read(Write(entries, {.block_size = block_size}));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(*got, entries);
    }
  }
  EXPECT_TRUE(Read(Write({}))->empty());
}

TEST(TableTest, KeysMustIncrease) {
  FaultEnv env;
  auto file = *env.NewWritableFile("t");
  TableWriter writer(file.get());
  EXPECT_TRUE(writer.Add("b", "").ok());
  EXPECT_EQ(writer.Add("b", "").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer.Add("a", "").code(), absl::StatusCode::kInvalidArgument);
}

TEST(TableTest, EveryFlippedBitAndEveryCutIsFound) {
  const std::string bytes = Write(Numbered(10), {.block_size = 60});
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Read(damaged).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(Read(bytes.substr(0, n)).status().code(), absl::StatusCode::kDataLoss) << n;
}

std::string Block(std::string content, char type = 0) {
  content.push_back(type);
  PutFixed32(&content, crc32c::Mask(crc32c::Value(content)));
  return content;
}

std::string Varints(std::initializer_list<uint64_t> values) {
  std::string bytes;
  for (uint64_t value : values) PutVarint64(&bytes, value);
  return bytes;
}

std::string Restarts(std::initializer_list<uint32_t> restarts) {
  std::string bytes;
  for (uint32_t restart : restarts) PutFixed32(&bytes, restart);
  PutFixed32(&bytes, static_cast<uint32_t>(restarts.size()));
  return bytes;
}

std::string Entry(uint64_t shared, const std::string& key, const std::string& value) {
  return Varints({shared, key.size(), value.size()}) + key + value;
}

// A table with sound checksums around one data block and the handle that the index gives for it.
std::string Table(const std::string& data_block, std::string handle = "", char type = 0) {
  std::string bytes = Block(data_block, type);
  if (handle.empty()) handle = Varints({0, data_block.size()});
  const std::string empty = Restarts({0});
  const std::string index = Entry(0, "z", handle) + Restarts({0});
  std::string footer =
      Varints({bytes.size(), empty.size(), bytes.size() + empty.size() + kBlockTrailerSize, index.size()});
  footer.resize(kTableFooterSize - 8, '\0');
  PutFixed64(&footer, kTableMagic);
  return bytes + Block(empty) + Block(index) + footer;
}

TEST(TableTest, HostileTablesWithSoundChecksums) {
  const std::string a = Entry(0, "a", "1"), b = Entry(0, "b", "2");
  const std::string max = std::string(9, '\xff') + '\x01';
  const struct {
    const char* name;
    std::string table;
    absl::StatusCode code;
  } rows[] = {
      {"sound", Table(a + b + Restarts({0})), absl::StatusCode::kOk},
      {"two restarts", Table(a + b + Restarts({0, 5})), absl::StatusCode::kOk},
      {"handle's size + 5 wraps", Table(a + Restarts({0}), Varints({0, ~uint64_t{0} - 4})),
       absl::StatusCode::kDataLoss},
      {"handle's offset is huge", Table(a + Restarts({0}), Varints({~uint64_t{0}, 4})), absl::StatusCode::kDataLoss},
      {"handle's size is beyond the file", Table(a + Restarts({0}), Varints({0, 4000})), absl::StatusCode::kDataLoss},
      {"handle's varint is cut", Table(a + Restarts({0}), "\xff"), absl::StatusCode::kDataLoss},
      {"handle's varint is too long", Table(a + Restarts({0}), std::string(10, '\xff')), absl::StatusCode::kDataLoss},
      {"handle is followed by bytes", Table(a + Restarts({0}), Varints({0, 13, 1})), absl::StatusCode::kDataLoss},
      {"no restart array", Table("abc"), absl::StatusCode::kDataLoss},
      {"no restarts", Table(a + Restarts({})), absl::StatusCode::kDataLoss},
      {"more restarts than bytes", Table(a + Restarts({0}).substr(0, 4) + "\xff\xff\xff\x7f"),
       absl::StatusCode::kDataLoss},
      {"restart beyond the block", Table(a + Restarts({0, 4000})), absl::StatusCode::kDataLoss},
      {"restart inside an entry", Table(a + b + Restarts({0, 3})), absl::StatusCode::kDataLoss},
      {"restart shares a prefix", Table(a + Entry(1, "b", "") + Restarts({0, 5})), absl::StatusCode::kDataLoss},
      {"shares more than there is", Table(a + Entry(2, "b", "") + Restarts({0})), absl::StatusCode::kDataLoss},
      {"first entry shares", Table(Entry(1, "b", "") + Restarts({0})), absl::StatusCode::kDataLoss},
      {"keys decrease", Table(b + a + Restarts({0})), absl::StatusCode::kDataLoss},
      {"keys repeat", Table(a + a + Restarts({0})), absl::StatusCode::kDataLoss},
      {"keys repeat by sharing", Table(a + Entry(1, "", "") + Restarts({0})), absl::StatusCode::kDataLoss},
      {"key beyond the bound", Table(Entry(0, "zz", "") + Restarts({0})), absl::StatusCode::kDataLoss},
      {"value beyond the block", Table(Varints({0, 1, 99}) + "a" + Restarts({0})), absl::StatusCode::kDataLoss},
      {"lengths beyond 32 bits", Table(Varints({0, 1}) + max + "a" + Restarts({0})), absl::StatusCode::kDataLoss},
      {"Snappy", Table(a + Restarts({0}), "", 1), absl::StatusCode::kUnimplemented},
      {"unknown type", Table(a + Restarts({0}), "", 7), absl::StatusCode::kDataLoss},
  };
  for (const auto& row : rows) EXPECT_EQ(Read(row.table).status().code(), row.code) << row.name;
}

// Random damage that no checksum shows: any answer is right, as long as there is one and keys increase (see Read).
TEST(TableTest, DamagedBlocksWithSoundChecksumsAreSafe) {
  const std::string sound = Entry(0, "a", "1") + Entry(1, "b", "22") + Entry(0, "c", "3") + Restarts({0, 11});
  uint64_t random = 1;
  int ok = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string block = sound;
    for (int flips = 1 + i % 3; flips > 0; --flips) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      block[(random >> 33) % block.size()] = static_cast<char>(random >> 20);
    }
    ok += Read(Table(block)).ok();
  }
  EXPECT_GT(ok, 100);
  EXPECT_LT(ok, 15'000);
}

TEST(TableTest, BlocksThatOverlapAreRefused) {
  const std::string data = Entry(0, "a", "1") + Restarts({0});
  std::string bytes = Block(data);
  const std::string empty = Restarts({0});
  const std::string handle = Varints({0, data.size()});
  const std::string index = Entry(0, "a", handle) + Entry(0, "b", handle) + Restarts({0});
  std::string footer =
      Varints({bytes.size(), empty.size(), bytes.size() + empty.size() + kBlockTrailerSize, index.size()});
  footer.resize(kTableFooterSize - 8, '\0');
  PutFixed64(&footer, kTableMagic);
  const absl::Status status = Read(bytes + Block(empty) + Block(index) + footer).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("overlap"), absl::string_view::npos) << status;
}

TEST(TableTest, Limits) {
  const std::string bytes = Write(Numbered(100));
  EXPECT_TRUE(Read(bytes).ok());
  for (const TableLimits& limits : {TableLimits{.max_block_bytes = 100}, TableLimits{.max_entries = 50},
                                    TableLimits{.max_key_bytes = 8}, TableLimits{.max_total_key_bytes = 500}})
    EXPECT_EQ(Read(bytes, limits).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace staticflow
