// Event files, which TensorBoard shows: a record file of Event protos, `<dir>/events.out.tfevents.<seconds>.<host>`.
//
//   SF_ASSIGN_OR_RETURN(std::unique_ptr<EventWriter> writer, EventWriter::Create(env, "logs"));
//   proto::Event event;
//   event.set_step(10);
//   event.mutable_summary()->...;
//   SF_RETURN_IF_ERROR(writer->Write(event));
//   SF_RETURN_IF_ERROR(writer->Flush());
//
// Every writer opens a file of its own, because the last record of an older one may be cut. The first event of a file
// says its version, "brain.Event:2".
#ifndef STATICFLOW_RUNTIME_IO_EVENTS_H_
#define STATICFLOW_RUNTIME_IO_EVENTS_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/env.h"
#include "runtime/io/record.h"

namespace staticflow {

namespace proto {
class Event;
}  // namespace proto

struct EventWriterOptions {
  std::function<double()> clock = nullptr;  // seconds since the epoch; the system's when null
  std::string host;                         // in the file's name; this machine's when empty
  std::string suffix;                       // after the file's name
};

// Thread-safe. After a failed write the following ones fail alike, because the file may end inside a record; the
// caller goes on training and may create a new writer.
class EventWriter {
 public:
  // Creates `dir` if it is missing.
  static absl::StatusOr<std::unique_ptr<EventWriter>> Create(Env* env, const std::string& dir,
                                                             const EventWriterOptions& options = {});
  // Appends the event; a wall_time of 0 becomes the clock's.
  absl::Status Write(const proto::Event& event);
  // Returns once all events are durable.
  absl::Status Flush();
  absl::Status Close();
  const std::string& path() const { return path_; }

 private:
  EventWriter(std::unique_ptr<WritableFile> file, std::string path, std::function<double()> clock)
      : file_(std::move(file)), path_(std::move(path)), clock_(std::move(clock)) {}

  std::mutex mutex_;  // guards file_ and status_
  std::unique_ptr<WritableFile> file_;
  const std::string path_;
  const std::function<double()> clock_;
  absl::Status status_;
};

// Reads an event file, also one that is still being written; see RecordReader about a cut last record.
class EventReader {
 public:
  static absl::StatusOr<EventReader> Open(Env* env, const std::string& path);
  // The next event; false at the end. DataLoss for a damaged record or one that is no Event.
  absl::StatusOr<bool> Read(proto::Event* event);
  bool truncated() const { return records_.truncated(); }

 private:
  EventReader(RecordReader records, std::string path) : records_(std::move(records)), path_(std::move(path)) {}
  RecordReader records_;
  std::string path_;
  std::string record_;
};

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_EVENTS_H_
