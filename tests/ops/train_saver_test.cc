#include <errno.h>
#include <gmock/gmock.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "ops/array.h"
#include "ops/math.h"
#include "ops/state.h"
#include "ops/train/adam.h"
#include "ops/train/saver.h"
#include "runtime/io/bundle.h"
#include "runtime/io/checkpoint_state.h"
#include "runtime/io/fault_env.h"
#include "tests/op_test.h"

namespace staticflow {

// Only its tensors are used here.

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A small model: y = x * d/w + b, and a counter.
struct Model {
  explicit Model(bool use_resource = false, Shape w_shape = {2}) {
    x = Placeholder(g, {.shape = {2}, .name = "x"});
    {
      VariableScope scope(g, "d", {.use_resource = use_resource});
      w = GetVariable(g, "w", {.shape = w_shape});
    }
    b = NewVariable(g, T({3, 4}), {.name = "b", .use_resource = use_resource});
    y = staticflow::Add(x * w.snapshot, b.snapshot, {.name = "y"});
    GetOrCreateGlobalStep(g);
  }
  Graph g;
  Output x, y;
  Variable w, b;
};

SessionOptions On(Env& env) {
  SessionOptions options;
  options.threads = 1;
  options.env = &env;
  return options;
}

std::vector<std::string> FilesEndingIn(const FaultEnv& env, absl::string_view suffix) {
  std::vector<std::string> files;
  for (const std::string& path : env.Files()) {
    if (absl::EndsWith(path, suffix)) files.push_back(path);
  }
  return files;
}

TEST(Saver, NamesItsNodesAsTensorFlow) {
  Model m;
  const int first = m.g.num_nodes();
  train::Saver saver(m.g);
  ASSERT_TRUE(m.g.status().ok()) << m.g.status();
  std::vector<std::string> lines;
  for (int i = first; i < m.g.num_nodes(); ++i) {
    const Node& node = *m.g.nodes()[i];
    std::string line = absl::StrCat(node.name(), " ", node.type());
    for (Output input : node.inputs()) absl::StrAppend(&line, " ", input.name());
    for (Node* control : node.control_inputs()) absl::StrAppend(&line, " ^", control->name());
    lines.push_back(line);
  }
  EXPECT_THAT(
      lines,
      ElementsAre("save/filename/input Const", "save/filename PlaceholderWithDefault save/filename/input:0",
                  "save/Const PlaceholderWithDefault save/filename:0", "save/SaveV2/tensor_names Const",
                  "save/SaveV2/shape_and_slices Const",
                  "save/SaveV2 SaveV2 save/Const:0 save/SaveV2/tensor_names:0 save/SaveV2/shape_and_slices:0 b:0 d/w:0 "
                  "global_step:0",
                  "save/control_dependency Identity save/Const:0 ^save/SaveV2", "save/RestoreV2/tensor_names Const",
                  "save/RestoreV2/shape_and_slices Const",
                  "save/RestoreV2 RestoreV2 save/Const:0 save/RestoreV2/tensor_names:0 "
                  "save/RestoreV2/shape_and_slices:0",
                  "save/Assign Assign b:0 save/RestoreV2:0", "save/Assign_1 Assign d/w:0 save/RestoreV2:1",
                  "save/Assign_2 Assign global_step:0 save/RestoreV2:2",
                  "save/restore_all NoOp ^save/Assign ^save/Assign_1 ^save/Assign_2"));
  const SaverInfo info = saver.info();
  EXPECT_EQ(info.filename_tensor, "save/Const:0");
  EXPECT_EQ(info.save_tensor, "save/control_dependency:0");
  EXPECT_EQ(info.restore_op, "save/restore_all");
  EXPECT_EQ(train::Saver(m.g).info().restore_op, "save_1/restore_all");
}

class SaverKinds : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Variables, SaverKinds, testing::Bool(),
                         [](const auto& info) { return info.param ? "resource" : "reference"; });

// From the code, and from the .meta file alone.
TEST_P(SaverKinds, RestoresBitForBit) {
  FaultEnv env;
  Tensor want;
  {
    Model m(GetParam());
    train::Saver saver(m.g);
    Session session(m.g, On(env));
    ASSERT_TRUE(session.Initialize().ok());
    want = *session.Run({{m.x, T({5, 6})}}, m.y);
    const auto path = saver.Save(session, "out/model.ckpt", {.global_step = 7});
    ASSERT_TRUE(path.ok()) << path.status();
    EXPECT_EQ(*path, "out/model.ckpt-7");
  }
  {
    Model m(GetParam());
    train::Saver saver(m.g);
    Session session(m.g, On(env));
    const absl::Status restored = saver.Restore(session, *LatestCheckpoint(&env, "out"));
    ASSERT_TRUE(restored.ok()) << restored;
    EXPECT_TRUE(BitwiseEqual(*session.Run({{m.x, T({5, 6})}}, m.y), want));
  }
  Graph g;
  const auto bytes = ReadWholeFile(&env, "out/model.ckpt-7.meta");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto meta = ImportMetaGraph(*bytes, g);
  ASSERT_TRUE(meta.ok()) << meta.status();
  auto saver = train::Saver::FromMetaGraph(g, *meta);
  ASSERT_TRUE(saver.ok()) << saver.status();
  Session session(g, On(env));
  const absl::Status restored = saver->Restore(session, "out/model.ckpt-7");
  ASSERT_TRUE(restored.ok()) << restored;
  const auto got = session.RunByName({{"x:0", T({5, 6})}}, {"y:0"});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(BitwiseEqual((*got)[0], want));
}

TEST(Saver, KeepsTheNewest) {
  FaultEnv env;
  Model m;
  train::Saver saver(m.g, {.max_to_keep = 2});
  Session session(m.g, On(env));
  ASSERT_TRUE(session.Initialize().ok());
  for (const int64_t step : {1, 2, 3, 2}) {
    const auto path = saver.Save(session, "out/m", {.global_step = step});
    ASSERT_TRUE(path.ok()) << path.status();
  }
  EXPECT_THAT(saver.last_checkpoints(), ElementsAre("out/m-3", "out/m-2"));
  EXPECT_THAT(FilesEndingIn(env, ".index"), ElementsAre(HasSubstr("m-2.index"), HasSubstr("m-3.index")));
  EXPECT_THAT(FilesEndingIn(env, ".meta"), ElementsAre(HasSubstr("m-2.meta"), HasSubstr("m-3.meta")));
  const auto state = ReadCheckpointState(&env, "out");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_THAT(state->latest, HasSubstr("m-2"));
  EXPECT_EQ(state->all.size(), 2u);
  EXPECT_EQ(state->timestamps.size(), 2u);
  EXPECT_EQ(*LatestCheckpoint(&env, "out"), "out/m-2");
}

TEST(Saver, KeepsOneForGoodEveryFewHours) {
  FaultEnv env;
  Model m;
  train::Saver saver(m.g, {.max_to_keep = 1, .keep_checkpoint_every_n_hours = 0});
  Session session(m.g, On(env));
  ASSERT_TRUE(session.Initialize().ok());
  for (const int64_t step : {1, 2}) ASSERT_TRUE(saver.Save(session, "out/m", {.global_step = step}).ok());
  EXPECT_EQ(FilesEndingIn(env, ".index").size(), 2u);
  EXPECT_THAT(saver.last_checkpoints(), ElementsAre("out/m-2"));
  EXPECT_GT(ReadCheckpointState(&env, "out")->last_preserved_timestamp, 0);
}

TEST(Saver, SavesASelection) {
  FaultEnv env;
  Model m;
  train::Saver saver(m.g, {.var_list = {m.b.ref()}});
  Session session(m.g, On(env));
  ASSERT_TRUE(session.Initialize().ok());
  ASSERT_TRUE(saver.Save(session, "m", {.write_meta_graph = false, .write_state = false}).ok());
  EXPECT_EQ(BundleReader::Open(&env, "m")->tensors().size(), 1u);
  EXPECT_EQ(env.Files().size(), 2u);
}

// Saves with a model, restores with another one.
absl::Status RestoreInto(Model& target, FaultEnv& env, bool damage = false) {
  Model m;
  train::Saver saver(m.g);
  Session session(m.g, On(env));
  EXPECT_TRUE(session.Initialize().ok());
  EXPECT_TRUE(saver.Save(session, "m").ok());
  if (damage) {
    std::string data = *ReadWholeFile(&env, BundleDataPath("m", 0, 1));
    data[2] ^= 1;
    EXPECT_TRUE(WriteWholeFile(&env, BundleDataPath("m", 0, 1), data).ok());
  }
  train::Saver other(target.g);
  Session restored(target.g, On(env));
  EXPECT_TRUE(restored.Initialize().ok());
  const absl::Status status = other.Restore(restored, "m");
  // Whatever is wrong, no variable has changed.
  EXPECT_TRUE(status.ok() || BitwiseEqual(*restored.Run({}, target.b.snapshot), T({3, 4})));
  return status;
}

TEST(Saver, ListsWhatDoesNotFit) {
  {
    FaultEnv env;
    Model target;
    NewVariable(target.g, Tensor(1.0f), {.name = "one"});
    NewVariable(target.g, Tensor(1.0f), {.name = "two"});
    const absl::Status status = RestoreInto(target, env);
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(std::string(status.message()), HasSubstr("lacks one, two"));
  }
  {
    FaultEnv env;
    Model target(/*use_resource=*/false, {1});
    const absl::Status status = RestoreInto(target, env);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("d/w is float[2], the variable VariableV2 'd/w'"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("float[1]"));
  }
  {
    FaultEnv env;
    Model target;
    EXPECT_EQ(RestoreInto(target, env, /*damage=*/true).code(), absl::StatusCode::kDataLoss);
  }
}

TEST(Saver, ReportsAVariableWithoutValue) {
  FaultEnv env;
  Model m;
  train::Saver saver(m.g);
  Session session(m.g, On(env));
  const absl::Status status = saver.Save(session, "m").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(FilesEndingIn(env, ".index").empty());
}

TEST(Saver, ReportsWhatIsNoVariable) {
  Model m;
  train::Saver saver(m.g, {.var_list = {m.x}});
  EXPECT_THAT(std::string(m.g.status().message()), HasSubstr("x:0 in var_list is no variable"));
  Graph empty;
  train::Saver none(empty);
  EXPECT_THAT(std::string(empty.status().message()), HasSubstr("(train_saver_test.cc:"));
}

// A full disk at any call: an error, and the old checkpoint is still the one that is found.
TEST(Saver, SurvivesAFullDisk) {
  for (int64_t call = 0;; ++call) {
    ASSERT_LT(call, 500);
    FaultEnv env;
    Model m;
    train::Saver saver(m.g);
    Session session(m.g, On(env));
    ASSERT_TRUE(session.Initialize().ok());
    ASSERT_TRUE(saver.Save(session, "out/m", {.global_step = 1}).ok());
    env.ResetCalls();
    env.FailCall({.call = call, .error = ENOSPC});
    const absl::Status status = saver.Save(session, "out/m", {.global_step = 2}).status();
    if (env.calls() <= call) {
      EXPECT_TRUE(status.ok()) << status;
      break;
    }
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << call << status;
    }
    const auto latest = LatestCheckpoint(&env, "out");
    ASSERT_TRUE(latest.ok()) << call << latest.status();
    EXPECT_TRUE(saver.Restore(session, *latest).ok());
  }
}

}  // namespace
}  // namespace staticflow
