// CTCLoss, CTCLossV2: connectionist temporal classification (Graves et al. 2006). Contract: ops/rnn.h.
#include "ops/rnn_ctc.h"

#include <cmath>
#include <limits>
#include <vector>

#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/math.h"
#include "ops/rnn.h"
#include "ops/sparse_entries.h"

namespace staticflow {
namespace {

// The labels of one example with blanks around them, and how their probability adds up over all ways through time.
class LabelPaths {
 public:
  LabelPaths(const std::vector<int>& labels, int blank, bool merge_repeated) : blank_(blank), merges_(merge_repeated) {
    states_.push_back(blank);
    for (int label : labels) {
      states_.push_back(label);
      states_.push_back(blank);
    }
  }
  int64_t size() const { return static_cast<int64_t>(states_.size()); }
  int label(int64_t u) const { return states_[u]; }
  // Whether a path may stay in state u, and whether it may come from two states before.
  bool Stays(int64_t u) const { return merges_ || states_[u] == blank_; }
  bool Skips(int64_t u) const { return u > 1 && states_[u] != blank_ && !(merges_ && states_[u] == states_[u - 2]); }

  // alpha[t * size + u]: the log-probability of all beginnings that are in state u at time t, that step included.
  void Forwards(absl::Span<const double> log_y, int64_t steps, int64_t classes, double* alpha) const {
    const int64_t n = size();
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t u = 0; u < n; ++u) {
        double sum = t == 0 && u < 2 ? 0 : kNever<double>;
        if (t > 0) {
          const double* before = alpha + (t - 1) * n;
          if (Stays(u)) sum = before[u];
          if (u > 0) sum = LogAdd(sum, before[u - 1]);
          if (Skips(u)) sum = LogAdd(sum, before[u - 2]);
        }
        alpha[t * n + u] = sum + log_y[t * classes + states_[u]];
      }
    }
  }
  // beta[t * size + u]: the same for all endings that were in state u at time t, without that step.
  void Backwards(absl::Span<const double> log_y, int64_t steps, int64_t classes, double* beta) const {
    const int64_t n = size();
    for (int64_t t = steps - 1; t >= 0; --t) {
      for (int64_t u = n - 1; u >= 0; --u) {
        double sum = t == steps - 1 && u >= n - 2 ? 0 : kNever<double>;
        const auto after = [&](int64_t v) { return beta[(t + 1) * n + v] + log_y[(t + 1) * classes + states_[v]]; };
        if (t + 1 < steps) {
          if (Stays(u)) sum = after(u);
          if (u + 1 < n) sum = LogAdd(sum, after(u + 1));
          if (u + 2 < n && Skips(u + 2)) sum = LogAdd(sum, after(u + 2));
        }
        beta[t * n + u] = sum;
      }
    }
  }

 private:
  std::vector<int> states_;
  int blank_;
  bool merges_;
};

struct CtcAttrs {
  explicit CtcAttrs(const KernelSetup& setup)
      : collapse(setup.attr<bool>("preprocess_collapse_repeated")),
        merge(setup.attr<bool>("ctc_merge_repeated")),
        ignore_longer(setup.attr<bool>("ignore_longer_outputs_than_inputs")),
        blank_first(setup.node().type() == "CTCLossV2") {}
  bool collapse, merge, ignore_longer;
  bool blank_first;  // class 0 is the blank, else the last one
};

// The labels of each example, by time. Where the last class is the blank, blanks at the end, as some pad their labels
// with, are dropped, and every example must have a label.
absl::StatusOr<std::vector<std::vector<int>>> ReadLabels(const KernelContext& c, const CtcAttrs& attrs, int64_t batch,
                                                         int64_t classes) {
  const SparseIndices indices(c.input(1));
  std::vector<std::vector<int>> labels(batch);
  std::vector<bool> has_any(batch, false);
  int64_t previous = -1;
  bool ended = false;
  for (int64_t k = 0; k < indices.count(); ++k) {
    const int64_t b = indices.at(k, 0), label = c.in<int32_t>(2)[k];
    if (b < 0 || b >= batch) {
      return absl::InvalidArgumentError(absl::StrCat("label ", k, " is of example ", b, " of ", batch));
    }
    if (k > 0 && !indices.Before(k - 1, k)) {
      return absl::InvalidArgumentError(absl::StrCat("label ", k, " is repeated or out of order"));
    }
    if (label < 0 || (attrs.blank_first && (label == 0 || label >= classes))) {
      return absl::InvalidArgumentError(absl::StrCat("label ", k, " is ", label, ", expected a class"));
    }
    has_any[b] = true;
    const bool starts = k == 0 || indices.at(k - 1, 0) != b;
    if (starts) ended = false;
    if (attrs.collapse && !starts && label == previous) continue;
    previous = label;
    if (label >= classes - 1 && !attrs.blank_first) {
      ended = true;
    } else if (ended) {
      return absl::InvalidArgumentError(absl::StrCat("label ", k, " of example ", b, " comes after a blank"));
    } else {
      labels[b].push_back(static_cast<int>(label));
    }
  }
  for (int64_t b = 0; b < batch; ++b) {
    if (!has_any[b] && !attrs.blank_first)
      return absl::InvalidArgumentError(absl::StrCat("example ", b, " has no labels"));
  }
  return labels;
}

// The loss of one example, and its gradient by the logits: y - the share of each class in the paths, by time.
template <typename T>
class CtcExample {
 public:
  CtcExample(const T* logits, int64_t steps, int64_t classes, int64_t stride) : steps_(steps), classes_(classes) {
    log_y_.resize(steps * classes);
    for (int64_t t = 0; t < steps; ++t) {
      const T* row = logits + t * stride;
      const double most = *std::max_element(row, row + classes);
      double sum = 0;
      for (int64_t k = 0; k < classes; ++k) sum += std::exp(row[k] - most);
      for (int64_t k = 0; k < classes; ++k) log_y_[t * classes + k] = row[k] - most - std::log(sum);
    }
  }

  double Loss(const LabelPaths& paths, int64_t stride, T* gradient) const {
    const int64_t n = paths.size();
    if (steps_ == 0) return n == 1 ? 0 : std::numeric_limits<double>::infinity();
    std::vector<double> alpha(steps_ * n), beta(steps_ * n), share(classes_);
    paths.Forwards(log_y_, steps_, classes_, alpha.data());
    paths.Backwards(log_y_, steps_, classes_, beta.data());
    double total = kNever<double>;
    for (int64_t u = std::max<int64_t>(n - 2, 0); u < n; ++u) total = LogAdd(total, alpha[(steps_ - 1) * n + u]);
    const bool possible = total != kNever<double>;  // otherwise no path has a share
    for (int64_t t = 0; t < steps_; ++t) {
      std::fill(share.begin(), share.end(), kNever<double>);
      for (int64_t u = 0; possible && u < n; ++u) {
        double& of_class = share[paths.label(u)];
        of_class = LogAdd(of_class, alpha[t * n + u] + beta[t * n + u]);
      }
      for (int64_t k = 0; k < classes_; ++k) {
        gradient[t * stride + k] =
            static_cast<T>(std::exp(log_y_[t * classes_ + k]) - (possible ? std::exp(share[k] - total) : 0));
      }
    }
    return -total;
  }

 private:
  int64_t steps_, classes_;
  std::vector<double> log_y_;
};

template <typename T>
absl::Status ComputeLoss(KernelContext& c, const CtcAttrs& attrs) {
  const int64_t time = c.input(0).dim(0), batch = c.input(0).dim(1), classes = c.input(0).dim(2);
  const absl::Span<const int32_t> lengths(c.in<int32_t>(3), c.input(3).num_elements);
  SF_RETURN_IF_ERROR(CheckLengths(lengths, time));
  if (classes == 0) return absl::InvalidArgumentError("there are no classes");
  SF_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> labels, ReadLabels(c, attrs, batch, classes));
  std::fill_n(c.out<T>(1), c.output(1).num_elements, T(0));
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t needed = static_cast<int64_t>(labels[b].size());
    c.out<T>(0)[b] = T(0);
    if (needed > lengths[b]) {
      if (attrs.ignore_longer) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("example ", b, ": its labels need ", needed, " steps, but it has ", lengths[b]));
    }
    const LabelPaths paths(labels[b], attrs.blank_first ? 0 : static_cast<int>(classes - 1), attrs.merge);
    const CtcExample<T> example(c.in<T>(0) + b * classes, lengths[b], classes, batch * classes);
    c.out<T>(0)[b] = static_cast<T>(example.Loss(paths, batch * classes, c.out<T>(1) + b * classes));
  }
  return absl::OkStatus();
}

absl::Status LossShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(Shape inputs, c.WithRank(0, 3));
  SF_ASSIGN_OR_RETURN(const Shape indices, c.WithRank(1, 2));
  SF_ASSIGN_OR_RETURN(const Shape values, c.WithRank(2, 1));
  SF_ASSIGN_OR_RETURN(const Shape lengths, c.WithRank(3, 1));
  SF_RETURN_IF_ERROR(c.MergeDims(indices.dim(1), 2, "dimensions of labels").status());
  SF_RETURN_IF_ERROR(c.MergeDims(indices.dim(0), values.dim(0), "labels").status());
  SF_ASSIGN_OR_RETURN(const int64_t batch, c.MergeDims(inputs.dim(1), lengths.dim(0), "batch sizes"));
  inputs.set_dim(1, batch);
  c.set_output(0, {batch});
  c.set_output(1, std::move(inputs));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> LossKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [attrs = CtcAttrs(setup)](KernelContext& c) { return ComputeLoss<T>(c, attrs); };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
// The op has computed its gradient already; it has none itself.
void LossGradient(GradientContext& c) {
  if (!c.has_dy(0)) return;
  const Output gradient = PreventGradient(c.y(1), {.message = "the gradient of CTCLoss has none"});
  c.set_dx(0, ExpandDims(c.dy(0), -1) * gradient);
}

const OpRegistrar loss({.name = "CTCLoss",
                        .inputs = {"inputs: T", "labels_indices: int64", "labels_values: int32",
                                   "sequence_length: int32"},
                        .outputs = {"loss: T", "gradient: T"},
                        .attrs = {"preprocess_collapse_repeated: bool = false", "ctc_merge_repeated: bool = true",
                                  "ignore_longer_outputs_than_inputs: bool = false", "T: {float, double} = float"},
                        .shape = LossShape,
                        .gradient = LossGradient,
                        .kernel = LossKernel,
                        .doc = "The loss of connectionist temporal classification, and its gradient."});
// The second version has its blank first, and allows examples without labels.
const OpRegistrar loss_v2({.name = "CTCLossV2",
                           .inputs = {"inputs: float", "labels_indices: int64", "labels_values: int32",
                                      "sequence_length: int32"},
                           .outputs = {"loss: float", "gradient: float"},
                           .attrs = {"preprocess_collapse_repeated: bool = false", "ctc_merge_repeated: bool = true",
                                     "ignore_longer_outputs_than_inputs: bool = false"},
                           .shape = LossShape,
                           .gradient = LossGradient,
                           .kernel = LossKernel,
                           .doc = "CTCLoss with class 0 as the blank."});

}  // namespace

Output CtcLoss(Operand inputs, Operand labels_indices, Operand labels_values, Operand sequence_length,
               const CtcLossOptions& options) {
  return NodeBuilder("CTCLoss", {inputs, labels_indices, labels_values, sequence_length})
      .Attr("preprocess_collapse_repeated", options.preprocess_collapse_repeated)
      .Attr("ctc_merge_repeated", options.ctc_merge_repeated)
      .Attr("ignore_longer_outputs_than_inputs", options.ignore_longer_outputs_than_inputs)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
