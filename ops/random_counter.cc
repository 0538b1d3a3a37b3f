#include "ops/random_counter.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "ops/array_shapes.h"

namespace staticflow {
namespace {

// FNV-1a, whose values are the same on every machine.
uint64_t HashOf(absl::string_view name) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

}  // namespace

absl::StatusOr<RandomCounter*> RandomCounterOf(const KernelSetup& setup) {
  const int64_t seed = setup.attr<int64_t>("seed"), seed2 = setup.attr<int64_t>("seed2");
  const std::string& name = setup.node().name();
  const Philox generator = seed == 0 && seed2 == 0 ? Philox(HashOf(name), 0)
                                                   : Philox(static_cast<uint64_t>(seed), static_cast<uint64_t>(seed2));
  return setup.resources().FindOrCreate<RandomCounter>(absl::StrCat("random counter of ", name),
                                                       [&] { return std::make_unique<RandomCounter>(generator); });
}

absl::Status ShapeFromInput(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 0));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

}  // namespace staticflow
