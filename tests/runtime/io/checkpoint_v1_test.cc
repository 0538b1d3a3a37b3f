#include "runtime/io/checkpoint_v1.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "graph/status.h"
#include "proto/saved_tensor_slice.pb.h"
#include "runtime/io/fault_env.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

constexpr char kFile[] = "tests/golden/files/checkpoint_v1/model.ckpt";
constexpr char kShards[] = "tests/golden/files/checkpoint_v1/sharded.ckpt-*-of-00002";

template <typename T>
Tensor Five() {
  const auto at = [](int i) {
    if constexpr (std::is_same_v<T, Half>) {
      return Half(static_cast<float>(i));
    } else {
      return static_cast<T>(i);
    }
  };
  return Tensor::Vector<T>({at(0), at(1), at(2), at(3), at(100)});
}

// What TensorFlow wrote to kFile.
std::map<std::string, Tensor> Tensors() {
  return {{"w", Tensor::Matrix<float>({{0, 0.25, 0.5}, {0.75, 1, 1.25}})},
          {"d", Tensor::Vector<double>({1.5, -2.5})},
          {"int32", Five<int32_t>()},
          {"int64", Five<int64_t>()},
          {"int8", Five<int8_t>()},
          {"int16", Five<int16_t>()},
          {"uint8", Five<uint8_t>()},
          {"uint16", Five<uint16_t>()},
          {"float16", Five<Half>()},
          {"negative", Tensor::Vector<int8_t>({-1, -128})},
          {"b", Tensor::Vector<bool>({true, false})},
          {"s", Tensor::Vector<std::string>({"ab", "", std::string("c\0\xff", 3)})},
          {"scalar", Tensor(7.0f)},
          {"empty", Tensor::Of<float>({0, 3}, {})},
          {"part/p", Tensor::Matrix<float>({{0, 1}, {2, 3}, {4, 5}, {6, 7}, {8, 9}})}};
}
const Tensor& Top() {
  static const Tensor& top = *new Tensor(Tensor::Matrix<float>({{0, 1}, {2, 3}, {4, 5}}));
  return top;
}
const Tensor& Bottom() {
  static const Tensor& bottom = *new Tensor(Tensor::Matrix<float>({{6, 7}, {8, 9}}));
  return bottom;
}

TEST(CheckpointV1, ReadsWhatTensorFlowWrote) {
  const std::string path = kFile;
  const auto checkpoint = CheckpointV1::Open(PosixEnv(), {&path, 1});
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(checkpoint->tensors().size(), Tensors().size());
  for (const auto& [name, want] : Tensors()) {
    const auto got = checkpoint->Read(name);
    ASSERT_TRUE(got.ok()) << name << ": " << got.status();
    EXPECT_TRUE(BitwiseEqual(*got, want)) << name;
  }
  EXPECT_EQ(checkpoint->Read("nope").status().code(), absl::StatusCode::kNotFound);
}

TEST(CheckpointV1, WritesTheBytesThatTensorFlowWrites) {
  FaultEnv env;
  CheckpointV1Writer writer(&env, "out/model.ckpt");
  for (const auto& [name, tensor] : Tensors()) {
    if (name == "part/p") continue;
    ASSERT_TRUE(writer.Add(name, tensor).ok()) << name;
  }
  ASSERT_TRUE(writer.AddSlice("part/p", {5, 2}, {{0, 0}, {3, 2}}, Top()).ok());
  ASSERT_TRUE(writer.AddSlice("part/p", {5, 2}, {{3, 0}, {2, 2}}, Bottom()).ok());
  const absl::Status finished = writer.Finish();
  ASSERT_TRUE(finished.ok()) << finished;
  EXPECT_EQ(env.Files(), std::vector<std::string>{"out/model.ckpt"});
  EXPECT_EQ(*ReadWholeFile(&env, "out/model.ckpt"), *ReadWholeFile(PosixEnv(), kFile));
}

TEST(CheckpointV1, PutsTheSlicesOfSeveralFilesTogether) {
  const auto files = CheckpointV1Files(PosixEnv(), kShards);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 2u);
  const auto both = CheckpointV1::Open(PosixEnv(), *files);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_TRUE(BitwiseEqual(*both->Read("p"), Tensors()["part/p"]));
  EXPECT_TRUE(BitwiseEqual(*both->Read("p", {{2, 1}, {2, 1}}), Tensor::Matrix<float>({{5}, {7}})));
  EXPECT_EQ(both->Read("p", {{4, 0}, {2, 2}}).status().code(), absl::StatusCode::kInvalidArgument);

  const auto first = CheckpointV1::Open(PosixEnv(), {&(*files)[0], 1}, {.only = "p"});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(BitwiseEqual(*first->Read("p", {{1, 0}, {2, 2}}), Tensor::Matrix<float>({{2, 3}, {4, 5}})));
  EXPECT_EQ(first->Read("p").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(first->Read("w").status().code(), absl::StatusCode::kDataLoss) << "its values were not asked for";

  const std::vector<std::string> twice = {(*files)[0], (*files)[0]};
  EXPECT_EQ(CheckpointV1::Open(PosixEnv(), twice).status().code(), absl::StatusCode::kDataLoss);
}

TEST(CheckpointV1, FindsFilesByPattern) {
  FaultEnv env;
  ASSERT_TRUE(env.CreateDir("d").ok());
  for (const char* name : {"d/m-1", "d/m-22", "d/n-1", "d/m-"}) ASSERT_TRUE(WriteWholeFile(&env, name, "").ok());
  const auto names = [&](const char* pattern) { return CheckpointV1Files(&env, pattern).value(); };
  EXPECT_EQ(names("d/m-?"), std::vector<std::string>{"d/m-1"});
  EXPECT_EQ(names("d/m-*"), (std::vector<std::string>{"d/m-", "d/m-1", "d/m-22"}));
  EXPECT_EQ(names("d/*-1"), (std::vector<std::string>{"d/m-1", "d/n-1"}));
  EXPECT_EQ(names("d/n-1"), std::vector<std::string>{"d/n-1"});
  EXPECT_TRUE(names("d/x").empty());
  EXPECT_TRUE(names("d/?").empty());
}

TEST(CheckpointV1, ABundleReaderReadsItToo) {
  for (const char* prefix : {kFile, kShards}) {
    const auto reader = BundleReader::Open(PosixEnv(), prefix);
    ASSERT_TRUE(reader.ok()) << reader.status();
    const std::string name = prefix == std::string(kFile) ? "part/p" : "p";
    EXPECT_EQ(reader->tensors().at(name).shape, Shape({5, 2}));
    EXPECT_EQ(reader->tensors().at(name).slices.size(), 2u);
    EXPECT_TRUE(BitwiseEqual(*reader->Read(name), Tensors()["part/p"]));
    EXPECT_TRUE(reader->Verify().ok());
  }
}

TEST(CheckpointV1, WriterRefuses) {
  FaultEnv env;
  CheckpointV1Writer writer(&env, "m");
  EXPECT_TRUE(writer.AddSlice("p", {5, 2}, {{0, 0}, {3, -1}}, Top()).ok());
  EXPECT_TRUE(writer.Add("\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82", Tensor(1.0f)).ok());
  const std::vector<std::pair<absl::Status, const char*>> refused = {
      {writer.Add("", Tensor(1.0f)), "this name"},
      {writer.Add("a\xff", Tensor(1.0f)), "this name"},
      {writer.Add("\xe0\x80\x80", Tensor(1.0f)), "this name"},
      {writer.Add("\xc3", Tensor(1.0f)), "this name"},
      {writer.Add("b", Tensor::Vector<BFloat16>({BFloat16(1.0f)})), "type bfloat16"},
      {writer.Add("u", Tensor::Vector<uint32_t>({1})), "type uint32"},
      {writer.AddSlice("p", {5, 2}, {{2, 0}, {3, -1}}, Top()), "given twice"},
      {writer.AddSlice("p", {6, 2}, {{3, 0}, {2, -1}}, Bottom()), "full shape"},
      {writer.AddSlice("q", {5, 2}, {{4, 0}, {2, -1}}, Bottom()), "not inside"},
      {writer.AddSlice("q", {5, 2}, {{0, 0}, {3, -1}}, Bottom()), "its slice [3,2]"}};
  for (const auto& [status, message] : refused) {
    const bool is_type = absl::StartsWith(message, "type ");
    EXPECT_EQ(status.code(), is_type ? absl::StatusCode::kUnimplemented : absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(status.message(), message)) << status;
  }
}

TEST(CheckpointV1, ADiskThatFailsLeavesTheOlderOrTheNewFile) {
  const std::string path = "out/m";
  for (int64_t call = 0; call < 100; ++call) {
    FaultEnv env;
    ASSERT_TRUE(env.CreateDir("out").ok());
    ASSERT_TRUE(WriteWholeFile(&env, path, "older").ok());
    env.ResetCalls();
    env.FailCall({.call = call, .error = ENOSPC});
    CheckpointV1Writer writer(&env, path);
    ASSERT_TRUE(writer.Add("w", Tensor(1.0f)).ok());
    if (writer.Finish().ok()) {
      EXPECT_GT(call, 4);
      return;
    }
    const std::string bytes = *ReadWholeFile(&env, path);
    EXPECT_TRUE(bytes == "older" || CheckpointV1::Open(&env, {&path, 1}).ok()) << call;
  }
  FAIL() << "no call succeeds";
}

// Any byte changed, and any cut, is found out or changes nothing.
TEST(CheckpointV1, DamageIsFound) {
  const std::string good = *ReadWholeFile(PosixEnv(), kFile), path = "m";
  for (size_t i = 0; i < good.size(); ++i) {
    for (const bool cut : {false, true}) {
      FaultEnv env;
      std::string bad = cut ? good.substr(0, i) : good;
      if (!cut) bad[i] = static_cast<char>(bad[i] ^ 0x41);
      ASSERT_TRUE(WriteWholeFile(&env, path, bad).ok());
      const auto opened = CheckpointV1::Open(&env, {&path, 1});
      if (!opened.ok()) continue;
      for (const auto& [name, want] : Tensors()) EXPECT_TRUE(BitwiseEqual(*opened->Read(name), want)) << i << name;
    }
  }
}

// Entries that are sound as a table, and nonsense.
TEST(CheckpointV1, NonsenseIsDataLoss) {
  using Edit = void (*)(proto::SavedTensorSlices*, proto::SavedTensorSlices*);
  const std::vector<std::pair<const char*, Edit>> edits = {
      {"not in the list", [](auto*, auto* part) { part->mutable_data()->set_name("other"); }},
      {"has 1 values",
       [](auto*, auto* part) { part->mutable_data()->mutable_data()->mutable_float_val()->Truncate(1); }},
      {"has 3 values", [](auto*, auto* part) { part->mutable_data()->mutable_data()->add_float_val(3); }},
      {"has 0 values", [](auto* meta, auto*) { meta->mutable_meta()->mutable_tensor(0)->set_type(proto::DT_DOUBLE); }},
      {"number 14", [](auto* meta, auto*) { meta->mutable_meta()->mutable_tensor(0)->set_type(proto::DT_BFLOAT16); }},
      {"shape is not valid",
       [](auto* meta, auto*) {
         meta->mutable_meta()->mutable_tensor(0)->mutable_shape()->mutable_dim(0)->set_size(-2);
       }},
      {"beyond the tensor",
       [](auto*, auto* part) {
         part->mutable_data()->mutable_slice()->mutable_extent(0)->set_start(1);
         part->mutable_data()->mutable_slice()->mutable_extent(0)->set_length(2);
       }},
      {"negative length",
       [](auto*, auto* part) { part->mutable_data()->mutable_slice()->mutable_extent(0)->set_length(-2); }},
      {"reader of version 2", [](auto* meta, auto*) { meta->mutable_meta()->mutable_versions()->set_min_consumer(2); }},
  };
  for (const auto& [message, edit] : edits) {
    proto::SavedTensorSlices meta, part;
    auto* listed = meta.mutable_meta()->add_tensor();
    listed->set_name("a");
    listed->set_type(proto::DT_FLOAT);
    listed->mutable_shape()->add_dim()->set_size(2);
    part.mutable_data()->set_name("a");
    part.mutable_data()->mutable_slice()->add_extent();
    for (float value : {1.0f, 2.0f}) part.mutable_data()->mutable_data()->add_float_val(value);
    edit(&meta, &part);
    FaultEnv env;
    const auto file = env.NewWritableFile("m");
    TableWriter table(file->get());
    ASSERT_TRUE(table.Add("", meta.SerializeAsString()).ok());
    ASSERT_TRUE(table.Add(BundleSliceKey("a", TensorSlice::Whole(1)), part.SerializeAsString()).ok());
    ASSERT_TRUE(table.Finish().ok());
    ASSERT_TRUE((*file)->Close().ok());
    const std::string path = "m";
    const absl::Status status = CheckpointV1::Open(&env, {&path, 1}).status();
    EXPECT_FALSE(status.ok()) << message;
    EXPECT_TRUE(absl::StrContains(status.message(), message)) << status;
  }
}

}  // namespace
}  // namespace staticflow
