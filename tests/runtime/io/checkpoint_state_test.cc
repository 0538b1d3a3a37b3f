#include "runtime/io/checkpoint_state.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

absl::Status Save(Env* env, const std::string& prefix, float value) {
  BundleWriter writer(env, prefix);
  writer.Add("w", Tensor(value)).IgnoreError();
  return writer.Finish();
}

// Checkpoints dir/m-1 .. dir/m-3 and their state file.
void Prepare(FaultEnv* env) {
  CheckpointState state;
  for (int i = 1; i <= 3; ++i) {
    state.latest = absl::StrCat("dir/m-", i);
    state.all.push_back(state.latest);
    state.timestamps.push_back(100.5 + i);
    ASSERT_TRUE(Save(env, state.latest, static_cast<float>(i)).ok());
  }
  ASSERT_TRUE(WriteCheckpointState(env, "dir", state).ok());
}

TEST(CheckpointStateTest, RoundTripWithRelativePaths) {
  FaultEnv env;
  Prepare(&env);
  const auto state = ReadCheckpointState(&env, "dir");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->latest, "m-3");
  EXPECT_EQ(state->all, (std::vector<std::string>{"m-1", "m-2", "m-3"}));
  EXPECT_EQ(state->timestamps, (std::vector<double>{101.5, 102.5, 103.5}));
  EXPECT_EQ(ReadCheckpointState(&env, ".").status().code(), absl::StatusCode::kNotFound);
}

TEST(CheckpointStateTest, TheTextIsTensorFlows) {
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("dir").ok());
  const CheckpointState state = {.latest = "m-2", .all = {"/elsewhere/m-1", "m-2"}, .timestamps = {}};
  ASSERT_TRUE(WriteCheckpointState(&env, "dir", state).ok());
  EXPECT_EQ(*ReadWholeFile(&env, "dir/checkpoint"),
            "model_checkpoint_path: \"m-2\"\n"
            "all_model_checkpoint_paths: \"/elsewhere/m-1\"\n"
            "all_model_checkpoint_paths: \"m-2\"\n");
}

TEST(CheckpointStateTest, DamagedText) {
  for (const char* text : {"", "garbage", "model_checkpoint_path: 3", "model_checkpoint_path: \"a", "no_such_field: 1",
                           "all_model_checkpoint_paths: \"a\"", "\xff\xfe"}) {
    FaultEnv env;
    ASSERT_TRUE(WriteWholeFile(&env, "./checkpoint", text).ok());
    const absl::Status status = ReadCheckpointState(&env, ".").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_NE(status.message().find("./checkpoint"), absl::string_view::npos) << status;
  }
}

void Damage(FaultEnv* env, const std::string& path) {
  std::string bytes = *ReadWholeFile(env, path);
  bytes[1] = static_cast<char>(bytes[1] ^ 1);
  ASSERT_TRUE(WriteWholeFile(env, path, bytes).ok());
}

TEST(LatestCheckpointTest, WalksBackToTheNewestWholeOne) {
  FaultEnv env;
  Prepare(&env);
  std::vector<std::string> skipped;
  EXPECT_EQ(*LatestCheckpoint(&env, "dir", {.skipped = &skipped}), "dir/m-3");
  EXPECT_TRUE(skipped.empty());
  Damage(&env, BundleDataPath("dir/m-3", 0, 1));
  EXPECT_EQ(*LatestCheckpoint(&env, "dir", {.skipped = &skipped}), "dir/m-2");
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_NE(skipped[0].find("checksum"), std::string::npos) << skipped[0];
  EXPECT_EQ(*LatestCheckpoint(&env, "dir", {.verify = false}), "dir/m-3");
  ASSERT_TRUE(env.Remove(BundleIndexPath("dir/m-2")).ok());
  EXPECT_EQ(*LatestCheckpoint(&env, "dir"), "dir/m-1");
  Damage(&env, BundleIndexPath("dir/m-1"));
  const absl::Status none = LatestCheckpoint(&env, "dir", {.skipped = &skipped}).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(skipped.size(), 3u);
}

TEST(LatestCheckpointTest, Paths) {
  const struct {
    const char* path;
    bool allow_outside;
    const char* want;  // null: none
  } rows[] = {{"m", false, "dir/m"},         {"/moved/away/m", false, "dir/m"}, {"old_dir/m", false, "dir/m"},
              {"sub/s", false, "dir/sub/s"}, {"../other/o", false, nullptr},    {"../other/o", true, "dir/../other/o"},
              {"/abs/a", false, nullptr},    {"/abs/a", true, "/abs/a"}};
  for (const auto& row : rows) {
    FaultEnv env;
    for (const char* prefix : {"dir/m", "dir/sub/s", "dir/../other/o", "/abs/a"})
      ASSERT_TRUE(Save(&env, prefix, 1).ok());
    ASSERT_TRUE(WriteWholeFile(&env, "dir/checkpoint", absl::StrCat("model_checkpoint_path: \"", row.path, "\"")).ok());
    const auto got = LatestCheckpoint(&env, "dir", {.allow_outside = row.allow_outside});
    EXPECT_EQ(got.ok() ? *got : "", row.want == nullptr ? "" : row.want) << row.path << " " << got.status();
  }
}

// Saving the way a training run does: the new checkpoint, the state file, then the removal of the oldest one.
absl::Status SaveStep(Env* env, int step) {
  const std::string prefix = absl::StrCat("dir/m-", step);
  absl::Status status = Save(env, prefix, static_cast<float>(step));
  if (!status.ok()) return status;
  status = WriteCheckpointState(
      env, "dir", {.latest = prefix, .all = {absl::StrCat("dir/m-", step - 1), prefix}, .timestamps = {}});
  if (!status.ok()) return status;
  return DeleteBundle(env, absl::StrCat("dir/m-", step - 2));
}

TEST(LatestCheckpointTest, AfterEveryPowerCutOfATrainingRunOneIsThere) {
  bool done = false;
  for (int64_t n = 0; !done; ++n) {
    FaultEnv env;
    Prepare(&env);
    env.ResetCalls();
    env.FailCall({.call = n, .error = EIO, .forever = true});
    const absl::Status status = SaveStep(&env, 4);
    done = env.calls() <= n;
    for (const PowerCut& cut : PowerCut::All(20)) {
      const auto after = env.AfterPowerCut(cut);
      const auto latest = LatestCheckpoint(after.get(), "dir");
      ASSERT_TRUE(latest.ok()) << n << " " << cut.kind << " " << latest.status();
      EXPECT_TRUE(*latest == "dir/m-4" || (*latest == "dir/m-3" && !status.ok())) << *latest;
    }
  }
}

TEST(LatestCheckpointTest, ThatTensorFlowWrote) {
  const std::string dir = "tests/golden/files/checkpoint_v2_several_steps";
  EXPECT_EQ(*LatestCheckpoint(PosixEnv(), dir), dir + "/model.ckpt-40");
}

}  // namespace
}  // namespace staticflow
