// RandomCounter: how far a stateful random op has got in this session, and what its block shares.
#ifndef STATICFLOW_OPS_RANDOM_COUNTER_H_
#define STATICFLOW_OPS_RANDOM_COUNTER_H_

#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "graph/graph.h"
#include "graph/op.h"
#include "graph/shape_inference.h"
#include "ops/philox.h"
#include "runtime/kernel.h"
#include "runtime/resource_store.h"

namespace staticflow {

inline constexpr char kSeedAttr[] = "seed: int = 0";
inline constexpr char kSeed2Attr[] = "seed2: int = 0";

// A generator from which each run of an op takes its own stretch of blocks. Thread-safe.
class RandomCounter : public Resource {
 public:
  explicit RandomCounter(const Philox& generator) : generator_(generator) {}

  // The generator as it stands; the next call's is `blocks` blocks further.
  Philox Reserve(uint64_t blocks) {
    absl::MutexLock lock(&mutex_);
    const Philox reserved = generator_;
    generator_.Skip(blocks);
    return reserved;
  }

  Philox::Block position() const {
    absl::MutexLock lock(&mutex_);
    return generator_.counter();
  }
  void Seek(const Philox::Block& position) {
    absl::MutexLock lock(&mutex_);
    generator_ = Philox(position, generator_.key());
  }

 private:
  mutable absl::Mutex mutex_;
  Philox generator_ ABSL_GUARDED_BY(mutex_);
};

// The counter of the node that is set up, in the session's store. Its key are the attributes seed and seed2; where both
// are 0, which stands for "any", a hash of the node's name.
absl::StatusOr<RandomCounter*> RandomCounterOf(const KernelSetup& setup);

// How far the random ops of `g` have got in a session whose resources are `store`, by node: what has to be saved beside
// the variables for a training to go on with the numbers that it would have drawn. Ops that never ran are not there.
using RandomPositions = absl::btree_map<std::string, Philox::Block>;
RandomPositions ReadRandomPositions(const Graph& g, ResourceStore& store);
// Gives random ops the positions of an earlier session, also of ops that have not run yet. No step may be running.
// InvalidArgument, and nothing is changed, for a node that `g` lacks or that draws no numbers.
absl::Status WriteRandomPositions(const Graph& g, const RandomPositions& positions, ResourceStore& store);

// The blocks that TensorFlow reserves for `results` numbers, whatever their distribution.
inline uint64_t BlocksFor(int64_t results) {
  return static_cast<uint64_t>(results) * static_cast<uint64_t>(kReservedPerResult);
}

// Output 0 has the shape that input 0 describes.
absl::Status ShapeFromInput(ShapeContext& c);

// UniformIntDistribution over [low, high). InvalidArgument unless low < high.
template <typename T>
absl::StatusOr<UniformIntDistribution<T>> UniformIntBetween(T low, T high) {
  if (low >= high) {
    return absl::InvalidArgumentError(absl::StrCat("expected minval < maxval, got ", low, " and ", high));
  }
  using U = std::make_unsigned_t<T>;
  return UniformIntDistribution<T>{low, static_cast<U>(static_cast<U>(high) - static_cast<U>(low))};
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_RANDOM_COUNTER_H_
