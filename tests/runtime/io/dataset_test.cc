#include "runtime/io/dataset.h"

#include <algorithm>
#include <set>

#include "gtest/gtest.h"

namespace staticflow {
namespace {

// Row i holds the numbers 10 * i, 10 * i + 1 and the name "i".
DataSet Numbers(int64_t n) {
  Tensor values = *Tensor::Create(DT_FLOAT, {n, 2});
  Tensor names = *Tensor::Create(DT_STRING, {n});
  for (int64_t i = 0; i < n; ++i) {
    values.data<float>()[2 * i] = static_cast<float>(10 * i);
    values.data<float>()[2 * i + 1] = static_cast<float>(10 * i + 1);
    names.data<std::string>()[i] = std::to_string(i);
  }
  return *DataSet::Create({values, names});
}

// The row numbers of up to `count` batches; checks that the components agree.
std::vector<std::vector<int>> Take(Batches* batches, int count) {
  std::vector<std::vector<int>> all;
  std::vector<Tensor> batch;
  while (static_cast<int>(all.size()) < count) {
    const auto more = batches->Next(&batch);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    EXPECT_EQ(batch.size(), 2u);
    EXPECT_EQ(batch[0].shape(), Shape({batch[1].shape().dim(0), 2}));
    std::vector<int> rows;
    for (int64_t i = 0; i < batch[1].num_elements(); ++i) {
      rows.push_back(std::stoi(batch[1].data<std::string>()[i]));
      EXPECT_EQ(batch[0].data<float>()[2 * i + 1], static_cast<float>(10 * rows.back() + 1));
    }
    all.push_back(rows);
  }
  return all;
}

TEST(BatchesTest, InOrder) {
  using Rows = std::vector<std::vector<int>>;
  const struct {
    Tail tail;
    int64_t batch_size;
    int64_t epochs;
    Rows want;
  } rows[] = {{Tail::kKeep, 2, 2, {{0, 1}, {2, 3}, {4}, {0, 1}, {2, 3}, {4}}},
              {Tail::kDrop, 2, 2, {{0, 1}, {2, 3}, {0, 1}, {2, 3}}},
              {Tail::kAcrossEpochs, 2, 2, {{0, 1}, {2, 3}, {4, 0}, {1, 2}, {3, 4}}},
              {Tail::kAcrossEpochs, 3, 2, {{0, 1, 2}, {3, 4, 0}, {1, 2, 3}, {4}}},
              {Tail::kAcrossEpochs, 12, 3, {{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1}, {2, 3, 4}}},
              {Tail::kKeep, 9, 1, {{0, 1, 2, 3, 4}}},
              {Tail::kDrop, 9, 3, {}},
              {Tail::kKeep, 2, 0, {}}};
  for (const auto& row : rows) {
    for (int prefetch : {0, 1, 3}) {
      Batches batches(Numbers(5),
                      {.batch_size = row.batch_size, .tail = row.tail, .epochs = row.epochs, .prefetch = prefetch});
      EXPECT_EQ(Take(&batches, 100), row.want);
      EXPECT_TRUE(Take(&batches, 1).empty());  // the end stays the end
    }
  }
}

TEST(BatchesTest, EveryEpochShufflesAllRowsAnew) {
  Batches batches(Numbers(20), {.batch_size = 20, .shuffle = true, .seed = 7});
  std::set<std::vector<int>> orders;
  for (std::vector<int> order : Take(&batches, 5)) {
    orders.insert(order);
    std::sort(order.begin(), order.end());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  }
  EXPECT_EQ(orders.size(), 5u);
}

// The order is a promise: a resumed run, also on another machine, sees the same rows.
TEST(BatchesTest, TheOrderIsFixed) {
  EXPECT_EQ(ShuffledOrder(10, 1, 0), (std::vector<int64_t>{9, 3, 7, 1, 4, 8, 0, 2, 5, 6}));
  EXPECT_EQ(ShuffledOrder(10, 1, 1), (std::vector<int64_t>{7, 9, 0, 1, 2, 8, 3, 6, 4, 5}));
  EXPECT_EQ(ShuffledOrder(10, 2, 0), (std::vector<int64_t>{5, 2, 6, 0, 9, 1, 8, 4, 3, 7}));
  EXPECT_EQ(ShuffledOrder(1, 1, 0), (std::vector<int64_t>{0}));
  EXPECT_TRUE(ShuffledOrder(0, 1, 0).empty());
}

TEST(BatchesTest, EveryPlaceIsEquallyLikely) {
  int counts[4][4] = {};
  for (int seed = 0; seed < 4000; ++seed) {
    const auto order = ShuffledOrder(4, static_cast<uint64_t>(seed), seed % 3);
    for (size_t i = 0; i < 4; ++i) ++counts[i][order[i]];
  }
  for (const auto& row : counts) {
    for (int count : row) EXPECT_NEAR(count, 1000, 120);
  }
}

TEST(BatchesTest, GoesOnFromAnyPosition) {
  for (Tail tail : {Tail::kKeep, Tail::kDrop, Tail::kAcrossEpochs}) {
    for (int prefetch : {0, 2}) {
      const BatchOptions options = {
          .batch_size = 3, .shuffle = true, .seed = 3, .tail = tail, .epochs = 4, .prefetch = prefetch};
      Batches straight(Numbers(10), options);
      const auto want = Take(&straight, 100);
      for (int stop = 0; stop <= static_cast<int>(want.size()); ++stop) {
        Batches first(Numbers(10), options);
        auto got = Take(&first, stop);
        Batches second(Numbers(10), options);
        ASSERT_TRUE(second.Seek(first.position()).ok());
        for (const auto& batch : Take(&second, 100)) got.push_back(batch);
        EXPECT_EQ(got, want) << stop;
        ASSERT_TRUE(second.Seek({}).ok());
        EXPECT_EQ(Take(&second, 100), want);
      }
    }
  }
}

TEST(BatchesTest, StoppingWhileTheThreadWaitsIsClean) {
  for (int taken = 0; taken < 4; ++taken) {
    Batches batches(Numbers(10), {.batch_size = 1, .prefetch = 2});
    EXPECT_EQ(Take(&batches, taken).size(), static_cast<size_t>(taken));
  }
}

TEST(BatchesTest, Errors) {
  std::vector<Tensor> batch;
  for (const BatchOptions& options : {BatchOptions{.batch_size = 0}, BatchOptions{.batch_size = 6, .tail = Tail::kDrop},
                                      BatchOptions{.batch_size = 0, .prefetch = 1}}) {
    Batches batches(Numbers(5), options);
    EXPECT_EQ(batches.Next(&batch).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(batches.Next(&batch).status().code(), absl::StatusCode::kInvalidArgument);
  }
  Batches empty(Numbers(0), {});
  EXPECT_EQ(empty.Next(&batch).status().code(), absl::StatusCode::kInvalidArgument);
  Batches batches(Numbers(5), {});
  for (const BatchPosition& position : {BatchPosition{-1, 0}, BatchPosition{0, -1}, BatchPosition{0, 6}})
    EXPECT_EQ(batches.Seek(position).code(), absl::StatusCode::kInvalidArgument);
}

TEST(DataSetTest, Create) {
  EXPECT_FALSE(DataSet::Create({}).ok());
  EXPECT_FALSE(DataSet::Create({Tensor(1.0f)}).ok());
  EXPECT_FALSE(DataSet::Create({Tensor()}).ok());
  EXPECT_FALSE(DataSet::Create({Tensor::Vector<float>({1, 2}), Tensor::Vector<float>({1})}).ok());
  EXPECT_EQ(DataSet::Create({Tensor::Vector<float>({1, 2})})->size(), 2);
}

TEST(DataSetTest, SplitAndRows) {
  const auto [first, rest] = Numbers(5).Split(2);
  EXPECT_EQ(first.size(), 2);
  EXPECT_EQ(rest.size(), 3);
  EXPECT_EQ(rest.AllRows()->at(1).data<std::string>()[0], "2");
  const auto [inner, tail] = rest.Split(1);
  EXPECT_EQ(inner.AllRows()->at(1).data<std::string>()[0], "2");
  EXPECT_EQ(tail.Rows({1})->at(1).data<std::string>()[0], "4");
  EXPECT_EQ(tail.Rows({2}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tail.Rows({-1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Numbers(5).Split(99).second.size(), 0);
  EXPECT_EQ(Numbers(5).Split(-1).first.size(), 0);
  Batches batches(rest, {.batch_size = 2, .epochs = 1});
  EXPECT_EQ(Take(&batches, 9), (std::vector<std::vector<int>>{{2, 3}, {4}}));
}

}  // namespace
}  // namespace staticflow
