// Record files (TFRecord): a sequence of byte strings, each with checksums. Event files are record files.
//
//   record  =  length: uint64 | masked CRC32C of the length: uint32 | data | masked CRC32C of the data: uint32
//
//   RecordWriter writer(file.get());                         SF_RETURN_IF_ERROR(writer.Write("hello"));
//   SF_ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(env, path));
//   std::string record;
//   while (true) {
//     SF_ASSIGN_OR_RETURN(bool more, reader.Read(&record));
//     if (!more) break;
//   }
//
// A process that is killed while it writes leaves a cut last record. The reader ends there as at the end of the file
// and says so by truncated(); a checksum that does not match is DataLoss. An object belongs to one thread at a time.
#ifndef STATICFLOW_RUNTIME_IO_RECORD_H_
#define STATICFLOW_RUNTIME_IO_RECORD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/io/env.h"

namespace staticflow {

class RecordWriter {
 public:
  // `file` stays the caller's, to sync and to close.
  explicit RecordWriter(WritableFile* file) : file_(file) {}
  absl::Status Write(absl::string_view record);

 private:
  WritableFile* file_;
};

class RecordReader {
 public:
  static absl::StatusOr<RecordReader> Open(Env* env, const std::string& path);

  // The next record; false at the end of the file. After an error every further call returns an error.
  absl::StatusOr<bool> Read(std::string* record);
  // Whether the file ends inside a record. Meaningful after Read returned false.
  bool truncated() const { return truncated_; }
  // Where the next record starts, in bytes.
  uint64_t offset() const { return offset_; }

 private:
  RecordReader(std::unique_ptr<RandomAccessFile> file, std::string path, uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}
  // `n` bytes at `offset`, through a buffer. REQUIRES: they lie inside the file.
  absl::StatusOr<absl::string_view> Bytes(uint64_t offset, uint64_t n);

  std::unique_ptr<RandomAccessFile> file_;
  std::string path_;
  uint64_t size_;
  uint64_t offset_ = 0;
  bool truncated_ = false;
  std::string buffer_;
  uint64_t buffer_offset_ = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_RECORD_H_
