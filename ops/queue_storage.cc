#include "ops/queue_storage.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// Of two elements of a priority queue the one that comes later; std::push_heap and its kin keep the first in front.
bool ComesLater(const TensorQueue::Element& a, const TensorQueue::Element& b) {
  return *a[0].data<int64_t>() > *b[0].data<int64_t>();
}

// FNV-1a: a queue without seeds shuffles by its name.
uint64_t HashOf(absl::string_view name) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}
Philox GeneratorFor(const std::string& name, const QueueForm& form) {
  if (form.seed == 0 && form.seed2 == 0) return Philox(HashOf(name), 0);
  return Philox(static_cast<uint64_t>(form.seed), static_cast<uint64_t>(form.seed2));
}

}  // namespace

TensorQueue::TensorQueue(std::string name, const QueueForm& form)
    : name_(std::move(name)), form_(form), numbers_(GeneratorFor(name_, form)) {}

absl::Status TensorQueue::CheckTypes(absl::Span<const DataType> types) const {
  if (types == absl::MakeConstSpan(form_.types)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("queue ", name_, " has ", form_.types.size(),
                                                 " components of other types than these ", types.size()));
}

absl::Status TensorQueue::CheckElement(const Element& element) const {
  for (size_t i = 0; i < form_.shapes.size(); ++i) {
    if (element[i].shape().IsCompatibleWith(form_.shapes[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("component ", i, " has shape ", element[i].shape().ToString(),
                                                   ", queue ", name_, " takes ", form_.shapes[i].ToString()));
  }
  return absl::OkStatus();
}

absl::Status TensorQueue::Add(std::vector<Element> elements) {
  if (elements.empty()) return absl::OkStatus();
  for (const Element& element : elements) SF_RETURN_IF_ERROR(CheckElement(element));
  absl::MutexLock lock(&mutex_);
  if (closed_) return absl::CancelledError(absl::StrCat("queue ", name_, " is closed"));
  const int64_t size = static_cast<int64_t>(elements_.size() + elements.size());
  if (form_.capacity >= 0 && size > form_.capacity) {
    return absl::FailedPreconditionError(absl::StrCat("queue ", name_, " holds ", elements_.size(), " of at most ",
                                                      form_.capacity, " elements, ", elements.size(),
                                                      " more would wait for ever: take some in a step before"));
  }
  for (Element& element : elements) {
    elements_.push_back(std::move(element));
    if (form_.kind == QueueKind::kPriority) std::push_heap(elements_.begin(), elements_.end(), ComesLater);
  }
  return absl::OkStatus();
}

TensorQueue::Element TensorQueue::TakeOne() {
  Element element;
  if (form_.kind == QueueKind::kPriority || form_.kind == QueueKind::kShuffle) {
    if (form_.kind == QueueKind::kPriority) {
      std::pop_heap(elements_.begin(), elements_.end(), ComesLater);
    } else {
      std::swap(elements_[numbers_() % elements_.size()], elements_.back());
    }
    element = std::move(elements_.back());
    elements_.pop_back();
  } else {
    element = std::move(elements_.front());
    elements_.pop_front();
  }
  return element;
}

absl::StatusOr<std::vector<TensorQueue::Element>> TensorQueue::Take(int64_t n, bool allow_fewer) {
  absl::MutexLock lock(&mutex_);
  const int64_t size = static_cast<int64_t>(elements_.size());
  const int64_t available = closed_ ? size : std::max<int64_t>(0, size - form_.min_after_dequeue);
  // TensorFlow's priority queues never give fewer.
  if (closed_ && allow_fewer && size > 0 && form_.kind != QueueKind::kPriority) n = std::min(n, size);
  if (n > available) {
    const std::string state =
        absl::StrCat("queue ", name_, " has ", available, " elements to take, ", n, " are wanted");
    if (closed_) return absl::OutOfRangeError(absl::StrCat(state, ", and it is closed"));
    return absl::FailedPreconditionError(
        absl::StrCat(state, ": this would wait for ever, add some in a step before or close it"));
  }
  std::vector<Element> taken;
  for (int64_t i = 0; i < n; ++i) taken.push_back(TakeOne());
  return taken;
}

int64_t TensorQueue::size() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int64_t>(elements_.size());
}

bool TensorQueue::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

absl::Status TensorQueue::Close(bool cancel_pending) {
  absl::MutexLock lock(&mutex_);
  if (closed_ && !cancel_pending) return absl::CancelledError(absl::StrCat("queue ", name_, " is closed already"));
  closed_ = true;
  return absl::OkStatus();
}

namespace {

// Copies a tensor into the front corner of a larger one of its rank, of which `dim` and what comes before are fixed.
void CopyCorner(const Tensor& from, int dim, int64_t from_at, const Shape& to_shape, char* to, int64_t to_at) {
  const int rank = from.shape().rank(), size = DataTypeSize(from.dtype());
  if (dim + 1 >= rank) {
    const int64_t n = rank == 0 ? 1 : from.shape().dim(dim);
    CopyElements(from.dtype(), static_cast<const char*>(from.raw()) + from_at * size, to + to_at * size, n);
    return;
  }
  const int64_t from_step = from.shape().num_elements(dim + 1, rank), to_step = to_shape.num_elements(dim + 1, rank);
  for (int64_t i = 0; i < from.shape().dim(dim); ++i) {
    CopyCorner(from, dim + 1, from_at + i * from_step, to_shape, to, to_at + i * to_step);
  }
}

}  // namespace

absl::StatusOr<Tensor> StackComponent(absl::Span<const TensorQueue::Element> elements, size_t i, DataType dtype,
                                      const Shape& shape) {
  Shape largest = shape;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape.dim(d) != Shape::kUnknownDim) continue;
    int64_t most = 0;
    for (const TensorQueue::Element& element : elements) most = std::max(most, element[i].shape().dim(d));
    largest.set_dim(d, most);
  }
  const int64_t count = static_cast<int64_t>(elements.size()), each = largest.num_elements();
  SF_ASSIGN_OR_RETURN(Tensor stacked, Tensor::Create(dtype, Shape({count}).Concatenate(largest)));
  if (!IsObject(dtype) && stacked.bytes() > 0) std::memset(stacked.raw(), 0, static_cast<size_t>(stacked.bytes()));
  for (int64_t k = 0; k < count; ++k) {
    const Tensor& tensor = elements[static_cast<size_t>(k)][i];
    if (tensor.num_elements() == 0) continue;
    CopyCorner(tensor, 0, 0, largest, static_cast<char*>(stacked.raw()), k * each);
  }
  return stacked;
}

}  // namespace staticflow
