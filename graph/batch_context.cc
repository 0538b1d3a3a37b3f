#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/batch_dependence.h"

namespace staticflow {

BatchRows BatchRows::Join(const BatchRows& other) const {
  if (*this == other) return *this;
  if (kind == kRows && other.kind == kRows) return Mixed();
  return kind > other.kind ? *this : other;
}

std::string BatchRows::ToString() const {
  switch (kind) {
    case kNone:
      return "never computed";
    case kConstant:
      return "constant";
    case kRows:
      if (outer == 1 && inner == 1) return absl::StrCat("rows along ", axis);
      return absl::StrCat("rows along ", axis, " (", outer, " x N x ", inner, ")");
    case kUnknown:
      return "unknown";
    case kMixed:
      break;
  }
  return "mixed";
}

std::optional<std::vector<int64_t>> BatchContext::Integers(int i) const {
  if (value(i) == nullptr) return std::nullopt;
  absl::StatusOr<std::vector<int64_t>> integers = IntegerValues(*value(i));
  if (!integers.ok()) return std::nullopt;
  return *std::move(integers);
}

std::optional<int> BatchContext::Axis(int64_t axis, int i) const {
  if (axis < 0) {
    if (!input_shape(i).has_rank()) return std::nullopt;
    axis += input_shape(i).rank();
  }
  return axis < 0 || axis > Shape::kMaxRank ? std::nullopt : std::optional(static_cast<int>(axis));
}

bool BatchContext::IsAmong(absl::Span<const int64_t> axes, int i) const {
  // An axis that cannot be told might be any.
  return std::any_of(axes.begin(), axes.end(),
                     [&](int64_t axis) { return Axis(axis, i).value_or(input(i).axis) == input(i).axis; });
}

bool BatchContext::AreConstant(int first, int last) const {
  const int end = last < 0 ? num_inputs() : last;
  for (int i = first; i < end; ++i) {
    if (!input(i).is_constant()) return false;
  }
  return true;
}

void BatchContext::SetWorst() {
  BatchRows worst = BatchRows::Constant();
  for (const BatchRows& input : inputs_) {
    if (input.kind > worst.kind) worst = input;
  }
  if (worst.is_rows()) worst = BatchRows::Mixed();
  set_all(worst);
}

void BatchContext::Mix(absl::string_view how) {
  SetWorst();
  reason_ = std::string(how);
}

void BatchContext::Unknown(absl::string_view why) {
  if (AreConstant()) return set_all(BatchRows::Constant());
  const bool mixed = std::any_of(inputs_.begin(), inputs_.end(),
                                 [](const BatchRows& input) { return input.kind == BatchRows::kMixed; });
  set_all(mixed ? BatchRows::Mixed() : BatchRows::Unknown());
  reason_ = std::string(why);
}

namespace {

// The place where all of the inputs lie that hold examples, as `rows_of` gives it for one of them, or
// nullopt when it has set the outputs.
template <typename RowsOf>
std::optional<BatchRows> CommonPlace(BatchContext& c, absl::Span<const int> which, RowsOf rows_of) {
  BatchRows agreed = BatchRows::Constant();
  for (int i : which) {
    if (c.input(i).kind > BatchRows::kRows) {
      c.SetWorst();
      return std::nullopt;
    }
    if (c.input(i).is_constant()) continue;
    const std::optional<BatchRows> rows = rows_of(i);
    if (!rows.has_value()) return std::nullopt;
    if (!agreed.is_constant() && agreed != *rows) {
      c.Mix("of operands whose examples lie along different dimensions");
      return std::nullopt;
    }
    agreed = *rows;
  }
  return agreed;
}

}  // namespace

std::optional<BatchRows> BatchContext::Agreeing(absl::Span<const int> which) {
  return CommonPlace(*this, which, [&](int i) { return std::optional(input(i)); });
}

std::optional<BatchRows> BatchContext::AgreeingBroadcast(absl::Span<const int> which, int rank) {
  return CommonPlace(*this, which, [&](int i) -> std::optional<BatchRows> {
    BatchRows rows = input(i);
    if (rank >= 0 && input_shape(i).has_rank()) {
      rows.axis += rank - input_shape(i).rank();
      return rows;
    }
    // Ranks that nothing tells agree only with scalars.
    for (int other : which) {
      if (other == i || input_shape(other).IsScalar() || node_.input(other) == node_.input(i)) continue;
      Unknown("the rank of an operand is not known");
      return std::nullopt;
    }
    return rows;
  });
}

BatchRows ReshapeBatch(const BatchRows& rows, const Shape& from, const Shape& to) {
  if (!rows.is_rows()) return rows;
  if (!from.has_rank() || !to.has_rank() || rows.axis >= from.rank()) return BatchRows::Unknown();
  // The product of dimensions [begin, end), or -1.
  const auto product = [](const Shape& shape, int begin, int end) {
    int64_t result = 1;
    for (int i = begin; i < end; ++i) {
      if (shape.dim(i) < 0) return int64_t{-1};
      result = MultiplySizes(result, shape.dim(i));
    }
    return result;
  };
  // In memory, examples come `outer` times one after the other, each with `inner` elements.
  const int64_t before = product(from, 0, rows.axis), after = product(from, rows.axis + 1, from.rank());
  if (before < 0 || after < 0) return BatchRows::Unknown();
  const int64_t outer = MultiplySizes(before, rows.outer), inner = MultiplySizes(after, rows.inner);
  if (outer <= 0 || inner <= 0 || outer == kTooLarge || inner == kTooLarge) return BatchRows::Unknown();
  bool all_known = true;
  for (int axis = 0; axis < to.rank(); ++axis) {
    const int64_t blocks = product(to, 0, axis), step = product(to, axis + 1, to.rank());
    if (blocks < 0 || step < 0) {
      all_known = false;
      continue;
    }
    if (blocks > 0 && step > 0 && outer % blocks == 0 && inner % step == 0) {
      return BatchRows::Along(axis, outer / blocks, inner / step);
    }
  }
  return all_known ? BatchRows::Mixed() : BatchRows::Unknown();
}

}  // namespace staticflow
