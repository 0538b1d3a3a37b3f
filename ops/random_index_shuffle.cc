// RandomIndexShuffle: where a permutation of 0, ..., max_index takes an index, without the others. The permutation is a
// block cipher (Simon, with few rounds) of the least even number of bits that hold max_index, applied until the result
// is in the range.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "ops/elementwise.h"
#include "ops/random.h"

namespace staticflow {
namespace {

constexpr int kMinBlockBits = 16;
using CipherKey = std::array<uint32_t, 3>;

// Words of `bits` bits, 8 to 32, in the lower bits of a number.
class Words {
 public:
  explicit Words(int bits) : bits_(bits), mask_((uint64_t{1} << bits) - 1) {}
  int bits() const { return bits_; }
  uint64_t Cut(uint64_t x) const { return x & mask_; }
  uint64_t Left(uint64_t x, int r) const { return Cut(x << r | x >> (bits_ - r)); }
  uint64_t Right(uint64_t x, int r) const { return Cut(x >> r | x << (bits_ - r)); }
  uint64_t Mix(uint64_t x) const { return (Left(x, 1) & Left(x, 8)) ^ Left(x, 2); }

 private:
  int bits_;
  uint64_t mask_;
};

std::vector<uint64_t> RoundKeys(const Words& words, const CipherKey& key, int rounds) {
  uint64_t sequence = words.Cut(0x7369f885192c0ef5);
  std::vector<uint64_t> keys = {words.Cut(key[0]), words.Cut(key[1]), words.Cut(key[2])};
  for (int i = 3; i < rounds; ++i, sequence >>= 1) {
    keys.push_back(words.Cut(0xfffffffc) ^ (sequence & 1) ^ keys[i - 3] ^ words.Right(keys[i - 1], 3) ^
                   words.Right(keys[i - 1], 4));
  }
  return keys;
}

// REQUIRES: `rounds` is even and at least 4, index <= max_index.
uint64_t ShuffledIndex(uint64_t index, const CipherKey& key, uint64_t max_index, int rounds) {
  if (max_index == 0) return 0;
  const int bits = static_cast<int>(std::ceil(std::log2(static_cast<double>(max_index))));
  const Words words(std::clamp(bits + bits % 2, kMinBlockBits, 64) / 2);
  const std::vector<uint64_t> keys = RoundKeys(words, key, rounds);
  do {
    uint64_t left = words.Cut(index >> words.bits()), right = words.Cut(index);
    for (int i = 0; i < rounds; i += 2) {
      left ^= words.Mix(right) ^ keys[i];
      right ^= words.Mix(left) ^ keys[i + 1];
    }
    index = left << words.bits() | right;
  } while (index > max_index);
  return index;
}

absl::Status ShuffleShape(ShapeContext& c) {
  const Shape& index = c.input(0);
  const Shape& seed = c.input(1);
  const Shape& max_index = c.input(2);
  if (!index.has_rank() || !seed.has_rank() || !max_index.has_rank()) return absl::OkStatus();
  if (index.rank() > 1 || max_index.rank() > 1) {
    return absl::InvalidArgumentError(absl::StrCat("index and max_index are scalars or vectors, got ", index.ToString(),
                                                   " and ", max_index.ToString()));
  }
  if (seed.rank() < 1 || seed.rank() > 2) {
    return absl::InvalidArgumentError(absl::StrCat("the seed has shape ", seed.ToString(), ", expected [3] or [n,3]"));
  }
  SF_RETURN_IF_ERROR(c.MergeDims(seed.dim(-1), 3, "numbers of a seed").status());
  if (index.rank() == 0 && seed.rank() == 1 && max_index.rank() == 0) {
    c.set_output(0, {});
    return absl::OkStatus();
  }
  int64_t n = Shape::kUnknownDim;
  if (index.rank() == 1) {
    SF_ASSIGN_OR_RETURN(n, c.MergeDims(n, index.dim(0), "indices"));
  }
  if (seed.rank() == 2) {
    SF_ASSIGN_OR_RETURN(n, c.MergeDims(n, seed.dim(0), "seeds"));
  }
  if (max_index.rank() == 1) {
    SF_ASSIGN_OR_RETURN(n, c.MergeDims(n, max_index.dim(0), "largest indices"));
  }
  c.set_output(0, {n});
  return absl::OkStatus();
}

// Element i of an integer input, or its only one; sign-extended.
uint64_t IntegerAt(const TensorView& view, int64_t i) {
  if (view.rank() == 0) i = 0;
  if (view.dtype == DT_INT32) return static_cast<uint64_t>(int64_t{view.as<int32_t>()[i]});
  if (view.dtype == DT_UINT32) return view.as<uint32_t>()[i];
  return view.as<uint64_t>()[i];
}

absl::StatusOr<Kernel> ShuffleKernel(const KernelSetup& setup) {
  const int64_t rounds = setup.attr<int64_t>("rounds");
  if (rounds < 4 || rounds % 2 != 0 || rounds > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("rounds is ", rounds, ", expected an even number from 4 to 1024"));
  }
  return Kernel([rounds](KernelContext& c) -> absl::Status {
    const TensorView& out = c.output(0);
    const bool is_signed = out.dtype == DT_INT32 || out.dtype == DT_INT64;
    for (int64_t i = 0; i < out.num_elements; ++i) {
      const uint64_t index = IntegerAt(c.input(0), i), max_index = IntegerAt(c.input(2), i);
      if (is_signed && (static_cast<int64_t>(index) < 0 || static_cast<int64_t>(max_index) < 0)) {
        return absl::InvalidArgumentError(absl::StrCat("index ", static_cast<int64_t>(index), " and max_index ",
                                                       static_cast<int64_t>(max_index), ", expected at least 0"));
      }
      if (index > max_index) {
        return absl::InvalidArgumentError(absl::StrCat("index ", index, " is larger than max_index ", max_index));
      }
      CipherKey key;
      for (int k = 0; k < 3; ++k) {
        key[k] = static_cast<uint32_t>(IntegerAt(c.input(1), (c.input(1).rank() == 2 ? i * 3 : 0) + k));
      }
      const uint64_t result = ShuffledIndex(index, key, max_index, static_cast<int>(rounds));
      if (DataTypeSize(out.dtype) == 4) out.as<uint32_t>()[i] = static_cast<uint32_t>(result);
      if (DataTypeSize(out.dtype) == 8) out.as<uint64_t>()[i] = result;
    }
    return absl::OkStatus();
  });
}

const OpRegistrar index_shuffle({.name = "RandomIndexShuffle",
                                 .inputs = {"index: dtype", "seed: Tseed", "max_index: dtype"},
                                 .outputs = {"output: dtype"},
                                 .attrs = {"rounds: int = 4", "dtype: {int32, uint32, int64, uint64}",
                                           "Tseed: {int32, uint32, int64, uint64}"},
                                 .shape = ShuffleShape,
                                 .gradient = kNotDifferentiable,
                                 .kernel = ShuffleKernel,
                                 .doc = "Where a random permutation of 0, ..., max_index takes an index."});

}  // namespace
}  // namespace staticflow
