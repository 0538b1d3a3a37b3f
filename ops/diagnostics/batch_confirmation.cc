#include "ops/diagnostics/batch_confirmation.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "graph/status.h"

namespace staticflow {
namespace {

// A tensor as blocks x examples x elements.
struct Strides {
  Strides(const Shape& shape, int axis)
      : blocks(shape.num_elements(0, axis)),
        examples(shape.dim(axis)),
        elements(shape.num_elements(axis + 1, shape.rank())) {}
  int64_t blocks, examples, elements;
};

// Makes a number another one of about its size.
template <typename T>
void Nudge(T* values, int64_t n) {
  for (int64_t i = 0; i < n; ++i) values[i] += T(0.5) + std::abs(values[i]) * T(0.25);
}

// The number of examples that all batch feeds hold.
absl::StatusOr<int64_t> CountExamples(const Session::Feeds& feeds, const std::vector<BatchInput>& batch) {
  int64_t examples = -1;
  for (const BatchInput& input : batch) {
    const auto feed = std::find_if(feeds.begin(), feeds.end(), [&](const auto& f) { return f.first == input.output; });
    if (feed == feeds.end() || input.axis < 0 || input.axis >= feed->second.shape().rank()) {
      return absl::InvalidArgumentError(
          absl::StrCat("ConfirmBatchDependence: ",
                       input.output.valid() ? input.output.node()->DebugName() : std::string("a batch input"),
                       " is not fed with a tensor that has dimension ", input.axis));
    }
    const int64_t here = feed->second.shape().dim(input.axis);
    if (examples < 0) examples = here;
    if (examples == here && here >= 2) continue;
    return absl::InvalidArgumentError(absl::StrCat("ConfirmBatchDependence: ", input.output.node()->DebugName(),
                                                   " is fed with ", here, " examples, expected ",
                                                   examples < 2 ? std::string("two or more") : absl::StrCat(examples)));
  }
  if (examples < 0) return absl::InvalidArgumentError("ConfirmBatchDependence: no feed carries a batch");
  return examples;
}

double Difference(const Tensor& a, const Tensor& b, int64_t i) {
  if (a.dtype() == DT_FLOAT) return std::abs(double{a.flat<float>()[i]} - double{b.flat<float>()[i]});
  if (a.dtype() == DT_DOUBLE) return std::abs(a.flat<double>()[i] - b.flat<double>()[i]);
  return 0;
}

bool SameElement(const Tensor& a, const Tensor& b, int64_t i) {
  if (a.dtype() == DT_STRING) return a.flat<std::string>()[i] == b.flat<std::string>()[i];
  const size_t size = DataTypeSize(a.dtype());
  const size_t at = static_cast<size_t>(i) * size;
  return std::memcmp(static_cast<const char*>(a.raw()) + at, static_cast<const char*>(b.raw()) + at, size) == 0;
}

// Notes which rows of `changed` differ from `base` where example `j` was changed.
void Compare(const Tensor& base, const Tensor& changed, const BatchRows& rows, int64_t examples, int64_t j,
             BatchConfirmation* seen) {
  const Strides s(base.shape(), rows.axis);
  bool own = false;
  const bool same_shape = base.shape() == changed.shape();
  for (int64_t i = 0; i < base.num_elements(); ++i) {
    if (same_shape && SameElement(base, changed, i)) continue;
    const int64_t example = i / s.elements % s.examples / rows.inner % examples;
    if (example == j && same_shape) {
      own = true;
      continue;
    }
    if (seen->changed < 0) {
      seen->changed = j;
      seen->row = i / s.elements % s.examples;
    }
    seen->depends = true;
    if (same_shape) seen->by = std::max(seen->by, Difference(base, changed, i));
  }
  seen->own_rows += own;
}

}  // namespace

absl::StatusOr<Tensor> WithChangedExample(const Tensor& tensor, int axis, int64_t index) {
  SF_ASSIGN_OR_RETURN(Tensor result, tensor.Clone());
  const Strides s(tensor.shape(), axis);
  for (int64_t block = 0; block < s.blocks; ++block) {
    const int64_t at = (block * s.examples + index) * s.elements;
    if (tensor.dtype() == DT_FLOAT) {
      Nudge(result.data<float>() + at, s.elements);
    } else if (tensor.dtype() == DT_DOUBLE) {
      Nudge(result.data<double>() + at, s.elements);
    } else {
      const int64_t next = (block * s.examples + (index + 1) % s.examples) * s.elements;
      const int64_t size = tensor.dtype() == DT_STRING ? int64_t{sizeof(std::string)} : DataTypeSize(tensor.dtype());
      CopyElements(tensor.dtype(), static_cast<const char*>(tensor.raw()) + next * size,
                   static_cast<char*>(result.raw()) + at * size, s.elements);
    }
  }
  return result;
}

absl::StatusOr<BatchConfirmation> ConfirmBatchDependence(Session& session, const Session::Feeds& feeds, Output fetch,
                                                         const ConfirmationOptions& options) {
  std::vector<BatchInput> batch = options.batch;
  for (const auto& [output, value] : feeds) {
    if (options.batch.empty() && value.shape().rank() > 0) batch.push_back({output, 0});
  }
  SF_ASSIGN_OR_RETURN(const int64_t examples, CountExamples(feeds, batch));
  SF_ASSIGN_OR_RETURN(const Tensor base, session.Run(feeds, fetch));
  const BatchRows& rows = options.rows;
  if (rows.axis < 0 || rows.axis >= base.shape().rank() || rows.inner < 1 ||
      base.shape().dim(rows.axis) % (examples * rows.inner) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("ConfirmBatchDependence: ", fetch.node()->DebugName(), " is ",
                                                   base.shape().ToString(), ", whose dimension ", rows.axis,
                                                   " holds no rows of ", examples, " examples"));
  }
  SF_ASSIGN_OR_RETURN(const Tensor again, session.Run(feeds, fetch));
  if (!BitwiseEqual(base, again)) {
    return absl::FailedPreconditionError(
        absl::StrCat("ConfirmBatchDependence: two runs of ", fetch.node()->DebugName(), " on the same feeds differ"));
  }
  BatchConfirmation seen;
  for (int64_t j = 0; j < examples && seen.examples < options.max_examples; ++j, ++seen.examples) {
    Session::Feeds changed = feeds;
    for (auto& [output, value] : changed) {
      const auto input = std::find_if(batch.begin(), batch.end(), [&](const auto& b) { return b.output == output; });
      if (input == batch.end()) continue;
      SF_ASSIGN_OR_RETURN(value, WithChangedExample(value, input->axis, j));
    }
    SF_ASSIGN_OR_RETURN(const Tensor result, session.Run(changed, fetch));
    Compare(base, result, rows, examples, j, &seen);
  }
  return seen;
}

std::string BatchConfirmation::ToString() const {
  if (!depends) {
    return absl::StrCat("independent: changing ", examples, " examples changed rows of their own only (", own_rows,
                        " of them)");
  }
  return absl::StrCat("depends: row ", row, " changes when example ", changed, " does; the largest change is ", by);
}

}  // namespace staticflow
