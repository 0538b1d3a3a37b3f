#include "graph/shape.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace staticflow {

int64_t MultiplySizes(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? kTooLarge : product;
}

int64_t AddSizes(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? kTooLarge : sum;
}

Shape::Shape(absl::Span<const int64_t> dims) {
  dims_.reserve(dims.size());
  for (int64_t d : dims) push_back(d);
}

Shape Shape::Unknown() {
  Shape shape;
  shape.has_rank_ = false;
  return shape;
}

Shape Shape::UnknownOfRank(int rank) {
  Shape shape;
  shape.dims_.assign(std::max(rank, 0), kUnknownDim);
  return shape;
}

absl::StatusOr<Shape> Shape::FromFile(absl::Span<const int64_t> dims) {
  if (dims.size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("a shape has rank ", dims.size(), ", at most ", kMaxRank, " is allowed"));
  }
  for (int64_t d : dims) {
    if (d < -1) return absl::InvalidArgumentError(absl::StrCat("a shape has dimension ", d, ", expected -1 or more"));
  }
  return Shape(dims);
}

bool Shape::IsFullyDefined() const {
  return has_rank_ && std::find(dims_.begin(), dims_.end(), kUnknownDim) == dims_.end();
}

int64_t Shape::num_elements() const { return num_elements(0, static_cast<int>(dims_.size())); }

int64_t Shape::num_elements(int begin, int end) const {
  int64_t n = 1;
  bool empty = false;
  for (int i = begin; i < end; ++i) {
    empty |= dims_[i] == 0;
    n = MultiplySizes(n, dims_[i]);
  }
  return empty ? 0 : n;
}

Shape Shape::Slice(int begin, int end) const { return Shape(dims().subspan(begin, std::max(0, end - begin))); }

Shape Shape::Concatenate(const Shape& other) const {
  if (!has_rank_ || !other.has_rank_) return Unknown();
  Shape result = *this;
  for (int64_t d : other.dims_) result.push_back(d);
  return result;
}

bool Shape::IsCompatibleWith(const Shape& other) const { return MergeWith(other).ok(); }

absl::StatusOr<Shape> Shape::MergeWith(const Shape& other) const {
  if (!has_rank_) return other;
  if (!other.has_rank_) return *this;
  Shape merged = *this;
  bool same = dims_.size() == other.dims_.size();
  for (size_t i = 0; same && i < dims_.size(); ++i) {
    if (merged.dims_[i] == kUnknownDim) merged.dims_[i] = other.dims_[i];
    same = other.dims_[i] == kUnknownDim || other.dims_[i] == merged.dims_[i];
  }
  if (same) return merged;
  return absl::InvalidArgumentError(absl::StrCat("shapes ", ToString(), " and ", other.ToString(), " do not agree"));
}

Shape Shape::Join(const Shape& other) const {
  if (!has_rank_ || !other.has_rank_ || dims_.size() != other.dims_.size()) return Unknown();
  Shape joined = *this;
  for (size_t i = 0; i < dims_.size(); ++i) {
    if (dims_[i] != other.dims_[i]) joined.dims_[i] = kUnknownDim;
  }
  return joined;
}

std::string Shape::ToString() const {
  if (!has_rank_) return "<unknown>";
  return absl::StrCat("[",
                      absl::StrJoin(dims_, ",",
                                    [](std::string* out, int64_t d) {
                                      if (d == kUnknownDim) {
                                        out->push_back('?');
                                      } else {
                                        absl::StrAppend(out, d);
                                      }
                                    }),
                      "]");
}

absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return Shape::Unknown();
  const int rank = std::max(a.rank(), b.rank());
  Shape result = Shape::UnknownOfRank(rank);
  for (int i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.rank() ? a.dim(-i) : 1, y = i <= b.rank() ? b.dim(-i) : 1;
    if (x > 1 && y > 1 && x != y) {
      return absl::InvalidArgumentError(
          absl::StrCat("shapes ", a.ToString(), " and ", b.ToString(), " cannot be broadcast together"));
    }
    // A known size other than 1 decides, whatever the unknown other one turns out to be.
    if (x == 1 || y == 1) {
      result.set_dim(rank - i, x == 1 ? y : x);
    } else if (x == y) {
      result.set_dim(rank - i, x);
    } else if (x == Shape::kUnknownDim || y == Shape::kUnknownDim) {
      result.set_dim(rank - i, std::max(x, y));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("shapes ", a.ToString(), " and ", b.ToString(), " cannot be broadcast together"));
    }
  }
  return result;
}

absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    return absl::InvalidArgumentError(
        absl::StrCat("axis ", axis, " is out of range [", -rank, ", ", rank, ") for rank ", rank));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace staticflow
