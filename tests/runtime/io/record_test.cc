#include "runtime/io/record.h"

#include <vector>

#include "gtest/gtest.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

struct ReadAll {
  std::vector<std::string> records;
  absl::Status status;
  bool truncated = false;
};

ReadAll Read(const std::string& bytes) {
  FaultEnv env;
  EXPECT_TRUE(WriteWholeFile(&env, "f", bytes).ok());
  auto reader = RecordReader::Open(&env, "f");
  EXPECT_TRUE(reader.ok());
  ReadAll all;
  std::string record;
  while (true) {
    const absl::StatusOr<bool> more = reader->Read(&record);
    all.status = more.status();
    if (!more.ok() || !*more) break;
    all.records.push_back(record);
  }
  all.truncated = reader->truncated();
  return all;
}

std::string Write(const std::vector<std::string>& records) {
  FaultEnv env;
  auto file = *env.NewWritableFile("f");
  RecordWriter writer(file.get());
  for (const std::string& record : records) EXPECT_TRUE(writer.Write(record).ok());
  EXPECT_TRUE(file->Close().ok());
  return *ReadWholeFile(&env, "f");
}

const std::vector<std::string>& Records() {
  static const auto* records =
      new std::vector<std::string>{"", "hello", std::string(1000, 'x'), std::string(70'000, 'y'), "end"};
  return *records;
}

TEST(RecordTest, RoundTrip) {
  EXPECT_EQ(Read(Write(Records())).records, Records());
  EXPECT_TRUE(Read("").records.empty());
}

TEST(RecordTest, LayoutIsTensorFlows) {
  // Length 0, its masked checksum, the masked checksum of nothing: the first record of a file TensorFlow wrote.
  EXPECT_EQ(Write({""}), std::string("\0\0\0\0\0\0\0\0\x29\x03\x98\x07\xd8\xea\x82\xa2", 16));
}

TEST(RecordTest, ACutFileEndsCleanlyAtTheLastWholeRecord) {
  const std::string bytes = Write({"", "hello", "end"});
  const size_t ends[] = {0, 16, 37, 56};
  ASSERT_EQ(bytes.size(), ends[3]);
  for (size_t n = 0; n <= bytes.size(); ++n) {
    const ReadAll all = Read(bytes.substr(0, n));
    size_t whole = 0;
    while (whole < 3 && ends[whole + 1] <= n) ++whole;
    EXPECT_TRUE(all.status.ok()) << n;
    EXPECT_EQ(all.records.size(), whole) << n;
    EXPECT_EQ(all.truncated, n != ends[whole]) << n;
  }
}

TEST(RecordTest, EveryFlippedBitIsDataLoss) {
  const std::string bytes = Write({"", "hello", "end"});
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(Read(damaged).status.code(), absl::StatusCode::kDataLoss) << bit;
  }
}

TEST(RecordTest, ZerosAtTheEndAreDataLoss) {
  EXPECT_EQ(Read(Write({"a"}) + std::string(100, '\0')).status.code(), absl::StatusCode::kDataLoss);
}

TEST(RecordTest, ReadsWhatTensorFlowWrote) {
  const std::string bytes = *ReadWholeFile(PosixEnv(), "tests/golden/files/tfrecord/data.tfrecord");
  const ReadAll all = Read(bytes);
  EXPECT_TRUE(all.status.ok()) << all.status;
  ASSERT_GE(all.records.size(), 3u);
  EXPECT_EQ(all.records[0], "");
  EXPECT_EQ(all.records[1], "hello");
  EXPECT_EQ(Write(all.records), bytes);
}

}  // namespace
}  // namespace staticflow
