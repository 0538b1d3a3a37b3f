// The program sf on files that TensorFlow wrote, and on files that are damaged: what it prints, and its exit codes.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/graph_def.h"
#include "graph/meta_graph.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/diagnostics/checkpoint_copy.h"
#include "ops/layers/core.h"
#include "ops/layers/normalization.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "ops/state.h"
#include "runtime/io/bundle.h"
#include "runtime/io/env.h"
#include "runtime/session.h"

namespace staticflow {
namespace {

struct Outcome {
  int code = -1;  // 128 and more: killed by a signal
  std::string output;
};

Outcome RunSf(const std::string& arguments) {
  Outcome outcome;
  FILE* pipe = popen(absl::StrCat("tools/sf ", arguments, " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, n);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

struct Row {
  const char* arguments;
  int code;
  std::vector<const char*> says;
};

TEST(SfTest, OnFilesThatTensorFlowWrote) {
  const Row rows[] = {
      {"--help", 0, {"inspect", "reestimate", "Exit codes"}},
      {"reestimate --help", 0, {"sf reestimate [FLAGS] FILE...", "--data=FILE", "Exit codes"}},
      {"inspect tests/golden/models/keras_conv7_bn.pb",
       0,
       {"MetaGraphDef", "input: conv0_input:0 float[?,", "batch normalization bn0: conv0/BiasAdd:0",
        "as decided by keras_learning_phase:0", "momentum 0.99"}},
      {"inspect tests/golden/files/checkpoint_v2_dtypes/model.ckpt", 0, {"tensor h: half[2]", "every checksum agrees"}},
      {"inspect tests/golden/files/checkpoint_v1/model.ckpt",
       0,
       {"tensor part/p: float[5,2]", "every checksum agrees"}},
      {"inspect tests/golden/files/checkpoint_v2_several_steps", 0, {"model.ckpt-40"}},
      {"inspect tests/golden/files/checkpoint_v2_sharded/sharded.index", 0, {"every checksum agrees"}},
      {"dependence tests/golden/models/inference_meta_ref.pb", 0, {"prob:0: independent"}},
      // What ends it is one number for the whole batch: the logits before it are what may be independent.
      {"dependence tests/golden/models/nn_relu_plain_ref.pb", 0, {"Add_3:0: independent"}},
      // Keras: the results are those that the losses and metrics take.
      {"dependence tests/golden/models/keras_dense_bn.pb",
       1,
       {"dense_1/Softmax:0: depends: Mean over axis 0", "when keras_learning_phase is false: independent"}},
      {"inspect tests/golden/files/saved_model_functions",
       0,
       {"calls of functions, inlined", "moving averages, always"}},
      {"audit tests/golden/files/saved_model_functions",
       1,
       {"2 batch-norm layers",
        "normalizes StatefulPartitionedCall/StatefulPartitionedCall with the statistics of its"}},
      {"audit --fetches=StatefulPartitionedCall_1 tests/golden/files/saved_model_functions",
       0,
       {"1 batch-norm layer\n", "moving averages", "nothing to warn of"}},
      {"dependence tests/golden/files/saved_model_functions",
       1,
       {"StatefulPartitionedCall:0: depends: Mean over axis 0", "StatefulPartitionedCall_1:0: independent"}},
      {"summary tests/golden/models/nn_relu_bn_ref.pb tests/golden/files/checkpoint_v2_dtypes/model.ckpt",
       0,
       {"batch_normalization/gamma", "trainable", "batch_normalization/", "4 variables", "scope/b"}},
      {"explain tests/golden/models/nn_relu_bn_ref.pb",
       0,
       {"targets GradientDescent", "feeds ", "instructions", "memory: ", "in place"}},
      {"explain --fetches=Relu_2 --feeds=input_layer,is_training=false tests/golden/models/nn_relu_bn_ref.pb",
       0,
       {"fetches Relu_2:0", "not taken"}},
      {"explain --fetches=Relu_2 --feeds=is_training=true tests/golden/models/nn_relu_bn_ref.pb",
       1,
       {"missing: 'input_layer' has to be fed"}},
      {"audit tests/golden/models/nn_relu_bn_ref.pb", 0, {"batch_normalization_1"}},
      {"audit --fetches=Relu_2 --feeds=input_layer,is_training=true tests/golden/models/nn_relu_bn_ref.pb",
       1,
       {"batch_normalization_2"}},
      {"dependence --fetches=Relu_2 --feeds=input_layer,is_training=false tests/golden/models/nn_relu_bn_ref.pb",
       0,
       {"Relu_2:0: ", "independent"}},
      {"dependence --fetches=Relu_2 --feeds=input_layer,is_training=true tests/golden/models/nn_relu_bn_ref.pb",
       1,
       {"depends"}},
      {"explain --format=dot tests/golden/models/inference_meta_ref.pb", 0, {"digraph", "cluster_"}},
      {"explain --format=trace tests/golden/models/inference_meta_ref.pb", 0, {"traceEvents", "\"ph\": \"X\""}},
  };
  for (const Row& row : rows) {
    const Outcome outcome = RunSf(row.arguments);
    EXPECT_EQ(outcome.code, row.code) << row.arguments << "\n" << outcome.output;
    for (const char* part : row.says) {
      EXPECT_TRUE(absl::StrContains(outcome.output, part)) << row.arguments << " lacks " << part << "\n"
                                                           << outcome.output;
    }
  }
}

TEST(SfTest, BadUsageAndUnreadableFiles) {
  const char* const kModel = "tests/golden/models/nn_relu_bn_ref.pb";
  const std::string rows[] = {
      "",
      "nonsense",
      "inspect",
      "inspect /nowhere",
      absl::StrCat("inspect --no_such_flag=1 ", kModel),
      absl::StrCat("explain --format=pdf ", kModel),
      absl::StrCat("explain --fetches=none ", kModel),
      absl::StrCat("explain --feeds=is_training=maybe ", kModel),
      absl::StrCat("explain --batch_size=0 ", kModel),
      absl::StrCat("reestimate ", kModel),
      absl::StrCat("reestimate --output=/tmp/x --data=/nowhere ", kModel),
      "explain tests/golden/files/checkpoint_v2_dtypes/model.ckpt",
      "inspect tests/golden/files/tfrecord/data.tfrecord",
      "inspect tests/golden/files/tfrecord",
      absl::StrCat("inspect --data=/nowhere ", kModel),  // a flag that this subcommand does not take
      absl::StrCat("audit -v ", kModel),
      absl::StrCat("explain --size=3 ", kModel),  // the end of a flag's name
      absl::StrCat("explain --=3 ", kModel),
      absl::StrCat("export --format=pdf --fetches=Relu_2 --output=/tmp/x ", kModel),
  };
  for (const std::string& row : rows) {
    const Outcome outcome = RunSf(row);
    EXPECT_EQ(outcome.code, 2) << row << "\n" << outcome.output;
    EXPECT_TRUE(absl::StrContains(outcome.output, "sf: ")) << row << "\n" << outcome.output;
  }
}

// Cut and changed files: an answer, never a crash.
TEST(SfTest, DamagedFiles) {
  for (const char* name :
       {"index_magic", "index_truncated", "index_block_flip", "missing_data", "data_truncated", "data_flip"}) {
    const Outcome outcome = RunSf(absl::StrCat("inspect tests/golden/files/bad_checkpoint_", name, "/model.ckpt"));
    EXPECT_EQ(outcome.code, 2) << name << "\n" << outcome.output;
  }
  const std::string whole = ReadWholeFile(PosixEnv(), "tests/golden/models/inference_meta_ref.pb").value();
  const std::string path = testing::TempDir() + "/damaged.pb";
  int refused = 0;
  for (size_t i = 1; i <= 20; ++i) {
    std::string bytes = whole;
    if (i % 2 == 0) {
      bytes.resize(whole.size() * i / 21);
    } else {
      for (size_t k = i; k < bytes.size(); k += 97) bytes[k] = static_cast<char>(bytes[k] ^ (1 << (k % 8)));
    }
    ASSERT_TRUE(WriteWholeFile(PosixEnv(), path, bytes).ok());
    const Outcome outcome = RunSf(absl::StrCat("inspect ", path));
    EXPECT_TRUE(outcome.code == 0 || outcome.code == 2) << outcome.code << "\n" << outcome.output;
    refused += outcome.code == 2;
  }
  EXPECT_GT(refused, 5);
}

// Our own files: a text GraphDef with a stray assignment, and a checkpoint with its .meta that gets repaired.
TEST(SfTest, OnFilesOfOurOwn) {
  const std::string folder = testing::TempDir() + "/sf";
  ASSERT_TRUE(PosixEnv()->CreateDir(folder).ok());
  {
    Graph g;
    const Output p = Placeholder(g, {.dtype = DT_BOOL, .shape = {}, .name = "p"});
    const Variable v = NewVariable(g, Tensor(1.0f), {.name = "v"});
    const Output up = AssignAdd(v.ref(), 1, {.name = "up"});
    Identity(Cond(
                 p, [&] { return Identity(up); }, [&] { return Identity(v.initial_value); }),
             {.name = "result"});
    ASSERT_TRUE(WriteWholeFile(PosixEnv(), folder + "/stray.pbtxt", GraphDefText(g).value()).ok());
  }
  const Outcome stray = RunSf(absl::StrCat("explain --fetches=result ", folder, "/stray.pbtxt"));
  EXPECT_EQ(stray.code, 1) << stray.output;
  EXPECT_TRUE(absl::StrContains(stray.output, "stray: AssignAdd 'up'")) << stray.output;

  const std::string prefix = folder + "/model.ckpt", repaired = folder + "/repaired.ckpt";
  {
    Graph g;
    const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 2, 2}, .name = "x"});
    const Output training = PlaceholderWithDefault(g, false, {.name = "training"});
    layers::BatchNormalization(g, Reshape(x, std::vector<int64_t>{-1, 4}), {.training = training, .name = "bn"});
    Session session(g, {.threads = 1});
    ASSERT_TRUE(session.Initialize().ok() && CopyCheckpoint(session, "", prefix, {}).ok());
    ASSERT_TRUE(WriteWholeFile(PosixEnv(), prefix + ".meta", MetaGraphBytes(g).value()).ok());
  }
  // Three examples of 2 x 2 bytes in the IDX format: channel 0 is 0, 51, 102 of 255.
  const std::string idx({0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 2, 3, 51, 1, 2, 3, 102, 1, 2, 3});
  ASSERT_TRUE(WriteWholeFile(PosixEnv(), folder + "/images.idx", idx).ok());
  const Outcome outcome =
      RunSf(absl::StrCat("reestimate --batch_size=2 --data=", folder, "/images.idx --output=", repaired, " ", prefix));
  EXPECT_EQ(outcome.code, 0) << outcome.output;
  EXPECT_TRUE(absl::StrContains(outcome.output, "bn: 4 channels of 3 elements")) << outcome.output;
  const absl::StatusOr<BundleReader> reader = BundleReader::Open(PosixEnv(), repaired);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_NEAR(reader->Read("bn/moving_mean").value().flat<float>()[0], 0.2, 1e-6);
  EXPECT_NEAR(reader->Read("bn/moving_variance").value().flat<float>()[0], 0.08 / 3, 1e-6);

  // The same model to predict with, as a folder.
  const std::string model = folder + "/saved_model";
  const Outcome exported =
      RunSf(absl::StrCat("export --format=saved_model --fetches=bn/batchnorm/add_1 --data=", folder,
                         "/images.idx --output=", model, " ", prefix));
  EXPECT_EQ(exported.code, 0) << exported.output;
  const Outcome inspected = RunSf(absl::StrCat("inspect ", model));
  EXPECT_EQ(inspected.code, 0) << inspected.output;
  EXPECT_TRUE(absl::StrContains(inspected.output, "SavedModel")) << inspected.output;

  // A graph that has outgrown its checkpoint.
  {
    Graph g;
    NewVariable(g, Tensor(1.0f), {.name = "bn/gamma"});
    NewVariable(g, Tensor(1.0f), {.name = "head"});
    ASSERT_TRUE(WriteWholeFile(PosixEnv(), prefix + ".meta", MetaGraphBytes(g).value()).ok());
  }
  const Outcome outgrown = RunSf(absl::StrCat("inspect ", prefix));
  EXPECT_EQ(outgrown.code, 1) << outgrown.output;
  for (const char* part : {"not in the checkpoint: variable head", "no variable of the graph takes: bn/beta",
                           "of another kind: bn/gamma is float[4] in the file and float[] in the graph"}) {
    EXPECT_TRUE(absl::StrContains(outgrown.output, part)) << part << "\n" << outgrown.output;
  }
}

// A SavedModel of TensorFlow 2: everything is in functions, and variables are saved under the names of objects.
TEST(SfTest, FoldsWhatTensorFlow2Saved) {
  const std::string data = testing::TempDir() + "/rows.idx", file = testing::TempDir() + "/tf2.pb";
  ASSERT_TRUE(
      WriteWholeFile(PosixEnv(), data, std::string({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 5, 9, 8, 7, 6, 5, 1, 2, 3, 4, 5}))
          .ok());
  const std::string command =
      absl::StrCat("export --data=", data, " --output=", file,
                   " tests/golden/files/saved_model_functions --fetches=StatefulPartitionedCall");
  const Outcome of_batch = RunSf(command), right = RunSf(command + "_1");
  EXPECT_EQ(of_batch.code, 2) << of_batch.output;
  EXPECT_TRUE(absl::StrContains(of_batch.output, "the graph predicts from the statistics of its batch"));
  EXPECT_EQ(right.code, 0) << right.output;
  EXPECT_TRUE(absl::StrContains(right.output, "1 nodes taken into products")) << right.output;

  // Repaired, the checkpoint has the same names.
  const std::string repaired = testing::TempDir() + "/tf2_repaired";
  const Outcome reestimated = RunSf(absl::StrCat("reestimate --fetches=StatefulPartitionedCall_1 --data=", data,
                                                 " --output=", repaired, " tests/golden/files/saved_model_functions"));
  EXPECT_EQ(reestimated.code, 0) << reestimated.output;
  const absl::StatusOr<BundleReader> before =
      BundleReader::Open(PosixEnv(), "tests/golden/files/saved_model_functions/variables/variables");
  const absl::StatusOr<BundleReader> after = BundleReader::Open(PosixEnv(), repaired);
  ASSERT_TRUE(before.ok() && after.ok()) << after.status();
  EXPECT_EQ(after->tensors().size(), before->tensors().size());
  for (const auto& [name, entry] : before->tensors()) {
    ASSERT_TRUE(after->tensors().contains(name)) << name;
    const bool moved = absl::StartsWith(name, "mean/") || absl::StartsWith(name, "variance/");
    EXPECT_EQ(BitwiseEqual(before->Read(name).value(), after->Read(name).value()), !moved) << name;
  }
}

// What is no batch normalization is audited, too.
TEST(SfTest, AuditsTheWiringOfAFile) {
  Graph g;
  const Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
  const Output labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "labels"});
  SoftmaxCrossEntropyWithLogits(Softmax(x, {.name = "probabilities"}), labels, {.name = "xent"});
  const std::string path = testing::TempDir() + "/wiring.pbtxt";
  ASSERT_TRUE(WriteWholeFile(PosixEnv(), path, GraphDefText(g).value()).ok());
  const Outcome audited = RunSf(absl::StrCat("audit ", path));
  EXPECT_EQ(audited.code, 1) << audited.output;
  EXPECT_TRUE(absl::StrContains(audited.output,
                                "takes logits, but it gets probabilities: the output of Softmax 'probabilities'"))
      << audited.output;
}

}  // namespace
}  // namespace staticflow
