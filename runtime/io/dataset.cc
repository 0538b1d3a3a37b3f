#include "runtime/io/dataset.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// SplitMix64's finalizer: a bijection that scatters bits.
uint64_t Scatter(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Number `counter` of the stream that `key` names.
uint64_t RandomBits(uint64_t key, uint64_t counter) {
  return Scatter(Scatter(key + 0x9e3779b97f4a7c15u * (counter + 1)) ^ key);
}

// The high half of bits * n: in [0, n), and uniform but for 2^-64 * n.
int64_t Below(int64_t n, uint64_t bits) {
  __extension__ typedef unsigned __int128 Wide;
  return static_cast<int64_t>(static_cast<uint64_t>((Wide{bits} * static_cast<uint64_t>(n)) >> 64));
}

}  // namespace

std::vector<int64_t> ShuffledOrder(int64_t n, uint64_t seed, int64_t epoch) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const uint64_t key = Scatter(Scatter(seed + 0x9e3779b97f4a7c15u) + static_cast<uint64_t>(epoch));
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)],
              order[static_cast<size_t>(Below(i + 1, RandomBits(key, static_cast<uint64_t>(i))))]);
  return order;
}

absl::StatusOr<DataSet> DataSet::Create(std::vector<Tensor> components) {
  if (components.empty()) return absl::InvalidArgumentError("a data set needs at least one tensor");
  for (const Tensor& component : components) {
    if (component.dtype() == DT_RESOURCE || DataTypeSize(component.dtype()) == 0)
      return absl::InvalidArgumentError(absl::StrCat("a data set cannot hold ", DataTypeName(component.dtype())));
    if (component.shape().rank() < 1 || component.shape().dim(0) != components[0].shape().dim(0))
      return absl::InvalidArgumentError(
          absl::StrCat("the tensors of a data set share the size of dimension 0, but have the shapes ",
                       components[0].shape().ToString(), " and ", component.shape().ToString()));
  }
  DataSet data;
  data.end_ = components[0].shape().dim(0);
  data.components_ = std::move(components);
  return data;
}

std::pair<DataSet, DataSet> DataSet::Split(int64_t n) const {
  std::pair<DataSet, DataSet> parts(*this, *this);
  parts.first.end_ = parts.second.begin_ = begin_ + std::clamp<int64_t>(n, 0, size());
  return parts;
}

absl::StatusOr<std::vector<Tensor>> DataSet::Rows(absl::Span<const int64_t> rows) const {
  for (int64_t row : rows) {
    if (row < 0 || row >= size())
      return absl::InvalidArgumentError(absl::StrCat("row ", row, " of a data set of ", size(), " rows"));
  }
  std::vector<Tensor> parts;
  for (const Tensor& component : components_) {
    Shape shape = component.shape();
    shape.set_dim(0, static_cast<int64_t>(rows.size()));
    SF_ASSIGN_OR_RETURN(Tensor part, Tensor::Create(component.dtype(), shape));
    const int64_t elements = shape.num_elements(1, shape.rank());
    if (component.dtype() == DT_STRING) {
      std::string* to = part.data<std::string>();
      for (int64_t row : rows)
        to = std::copy_n(component.data<std::string>() + (begin_ + row) * elements, elements, to);
    } else if (const size_t bytes = static_cast<size_t>(elements * DataTypeSize(component.dtype())); bytes > 0) {
      const char* from = static_cast<const char*>(component.raw());
      char* to = static_cast<char*>(part.raw());
      for (int64_t row : rows) {
        std::memcpy(to, from + static_cast<size_t>(begin_ + row) * bytes, bytes);
        to += bytes;
      }
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

absl::StatusOr<std::vector<Tensor>> DataSet::AllRows() const {
  std::vector<int64_t> rows(static_cast<size_t>(size()));
  std::iota(rows.begin(), rows.end(), 0);
  return Rows(rows);
}

// Makes batches one after the other from a position.
class Batches::Producer {
 public:
  Producer(const DataSet& data, const BatchOptions& options, const BatchPosition& position)
      : data_(data), options_(options), position_(position) {}

  const BatchPosition& position() const { return position_; }

  absl::StatusOr<bool> Next(std::vector<Tensor>* batch) {
    const int64_t n = data_.size();
    if (options_.batch_size < 1)
      return absl::InvalidArgumentError(absl::StrCat("batch_size is ", options_.batch_size, ", expected at least 1"));
    const bool no_batch = n == 0 || (options_.tail == Tail::kDrop && n < options_.batch_size);
    if (no_batch && options_.epochs < 0)
      return absl::InvalidArgumentError(
          absl::StrCat("a data set of ", n, " rows gives no batch of ", options_.batch_size));
    if (no_batch) return false;
    rows_.clear();
    while (static_cast<int64_t>(rows_.size()) < options_.batch_size) {
      if (position_.row >= n) position_ = {.epoch = position_.epoch + 1, .row = 0};
      if (options_.epochs >= 0 && position_.epoch >= options_.epochs) break;
      const int64_t wanted = options_.batch_size - static_cast<int64_t>(rows_.size());
      const int64_t take = std::min(wanted, n - position_.row);
      if (take < wanted && options_.tail == Tail::kDrop) {
        position_.row = n;
        continue;
      }
      TakeRows(take);
      if (options_.tail == Tail::kKeep) break;
    }
    if (rows_.empty()) return false;
    SF_ASSIGN_OR_RETURN(*batch, data_.Rows(rows_));
    return true;
  }

 private:
  void TakeRows(int64_t count) {
    if (options_.shuffle && order_epoch_ != position_.epoch) {
      order_ = ShuffledOrder(data_.size(), options_.seed, position_.epoch);
      order_epoch_ = position_.epoch;
    }
    for (int64_t i = position_.row; i < position_.row + count; ++i)
      rows_.push_back(options_.shuffle ? order_[static_cast<size_t>(i)] : i);
    position_.row += count;
  }

  const DataSet& data_;
  const BatchOptions& options_;
  BatchPosition position_;
  std::vector<int64_t> rows_;
  std::vector<int64_t> order_;
  int64_t order_epoch_ = -1;
};

// Runs a producer on a thread, up to `depth` batches ahead.
class Batches::Prefetcher {
 public:
  struct Item {
    absl::StatusOr<bool> more = false;
    std::vector<Tensor> batch;
    BatchPosition position;
  };

  Prefetcher(Producer* producer, int depth)
      : producer_(producer), depth_(static_cast<size_t>(depth)), thread_([this] { Run(); }) {}
  ~Prefetcher() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // The last item, which has no batch, is given again and again.
  Item Take() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !items_.empty(); });
    if (!HasBatch(items_.front())) return items_.front();
    Item item = std::move(items_.front());
    items_.pop_front();
    changed_.notify_all();
    return item;
  }

 private:
  static bool HasBatch(const Item& item) { return item.more.ok() && *item.more; }

  void Run() {
    for (bool go_on = true; go_on;) {
      Item item;
      item.more = producer_->Next(&item.batch);
      item.position = producer_->position();
      go_on = HasBatch(item);
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || items_.size() < depth_; });
      if (stop_) return;
      items_.push_back(std::move(item));
      changed_.notify_all();
    }
  }

  Producer* producer_;
  const size_t depth_;
  std::mutex mutex_;  // guards items_ and stop_
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool stop_ = false;
  std::thread thread_;  // the last member: it uses the others
};

Batches::Batches(DataSet data, const BatchOptions& options) : data_(std::move(data)), options_(options) {}

Batches::~Batches() = default;

absl::StatusOr<bool> Batches::Next(std::vector<Tensor>* batch) {
  if (producer_ == nullptr) producer_ = std::make_unique<Producer>(data_, options_, position_);
  if (options_.prefetch <= 0) {
    const absl::StatusOr<bool> more = producer_->Next(batch);
    position_ = producer_->position();
    return more;
  }
  if (prefetcher_ == nullptr) prefetcher_ = std::make_unique<Prefetcher>(producer_.get(), options_.prefetch);
  Prefetcher::Item item = prefetcher_->Take();
  position_ = item.position;
  if (item.more.ok() && *item.more) *batch = std::move(item.batch);
  return item.more;
}

absl::Status Batches::Seek(const BatchPosition& position) {
  if (position.epoch < 0 || position.row < 0 || position.row > data_.size())
    return absl::InvalidArgumentError(
        absl::StrCat("position (", position.epoch, ", ", position.row, ") in a data set of ", data_.size(), " rows"));
  prefetcher_.reset();
  producer_.reset();
  position_ = position;
  return absl::OkStatus();
}

}  // namespace staticflow
