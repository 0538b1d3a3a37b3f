// StringSplit, StringSplitV2, ReduceJoin, UnsortedSegmentJoin. Contracts: ops/strings.h.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_nodes.h"
#include "ops/array_shapes.h"
#include "ops/batch_rules.h"
#include "ops/math_segment_loops.h"
#include "ops/strings.h"

namespace staticflow {
namespace {

using Parts = std::vector<absl::string_view>;

// The parts as Python's str.split gives them: without a separator white space separates, of which several count as one.
Parts SplitBySeparator(absl::string_view text, absl::string_view separator, int64_t maxsplit) {
  Parts parts;
  if (maxsplit == 0) return {text};
  const auto may_split = [&] { return maxsplit < 0 || static_cast<int64_t>(parts.size()) < maxsplit; };
  if (!separator.empty()) {
    for (size_t at = text.find(separator); at != absl::string_view::npos && may_split(); at = text.find(separator)) {
      parts.push_back(text.substr(0, at));
      text.remove_prefix(at + separator.size());
    }
    parts.push_back(text);
    return parts;
  }
  for (text = absl::StripLeadingAsciiWhitespace(text); !text.empty(); text = absl::StripLeadingAsciiWhitespace(text)) {
    const size_t length =
        std::find_if(text.begin(), text.end(), [](char c) { return absl::ascii_isspace(c); }) - text.begin();
    parts.push_back(text.substr(0, length));
    text.remove_prefix(length);
    if (may_split()) continue;
    // What remains after the last split is a part, even when it is empty.
    parts.push_back(absl::StripLeadingAsciiWhitespace(text));
    break;
  }
  return parts;
}

// The parts between any of the delimiter's characters; without one, every byte. An empty text has no parts.
Parts SplitByCharacters(absl::string_view text, absl::string_view delimiter, bool skip_empty) {
  Parts parts;
  if (delimiter.empty() || text.empty()) {
    for (size_t i = 0; i < text.size(); ++i) parts.push_back(text.substr(i, 1));
    return parts;
  }
  parts = absl::StrSplit(text, absl::ByAnyChar(delimiter));
  if (skip_empty) parts.erase(std::remove(parts.begin(), parts.end(), ""), parts.end());
  return parts;
}

absl::Status SplitShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  c.set_output(0, {Shape::kUnknownDim, 2});
  c.set_output(1, {Shape::kUnknownDim});
  c.set_output(2, {2});
  return absl::OkStatus();
}

// The sparse matrix of the parts of each string.
template <typename F>
absl::Status SplitInto(KernelContext& c, F split) {
  const absl::Span<std::string> strings = c.input(0).flat<std::string>();
  if (c.input(1).num_elements != 1) return absl::InvalidArgumentError("the separator is no scalar");
  std::vector<Parts> rows;
  int64_t total = 0, most = 0;
  for (const std::string& text : strings) {
    rows.push_back(split(text, c.scalar<std::string>(1)));
    total += static_cast<int64_t>(rows.back().size());
    most = std::max(most, static_cast<int64_t>(rows.back().size()));
  }
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {total, 2}));
  SF_RETURN_IF_ERROR(c.AllocateOutput(1, {total}));
  int64_t* index = c.out<int64_t>(0);
  std::string* value = c.out<std::string>(1);
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t i = 0; i < rows[row].size(); ++i) {
      *index++ = static_cast<int64_t>(row);
      *index++ = static_cast<int64_t>(i);
      *value++ = std::string(rows[row][i]);
    }
  }
  c.out<int64_t>(2)[0] = static_cast<int64_t>(strings.size());
  c.out<int64_t>(2)[1] = most;
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SplitKernel(const KernelSetup& setup) {
  const bool skip_empty = setup.attr<bool>("skip_empty");
  return Kernel([skip_empty](KernelContext& c) {
    return SplitInto(c, [skip_empty](const std::string& text, const std::string& delimiter) {
      return SplitByCharacters(text, delimiter, skip_empty);
    });
  });
}
absl::StatusOr<Kernel> SplitV2Kernel(const KernelSetup& setup) {
  const int64_t maxsplit = setup.attr<int64_t>("maxsplit");
  return Kernel([maxsplit](KernelContext& c) {
    return SplitInto(c, [maxsplit](const std::string& text, const std::string& separator) {
      return SplitBySeparator(text, separator, maxsplit);
    });
  });
}
OpSpec SplitOp(const char* name, const char* separator, const char* attr, KernelSource kernel) {
  return {.name = name,
          .inputs = {"input: string", separator},
          .outputs = {"indices: int64", "values: string", "shape: int64"},
          .attrs = {attr},
          .shape = SplitShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .doc = "The parts of strings, as a sparse matrix."};
}
const OpRegistrar split(SplitOp("StringSplit", "delimiter: string", "skip_empty: bool = true", SplitKernel));
const OpRegistrar split_v2(SplitOp("StringSplitV2", "sep: string", "maxsplit: int = -1", SplitV2Kernel));

// ReduceJoin: the elements along the reduced dimensions joined, the first named one fastest.
absl::StatusOr<Shape> JoinedShape(const Shape& in, absl::Span<const int64_t> axes, bool keep_dims) {
  absl::InlinedVector<bool, 8> reduced(in.rank(), false);
  for (int64_t axis : axes) {
    SF_ASSIGN_OR_RETURN(const int a, NormalizeAxis(axis, in.rank()));
    if (reduced[a]) return absl::InvalidArgumentError(absl::StrCat("dimension ", a, " is named twice"));
    reduced[a] = true;
  }
  Shape out;
  for (int d = 0; d < in.rank(); ++d) {
    if (!reduced[d]) out.push_back(in.dim(d));
    if (reduced[d] && keep_dims) out.push_back(1);
  }
  return out;
}
absl::Status JoinShape(ShapeContext& c) {
  if (c.input(1).rank() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("reduction_indices has shape ", c.input(1).ToString(), ", expected a scalar or a vector"));
  }
  SF_ASSIGN_OR_RETURN(const auto axes, c.Integers(1));
  if (!c.input(0).has_rank()) return absl::OkStatus();
  const bool keep_dims = c.attr<bool>("keep_dims");
  if (!axes.has_value()) {
    if (keep_dims) c.set_output(0, Shape::UnknownOfRank(c.input(0).rank()));
    return absl::OkStatus();
  }
  SF_ASSIGN_OR_RETURN(Shape shape, JoinedShape(c.input(0), *axes, keep_dims));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::Status JoinInto(KernelContext& c, bool keep_dims, const std::string& separator, bool allocate) {
  const Shape& in = *c.input(0).shape;
  absl::InlinedVector<int64_t, 8> axes;
  for (int64_t i = 0; i < c.input(1).num_elements; ++i) axes.push_back(c.in<int32_t>(1)[i]);
  SF_ASSIGN_OR_RETURN(const Shape shape, JoinedShape(in, axes, keep_dims));
  if (allocate) SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  SF_RETURN_IF_ERROR(ExpectOutput(c, 0, shape));
  const Sizes strides = RowMajorStrides(in);
  int64_t joined = 1;
  for (int64_t& axis : axes) {
    axis = *NormalizeAxis(axis, in.rank());
    joined *= in.dim(static_cast<int>(axis));
  }
  absl::InlinedVector<int, 8> kept;
  for (int d = 0; d < in.rank(); ++d) {
    if (std::find(axes.begin(), axes.end(), d) == axes.end()) kept.push_back(d);
  }
  for (int64_t o = 0; o < c.output(0).num_elements; ++o) {
    int64_t start = 0, rest = o;
    for (int k = static_cast<int>(kept.size()) - 1; k >= 0; --k) {
      start += rest % in.dim(kept[k]) * strides[kept[k]];
      rest /= in.dim(kept[k]);
    }
    std::string text;
    for (int64_t j = 0; j < joined; ++j) {
      int64_t at = start, position = j;
      for (int64_t axis : axes) {
        at += position % in.dim(static_cast<int>(axis)) * strides[axis];
        position /= in.dim(static_cast<int>(axis));
      }
      absl::StrAppend(&text, j == 0 ? "" : separator, c.in<std::string>(0)[at]);
    }
    c.out<std::string>(0)[o] = std::move(text);
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> JoinKernel(const KernelSetup& setup) {
  return Kernel([keep_dims = setup.attr<bool>("keep_dims"), separator = setup.attr<std::string>("separator"),
                 allocate = !setup.output_shape(0).IsFullyDefined()](KernelContext& c) {
    return JoinInto(c, keep_dims, separator, allocate);
  });
}
const OpRegistrar reduce_join({.name = "ReduceJoin",
                               .inputs = {"inputs: string", "reduction_indices: int32"},
                               .outputs = {"output: string"},
                               .attrs = {"keep_dims: bool = false", "separator: string = ''"},
                               .shape = JoinShape,
                               .gradient = kNotDifferentiable,
                               .kernel = JoinKernel,
                               .batch = ReductionBatch,
                               .doc = "Strings joined along dimensions."});

// UnsortedSegmentJoin: [num_segments] + inputs.shape[segment_ids.rank:].
absl::Status SegmentJoinShape(ShapeContext& c) {
  const Shape &inputs = c.input(0), &ids = c.input(1);
  SF_RETURN_IF_ERROR(c.WithRank(2, 0).status());
  SF_ASSIGN_OR_RETURN(const std::optional<int64_t> segments, ScalarFromInput(c, 2));
  if (segments.has_value() && *segments < 0) {
    return absl::InvalidArgumentError(absl::StrCat("num_segments is ", *segments, ", expected 0 or more"));
  }
  if (!inputs.has_rank() || !ids.has_rank()) return absl::OkStatus();
  if (ids.rank() == 0) return absl::InvalidArgumentError("segment_ids is a scalar, expected rank 1 or more");
  if (ids.rank() > inputs.rank()) return absl::OutOfRangeError("segment_ids has more dimensions than inputs");
  SF_RETURN_IF_ERROR(Annotate(inputs.Slice(0, ids.rank()).MergeWith(ids).status(), "segment_ids: "));
  c.set_output(0, Shape({segments.value_or(Shape::kUnknownDim)}).Concatenate(inputs.Slice(ids.rank(), inputs.rank())));
  return absl::OkStatus();
}
absl::Status SegmentJoinInto(KernelContext& c, const std::string& separator) {
  const TensorView &inputs = c.input(0), &ids = c.input(1);
  SF_ASSIGN_OR_RETURN(const int64_t segments, ScalarInput(c, 2));
  const int64_t row = RowSize(inputs, ids);
  std::string* out = c.out<std::string>(0);
  std::fill_n(out, c.output(0).num_elements, std::string());
  for (int64_t i = 0; i < ids.num_elements; ++i) {
    const int64_t id = IdAt(ids, i);
    if (id < 0 || id >= segments) {
      return absl::InvalidArgumentError(absl::StrCat("segment_ids[", i, "] is ", id, " of ", segments, " segments"));
    }
    for (int64_t k = 0; k < row; ++k) {
      std::string& joined = out[id * row + k];
      // No separator follows what is empty so far, whatever has been joined.
      absl::StrAppend(&joined, joined.empty() ? "" : separator, c.in<std::string>(0)[i * row + k]);
    }
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SegmentJoinKernel(const KernelSetup& setup) {
  return Kernel([separator = setup.attr<std::string>("separator"),
                 allocate = !setup.output_shape(0).IsFullyDefined()](KernelContext& c) -> absl::Status {
    if (allocate) {
      SF_ASSIGN_OR_RETURN(const int64_t segments, ScalarInput(c, 2));
      if (segments < 0) return absl::InvalidArgumentError("num_segments is negative");
      const Shape rest = c.input(0).shape->Slice(c.input(1).rank(), c.input(0).rank());
      SF_RETURN_IF_ERROR(c.AllocateOutput(0, Shape({segments}).Concatenate(rest)));
    }
    return SegmentJoinInto(c, separator);
  });
}
const OpRegistrar segment_join({.name = "UnsortedSegmentJoin",
                                .inputs = {"inputs: string", "segment_ids: Tindices", "num_segments: Tnumsegments"},
                                .outputs = {"output: string"},
                                .attrs = {"separator: string = ''", "Tindices: indextype",
                                          "Tnumsegments: indextype = int32"},
                                .shape = SegmentJoinShape,
                                .gradient = kNotDifferentiable,
                                .kernel = SegmentJoinKernel,
                                .batch = SegmentBatch,
                                .doc = "Strings joined by segments."});

}  // namespace

StringSplitOutputs StringSplit(Operand input, const StringSplitOptions& options) {
  const NodeName name(input, options.name, "StringSplit");
  if (!name) return {};
  Node* node = NodeBuilder("StringSplitV2", {input, name.Constant(Tensor(options.sep), "Const")})
                   .Attr("maxsplit", options.maxsplit)
                   .Name(name.exact())
                   .BuildNode();
  return node == nullptr ? StringSplitOutputs() : StringSplitOutputs{node->output(0), node->output(1), node->output(2)};
}

Output ReduceJoin(Operand inputs, const std::vector<int64_t>& axes, const ReduceJoinOptions& options) {
  const NodeName name(inputs, options.name, "ReduceJoin");
  if (!name) return Output();
  return NodeBuilder("ReduceJoin", {inputs, name.Vector(Ints(axes), "reduction_indices")})
      .Attr("keep_dims", options.keep_dims)
      .Attr("separator", options.separator)
      .Name(name.exact())
      .Build();
}

Output UnsortedSegmentJoin(Operand inputs, Operand segment_ids, Operand num_segments, const std::string& separator,
                           const OpOptions& options) {
  return NodeBuilder("UnsortedSegmentJoin", {inputs, segment_ids, num_segments})
      .Attr("separator", separator)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
