// TensorQueue and QueueFileReader: what is behind the handles of queues and of readers, in the session's resource
// store.
//
// Every function may be called from any thread.
#ifndef STATICFLOW_OPS_QUEUE_STORAGE_H_
#define STATICFLOW_OPS_QUEUE_STORAGE_H_

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "graph/tensor.h"
#include "ops/philox.h"
#include "runtime/resource_store.h"

namespace staticflow {

class Env;  // runtime/io/env.h

enum class QueueKind { kFifo, kPadding, kShuffle, kPriority };

// What a queue's node says.
struct QueueForm {
  QueueKind kind = QueueKind::kFifo;
  std::vector<DataType> types;
  std::vector<Shape> shapes;  // one per component, or none
  int64_t capacity = -1;
  int64_t min_after_dequeue = 0;
  int64_t seed = 0, seed2 = 0;

  friend bool operator==(const QueueForm&, const QueueForm&) = default;
};

class TensorQueue : public Resource {
 public:
  using Element = std::vector<Tensor>;  // one tensor per component

  TensorQueue(std::string name, const QueueForm& form);

  const QueueForm& form() const { return form_; }
  // InvalidArgument unless these are the component types.
  absl::Status CheckTypes(absl::Span<const DataType> types) const;

  // Adds all elements, whose shapes are checked, or none: Cancelled when the queue is closed, FailedPrecondition when
  // they do not fit.
  absl::Status Add(std::vector<Element> elements);
  // Takes `n`; of a closed queue with `allow_fewer` at most n. OutOfRange when a closed queue does not have them,
  // FailedPrecondition when an open one does not.
  absl::StatusOr<std::vector<Element>> Take(int64_t n, bool allow_fewer);
  int64_t size() const;
  bool closed() const;
  absl::Status Close(bool cancel_pending);

 private:
  absl::Status CheckElement(const Element& element) const;
  Element TakeOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  const QueueForm form_;
  mutable absl::Mutex mutex_;
  // In order; of a priority queue a heap; of one that shuffles as they come, a gap filled by the last one.
  std::deque<Element> elements_ ABSL_GUARDED_BY(mutex_);
  PhiloxNumbers numbers_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

// Component i of the elements as one tensor [elements.size()] + shape. With unknown sizes in `shape` it gets the
// largest ones, and what lacks is zero or an empty string. REQUIRES: every element has a tensor of such a shape there.
absl::StatusOr<Tensor> StackComponent(absl::Span<const TensorQueue::Element> elements, size_t i, DataType dtype,
                                      const Shape& shape);

// What a reader's node says.
struct ReaderForm {
  std::string type;  // "TextLineReader"
  int64_t skip_header_lines = 0;
  int64_t header_bytes = 0, record_bytes = 0, footer_bytes = 0, hop_bytes = 0;

  bool is_single() const { return type == "WholeFileReader" || type == "IdentityReader"; }  // one record for each file
  friend bool operator==(const ReaderForm&, const ReaderForm&) = default;
};

// Record after record of one file; false at its end.
using FileRecords = std::function<absl::StatusOr<bool>(std::string* key, std::string* value)>;

// What is behind the handle of a reader.
class QueueFileReader : public Resource {
 public:
  explicit QueueFileReader(const ReaderForm& form) : form_(form) {}
  const ReaderForm& form() const { return form_; }

  // Appends up to `n` records of one file, and at least one, from the files that `names` holds.
  absl::Status Read(Env* env, TensorQueue& names, int64_t n, std::vector<std::string>* keys,
                    std::vector<std::string>* values);
  int64_t records_produced() const;
  int64_t units_completed() const;
  void Reset();
  // TensorFlow's message ReaderBaseState; Unimplemented where the place in a file would belong to it. InvalidArgument
  // for a message that is none.
  absl::StatusOr<std::string> State() const;
  absl::Status Restore(absl::string_view state);

 private:
  bool in_progress() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return started_ != finished_; }
  absl::Status CheckHasState() const;

  const ReaderForm form_;
  mutable absl::Mutex mutex_;
  std::string file_ ABSL_GUARDED_BY(mutex_);
  FileRecords records_ ABSL_GUARDED_BY(mutex_);  // null: no file is open
  int64_t started_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t finished_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t produced_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_QUEUE_STORAGE_H_
