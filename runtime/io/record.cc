#include "runtime/io/record.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/io/coding.h"
#include "runtime/io/crc32c.h"

namespace staticflow {
namespace {

constexpr uint64_t kHeaderSize = 12;
constexpr uint64_t kFooterSize = 4;
constexpr uint64_t kBufferSize = 1 << 16;

}  // namespace

absl::Status RecordWriter::Write(absl::string_view record) {
  std::string header;
  PutFixed64(&header, record.size());
  PutFixed32(&header, crc32c::Mask(crc32c::Value(header)));
  std::string footer;
  PutFixed32(&footer, crc32c::Mask(crc32c::Value(record)));
  SF_RETURN_IF_ERROR(file_->Append(header));
  SF_RETURN_IF_ERROR(file_->Append(record));
  return file_->Append(footer);
}

absl::StatusOr<RecordReader> RecordReader::Open(Env* env, const std::string& path) {
  SF_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, env->NewRandomAccessFile(path));
  SF_ASSIGN_OR_RETURN(const uint64_t size, env->FileSize(path));
  return RecordReader(std::move(file), path, size);
}

absl::StatusOr<absl::string_view> RecordReader::Bytes(uint64_t offset, uint64_t n) {
  if (offset < buffer_offset_ || offset + n > buffer_offset_ + buffer_.size()) {
    buffer_.resize(std::min(std::max(n, kBufferSize), size_ - offset));
    buffer_offset_ = offset;
    absl::StatusOr<size_t> got = file_->Read(offset, buffer_.size(), buffer_.data());
    buffer_.resize(got.ok() ? *got : 0);
    SF_RETURN_IF_ERROR(got.status());
    if (buffer_.size() < n) return absl::DataLossError(absl::StrCat(path_, ": became shorter while being read"));
  }
  return absl::string_view(buffer_).substr(offset - buffer_offset_, n);
}

absl::StatusOr<bool> RecordReader::Read(std::string* record) {
  const uint64_t left = size_ - offset_;
  if (left < kHeaderSize) {
    truncated_ = left > 0;
    return false;
  }
  SF_ASSIGN_OR_RETURN(const absl::string_view header, Bytes(offset_, kHeaderSize));
  const uint64_t length = DecodeFixed64(header.data());
  if (crc32c::Unmask(DecodeFixed32(header.data() + 8)) != crc32c::Value(header.substr(0, 8)))
    return absl::DataLossError(absl::StrCat(path_, ": the length of the record at byte ", offset_, " is damaged"));
  if (left - kHeaderSize < kFooterSize || length > left - kHeaderSize - kFooterSize) {
    truncated_ = true;
    return false;
  }
  SF_ASSIGN_OR_RETURN(const absl::string_view data, Bytes(offset_ + kHeaderSize, length + kFooterSize));
  const absl::string_view body = data.substr(0, length);
  if (crc32c::Unmask(DecodeFixed32(data.data() + length)) != crc32c::Value(body))
    return absl::DataLossError(absl::StrCat(path_, ": the record at byte ", offset_, " is damaged"));
  record->assign(body.data(), body.size());
  offset_ += kHeaderSize + length + kFooterSize;
  return true;
}

}  // namespace staticflow
