// FaultEnv: a file system in memory whose calls can be made to fail, and whose power can be cut, at any point. It is
// for tests of code that saves: the library's own, and its users'.
//
//   for (int64_t n = 0;; ++n) {                          // fail every call in turn
//     FaultEnv env;
//     env.FailCall({.call = n, .error = ENOSPC});
//     if (Save(&env, "dir/model").ok()) break;           // n is past the last call
//     CheckThatTheOldFilesStillWork(&env);
//   }
//
//   for (int64_t n = 0; n <= calls; ++n)                 // cut the power after every call in turn
//     for (const PowerCut& cut : PowerCut::All(20)) {
//       FaultEnv env;
//       env.FailCall({.call = n, .error = EIO, .forever = true});
//       Save(&env, "dir/model").IgnoreError();
//       std::unique_ptr<FaultEnv> after = env.AfterPowerCut(cut);
//       CheckThatOldOrNewIsThere(after.get());
//     }
//
// What a power cut keeps: the bytes of a file up to its last Sync, and the names in a directory as of its last SyncDir.
// What came later may be kept, dropped, cut short or turned into zeros, each file and each change of a name by itself,
// as `PowerCut` says; a rename is one change. The same sequence of calls has the same outcome everywhere.
// Thread-safe; with several threads the order of calls decides which one fails.
#ifndef STATICFLOW_RUNTIME_IO_FAULT_ENV_H_
#define STATICFLOW_RUNTIME_IO_FAULT_ENV_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "runtime/io/env.h"

namespace staticflow {

// Which call fails and how. Calls count from 0; every function of Env and of its files is one call, except closing a
// RandomAccessFile and destroying a file.
struct Fault {
  int64_t call = -1;         // none
  int error = 5;             // an errno value (5 is EIO)
  bool forever = false;      // this call and all later ones
  bool short_write = false;  // a failing Append still writes the first half of its bytes
};

// What a power cut leaves of the changes that were not yet synced.
struct PowerCut {
  enum Kind {
    kDropAll,    // none of them
    kKeepAll,    // all of them
    kKeepNames,  // all changes of names, no unsynced bytes: renamed files that are empty
    kKeepBytes,  // all bytes, no changes of names
    kZeros,      // all changes of names; unsynced bytes are there as zeros
    kRandom,     // of each file and each change of a name, what a generator with `seed` decides
  };
  Kind kind = kDropAll;
  uint64_t seed = 0;

  // The five fixed kinds and `num_random` random ones.
  static std::vector<PowerCut> All(int num_random);
};

class FaultEnv : public Env {
 public:
  FaultEnv();

  void FailCall(const Fault& fault);
  // Calls so far, since construction or the last ResetCalls.
  int64_t calls() const;
  void ResetCalls();
  // Files open at this moment.
  int64_t open_files() const;
  // What FreeBytes answers; no limit is enforced.
  void SetFreeBytes(uint64_t bytes);
  // The file system as the next start finds it if the power fails now; nothing fails in it. Files that are open for
  // writing stay with this FaultEnv.
  std::unique_ptr<FaultEnv> AfterPowerCut(const PowerCut& cut) const;
  // All paths of files, sorted. Not counted as a call.
  std::vector<std::string> Files() const;

  absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> NewRandomAccessFile(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status HardLink(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::Status CreateDir(const std::string& dir) override;
  absl::StatusOr<std::vector<std::string>> ListDir(const std::string& dir) override;
  absl::StatusOr<bool> FileExists(const std::string& path) override;
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override;

 private:
  class Writable;
  class Readable;

  struct Inode {
    std::string bytes;
    std::string synced;  // what a power cut keeps
  };
  using InodePtr = std::shared_ptr<Inode>;
  // One change of names that a directory sync has not covered yet: first `erased` goes, then `path` names `inode`.
  struct NameChange {
    std::string erased;
    std::string path;
    InodePtr inode;
  };

  // Those from here to the mutex need it held. Counts a call and returns its planned failure, or OK.
  absl::Status Step(absl::string_view action, const std::string& path);
  void Apply(const NameChange& change, std::map<std::string, InodePtr>* names) const;
  void Change(NameChange change);
  absl::StatusOr<InodePtr> Find(absl::string_view action, const std::string& path);

  mutable std::mutex mutex_;  // guards everything below
  Fault fault_;
  int64_t calls_ = 0;
  int64_t open_files_ = 0;
  uint64_t free_bytes_ = uint64_t{1} << 50;
  std::map<std::string, InodePtr> names_;          // as the program sees them
  std::map<std::string, InodePtr> durable_names_;  // as of the last SyncDir
  std::vector<NameChange> pending_;
  std::set<std::string> dirs_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_FAULT_ENV_H_
