// Reductions over dimensions, positions of extremes, scans, and AddN.
//
//   Output loss = Mean(losses);                                  // over everything: a scalar
//   Output mean = Mean(x, {0, 1, 2}, {.keep_dims = true});       // [n,h,w,c] -> [1,1,1,c]
//   Output guess = ArgMax(logits, 1);
//
// Negative axes count from the end; an axis out of range is InvalidArgument. Sums are added in a fixed tree, the same
// for any number of threads. Source: tf.reduce_sum and its kin, tf.argmax, tf.cumsum, tf.add_n (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_MATH_REDUCTION_H_
#define STATICFLOW_OPS_MATH_REDUCTION_H_

#include <initializer_list>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow {

// The dimensions to reduce: all (the default), a list known now, one number, or an int32 or int64 output.
class Axes {
 public:
  Axes() = default;
  Axes(std::initializer_list<int64_t> axes) : list_(axes) {}   // NOLINT
  Axes(std::vector<int64_t> axes) : list_(std::move(axes)) {}  // NOLINT
  Axes(int axis) : operand_(axis) {}                           // NOLINT
  Axes(Output axes) : operand_(axes) {}                        // NOLINT
  Axes(const Operand& axes) : operand_(axes) {}                // NOLINT

  const std::optional<Operand>& operand() const { return operand_; }
  const std::optional<std::vector<int64_t>>& list() const { return list_; }

 private:
  std::optional<Operand> operand_;
  std::optional<std::vector<int64_t>> list_;
};

struct ReduceOptions {
  bool keep_dims = false;  // reduced dimensions stay, with size 1
  std::string name = "";
};

// All numbers. Of no elements: 0, NaN (0 for integers), 1, the lowest and the highest value. The mean of integers is
// cut towards zero.
Output Sum(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});
Output Mean(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});
Output Prod(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});
// All numbers. A NaN among the elements makes the result NaN. Equal extremes share the gradient evenly.
Output Max(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});
Output Min(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});
// bool. Of no elements: true and false. No gradient.
Output All(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});
Output Any(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});

struct ArgOptions {
  DataType output_type = DT_INT64;  // or DT_INT32
  std::string name = "";
};
// The first position of the largest (smallest) element along `axis`, a scalar; that dimension goes. Numbers and bool;
// NaNs are passed over. No gradient.
Output ArgMax(Operand x, Operand axis = 0, const ArgOptions& options = {});
Output ArgMin(Operand x, Operand axis = 0, const ArgOptions& options = {});

struct ScanOptions {
  bool exclusive = false;  // element i leaves out x[i]: the first is 0 (1)
  bool reverse = false;    // from the end
  std::string name = "";
};
// Running sums (products) along `axis`, a scalar. All numbers.
Output CumSum(Operand x, Operand axis = 0, const ScanOptions& options = {});
Output CumProd(Operand x, Operand axis = 0, const ScanOptions& options = {});
// log(the running sum of e^x) without overflow. Floating types; the lowest number stands for the logarithm of 0.
Output CumulativeLogsumexp(Operand x, Operand axis = 0, const ScanOptions& options = {});

// The root of the sum of squares. All numbers.
Output EuclideanNorm(Operand x, const Axes& axes = {}, const ReduceOptions& options = {});

// The sum of at least one tensor, all of one shape and type, added in their order. All numbers.
Output AddN(absl::Span<const Output> inputs, const OpOptions& options = {});
inline Output AddN(std::initializer_list<Output> inputs, const OpOptions& options = {}) {
  return AddN(absl::MakeConstSpan(inputs.begin(), inputs.size()), options);
}

}  // namespace staticflow

#endif  // STATICFLOW_OPS_MATH_REDUCTION_H_
