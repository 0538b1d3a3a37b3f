// Queues, step by step, as handles and as references. Values: TensorFlow 2.21, but where it would wait.
#include "ops/queue.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

constexpr absl::StatusCode kOk = absl::StatusCode::kOk, kWaits = absl::StatusCode::kFailedPrecondition,
                           kClosed = absl::StatusCode::kCancelled, kEmpty = absl::StatusCode::kOutOfRange,
                           kInvalid = absl::StatusCode::kInvalidArgument;

// One step of a session: an op on the queue, its operands, and what comes of it.
struct QueueStep {
  std::string op;  // without the ending V2
  std::vector<Tensor> operands = {};
  std::vector<Tensor> want = {};
  absl::StatusCode code = kOk;
};

struct QueueCase {
  std::string name;
  std::string queue;
  std::vector<DataType> types;  // of an element
  AttrMap attrs;
  std::vector<QueueStep> steps;
};
void PrintTo(const QueueCase& row, std::ostream* out) { *out << row.queue << " '" << row.name << "'"; }

class QueueTest : public testing::TestWithParam<QueueCase> {};

Node* StepNode(const QueueStep& step, const std::string& ending, const QueueCase& row, Output queue) {
  NodeBuilder builder(queue.graph(), step.op + ending, std::source_location::current());
  builder.Input(queue);
  std::vector<Output> operands;
  for (const Tensor& operand : step.operands) operands.push_back(Const(queue.graph(), operand));
  if (step.op == "QueueEnqueue" || step.op == "QueueEnqueueMany") {
    builder.Inputs(operands);
  } else if (!operands.empty()) {
    builder.Input(operands[0]);
  }
  if (step.op.starts_with("QueueDequeue")) builder.Attr("component_types", row.types);
  return builder.BuildNode();
}

TEST_P(QueueTest, DoesWhatTensorFlowsDoes) {
  const QueueCase& row = GetParam();
  for (const std::string ending : {"", "V2"}) {
    Graph g;
    NodeBuilder declaration(g, row.queue + ending, std::source_location::current());
    for (const auto& [name, value] : row.attrs) declaration.Attr(name, value);
    const Output queue = declaration.Build();
    Session session(g, {.threads = 1});
    for (size_t i = 0; i < row.steps.size(); ++i) {
      const QueueStep& step = row.steps[i];
      SCOPED_TRACE(absl::StrCat("step ", i, " ", step.op, ending));
      Node* node = StepNode(step, ending, row, queue);
      ASSERT_NE(node, nullptr) << g.status();
      std::vector<Output> fetches;
      for (int k = 0; k < node->num_outputs(); ++k) fetches.push_back(node->output(k));
      const auto got = session.Run({}, fetches, {node});
      ASSERT_EQ(got.status().code(), step.code) << got.status();
      for (size_t k = 0; k < step.want.size(); ++k) EXPECT_TRUE(TensorsNear((*got)[k], step.want[k], 0)) << k;
    }
  }
}

Tensor Strings(std::initializer_list<std::string> values) { return T<std::string>(values); }
const Tensor& Zero() {
  static const Tensor& zero = *new Tensor(0);
  return zero;
}

std::vector<QueueCase> Cases() {
  const std::vector<DataType> ints = {DT_INT32};
  const std::vector<Shape> scalars = {Shape()};
  return {
      {.name = "fifo",
       .queue = "FIFOQueue",
       .types = {DT_INT32, DT_FLOAT},
       .attrs = {{"component_types", std::vector<DataType>{DT_INT32, DT_FLOAT}},
                 {"shapes", std::vector<Shape>{Shape(), Shape({2})}},
                 {"capacity", int64_t{3}}},
       .steps = {{"QueueIsClosed", {}, {Tensor(false)}},
                 {"QueueEnqueue", {Tensor(1), T({1, 2})}},
                 {"QueueEnqueueMany", {T<int32_t>({2, 3}), M({{3, 4}, {5, 6}})}},
                 {"QueueSize", {}, {Tensor(3)}},
                 {"QueueEnqueue", {Tensor(1), T({1, 2})}, {}, kWaits},
                 {"QueueDequeue", {}, {Tensor(1), T({1, 2})}},
                 {"QueueDequeueMany", {Tensor(3)}, {}, kWaits},
                 {"QueueDequeueMany", {Tensor(2)}, {T<int32_t>({2, 3}), M({{3, 4}, {5, 6}})}},
                 {"QueueDequeue", {}, {}, kWaits},
                 {"QueueClose"},
                 {"QueueIsClosed", {}, {Tensor(true)}},
                 {"QueueEnqueue", {Tensor(1), T({1, 2})}, {}, kClosed},
                 {"QueueDequeue", {}, {}, kEmpty},
                 {"QueueDequeueMany", {Tensor(1)}, {}, kEmpty},
                 {"QueueDequeueUpTo", {Tensor(1)}, {}, kEmpty},
                 {"QueueClose", {}, {}, kClosed}}},
      {.name = "what a closed queue has",
       .queue = "FIFOQueue",
       .types = ints,
       .attrs = {{"component_types", ints}, {"shapes", scalars}, {"capacity", int64_t{3}}},
       .steps = {{"QueueEnqueueMany", {T<int32_t>({1, 2, 3})}},
                 {"QueueClose"},
                 {"QueueDequeueMany", {Tensor(2)}, {T<int32_t>({1, 2})}},
                 {"QueueDequeueMany", {Tensor(2)}, {}, kEmpty},
                 {"QueueDequeueUpTo", {Tensor(5)}, {T<int32_t>({3})}},
                 {"QueueDequeueUpTo", {Tensor(5)}, {}, kEmpty},
                 {"QueueSize", {}, {Zero()}}}},
      {.name = "any shape",
       .queue = "FIFOQueue",
       .types = ints,
       .attrs = {{"component_types", ints}},
       .steps = {{"QueueEnqueue", {T<int32_t>({1, 2})}},
                 {"QueueEnqueue", {M<int32_t>({{1}})}},
                 {"QueueDequeueMany", {Tensor(2)}, {}, kInvalid},
                 {"QueueDequeue", {}, {T<int32_t>({1, 2})}},
                 {"QueueDequeue", {}, {M<int32_t>({{1}})}}}},
      {.name = "shapes",
       .queue = "FIFOQueue",
       .types = ints,
       .attrs = {{"component_types", ints}, {"shapes", std::vector<Shape>{Shape({2})}}},
       .steps = {{"QueueEnqueue", {T<int32_t>({1, 2, 3})}, {}, kInvalid},
                 {"QueueEnqueueMany", {M<int32_t>({{1, 2}, {3, 4}})}},
                 {"QueueEnqueueMany", {M<int32_t>({{1}, {3}})}, {}, kInvalid},
                 {"QueueEnqueueMany", {Tensor(1)}, {}, kInvalid},
                 {"QueueEnqueueMany", {T<int32_t>({0, 2}, {})}},
                 {"QueueSize", {}, {Tensor(2)}},
                 {"QueueDequeueMany", {Zero()}, {T<int32_t>({0, 2}, {})}},
                 {"QueueEnqueue", {T({1, 2})}, {}, kInvalid},
                 {"QueueDequeueMany", {Tensor(2)}, {M<int32_t>({{1, 2}, {3, 4}})}}}},
      {.name = "padding",
       .queue = "PaddingFIFOQueue",
       .types = {DT_INT32, DT_STRING},
       .attrs = {{"component_types", std::vector<DataType>{DT_INT32, DT_STRING}},
                 {"shapes", std::vector<Shape>{Shape({-1}), Shape({-1, 2})}},
                 {"capacity", int64_t{5}}},
       .steps = {{"QueueEnqueue", {T<int32_t>({1}), T<std::string>({1, 2}, {"a", "b"})}},
                 {"QueueEnqueue", {T<int32_t>({1, 2, 3}), T<std::string>({0, 2}, {})}},
                 {"QueueDequeueMany",
                  {Tensor(2)},
                  {M<int32_t>({{1, 0, 0}, {1, 2, 3}}), T<std::string>({2, 1, 2}, {"a", "b", "", ""})}},
                 {"QueueEnqueue", {T<int32_t>({1}), T<std::string>({1, 2}, {"a", "b"})}},
                 {"QueueDequeue", {}, {T<int32_t>({1}), T<std::string>({1, 2}, {"a", "b"})}},
                 {"QueueEnqueue", {M<int32_t>({{1}}), T<std::string>({1, 2}, {"a", "b"})}, {}, kInvalid},
                 {"QueueEnqueue", {T<int32_t>({1}), T<std::string>({1, 3}, {"a", "b", "c"})}, {}, kInvalid},
                 {"QueueEnqueue", {T<int32_t>({1}), T<std::string>({1, 2}, {"a", "b"})}},
                 {"QueueClose"},
                 {"QueueDequeueUpTo", {Tensor(3)}, {M<int32_t>({{1}}), T<std::string>({1, 1, 2}, {"a", "b"})}}}},
      {.name = "random",
       .queue = "RandomShuffleQueue",
       .types = ints,
       .attrs = {{"component_types", ints},
                 {"shapes", scalars},
                 {"capacity", int64_t{10}},
                 {"seed", int64_t{5}},
                 {"seed2", int64_t{3}}},
       .steps = {{"QueueEnqueueMany", {T<int32_t>({0, 1, 2, 3, 4, 5, 6, 7})}},
                 {"QueueSize", {}, {Tensor(8)}},
                 {"QueueDequeue", {}, {Tensor(2)}},
                 {"QueueDequeue", {}, {Tensor(3)}},
                 {"QueueDequeue", {}, {Tensor(7)}},
                 {"QueueDequeueMany", {Tensor(3)}, {T<int32_t>({1, 5, 0})}},
                 {"QueueDequeueUpTo", {Tensor(5)}, {}, kWaits}}},
      {.name = "some stay",
       .queue = "RandomShuffleQueue",
       .types = ints,
       .attrs = {{"component_types", ints},
                 {"shapes", scalars},
                 {"capacity", int64_t{10}},
                 {"min_after_dequeue", int64_t{4}},
                 {"seed", int64_t{5}},
                 {"seed2", int64_t{3}}},
       .steps = {{"QueueEnqueueMany", {T<int32_t>({0, 1, 2, 3, 4, 5, 6, 7})}},
                 {"QueueDequeueMany", {Tensor(3)}, {T<int32_t>({2, 3, 7})}},
                 {"QueueDequeueMany", {Tensor(2)}, {}, kWaits},
                 {"QueueSize", {}, {Tensor(5)}},
                 {"QueueClose"},
                 {"QueueDequeueMany", {Tensor(3)}, {T<int32_t>({1, 5, 0})}}}},
      {.name = "priorities",
       .queue = "PriorityQueue",
       .types = {DT_INT64, DT_STRING},
       .attrs = {{"component_types", std::vector<DataType>{DT_STRING}}, {"shapes", scalars}, {"capacity", int64_t{5}}},
       .steps = {{"QueueEnqueue", {Tensor(int64_t{5}), Tensor("five")}},
                 {"QueueEnqueueMany", {T<int64_t>({3, 9, 3}), Strings({"t1", "n", "t2"})}},
                 {"QueueSize", {}, {Tensor(4)}},
                 {"QueueDequeue", {}, {Tensor(int64_t{3}), Tensor("t1")}},
                 {"QueueDequeueMany", {Tensor(2)}, {T<int64_t>({3, 5}), Strings({"t2", "five"})}},
                 {"QueueClose"},
                 {"QueueDequeueUpTo", {Tensor(2)}, {}, kEmpty},  // never fewer
                 {"QueueDequeueUpTo", {Tensor(1)}, {T<int64_t>({9}), Strings({"n"})}}}},
      {.name = "shapes for some",
       .queue = "PaddingFIFOQueue",
       .types = ints,
       .attrs = {{"component_types", ints}},
       .steps = {{"QueueSize", {}, {}, kInvalid}}},
      {.name = "all stay",
       .queue = "RandomShuffleQueue",
       .types = ints,
       .attrs = {{"component_types", ints}, {"capacity", int64_t{4}}, {"min_after_dequeue", int64_t{4}}},
       .steps = {{"QueueSize", {}, {}, kInvalid}}},
  };
}

INSTANTIATE_TEST_SUITE_P(Kinds, QueueTest, testing::ValuesIn(Cases()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) c = c == ' ' ? '_' : c;
  return name;
});

// The forms with handles that the table makes of the names above.
const std::vector<std::string>& HandleForms() {
  static const auto& forms = *new std::vector<std::string>{
      "FIFOQueueV2",        "PaddingFIFOQueueV2", "RandomShuffleQueueV2", "PriorityQueueV2",
      "QueueEnqueueV2",     "QueueDequeueV2",     "QueueEnqueueManyV2",   "QueueDequeueManyV2",
      "QueueDequeueUpToV2", "QueueSizeV2",        "QueueCloseV2",         "QueueIsClosedV2"};
  return forms;
}
TEST(QueueForms, AreAllTested) {
  std::string types;
  for (const QueueCase& row : Cases()) {
    absl::StrAppend(&types, " ", row.queue, "V2 ");
    for (const QueueStep& step : row.steps) absl::StrAppend(&types, " ", step.op, "V2 ");
  }
  for (const std::string& form : HandleForms()) EXPECT_NE(types.find(" " + form + " "), std::string::npos) << form;
}

// The pipeline of TensorFlow 1's programs: names go round in one queue, batches are made in another.
TEST(QueueBuilders, MakeAnInputPipeline) {
  Graph g;
  const Output names = FIFOQueue(g, {.component_types = {DT_STRING}, .shapes = {{}}, .shared_name = "names"});
  const Operation fill = QueueEnqueueMany(names, {Const(g, Strings({"a", "bb", "ccc"}))});
  const Output batches =
      PaddingFIFOQueue(g, {.component_types = {DT_STRING, DT_INT32}, .shapes = {Shape(), Shape({-1})}, .capacity = 4});
  const Output name = QueueDequeue(names, {DT_STRING})[0];
  EXPECT_EQ(name.shape(), Shape());
  const Operation example = QueueEnqueue(batches, {name, Const(g, T<int32_t>({7}))});
  const std::vector<Output> batch = QueueDequeueMany(batches, 2, {DT_STRING, DT_INT32});
  EXPECT_EQ(batch[1].shape(), Shape({2, -1}));
  const Output rest = QueueDequeueUpTo(batches, 2, {DT_STRING, DT_INT32})[0];
  const Operation close = QueueClose(batches);
  const Output left = QueueSize(names), closed = QueueIsClosed(batches);
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 2});
  ASSERT_TRUE(session.Run({}, {}, {fill}).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session.Run({}, {}, {example}).ok());
  absl::StatusOr<std::vector<Tensor>> got = session.Run({}, batch);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], Strings({"a", "bb"}), 0));
  EXPECT_TRUE(TensorsNear((*got)[1], M<int32_t>({{7}, {7}}), 0));
  EXPECT_NE(session.Run({}, batch).status().message().find("this would wait for ever"), std::string::npos);
  ASSERT_TRUE(session.Run({}, {}, {close}).ok());
  got = session.Run({}, {rest, left, closed});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(TensorsNear((*got)[0], Strings({"ccc"}), 0));
  EXPECT_TRUE(TensorsNear((*got)[1], Tensor(0), 0));
  EXPECT_TRUE(TensorsNear((*got)[2], Tensor(true), 0));
}

TEST(QueueBuilders, ShareAQueueByName) {
  Graph g;
  const QueueOptions options = {.component_types = {DT_INT32}, .shapes = {{}}, .capacity = 2, .shared_name = "q"};
  QueueOptions larger = options;
  larger.capacity = 3;
  const Operation put = QueueEnqueue(FIFOQueue(g, options), {Const(g, 7)});
  const Output same = QueueSize(FIFOQueue(g, options)), other = QueueSize(FIFOQueue(g, larger));
  const Output shuffled = QueueSize(RandomShuffleQueue(g, options)), first = QueueSize(PriorityQueue(g, options));
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Run({}, {}, {put}).ok());
  const absl::StatusOr<Tensor> size = session.Run({}, same);
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_TRUE(TensorsNear(*size, Tensor(1), 0));
  for (const Output& wrong : {other, shuffled, first}) {
    EXPECT_EQ(session.Run({}, wrong).status().code(), kInvalid);
  }
}

}  // namespace
}  // namespace staticflow
