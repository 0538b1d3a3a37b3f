// Stacks and tensor arrays: what lives for one step.
#include "ops/tensor_array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <functional>

#include "graph/gradients.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/math.h"
#include "ops/stack.h"
#include "runtime/session.h"
#include "tests/op_test.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

Output Ints(Graph& g, std::initializer_list<int32_t> values) { return Const(g, Tensor::Vector<int32_t>(values)); }

// The roles by which the gradient walk knows stacks.
TEST(Stack, HasBothForms) {
  for (const auto& [reference, handle] : {std::pair("Stack", "StackV2"),
                                          {"StackPush", "StackPushV2"},
                                          {"StackPop", "StackPopV2"},
                                          {"StackClose", "StackCloseV2"}}) {
    ASSERT_NE(FindOp(reference), nullptr) << reference;
    ASSERT_NE(FindOp(handle), nullptr) << handle;
    EXPECT_EQ(FindOp(reference)->spec.role, FindOp(handle)->spec.role) << handle;
  }
}

TEST(Stack, GivesBackWhatWasPushedLast) {
  for (const bool old_form : {false, true}) {
    Graph g;
    const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1}, .name = "x"});
    const Output stack =
        old_form ? NodeBuilder(g, "Stack", std::source_location::current()).Attr("elem_type", DT_FLOAT).Build()
                 : StackV2(Const(g, -1), DT_FLOAT);
    const Output first = StackPush(stack, x);
    const Output second = WithDependencies({{first}}, x * 2);
    const Output pushed = StackPush(stack, second);
    Output a, b;
    {
      const ControlDependencies after(g, {pushed});
      a = StackPop(stack, DT_FLOAT);
    }
    {
      const ControlDependencies after(g, {a});
      b = StackPop(stack, DT_FLOAT);
    }
    Operation close;
    {
      const ControlDependencies after(g, {b});
      close = StackClose(stack);
    }
    ASSERT_TRUE(g.status().ok()) << g.status();
    Session session(g);
    for (int step = 0; step < 2; ++step) {
      const auto got = session.Run({{x, Tensor::Vector<float>({1, 2})}}, {a, b, pushed}, {close});
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_TRUE(TensorsNear((*got)[0], T({2, 4}), 0));
      EXPECT_TRUE(TensorsNear((*got)[1], T({1, 2}), 0));
      EXPECT_TRUE(TensorsNear((*got)[2], T({2, 4}), 0));
    }
  }
}

struct FailingCase {
  const char* name;
  std::function<Output(Graph& g, Output x)> build;  // x: float[2] {1, 2}
  const char* message;
};

class StepObjectErrors : public testing::TestWithParam<FailingCase> {};

TEST_P(StepObjectErrors, AreReported) {
  Graph g;
  const Output x = Const(g, Tensor::Vector<float>({1, 2}));
  const Output y = GetParam().build(g, x);
  Session session(g);
  const absl::Status status = g.status().ok() ? session.Run({}, y).status() : g.status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

TensorArray Array(Graph& g, int size, const TensorArrayOptions& options = {}) {
  return TensorArray::Create(g, DT_FLOAT, Const(g, size), options);
}

INSTANTIATE_TEST_SUITE_P(
    All, StepObjectErrors,
    testing::Values(
        FailingCase{"empty stack", [](Graph& g, Output) { return StackPop(StackV2(Const(g, 1), DT_FLOAT), DT_FLOAT); },
                    "StackPopV2' (tensor_array_test.cc:"},
        FailingCase{"nothing on the stack",
                    [](Graph& g, Output) { return StackPop(StackV2(Const(g, 1), DT_FLOAT), DT_FLOAT); },
                    "the stack is empty"},
        FailingCase{"full stack",
                    [](Graph& g, Output x) {
                      const Output stack = StackV2(Const(g, 1), DT_FLOAT);
                      return StackPush(stack, WithDependencies({{StackPush(stack, x)}}, x));
                    },
                    "the stack is full: it holds 1"},
        FailingCase{"wrong type", [](Graph& g, Output x) { return StackPush(StackV2(Const(g, 1), DT_INT32), x); },
                    "the stack is for int32, the element is float"},
        FailingCase{"closed stack",
                    [](Graph& g, Output x) {
                      const Output stack = StackV2(Const(g, 1), DT_FLOAT);
                      return StackPush(stack, WithDependencies({{StackClose(stack)}}, x));
                    },
                    "the stack was closed"},
        FailingCase{"an array's handle", [](Graph& g, Output) { return StackPop(Array(g, 1).handle(), DT_FLOAT); },
                    "the handle 'TensorArray#0' leads to nothing that this step made"},
        FailingCase{"negative size", [](Graph& g, Output) { return Array(g, -1).flow(); }, "size is -1"},
        FailingCase{"huge size", [](Graph& g, Output) { return Array(g, 2147483647).flow(); },
                    "size is 2147483647, at most"},
        FailingCase{"read outside", [](Graph& g, Output x) { return Array(g, 2).Unstack(x).Read(2); },
                    "tried to read from index 2 but array size is: 2"},
        FailingCase{"read before", [](Graph& g, Output) { return Array(g, 2).Read(-1); },
                    "tried to read from index -1"},
        FailingCase{"unwritten", [](Graph& g, Output x) { return Array(g, 2).Write(0, x).Read(1); },
                    "could not read index 1 because it has not yet been written to"},
        FailingCase{"read twice",
                    [](Graph& g, Output x) {
                      const TensorArray array = Array(g, 1).Write(0, x);
                      const Output once = array.Read(0);
                      return array.WithFlow(WithDependencies({{once}}, array.flow())).Read(0);
                    },
                    "cleared after a previous read"},
        FailingCase{"write outside", [](Graph& g, Output x) { return Array(g, 2).Write(2, x).flow(); },
                    "tried to write to index 2 but array is not resizeable and size is: 2"},
        FailingCase{"written twice", [](Graph& g, Output x) { return Array(g, 2).Write(0, x).Write(0, x).flow(); },
                    "already been written to"},
        FailingCase{"another type",
                    [](Graph& g, Output x) {
                      const TensorArray array = Array(g, 2);
                      return NodeBuilder("TensorArrayWriteV3",
                                         {array.handle(), Const(g, 0), Cast(x, DT_INT32), array.flow()})
                          .Build();
                    },
                    "is for float, the value is int32"},
        FailingCase{"another shape",
                    [](Graph& g, Output x) { return Array(g, 2, {.element_shape = {3}}).Write(0, x).flow(); },
                    "value shape is [2] which is incompatible with the element shape [3]"},
        FailingCase{"shapes that differ",
                    [](Graph& g, Output x) { return Array(g, 2).Write(0, x).Write(1, Const(g, 1.0f)).flow(); },
                    "incompatible with the element shape [2]"},
        FailingCase{"gather of nothing", [](Graph& g, Output) { return Array(g, 0).Stack(); },
                    "<unknown> is not fully defined"},
        FailingCase{"rows that differ",
                    [](Graph& g, Output x) {
                      return Array(g, 2, {.infer_shape = false}).Write(0, x).Write(1, Const(g, 1.0f)).Stack();
                    },
                    "TensorArray has inconsistent shapes: index 1 has shape []"},
        FailingCase{"lengths",
                    [](Graph& g, Output x) {
                      return Array(g, 2).Split(x, Const(g, Tensor::Vector<int64_t>({1, 2}))).flow();
                    },
                    "the lengths sum to 3, but the value has 2 rows"},
        FailingCase{
            "too few lengths",
            [](Graph& g, Output x) { return Array(g, 2).Split(x, Const(g, Tensor::Vector<int64_t>({2}))).flow(); },
            "has 2 elements, but 1 lengths are given"},
        FailingCase{"indices and rows",
                    [](Graph& g, Output x) {
                      return Array(g, 3).Scatter(Ints(g, {0, 1, 2}), x).flow();
                    },
                    "rows"},
        FailingCase{"closed",
                    [](Graph& g, Output x) {
                      const TensorArray array = Array(g, 1);
                      const ControlDependencies after(g, {array.Close()});
                      return array.Write(0, Identity(x)).flow();
                    },
                    "has already been closed"}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

// Values, and gradients by x of the sum of y, through arrays without a loop.
struct ArrayCase {
  const char* name;
  std::function<Output(Graph& g, Output x)> build;  // x: float[4] {1, 2, 3, 4}
  Tensor want;
  Tensor want_gradient;
};

class TensorArrays : public testing::TestWithParam<ArrayCase> {};

TEST_P(TensorArrays, GiveValuesAndGradients) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {4}, .name = "x"});
  const Output y = GetParam().build(g, x);
  const std::vector<Output> dx = Gradients({y}, {x});
  const std::vector<Output> again = Gradients({y * 2}, {x});
  ASSERT_TRUE(g.status().ok()) << g.status();
  Session session(g);
  for (int step = 0; step < 2; ++step) {
    const auto got = session.Run({{x, Tensor::Vector<float>({1, 2, 3, 4})}}, {y, dx[0], again[0]});
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(TensorsNear((*got)[0], GetParam().want, 1e-6));
    EXPECT_TRUE(TensorsNear((*got)[1], GetParam().want_gradient, 1e-6));
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ((*got)[2].data<float>()[i], 2 * GetParam().want_gradient.data<float>()[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TensorArrays,
    testing::Values(ArrayCase{"stack", [](Graph& g, Output x) { return Array(g, 4).Unstack(x * x).Stack(); },
                              T({1, 4, 9, 16}), T({2, 4, 6, 8})},
                    ArrayCase{"read",
                              [](Graph& g, Output x) {
                                const TensorArray a = Array(g, 4, {.clear_after_read = false}).Unstack(x);
                                return a.Read(2) * a.Read(2) + a.Read(0);
                              },
                              T(Shape(), {10}), T({1, 0, 6, 0})},
                    ArrayCase{"write",
                              [](Graph& g, Output x) {
                                return Array(g, 1, {.dynamic_size = true}).Write(0, x).Write(1, x * x).Stack();
                              },
                              T({2, 4}, {1, 2, 3, 4, 1, 4, 9, 16}), T({3, 5, 7, 9})},
                    ArrayCase{
                        "gather",
                        [](Graph& g, Output x) {
                          return Array(g, 4, {.clear_after_read = false}).Unstack(x * x).Gather(Ints(g, {3, 1, 3}));
                        },
                        T({16, 4, 16}), T({0, 4, 0, 16})},
                    ArrayCase{"scatter",
                              [](Graph& g, Output x) {
                                return Array(g, 4).Scatter(Ints(g, {3, 2, 1, 0}), x * x).Stack();
                              },
                              T({16, 9, 4, 1}), T({2, 4, 6, 8})},
                    ArrayCase{"split and concat",
                              [](Graph& g, Output x) {
                                const TensorArray a = Array(g, 2, {.clear_after_read = false, .infer_shape = false})
                                                          .Split(x, Const(g, Tensor::Vector<int64_t>({1, 3})));
                                return a.Concat() * Const(g, 2.0f) * a.Read(0);
                              },
                              T({2, 4, 6, 8}), T({22, 2, 2, 2})},
                    ArrayCase{"element that nobody reads",
                              [](Graph& g, Output x) { return Array(g, 2).Write(0, x).Write(1, x * x).Read(0); },
                              T({1, 2, 3, 4}), T({1, 1, 1, 1})},
                    ArrayCase{"empty with a shape",
                              [](Graph& g, Output x) {
                                const Output none = Array(g, 0, {.element_shape = {4}}).Stack();
                                return Concat({{none, ExpandDims(x, 0)}}, 0);
                              },
                              T({1, 4}, {1, 2, 3, 4}), T({1, 1, 1, 1})},
                    ArrayCase{"size",
                              [](Graph& g, Output x) {
                                return Cast(Array(g, 2, {.dynamic_size = true}).Write(6, x).Size(), DT_FLOAT) + x;
                              },
                              T({8, 9, 10, 11}), T({1, 1, 1, 1})}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = c == ' ' ? '_' : c;
      return name;
    });

// "TensorArrayGradWithShape": the gradients have dimensions in front that the array does not have.
TEST(TensorArray, PrependsAShapeToItsGradients) {
  Graph g;
  const TensorArray array = Array(g, 2, {.clear_after_read = false}).Write(0, Const(g, Tensor::Vector<float>({1, 2})));
  Node* node = NodeBuilder("TensorArrayGradWithShape", {array.handle(), array.flow(), Ints(g, {3})})
                   .Attr("source", "here")
                   .BuildNode();
  ASSERT_NE(node, nullptr) << g.status();
  const Output zeros = TensorArray(node->output(0), node->output(1), DT_FLOAT).Read(0);
  Session session(g);
  const auto got = session.Run({}, zeros);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->shape(), Shape({3, 2}));
}

// The ops by their handles: references to strings, strings, resources.
struct Forms {
  const char *array, *grad, *read, *write, *gather, *scatter, *concat, *split, *size, *close;
};
const Forms kForms[] = {
    {"TensorArray", "TensorArrayGrad", "TensorArrayRead", "TensorArrayWrite", "TensorArrayGather", "TensorArrayScatter",
     "TensorArrayConcat", "TensorArraySplit", "TensorArraySize", "TensorArrayClose"},
    {"TensorArrayV2", "TensorArrayGradV2", "TensorArrayReadV2", "TensorArrayWriteV2", "TensorArrayGatherV2",
     "TensorArrayScatterV2", "TensorArrayConcatV2", "TensorArraySplitV2", "TensorArraySizeV2", "TensorArrayCloseV2"},
    {"TensorArrayV3", "TensorArrayGradV3", "TensorArrayReadV3", "TensorArrayWriteV3", "TensorArrayGatherV3",
     "TensorArrayScatterV3", "TensorArrayConcatV3", "TensorArraySplitV3", "TensorArraySizeV3", "TensorArrayCloseV3"}};

TEST(TensorArray, WorksWithAllHandles) {
  for (const Forms& form : kForms) {
    SCOPED_TRACE(form.array);
    Graph g;
    const Output x = Const(g, Tensor::Of<float>({2, 1}, {1, 2})), zero = Const(g, 0), flow = Const(g, 0.0f);
    const auto make = [&] {
      return NodeBuilder(form.array, {Const(g, 2)}).Attr("dtype", DT_FLOAT).Attr("clear_after_read", false).Build();
    };
    const auto get = [&](const char* type, std::initializer_list<Operand> operands) {
      return NodeBuilder(type, operands).Attr("dtype", DT_FLOAT).Build();
    };
    const Output a = make(), b = make(), c = make();
    const Output scattered = NodeBuilder(form.scatter, {a, Ints(g, {1, 0}), x, flow}).Build();
    const Output split = NodeBuilder(form.split, {b, x, Const(g, Tensor::Vector<int64_t>({2, 0})), flow}).Build();
    const Output written = NodeBuilder(form.write, {c, zero, x, flow}).Build();
    const Output gradients = NodeBuilder(form.grad, {c, written}).Attr("source", "here").Build();
    const std::vector<Output> fetches = {get(form.gather, {a, Ints(g, {0, 1}), scattered}),
                                         get(form.concat, {b, split}), get(form.read, {c, zero, written}),
                                         get(form.read, {gradients, zero, flow}),
                                         NodeBuilder(form.size, {c, written}).Build()};
    Operation close;
    {
      const ControlDependencies after(g, {fetches[2]});
      close = NodeBuilder(form.close, {c}).BuildNode();
    }
    ASSERT_TRUE(g.status().ok()) << g.status();
    for (Output fetch : fetches) EXPECT_TRUE(fetch.node()->op().has(kStepObjects));
    Session session(g);
    const auto got = session.Run({}, fetches);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(TensorsNear((*got)[0], T({2, 1}, {2, 1}), 0));
    EXPECT_TRUE(TensorsNear((*got)[1], T({2, 1}, {1, 2}), 0));
    EXPECT_TRUE(TensorsNear((*got)[2], T({2, 1}, {1, 2}), 0));
    EXPECT_TRUE(TensorsNear((*got)[3], T({2, 1}, {0, 0}), 0)) << "nothing was written to the gradients";
    EXPECT_EQ((*got)[4].scalar<int32_t>(), 2);
    EXPECT_TRUE(session.Run({}, {fetches[2]}, {close}).ok());
  }
}

}  // namespace
}  // namespace staticflow
