// The program of README.md: it compiles, trains, and what it saves predicts the same in a session of its own.
#include <cmath>

#include "gtest/gtest.h"
#include "staticflow.h"

namespace sf = staticflow;

namespace {

using Batches = std::vector<std::pair<sf::Tensor, sf::Tensor>>;

absl::Status Train(const Batches& batches, const std::string& prefix) {
  sf::Graph g;
  sf::Output x = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, 784}, .name = "x"});
  sf::Output labels = sf::Placeholder(g, {.dtype = sf::DT_FLOAT, .shape = {-1, 10}, .name = "labels"});
  sf::Output is_training = sf::PlaceholderWithDefault(g, sf::Tensor(false), {.name = "is_training"});
  sf::Output h = x;
  for (int i = 0; i < 3; ++i) {
    h = sf::layers::Dense(g, h, {.units = 100, .use_bias = false});
    h = sf::layers::BatchNormalization(g, h, {.momentum = 0.99, .epsilon = 1e-3, .training = is_training});
    h = sf::Relu(h);
  }
  sf::Output logits = sf::layers::Dense(g, h, {.units = 10});
  sf::Output loss = sf::Mean(sf::SoftmaxCrossEntropyWithLogits(logits, labels));
  sf::Operation train;
  {
    sf::ControlDependencies after(g, g.collection(sf::kUpdateOps));  // the moving averages are updated with each step
    train = sf::train::GradientDescent(g, {.learning_rate = 0.01}).Minimize(loss);
  }
  sf::train::Saver saver(g);
  sf::Session session(g, {.threads = 2});
  SF_RETURN_IF_ERROR(session.Initialize());
  SF_ASSIGN_OR_RETURN(sf::Step step, session.Prepare({.feeds = {x, labels, is_training}, .targets = {train}}));
  for (const auto& [images, onehot] : batches) SF_RETURN_IF_ERROR(step.Run({images, onehot, true}).status());
  return saver.Save(session, prefix).status();
}

Batches SomeBatches() {
  Batches batches;
  for (int b = 0; b < 20; ++b) {
    std::vector<float> images(60 * 784), onehot(60 * 10, 0.0f);
    for (int i = 0; i < 60; ++i) {
      onehot[i * 10 + i % 10] = 1;
      for (int k = 0; k < 784; ++k) images[i * 784 + k] = std::sin(0.01f * static_cast<float>((i % 10 + 1) * k + b));
    }
    batches.push_back({sf::Tensor::Of<float>({60, 784}, absl::MakeConstSpan(images)),
                       sf::Tensor::Of<float>({60, 10}, absl::MakeConstSpan(onehot))});
  }
  return batches;
}

TEST(ReadmeTest, TheProgramTrainsAndItsFilesAreEnough) {
  const Batches batches = SomeBatches();
  const std::string prefix = testing::TempDir() + "/readme/model.ckpt";
  const absl::Status trained = Train(batches, prefix);
  ASSERT_TRUE(trained.ok()) << trained;

  absl::StatusOr<std::string> bytes = sf::ReadWholeFile(sf::PosixEnv(), prefix + ".meta");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::vector<sf::Tensor> first;
  for (int round = 0; round < 2; ++round) {
    sf::Graph g;
    absl::StatusOr<sf::MetaGraph> meta = sf::ImportMetaGraph(*bytes, g);
    ASSERT_TRUE(meta.ok()) << meta.status();
    absl::StatusOr<sf::train::Saver> saver = sf::train::Saver::FromMetaGraph(g, *meta);
    ASSERT_TRUE(saver.ok()) << saver.status();
    sf::Session session(g);
    const absl::Status restored = saver->Restore(session, prefix);
    ASSERT_TRUE(restored.ok()) << restored;
    auto out = session.RunByName({{"x:0", batches[0].first}}, {"dense_3/BiasAdd:0"});
    ASSERT_TRUE(out.ok()) << out.status();
    if (first.empty()) first = *out;
    EXPECT_TRUE(sf::BitwiseEqual((*out)[0], first[0]));
  }
  // The batches are easy: the trained network tells most of their classes.
  int right = 0;
  for (int i = 0; i < 60; ++i) {
    const float* row = first[0].data<float>() + i * 10;
    right += std::max_element(row, row + 10) - row == i % 10;
  }
  EXPECT_GT(right, 20);
}

}  // namespace
