#include "runtime/io/fault_env.h"

#include <cerrno>
#include <set>

#include "gtest/gtest.h"

namespace staticflow {
namespace {

TEST(FaultEnvTest, FailsTheChosenCallOnceOrForever) {
  for (bool forever : {false, true}) {
    FaultEnv env;
    env.FailCall({.call = 1, .error = ENOSPC, .forever = forever});
    EXPECT_TRUE(env.FileExists("f").ok());
    EXPECT_EQ(env.FileExists("f").status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(env.FileExists("f").ok(), !forever);
    EXPECT_EQ(env.calls(), 3);
  }
}

TEST(FaultEnvTest, ShortWrite) {
  FaultEnv env;
  env.FailCall({.call = 1, .error = ENOSPC, .short_write = true});
  auto file = *env.NewWritableFile("f");
  EXPECT_FALSE(file->Append("12345678").ok());
  EXPECT_EQ(env.open_files(), 1);
  file.reset();
  EXPECT_EQ(env.open_files(), 0);
  EXPECT_EQ(*ReadWholeFile(&env, "f"), "1234");
}

TEST(FaultEnvTest, PowerCutKeepsWhatWasSynced) {
  const struct {
    PowerCut::Kind kind;
    const char* want;  // the content of "f", null if the name is gone
  } rows[] = {{PowerCut::kDropAll, nullptr},
              {PowerCut::kKeepAll, "synced+more"},
              {PowerCut::kKeepNames, "synced"},
              {PowerCut::kKeepBytes, nullptr}};
  for (const auto& row : rows) {
    FaultEnv env;
    auto file = *env.NewWritableFile("t");
    ASSERT_TRUE(file->Append("synced").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(file->Append("+more").ok());
    ASSERT_TRUE(env.Rename("t", "f").ok());
    auto after = env.AfterPowerCut({.kind = row.kind});
    EXPECT_EQ(*after->FileExists("f"), row.want != nullptr) << row.kind;
    if (row.want != nullptr) {
      EXPECT_EQ(*ReadWholeFile(after.get(), "f"), row.want) << row.kind;
    }
    // Once the directory is synced, the name stays whatever the kind.
    ASSERT_TRUE(env.SyncDir(".").ok());
    after = env.AfterPowerCut({.kind = row.kind});
    EXPECT_TRUE(*after->FileExists("f")) << row.kind;
    EXPECT_EQ(ReadWholeFile(after.get(), "f")->substr(0, 6), "synced") << row.kind;
  }
}

TEST(FaultEnvTest, ZerosStandForUnsyncedBytes) {
  FaultEnv env;
  ASSERT_TRUE(WriteWholeFile(&env, "f", "abc").ok());
  EXPECT_EQ(*ReadWholeFile(env.AfterPowerCut({.kind = PowerCut::kZeros}).get(), "f"), std::string(3, '\0'));
}

TEST(FaultEnvTest, RandomCutsDifferBySeedAndRepeat) {
  FaultEnv env;
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(WriteWholeFile(&env, name, "0123456789").ok());
  const auto outcome = [&](uint64_t seed) {
    auto after = env.AfterPowerCut({.kind = PowerCut::kRandom, .seed = seed});
    std::string text;
    for (const std::string& path : after->Files()) text += path + "=" + *ReadWholeFile(after.get(), path) + ";";
    return text;
  };
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(outcome(seed), outcome(seed));
    outcomes.insert(outcome(seed));
  }
  EXPECT_GT(outcomes.size(), 20u);
}

// ReplaceFile under every failing call, and under a power cut after every call: the old bytes or the new ones.
TEST(ReplaceFileTest, EveryFailingCallLeavesTheOldFileAndNoTemporary) {
  for (bool forever : {false, true}) {
    for (int64_t n = 0;; ++n) {
      ASSERT_LT(n, 100);
      FaultEnv env;
      ASSERT_TRUE(ReplaceFile(&env, "f", "old").ok());
      env.ResetCalls();
      env.FailCall({.call = n, .error = ENOSPC, .forever = forever, .short_write = true});
      const absl::Status status = ReplaceFile(&env, "f", "new");
      env.FailCall({});
      EXPECT_EQ(env.open_files(), 0);
      const std::string now = *ReadWholeFile(&env, "f");
      if (status.ok()) {
        EXPECT_EQ(now, "new");
        EXPECT_EQ(n, 6);
        break;
      }
      EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
      EXPECT_EQ(now, n == 5 ? "new" : "old") << n;  // call 5 is the sync of the directory
      if (!forever) {
        EXPECT_EQ(env.Files().size(), 1u) << n;
      }
    }
  }
}

TEST(ReplaceFileTest, EveryPowerCutLeavesOldOrNew) {
  std::set<std::string> seen;
  for (int64_t n = 0; n <= 6; ++n) {
    for (const PowerCut& cut : PowerCut::All(20)) {
      FaultEnv env;
      ASSERT_TRUE(ReplaceFile(&env, "f", "old").ok());
      env.ResetCalls();
      env.FailCall({.call = n, .error = EIO, .forever = true});
      const absl::Status status = ReplaceFile(&env, "f", "new");
      const std::string now = *ReadWholeFile(env.AfterPowerCut(cut).get(), "f");
      seen.insert(now);
      EXPECT_TRUE(now == "new" || (now == "old" && !status.ok())) << n << " " << cut.kind << " '" << now << "'";
    }
  }
  EXPECT_EQ(seen, (std::set<std::string>{"old", "new"}));
}

}  // namespace
}  // namespace staticflow
