// Env: every access of the library to files goes through this interface, so that a test can make any call fail.
//
//   Env* env = PosixEnv();
//   SF_RETURN_IF_ERROR(ReplaceFile(env, "out/graph.pb", bytes));       // power-safe
//   SF_ASSIGN_OR_RETURN(std::string bytes, ReadWholeFile(env, "out/graph.pb"));
//
// Errors name the file and the system's reason: NotFound (no such file), PermissionDenied, ResourceExhausted (disk or
// quota full), AlreadyExists, FailedPrecondition (a directory in the way), Unavailable (other I/O errors).
// Paths use '/'. An Env may be used from several threads at once; a WritableFile belongs to one thread at a time,
// a RandomAccessFile may be read by several.
#ifndef STATICFLOW_RUNTIME_IO_ENV_H_
#define STATICFLOW_RUNTIME_IO_ENV_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace staticflow {

// A file being written from its beginning to its end. Destroying it closes it and forgets errors.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual absl::Status Append(absl::string_view data) = 0;
  // Returns once everything appended so far would survive a power cut (the file's name needs Env::SyncDir).
  virtual absl::Status Sync() = 0;
  virtual absl::Status Close() = 0;
};

class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // Reads up to n bytes at `offset` into `buffer`; the number of bytes read is below n only at the end of the file.
  virtual absl::StatusOr<size_t> Read(uint64_t offset, size_t n, char* buffer) const = 0;
};

class Env {
 public:
  virtual ~Env() = default;

  // Creates the file, or empties the one that exists.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> NewRandomAccessFile(const std::string& path) = 0;

  // Atomically gives `from` the name `to`, in place of a file of that name.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // A second name for the same file; AlreadyExists if there is a file `to`.
  virtual absl::Status HardLink(const std::string& from, const std::string& to) = 0;
  // Of a directory, only one that is empty.
  virtual absl::Status Remove(const std::string& path) = 0;
  // Returns once the names in `dir` would survive a power cut.
  virtual absl::Status SyncDir(const std::string& dir) = 0;

  // Creates `dir` and the directories above it that are missing; OK if it exists. New ones are durable on return.
  virtual absl::Status CreateDir(const std::string& dir) = 0;
  // The names in `dir`, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> ListDir(const std::string& dir) = 0;
  virtual absl::StatusOr<bool> FileExists(const std::string& path) = 0;
  virtual absl::StatusOr<uint64_t> FileSize(const std::string& path) = 0;
  // Bytes that a user without privileges may still write in the file system of `dir`.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) = 0;
};

// The files of this machine. The object has no state and lives as long as the program.
Env* PosixEnv();

// The status for a failed system call on `path`.
absl::Status ErrnoStatus(int error, absl::string_view action, absl::string_view path);

// The whole file; ResourceExhausted if it has more than `max_bytes` bytes.
absl::StatusOr<std::string> ReadWholeFile(Env* env, const std::string& path, uint64_t max_bytes = uint64_t{1} << 32);
// Creates or empties `path` and writes `data`; neither atomic nor power-safe.
absl::Status WriteWholeFile(Env* env, const std::string& path, absl::string_view data);
// Writes `data` to a temporary file, syncs it, renames it to `path` and syncs the directory: at any moment, also after
// a power cut, `path` is the old file or the new one. After an error the old one is there, without a temporary file,
// unless only the last sync failed: then the new one is there.
absl::Status ReplaceFile(Env* env, const std::string& path, absl::string_view data);

// The name under which this process prepares `path`: "<path>.tempstate.<host>.<process id>"; an ending may follow.
std::string TemporaryName(const std::string& path);
// Removes the temporary files in `dir` that this process or a dead one of this host left behind; call it before the
// first save to `dir`. Those of other hosts and of living processes stay.
absl::Status SweepTemporaries(Env* env, const std::string& dir);

std::string DirName(absl::string_view path);                          // "a/b" -> "a", "b" -> ".", "/b" -> "/"
std::string BaseName(absl::string_view path);                         // "a/b" -> "b"
std::string JoinPath(absl::string_view dir, absl::string_view name);  // an absolute `name` stays alone

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_ENV_H_
