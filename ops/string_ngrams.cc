// StringNGrams. Contract: ops/strings.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/strings.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 31;  // of all results

absl::Status NGramsShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_ASSIGN_OR_RETURN(const Shape splits, c.WithRank(1, 1));
  c.set_output(0, {Shape::kUnknownDim});
  c.set_output(1, splits);
  return absl::OkStatus();
}

struct NGramForm {
  std::string separator, left_pad, right_pad;
  std::vector<int64_t> widths;
  int64_t pad_width = 0;
  bool preserve_short = false;

  // A negative width of the padding stands for as much as there can be.
  int64_t Padding(int64_t width) const { return pad_width < 0 ? width - 1 : std::min(pad_width, width - 1); }
  int64_t Count(int64_t length, int64_t width) const {
    return std::max<int64_t>(0, AddSizes(length, 2 * Padding(width)) - width + 1);
  }
};

// The n-gram `index` of `count` of a row of strings, with padding of which each gram holds what it overlaps.
std::string NGram(const NGramForm& form, absl::Span<const std::string> row, int64_t index, int64_t count, int64_t width,
                  int64_t padding) {
  const int64_t left = std::max<int64_t>(0, padding - index),
                right = std::max<int64_t>(0, padding - (count - index - 1));
  const int64_t first = left > 0 ? 0 : index - padding;
  std::string text;
  for (int64_t i = 0; i < width; ++i) {
    if (i > 0) text += form.separator;
    text += i < left ? form.left_pad : i >= width - right ? form.right_pad : row[static_cast<size_t>(first + i - left)];
  }
  return text;
}

// Bytes that the grams of a row take at most.
int64_t BytesOf(const NGramForm& form, absl::Span<const std::string> row, int64_t count, int64_t width) {
  size_t longest = std::max(form.left_pad.size(), form.right_pad.size());
  for (const std::string& text : row) longest = std::max(longest, text.size());
  const int64_t each = static_cast<int64_t>(longest + form.separator.size() + sizeof(std::string));
  return MultiplySizes(count, MultiplySizes(width, each));
}

template <typename Splits>
absl::Status CheckSplits(const TensorView& splits, int64_t size) {
  const Splits* at = splits.as<Splits>();
  for (int64_t i = 0; i < splits.num_elements; ++i) {
    const int64_t least = i == 0 ? 0 : at[i - 1], most = i == 0 ? 0 : size;
    if (at[i] < least || at[i] > most) {
      return absl::InvalidArgumentError(
          absl::StrCat("data_splits[", i, "] is ", at[i], ", expected from ", least, " to ", most));
    }
  }
  if (splits.num_elements == 0 || at[splits.num_elements - 1] == size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("data_splits ends with ", at[splits.num_elements - 1], ", expected ", size));
}

template <typename Splits>
absl::Status MakeNGrams(KernelContext& c, const NGramForm& form, bool allocate_splits) {
  const TensorView& splits = c.input(1);
  SF_RETURN_IF_ERROR(CheckSplits<Splits>(splits, c.input(0).num_elements));
  if (allocate_splits) SF_RETURN_IF_ERROR(c.AllocateOutput(1, *splits.shape));
  std::vector<std::string> grams;
  int64_t bytes = 0;
  if (splits.num_elements > 0) c.out<Splits>(1)[0] = 0;
  for (int64_t r = 0; r + 1 < splits.num_elements; ++r) {
    const int64_t begin = splits.as<Splits>()[r], length = splits.as<Splits>()[r + 1] - begin;
    const absl::Span<const std::string> row(c.in<std::string>(0) + begin, static_cast<size_t>(length));
    c.out<Splits>(1)[r + 1] = 0;
    if (c.input(0).num_elements == 0) continue;  // without any strings there are no rows of padding either
    const size_t before = grams.size();
    const auto add = [&](int64_t count, int64_t width, int64_t padding) -> absl::Status {
      bytes = AddSizes(bytes, BytesOf(form, row, count, width));
      if (bytes > kMaxBytes) return absl::ResourceExhaustedError("the n-grams take more than 2 GiB");
      for (int64_t i = 0; i < count; ++i) grams.push_back(NGram(form, row, i, count, width, padding));
      return absl::OkStatus();
    };
    for (const int64_t width : form.widths) {
      SF_RETURN_IF_ERROR(add(form.Count(length, width), width, form.Padding(width)));
    }
    if (form.preserve_short && grams.size() == before && length > 0) {
      const int64_t padding = std::max<int64_t>(0, form.pad_width);
      SF_RETURN_IF_ERROR(add(1, AddSizes(length, MultiplySizes(2, padding)), padding));
    }
    c.out<Splits>(1)[r + 1] = static_cast<Splits>(grams.size());
  }
  SF_RETURN_IF_ERROR(c.AllocateOutput(0, {static_cast<int64_t>(grams.size())}));
  std::move(grams.begin(), grams.end(), c.out<std::string>(0));
  return absl::OkStatus();
}

absl::StatusOr<Kernel> NGramsKernel(const KernelSetup& setup) {
  const NGramForm form = {.separator = setup.attr<std::string>("separator"),
                          .left_pad = setup.attr<std::string>("left_pad"),
                          .right_pad = setup.attr<std::string>("right_pad"),
                          .widths = setup.attr<std::vector<int64_t>>("ngram_widths"),
                          .pad_width = setup.attr<int64_t>("pad_width"),
                          .preserve_short = setup.attr<bool>("preserve_short_sequences")};
  for (const int64_t width : form.widths) {
    if (width < 1 || width > kMaxBytes) {
      return absl::InvalidArgumentError(absl::StrCat("ngram_widths has ", width, ", expected at least 1"));
    }
  }
  const bool allocate = !setup.output_shape(1).IsFullyDefined(), wide = setup.output_dtype(1) == DT_INT64;
  return Kernel([=](KernelContext& c) {
    return wide ? MakeNGrams<int64_t>(c, form, allocate) : MakeNGrams<int32_t>(c, form, allocate);
  });
}

const OpRegistrar ngrams({.name = "StringNGrams",
                          .inputs = {"data: string", "data_splits: Tsplits"},
                          .outputs = {"ngrams: string", "ngrams_splits: Tsplits"},
                          .attrs = {"separator: string", "ngram_widths: list(int)", "left_pad: string",
                                    "right_pad: string", "pad_width: int", "preserve_short_sequences: bool",
                                    "Tsplits: {int32, int64} = int64"},
                          .shape = NGramsShape,
                          .gradient = kNotDifferentiable,
                          .kernel = NGramsKernel,
                          .doc = "The n-grams of rows of strings."});

}  // namespace

StringRows StringNGrams(Operand data, Operand data_splits, const StringNGramsOptions& options) {
  Node* node = NodeBuilder("StringNGrams", {data, data_splits})
                   .Attr("separator", options.separator)
                   .Attr("ngram_widths", options.ngram_widths)
                   .Attr("left_pad", options.left_pad)
                   .Attr("right_pad", options.right_pad)
                   .Attr("pad_width", options.pad_width)
                   .Attr("preserve_short_sequences", options.preserve_short_sequences)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1)};
}

}  // namespace staticflow
