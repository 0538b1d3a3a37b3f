#include "ops/batch_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace staticflow {
namespace {

std::vector<int> AllInputs(const BatchContext& c) {
  std::vector<int> all;
  for (int i = 0; i < c.num_inputs(); ++i) all.push_back(i);
  return all;
}

// The last `inner` dimensions of the largest operand or result belong together.
void Inner(BatchContext& c, int inner) {
  const std::optional<BatchRows> rows = c.Agreeing(AllInputs(c));
  if (!rows.has_value() || rows->is_constant()) return rows.has_value() ? c.set_all(*rows) : void();
  int rank = 0;
  for (int i = 0; i < c.num_inputs(); ++i) {
    if (c.input(i).is_constant() && i > 0) continue;
    if (!c.input_shape(i).has_rank()) return c.Unknown("the rank is not known");
    rank = std::max(rank, c.input_shape(i).rank());
  }
  rank = std::max(rank, c.output_shape(0).rank());
  if (rows->axis < rank - inner) return c.set_all(*rows);
  c.Mix(absl::StrCat("along dimension ", rows->axis));
}

const bool* KnownBool(const BatchContext& c, int i) {
  const Tensor* value = c.value(i);
  return value == nullptr || value->dtype() != DT_BOOL || value->num_elements() != 1
             ? nullptr
             : static_cast<const bool*>(value->raw());
}

// A binary predicate that `decisive` decides alone.
void Logical(BatchContext& c, bool decisive) {
  ElementwiseBatch(c);
  if (!c.output_shape(0).IsScalar()) return;
  const bool *a = KnownBool(c, 0), *b = KnownBool(c, 1);
  if ((a != nullptr && *a == decisive) || (b != nullptr && *b == decisive)) {
    c.set_value(0, Tensor(decisive));
  } else if (a != nullptr && b != nullptr) {
    c.set_value(0, Tensor(!decisive));
  }
}

}  // namespace

void PassBatch(BatchContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, c.input(i));
}

void SameDimensionsBatch(BatchContext& c) {
  if (const std::optional<BatchRows> rows = c.Agreeing(AllInputs(c))) c.set_all(*rows);
}

void LeadingBatch(BatchContext& c) {
  const std::optional<BatchRows> rows = c.Agreeing(AllInputs(c));
  if (!rows.has_value()) return;
  if (rows->is_rows() && rows->axis != 0) return c.Mix(absl::StrCat("along dimension ", rows->axis));
  for (int i = 1; i < c.num_inputs(); ++i) {
    if (c.input(i).is_rows() && c.input_shape(i).rank() != c.input_shape(0).rank()) return c.Mix("by its operands");
  }
  c.set_all(*rows);
}

void ConvBatch(BatchContext& c) {
  if (!c.input(c.node().InputRange("filter").first).is_constant()) return c.Mix("with a filter made of examples");
  LeadingBatch(c);
}

void BiasBatch(BatchContext& c) {
  if (!c.input(1).is_constant()) return c.Mix("of a bias made of examples");
  c.set_all(c.input(0));
}

void VectorsBatch(BatchContext& c) { Inner(c, 1); }
void MatricesBatch(BatchContext& c) { Inner(c, 2); }
void MixBatch(BatchContext& c) { c.Mix("over all elements"); }
void SumBatch(BatchContext& c) { c.Mix("over the examples"); }

void ReductionBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.input(1).is_constant()) return c.SetWorst();
  const std::optional<std::vector<int64_t>> axes = c.Integers(1);
  const bool all = c.output_shape(0).IsScalar();
  if (!axes.has_value() && !all) return c.Unknown("the reduced dimensions are not constant");
  if (all || c.IsAmong(*axes, 0)) {
    return c.Mix(axes.has_value() && axes->size() < 4
                     ? absl::StrCat("over ", axes->size() == 1 ? "axis " : "axes ", absl::StrJoin(*axes, ", "))
                     : "over all elements");
  }
  std::vector<int> reduced;
  for (int64_t axis : *axes) reduced.push_back(*c.Axis(axis, 0));
  std::sort(reduced.begin(), reduced.end());
  reduced.erase(std::unique(reduced.begin(), reduced.end()), reduced.end());
  const auto below = std::count_if(reduced.begin(), reduced.end(), [&](int axis) { return axis < rows.axis; });
  c.set_all(c.attr<bool>("keep_dims") ? rows : rows.At(rows.axis - static_cast<int>(below)));
}

void ScanBatch(BatchContext& c) {
  if (!c.input(0).is_rows() || !c.input(1).is_constant()) return c.SetWorst();
  const std::optional<std::vector<int64_t>> axis = c.Integers(1);
  if (!axis.has_value()) return c.Unknown("its dimension is not constant");
  if (c.IsAmong(*axis, 0)) return c.Mix(absl::StrCat("along axis ", absl::StrJoin(*axis, ", ")));
  c.set_all(c.input(0));
}

void ArgReductionBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.input(1).is_constant()) return c.SetWorst();
  const std::optional<std::vector<int64_t>> axis = c.Integers(1);
  if (!axis.has_value() || axis->size() != 1) return c.Unknown("its dimension is not constant");
  if (c.IsAmong(*axis, 0)) return c.Mix(absl::StrCat("over axis ", (*axis)[0]));
  c.set_all(rows.At(rows.axis - (*c.Axis((*axis)[0], 0) < rows.axis)));
}

void SegmentBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  const int ids = c.input_shape(1).rank();
  if (!rows.is_rows() || !c.AreConstant(1)) return c.Mix("by segments");
  if (ids < 0) return c.Unknown("the rank of the segments is not known");
  if (rows.axis < ids) return c.Mix("by segments");
  c.set_all(rows.At(rows.axis - ids + 1));
}

void BatchMatMulBatch(BatchContext& c) {
  BatchRows agreed = BatchRows::Constant();
  const int rank = std::max(c.input_shape(0).rank(), c.input_shape(1).rank());
  for (int i = 0; i < 2; ++i) {
    BatchRows rows = c.input(i);
    if (rows.kind > BatchRows::kRows) return c.SetWorst();
    if (rows.is_constant()) continue;
    if (!c.input_shape(0).has_rank() || !c.input_shape(1).has_rank()) return c.Unknown("the rank is not known");
    rows.axis += rank - c.input_shape(i).rank();
    if (rows.axis >= rank - 2) {
      // Of x, rows stay rows of the result; of y, columns stay columns. The others are summed over.
      const bool is_row = (rows.axis == rank - 2) != c.attr<bool>(i == 0 ? "adj_x" : "adj_y");
      if (is_row != (i == 0)) return c.Mix("summing over the examples");
      rows.axis = rank - (i == 0 ? 2 : 1);
    }
    if (!agreed.is_constant() && agreed != rows) {
      return c.Mix("of operands whose examples lie along different dimensions");
    }
    // Rows and columns of one result come of all pairs.
    if (!agreed.is_constant() && rows.axis >= rank - 2) return c.Mix("of all pairs of examples");
    agreed = rows;
  }
  c.set_all(agreed);
}

void LogicalNotBatch(BatchContext& c) {
  ElementwiseBatch(c);
  if (const bool* value = KnownBool(c, 0)) c.set_value(0, Tensor(!*value));
}
void LogicalAndBatch(BatchContext& c) { Logical(c, false); }
void LogicalOrBatch(BatchContext& c) { Logical(c, true); }

}  // namespace staticflow
