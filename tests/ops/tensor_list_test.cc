// Lists of tensors by their builders, and what shares their storage. More of their ops: tests/golden/lists.
#include "ops/tensor_list.h"

#include <gtest/gtest.h>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/tensor_list_value.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

std::vector<Tensor> RunOutputs(Graph& g, std::vector<Output> fetches) {
  EXPECT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  absl::StatusOr<std::vector<Tensor>> values = session.Run({}, fetches);
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *std::move(values) : std::vector<Tensor>(fetches.size());
}

absl::Status RunError(Graph& g, Output fetch) {
  if (!g.status().ok()) return g.status();
  Session session(g);
  return session.Run({}, {fetch}).status();
}

TEST(TensorListTest, BuildersMakeListsThatGradientsPassThrough) {
  Graph g;
  const Output x = Const(g, Tensor::Vector<float>({1, 2}));
  const Output y = Const(g, Tensor::Vector<float>({3, 4}));
  Output list = EmptyTensorList(Const(g, Tensor::Vector<int32_t>({2})), -1, DT_FLOAT);
  list = TensorListPushBack(TensorListPushBack(list, x), y);
  list = TensorListSetItem(list, 0, x * y);
  const Output first = TensorListGetItem(list, 0, ShapeOf(x), DT_FLOAT);
  const Output rows = TensorListStack(list, ShapeOf(x), DT_FLOAT, {.num_elements = 2});
  const TensorListPopResult popped = TensorListPopBack(list, ShapeOf(x), DT_FLOAT);
  const std::vector<Output> gradients = Gradients({rows * rows, popped.tensor, first}, {x, y});
  const std::vector<Tensor> values =
      RunOutputs(g, {rows, TensorListLength(popped.list), TensorListElementShape(list), gradients[0], gradients[1]});
  EXPECT_EQ(values[0].ToString(), "float[2,2]{3, 8, 3, 4}");
  EXPECT_EQ(values[1].ToString(), "int32[]{1}");
  EXPECT_EQ(values[2].ToString(), "int32[1]{2}");
  EXPECT_EQ(values[3].ToString(), "float[2]{21, 68}");  // (2 x y + 1) y
  EXPECT_EQ(values[4].ToString(), "float[2]{14, 43}");  // (2 x y + 1) x + 2 y + 1
}

TEST(TensorListTest, SplitsAndJoins) {
  Graph g;
  const Output x = Const(g, Tensor::Of<float>({3, 1}, {1, 2, 3}));
  const Output any = Const(g, Tensor(-1)), indices = Const(g, Tensor::Vector<int32_t>({2, 0}));
  const Output parts = TensorListSplit(x, any, Const(g, Tensor::Vector<int64_t>({1, 2})));
  const TensorListConcatResult joined = TensorListConcat(parts, any, Const(g, Tensor::Vector<int64_t>({})), DT_FLOAT);
  const Output rows = TensorListFromTensor(x, any);
  const Output scattered = TensorListScatter(Gather(x, indices), indices, any, 3);
  const Output more = TensorListScatterIntoExistingList(TensorListResize(rows, 1), Gather(x, indices), indices);
  const Output both = TensorListConcatLists(rows, more, DT_FLOAT);
  const Output reserved = TensorListReserve(Const(g, Tensor::Vector<int32_t>({1})), 2, DT_FLOAT);
  const std::vector<Tensor> values =
      RunOutputs(g, {joined.tensor, joined.lengths,
                     TensorListGather(both, Const(g, Tensor::Vector<int32_t>({5, 3, 1})), any, DT_FLOAT),
                     TensorListStack(scattered, any, DT_FLOAT), TensorListStack(reserved, any, DT_FLOAT)});
  EXPECT_EQ(values[0].ToString(), "float[3,1]{1, 2, 3}");
  EXPECT_EQ(values[1].ToString(), "int64[2]{1, 2}");
  EXPECT_EQ(values[2].ToString(), "float[3,1]{3, 1, 2}");
  EXPECT_EQ(values[3].ToString(), "float[3,1]{1, 0, 3}");
  EXPECT_EQ(values[4].ToString(), "float[2,1]{0, 0}");
}

TEST(TensorListTest, OptionalsHoldWhatWasPutIn) {
  Graph g;
  const Output x = Const(g, Tensor::Vector<float>({1, 2})), n = Const(g, Tensor(7));
  const Output optional = OptionalFromValue({x, n});
  const std::vector<Output> held = OptionalGetValue(optional, {DT_FLOAT, DT_INT32}, {Shape({2}), Shape()});
  ASSERT_EQ(held.size(), 2u);
  const std::vector<Tensor> values = RunOutputs(g, {held[0], held[1], OptionalHasValue(optional)});
  EXPECT_EQ(values[0].ToString(), "float[2]{1, 2}");
  EXPECT_EQ(values[1].ToString(), "int32[]{7}");
  EXPECT_EQ(values[2].ToString(), "bool[]{true}");
  EXPECT_NE(RunError(g, OptionalGetValue(optional, {DT_FLOAT}, {Shape({2})})[0]).message().find("expected 1"),
            std::string::npos);
}

TEST(TensorListTest, NegativeIndicesAreNoPlaces) {
  Graph g;
  const Output rows = TensorListFromTensor(Const(g, Tensor::Vector<float>({1, 2})), Const(g, Tensor(-1)));
  const Output indices = Const(g, Tensor::Vector<int32_t>({0, -3}));
  const Output scattered = TensorListScatterIntoExistingList(rows, Const(g, Tensor::Vector<float>({1, 2})), indices);
  const absl::Status status = RunError(g, TensorListLength(scattered));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("index -3 is out of range"), std::string::npos) << status;
}

TEST(TensorListTest, SizesFromDataAreBounded) {
  Graph g;
  const int32_t huge = 2000000000;
  const Output x = Const(g, Tensor::Vector<float>({1})), any = Const(g, Tensor(-1)), item = Const(g, Tensor(1.0f));
  const Output rows = TensorListFromTensor(x, any), index = Const(g, Tensor::Vector<int32_t>({huge}));
  for (const Output list :
       {TensorListReserve(any, huge, DT_FLOAT), TensorListResize(rows, huge),
        TensorListSetItem(rows, huge, item, {.resize_if_index_out_of_bounds = true}),
        TensorListScatter(x, index, any, -1), TensorListScatter(x, Const(g, Tensor::Vector<int32_t>({0})), any, huge),
        TensorListScatterIntoExistingList(rows, x, index)}) {
    EXPECT_EQ(RunError(g, TensorListLength(list)).code(), absl::StatusCode::kResourceExhausted);
  }
}

TEST(TensorListTest, PushingToOneListTwiceLeavesBothAlone) {
  const Variant empty = TensorList::Make({DT_FLOAT}, {});
  const auto list_in = [](const Variant& value) { return *TensorListIn(value); };
  const Variant one = list_in(empty)->Push(Tensor(1.0f));
  const Variant left = list_in(one)->Push(Tensor(2.0f)), right = list_in(one)->Push(Tensor(3.0f));
  const Variant shorter = list_in(left)->Pop(), again = list_in(shorter)->Push(Tensor(4.0f));
  EXPECT_EQ(list_in(one)->size(), 1);
  EXPECT_EQ(list_in(left)->elements()[1].scalar<float>(), 2);
  EXPECT_EQ(list_in(right)->elements()[1].scalar<float>(), 3);
  EXPECT_EQ(list_in(again)->elements()[1].scalar<float>(), 4);
  EXPECT_EQ(list_in(again)->elements()[0].scalar<float>(), 1);
}

}  // namespace
}  // namespace staticflow
