#include <random>

#include "gtest/gtest.h"
#include "runtime/plan.h"

namespace staticflow {
namespace {

Buffer Alive(int64_t bytes, int first, int last) {
  Buffer buffer;
  buffer.bytes = bytes;
  buffer.first_use = first;
  buffer.last_use = last;
  return buffer;
}

TEST(ArenaTest, LivesThatDoNotMeetShareMemory) {
  std::vector<Buffer> buffers = {Alive(1000, 0, 1), Alive(1000, 2, 3), Alive(1000, 4, 5)};
  EXPECT_EQ(AssignOffsets(&buffers), 1024);
  for (const Buffer& b : buffers) EXPECT_EQ(b.offset, 0);
}

TEST(ArenaTest, AnEmptyTensorHasAPlaceToo) {
  std::vector<Buffer> buffers = {Alive(0, 0, 1), Alive(0, 0, 1)};
  EXPECT_EQ(AssignOffsets(&buffers), 64);  // of no bytes, so they may share it
  for (const Buffer& b : buffers) EXPECT_GE(b.offset, 0);
}

TEST(ArenaTest, UnusedBuffersTakeNothing) {
  std::vector<Buffer> buffers = {Alive(64, -1, -1)};
  EXPECT_EQ(AssignOffsets(&buffers), 0);
  EXPECT_EQ(buffers[0].offset, -1);
}

TEST(ArenaTest, HugeSizesSaturateInsteadOfWrapping) {
  std::vector<Buffer> buffers = {Alive(kTooLarge, 0, 1), Alive(kTooLarge, 0, 1)};
  EXPECT_EQ(AssignOffsets(&buffers), kTooLarge);
}

TEST(ArenaTest, LivesThatMeetNeverOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<Buffer> buffers;
    int64_t total = 0;
    for (int i = 0; i < 200; ++i) {
      const int first = static_cast<int>(random() % 300), last = first + static_cast<int>(random() % 100);
      buffers.push_back(Alive(static_cast<int64_t>(random() % 5000), first, last));
      total += buffers.back().bytes + 64;
    }
    const int64_t arena = AssignOffsets(&buffers);
    EXPECT_LT(arena, total);
    for (size_t i = 0; i < buffers.size(); ++i) {
      const Buffer& a = buffers[i];
      ASSERT_EQ(a.offset % 64, 0);
      ASSERT_LE(a.offset + a.bytes, arena);
      for (size_t k = 0; k < i; ++k) {
        const Buffer& b = buffers[k];
        if (a.last_use < b.first_use || b.last_use < a.first_use) continue;
        ASSERT_TRUE(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset) << i << " " << k;
      }
    }
  }
}

}  // namespace
}  // namespace staticflow
