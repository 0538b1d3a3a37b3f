// Philox against the published vectors of Random123, and the rule that an element depends on its index alone.
#include <gtest/gtest.h>

#include <vector>

#include "ops/philox.h"

namespace staticflow {
namespace {

TEST(Philox, GivesTheKnownAnswers) {
  using Block = Philox::Block;
  EXPECT_EQ(Philox(Block{0, 0, 0, 0}, {0, 0})(), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(Philox(Block{ones, ones, ones, ones}, {ones, ones})(),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox(Block{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0})(),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SkipCarriesIntoEveryWord) {
  Philox generator(Philox::Block{0xffffffff, 0xffffffff, 0xffffffff, 7}, {1, 2});
  generator.Skip(1);
  EXPECT_EQ(generator.counter(), (Philox::Block{0, 0, 0, 8}));
  generator.Skip(uint64_t{5} << 32 | 3);
  EXPECT_EQ(generator.counter(), (Philox::Block{3, 5, 0, 8}));
}

template <typename T, typename Distribution>
void ExpectPartsEqualWhole(const Distribution& distribution) {
  constexpr int64_t n = 37;
  const Philox generator(12, 34);
  std::vector<T> whole(n), parts(n);
  FillRandom(generator, distribution, whole.data(), 0, n);
  const int64_t cuts[] = {0, 1, 2, 7, 8, 21, n};
  for (int i = 0; i < 6; ++i) FillRandom(generator, distribution, parts.data(), cuts[i], cuts[i + 1]);
  EXPECT_EQ(whole, parts);
}

TEST(FillRandom, PartsEqualTheWhole) {
  ExpectPartsEqualWhole<float>(UniformDistribution());
  ExpectPartsEqualWhole<double>(UniformDistribution());
  ExpectPartsEqualWhole<Half>(NormalDistribution());
  ExpectPartsEqualWhole<double>(NormalDistribution());
  ExpectPartsEqualWhole<float>(TruncatedNormalDistribution());
  ExpectPartsEqualWhole<double>(TruncatedNormalDistribution());
  ExpectPartsEqualWhole<int32_t>(UniformIntDistribution<int32_t>{-5, 11});
  ExpectPartsEqualWhole<int64_t>(UniformIntDistribution<int64_t>{-5, 11});
}

}  // namespace
}  // namespace staticflow
