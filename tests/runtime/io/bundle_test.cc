#include "runtime/io/bundle.h"

#include <unistd.h>

#include <cerrno>
#include <functional>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "gtest/gtest.h"
#include "proto/tensor_bundle.pb.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/fault_env.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

constexpr char kPrefix[] = "out/model.ckpt-1";
constexpr char kGolden[] = "tests/golden/files/";

using Tensors = std::map<std::string, Tensor>;

Tensors Example(float value) {
  return {{"dense/kernel", Tensor::Matrix<float>({{value, 2, 3}, {4, 5, 6}})},
          {"empty", Tensor::Of<float>({0, 3}, {})},
          {"flag", Tensor::Vector<bool>({true, false, true})},
          {"global_step", Tensor(static_cast<int64_t>(value))},
          {"half", Tensor::Vector<Half>({Half(1.5f), Half(-2.0f)})},
          {"bfloat16", Tensor::Vector<BFloat16>({BFloat16(1.5f)})},
          {"names", Tensor::Vector<std::string>({"abc", "", std::string("\0\xff", 2), std::string(200, 'x')})},
          {"u16", Tensor::Vector<uint16_t>({1, 65535})}};
}

absl::Status Save(Env* env, const Tensors& tensors, const std::string& prefix = kPrefix) {
  BundleWriter writer(env, prefix);
  for (const auto& [name, tensor] : tensors) SF_RETURN_IF_ERROR(writer.Add(name, tensor));
  return writer.Finish();
}

absl::StatusOr<Tensors> Load(Env* env, const std::string& prefix = kPrefix) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, prefix));
  Tensors tensors;
  for (const auto& [name, entry] : reader.tensors()) {
    SF_ASSIGN_OR_RETURN(tensors[name], reader.Read(name));
  }
  return tensors;
}

bool Equal(const Tensors& a, const Tensors& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.first == y.first && BitwiseEqual(x.second, y.second);
         });
}

TEST(BundleTest, RoundTrip) {
  FaultEnv env;
  ASSERT_TRUE(Save(&env, Example(1)).ok());
  EXPECT_EQ(env.Files(), (std::vector<std::string>{"out/model.ckpt-1.data-00000-of-00001", "out/model.ckpt-1.index"}));
  const auto got = Load(&env);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(Equal(*got, Example(1)));
  EXPECT_TRUE(VerifyBundle(&env, kPrefix).ok());
  const auto reader = BundleReader::Open(&env, kPrefix);
  EXPECT_EQ(reader->Read("nope").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(reader->tensors().at("dense/kernel").shape.ToString(), "[2,3]");
  EXPECT_EQ(DeleteBundle(&env, kPrefix), absl::OkStatus());
  EXPECT_TRUE(env.Files().empty());
  EXPECT_EQ(DeleteBundle(&env, kPrefix).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Load(&env).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteWholeFile(&env, kPrefix, "a file of format V1").ok());
  EXPECT_EQ(Load(&env).status().code(), absl::StatusCode::kDataLoss);
}

TEST(BundleTest, OnDisk) {
  const std::string prefix = absl::StrCat(testing::TempDir(), "/bundle_test/", ::getpid(), "/deep/m");
  for (float value : {1, 2}) {
    const absl::Status saved = Save(PosixEnv(), Example(value), prefix);
    ASSERT_TRUE(saved.ok()) << saved;
    EXPECT_TRUE(Equal(*Load(PosixEnv(), prefix), Example(value)));
  }
  EXPECT_EQ(PosixEnv()->ListDir(DirName(prefix))->size(), 2u);
  EXPECT_TRUE(DeleteBundle(PosixEnv(), prefix).ok());
}

TEST(BundleTest, NoTensors) {
  FaultEnv env;
  ASSERT_TRUE(Save(&env, {}).ok());
  EXPECT_TRUE(Load(&env)->empty());
}

TEST(BundleTest, WriterRefuses) {
  FaultEnv env;
  BundleWriter writer(&env, kPrefix);
  EXPECT_TRUE(writer.Add("a", Tensor(1.0f)).ok());
  EXPECT_EQ(writer.Add("a", Tensor(1.0f)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer.Add("", Tensor(1.0f)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer.Add(std::string("\0x", 2), Tensor(1.0f)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(writer.Add("b", Tensor()).code(), absl::StatusCode::kInvalidArgument);
  env.SetFreeBytes(100);
  EXPECT_TRUE(writer.Reserve(100).ok());
  EXPECT_EQ(writer.Reserve(101).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(writer.Finish().ok());
  EXPECT_EQ(writer.Finish().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Load(&env)->size(), 1u);
}

TEST(BundleTest, AnAbandonedWriterLeavesNothing) {
  FaultEnv env;
  { EXPECT_TRUE(BundleWriter(&env, kPrefix).Add("a", Tensor(1.0f)).ok()); }
  EXPECT_TRUE(env.Files().empty());
  EXPECT_EQ(env.open_files(), 0);
}

TEST(BundleTest, PartitionedTensor) {
  const Tensor full = Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}});
  const struct {
    const char* name;
    std::vector<std::pair<TensorSlice, Tensor>> parts;
    absl::StatusCode code;
  } rows[] = {
      {"rows",
       {{{{0, 0}, {2, -1}}, Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 6}})},
        {{{2, 0}, {1, -1}}, Tensor::Matrix<float>({{7, 8, 9}})}},
       absl::StatusCode::kOk},
      {"columns",
       {{{{0, 1}, {-1, 2}}, Tensor::Matrix<float>({{2, 3}, {5, 6}, {8, 9}})},
        {{{0, 0}, {-1, 1}}, Tensor::Matrix<float>({{1}, {4}, {7}})}},
       absl::StatusCode::kOk},
      {"whole", {{{{0, 0}, {-1, -1}}, full}}, absl::StatusCode::kOk},
      {"a gap",
       {{{{0, 0}, {2, -1}}, Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 6}})}},
       absl::StatusCode::kInvalidArgument},
      {"overlap",
       {{{{0, 0}, {2, -1}}, Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 6}})},
        {{{1, 0}, {1, -1}}, Tensor::Matrix<float>({{7, 8, 9}})}},
       absl::StatusCode::kDataLoss},
      {"outside", {{{{2, 0}, {2, -1}}, Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 6}})}}, absl::StatusCode::kDataLoss},
      {"wrong part", {{{{0, 0}, {3, -1}}, Tensor::Matrix<float>({{1, 2, 3}})}}, absl::StatusCode::kDataLoss}};
  for (const auto& row : rows) {
    FaultEnv env;
    BundleWriter writer(&env, kPrefix);
    absl::Status status;
    for (const auto& [slice, part] : row.parts) status.Update(writer.AddSlice("w", {3, 3}, slice, part));
    status.Update(writer.Finish());
    const auto got = Load(&env);
    status.Update(got.status());
    EXPECT_EQ(status.code(), row.code) << row.name << ": " << status;
    if (!status.ok()) continue;
    EXPECT_EQ(got->size(), 1u);
    EXPECT_TRUE(BitwiseEqual(got->at("w"), full)) << row.name;
  }
}

// Every bit of both files: found, or harmless because everything reads the same.
TEST(BundleTest, EveryFlippedBitIsFound) {
  FaultEnv env;
  ASSERT_TRUE(Save(&env, Example(1)).ok());
  for (const std::string& path : env.Files()) {
    const std::string bytes = *ReadWholeFile(&env, path);
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      ASSERT_TRUE(WriteWholeFile(&env, path, damaged).ok());
      EXPECT_EQ(Load(&env).status().code(), absl::StatusCode::kDataLoss) << path << " bit " << bit;
      EXPECT_EQ(VerifyBundle(&env, kPrefix).code(), absl::StatusCode::kDataLoss) << path << " bit " << bit;
    }
    for (size_t n = 0; n < bytes.size(); ++n) {
      ASSERT_TRUE(WriteWholeFile(&env, path, bytes.substr(0, n)).ok());
      const bool is_index = absl::EndsWith(path, ".index");
      EXPECT_EQ(Load(&env).status().code(), is_index ? absl::StatusCode::kDataLoss : absl::StatusCode::kOutOfRange)
          << path << " cut at " << n;
    }
    ASSERT_TRUE(WriteWholeFile(&env, path, bytes).ok());
  }
  EXPECT_TRUE(Load(&env).ok());
}

// An index with sound checksums around hostile entries.
TEST(BundleTest, HostileEntries) {
  const auto entry = [](int dtype, std::vector<int64_t> dims, int64_t offset, int64_t size) {
    proto::BundleEntryProto message;
    message.set_dtype(static_cast<proto::DataType>(dtype));
    for (int64_t dim : dims) message.mutable_shape()->add_dim()->set_size(dim);
    message.set_offset(offset);
    message.set_size(size);
    message.set_crc32c(crc32c::Mask(crc32c::Value(std::string(8, '\0'))));
    return message;
  };
  auto other_shard = entry(DT_FLOAT, {2}, 0, 8);
  other_shard.set_shard_id(1);
  auto negative_shard = entry(DT_FLOAT, {2}, 0, 8);
  negative_shard.set_shard_id(-1);
  auto sliced = entry(DT_FLOAT, {2}, 0, 0);
  sliced.add_slices()->add_extent();
  const int64_t big = int64_t{1} << 62;
  const struct {
    const char* name;
    proto::BundleEntryProto entry;
    absl::StatusCode code;
  } rows[] = {
      {"sound", entry(DT_FLOAT, {2}, 0, 8), absl::StatusCode::kOk},
      {"size is not the shape's", entry(DT_FLOAT, {3}, 0, 8), absl::StatusCode::kDataLoss},
      {"size is not the dtype's", entry(DT_DOUBLE, {2}, 0, 8), absl::StatusCode::kDataLoss},
      {"beyond the file", entry(DT_FLOAT, {2}, 4, 8), absl::StatusCode::kOutOfRange},
      {"offset + size wraps", entry(DT_UINT8, {big}, big, big), absl::StatusCode::kOutOfRange},
      {"negative offset", entry(DT_FLOAT, {2}, -8, 8), absl::StatusCode::kDataLoss},
      {"negative size", entry(DT_FLOAT, {2}, 0, -8), absl::StatusCode::kDataLoss},
      {"negative dim", entry(DT_FLOAT, {-2}, 0, 8), absl::StatusCode::kDataLoss},
      {"elements overflow", entry(DT_FLOAT, {big, big}, 0, 8), absl::StatusCode::kDataLoss},
      {"rank 255", entry(DT_FLOAT, std::vector<int64_t>(255, 1), 0, 4), absl::StatusCode::kDataLoss},
      {"more strings than bytes", entry(DT_STRING, {5}, 0, 8), absl::StatusCode::kDataLoss},
      {"shard beyond the count", other_shard, absl::StatusCode::kDataLoss},
      {"negative shard", negative_shard, absl::StatusCode::kDataLoss},
      {"missing slice", sliced, absl::StatusCode::kDataLoss},
      {"variant", entry(DT_VARIANT, {2}, 0, 8), absl::StatusCode::kUnimplemented},
      {"resource", entry(DT_RESOURCE, {2}, 0, 8), absl::StatusCode::kUnimplemented},
      {"unknown dtype", entry(77, {2}, 0, 8), absl::StatusCode::kUnimplemented},
      {"reference dtype", entry(101, {2}, 0, 8), absl::StatusCode::kUnimplemented},
  };
  for (const auto& row : rows) {
    FaultEnv env;
    ASSERT_TRUE(env.CreateDir("out").ok());
    ASSERT_TRUE(WriteWholeFile(&env, BundleDataPath(kPrefix, 0, 1), std::string(8, '\0')).ok());
    proto::BundleHeaderProto header;
    header.set_num_shards(1);
    auto file = *env.NewWritableFile(BundleIndexPath(kPrefix));
    TableWriter table(file.get());
    ASSERT_TRUE(table.Add("", header.SerializeAsString()).ok());
    ASSERT_TRUE(table.Add("w", row.entry.SerializeAsString()).ok());
    ASSERT_TRUE(table.Finish().ok());
    EXPECT_EQ(Load(&env).status().code(), row.code) << row.name << ": " << Load(&env).status();
  }
}

TEST(BundleTest, Limits) {
  FaultEnv env;
  ASSERT_TRUE(Save(&env, Example(1)).ok());
  for (const BundleLimits& limits : {BundleLimits{.max_entries = 3}, BundleLimits{.max_name_bytes = 3},
                                     BundleLimits{.max_index_block_bytes = 30}, BundleLimits{.max_tensor_bytes = 20}})
    EXPECT_EQ(VerifyBundle(&env, kPrefix, limits).code(), absl::StatusCode::kResourceExhausted);
}

// Whatever is wrong with one tensor, the others are read.
TEST(BundleTest, OneDamagedTensorLeavesTheOthers) {
  const struct {
    const char* name;
    std::function<void(proto::BundleEntryProto&)> damage;
    absl::StatusCode code;
  } rows[] = {
      {"bytes", [](auto& entry) { entry.set_crc32c(entry.crc32c() + 1); }, absl::StatusCode::kDataLoss},
      {"size", [](auto& entry) { entry.set_size(4); }, absl::StatusCode::kDataLoss},
      {"place", [](auto& entry) { entry.set_offset(1000); }, absl::StatusCode::kOutOfRange},
      {"shape", [](auto& entry) { entry.mutable_shape()->add_dim()->set_size(-1); }, absl::StatusCode::kDataLoss},
      {"no such data file", [](auto& entry) { entry.set_shard_id(7); }, absl::StatusCode::kDataLoss},
      {"missing data file", [](auto& entry) { entry.set_shard_id(1); }, absl::StatusCode::kNotFound},
  };
  for (const auto& row : rows) {
    FaultEnv env;
    ASSERT_TRUE(Save(&env, {{"a", Tensor::Vector<float>({1, 2})}, {"b", Tensor::Vector<float>({3, 4})}}).ok());
    auto index = *env.NewWritableFile(BundleIndexPath("changed"));
    TableWriter table(index.get());
    const auto copy = [&](absl::string_view key, absl::string_view value) {
      proto::BundleEntryProto entry;
      if (key == "a") {
        EXPECT_TRUE(entry.ParseFromString(std::string(value)));
        row.damage(entry);
        return table.Add(key, entry.SerializeAsString());
      }
      proto::BundleHeaderProto header;
      header.set_num_shards(2);
      return table.Add(key, key.empty() ? header.SerializeAsString() : std::string(value));
    };
    ASSERT_TRUE(ScanTable(&env, BundleIndexPath(kPrefix), {}, copy).ok());
    ASSERT_TRUE(table.Finish().ok());
    ASSERT_TRUE(env.Rename(BundleDataPath(kPrefix, 0, 1), BundleDataPath("changed", 0, 2)).ok());
    const auto reader = BundleReader::Open(&env, "changed");
    ASSERT_TRUE(reader.ok()) << row.name << ": " << reader.status();
    EXPECT_EQ(reader->Read("a").status().code(), row.code) << row.name << ": " << reader->Read("a").status();
    EXPECT_EQ(reader->Verify().code(), row.code) << row.name;
    const auto b = reader->Read("b");
    ASSERT_TRUE(b.ok()) << row.name << ": " << b.status();
    EXPECT_TRUE(BitwiseEqual(*b, Tensor::Vector<float>({3, 4}))) << row.name;
  }
}

// Makes every call of a save fail in turn, over an older checkpoint of the same prefix or of another one.
TEST(BundleSaveTest, EveryFailingCallKeepsTheOldCheckpoint) {
  for (bool same_prefix : {false, true}) {
    const std::string prefix = same_prefix ? kPrefix : "out/model.ckpt-2";
    for (int mode = 0; mode < 3; ++mode) {
      bool done = false;
      for (int64_t n = 0; !done; ++n) {
        ASSERT_LT(n, 500);
        FaultEnv env;
        ASSERT_TRUE(Save(&env, Example(1)).ok());
        env.ResetCalls();
        env.FailCall({.call = n, .error = mode == 2 ? EIO : ENOSPC, .forever = mode == 1, .short_write = mode == 1});
        const absl::Status status = Save(&env, Example(2), prefix);
        done = env.calls() <= n;
        env.FailCall({});
        const std::string where =
            absl::StrCat("call ", n, " mode ", mode, " same ", same_prefix, " ", status.ToString());
        EXPECT_EQ(env.open_files(), 0) << where;
        const auto old_one = Load(&env), new_one = Load(&env, prefix);
        if (status.ok()) {
          ASSERT_TRUE(new_one.ok()) << where << new_one.status();
          EXPECT_TRUE(Equal(*new_one, Example(2))) << where;
        } else {
          EXPECT_NE(status.message().find("out"), absl::string_view::npos) << where;
        }
        ASSERT_TRUE(old_one.ok()) << where << old_one.status();
        if (!same_prefix) {
          EXPECT_TRUE(Equal(*old_one, Example(1))) << where;
        } else {
          EXPECT_TRUE(Equal(*old_one, Example(1)) || Equal(*old_one, Example(2))) << where;
        }
        // Whatever was left behind, the next save works and cleans up.
        ASSERT_TRUE(SweepTemporaries(&env, "out").ok());
        ASSERT_TRUE(Save(&env, Example(3), prefix).ok()) << where;
        EXPECT_TRUE(Equal(*Load(&env, prefix), Example(3))) << where;
        EXPECT_EQ(env.Files().size(), same_prefix ? 2u : 4u) << where;
      }
    }
  }
}

TEST(BundleSaveTest, AFailureOnceLeavesOnlyTheOldFiles) {
  for (int64_t n = 0;; ++n) {
    FaultEnv env;
    ASSERT_TRUE(Save(&env, Example(1)).ok());
    const std::vector<std::string> files = env.Files();
    env.ResetCalls();
    env.FailCall({.call = n, .error = ENOSPC});
    const absl::Status status = Save(&env, Example(2));
    if (env.calls() <= n) break;
    // Where only the last sync fails the previous pair has to stay.
    const bool is_new = Equal(*Load(&env), Example(2));
    EXPECT_TRUE(env.Files() == files || is_new) << "call " << n << " " << status;
    for (const std::string& path : env.Files())
      EXPECT_EQ(path.find(".tempstate."), std::string::npos) << path << " after call " << n << " " << status;
    // The power may fail after the failed save, too.
    for (const PowerCut& cut : PowerCut::All(20)) {
      const auto got = Load(env.AfterPowerCut(cut).get());
      ASSERT_TRUE(got.ok()) << "call " << n << " kind " << cut.kind << " " << got.status();
      EXPECT_TRUE(Equal(*got, Example(1)) || Equal(*got, Example(2)));
    }
  }
}

// Cuts the power after every call of a save, with every kind of loss: the older checkpoint or the new one is there.
TEST(BundleSaveTest, EveryPowerCutKeepsOldOrNew) {
  for (bool same_prefix : {false, true}) {
    const std::string prefix = same_prefix ? kPrefix : "out/model.ckpt-2";
    std::set<std::string> seen;
    bool done = false;
    for (int64_t n = 0; !done; ++n) {
      FaultEnv env;
      ASSERT_TRUE(Save(&env, Example(1)).ok());
      env.ResetCalls();
      env.FailCall({.call = n, .error = EIO, .forever = true});
      const absl::Status status = Save(&env, Example(2), prefix);
      done = env.calls() <= n;
      for (const PowerCut& cut : PowerCut::All(20)) {
        const auto after = env.AfterPowerCut(cut);
        const auto old_one = Load(after.get()), new_one = Load(after.get(), prefix);
        const bool is_old = old_one.ok() && Equal(*old_one, Example(1));
        const bool is_new = new_one.ok() && Equal(*new_one, Example(2));
        EXPECT_TRUE(is_new || (is_old && !(same_prefix && status.ok())))
            << "call " << n << " kind " << cut.kind << " seed " << cut.seed;
        EXPECT_TRUE(same_prefix || is_old) << "call " << n;
        EXPECT_TRUE(is_new || !status.ok()) << "call " << n;
        seen.insert(is_new ? "new" : "old");
        // And a save after the restart works and is found, also after one more cut.
        ASSERT_TRUE(Save(after.get(), Example(3), prefix).ok());
        EXPECT_TRUE(Equal(*Load(after->AfterPowerCut({}).get(), prefix), Example(3)));
      }
    }
    EXPECT_EQ(seen, (std::set<std::string>{"new", "old"}));
  }
}

// Two interrupted saves in a row must not lose the pair that the first one kept.
TEST(BundleSaveTest, TwoPowerCutsInARow) {
  const auto values = [](float value) { return Tensors{{"w", Tensor(value)}}; };
  const auto save = [&](FaultEnv* env, int64_t failing_call, float value) {
    env->ResetCalls();
    env->FailCall({.call = failing_call, .error = EIO, .forever = true});
    Save(env, values(value)).IgnoreError();
    return env->calls() > failing_call;  // whether the save was interrupted
  };
  bool first_interrupted = true;
  for (int64_t first = 0; first_interrupted; ++first) {
    FaultEnv env;
    save(&env, 1000, 1);
    first_interrupted = save(&env, first, 2);
    for (const PowerCut& cut : PowerCut::All(5)) {
      bool second_interrupted = true;
      for (int64_t second = 0; second_interrupted; ++second) {
        const auto between = env.AfterPowerCut(cut);
        second_interrupted = save(between.get(), second, 3);
        for (const PowerCut& last : PowerCut::All(2)) {
          const auto got = Load(between->AfterPowerCut(last).get());
          ASSERT_TRUE(got.ok()) << first << " " << cut.kind << " " << second << " " << last.kind << got.status();
          const float value = got->at("w").scalar<float>();
          EXPECT_TRUE(value == 1 || value == 2 || value == 3) << value;
        }
      }
    }
  }
}

// The keys that TensorFlow gives to slices, from an index that it wrote and from the code's definition.
TEST(BundleSliceKeyTest, IsTensorFlowsCode) {
  const struct {
    std::string name;
    TensorSlice slice;
    std::string hex;
  } rows[] = {
      {"part/w",
       {{0, 0}, {3, -1}},
       "00706172742f7700010102"
       "80"
       "83"
       "80"
       "7f"},
      {std::string("\0\xff", 2),
       {{64}, {1000}},
       "0000ffff000001"
       "0101"
       "c040"
       "c3e8"},
      {"",
       {{8191}, {8192}},
       "000001"
       "0101"
       "dfff"
       "e02000"},
      {"",
       {{int64_t{1} << 40}, {-1}},
       "000001"
       "0101"
       "fd0000000000"
       "7f"},
      {"",
       {{(int64_t{1} << 62) - 1}, {int64_t{1} << 62}},
       "000001"
       "0101"
       "ffbfffffffffffffff"
       "ffc04000000000000000"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(absl::BytesToHexString(BundleSliceKey(row.name, row.slice)), row.hex);
  }
}

// Files that TensorFlow wrote.
TEST(BundleGoldenTest, EveryDtype) {
  const auto got = Load(PosixEnv(), absl::StrCat(kGolden, "checkpoint_v2_dtypes/model.ckpt"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->size(), 11u);
  EXPECT_TRUE(BitwiseEqual(got->at("s"), Tensor::Vector<std::string>({"abc", "", std::string("\0\xff", 2)})));
  EXPECT_TRUE(BitwiseEqual(got->at("flag"), Tensor::Vector<bool>({true, false, true})));
  EXPECT_TRUE(BitwiseEqual(got->at("scope/b"), Tensor::Vector<double>({0, 1, 2, 3, 4})));
  EXPECT_EQ(got->at("empty").shape(), Shape({0, 3}));
  // Written again, the same bytes come out.
  FaultEnv env;
  ASSERT_TRUE(Save(&env, *got, "m").ok());
  for (const char* ending : {".index", ".data-00000-of-00001"})
    EXPECT_EQ(*ReadWholeFile(&env, absl::StrCat("m", ending)),
              *ReadWholeFile(PosixEnv(), absl::StrCat(kGolden, "checkpoint_v2_dtypes/model.ckpt", ending)));
}

TEST(BundleGoldenTest, SeveralDataFilesAndAPartitionedVariable) {
  const auto got = Load(PosixEnv(), absl::StrCat(kGolden, "checkpoint_v2_sharded/sharded"));
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->size(), 4u);
  EXPECT_EQ(got->at("part/w").shape(), Shape({7, 2}));
}

TEST(BundleGoldenTest, DamagedFiles) {
  const struct {
    const char* folder;
    absl::StatusCode code;
  } rows[] = {{"bad_checkpoint_data_flip", absl::StatusCode::kDataLoss},
              {"bad_checkpoint_data_truncated", absl::StatusCode::kOutOfRange},
              {"bad_checkpoint_index_block_flip", absl::StatusCode::kDataLoss},
              {"bad_checkpoint_index_magic", absl::StatusCode::kDataLoss},
              {"bad_checkpoint_index_truncated", absl::StatusCode::kDataLoss},
              {"bad_checkpoint_missing_data", absl::StatusCode::kNotFound}};
  for (const auto& row : rows)
    EXPECT_EQ(VerifyBundle(PosixEnv(), absl::StrCat(kGolden, row.folder, "/model.ckpt")).code(), row.code)
        << row.folder;
}

}  // namespace
}  // namespace staticflow
