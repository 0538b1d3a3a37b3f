// The generators of stateless random ops.
#ifndef STATICFLOW_OPS_RANDOM_SEED_H_
#define STATICFLOW_OPS_RANDOM_SEED_H_

#include "ops/philox.h"
#include "runtime/kernel.h"

namespace staticflow {

// A generator whose key and counter are mixed from the two integers of a seed, so that no part of it needs to be good.
inline Philox FromSeed(uint64_t seed0, uint64_t seed1) {
  const Philox::Block counter = {static_cast<uint32_t>(seed0), static_cast<uint32_t>(seed0 >> 32),
                                 static_cast<uint32_t>(seed1), static_cast<uint32_t>(seed1 >> 32)};
  const Philox::Block mix = Philox(counter, {0x3ec8f720, 0x02461e29})();
  return Philox({0, 0, mix[2], mix[3]}, {mix[0], mix[1]});
}

// The same of input `input`, an int32 or int64 vector of two.
inline Philox FromSeedInput(const KernelContext& c, int input) {
  if (c.input(input).dtype == DT_INT32) {
    const int32_t* seed = c.in<int32_t>(input);
    return FromSeed(static_cast<uint64_t>(int64_t{seed[0]}), static_cast<uint64_t>(int64_t{seed[1]}));
  }
  const int64_t* seed = c.in<int64_t>(input);
  return FromSeed(static_cast<uint64_t>(seed[0]), static_cast<uint64_t>(seed[1]));
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RANDOM_SEED_H_
