// ReestimateBatchNorm against one giant batch, and the skew meter against closed forms.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "graph/meta_graph.h"
#include "ops/array.h"
#include "ops/batch_norm.h"
#include "ops/control_flow.h"
#include "ops/control_flow_while.h"
#include "ops/conv.h"
#include "ops/diagnostics/checkpoint_copy.h"
#include "ops/diagnostics/pooled_moments.h"
#include "ops/diagnostics/reestimate.h"
#include "ops/diagnostics/skew.h"
#include "ops/layers/convolutional.h"
#include "ops/layers/core.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "proto/event.pb.h"
#include "runtime/io/bundle.h"
#include "tests/golden/golden_case_check.h"

namespace staticflow {
namespace {

Tensor Noise(const Shape& shape, int seed, double scale = 1, double shift = 0) {
  Tensor tensor = Tensor::Create(DT_FLOAT, shape).value();
  uint64_t bits = 88172645463325252u + static_cast<uint64_t>(seed) * 7919;
  for (float& value : tensor.flat<float>()) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(scale * (static_cast<double>(bits >> 40) / (1 << 23) - 1) + shift);
  }
  return tensor;
}

// How the layers of a network are built; all have two layers of batch normalization.
enum class Kind { kDecided, kTraining, kFused, kLowLevel, kChannelsFirst };

struct Net {
  explicit Net(Kind kind) : kind(kind) {
    const bool picture = kind == Kind::kFused || kind == Kind::kChannelsFirst;
    x = Placeholder(g, {.dtype = DT_FLOAT, .shape = picture ? Shape({-1, 4, 5, 3}) : Shape({-1, 6}), .name = "x"});
    training = PlaceholderWithDefault(g, false, {.name = "training"});
    Output h = x;
    if (kind == Kind::kChannelsFirst) h = Transpose(x, std::vector<int64_t>{0, 3, 1, 2});
    for (int i = 0; i < 2; ++i) {
      inputs.push_back(h);
      h = Relu(Normalize(h, i));
      if (i == 0 && !picture) h = layers::Dense(g, h, {.units = 7});
      if (i == 0 && kind == Kind::kFused) h = layers::Conv2D(g, h, {.filters = 4, .kernel_size = 3});
    }
    y = h;
  }
  Output Normalize(Output h, int i) {
    if (kind == Kind::kTraining) return layers::BatchNormalization(g, h, {.training = true});
    if (kind == Kind::kDecided || kind == Kind::kFused) {
      return layers::BatchNormalization(g, h, {.momentum = 0.9, .training = training});
    }
    if (kind == Kind::kChannelsFirst) {
      return layers::BatchNormalization(g, h, {.axis = 1, .training = training, .fused = false});
    }
    const int64_t n = h.shape().dim(1);
    const Variable mean =
        NewVariable(g, Tensor::Create(DT_FLOAT, {n}).value(), {.name = absl::StrCat("mean_", i), .trainable = false});
    const Variable variance = NewVariable(g, Tensor::Create(DT_FLOAT, {n}).value(),
                                          {.name = absl::StrCat("variance_", i), .trainable = false});
    // The updates run whenever the branch does, as in many low-level programs.
    return Cond(
        training,
        [&]() -> Output {
          const MomentsResult m = Moments(h, {0});
          const Output a = Assign(mean.ref(), mean.snapshot * 0.75 + m.mean * 0.25);
          const Output b = Assign(variance.ref(), variance.snapshot * 0.75 + m.variance * 0.25);
          ControlDependencies after(g, {Operation(a), Operation(b)});
          return BatchNormalization(h, m.mean, m.variance, Output(), Output(), 1e-3);
        },
        [&]() -> Output { return BatchNormalization(h, mean.snapshot, variance.snapshot, Output(), Output(), 1e-3); });
  }

  Kind kind;
  Graph g;
  Output x, training, y;
  std::vector<Output> inputs;
};

// The statistics of both layers when the whole set is one batch.
std::vector<PooledMoments> OneGiantBatch(Net& net, Session& session, const Tensor& all) {
  const auto values = session.Run({{net.x, all}, {net.training, true}}, std::vector<Output>(net.inputs));
  std::vector<PooledMoments> moments;
  for (const Tensor& input : values.value()) {
    std::vector<int> axes = {0};
    if (net.kind == Kind::kFused) axes = {0, 1, 2};
    if (net.kind == Kind::kChannelsFirst) axes = {0, 2, 3};
    moments.emplace_back(axes);
    EXPECT_TRUE(moments.back().Add(input).ok());
  }
  return moments;
}

TEST(ReestimateTest, EqualsOneGiantBatch) {
  for (const Kind kind : {Kind::kDecided, Kind::kTraining, Kind::kFused, Kind::kLowLevel, Kind::kChannelsFirst}) {
    for (const int64_t batch_size : {7, 23, 60}) {
      SCOPED_TRACE(absl::StrCat("kind ", static_cast<int>(kind), ", batches of ", batch_size));
      Net net(kind);
      ASSERT_TRUE(net.g.status().ok()) << net.g.status();
      Session session(net.g, {.threads = 1}), giant(net.g, {.threads = 1});
      ASSERT_TRUE(session.Initialize().ok() && giant.Initialize().ok());
      Shape shape = net.x.shape();
      shape.set_dim(0, 60);
      const Tensor all = Noise(shape, 5, 3, 20);
      const absl::StatusOr<ReestimateReport> report = ReestimateBatchNorm(
          session, net.g, DataSet::Create({all}).value(), {.feeds = {net.x}, .batch_size = batch_size});
      ASSERT_TRUE(report.ok()) << report.status();
      ASSERT_EQ(report->layers.size(), 2);
      EXPECT_EQ(report->passes, 2);
      const std::vector<PooledMoments> want = OneGiantBatch(net, giant, all);
      for (int i = 0; i < 2; ++i) {
        EXPECT_FALSE(report->layers[i].approximate);
        EXPECT_EQ(report->layers[i].elements, want[i].count());
        for (size_t c = 0; c < want[i].mean().size(); ++c) {
          const double scale = std::sqrt(want[i].variance()[c]) + 1e-3;
          EXPECT_NEAR(report->layers[i].mean_after[c], want[i].mean()[c], 2e-5 * scale * 20);
          EXPECT_NEAR(report->layers[i].variance_after[c], want[i].variance()[c], 1e-4 * scale * scale);
        }
      }
      EXPECT_GT(report->layers[0].mean_moved(), 5);
      EXPECT_NE(report->ToString().find("2 layers from 60 examples, 2 passes"), std::string::npos);
      if (kind == Kind::kTraining) continue;
      // Inference is now what training on the whole set would give.
      const Tensor a = session.Run({{net.x, all}, {net.training, false}}, net.y).value();
      const Tensor b = giant.Run({{net.x, all}, {net.training, true}}, net.y).value();
      for (int64_t i = 0; i < a.num_elements(); ++i) EXPECT_NEAR(a.flat<float>()[i], b.flat<float>()[i], 2e-3);
    }
  }
}

TEST(ReestimateTest, OnePassPoolsWhatBatchesSee) {
  Net net(Kind::kLowLevel);
  Session session(net.g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  const DataSet data = DataSet::Create({Noise({50, 6}, 3)}).value();
  const absl::StatusOr<ReestimateReport> report =
      ReestimateBatchNorm(session, net.g, data, {.feeds = {net.x}, .batch_size = 20, .one_pass = true});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->passes, 1);
  EXPECT_FALSE(report->layers[0].approximate);
  EXPECT_TRUE(report->layers[1].approximate);
  // Only what was asked for changes, although the forward pass runs the updates of all.
  ASSERT_TRUE(session.Initialize().ok());
  const absl::StatusOr<ReestimateReport> first = ReestimateBatchNorm(
      session, net.g, data, {.feeds = {net.x}, .batch_size = 20, .one_pass = true, .layers = {report->layers[0].name}});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->layers.size(), 1);
  const auto value_of = [&](const char* name) {
    return session.Run({}, net.g.FindNode(absl::StrCat(name, "/read"))->output(0)).value().flat<float>()[0];
  };
  EXPECT_NE(value_of("mean_0"), 0);
  EXPECT_EQ(value_of("mean_1"), 0);
}

TEST(ReestimateTest, RefusesWhatItCannotDo) {
  Net net(Kind::kDecided);
  Session session(net.g, {.threads = 1});
  const DataSet data = DataSet::Create({Noise({50, 6}, 3)}).value();
  EXPECT_EQ(ReestimateBatchNorm(session, net.g, data, {.feeds = {net.x}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(session.Initialize().ok());
  EXPECT_EQ(ReestimateBatchNorm(session, net.g, data, {.feeds = {net.x}, .layers = {"none"}}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReestimateBatchNorm(session, net.g, data, {.feeds = {net.x, net.x}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReestimateBatchNorm(session, net.g, data.Split(0).first, {.feeds = {net.x}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReestimateBatchNorm(session, net.g, data, {.feeds = {}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  Graph plain;
  Session empty(plain);
  EXPECT_EQ(ReestimateBatchNorm(empty, plain, data, {}).status().code(), absl::StatusCode::kNotFound);
}

// What is normalized in a loop is another thing in each iteration.
TEST(ReestimateTest, NamesLayersInLoops) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 6}, .name = "x"});
  const VariableScope scope(g, "looped");
  const Variable mean = GetVariable(g, "moving_mean", {.shape = {6}, .trainable = false});
  const Variable variance = GetVariable(g, "moving_variance", {.shape = {6}, .trainable = false});
  While([](Output i, Output) { return Less(i, 3); },
        [&](Output i, Output h) -> std::vector<Output> {
          return {i + 1, BatchNormalization(h, mean.snapshot, variance.snapshot, Output(), Output(), 1e-3)};
        },
        {Const(g, 0), x});
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  const DataSet data = DataSet::Create({Noise({50, 6}, 3)}).value();
  const absl::Status status = ReestimateBatchNorm(session, g, data, {.feeds = {x}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "nothing to estimate: looped (without variables for the statistics, or in a loop)");
}

// TensorFlow names the parts of a partitioned variable v/part_0, v/part_1, and saves them as slices of v.
TEST(CheckpointCopyTest, FindsPartsOfVariables) {
  const std::string prefix = testing::TempDir() + "/parts.ckpt";
  BundleWriter writer(PosixEnv(), prefix);
  ASSERT_TRUE(writer.AddSlice("v", {3, 2}, {{0, 0}, {2, 2}}, Tensor::Matrix<float>({{1, 2}, {3, 4}})).ok());
  ASSERT_TRUE(writer.AddSlice("v", {3, 2}, {{2, 0}, {1, 2}}, Tensor::Matrix<float>({{5, 6}})).ok());
  ASSERT_TRUE(writer.Finish().ok());
  Graph g;
  const Variable a = GetVariable(g, "v/part_0", {.shape = {1, 2}}), b = GetVariable(g, "v/part_1", {.shape = {2, 2}});
  const Variable c = GetVariable(g, "v/part_2", {.shape = {1, 2}}), d = GetVariable(g, "u/part_0", {.shape = {1, 2}});
  Session session(g, {.threads = 1});
  EXPECT_EQ(LoadCheckpoint(session, g, prefix).value(), (std::vector<std::string>{"v/part_2", "u/part_0"}));
  const auto got = session.Run({}, {a.snapshot, b.snapshot});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(BitwiseEqual((*got)[0], Tensor::Matrix<float>({{1, 2}})));
  EXPECT_TRUE(BitwiseEqual((*got)[1], Tensor::Matrix<float>({{3, 4}, {5, 6}})));
}

// A training graph that TensorFlow 1 wrote, with a checkpoint of its variables.
TEST(ReestimateTest, RepairsACheckpointOfAnImportedGraph) {
  const absl::StatusOr<std::string> bytes = GoldenMetaGraph("tests/golden/models/nn_relu_bn_ref.pb");
  ASSERT_TRUE(bytes.ok());
  Graph g;
  ASSERT_TRUE(ImportMetaGraph(*bytes, g).ok());
  const std::string folder = testing::TempDir();
  const std::string before = folder + "/before.ckpt", after = folder + "/after.ckpt";
  {
    Session session(g, {.threads = 1});
    ASSERT_TRUE(session.Initialize().ok());
    ASSERT_TRUE(CopyCheckpoint(session, "", before, {}).ok());
  }
  Session session(g, {.threads = 1});
  ASSERT_EQ(LoadCheckpoint(session, g, before).value().size(), 0);
  const Output x = g.FindOutput("input_layer:0").value();
  Shape shape = x.shape();
  shape.set_dim(0, 90);
  const absl::StatusOr<ReestimateReport> report =
      ReestimateBatchNorm(session, g, DataSet::Create({Noise(shape, 1)}).value(),
                          {.feeds = {x}, .batch_size = 40, .checkpoint = after, .source_checkpoint = before});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->layers.size(), 3);
  const BundleReader old = BundleReader::Open(PosixEnv(), before).value();
  const BundleReader repaired = BundleReader::Open(PosixEnv(), after).value();
  ASSERT_EQ(old.tensors().size(), repaired.tensors().size());
  for (const auto& [name, entry] : old.tensors()) {
    const bool moving = name.find("/moving_") != std::string::npos;
    EXPECT_NE(BitwiseEqual(old.Read(name).value(), repaired.Read(name).value()), moving) << name;
  }
}

TEST(PooledMomentsTest, OfLargeNumbersWithASmallSpread) {
  PooledMoments moments({0});
  double sum = 0;
  std::vector<double> all;
  for (const int n : {1, 500, 3, 0, 77}) {
    const Tensor x = Noise({n, 1}, n, 0.5, 4096);
    ASSERT_TRUE(moments.Add(x).ok());
    for (float value : x.flat<float>()) all.push_back(value), sum += value;
  }
  double squares = 0;
  for (double value : all) squares += (value - sum / all.size()) * (value - sum / all.size());
  EXPECT_NEAR(moments.mean()[0], sum / all.size(), 1e-9);
  EXPECT_NEAR(moments.variance()[0], squares / all.size(), 1e-9);
  EXPECT_NEAR(moments.variance(true)[0], squares / (all.size() - 1), 1e-9);
  EXPECT_FALSE(moments.Add(Tensor::Matrix<float>({{1, 2}})).ok());
  EXPECT_FALSE(moments.Add(Tensor::Vector<int32_t>({1})).ok());
}

TEST(SkewTest, ClosedForms) {
  EXPECT_NEAR(InitialWeight(0.99, 120), 0.2994, 1e-4);
  EXPECT_EQ(InitialWeight(0.5, 0), 1);
  EXPECT_EQ(UpdatesUntil(0.99, 0.01), 459);
  EXPECT_EQ(UpdatesUntil(0.5, 0.25), 2);
  EXPECT_EQ(UpdatesUntil(1, 0.5), -1);
  EXPECT_EQ(UpdatesUntil(0, 0.5), 1);

  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 2}, .name = "x"});
  const Output training = PlaceholderWithDefault(g, false, {.name = "training"});
  const Output y = layers::BatchNormalization(g, x, {.momentum = 0.99, .epsilon = 0, .training = training});
  const Output loss = Mean(Square(y), {0, 1}, {.name = "loss"});
  Session session(g, {.threads = 1});
  ASSERT_TRUE(session.Initialize().ok());
  // Channel 0: mean 3, variance 4; channel 1: mean 0, variance 1. The averages are still 0 and 1.
  const Tensor batch = Tensor::Matrix<float>({{1, -1}, {5, 1}, {1, 1}, {5, -1}});
  const absl::StatusOr<SkewReport> skew =
      MeasureSkew(session, g, {.feeds = {{x, batch}}, .updates = 120, .metrics = {loss}});
  ASSERT_TRUE(skew.ok()) << skew.status();
  ASSERT_EQ(skew->layers.size(), 1);
  EXPECT_NEAR(skew->layers[0].mean_distance[0], 3, 1e-6);
  EXPECT_NEAR(skew->layers[0].variance_ratio[0], 4, 1e-6);
  EXPECT_NEAR(skew->layers[0].mean_distance[1], 0, 1e-6);
  EXPECT_NEAR(skew->metrics[0].training, 1, 1e-5);
  EXPECT_NEAR(skew->metrics[0].inference, (13 + 1) / 2.0, 1e-5);
  const std::string text = skew->ToString();
  EXPECT_NE(text.find("120 updates at momentum 0.99: 30 % of batch_normalization/moving_mean is still the initial 0, "
                      "1 % after 459\n"),
            std::string::npos)
      << text;
  EXPECT_FALSE(MeasureSkew(session, g, {.feeds = {{x, batch}}, .metrics = {y}}).ok());

  const std::string folder = testing::TempDir() + "/skew";
  auto writer = EventWriter::Create(PosixEnv(), folder).value();
  ASSERT_TRUE(WriteSkew(*skew, 120, *writer).ok() && writer->Close().ok());
  EventReader reader = EventReader::Open(PosixEnv(), writer->path()).value();
  proto::Event event;
  ASSERT_TRUE(reader.Read(&event).value() && reader.Read(&event).value());
  EXPECT_EQ(event.step(), 120);
  std::vector<std::string> tags;
  for (const auto& value : event.summary().value()) tags.push_back(value.tag());
  EXPECT_EQ(tags, std::vector<std::string>(
                      {"batch_normalization/skew/initial_weight", "batch_normalization/skew/worst_distance",
                       "batch_normalization/skew/mean_distance", "loss:0/training", "loss:0/inference"}));
}

}  // namespace
}  // namespace staticflow
