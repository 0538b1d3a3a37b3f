#include "ops/elementwise.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"

namespace staticflow {
namespace {

// A run of neighbouring output dimensions through which each operand moves in one way.
struct Run {
  int64_t size = 1;
  bool x_moves = false;
  bool y_moves = false;
  int64_t x_stride = 0;  // elements per step; 0 where the operand is broadcast
  int64_t y_stride = 0;
};
using Runs = absl::InlinedVector<Run, Shape::kMaxKernelRank>;

// The output's dimensions as runs, innermost first: neighbours that move alike are one run.
Runs MergeDimensions(const Shape& x, const Shape& y, const Shape& z) {
  Runs runs;
  int64_t x_stride = 1, y_stride = 1;
  for (int i = 1; i <= z.rank(); ++i) {
    const int64_t size = z.dim(-i);
    if (size == 1) continue;
    const bool x_moves = i <= x.rank() && x.dim(-i) != 1;
    const bool y_moves = i <= y.rank() && y.dim(-i) != 1;
    if (runs.empty() || runs.back().x_moves != x_moves || runs.back().y_moves != y_moves) {
      runs.push_back({1, x_moves, y_moves, x_moves ? x_stride : 0, y_moves ? y_stride : 0});
    }
    runs.back().size *= size;
    if (x_moves) x_stride *= size;
    if (y_moves) y_stride *= size;
  }
  return runs;
}

// A position among the runs above the innermost one, with the operands' offsets there.
class OuterPosition {
 public:
  OuterPosition(const Runs& runs, int64_t index) : runs_(runs), index_(runs.size(), 0) {
    for (size_t i = 1; i < runs.size(); ++i) {
      index_[i] = index % runs[i].size;
      index /= runs[i].size;
      x_ += index_[i] * runs[i].x_stride;
      y_ += index_[i] * runs[i].y_stride;
    }
  }
  void Next() {
    for (size_t i = 1; i < runs_.size(); ++i) {
      x_ += runs_[i].x_stride;
      y_ += runs_[i].y_stride;
      if (++index_[i] < runs_[i].size) return;
      x_ -= runs_[i].size * runs_[i].x_stride;
      y_ -= runs_[i].size * runs_[i].y_stride;
      index_[i] = 0;
    }
  }
  int64_t x() const { return x_; }
  int64_t y() const { return y_; }

 private:
  const Runs& runs_;
  absl::InlinedVector<int64_t, Shape::kMaxKernelRank> index_;
  int64_t x_ = 0;
  int64_t y_ = 0;
};

void RunBroadcast(const KernelContext& c, const BinaryLoops& loops, int64_t begin, int64_t end) {
  const Runs runs = MergeDimensions(*c.input(0).shape, *c.input(1).shape, *c.output(0).shape);
  const Run& inner = runs[0];
  const BinaryLoop loop = !inner.y_moves ? loops.left : !inner.x_moves ? loops.right : loops.both;
  const char* x = c.in<char>(0);
  const char* y = c.in<char>(1);
  char* z = c.out<char>(0);
  OuterPosition outer(runs, begin / inner.size);
  int64_t at = begin % inner.size;
  while (begin < end) {
    const int64_t n = std::min(inner.size - at, end - begin);
    loop(x + (outer.x() + at * inner.x_stride) * loops.in_size, y + (outer.y() + at * inner.y_stride) * loops.in_size,
         z + begin * loops.out_size, n);
    begin += n;
    at = 0;
    outer.Next();
  }
}

}  // namespace

bool HasAvx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

void RunBinary(const KernelContext& c, const BinaryLoops& loops) {
  const auto [begin, end] = c.range();
  if (begin >= end) return;
  const int64_t n = c.output(0).num_elements, nx = c.input(0).num_elements, ny = c.input(1).num_elements;
  const char* x = c.in<char>(0);
  const char* y = c.in<char>(1);
  char* z = c.out<char>(0) + begin * loops.out_size;
  if (nx == n && ny == n) {
    loops.both(x + begin * loops.in_size, y + begin * loops.in_size, z, end - begin);
  } else if (nx == n && ny == 1) {
    loops.left(x + begin * loops.in_size, y, z, end - begin);
  } else if (nx == 1 && ny == n) {
    loops.right(x, y + begin * loops.in_size, z, end - begin);
  } else {
    RunBroadcast(c, loops, begin, end);
  }
}

absl::Status NoKernelFor(const KernelSetup& setup, DataType dtype) {
  return absl::UnimplementedError(absl::StrCat("no kernel of ", setup.node().type(), " for ", DataTypeName(dtype)));
}

}  // namespace staticflow
