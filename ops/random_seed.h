// The generators of random ops that count nothing in the session: functions of a seed, of a key and a counter, or of a
// state in a variable.
#ifndef STATICFLOW_OPS_RANDOM_SEED_H_
#define STATICFLOW_OPS_RANDOM_SEED_H_

#include "absl/strings/str_cat.h"
#include "graph/shape_inference.h"
#include "ops/philox.h"
#include "ops/variable_value.h"
#include "runtime/kernel.h"

namespace staticflow {

// Input i is a vector of `size` elements.
inline absl::Status ExpectElements(ShapeContext& c, int i, int64_t size) {
  SF_ASSIGN_OR_RETURN(const Shape vector, c.WithRank(i, 1));
  return c.MergeDims(vector.dim(0), size, absl::StrCat("elements of input ", i)).status();
}

// ---- A seed of two integers ----

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

// ---- A key and a counter ----

inline constexpr int64_t kPhiloxAlgorithm = 1, kThreeFryAlgorithm = 2, kAutomaticAlgorithm = 3;

inline Philox FromCounterAndKey(uint64_t low, uint64_t high, uint64_t key) {
  return Philox({static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32), static_cast<uint32_t>(high),
                 static_cast<uint32_t>(high >> 32)},
                {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
}

// OK for Philox, named or chosen automatically.
inline absl::Status CheckAlgorithm(int64_t algorithm) {
  if (algorithm == kPhiloxAlgorithm || algorithm == kAutomaticAlgorithm) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("expected algorithm 1 (Philox), got ", algorithm));
}

// Inputs [first, first + 3) are a key (one uint64), a counter (two, further ones play no part) and an algorithm.
inline absl::Status CheckKeyCounter(ShapeContext& c, int first) {
  SF_RETURN_IF_ERROR(ExpectElements(c, first, 1));
  SF_ASSIGN_OR_RETURN(const Shape counter, c.WithRank(first + 1, 1));
  if (counter.dim(0) == 0 || counter.dim(0) == 1) {
    return absl::InvalidArgumentError(absl::StrCat("the counter has ", counter.dim(0), " elements, expected 2"));
  }
  return c.WithRank(first + 2, 0).status();
}
inline absl::StatusOr<Philox> FromKeyCounterInputs(const KernelContext& c, int first) {
  SF_RETURN_IF_ERROR(CheckAlgorithm(c.scalar<int32_t>(first + 2)));
  const uint64_t* counter = c.in<uint64_t>(first + 1);
  return FromCounterAndKey(counter[0], counter[1], *c.in<uint64_t>(first));
}

// ---- A state in a variable ----

// The generator in the variable behind input 0, an int64 vector of a counter (two) and a key, which is moved on by
// `blocks`. FailedPrecondition without a value; InvalidArgument for another type or fewer elements.
inline absl::StatusOr<Philox> TakeFromState(KernelContext& c, uint64_t blocks) {
  SF_ASSIGN_OR_RETURN(VariableSlot * slot, InitializedVariable(c, 0));
  const Tensor& state = slot->value;
  if (state.dtype() != DT_INT64 || state.shape().rank() != 1 || state.num_elements() < 3) {
    return absl::InvalidArgumentError(absl::StrCat("the state in variable ", slot->name, " is ",
                                                   DataTypeName(state.dtype()), state.shape().ToString(),
                                                   ", expected an int64 vector of at least 3 elements"));
  }
  int64_t* numbers = slot->value.data<int64_t>();
  const Philox generator = FromCounterAndKey(static_cast<uint64_t>(numbers[0]), static_cast<uint64_t>(numbers[1]),
                                             static_cast<uint64_t>(numbers[2]));
  Philox next = generator;
  next.Skip(blocks);
  const Philox::Block& counter = next.counter();
  numbers[0] = static_cast<int64_t>(counter[0] | uint64_t{counter[1]} << 32);
  numbers[1] = static_cast<int64_t>(counter[2] | uint64_t{counter[3]} << 32);
  return generator;
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RANDOM_SEED_H_
