// CheckGradients on whole graphs: right ones pass, and a wrong op is named.
#include "ops/diagnostics/check_gradients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/shape_inference.h"
#include "ops/math.h"
#include "runtime/kernel.h"
#include "staticflow.h"

namespace staticflow {
namespace {

using testing::HasSubstr;

// y = x^2 with a gradient that forgets the 2.
template <typename T>
absl::Status SquareElements(KernelContext& c) {
  const auto [begin, end] = c.range();
  for (int64_t i = begin; i < end; ++i) c.out<T>(0)[i] = c.in<T>(0)[i] * c.in<T>(0)[i];
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SquareKernel(const KernelSetup& setup) {
  return setup.input_dtype(0) == DT_DOUBLE ? Kernel(SquareElements<double>) : Kernel(SquareElements<float>);
}
void ForgetsTheTwo(GradientContext& c) { c.set_dx(0, c.dy(0) * c.x(0)); }
void RemembersTheTwo(GradientContext& c) { c.set_dx(0, c.dy(0) * c.x(0) * 2); }

OpSpec SquareOp(std::string name, std::string type, GradientFunction gradient) {
  return {.name = std::move(name),
          .inputs = {"x: T"},
          .outputs = {"y: T"},
          .attrs = {"T: " + type},
          .shape = SameShape,
          .gradient = gradient,
          .kernel = SquareKernel,
          .iteration = {.split = Split::kFlat},
          .doc = "x^2, for a test."};
}
const OpRegistrar wrong_square(SquareOp("TestWrongSquare", "{float, double}", ForgetsTheTwo));
const OpRegistrar float_square(SquareOp("TestFloatSquare", "{float}", RemembersTheTwo));

Output Apply(absl::string_view type, Output x) { return NodeBuilder(type, {x}).Build(); }

Tensor Ramp(const Shape& shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.num_elements(); ++i) values.push_back(0.37f * static_cast<float>(i % 7) - 0.9f);
  return Tensor::Of<float>(shape, absl::MakeConstSpan(values));
}

// One example a row, each of one class: the gradient of the cross-entropy is that of rows that sum to 1.
Tensor OneHotLabels() {
  Tensor labels = Tensor::Of<float>({6, 3}, absl::MakeConstSpan(std::vector<float>(18, 0)));
  for (int64_t row = 0; row < 6; ++row) labels.data<float>()[row * 3 + row % 3] = 1;
  return labels;
}

// A layer with batch normalization and a loss; `activation` comes between.
struct Network {
  Graph g;
  Output x, labels, training, loss;
  Output kernel;

  template <typename Activation>
  explicit Network(Activation activation) {
    x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 5}, .name = "x"});
    labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "labels"});
    training = PlaceholderWithDefault(g, Tensor(true), {.name = "training"});
    Output h = layers::Dense(g, x, {.units = 4});
    h = layers::BatchNormalization(g, h, {.training = training});
    h = layers::Dense(g, activation(h), {.units = 3});
    loss = Mean(SoftmaxCrossEntropyWithLogits(h, labels));
    kernel = g.variables().front().ref();
  }
  absl::StatusOr<GradientCheck> Check(std::initializer_list<Output> xs, Session* session = nullptr) {
    return CheckGradients(
        loss, xs,
        {.session = session, .feeds = {{x, Ramp({6, 5})}, {labels, OneHotLabels()}, {training, Tensor(true)}}});
  }
};

TEST(CheckGradientsTest, RightNetworkPassesInDouble) {
  Network n([](Output h) { return Tanh(h); });
  Session session(n.g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<GradientCheck> check = n.Check({n.x, n.kernel, n.g.variables().back().snapshot}, &session);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->ToString();
  EXPECT_GT(check->elements_checked, 50);
  EXPECT_LT(check->largest_error, 1e-6);
  EXPECT_THAT(check->narrow, testing::IsEmpty());
}

TEST(CheckGradientsTest, NamesTheWrongOp) {
  Network n([](Output h) { return Tanh(Apply("TestWrongSquare", h)); });
  const absl::StatusOr<GradientCheck> check = n.Check({n.kernel});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_FALSE(check->ok());
  EXPECT_THAT(check->wrong_op, HasSubstr("TestWrongSquare 'TestWrongSquare'"));
  EXPECT_THAT(check->wrong_op, HasSubstr("check_gradients_test.cc:"));
  EXPECT_NEAR(check->wrong_op_mismatch.gradient * 2, check->wrong_op_mismatch.difference, 1e-4);
  EXPECT_THAT(check->ToString(), HasSubstr("the first wrong op: TestWrongSquare"));
}

TEST(CheckGradientsTest, NamesWhatHoldsTheGradientBack) {
  Network n([](Output h) { return StopGradient(h) + 0.5 * h; });
  const absl::StatusOr<GradientCheck> check = n.Check({n.kernel});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_FALSE(check->ok());
  EXPECT_THAT(check->wrong_op, HasSubstr("StopGradient 'StopGradient'"));
  EXPECT_EQ(check->wrong_op_mismatch.gradient, 0);
}

// What a loop hands around reaches its result along a back edge alone: `last` becomes `square` an iteration later.
TEST(CheckGradientsTest, NamesTheWrongOpBeforeALoop) {
  for (const char* op : {"TestWrongSquare", "Square"}) {
    Graph g;
    const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {3}, .name = "x"});
    const LoopVariables end = While([](Output i, Output, Output) { return Less(i, 3); },
                                    [](Output i, Output, Output square) -> LoopVariables {
                                      return {i + 1, square, square * 2.0};
                                    },
                                    {Const(g, Tensor(int32_t{0})), ZerosLike(x), Apply(op, x)});
    const Output y = Sum(end[1]);
    const absl::StatusOr<GradientCheck> check = CheckGradients(y, {x}, {.feeds = {{x, Ramp({3})}}});
    ASSERT_TRUE(check.ok()) << check.status();
    EXPECT_EQ(check->ok(), op == std::string("Square")) << check->ToString();
    if (!check->ok()) {
      EXPECT_THAT(check->wrong_op, HasSubstr("TestWrongSquare 'TestWrongSquare'"));
    }
  }
}

TEST(CheckGradientsTest, RandomOpsRepeatTheirNumbers) {
  Network n([](Output h) { return Dropout(h, {.rate = 0.5}); });
  const absl::StatusOr<GradientCheck> check = n.Check({n.x, n.kernel});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->ToString();
}

TEST(CheckGradientsTest, OpsInFloatAreToldAndAllowedTheirRounding) {
  Network n([](Output h) { return Apply("TestFloatSquare", h); });
  const absl::StatusOr<GradientCheck> check = n.Check({n.kernel});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->ToString();
  ASSERT_EQ(check->narrow.size(), 1u);
  EXPECT_THAT(check->narrow[0], HasSubstr("TestFloatSquare"));
}

TEST(CheckGradientsTest, KinksAreNotCompared) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {3}});
  const absl::StatusOr<GradientCheck> check =
      CheckGradients(Abs(x), {x}, {.feeds = {{x, Tensor::Vector<float>({-1, 0, 2})}}});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->ok()) << check->ToString();
  EXPECT_EQ(check->elements_checked + check->elements_not_smooth, 3);
}

TEST(CheckGradientsTest, WrongArguments) {
  Graph g, other;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}, .name = "x"});
  const Output i = Placeholder(g, {.dtype = DT_INT32, .shape = {2}, .name = "i"});
  const Output elsewhere = Placeholder(other, {.dtype = DT_FLOAT, .shape = {2}});
  const Session::Feeds feeds = {{x, Tensor::Vector<float>({1, 2})}};
  const struct {
    Output y, x;
    Session::Feeds feeds;
    std::string says;
  } kCases[] = {
      {Output(), x, feeds, "y is invalid"},
      {i, x, feeds, "expected a floating type"},
      {Square(x), i, feeds, "expected a floating type"},
      {Square(x), elsewhere, feeds, "no output of y's graph"},
      {Square(x), Placeholder(g, {.dtype = DT_FLOAT, .shape = {2}}), feeds, "does not depend on"},
      {Square(x), x, {}, "x"},
  };
  for (const auto& c : kCases) {
    const absl::Status status = CheckGradients(c.y, {c.x}, {.feeds = c.feeds}).status();
    EXPECT_FALSE(status.ok()) << c.says;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says));
  }
}

}  // namespace
}  // namespace staticflow
