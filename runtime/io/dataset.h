// Data sets in memory, and batches of them.
//
//   SF_ASSIGN_OR_RETURN(DataSet all, DataSet::Create({images, labels}));       // components share dimension 0
//   auto [validation, train] = all.Split(5000);
//   Batches batches(train, {.batch_size = 60, .shuffle = true, .seed = 1, .tail = Tail::kAcrossEpochs});
//   std::vector<Tensor> batch;
//   while (true) {
//     SF_ASSIGN_OR_RETURN(bool more, batches.Next(&batch));                    // batch[0] is [60,784]
//     if (!more) break;
//     ...
//   }
//
// The order is a function of (seed, epoch) alone: the same on every platform, with and without prefetching, and after
// going on from a saved position.
#ifndef STATICFLOW_RUNTIME_IO_DATASET_H_
#define STATICFLOW_RUNTIME_IO_DATASET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "graph/tensor.h"

namespace staticflow {

// Rows [0, size()) of one or more tensors. A cheap value: copies and parts share the tensors, which must not change.
// Thread-safe.
class DataSet {
 public:
  // InvalidArgument without components, for scalars, and when the sizes of dimension 0 differ.
  static absl::StatusOr<DataSet> Create(std::vector<Tensor> components);

  int64_t size() const { return end_ - begin_; }
  int num_components() const { return static_cast<int>(components_.size()); }
  // The first `n` rows (at most all) and the others.
  std::pair<DataSet, DataSet> Split(int64_t n) const;
  // The rows of these numbers as new tensors, [rows.size(), ...]. InvalidArgument for a number outside [0, size()).
  absl::StatusOr<std::vector<Tensor>> Rows(absl::Span<const int64_t> rows) const;
  // All rows, in order, as new tensors.
  absl::StatusOr<std::vector<Tensor>> AllRows() const;

 private:
  std::vector<Tensor> components_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
};

// What becomes of the rows at the end of an epoch that do not fill a batch.
enum class Tail {
  kKeep,          // a shorter batch
  kDrop,          // left out
  kAcrossEpochs,  // the batch is filled with the first rows of the next epoch, as TF1's mnist.train.next_batch does;
                  // only the last epoch may end with a shorter batch
};

struct BatchOptions {
  int64_t batch_size = 1;
  bool shuffle = false;  // a new order for each epoch
  uint64_t seed = 0;
  Tail tail = Tail::kKeep;
  int64_t epochs = -1;  // how often the rows come; -1: without end
  int prefetch = 0;     // how many batches a thread prepares ahead; 0: no thread
};

// Where a sequence of batches stands: two numbers to save beside a checkpoint.
struct BatchPosition {
  int64_t epoch = 0;
  int64_t row = 0;  // rows of this epoch's order that were used
  friend bool operator==(const BatchPosition&, const BatchPosition&) = default;
};

// The batches of a data set. Belongs to one thread at a time.
class Batches {
 public:
  Batches(DataSet data, const BatchOptions& options);
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;
  ~Batches();

  // The next batch, a tensor for each component; false when the epochs are over. InvalidArgument for options that
  // give no batch (batch_size < 1, an empty data set without end).
  absl::StatusOr<bool> Next(std::vector<Tensor>* batch);
  // The position after the last batch that Next gave; Seek goes on from there, in this or another process.
  BatchPosition position() const { return position_; }
  // InvalidArgument for a position that the data set does not have.
  absl::Status Seek(const BatchPosition& position);

 private:
  class Producer;
  class Prefetcher;

  DataSet data_;
  BatchOptions options_;
  BatchPosition position_;
  std::unique_ptr<Producer> producer_;
  std::unique_ptr<Prefetcher> prefetcher_;
};

// The order of `n` rows in an epoch: a permutation of [0, n) that depends on nothing but the arguments.
std::vector<int64_t> ShuffledOrder(int64_t n, uint64_t seed, int64_t epoch);

}  // namespace staticflow

#endif  // STATICFLOW_RUNTIME_IO_DATASET_H_
