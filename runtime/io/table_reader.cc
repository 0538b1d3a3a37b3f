#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/io/coding.h"
#include "runtime/io/crc32c.h"
#include "runtime/io/table.h"

namespace staticflow {
namespace {

using Visitor = absl::FunctionRef<absl::Status(absl::string_view key, absl::string_view value)>;

struct Handle {
  uint64_t offset = 0;
  uint64_t size = 0;
};

bool GetHandle(absl::string_view* input, Handle* handle) {
  return GetVarint64(input, &handle->offset) && GetVarint64(input, &handle->size);
}

class Scanner {
 public:
  Scanner(const RandomAccessFile& file, const std::string& path, uint64_t size, const TableLimits& limits)
      : file_(file), path_(path), size_(size), limits_(limits) {}

  absl::Status Scan(Visitor visit);

 private:
  template <typename... Parts>
  absl::Status Damaged(const Parts&... parts) const {
    return absl::DataLossError(absl::StrCat(path_, ": not a sound table: ", parts...));
  }

  absl::Status ReadFooter(Handle* metaindex, Handle* index) const;
  absl::StatusOr<std::string> ReadBytes(uint64_t offset, uint64_t n) const;
  absl::StatusOr<std::string> ReadBlock(const Handle& handle) const;
  // The end of the entries of `block`, and the number of its restarts.
  absl::StatusOr<std::pair<uint64_t, uint64_t>> ReadRestarts(absl::string_view block) const;
  absl::Status ScanBlock(absl::string_view block, Visitor visit);
  absl::Status CountKey(size_t key_bytes);

  const RandomAccessFile& file_;
  const std::string& path_;
  const uint64_t size_;
  const TableLimits& limits_;
  uint64_t entries_ = 0;
  uint64_t key_bytes_ = 0;
};

absl::StatusOr<std::string> Scanner::ReadBytes(uint64_t offset, uint64_t n) const {
  std::string bytes(n, '\0');
  SF_ASSIGN_OR_RETURN(const size_t got, file_.Read(offset, n, bytes.data()));
  if (got != n) return Damaged("it became shorter while being read");
  return bytes;
}

absl::Status Scanner::ReadFooter(Handle* metaindex, Handle* index) const {
  if (size_ < kTableFooterSize) return Damaged("it has ", size_, " bytes, fewer than the footer");
  SF_ASSIGN_OR_RETURN(const std::string footer, ReadBytes(size_ - kTableFooterSize, kTableFooterSize));
  if (DecodeFixed64(footer.data() + kTableFooterSize - 8) != kTableMagic)
    return Damaged("the last 8 bytes are not the magic number");
  absl::string_view input = absl::string_view(footer).substr(0, kTableFooterSize - 8);
  if (!GetHandle(&input, metaindex) || !GetHandle(&input, index)) return Damaged("bad footer");
  if (input.find_first_not_of('\0') != absl::string_view::npos) return Damaged("the footer's padding is not zero");
  return absl::OkStatus();
}

absl::StatusOr<std::string> Scanner::ReadBlock(const Handle& handle) const {
  const uint64_t end = size_ - kTableFooterSize;
  if (handle.offset > end || end - handle.offset < kBlockTrailerSize ||
      handle.size > end - handle.offset - kBlockTrailerSize)
    return Damaged("a block of ", handle.size, " bytes at ", handle.offset, " does not fit into ", size_, " bytes");
  if (handle.size > limits_.max_block_bytes)
    return absl::ResourceExhaustedError(
        absl::StrCat(path_, ": a block has ", handle.size, " bytes, the limit is ", limits_.max_block_bytes));
  SF_ASSIGN_OR_RETURN(std::string block, ReadBytes(handle.offset, handle.size + kBlockTrailerSize));
  const uint32_t stored = crc32c::Unmask(DecodeFixed32(block.data() + handle.size + 1));
  if (stored != crc32c::Value(absl::string_view(block).substr(0, handle.size + 1)))
    return Damaged("the block at byte ", handle.offset, " has a wrong checksum");
  const int type = static_cast<unsigned char>(block[handle.size]);
  if (type == 1)
    return absl::UnimplementedError(
        absl::StrCat(path_, ": the block at byte ", handle.offset, " is compressed with Snappy"));
  if (type != 0) return Damaged("the block at byte ", handle.offset, " has the unknown type ", type);
  block.resize(handle.size);
  return block;
}

absl::StatusOr<std::pair<uint64_t, uint64_t>> Scanner::ReadRestarts(absl::string_view block) const {
  if (block.size() < 8) return Damaged("a block has no restart array");
  const uint64_t count = DecodeFixed32(block.data() + block.size() - 4);
  if (count == 0 || count > (block.size() - 4) / 4) return Damaged("a block counts ", count, " restarts");
  return std::make_pair(block.size() - 4 - 4 * count, count);
}

absl::Status Scanner::CountKey(size_t key_bytes) {
  if (++entries_ > limits_.max_entries)
    return absl::ResourceExhaustedError(absl::StrCat(path_, ": more than ", limits_.max_entries, " entries"));
  if (key_bytes > limits_.max_key_bytes || (key_bytes_ += key_bytes) > limits_.max_total_key_bytes)
    return absl::ResourceExhaustedError(absl::StrCat(path_, ": keys of more than ", limits_.max_key_bytes,
                                                     " bytes, or ", limits_.max_total_key_bytes, " in all"));
  return absl::OkStatus();
}

absl::Status Scanner::ScanBlock(absl::string_view block, Visitor visit) {
  SF_ASSIGN_OR_RETURN(const auto restarts, ReadRestarts(block));
  const auto [end, num_restarts] = restarts;
  const auto restart = [&, end = end](uint64_t i) { return DecodeFixed32(block.data() + end + 4 * i); };
  absl::string_view input = block.substr(0, end);
  std::string key;
  bool first = true;
  uint64_t next_restart = 0;
  while (!input.empty()) {
    const bool is_restart = next_restart < num_restarts && restart(next_restart) == end - input.size();
    if (is_restart) ++next_restart;
    uint32_t shared = 0, unshared = 0, value_size = 0;
    if (!GetVarint32(&input, &shared) || !GetVarint32(&input, &unshared) || !GetVarint32(&input, &value_size) ||
        unshared > input.size() || value_size > input.size() - unshared)
      return Damaged("an entry does not fit into its block");
    if (shared > key.size() || (is_restart && shared != 0)) return Damaged("an entry shares more than there is");
    const absl::string_view tail = input.substr(0, unshared);
    // The shared part is equal, so the rest decides.
    if (!first && absl::string_view(key).substr(shared) >= tail)
      return Damaged("key '", absl::CEscape(key), "' is not followed by a greater one");
    SF_RETURN_IF_ERROR(CountKey(size_t{shared} + unshared));
    first = false;
    key.resize(shared);
    key.append(tail.data(), tail.size());
    const absl::string_view value = input.substr(unshared, value_size);
    input.remove_prefix(size_t{unshared} + value_size);
    SF_RETURN_IF_ERROR(visit(key, value));
  }
  // An empty block has one restart, at its end.
  if (next_restart != num_restarts && !(end == 0 && num_restarts == 1 && restart(0) == 0))
    return Damaged("a restart points between entries");
  return absl::OkStatus();
}

absl::Status Scanner::Scan(Visitor visit) {
  Handle metaindex, index;
  SF_RETURN_IF_ERROR(ReadFooter(&metaindex, &index));
  SF_RETURN_IF_ERROR(ReadBlock(metaindex).status());
  SF_ASSIGN_OR_RETURN(const std::string index_block, ReadBlock(index));
  uint64_t blocks_end = 0;
  std::string lower, upper;  // keys of the next block are > lower, those seen so far are <= upper
  bool has_lower = false, has_upper = false;
  const auto visit_entry = [&](absl::string_view key, absl::string_view value) -> absl::Status {
    if (has_lower && key <= lower) return Damaged("key '", absl::CEscape(key), "' is in the wrong block");
    upper.assign(key.data(), key.size());
    has_upper = true;
    return visit(key, value);
  };
  return ScanBlock(index_block, [&](absl::string_view bound, absl::string_view value) -> absl::Status {
    Handle handle;
    if (!GetHandle(&value, &handle) || !value.empty()) return Damaged("bad block handle");
    if (handle.offset < blocks_end) return Damaged("blocks overlap at byte ", handle.offset);
    SF_ASSIGN_OR_RETURN(const std::string block, ReadBlock(handle));
    blocks_end = handle.offset + handle.size + kBlockTrailerSize;
    SF_RETURN_IF_ERROR(ScanBlock(block, visit_entry));
    if (has_upper && upper > bound) return Damaged("key '", absl::CEscape(upper), "' is beyond its block's bound");
    lower.assign(bound.data(), bound.size());
    has_lower = true;
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status ScanTable(Env* env, const std::string& path, const TableLimits& limits, Visitor visit) {
  SF_ASSIGN_OR_RETURN(const uint64_t size, env->FileSize(path));
  SF_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, env->NewRandomAccessFile(path));
  return Scanner(*file, path, size, limits).Scan(visit);
}

}  // namespace staticflow
