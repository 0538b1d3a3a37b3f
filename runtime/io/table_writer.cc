#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/io/coding.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

size_t CommonPrefix(absl::string_view a, absl::string_view b) {
  const size_t n = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(n), b.begin()).first -
                             a.begin());
}

// A short key in [a, b), which needs a < b.
std::string Separator(const std::string& a, absl::string_view b) {
  const size_t i = CommonPrefix(a, b);
  if (i >= a.size() || i >= b.size()) return a;
  const unsigned char byte = static_cast<unsigned char>(a[i]);
  if (byte == 0xff || byte + 1 >= static_cast<unsigned char>(b[i])) return a;
  return a.substr(0, i) + static_cast<char>(byte + 1);
}

// A short key >= a.
std::string Successor(const std::string& a) {
  for (size_t i = 0; i < a.size(); ++i) {
    const unsigned char byte = static_cast<unsigned char>(a[i]);
    if (byte != 0xff) return a.substr(0, i) + static_cast<char>(byte + 1);
  }
  return a;
}

}  // namespace

void TableWriter::AddEntry(absl::string_view key, absl::string_view value, int restart_interval, Block* block) {
  size_t shared = 0;
  if (block->since_restart < restart_interval) {
    shared = CommonPrefix(block->last_key, key);
  } else {
    block->restarts.push_back(static_cast<uint32_t>(block->bytes.size()));
    block->since_restart = 0;
  }
  PutVarint64(&block->bytes, shared);
  PutVarint64(&block->bytes, key.size() - shared);
  PutVarint64(&block->bytes, value.size());
  absl::StrAppend(&block->bytes, key.substr(shared), value);
  block->last_key = std::string(key);
  ++block->since_restart;
}

absl::Status TableWriter::Add(absl::string_view key, absl::string_view value) {
  if (!empty_ && key <= last_key_)
    return absl::InvalidArgumentError(
        absl::StrCat("table key '", absl::CEscape(key), "' does not follow '", absl::CEscape(last_key_), "'"));
  if (!pending_handle_.empty()) {
    AddEntry(Separator(last_key_, key), pending_handle_, 1, &index_);
    pending_handle_.clear();
  }
  AddEntry(key, value, options_.restart_interval, &data_);
  last_key_ = std::string(key);
  empty_ = false;
  const size_t size = data_.bytes.size() + 4 * (data_.restarts.size() + 1);
  return size >= options_.block_size ? EndDataBlock() : absl::OkStatus();
}

absl::Status TableWriter::EndDataBlock() {
  if (data_.bytes.empty()) return absl::OkStatus();
  return WriteBlock(&data_, &pending_handle_);
}

absl::Status TableWriter::WriteBlock(Block* block, std::string* handle) {
  std::string& bytes = block->bytes;
  for (uint32_t restart : block->restarts) PutFixed32(&bytes, restart);
  PutFixed32(&bytes, static_cast<uint32_t>(block->restarts.size()));
  handle->clear();
  PutVarint64(handle, offset_);
  PutVarint64(handle, bytes.size());
  bytes.push_back('\0');  // the type: plain
  PutFixed32(&bytes, crc32c::Mask(crc32c::Value(bytes)));
  offset_ += bytes.size();
  absl::Status status = file_->Append(bytes);
  *block = Block();
  return status;
}

absl::Status TableWriter::Finish() {
  SF_RETURN_IF_ERROR(EndDataBlock());
  if (!pending_handle_.empty()) AddEntry(Successor(last_key_), pending_handle_, 1, &index_);
  Block metaindex;
  std::string metaindex_handle, footer;
  SF_RETURN_IF_ERROR(WriteBlock(&metaindex, &metaindex_handle));
  SF_RETURN_IF_ERROR(WriteBlock(&index_, &footer));
  footer = metaindex_handle + footer;
  footer.resize(kTableFooterSize - 8, '\0');
  PutFixed64(&footer, kTableMagic);
  return file_->Append(footer);
}

}  // namespace staticflow
