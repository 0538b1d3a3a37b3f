// Philox4x32-10 (Salmon et al. 2011): a random generator that is a function of a counter and a key, and the
// distributions TensorFlow makes of it, bit for bit.
//
//   Philox generator(seed, seed2);
//   generator.Skip(n);                  // as if n blocks had been taken
//   Philox::Block block = generator();  // the next four 32-bit numbers
//
// All functions are pure or change only their argument; the counter of an element is a function of its index.
#ifndef STATICFLOW_OPS_PHILOX_H_
#define STATICFLOW_OPS_PHILOX_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "graph/dtype.h"

namespace staticflow {

class Philox {
 public:
  using Block = std::array<uint32_t, 4>;
  using Key = std::array<uint32_t, 2>;

  Philox() = default;
  Philox(uint64_t seed, uint64_t seed2)
      : counter_{0, 0, static_cast<uint32_t>(seed2), static_cast<uint32_t>(seed2 >> 32)},
        key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)} {}
  Philox(const Block& counter, const Key& key) : counter_(counter), key_(key) {}

  // Advances by `count` blocks.
  void Skip(uint64_t count) {
    const uint64_t low = (uint64_t{counter_[1]} << 32 | counter_[0]) + count;
    if (low < count && ++counter_[2] == 0) ++counter_[3];
    counter_[0] = static_cast<uint32_t>(low);
    counter_[1] = static_cast<uint32_t>(low >> 32);
  }

  Block operator()() {
    Block block = counter_;
    Key key = key_;
    for (int round = 0; round < 10; ++round) {
      const uint64_t a = uint64_t{0xD2511F53} * block[0];
      const uint64_t b = uint64_t{0xCD9E8D57} * block[2];
      block = {static_cast<uint32_t>(b >> 32) ^ block[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ block[3] ^ key[1], static_cast<uint32_t>(a)};
      key[0] += 0x9E3779B9;
      key[1] += 0xBB67AE85;
    }
    Skip(1);
    return block;
  }

  const Block& counter() const { return counter_; }
  const Key& key() const { return key_; }

 private:
  Block counter_ = {};
  Key key_ = {};
};

// The numbers of a generator's blocks, one by one.
class PhiloxNumbers {
 public:
  explicit PhiloxNumbers(const Philox& generator) : generator_(generator) {}

  uint32_t operator()() {
    if (used_ == 4) {
      block_ = generator_();
      used_ = 0;
    }
    return block_[used_++];
  }
  float NextFloat();
  double NextDouble();
  uint64_t Next64() {
    const uint64_t low = (*this)();
    return uint64_t{(*this)()} << 32 | low;
  }
  // Uniform in [0, n): a power of two takes the lower bits of one number, else numbers that would favour some results
  // are drawn again. REQUIRES: n > 0.
  uint32_t NextBelow(uint32_t n) {
    if ((n & (n - 1)) == 0) return (*this)() & (n - 1);
    const uint32_t rejected = ~uint32_t{0} % n + 1;
    uint32_t x = (*this)();
    while (x < rejected) x = (*this)();
    return x % n;
  }
  uint64_t Next64Below(uint64_t n) {
    if ((n & (n - 1)) == 0) return Next64() & (n - 1);
    const uint64_t rejected = ~uint64_t{0} % n + 1;
    uint64_t x = Next64();
    while (x < rejected) x = Next64();
    return x % n;
  }

 private:
  Philox generator_;
  Philox::Block block_ = {};
  int used_ = 4;
};

// Uniform in [0, 1) of a number's lower mantissa bits.
inline float UniformFloat(uint32_t x) { return std::bit_cast<float>((x & 0x7fffff) | 127u << 23) - 1.0f; }
inline double UniformDouble(uint32_t high, uint32_t low) {
  return std::bit_cast<double>(uint64_t{high & 0xfffff} << 32 | low | uint64_t{1023} << 52) - 1.0;
}
inline float UniformBFloat16(uint32_t x) { return std::bit_cast<float>(((x & 0x7f) | 127u << 7) << 16) - 1.0f; }
inline float UniformHalf(uint32_t x) { return static_cast<float>(x & 0x3ff) / 1024; }

inline float PhiloxNumbers::NextFloat() { return UniformFloat((*this)()); }
inline double PhiloxNumbers::NextDouble() {
  const uint32_t high = (*this)();
  return UniformDouble(high, (*this)());
}

// Two independent normal numbers of two uniform ones (Box and Muller).
inline std::array<float, 2> NormalFloats(uint32_t x0, uint32_t x1) {
  const float u = std::max(UniformFloat(x0), 1e-7f);
  const float angle = static_cast<float>(2 * M_PI * UniformFloat(x1));
  const float radius = std::sqrt(-2.0f * std::log(u));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}
inline std::array<double, 2> NormalDoubles(const Philox::Block& x) {
  const double u = std::max(UniformDouble(x[0], x[1]), 1e-7);
  const double angle = 2 * M_PI * UniformDouble(x[2], x[3]);
  const double radius = std::sqrt(-2.0 * std::log(u));
  return {std::sin(angle) * radius, std::cos(angle) * radius};
}

// The distributions: what one block of four numbers (or as many as it takes, where `blocks` is 0) becomes.
// kGroup is the number of results per block.
template <typename T>
inline constexpr int kGroup = sizeof(T) == 8 ? 2 : 4;

struct UniformDistribution {
  template <typename T>
  static std::array<T, kGroup<T>> Sample(const Philox::Block& x) {
    if constexpr (kGroup<T> == 2) {
      return {UniformDouble(x[0], x[1]), UniformDouble(x[2], x[3])};
    } else {
      std::array<T, 4> y;
      for (int i = 0; i < 4; ++i) {
        if constexpr (kDataTypeOf<T> == DT_HALF) y[i] = T(UniformHalf(x[i]));
        if constexpr (kDataTypeOf<T> == DT_BFLOAT16) y[i] = T(UniformBFloat16(x[i]));
        if constexpr (kDataTypeOf<T> == DT_FLOAT) y[i] = UniformFloat(x[i]);
      }
      return y;
    }
  }
};

struct NormalDistribution {
  template <typename T>
  static std::array<T, kGroup<T>> Sample(const Philox::Block& x) {
    if constexpr (kGroup<T> == 2) {
      return NormalDoubles(x);
    } else {
      const std::array<float, 2> a = NormalFloats(x[0], x[1]), b = NormalFloats(x[2], x[3]);
      return {T(a[0]), T(a[1]), T(b[0]), T(b[1])};
    }
  }
};

// Normal numbers below 2 in magnitude: it takes as many numbers as that needs.
struct TruncatedNormalDistribution {
  template <typename T>
  static std::array<T, kGroup<T>> Sample(PhiloxNumbers& numbers) {
    std::array<T, kGroup<T>> y;
    for (int count = 0; count < kGroup<T>;) {
      const auto pair = NextPair<T>(numbers);
      for (int i = 0; i < 2 && count < kGroup<T>; ++i) {
        if (std::abs(pair[i]) < 2) y[count++] = T(pair[i]);
      }
    }
    return y;
  }

 private:
  template <typename T>
  static auto NextPair(PhiloxNumbers& numbers) {
    const uint32_t x0 = numbers(), x1 = numbers();
    if constexpr (kGroup<T> == 2) {
      const uint32_t x2 = numbers();
      return NormalDoubles({x0, x1, x2, numbers()});
    } else {
      return NormalFloats(x0, x1);
    }
  }
};

// Uniform integers in [low, low + range).
template <typename T>
struct UniformIntDistribution {
  T low;
  std::make_unsigned_t<T> range;  // not 0

  std::array<T, kGroup<T>> Sample(const Philox::Block& x) const {
    using U = std::make_unsigned_t<T>;
    std::array<T, kGroup<T>> y;
    for (int i = 0; i < kGroup<T>; ++i) {
      U bits = x[i];
      if constexpr (sizeof(T) == 8) bits = x[2 * i] | U{x[2 * i + 1]} << 32;
      y[i] = static_cast<T>(static_cast<U>(low) + bits % range);
    }
    return y;
  }
};

// Every integer of the type is as likely.
struct FullIntDistribution {
  template <typename T>
  static std::array<T, kGroup<T>> Sample(const Philox::Block& x) {
    std::array<T, kGroup<T>> y;
    for (int i = 0; i < kGroup<T>; ++i) {
      if constexpr (sizeof(T) == 8) {
        y[i] = static_cast<T>(x[2 * i] | uint64_t{x[2 * i + 1]} << 32);
      } else {
        y[i] = static_cast<T>(x[i]);
      }
    }
    return y;
  }
};

// A distribution whose results may take more than one block reserves this many numbers for each of them.
inline constexpr int64_t kReservedPerResult = 256;

// Fills y[begin, end) of a tensor whose element i belongs to group i / kGroup: any range gives the same elements.
template <typename T, typename SampleGroup>
void FillGroups(T* y, int64_t begin, int64_t end, SampleGroup sample) {
  for (int64_t i = begin; i < end;) {
    const int64_t group = i / kGroup<T>;
    const std::array<T, kGroup<T>> values = sample(group);
    const int64_t stop = std::min(end, (group + 1) * kGroup<T>);
    for (; i < stop; ++i) y[i] = values[i - group * kGroup<T>];
  }
}

template <typename T, typename Distribution>
void FillRandom(const Philox& base, const Distribution& distribution, T* y, int64_t begin, int64_t end) {
  Philox generator = base;
  generator.Skip(begin / kGroup<T>);
  FillGroups(y, begin, end, [&](int64_t) {
    if constexpr (requires { distribution.template Sample<T>(Philox::Block()); }) {
      return distribution.template Sample<T>(generator());
    } else {
      return distribution.Sample(generator());
    }
  });
}

template <typename T>
void FillRandom(const Philox& base, TruncatedNormalDistribution distribution, T* y, int64_t begin, int64_t end) {
  FillGroups(y, begin, end, [&](int64_t group) {
    Philox generator = base;
    generator.Skip(group * (kGroup<T> * kReservedPerResult / 4));
    PhiloxNumbers numbers(generator);
    return distribution.Sample<T>(numbers);
  });
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_PHILOX_H_
