#include "runtime/executor.h"

#include <cmath>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ops/array.h"
#include "runtime/profile.h"
#include "runtime/team.h"

namespace staticflow {
namespace {

// A plan put together by hand. Every tensor has a buffer of its own.
struct Sketch {
  explicit Sketch(int workers) { plan->workers = workers; }

  int Add(DataType dtype, const Shape& shape, Buffer buffer) {
    buffer.bytes = shape.num_elements() * DataTypeSize(dtype);
    if (buffer.kind == BufferKind::kArena) {
      buffer.offset = plan->arena_bytes;
      plan->arena_bytes += (buffer.bytes + 63) / 64 * 64;
    }
    plan->values.push_back({.dtype = dtype, .shape = shape, .buffer = static_cast<int>(plan->buffers.size())});
    plan->buffers.push_back(std::move(buffer));
    return static_cast<int>(plan->values.size()) - 1;
  }
  int Floats(int64_t n) { return Add(DT_FLOAT, {n}, {}); }
  int Feed(DataType dtype, const Shape& shape) {
    const int index = static_cast<int>(plan->feed_values.size());
    plan->feed_values.push_back(Add(dtype, shape, {.kind = BufferKind::kFeed, .index = index}));
    plan->fed_views.push_back({plan->feed_values.back(), index});
    return plan->feed_values.back();
  }

  // Cut evenly unless `items` is 0.
  Instruction& Compute(std::vector<int> inputs, std::vector<int> outputs, int64_t items, bool barrier, Kernel kernel) {
    Instruction instruction{.kernel = std::move(kernel), .inputs = inputs, .outputs = outputs, .split_items = items};
    instruction.variables.resize(inputs.size());
    instruction.barrier = barrier;
    for (int w = 0; items > 0 && plan->workers > 1 && w <= plan->workers; ++w) {
      instruction.cuts.push_back(items * w / plan->workers);
    }
    plan->instructions.push_back(std::move(instruction));
    return plan->instructions.back();
  }

  // Goes to `target` unless the bool of `value` is true.
  void JumpUnless(int value, int target, bool barrier) {
    Output predicate = Placeholder(graph, {.dtype = DT_BOOL, .shape = {}});
    const GuardId guard = program->guards.AndPredicate(GuardTable::kAlways, predicate, true);
    plan->literal_values.resize(program->guards.num_literals(), value);
    plan->instructions.push_back(
        {.kind = InstructionKind::kJump, .barrier = barrier, .guard = guard, .target = target});
  }
  void GoTo(int target) {
    plan->instructions.push_back(
        {.kind = InstructionKind::kLoopNext, .is_static = false, .barrier = true, .target = target});
  }
  void Fetch(int value) {
    program->signature.fetches.push_back(Output());
    program->fetch_guards.push_back(GuardTable::kAlways);
    plan->fetch_values.push_back(value);
  }

  std::unique_ptr<Frame> MakeFrame() {
    plan->program = program;
    return std::move(Frame::Create(plan, int64_t{1} << 30)).value();
  }

  Graph graph;
  std::shared_ptr<Program> program = std::make_shared<Program>();
  std::shared_ptr<Plan> plan = std::make_shared<Plan>();
};

absl::StatusOr<std::vector<Tensor>> RunStep(Frame& frame, std::vector<Tensor> feeds = {}, const StepState& step = {},
                                            StepProfile* profile = nullptr) {
  std::vector<Tensor> fetches;
  absl::Status status = RunPlan(frame, feeds, step, {.profile = profile}, &fetches);
  if (!status.ok()) return status;
  return fetches;
}

// y[i] = f(i).
template <typename F>
Kernel Fill(F f) {
  return [f](KernelContext& c) {
    for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<float>(0)[i] = f(i);
    return absl::OkStatus();
  };
}

// Waits as long as work on `n` numbers takes.
void Delay(int n) {
  volatile float x = 1;
  for (int i = 0; i < n; ++i) x = x * 0.5f;
}

// y[i] = the beginning of the range that computed it.
absl::Status RangeBegin(KernelContext& c) {
  for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<float>(0)[i] = static_cast<float>(c.range().begin);
  return absl::OkStatus();
}

TEST(ExecutorTest, EachWorkerRunsItsPart) {
  for (int workers : {1, 2, 3, 4}) {
    Sketch s(workers);
    const int y = s.Floats(100), z = s.Floats(2);
    s.Compute({}, {y}, 100, false, RangeBegin);
    s.Compute({}, {z}, 0, false, Fill([](int64_t) { return 1.0f; })).split_items = 2;
    s.Fetch(y);
    s.Fetch(z);
    auto out = RunStep(*s.MakeFrame());
    ASSERT_TRUE(out.ok()) << out.status();
    for (int w = 0; w < workers; ++w) {
      const int64_t begin = 100 * w / workers, end = 100 * (w + 1) / workers;
      EXPECT_EQ((*out)[0].data<float>()[begin], begin) << workers;
      EXPECT_EQ((*out)[0].data<float>()[end - 1], begin) << workers;
    }
    EXPECT_EQ((*out)[1].ToString(), "float[2]{1, 1}");
  }
}

TEST(ExecutorTest, OneThreadRunsTheWholeWhenTheTeamIsBusy) {
  Sketch s(2);
  const int y = s.Floats(100);
  s.Compute({}, {y}, 100, true, RangeBegin);
  s.Fetch(y);
  std::unique_ptr<Frame> frame = s.MakeFrame();
  Team::Lease lease(2);
  ASSERT_EQ(lease.workers(), 2);
  absl::StatusOr<std::vector<Tensor>> out;
  std::thread([&] { out = RunStep(*frame); }).join();
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)[0].data<float>()[99], 0);
}

// A long chain in which every worker reads what the others wrote just before.
TEST(ExecutorTest, AnyNumberOfWorkersGivesTheSameBits) {
  constexpr int64_t kItems = 999;
  std::vector<Tensor> want;
  for (int workers : {1, 2, 3, 4}) {
    Sketch s(workers);
    const int x = s.Feed(DT_FLOAT, {kItems});
    int from = x;
    for (int i = 0; i < 100; ++i) {
      const int to = s.Floats(kItems);
      s.Compute({from}, {to}, kItems, i > 0, [i](KernelContext& c) {
        const float* from = c.in<float>(0);
        for (int64_t k = c.range().begin; k < c.range().end; ++k) {
          c.out<float>(0)[k] = std::sin(from[kItems - 1 - k] + from[(k * 7) % kItems] * static_cast<float>(i));
        }
        return absl::OkStatus();
      });
      from = to;
    }
    s.Fetch(from);
    std::unique_ptr<Frame> frame = s.MakeFrame();
    std::vector<float> values(kItems);
    for (int64_t i = 0; i < kItems; ++i) values[i] = std::cos(static_cast<float>(i));
    for (int step = 0; step < 20; ++step) {
      auto out = RunStep(*frame, {Tensor::Of<float>({kItems}, absl::MakeConstSpan(values))});
      ASSERT_TRUE(out.ok()) << out.status();
      if (want.empty()) want = *out;
      EXPECT_TRUE(BitwiseEqual((*out)[0], want[0])) << workers << " workers, step " << step;
    }
  }
}

TEST(ExecutorTest, AllWorkersFollowJumpsAndLoops) {
  for (int workers : {1, 2, 3, 4}) {
    Sketch s(workers);
    const int count = s.Floats(1), more = s.Add(DT_BOOL, {}, {}), sum = s.Floats(64);
    const int wanted = s.Feed(DT_FLOAT, {1});
    s.Compute({}, {count}, 0, false, [](KernelContext& c) {
      *c.out<float>(0) = 0;
      return absl::OkStatus();
    });
    s.Compute({}, {sum}, 64, false, Fill([](int64_t) { return 0.0f; }));
    s.Compute({count, wanted}, {more}, 0, true, [](KernelContext& c) {  // 2: the head
      *c.out<bool>(0) = c.scalar<float>(0) < c.scalar<float>(1);
      return absl::OkStatus();
    });
    s.JumpUnless(more, 7, true);
    s.Compute({count, sum}, {sum}, 64, false, [](KernelContext& c) {
      for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<float>(0)[i] += c.scalar<float>(0) + 1;
      return absl::OkStatus();
    });
    s.Compute({count}, {count}, 0, true, [](KernelContext& c) {
      ++*c.out<float>(0);
      return absl::OkStatus();
    });
    s.GoTo(2);
    s.Compute({sum}, {sum}, 64, true, [](KernelContext& c) {  // 7
      for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<float>(0)[i] *= 2;
      return absl::OkStatus();
    });
    s.Fetch(sum);
    std::unique_ptr<Frame> frame = s.MakeFrame();
    for (int n : {0, 1, 100}) {
      auto out = RunStep(*frame, {Tensor::Vector<float>({static_cast<float>(n)})});
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_EQ((*out)[0].data<float>()[0], n * (n + 1)) << workers;
      EXPECT_EQ((*out)[0].data<float>()[63], n * (n + 1)) << workers;
    }
  }
}

struct FailureCase {
  // Items of 8 whose computation fails, by instruction; every second instruction has a barrier before it. -1: none.
  std::vector<int> failing_items;
  int first;  // instruction that fails
  std::string want;
};

class FailureTest : public testing::TestWithParam<FailureCase> {};

TEST_P(FailureTest, TheFirstInThePlanIsReturnedAndNothingLaterRuns) {
  const FailureCase& test = GetParam();
  for (int workers : {1, 2, 3, 4}) {
    Sketch s(workers);
    const int y = s.Floats(8);
    std::atomic<int> runs_after = 0;
    std::atomic<bool> fails = true;
    const int n = static_cast<int>(test.failing_items.size());
    for (int i = 0; i < n; ++i) {
      s.Compute({}, {y}, 8, i % 2 == 0, [&, i](KernelContext& c) -> absl::Status {
        if (i / 2 > test.first / 2) ++runs_after;
        for (int64_t k = c.range().begin; k < c.range().end; ++k) {
          c.out<float>(0)[k] = static_cast<float>(i);
          if (!fails || k != test.failing_items[i]) continue;
          Delay(i % 2 == 0 ? 2000 : 0);
          return absl::DataLossError(absl::StrCat(i, " failed at ", k));
        }
        return absl::OkStatus();
      });
    }
    s.Fetch(y);
    std::unique_ptr<Frame> frame = s.MakeFrame();
    for (int step = 0; step < 30; ++step) {
      fails = true;
      runs_after = 0;
      EXPECT_EQ(RunStep(*frame).status(), absl::DataLossError(test.want)) << workers;
      EXPECT_EQ(runs_after, 0) << workers;
      fails = false;
      EXPECT_TRUE(RunStep(*frame).ok());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FailureTest,
                         testing::Values(FailureCase{{-1, 0, -1, -1}, 1, "1 failed at 0"},
                                         FailureCase{{-1, 7, -1, -1}, 1, "1 failed at 7"},
                                         FailureCase{{-1, 5, -1, -1}, 1, "1 failed at 5"},
                                         FailureCase{{-1, -1, 7, 0, -1}, 2, "2 failed at 7"},
                                         FailureCase{{-1, -1, 0, 7, -1}, 2, "2 failed at 0"},
                                         FailureCase{{-1, -1, -1, 3, 0, 7, -1}, 3, "3 failed at 3"},
                                         FailureCase{{-1, -1, -1, -1, -1, 6}, 5, "5 failed at 6"},
                                         FailureCase{{4, 4, 4, 4}, 0, "0 failed at 4"}));

TEST(ExecutorTest, AFailureInALoopEndsIt) {
  for (int workers : {1, 2, 3, 4}) {
    for (int64_t failing : {0, 3, 7}) {
      Sketch s(workers);
      const int y = s.Floats(8), yes = s.Feed(DT_BOOL, {});
      std::atomic<int> rounds = 0;
      s.Compute({}, {y}, 8, true, [&](KernelContext& c) -> absl::Status {
        const bool last = c.range().begin <= failing && failing < c.range().end && ++rounds % 50 == 0;
        return last ? absl::DataLossError("enough") : absl::OkStatus();
      });
      s.JumpUnless(yes, 3, false);
      s.GoTo(0);
      std::unique_ptr<Frame> frame = s.MakeFrame();
      for (int step = 0; step < 10; ++step) {
        EXPECT_EQ(RunStep(*frame, {Tensor(true)}).status(), absl::DataLossError("enough")) << workers;
      }
    }
  }
}

TEST(ExecutorTest, ACancelledStepStops) {
  for (int workers : {1, 2, 4}) {
    Sketch s(workers);
    const int y = s.Floats(8), yes = s.Feed(DT_BOOL, {});
    std::atomic<bool> cancelled = false;
    std::atomic<int> runs = 0;
    s.Compute({}, {y}, 8, true, [&](KernelContext&) {
      if (++runs > 1000) cancelled = true;
      return absl::OkStatus();
    });
    s.JumpUnless(yes, 3, false);
    s.GoTo(0);
    EXPECT_EQ(RunStep(*s.MakeFrame(), {Tensor(true)}, {.cancelled = &cancelled}).status().code(),
              absl::StatusCode::kCancelled);
  }
}

TEST(ExecutorTest, FetchedMemoryIsReusedOnceItIsLetGo) {
  Sketch s(1);
  const int x = s.Feed(DT_FLOAT, {1});
  s.Fetch(x);
  std::unique_ptr<Frame> frame = s.MakeFrame();
  const void* first = RunStep(*frame, {Tensor::Vector<float>({1})}).value()[0].raw();
  std::vector<Tensor> kept = RunStep(*frame, {Tensor::Vector<float>({2})}).value();
  EXPECT_EQ(kept[0].raw(), first);
  std::vector<Tensor> other = RunStep(*frame, {Tensor::Vector<float>({3})}).value();
  EXPECT_EQ(kept[0].ToString(), "float[1]{2}");
  EXPECT_EQ(other[0].ToString(), "float[1]{3}");
}

TEST(ExecutorTest, AProfileShowsWorkerZero) {
  for (int workers : {1, 2}) {
    Sketch s(workers);
    Output node = Placeholder(s.graph, {.dtype = DT_FLOAT, .shape = {8}, .name = "n"});
    const int y = s.Floats(8);
    s.Compute({}, {y}, 8, false, RangeBegin).node = node.node();
    s.Compute({}, {y}, 0, true, [](KernelContext&) { return absl::OkStatus(); }).node = node.node();
    StepProfile profile;
    ASSERT_TRUE(RunStep(*s.MakeFrame(), {}, {}, &profile).ok());
    ASSERT_EQ(profile.entries().size(), 2);
    EXPECT_EQ(profile.entries()[0].share, 1.0 / workers);
    EXPECT_EQ(profile.entries()[0].wait_ns, 0);
    EXPECT_EQ(profile.entries()[1].share, 1);
    EXPECT_EQ(profile.entries()[1].wait_ns > 0, workers > 1);
    EXPECT_GE(profile.entries()[1].start_ns, profile.entries()[0].start_ns + profile.entries()[0].duration_ns);
  }
}

TEST(ExecutorDeathTest, WhatChangesTheFrameNeedsBarriers) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  for (bool after : {false, true}) {
    Sketch s(2);
    const int y = s.Floats(8);
    s.Compute({}, {y}, 0, after, RangeBegin).is_static = false;
    s.Compute({}, {y}, 8, !after, RangeBegin);
    EXPECT_DEATH(s.MakeFrame(), "barrier");
  }
}

}  // namespace
}  // namespace staticflow
