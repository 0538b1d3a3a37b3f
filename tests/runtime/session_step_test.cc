// Steps that run many times: what they share, what they keep, and what belongs to the caller.
#include <atomic>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <thread>

#include "gtest/gtest.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/matmul.h"
#include "ops/state.h"
#include "runtime/session.h"

namespace {

std::atomic<int64_t> allocations = 0;

}  // namespace

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++allocations;
  const size_t a = static_cast<size_t>(alignment);
  return std::aligned_alloc(a, (size + a - 1) / a * a);
}
void* operator new(size_t size) {
  void* p = operator new(size, std::nothrow);
  if (p == nullptr) std::abort();
  return p;
}
void* operator new(size_t size, std::align_val_t alignment) {
  void* p = operator new(size, alignment, std::nothrow);
  if (p == nullptr) std::abort();
  return p;
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace staticflow {
namespace {

struct Doubling {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = "x"});
  Output y = x * 2.0 + 1.0;
};

Tensor Filled(int64_t n, float value) {
  return Tensor::Of<float>({n}, absl::MakeConstSpan(std::vector<float>(n, value)));
}

TEST(StepTest, ASteadyStepAllocatesOnlyTheListOfItsFetches) {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 64}, .name = "x"});
  Variable w = NewVariable(g, *Tensor::Create(DT_FLOAT, {64, 64}), {.name = "w"});
  Output loss = Sum(Square(MatMul(x, w.ref()) - 1.0));
  Output update = AssignAdd(w.ref(), Const(g, *Tensor::Create(DT_FLOAT, {64, 64})));
  Session session(g, {.threads = 2});
  ASSERT_TRUE(session.Initialize().ok());
  absl::StatusOr<Step> step = session.Prepare({.feeds = {x}, .fetches = {loss}, .targets = {update.node()}});
  ASSERT_TRUE(step.ok()) << step.status();
  const std::vector<Tensor> feeds = {*Tensor::Create(DT_FLOAT, {32, 64})};
  constexpr int kSteps = 100;
  for (int i = 0; i < kSteps; ++i) ASSERT_TRUE(step->Run(feeds).ok());
  const int64_t before = allocations;
  for (int i = 0; i < kSteps; ++i) ASSERT_TRUE(step->Run(feeds).ok());
  EXPECT_EQ(allocations - before, kSteps);
}

TEST(StepTest, FetchedTensorsStayTheCallers) {
  Doubling d;
  Session session(d.g);
  absl::StatusOr<Step> step = session.Prepare({.feeds = {d.x}, .fetches = {d.y, d.y}});
  ASSERT_TRUE(step.ok());
  std::vector<Tensor> kept;
  for (int i = 0; i < 100; ++i) {
    auto out = step->Run({Filled(3, static_cast<float>(i))});
    ASSERT_TRUE(out.ok()) << out.status();
    if (i % 3 == 0) kept.push_back((*out)[i % 2]);
  }
  for (size_t k = 0; k < kept.size(); ++k) EXPECT_EQ(kept[k].data<float>()[2], 2.0f * 3 * k + 1);
}

TEST(StepTest, AResultMayBeFedToTheNextStep) {
  Doubling d;
  Session session(d.g);
  absl::StatusOr<Step> step = session.Prepare({.feeds = {d.x}, .fetches = {d.y}});
  ASSERT_TRUE(step.ok());
  Tensor x = Filled(4, 0);
  for (int i = 0; i < 20; ++i) x = step->Run({x}).value()[0];
  EXPECT_EQ(x.data<float>()[3], (1 << 20) - 1);
}

// Another thread reads results and lets them go while the next steps run.
TEST(StepTest, ResultsMayBeLetGoOnAnotherThread) {
  Doubling d;
  Session session(d.g);
  absl::StatusOr<Step> step = session.Prepare({.feeds = {d.x}, .fetches = {d.y}});
  ASSERT_TRUE(step.ok());
  constexpr int kSteps = 2000;
  std::mutex mutex;
  std::deque<Tensor> results;
  int wrong = 0;
  std::thread reader([&] {
    for (int i = 0; i < kSteps;) {
      std::unique_lock lock(mutex);
      if (results.empty()) continue;
      Tensor result = std::move(results.front());
      results.pop_front();
      lock.unlock();
      for (float value : result.flat<float>()) wrong += value != 2.0f * i + 1;
      ++i;
    }
  });
  for (int i = 0; i < kSteps; ++i) {
    Tensor result = step->Run({Filled(50, static_cast<float>(i))}).value()[0];
    std::lock_guard lock(mutex);
    results.push_back(std::move(result));
  }
  reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(StepTest, CallsOfDifferentShapesRunSideBySide) {
  Doubling d;
  Session session(d.g, {.threads = 2});
  absl::StatusOr<Step> step = session.Prepare({.feeds = {d.x}, .fetches = {d.y}});
  ASSERT_TRUE(step.ok());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int c = 0; c < 6; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 200; ++i) {
        const int64_t n = 1 + (c + i) % 20;  // more shapes than plans are kept
        auto out = step->Run({Filled(n, static_cast<float>(i))});
        wrong += !out.ok() || (*out)[0].num_elements() != n || (*out)[0].data<float>()[n - 1] != 2.0f * i + 1;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(StepTest, ARefusedFeedLeavesTheStepUsable) {
  Doubling d;
  Session session(d.g);
  absl::StatusOr<Step> step = session.Prepare({.feeds = {d.x}, .fetches = {d.y}});
  ASSERT_TRUE(step.ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(step->Run({Filled(2, 1)}).ok());
    EXPECT_FALSE(step->Run({}).ok());
    EXPECT_FALSE(step->Run({Tensor::Vector<double>({1, 2})}).ok());
    EXPECT_FALSE(step->Run({Tensor::Matrix<float>({{1, 2}})}).ok());
  }
}

// With few predicates each combination has a plan of its own, with many one plan has jumps.
TEST(StepTest, FedPredicatesMayChangeFromStepToStep) {
  for (int count : {1, 3, 5}) {
    Graph g;
    Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {}, .name = "x"}), y = x;
    std::vector<Output> feeds = {x};
    for (int i = 0; i < count; ++i) {
      feeds.push_back(Placeholder(g, {.dtype = DT_BOOL, .shape = {}}));
      const double amount = 1 << i;
      y = Cond(
          feeds.back(), [&] { return y + amount; }, [&] { return Identity(y); });
    }
    Session session(g);
    absl::StatusOr<Step> step = session.Prepare({.feeds = feeds, .fetches = {y}});
    ASSERT_TRUE(step.ok()) << step.status();
    for (int round = 0; round < 64; ++round) {
      const int bits = (round * 37) % (1 << count);
      std::vector<Tensor> values = {Tensor(100.0f)};
      for (int i = 0; i < count; ++i) values.push_back(Tensor((bits >> i & 1) != 0));
      auto out = step->Run(values);
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_EQ((*out)[0].scalar<float>(), 100 + bits);
    }
  }
}

}  // namespace
}  // namespace staticflow
