// Rules of ops that move elements: reshape, join, cut, pad, repeat, reverse, gather.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "ops/batch_rules.h"

namespace staticflow {
namespace {

std::vector<int> Range(int first, int last) {
  std::vector<int> all;
  for (int i = first; i < last; ++i) all.push_back(i);
  return all;
}

// `axis` counted in a tensor of rank `rank`; nullopt when it cannot be told.
std::optional<int> AxisOf(int64_t axis, int rank) {
  if (axis < 0 && rank < 0) return std::nullopt;
  if (axis < 0) axis += rank;
  return axis < 0 || axis > Shape::kMaxRank ? std::nullopt : std::optional(static_cast<int>(axis));
}
// The same of the only integer of input i.
std::optional<int> AxisInput(const BatchContext& c, int i, int rank) {
  const std::optional<std::vector<int64_t>> values = c.Integers(i);
  if (!values.has_value() || values->size() != 1) return std::nullopt;
  return AxisOf((*values)[0], rank);
}

// Inputs [first, last) one after the other along `axis`: whole batches in a row repeat their order.
void Concatenate(BatchContext& c, int first, int last, std::optional<int> axis) {
  if (c.AreConstant()) return c.set_all(BatchRows::Constant());
  const std::vector<int> values = Range(first, last);
  BatchRows joined = BatchRows::Constant();
  for (int i : values) {
    const BatchRows& rows = c.input(i);
    if (rows.kind > BatchRows::kRows) return c.SetWorst();
    if (rows.is_constant()) continue;
    if (!axis.has_value()) return c.Unknown("its dimension is not constant");
    if (joined.is_constant()) {
      joined = rows;
      continue;
    }
    const bool along = rows.axis == *axis;
    if (joined.axis != rows.axis || joined.inner != rows.inner || (!along && joined.outer != rows.outer)) {
      return c.Mix("of operands whose examples lie along different dimensions");
    }
    if (along) joined.outer = AddSizes(joined.outer, rows.outer);
  }
  if (joined.is_constant()) return c.SetWorst();
  if (joined.axis == *axis &&
      std::any_of(values.begin(), values.end(), [&](int i) { return c.input(i).is_constant(); }))
    return c.Mix("puts other rows beside the examples");
  c.set_all(joined);
}

// `num` pieces of equal size along `axis`.
void SplitEvenly(BatchContext& c, const BatchRows& rows, std::optional<int> axis, int64_t num) {
  if (!rows.is_rows()) return c.SetWorst();
  if (!axis.has_value()) return c.Unknown("its dimension is not constant");
  if (*axis != rows.axis || num == 1) return c.set_all(rows);
  if (rows.outer % num != 0) return c.Mix("takes the batch apart");
  c.set_all(BatchRows::Along(rows.axis, rows.outer / num, rows.inner));
}

// params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:]
void Gather(BatchContext& c, std::optional<int> axis, int64_t batch_dims) {
  const BatchRows &params = c.input(0), &indices = c.input(1);
  if (std::max(params.kind, indices.kind) > BatchRows::kRows || !c.AreConstant(2)) return c.SetWorst();
  if (!axis.has_value()) return c.Unknown("its dimension is not constant");
  if (params.is_constant() && indices.is_constant()) return c.set_all(BatchRows::Constant());
  const int rank = c.input_shape(1).rank();
  if (batch_dims < 0) batch_dims += rank;
  if (rank < 0 || batch_dims < 0) return c.Unknown("the rank of the indices is not known");
  const int added = rank - static_cast<int>(batch_dims) - 1;
  std::optional<BatchRows> from_params, from_indices;
  if (params.is_rows()) {
    if (params.axis == *axis) return c.Mix("takes rows of other examples");
    from_params = params.At(params.axis < *axis ? params.axis : params.axis + added);
  }
  if (indices.is_rows()) {
    from_indices =
        indices.axis < batch_dims ? indices : indices.At(indices.axis - static_cast<int>(batch_dims) + *axis);
  }
  if (from_params.has_value() && from_indices.has_value() && *from_params != *from_indices) {
    return c.Mix("takes rows of other examples");
  }
  // Paired by position they must be: a batch dimension of both.
  if (from_params.has_value() && from_indices.has_value() && from_params->axis >= batch_dims) {
    return c.Mix("takes rows of other examples");
  }
  c.set_all(from_params.has_value() ? *from_params : *from_indices);
}

}  // namespace

void ReshapeRowsBatch(BatchContext& c) {
  if (!c.AreConstant(1)) return c.Mix("to a shape that data decides");
  const BatchRows rows = ReshapeBatch(c.input(0), c.input_shape(0), c.output_shape(0));
  if (rows.kind == c.input(0).kind) return c.set_all(rows);
  if (rows.kind == BatchRows::kMixed) return c.Mix("spreads an example over several dimensions");
  c.Unknown("of sizes that are not known");
}

void ExpandDimsBatch(BatchContext& c) {
  if (!c.input(0).is_rows()) return c.SetWorst();
  const int rank = c.input_shape(0).rank();
  const std::optional<int> at = AxisInput(c, 1, rank < 0 ? -1 : rank + 1);
  if (!at.has_value()) return c.Unknown("its dimension is not constant");
  c.set_all(c.input(0).At(c.input(0).axis + (*at <= c.input(0).axis)));
}

void SqueezeBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows()) return c.SetWorst();
  const Shape& shape = c.input_shape(0);
  std::vector<int64_t> dims = c.attr<std::vector<int64_t>>("squeeze_dims");
  if (dims.empty()) {
    if (!shape.has_rank()) return c.Unknown("the rank is not known");
    for (int i = 0; i < shape.rank(); ++i) {
      if (i == rows.axis && shape.dim(i) != 1) continue;
      if (shape.dim(i) < 0) return c.Unknown("of sizes that are not known");
      if (shape.dim(i) == 1) dims.push_back(i);
    }
  }
  int below = 0;
  for (int64_t dim : dims) {
    const std::optional<int> axis = c.Axis(dim, 0);
    if (!axis.has_value()) return c.Unknown("the rank is not known");
    if (*axis == rows.axis) return c.Mix("takes the only example");
    below += *axis < rows.axis;
  }
  c.set_all(rows.At(rows.axis - below));
}

void BitcastBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  const int in = c.input_shape(0).rank(), out = c.output_shape(0).rank();
  if (!rows.is_rows()) return c.SetWorst();
  if (in < 0 || out < 0) return c.Unknown("the rank is not known");
  if (rows.axis >= std::min(in, out)) return c.Mix("over the bytes of an element");
  c.set_all(rows);
}

void BroadcastToBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.input(1).is_constant()) return c.SetWorst();
  const int in = c.input_shape(0).rank(), out = c.output_shape(0).rank();
  if (in < 0 || out < in) return c.Unknown("the rank is not known");
  c.set_all(rows.At(rows.axis + out - in));
}

void ConcatBatch(BatchContext& c) { Concatenate(c, 1, c.num_inputs(), AxisInput(c, 0, c.output_shape(0).rank())); }
void ConcatV2Batch(BatchContext& c) {
  Concatenate(c, 0, c.num_inputs() - 1, AxisInput(c, c.num_inputs() - 1, c.output_shape(0).rank()));
}

void PackBatch(BatchContext& c) {
  const std::optional<BatchRows> rows = c.Agreeing(Range(0, c.num_inputs()));
  if (!rows.has_value()) return;
  if (rows->is_constant()) return c.set_all(*rows);
  const std::optional<int> axis = AxisOf(c.attr<int64_t>("axis"), c.output_shape(0).rank());
  if (!axis.has_value()) return c.Unknown("the rank is not known");
  c.set_all(rows->At(rows->axis + (*axis <= rows->axis)));
}

void UnpackBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows()) return c.SetWorst();
  const std::optional<int> axis = c.Axis(c.attr<int64_t>("axis"), 0);
  if (!axis.has_value()) return c.Unknown("the rank is not known");
  if (*axis == rows.axis) return c.Mix("takes the batch apart");
  c.set_all(rows.At(rows.axis - (*axis < rows.axis)));
}

void SplitBatch(BatchContext& c) {
  SplitEvenly(c, c.input(1), AxisInput(c, 0, c.input_shape(1).rank()), c.num_outputs());
}

void SplitVBatch(BatchContext& c) {
  if (!c.AreConstant(1)) return c.SetWorst();
  const std::optional<int> axis = AxisInput(c, 2, c.input_shape(0).rank());
  if (c.input(0).is_rows() && axis == std::optional(c.input(0).axis) && c.num_outputs() > 1) {
    return c.Mix("takes the batch apart");
  }
  SplitEvenly(c, c.input(0), axis, c.num_outputs());
}

void SliceBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.AreConstant(1)) return c.SetWorst();
  const std::optional<std::vector<int64_t>> begin = c.Integers(1), size = c.Integers(2);
  const size_t at = static_cast<size_t>(rows.axis);
  if (!begin.has_value() || !size.has_value() || at >= begin->size() || at >= size->size()) {
    return c.Unknown("its bounds are not constant");
  }
  const int64_t dim = c.input_shape(0).has_rank() ? c.input_shape(0).dim(rows.axis) : -1;
  const bool whole = (*begin)[at] == 0 && ((*size)[at] == -1 || (dim >= 0 && (*size)[at] == dim));
  if (!whole) return c.Mix("takes a part of the batch");
  c.set_all(rows);
}

void StridedSliceBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.AreConstant(1)) return c.SetWorst();
  const Shape& shape = c.input_shape(0);
  const int64_t entries = c.input_shape(1).rank() == 1 ? c.input_shape(1).dim(0) : -1;
  if (entries < 0 || entries > 62) return c.Unknown("its bounds are not known");
  const auto mask = [&](const char* name, int64_t i) { return (c.attr<int64_t>(name) >> i & 1) != 0; };
  int64_t named = 0;  // input dimensions with an entry of their own
  for (int64_t i = 0; i < entries; ++i) named += !mask("ellipsis_mask", i) && !mask("new_axis_mask", i);
  const std::optional<std::vector<int64_t>> begin = c.Integers(1), end = c.Integers(2), strides = c.Integers(3);
  int in = 0, out = 0;  // dimensions so far
  for (int64_t i = 0; i < entries && in <= rows.axis; ++i) {
    const size_t entry = static_cast<size_t>(i);
    if (mask("ellipsis_mask", i)) {
      if (!shape.has_rank()) return c.Unknown("the rank is not known");
      const int skipped = shape.rank() - static_cast<int>(named);
      if (rows.axis < in + skipped) return c.set_all(rows.At(out + rows.axis - in));
      in += skipped;
      out += skipped;
    } else if (mask("new_axis_mask", i)) {
      ++out;
    } else if (in < rows.axis) {
      ++in;
      out += !mask("shrink_axis_mask", i);
    } else {
      if (mask("shrink_axis_mask", i)) return c.Mix("takes one example");
      if (!strides.has_value()) return c.Unknown("its strides are not constant");
      const bool from_start = mask("begin_mask", i) || (begin.has_value() && (*begin)[entry] == 0);
      const int64_t dim = shape.has_rank() ? shape.dim(rows.axis) : -1;
      const bool to_end = mask("end_mask", i) || (end.has_value() && dim >= 0 && (*end)[entry] >= dim);
      if (!from_start || !to_end || (*strides)[entry] != 1) return c.Mix("takes a part of the batch");
      return c.set_all(rows.At(out));
    }
  }
  c.set_all(rows.At(out + rows.axis - in));
}

void PadBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.AreConstant(1)) return c.SetWorst();
  const std::optional<std::vector<int64_t>> paddings = c.Integers(1);
  const size_t at = 2 * static_cast<size_t>(rows.axis);
  if (!paddings.has_value() || at + 1 >= paddings->size()) return c.Unknown("its paddings are not constant");
  if ((*paddings)[at] != 0 || (*paddings)[at + 1] != 0) return c.Mix("puts other rows beside the examples");
  c.set_all(rows);
}

void TileBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.AreConstant(1)) return c.SetWorst();
  const std::optional<std::vector<int64_t>> multiples = c.Integers(1);
  const size_t at = static_cast<size_t>(rows.axis);
  if (!multiples.has_value() || at >= multiples->size()) return c.Unknown("its multiples are not constant");
  const int64_t times = std::max<int64_t>(1, (*multiples)[at]);
  c.set_all(BatchRows::Along(rows.axis, MultiplySizes(rows.outer, times), rows.inner));
}

namespace {

// Of what moves elements along the dimensions in input `axes_input`.
void ReorderBatch(BatchContext& c, int axes_input) {
  if (!c.input(0).is_rows() || !c.AreConstant(1)) return c.SetWorst();
  const std::optional<std::vector<int64_t>> axes = c.Integers(axes_input);
  if (!axes.has_value()) return c.Unknown("its dimensions are not constant");
  if (c.IsAmong(*axes, 0)) return c.Mix("the order of the examples");
  c.set_all(c.input(0));
}

}  // namespace

void ReverseBatch(BatchContext& c) { ReorderBatch(c, 1); }
void RollBatch(BatchContext& c) { ReorderBatch(c, 2); }

void ReverseSequenceBatch(BatchContext& c) {
  const BatchRows &rows = c.input(0), &lengths = c.input(1);
  const int64_t seq = c.attr<int64_t>("seq_dim"), batch = c.attr<int64_t>("batch_dim");
  if (std::max(rows.kind, lengths.kind) > BatchRows::kRows) return c.SetWorst();
  if (rows.is_rows() && c.IsAmong({seq}, 0)) return c.Mix("the order of the examples");
  if (lengths.is_constant()) return c.set_all(rows);
  const std::optional<int> axis = c.Axis(batch, 0);
  if (!axis.has_value()) return c.Unknown("the rank is not known");
  if (rows.is_rows() && rows != lengths.At(*axis)) {
    return c.Mix("of operands whose examples lie along different dimensions");
  }
  c.set_all(lengths.At(*axis));
}

void OneHotBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.AreConstant(1)) return c.SetWorst();
  const int64_t axis = c.attr<int64_t>("axis");
  c.set_all(rows.At(rows.axis + (axis >= 0 && axis <= rows.axis)));
}

void GatherBatch(BatchContext& c) { Gather(c, 0, 0); }
void GatherV2Batch(BatchContext& c) {
  Gather(c, AxisInput(c, 2, c.input_shape(0).rank()), c.attr<int64_t>("batch_dims"));
}

void GatherNdBatch(BatchContext& c) {
  const BatchRows &params = c.input(0), &indices = c.input(1);
  if (std::max(params.kind, indices.kind) > BatchRows::kRows) return c.SetWorst();
  const int rank = c.input_shape(1).rank();
  if (rank < 0) return c.Unknown("the rank of the indices is not known");
  if (params.is_constant() && (indices.is_constant() || indices.axis < rank - 1)) return c.set_all(indices);
  const int64_t depth = c.input_shape(1).dim(-1);
  if (indices.is_constant() && depth >= 0 && params.axis >= depth) {
    return c.set_all(params.At(params.axis - static_cast<int>(depth) + rank - 1));
  }
  c.Mix("takes rows of other examples");
}

namespace {

// How many blocks the pictures of a batch are cut into, or put together from; nullopt when the result is settled.
std::optional<int64_t> NumBlocks(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  if (!rows.is_rows() || !c.AreConstant(1)) {
    c.SetWorst();
    return std::nullopt;
  }
  if (rows.axis != 0) {
    c.Mix(absl::StrCat("along dimension ", rows.axis));
    return std::nullopt;
  }
  const bool fixed = c.node().has_attr("block_size");
  const std::optional<std::vector<int64_t>> blocks =
      fixed ? std::optional(std::vector<int64_t>(2, c.attr<int64_t>("block_size"))) : c.Integers(1);
  if (!blocks.has_value()) {
    c.Unknown("its blocks are not constant");
    return std::nullopt;
  }
  int64_t product = 1;
  for (int64_t block : *blocks) product = MultiplySizes(product, std::max<int64_t>(1, block));
  return product;
}

}  // namespace

// Blocks of a picture become pictures of their own: block b of example n is at b * N + n.
void SpaceToBatchBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  const std::optional<int64_t> blocks = NumBlocks(c);
  if (blocks.has_value()) c.set_all(BatchRows::Along(0, MultiplySizes(rows.outer, *blocks), rows.inner));
}

void BatchToSpaceBatch(BatchContext& c) {
  const BatchRows& rows = c.input(0);
  const std::optional<int64_t> blocks = NumBlocks(c);
  if (!blocks.has_value()) return;
  if (rows.outer % *blocks != 0) return c.Mix("takes the batch apart");
  c.set_all(BatchRows::Along(0, rows.outer / *blocks, rows.inner));
}

}  // namespace staticflow
