// AssignOffsets: where each buffer stands in the arena. Buffers whose lives overlap do not overlap in memory. Large
// buffers choose first, each the lowest gap that fits: simple, and close to the peak on the graphs people train.
#include <algorithm>
#include <numeric>

#include "runtime/plan.h"

namespace staticflow {
namespace {

int64_t AlignUp(int64_t bytes) {
  const int64_t padded = AddSizes(bytes, Tensor::kAlignment - 1);
  return padded == kTooLarge ? kTooLarge : padded / Tensor::kAlignment * Tensor::kAlignment;
}

// Buffers that hold something at each instruction, in blocks of instructions: so that a buffer meets only those whose
// lives come near its own, however many there are.
constexpr int kBlock = 64;

}  // namespace

int64_t AssignOffsets(std::vector<Buffer>* buffers) {
  std::vector<int> order;
  int last = 0;
  for (size_t i = 0; i < buffers->size(); ++i) {
    const Buffer& b = (*buffers)[i];
    if (b.kind != BufferKind::kArena || b.first_use < 0) continue;
    order.push_back(static_cast<int>(i));
    last = std::max(last, b.last_use);
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return (*buffers)[a].bytes > (*buffers)[b].bytes; });
  std::vector<std::vector<int>> placed(last / kBlock + 1);
  std::vector<std::pair<int64_t, int64_t>> taken;
  int64_t arena = 0;
  for (int i : order) {
    Buffer& buffer = (*buffers)[i];
    taken.clear();
    for (int block = buffer.first_use / kBlock; block <= buffer.last_use / kBlock; ++block) {
      for (int other : placed[block]) {
        const Buffer& b = (*buffers)[other];
        if (b.first_use <= buffer.last_use && buffer.first_use <= b.last_use) {
          taken.push_back({b.offset, AddSizes(b.offset, AlignUp(b.bytes))});
        }
      }
    }
    std::sort(taken.begin(), taken.end());
    const int64_t size = AlignUp(std::max<int64_t>(buffer.bytes, 1));
    int64_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (begin - offset >= size) break;
      offset = std::max(offset, end);
    }
    buffer.offset = offset;
    arena = std::max(arena, AddSizes(offset, size));
    for (int block = buffer.first_use / kBlock; block <= buffer.last_use / kBlock; ++block) placed[block].push_back(i);
  }
  return arena;
}

}  // namespace staticflow
