#include "runtime/io/events.h"

#include <unistd.h>

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "graph/status.h"
#include "proto/event.pb.h"

namespace staticflow {
namespace {

constexpr char kFileVersion[] = "brain.Event:2";

double SystemClock() { return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()); }

std::string HostName() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventWriter>> EventWriter::Create(Env* env, const std::string& dir,
                                                                 const EventWriterOptions& options) {
  const std::function<double()> clock = options.clock ? options.clock : SystemClock;
  const double now = clock();
  SF_RETURN_IF_ERROR(env->CreateDir(dir));
  const std::string base = JoinPath(dir, absl::StrFormat("events.out.tfevents.%010d.%s", static_cast<int64_t>(now),
                                                         options.host.empty() ? HostName() : options.host));
  std::string path = base + options.suffix;
  for (int i = 1;; ++i) {
    SF_ASSIGN_OR_RETURN(const bool exists, env->FileExists(path));
    if (!exists) break;
    path = absl::StrCat(base, ".", i, options.suffix);
  }
  SF_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file, env->NewWritableFile(path));
  auto writer = std::unique_ptr<EventWriter>(new EventWriter(std::move(file), path, clock));
  proto::Event version;
  version.set_wall_time(now);
  version.set_file_version(kFileVersion);
  SF_RETURN_IF_ERROR(writer->Write(version));
  SF_RETURN_IF_ERROR(writer->Flush());
  SF_RETURN_IF_ERROR(env->SyncDir(dir));
  return writer;
}

absl::Status EventWriter::Write(const proto::Event& event) {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(status_);
  std::string bytes;
  if (event.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max()))
    return absl::InvalidArgumentError(absl::StrCat(path_, ": an event of more than 2 GiB"));
  if (event.wall_time() == 0) {
    proto::Event timed = event;
    timed.set_wall_time(clock_());
    timed.SerializeToString(&bytes);
  } else {
    event.SerializeToString(&bytes);
  }
  return status_ = RecordWriter(file_.get()).Write(bytes);
}

absl::Status EventWriter::Flush() {
  std::lock_guard<std::mutex> lock(mutex_);
  SF_RETURN_IF_ERROR(status_);
  return status_ = file_->Sync();
}

absl::Status EventWriter::Close() {
  std::lock_guard<std::mutex> lock(mutex_);
  const absl::Status closed = file_->Close();
  SF_RETURN_IF_ERROR(status_);
  status_ = absl::FailedPreconditionError(path_ + ": the event file is closed");
  return closed;
}

absl::StatusOr<EventReader> EventReader::Open(Env* env, const std::string& path) {
  SF_ASSIGN_OR_RETURN(RecordReader records, RecordReader::Open(env, path));
  return EventReader(std::move(records), path);
}

absl::StatusOr<bool> EventReader::Read(proto::Event* event) {
  const uint64_t offset = records_.offset();
  SF_ASSIGN_OR_RETURN(const bool more, records_.Read(&record_));
  if (more && !event->ParseFromString(record_))
    return absl::DataLossError(absl::StrCat(path_, ": the record at byte ", offset, " is not an event"));
  return more;
}

}  // namespace staticflow
