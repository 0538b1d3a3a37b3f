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

std::string KeyOf(absl::string_view node) { return absl::StrCat("random counter of ", node); }

Philox InitialGenerator(int64_t seed, int64_t seed2, absl::string_view node) {
  if (seed == 0 && seed2 == 0) return Philox(HashOf(node), 0);
  return Philox(static_cast<uint64_t>(seed), static_cast<uint64_t>(seed2));
}

bool HasSeeds(const Node& node) { return node.has_attr("seed") && node.has_attr("seed2"); }

}  // namespace

absl::StatusOr<RandomCounter*> RandomCounterOf(const KernelSetup& setup) {
  const std::string& name = setup.node().name();
  return setup.resources().FindOrCreate<RandomCounter>(KeyOf(name), [&] {
    return std::make_unique<RandomCounter>(
        InitialGenerator(setup.attr<int64_t>("seed"), setup.attr<int64_t>("seed2"), name));
  });
}

RandomPositions ReadRandomPositions(const Graph& g, ResourceStore& store) {
  RandomPositions positions;
  for (const std::unique_ptr<Node>& node : g.nodes()) {
    if (!HasSeeds(*node)) continue;
    const absl::StatusOr<RandomCounter*> counter = store.Find<RandomCounter>(KeyOf(node->name()));
    if (counter.ok()) positions[node->name()] = (*counter)->position();
  }
  return positions;
}

absl::Status WriteRandomPositions(const Graph& g, const RandomPositions& positions, ResourceStore& store) {
  for (const auto& [name, position] : positions) {
    const Node* node = g.FindNode(name);
    if (node == nullptr || !HasSeeds(*node)) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' is no random op of the graph"));
    }
  }
  for (const auto& [name, position] : positions) {
    const Node* node = g.FindNode(name);
    SF_ASSIGN_OR_RETURN(RandomCounter* const counter, store.FindOrCreate<RandomCounter>(KeyOf(name), [&, name = name] {
      return std::make_unique<RandomCounter>(
          InitialGenerator(node->attr<int64_t>("seed"), node->attr<int64_t>("seed2"), name));
    }));
    counter->Seek(position);
  }
  return absl::OkStatus();
}

absl::Status ShapeFromInput(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_ASSIGN_OR_RETURN(Shape shape, DimsFromInput(c, 0));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

}  // namespace staticflow
