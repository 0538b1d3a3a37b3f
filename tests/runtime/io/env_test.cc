#include "runtime/io/env.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

// Both file systems keep the same contract.
class EnvTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    env_ = GetParam() ? PosixEnv() : &memory_;
    dir_ = absl::StrCat(testing::TempDir(), "/env_test_", ::getpid(), "_", GetParam());
    ASSERT_TRUE(env_->CreateDir(dir_ + "/a/b").ok());
  }

  FaultEnv memory_;
  Env* env_ = nullptr;
  std::string dir_;
};

TEST_P(EnvTest, FilesAreWrittenReadRenamedLinkedAndRemoved) {
  const std::string f = dir_ + "/a/f", g = dir_ + "/a/g", h = dir_ + "/a/h";
  const std::string big(200'000, 'x');
  ASSERT_TRUE(WriteWholeFile(env_, f, "old").ok());
  ASSERT_TRUE(WriteWholeFile(env_, f, big).ok());
  EXPECT_EQ(*ReadWholeFile(env_, f), big);
  EXPECT_EQ(*env_->FileSize(f), big.size());
  EXPECT_EQ(ReadWholeFile(env_, f, 10).status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(env_->HardLink(f, g).ok());
  EXPECT_EQ(env_->HardLink(f, g).code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(WriteWholeFile(env_, h, "h").ok());
  ASSERT_TRUE(env_->Rename(h, f).ok());
  EXPECT_EQ(*ReadWholeFile(env_, f), "h");
  EXPECT_EQ(*ReadWholeFile(env_, g), big);
  ASSERT_TRUE(env_->SyncDir(dir_ + "/a").ok());
  EXPECT_EQ(*env_->ListDir(dir_ + "/a"), (std::vector<std::string>{"b", "f", "g"}));
  ASSERT_TRUE(env_->Remove(f).ok());
  EXPECT_FALSE(*env_->FileExists(f));
  EXPECT_TRUE(*env_->FileExists(g));
  ASSERT_TRUE(env_->CreateDir(dir_ + "/full/empty").ok());
  EXPECT_FALSE(env_->Remove(dir_ + "/full").ok());
  ASSERT_TRUE(env_->Remove(dir_ + "/full/empty").ok());
  EXPECT_FALSE(*env_->FileExists(dir_ + "/full/empty"));
  ASSERT_TRUE(env_->Remove(dir_ + "/full").ok());
  ASSERT_TRUE(env_->Remove(g).ok());
  EXPECT_GT(*env_->FreeBytes(dir_), 0u);
}

TEST_P(EnvTest, ErrorsNameTheFile) {
  const std::string none = dir_ + "/none";
  for (const absl::Status& status :
       {env_->NewRandomAccessFile(none).status(), env_->FileSize(none).status(), env_->Remove(none),
        env_->Rename(none, dir_ + "/x"), env_->HardLink(none, dir_ + "/x"), env_->ListDir(none).status(),
        env_->NewWritableFile(none + "/deeper").status(), env_->SyncDir(none)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_NE(status.message().find(none), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find("No such file"), absl::string_view::npos) << status;
  }
  EXPECT_FALSE(*env_->FileExists(none));
}

TEST(PosixEnvTest, AFileInTheWayOfADirectory) {
  const std::string file = absl::StrCat(testing::TempDir(), "/env_test_file_", ::getpid());
  ASSERT_TRUE(WriteWholeFile(PosixEnv(), file, "x").ok());
  for (const std::string& dir : {file, file + "/sub"})
    EXPECT_EQ(PosixEnv()->CreateDir(dir).code(), absl::StatusCode::kFailedPrecondition) << dir;
  EXPECT_EQ(ReadWholeFile(PosixEnv(), testing::TempDir()).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(PosixEnv()->Remove(file).ok());
}

TEST_P(EnvTest, SweepRemovesOnlyOurTemporaries) {
  const std::string ours = TemporaryName(dir_ + "/m.index");
  const std::string init = absl::StrCat(ours.substr(0, ours.rfind('.')), ".1");  // a living process
  const std::string other_host = dir_ + "/m.index.tempstate.elsewhere-host.123";
  for (const std::string& path : {ours, init, other_host, dir_ + "/m.index"})
    ASSERT_TRUE(WriteWholeFile(env_, path, "x").ok());
  ASSERT_TRUE(SweepTemporaries(env_, dir_).ok());
  EXPECT_FALSE(*env_->FileExists(ours));
  EXPECT_TRUE(*env_->FileExists(init));
  EXPECT_TRUE(*env_->FileExists(other_host));
  EXPECT_TRUE(*env_->FileExists(dir_ + "/m.index"));
}

INSTANTIATE_TEST_SUITE_P(All, EnvTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Posix" : "Memory"; });

TEST(PathTest, PartsAndJoins) {
  EXPECT_EQ(DirName("a/b"), "a");
  EXPECT_EQ(DirName("b"), ".");
  EXPECT_EQ(DirName("/b"), "/");
  EXPECT_EQ(BaseName("a/b"), "b");
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
}

TEST(ErrnoStatusTest, Codes) {
  const struct {
    int error;
    absl::StatusCode code;
  } rows[] = {{ENOENT, absl::StatusCode::kNotFound},           {ENOSPC, absl::StatusCode::kResourceExhausted},
              {EDQUOT, absl::StatusCode::kResourceExhausted},  {EACCES, absl::StatusCode::kPermissionDenied},
              {EROFS, absl::StatusCode::kPermissionDenied},    {EEXIST, absl::StatusCode::kAlreadyExists},
              {EISDIR, absl::StatusCode::kFailedPrecondition}, {EIO, absl::StatusCode::kUnavailable}};
  for (const auto& row : rows) EXPECT_EQ(ErrnoStatus(row.error, "cannot write", "f").code(), row.code) << row.error;
  EXPECT_EQ(ErrnoStatus(ENOSPC, "cannot write", "f").message(), "f: cannot write: No space left on device");
}

}  // namespace
}  // namespace staticflow
