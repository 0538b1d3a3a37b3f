#include "runtime/io/idx.h"

#include <zlib.h>

#include "gtest/gtest.h"
#include "runtime/io/fault_env.h"

namespace staticflow {
namespace {

std::string Gzip(const std::string& plain) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(plain.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Header(int type, std::vector<uint32_t> dims) {
  std::string bytes = {0, 0, static_cast<char>(type), static_cast<char>(dims.size())};
  for (uint32_t dim : dims) {
    for (int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(dim >> shift));
  }
  return bytes;
}

absl::StatusOr<IdxArray> Read(const std::string& bytes, const IdxOptions& options = {}) {
  FaultEnv env;
  EXPECT_TRUE(WriteWholeFile(&env, "dir/x.idx", bytes).code() == absl::StatusCode::kNotFound);
  EXPECT_TRUE(env.CreateDir("dir").ok());
  EXPECT_TRUE(WriteWholeFile(&env, "dir/x.idx", bytes).ok());
  return ReadIdx(&env, "dir/x.idx", options);
}

TEST(IdxTest, EveryTypePlainAndCompressed) {
  const struct {
    int code;
    DataType dtype;
    std::string values;  // big-endian, three of them
  } rows[] = {{0x08, DT_UINT8, "abc"},          {0x09, DT_INT8, "abc"},
              {0x0b, DT_INT16, "abcdef"},       {0x0c, DT_INT32, "abcdefghijkl"},
              {0x0d, DT_FLOAT, "abcdefghijkl"}, {0x0e, DT_DOUBLE, "abcdefghijklmnopqrstuvwx"}};
  for (const auto& row : rows) {
    const std::string file = Header(row.code, {3, 1}) + row.values;
    for (const std::string& stored : {file, Gzip(file), Gzip(file.substr(0, 9)) + Gzip(file.substr(9))}) {
      const auto array = Read(stored);
      ASSERT_TRUE(array.ok()) << array.status();
      EXPECT_EQ(array->dtype, row.dtype);
      EXPECT_EQ(array->dims, (std::vector<int64_t>{3, 1}));
      const size_t size = row.values.size() / 3;
      for (size_t i = 0; i < row.values.size(); ++i)
        EXPECT_EQ(array->bytes[i], row.values[i / size * size + size - 1 - i % size]);
    }
  }
}

TEST(IdxTest, ScalarAndEmpty) {
  EXPECT_EQ(Read(Header(8, {}) + "x")->bytes, "x");
  EXPECT_EQ(Read(Header(8, {5, 0}))->dims, (std::vector<int64_t>{5, 0}));
}

TEST(IdxTest, EveryCutAndEveryExtraByteIsDataLoss) {
  const std::string plain = Header(8, {2, 3}) + "abcdef";
  for (const std::string& file : {plain, Gzip(plain)}) {
    ASSERT_TRUE(Read(file).ok());
    for (size_t n = 0; n < file.size(); ++n) {
      const absl::Status status = Read(file.substr(0, n)).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << n;
      EXPECT_NE(status.message().find("dir/x.idx"), absl::string_view::npos) << status;
    }
  }
  for (const std::string& file : {plain + "x", Gzip(plain + "x"), Gzip(plain) + "x", Gzip(plain) + Gzip("x")})
    EXPECT_EQ(Read(file).status().code(), absl::StatusCode::kDataLoss);
}

TEST(IdxTest, FlippedBitsOfACompressedFile) {
  const std::string plain = Header(8, {2, 3}) + "abcdef";
  const std::string file = Gzip(plain);
  const std::string want = Read(file)->bytes;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto got = Read(damaged);
    if (got.ok()) {
      EXPECT_EQ(got->bytes, want) << bit;  // the time stamp and the system in gzip's header
    }
  }
}

TEST(IdxTest, HugeSizesAreRefusedBeforeMemoryIsTaken) {
  for (const std::string& file :
       {Header(8, {0xffffffff, 0xffffffff}), Header(14, {0xffffffff, 0xffffffff, 0xffffffff})})
    for (const std::string& stored : {file, Gzip(file)})
      EXPECT_EQ(Read(stored).status().code(), absl::StatusCode::kResourceExhausted);
  // Below the limit, but not there.
  EXPECT_EQ(Read(Gzip(Header(8, {0x7fffffff}))).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Read(Header(8, {5}) + "abcde", {.max_bytes = 4}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Read(Gzip(Header(8, {1000}) + std::string(1000, 'x')), {.max_bytes = 900}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(IdxTest, OtherFilesAreToldApart) {
  FaultEnv env;
  EXPECT_EQ(ReadIdx(&env, "none").status().code(), absl::StatusCode::kNotFound);
  for (const std::string& file : {std::string("hello"), std::string("\0\0\x07\x01", 4), Header(10, {1}) + "x"}) {
    const absl::Status status = Read(file).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(status.message().find("not an IDX file"), absl::string_view::npos) << status;
  }
}

}  // namespace
}  // namespace staticflow
