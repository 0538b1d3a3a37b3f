// Shape: the sizes of a tensor's dimensions, any of which may be unknown, or all of them with the rank.
//
//   Shape({60, 784})      fully defined        Shape({-1, 784}).ToString() == "[?,784]"
//   Shape()               a scalar             Shape::Unknown()            any rank
//
// Shapes are cheap values. All arithmetic on sizes saturates at kTooLarge instead of wrapping around, so a hostile
// shape becomes a size that no allocation grants.
#ifndef STATICFLOW_GRAPH_SHAPE_H_
#define STATICFLOW_GRAPH_SHAPE_H_

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace staticflow {

// The result of every size computation that would not fit into an int64_t.
inline constexpr int64_t kTooLarge = std::numeric_limits<int64_t>::max();

// a * b and a + b for sizes >= 0, saturating at kTooLarge.
int64_t MultiplySizes(int64_t a, int64_t b);
int64_t AddSizes(int64_t a, int64_t b);

class Shape {
 public:
  static constexpr int64_t kUnknownDim = -1;
  static constexpr int kUnknownRank = -1;
  static constexpr int kMaxRank = 254;  // in files; kernels go up to kMaxKernelRank
  static constexpr int kMaxKernelRank = 8;

  Shape() = default;                          // a scalar
  Shape(std::initializer_list<int64_t> dims)  // NOLINT: shapes are written as lists
      : Shape(absl::MakeConstSpan(dims.begin(), dims.size())) {}
  explicit Shape(absl::Span<const int64_t> dims);  // every negative size counts as unknown
  static Shape Unknown();
  static Shape UnknownOfRank(int rank);

  // InvalidArgument for a rank above kMaxRank or a size below -1: the way in for dimensions from a file.
  static absl::StatusOr<Shape> FromFile(absl::Span<const int64_t> dims);

  bool has_rank() const { return has_rank_; }
  int rank() const { return has_rank_ ? static_cast<int>(dims_.size()) : kUnknownRank; }
  // The size of dimension i, counted from the end when negative; kUnknownDim when it or the rank is unknown.
  // REQUIRES: -rank() <= i < rank() when the rank is known.
  int64_t dim(int i) const { return has_rank_ ? dims_[i < 0 ? i + static_cast<int>(dims_.size()) : i] : kUnknownDim; }
  void set_dim(int i, int64_t size) { dims_[i] = size < 0 ? kUnknownDim : size; }
  absl::Span<const int64_t> dims() const { return dims_; }

  bool IsScalar() const { return has_rank_ && dims_.empty(); }
  bool IsFullyDefined() const;
  // The product of the sizes: 1 for a scalar, kTooLarge on overflow. REQUIRES: IsFullyDefined().
  int64_t num_elements() const;
  // The product of dims [begin, end), saturating. REQUIRES: those are known.
  int64_t num_elements(int begin, int end) const;

  void push_back(int64_t size) { dims_.push_back(size < 0 ? kUnknownDim : size); }
  // Dimensions [begin, end) as a shape of their own. REQUIRES: has_rank().
  Shape Slice(int begin, int end) const;
  // This shape's dimensions, then other's; unknown if either rank is.
  Shape Concatenate(const Shape& other) const;

  // Whether some fully defined shape matches both.
  bool IsCompatibleWith(const Shape& other) const;
  // What is known from either; InvalidArgument if they contradict each other.
  absl::StatusOr<Shape> MergeWith(const Shape& other) const;
  // What is known whichever of the two it is: dimensions that differ become unknown.
  Shape Join(const Shape& other) const;

  std::string ToString() const;  // "[?,784]", "[]", "<unknown>"
  friend bool operator==(const Shape& a, const Shape& b) { return a.has_rank_ == b.has_rank_ && a.dims_ == b.dims_; }

 private:
  absl::InlinedVector<int64_t, 4> dims_;
  bool has_rank_ = true;
};

// The shape of an element-wise op over a and b by NumPy's rules; unknown dimensions stay unknown where they decide.
// InvalidArgument when two known sizes differ and neither is 1.
absl::StatusOr<Shape> BroadcastShapes(const Shape& a, const Shape& b);

// `axis` in [-rank, rank) as an index in [0, rank); InvalidArgument outside.
absl::StatusOr<int> NormalizeAxis(int64_t axis, int rank);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_SHAPE_H_
