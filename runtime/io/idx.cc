#include "runtime/io/idx.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "graph/shape.h"
#include "graph/status.h"

namespace staticflow {
namespace {

struct IdxType {
  unsigned char code;
  DataType dtype;
};
constexpr IdxType kIdxTypes[] = {{0x08, DT_UINT8}, {0x09, DT_INT8},  {0x0b, DT_INT16},
                                 {0x0c, DT_INT32}, {0x0d, DT_FLOAT}, {0x0e, DT_DOUBLE}};

// Where the bytes of an IDX file come from: the file itself, or gzip.
class Source {
 public:
  virtual ~Source() = default;
  // Up to `n` bytes; fewer only at the end.
  virtual absl::StatusOr<std::string> Read(uint64_t n) = 0;
};

class PlainSource : public Source {
 public:
  explicit PlainSource(absl::string_view file) : rest_(file) {}
  absl::StatusOr<std::string> Read(uint64_t n) override {
    std::string bytes(rest_.substr(0, n));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  absl::string_view rest_;
};

class GzipSource : public Source {
 public:
  // REQUIRES: `path` and `file` outlive the source.
  GzipSource(const std::string& path, absl::string_view file) : path_(path), rest_(file) {
    started_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK;
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;
  ~GzipSource() override {
    if (started_) inflateEnd(&stream_);
  }

  absl::StatusOr<std::string> Read(uint64_t n) override {
    if (!started_) return absl::ResourceExhaustedError(path_ + ": no memory for decompression");
    std::string bytes;
    while (bytes.size() < n && !ended_) {
      // Grows with what the file really holds, not with what its header promises.
      const size_t old_size = bytes.size();
      bytes.resize(std::min<uint64_t>(n, old_size + kChunk));
      SF_ASSIGN_OR_RETURN(const size_t left, Inflate(bytes.data() + old_size, bytes.size() - old_size));
      bytes.resize(bytes.size() - left);
    }
    return bytes;
  }

 private:
  static constexpr uint64_t kChunk = 1 << 20;

  // Fills `out` and returns how many of its bytes are left over, which are none before the end of the stream.
  absl::StatusOr<size_t> Inflate(char* out, size_t size) {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out > 0 && !ended_) {
      const size_t step = std::min<size_t>(rest_.size(), kChunk);
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
      stream_.avail_in = static_cast<uInt>(step);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      rest_.remove_prefix(step - stream_.avail_in);
      if (result == Z_STREAM_END) {
        // gzip files may be joined end to end.
        if (rest_.empty()) {
          ended_ = true;
        } else if (inflateReset(&stream_) != Z_OK) {
          return absl::InternalError(path_ + ": decompression cannot go on");
        }
      } else if (result != Z_OK) {
        const bool cut = result == Z_BUF_ERROR && rest_.empty();
        return absl::DataLossError(absl::StrCat(path_, ": gzip data ", cut ? "is cut off" : "is damaged",
                                                stream_.msg == nullptr ? "" : absl::StrCat(" (", stream_.msg, ")")));
      }
    }
    return size_t{stream_.avail_out};
  }

  const std::string& path_;
  absl::string_view rest_;
  z_stream stream_ = {};
  bool started_ = false;
  bool ended_ = false;
};

uint32_t BigEndian32(const char* p) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(p[i]);
  return value;
}

void ToHostOrder(size_t element_size, std::string* bytes) {
  if (std::endian::native == std::endian::big) return;
  for (size_t i = 0; i + element_size <= bytes->size(); i += element_size)
    std::reverse(bytes->begin() + static_cast<ptrdiff_t>(i), bytes->begin() + static_cast<ptrdiff_t>(i + element_size));
}

// Reads type and dims.
absl::StatusOr<IdxArray> ReadHeader(const std::string& path, Source* source) {
  SF_ASSIGN_OR_RETURN(const std::string magic, source->Read(4));
  IdxArray array;
  for (const IdxType& type : kIdxTypes) {
    if (magic.size() == 4 && magic[0] == 0 && magic[1] == 0 && static_cast<unsigned char>(magic[2]) == type.code)
      array.dtype = type.dtype;
  }
  if (array.dtype == DT_INVALID)
    return absl::DataLossError(
        path + ": not an IDX file: expected the bytes 0, 0, a type in {8, 9, 11, 12, 13, 14}, the rank");
  const size_t rank = static_cast<unsigned char>(magic[3]);
  SF_ASSIGN_OR_RETURN(const std::string dims, source->Read(4 * rank));
  if (dims.size() != 4 * rank)
    return absl::DataLossError(
        absl::StrCat(path, ": expected ", rank, " sizes after the magic number, the file ends before"));
  for (size_t i = 0; i < rank; ++i) array.dims.push_back(BigEndian32(dims.data() + 4 * i));
  return array;
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(Env* env, const std::string& path, const IdxOptions& options) {
  SF_ASSIGN_OR_RETURN(const std::string file, ReadWholeFile(env, path, options.max_bytes));
  const bool gzip = absl::StartsWith(file, "\x1f\x8b");
  std::unique_ptr<Source> source;
  if (gzip) {
    source = std::make_unique<GzipSource>(path, file);
  } else {
    source = std::make_unique<PlainSource>(file);
  }
  SF_ASSIGN_OR_RETURN(IdxArray array, ReadHeader(path, source.get()));
  uint64_t size = static_cast<uint64_t>(DataTypeSize(array.dtype));
  for (int64_t dim : array.dims) size = MultiplySizes(size, dim);
  const std::string shape = absl::StrCat(DataTypeName(array.dtype), "[", absl::StrJoin(array.dims, ","), "]");
  if (size > options.max_bytes)
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": the header says ", shape, ", the limit is ", options.max_bytes, " bytes"));
  SF_ASSIGN_OR_RETURN(array.bytes, source->Read(size));
  if (array.bytes.size() != size)
    return absl::DataLossError(absl::StrCat(path, ": the header says ", shape, ", which takes ", size,
                                            " bytes of values; there are ", array.bytes.size()));
  SF_ASSIGN_OR_RETURN(const std::string rest, source->Read(1));  // also makes zlib check the last checksum
  if (!rest.empty())
    return absl::DataLossError(
        absl::StrCat(path, ": the header says ", shape, ", but the file goes on after ", size, " bytes of values"));
  ToHostOrder(static_cast<size_t>(DataTypeSize(array.dtype)), &array.bytes);
  return array;
}

}  // namespace staticflow
