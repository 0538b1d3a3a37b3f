// Sorted string tables in LevelDB's format: the `.index` file of a checkpoint.
//
//   TableWriter writer(file.get());
//   writer.Add("a", "1"); writer.Add("b", "2");                     // keys strictly increasing
//   SF_RETURN_IF_ERROR(writer.Finish());
//   SF_RETURN_IF_ERROR(ScanTable(env, path, {}, [&](absl::string_view key, absl::string_view value) { ... }));
//
//   file    =  data block... | metaindex block | index block | footer
//   block   =  entry... | restart offsets: uint32... | their number: uint32,  followed by a trailer:
//              type: uint8 (0 plain, 1 Snappy) | masked CRC32C of block and type: uint32
//   entry   =  varint shared | varint unshared | varint value size | unshared key bytes | value
//   footer  =  handle of metaindex | handle of index | zeros up to byte 40 | magic: uint64;  handle = varint offset,
//   size
//
// An index entry's value is a handle; its key is >= every key of that block and < every key of the next one.
#ifndef STATICFLOW_RUNTIME_IO_TABLE_H_
#define STATICFLOW_RUNTIME_IO_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "runtime/io/env.h"

namespace staticflow {

inline constexpr uint64_t kTableMagic = 0xdb4775248b80fb57u;
inline constexpr uint64_t kTableFooterSize = 48;
inline constexpr uint64_t kBlockTrailerSize = 5;

struct TableWriterOptions {
  size_t block_size = 256 << 10;  // a block ends after the entry that reaches this size
  int restart_interval = 16;      // every so many entries a key is written in full
};

class TableWriter {
 public:
  // `file` stays the caller's, to sync and to close.
  explicit TableWriter(WritableFile* file, const TableWriterOptions& options = {}) : file_(file), options_(options) {}
  // InvalidArgument unless `key` is greater than the last one.
  absl::Status Add(absl::string_view key, absl::string_view value);
  // Writes what follows the data blocks; the last call.
  absl::Status Finish();

 private:
  struct Block {
    std::string bytes;
    std::vector<uint32_t> restarts = {0};
    int since_restart = 0;
    std::string last_key;
  };

  static void AddEntry(absl::string_view key, absl::string_view value, int restart_interval, Block* block);
  absl::Status WriteBlock(Block* block, std::string* handle);
  absl::Status EndDataBlock();

  WritableFile* file_;
  TableWriterOptions options_;
  uint64_t offset_ = 0;
  Block data_;
  Block index_;
  std::string last_key_;
  bool empty_ = true;
  std::string pending_handle_;  // of the data block whose index entry waits for the next key
};

struct TableLimits {
  uint64_t max_block_bytes = 64 << 20;
  uint64_t max_entries = 1'000'000;
  uint64_t max_key_bytes = 64 << 10;
  uint64_t max_total_key_bytes = 256 << 20;  // keys can share prefixes, so the file's size does not bound them
};

// Calls `visit` for every entry in the order of keys; a failure that it returns ends the scan. The views live during
// the call. The file may hold anything: whatever breaks the format, its checksums or the order of keys is DataLoss,
// what exceeds a limit is ResourceExhausted, a Snappy block is Unimplemented. Memory stays below three blocks; the
// time is bounded by the file's size, because no two blocks may overlap.
absl::Status ScanTable(Env* env, const std::string& path, const TableLimits& limits,
                       absl::FunctionRef<absl::Status(absl::string_view key, absl::string_view value)> visit);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_TABLE_H_
