#include "runtime/lane_pairs.h"

#include "runtime/lanes_paths.h"

namespace staticflow {
namespace {

struct Entry {
  LanePair pair;
  LaneOp first;
  LaneOp second;
  bool at[2];  // whether the first result may be operand 0, operand 1 of the second
};
constexpr Entry kEntries[] = {
    {LanePair::kMulAdd, LaneOp::kMul, LaneOp::kAdd, {true, true}},
    {LanePair::kMulSub, LaneOp::kMul, LaneOp::kSub, {true, false}},
    {LanePair::kMulSubFrom, LaneOp::kMul, LaneOp::kSub, {false, true}},
    {LanePair::kDivSubFrom, LaneOp::kDiv, LaneOp::kSub, {false, true}},
    {LanePair::kSubMul, LaneOp::kSub, LaneOp::kMul, {true, true}},
    {LanePair::kAddAdd, LaneOp::kAdd, LaneOp::kAdd, {true, true}},
    {LanePair::kSqrtAdd, LaneOp::kSqrt, LaneOp::kAdd, {true, true}},
    {LanePair::kAddRelu, LaneOp::kAdd, LaneOp::kRelu, {true, false}},
};
static_assert(std::size(kEntries) + 1 == static_cast<size_t>(LanePair::kCount));  // and kMulAddRelu

}  // namespace

std::optional<LanePair> FindLanePair(LaneOp first, LaneOp second, int at) {
  for (const Entry& entry : kEntries) {
    if (entry.first == first && entry.second == second && at < 2 && entry.at[at]) return entry.pair;
  }
  return std::nullopt;
}

std::optional<LanePair> FindLanePair(LanePair first, LaneOp second) {
  if (first == LanePair::kMulAdd && second == LaneOp::kRelu) return LanePair::kMulAddRelu;
  return std::nullopt;
}

int NumLaneOperands(LanePair pair) { return internal::LaneOperands(pair); }

LaneFunction LaneFunctionOn([[maybe_unused]] LanePath path, LanePair pair) {
#if defined(__x86_64__)
  if (path == LanePath::kAvx512) return internal::LaneAvx512(pair);
  if (path == LanePath::kAvx2) return internal::LaneAvx2(pair);
#endif
  return internal::LanePortable(pair);
}

LaneFunction LaneFunctionFor(LanePair pair) { return LaneFunctionOn(BestLanePath(), pair); }

}  // namespace staticflow
