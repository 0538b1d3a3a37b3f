#include "runtime/io/env.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

constexpr absl::string_view kTemporaryMark = ".tempstate.";

absl::StatusCode CodeOfErrno(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kResourceExhausted;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EXDEV:
    case ELOOP:
    case EBUSY:
      return absl::StatusCode::kFailedPrecondition;
    case EINVAL:
    case ENAMETOOLONG:
      return absl::StatusCode::kInvalidArgument;
    case ENOSYS:
    case EOPNOTSUPP:
    case EMLINK:
      return absl::StatusCode::kUnimplemented;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

std::string HostName() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof(name) - 1);
  std::string host = name;
  std::replace(host.begin(), host.end(), '/', '_');
  return host;
}

}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view action, absl::string_view path) {
  // std::generic_category().message is the thread-safe strerror.
  return absl::Status(CodeOfErrno(error),
                      absl::StrCat(path, ": ", action, ": ", std::generic_category().message(error)));
}

absl::StatusOr<std::string> ReadWholeFile(Env* env, const std::string& path, uint64_t max_bytes) {
  SF_ASSIGN_OR_RETURN(const uint64_t size, env->FileSize(path));
  if (size > max_bytes)
    return absl::ResourceExhaustedError(absl::StrCat(path, ": has ", size, " bytes, the limit is ", max_bytes));
  SF_ASSIGN_OR_RETURN(std::unique_ptr<RandomAccessFile> file, env->NewRandomAccessFile(path));
  std::string data(size, '\0');
  SF_ASSIGN_OR_RETURN(const size_t got, file->Read(0, data.size(), data.data()));
  data.resize(got);
  return data;
}

absl::Status WriteWholeFile(Env* env, const std::string& path, absl::string_view data) {
  SF_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, env->NewWritableFile(path));
  SF_RETURN_IF_ERROR(file->Append(data));
  return file->Close();
}

absl::Status ReplaceFile(Env* env, const std::string& path, absl::string_view data) {
  const std::string temporary = TemporaryName(path);
  const absl::Status written = [&]() -> absl::Status {
    SF_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, env->NewWritableFile(temporary));
    SF_RETURN_IF_ERROR(file->Append(data));
    SF_RETURN_IF_ERROR(file->Sync());
    SF_RETURN_IF_ERROR(file->Close());
    return env->Rename(temporary, path);
  }();
  if (!written.ok()) {
    env->Remove(temporary).IgnoreError();
    return written;
  }
  return env->SyncDir(DirName(path));
}

std::string TemporaryName(const std::string& path) {
  return absl::StrCat(path, kTemporaryMark, HostName(), ".", ::getpid());
}

absl::Status SweepTemporaries(Env* env, const std::string& dir) {
  SF_ASSIGN_OR_RETURN(const std::vector<std::string> names, env->ListDir(dir));
  const std::string mark = absl::StrCat(kTemporaryMark, HostName(), ".");
  for (const std::string& name : names) {
    const size_t at = name.rfind(mark);
    if (at == std::string::npos) continue;
    const std::string rest = name.substr(at + mark.size());
    int process = 0;
    if (!absl::SimpleAtoi(rest.substr(0, rest.find('.')), &process) || process <= 0) continue;
    const bool alive = ::kill(process, 0) == 0 || errno != ESRCH;
    if (alive && process != ::getpid()) continue;
    SF_RETURN_IF_ERROR(env->Remove(JoinPath(dir, name)));
  }
  return absl::OkStatus();
}

std::string DirName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

std::string BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == absl::string_view::npos ? path : path.substr(slash + 1));
}

std::string JoinPath(absl::string_view dir, absl::string_view name) {
  if (dir.empty() || absl::StartsWith(name, "/")) return std::string(name);
  return absl::StrCat(dir, absl::EndsWith(dir, "/") ? "" : "/", name);
}

}  // namespace staticflow
