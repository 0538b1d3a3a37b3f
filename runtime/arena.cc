// AssignOffsets: where each buffer stands in the arena. Buffers whose lives overlap do not overlap in memory.
//
// Two ways, of which the one with the smaller arena is taken. By time: as a heap would, buffers come at their first use
// and leave after their last, each into the smallest gap that fits; n log n. By size: large buffers choose first, each
// the lowest gap that fits; closer to the peak, but each buffer looks at all that it meets, so it is for graphs in
// which these are not too many.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "runtime/plan.h"

namespace staticflow {
namespace {

int64_t AlignUp(int64_t bytes) {
  const int64_t padded = AddSizes(bytes, Tensor::kAlignment - 1);
  return padded == kTooLarge ? kTooLarge : padded / Tensor::kAlignment * Tensor::kAlignment;
}

int64_t SizeOf(const Buffer& buffer) { return AlignUp(std::max<int64_t>(buffer.bytes, 1)); }

// The buffers that need memory.
std::vector<int> ArenaBuffers(const std::vector<Buffer>& buffers) {
  std::vector<int> order;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].kind == BufferKind::kArena && buffers[i].first_use >= 0) order.push_back(static_cast<int>(i));
  }
  return order;
}

// A heap of unlimited size that knows its gaps.
class Heap {
 public:
  int64_t top() const { return top_; }

  // The offset of `size` bytes, kTooLarge when there is none.
  int64_t Take(int64_t size) {
    int64_t offset = top_;
    if (auto gap = by_size_.lower_bound({size, 0}); gap != by_size_.end()) {
      offset = gap->second;
    } else if (!gaps_.empty() && gaps_.rbegin()->second == top_) {
      offset = gaps_.rbegin()->first;
    }
    const int64_t end = AddSizes(offset, size);
    if (end == kTooLarge) return kTooLarge;
    if (auto gap = gaps_.find(offset); gap != gaps_.end()) {
      const int64_t gap_end = gap->second;
      Remove(gap);
      if (end < gap_end) Add(end, gap_end);
    }
    top_ = std::max(top_, end);
    return offset;
  }

  void Return(int64_t begin, int64_t end) {
    auto after = gaps_.lower_bound(begin);
    if (after != gaps_.end() && after->first == end) {
      end = after->second;
      after = Remove(after);
    }
    if (after != gaps_.begin() && std::prev(after)->second == begin) {
      begin = std::prev(after)->first;
      Remove(std::prev(after));
    }
    Add(begin, end);
  }

 private:
  using Gaps = std::map<int64_t, int64_t>;  // begin -> end

  void Add(int64_t begin, int64_t end) {
    gaps_[begin] = end;
    by_size_.insert({end - begin, begin});
  }
  Gaps::iterator Remove(Gaps::iterator gap) {
    by_size_.erase({gap->second - gap->first, gap->first});
    return gaps_.erase(gap);
  }

  Gaps gaps_;
  std::set<std::pair<int64_t, int64_t>> by_size_;  // size, begin
  int64_t top_ = 0;
};

int64_t AssignByTime(std::vector<Buffer>& buffers, std::vector<int> order) {
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return buffers[a].first_use < buffers[b].first_use; });
  std::vector<int> leaving = order;
  std::stable_sort(leaving.begin(), leaving.end(),
                   [&](int a, int b) { return buffers[a].last_use < buffers[b].last_use; });
  Heap heap;
  size_t left = 0;
  for (int i : order) {
    // Who leaves before i comes has come before: a life does not end before it begins.
    for (; left < leaving.size() && buffers[leaving[left]].last_use < buffers[i].first_use; ++left) {
      const Buffer& gone = buffers[leaving[left]];
      heap.Return(gone.offset, gone.offset + SizeOf(gone));
    }
    buffers[i].offset = heap.Take(SizeOf(buffers[i]));
    if (buffers[i].offset == kTooLarge) return kTooLarge;
  }
  return heap.top();
}

// Instructions in blocks: so that a buffer meets only those whose lives come near its own, however many there are.
constexpr int kBlock = 64;

// The most buffers that AssignBySize may look at.
constexpr int64_t kMaxMeetings = int64_t{1} << 22;

// How many it would look at: at most the square of those alive in a block, summed.
int64_t Meetings(const std::vector<Buffer>& buffers, const std::vector<int>& order, int blocks) {
  std::vector<int64_t> change(blocks + 1, 0);
  for (int i : order) {
    ++change[buffers[i].first_use / kBlock];
    --change[buffers[i].last_use / kBlock + 1];
  }
  int64_t alive = 0, sum = 0;
  for (int64_t difference : change) {
    alive += difference;
    sum = AddSizes(sum, MultiplySizes(alive, alive));
  }
  return sum;
}

int64_t AssignBySize(std::vector<Buffer>& buffers, std::vector<int> order, int blocks) {
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<std::vector<int>> placed(blocks);
  std::vector<std::pair<int64_t, int64_t>> taken;
  int64_t arena = 0;
  for (int i : order) {
    Buffer& buffer = buffers[i];
    const int first_block = buffer.first_use / kBlock, last_block = buffer.last_use / kBlock;
    taken.clear();
    for (int block = first_block; block <= last_block; ++block) {
      for (int other : placed[block]) {
        const Buffer& b = buffers[other];
        if (std::max(first_block, b.first_use / kBlock) != block) continue;  // met in an earlier block
        if (b.first_use <= buffer.last_use && buffer.first_use <= b.last_use) {
          taken.push_back({b.offset, AddSizes(b.offset, AlignUp(b.bytes))});  // of nothing: may be shared
        }
      }
    }
    std::sort(taken.begin(), taken.end());
    const int64_t size = SizeOf(buffer);
    int64_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (begin - offset >= size) break;
      offset = std::max(offset, end);
    }
    buffer.offset = offset;
    arena = std::max(arena, AddSizes(offset, size));
    for (int block = first_block; block <= last_block; ++block) placed[block].push_back(i);
  }
  return arena;
}

}  // namespace

int64_t AssignOffsets(std::vector<Buffer>* buffers) {
  const std::vector<int> order = ArenaBuffers(*buffers);
  int last = 0;
  for (int i : order) last = std::max(last, (*buffers)[i].last_use);
  const int blocks = last / kBlock + 1;
  const int64_t by_time = AssignByTime(*buffers, order);
  if (Meetings(*buffers, order, blocks) > kMaxMeetings) return by_time;
  std::vector<int64_t> offsets;
  offsets.reserve(order.size());
  for (int i : order) offsets.push_back((*buffers)[i].offset);
  const int64_t by_size = AssignBySize(*buffers, order, blocks);
  if (by_size <= by_time) return by_size;
  for (size_t k = 0; k < order.size(); ++k) (*buffers)[order[k]].offset = offsets[k];
  return by_time;
}

}  // namespace staticflow
