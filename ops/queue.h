// Queues of tensors, which the input pipelines of TensorFlow 1 are built of.
//
//   Output queue = FIFOQueue(g, {.component_types = {DT_STRING, DT_INT64}, .shapes = {{}, {}}, .capacity = 32});
//   Operation fill = QueueEnqueueMany(queue, {names, labels});
//   std::vector<Output> batch = QueueDequeueMany(queue, 8, {DT_STRING, DT_INT64});
//
// An element is a tuple of tensors of the component types. A queue lives in its session, under the node's name or
// `shared_name`; it keeps what was put into it from step to step.
//
// Steps that use queues run one after the other, so nothing could end a wait: where TensorFlow waits until another step
// has added or taken elements, the step here fails with FailedPrecondition, changes nothing, and may be run again once
// another one has made room or brought elements. When run, besides: OutOfRange from a closed queue that holds too few
// elements, Cancelled for an addition to a closed queue, InvalidArgument for types and shapes that are not the queue's.
// No gradients. Not thread-safe: all functions add to the graph. Source: tf.queue (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_QUEUE_H_
#define STATICFLOW_OPS_QUEUE_H_

#include <source_location>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

struct QueueOptions {
  std::vector<DataType> component_types = {};
  std::vector<Shape> shapes = {};  // one per component, complete; empty: any, and then single elements only
  int64_t capacity = -1;           // at most so many elements; negative: any number
  std::string shared_name = "";
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// The handle of a queue: first in, first out; the same where shapes may have unknown sizes, and a batch pads each
// component with zeros to the largest size in it; smallest priority first, an int64 that comes as component 0 before
// the component_types.
Output FIFOQueue(Graph& g, const QueueOptions& options);
Output PaddingFIFOQueue(Graph& g, const QueueOptions& options);
Output PriorityQueue(Graph& g, const QueueOptions& options);
struct RandomShuffleOptions {
  int64_t min_after_dequeue = 0;  // so many elements stay while the queue is open, so that there is a choice
  int64_t seed = 0;               // 0: the graph chooses one
};
// Any element, by TensorFlow's numbers for the seeds.
Output RandomShuffleQueue(Graph& g, const QueueOptions& options, const RandomShuffleOptions& shuffle = {});

// Adds one element; one for each index of dimension 0, or none when there is no room for all.
Operation QueueEnqueue(Operand queue, absl::Span<const Output> components, const OpOptions& options = {});
Operation QueueEnqueueMany(Operand queue, absl::Span<const Output> components, const OpOptions& options = {});
// Takes one element; `n` of them, stacked; `n`, or what a closed queue still has.
std::vector<Output> QueueDequeue(Operand queue, absl::Span<const DataType> component_types,
                                 const OpOptions& options = {});
std::vector<Output> QueueDequeueMany(Operand queue, Operand n, absl::Span<const DataType> component_types,
                                     const OpOptions& options = {});
std::vector<Output> QueueDequeueUpTo(Operand queue, Operand n, absl::Span<const DataType> component_types,
                                     const OpOptions& options = {});

Output QueueSize(Operand queue, const OpOptions& options = {});      // int32
Output QueueIsClosed(Operand queue, const OpOptions& options = {});  // bool
// Nothing can be added any more. When run: Cancelled for a queue that is closed already.
Operation QueueClose(Operand queue, const OpOptions& options = {});

// ---- Readers: records of the files whose names a queue of strings holds (ops/reader.cc) ----
//
//   const FileRecord line = ReaderRead(TextLineReader(g), queue);
//
// A reader takes the next name when it has read a file to its end, and lives in its session as a queue does. When run:
// what taking from the queue gives; errors of the file; DataLoss for a damaged record.

struct ReaderOptions {
  std::string shared_name = "";
  std::string name = "";
  std::source_location where = std::source_location::current();
};
// Records are whole files (the key is the file's name), the names themselves, TFRecords ("name:offset"), lines of text
// ("name:line", counted from 1), or so many bytes ("name:record", counted from 0).
Output WholeFileReader(Graph& g, const ReaderOptions& options = {});
Output IdentityReader(Graph& g, const ReaderOptions& options = {});
Output TFRecordReader(Graph& g, const ReaderOptions& options = {});
Output TextLineReader(Graph& g, int64_t skip_header_lines = 0, const ReaderOptions& options = {});
struct RecordSizes {
  int64_t record_bytes = 1;
  int64_t header_bytes = 0;  // at the beginning and at the end of a file
  int64_t footer_bytes = 0;
  int64_t hop_bytes = 0;  // from one record to the next; 0: record_bytes
};
Output FixedLengthRecordReader(Graph& g, const RecordSizes& sizes, const ReaderOptions& options = {});

struct FileRecord {
  Output key, value;  // string scalars, or vectors of as many as were read
};
FileRecord ReaderRead(Operand reader, Operand queue, const OpOptions& options = {});
// Up to num_records (an int64 scalar) records of one file, and at least one.
FileRecord ReaderReadUpTo(Operand reader, Operand queue, Operand num_records, const OpOptions& options = {});
Output ReaderNumRecordsProduced(Operand reader, const OpOptions& options = {});     // int64
Output ReaderNumWorkUnitsCompleted(Operand reader, const OpOptions& options = {});  // int64
// Begins anew with the next file.
Operation ReaderReset(Operand reader, const OpOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_QUEUE_H_
