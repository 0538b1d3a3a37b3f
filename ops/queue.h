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

}  // namespace staticflow

#endif  // STATICFLOW_OPS_QUEUE_H_
