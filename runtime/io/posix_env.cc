#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "graph/status.h"
#include "runtime/io/env.h"

namespace staticflow {
namespace {

// Repeats a system call that a signal interrupted.
template <typename Call>
auto Retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status Append(absl::string_view data) override {
    if (buffer_.size() + data.size() > kBufferSize) SF_RETURN_IF_ERROR(Flush());
    if (data.size() > kBufferSize) return Write(data);
    buffer_.append(data.data(), data.size());
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    SF_RETURN_IF_ERROR(Flush());
    if (Retry([&] { return ::fsync(fd_.get()); }) != 0) return ErrnoStatus(errno, "cannot sync", path_);
    return absl::OkStatus();
  }

  absl::Status Close() override {
    if (fd_.get() < 0) return absl::OkStatus();
    absl::Status flushed = Flush();
    // On Linux the descriptor is gone even when close is interrupted, so it is not repeated.
    if (::close(fd_.release()) != 0 && errno != EINTR && flushed.ok()) return ErrnoStatus(errno, "cannot close", path_);
    return flushed;
  }

 private:
  static constexpr size_t kBufferSize = 1 << 16;

  absl::Status Flush() {
    std::string data;
    data.swap(buffer_);
    return Write(data);
  }

  absl::Status Write(absl::string_view data) {
    if (fd_.get() < 0) return absl::FailedPreconditionError(path_ + ": the file is closed");
    while (!data.empty()) {
      const ssize_t n = Retry([&] { return ::write(fd_.get(), data.data(), data.size()); });
      if (n < 0) return ErrnoStatus(errno, "cannot write", path_);
      data.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  Descriptor fd_;
  std::string path_;
  std::string buffer_;
};

class PosixRandomAccessFile : public RandomAccessFile {
 public:
  PosixRandomAccessFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::StatusOr<size_t> Read(uint64_t offset, size_t n, char* buffer) const override {
    size_t done = 0;
    while (done < n) {
      const ssize_t got =
          Retry([&] { return ::pread(fd_.get(), buffer + done, n - done, static_cast<off_t>(offset + done)); });
      if (got < 0) return ErrnoStatus(errno, "cannot read", path_);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class Posix : public Env {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(const std::string& path) override {
    const int fd = Retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666); });
    if (fd < 0) return ErrnoStatus(errno, "cannot create", path);
    return std::make_unique<PosixWritableFile>(fd, path);
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> NewRandomAccessFile(const std::string& path) override {
    const int fd = Retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (fd < 0) return ErrnoStatus(errno, "cannot open", path);
    return std::make_unique<PosixRandomAccessFile>(fd, path);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "cannot rename to '" + to + "'", from);
    return absl::OkStatus();
  }

  absl::Status HardLink(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return ErrnoStatus(errno, "cannot link to '" + to + "'", from);
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) return ErrnoStatus(errno, "cannot remove", path);
    return absl::OkStatus();
  }

  absl::Status SyncDir(const std::string& dir) override {
    Descriptor fd(Retry([&] { return ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (fd.get() < 0) return ErrnoStatus(errno, "cannot open directory", dir);
    // EINVAL: a file system that cannot sync a directory makes names durable by itself, or never.
    if (Retry([&] { return ::fsync(fd.get()); }) != 0 && errno != EINVAL)
      return ErrnoStatus(errno, "cannot sync directory", dir);
    return absl::OkStatus();
  }

  absl::Status CreateDir(const std::string& dir) override {
    for (size_t end = dir.find('/', 1);; end = dir.find('/', end + 1)) {
      const std::string part = dir.substr(0, end);
      if (::mkdir(part.c_str(), 0777) == 0) {
        SF_RETURN_IF_ERROR(SyncDir(DirName(part)));
      } else {
        const int error = errno;
        struct stat info;
        if (::stat(part.c_str(), &info) != 0) return ErrnoStatus(error, "cannot create directory", part);
        if (!S_ISDIR(info.st_mode)) return ErrnoStatus(ENOTDIR, "cannot create directory", part);
      }
      if (end == std::string::npos) return absl::OkStatus();
    }
  }

  absl::StatusOr<std::vector<std::string>> ListDir(const std::string& dir) override {
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(dir.c_str()), ::closedir);
    if (stream == nullptr) return ErrnoStatus(errno, "cannot list", dir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) return ErrnoStatus(errno, "cannot list", dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<bool> FileExists(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoStatus(errno, "cannot look up", path);
  }

  absl::StatusOr<uint64_t> FileSize(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, "cannot look up", path);
    if (S_ISDIR(info.st_mode)) return ErrnoStatus(EISDIR, "cannot read", path);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override {
    struct statvfs info;
    if (Retry([&] { return ::statvfs(dir.c_str(), &info); }) != 0)
      return ErrnoStatus(errno, "cannot ask for free space of", dir);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }
};

}  // namespace

Env* PosixEnv() {
  static Posix env;
  return &env;
}

}  // namespace staticflow
