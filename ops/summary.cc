// ScalarSummary, HistogramSummary, MergeSummary, TensorSummary, TensorSummaryV2. Contracts: ops/summary.h.
#include "ops/summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array.h"
#include "ops/elementwise.h"
#include "ops/summary_message.h"

namespace staticflow {
namespace {

OpSpec SummaryOp(const char* name, std::vector<std::string> inputs, std::vector<std::string> attrs, KernelSource kernel,
                 const char* doc, ShapeFunction shape = ScalarShape) {
  return {.name = name,
          .inputs = std::move(inputs),
          .outputs = {"summary: string"},
          .attrs = std::move(attrs),
          .shape = shape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .doc = doc};
}

// ScalarSummary: one value per tag.
absl::Status ScalarSummaryShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(Annotate(c.input(0).MergeWith(c.input(1)).status(), "tags and values: "));
  c.set_output(0, Shape());
  return absl::OkStatus();
}
template <typename T>
absl::Status WriteScalars(KernelContext& c) {
  if (*c.input(0).shape != *c.input(1).shape) return absl::InvalidArgumentError("tags and values differ in shape");
  MessageWriter summary;
  for (int64_t i = 0; i < c.input(0).num_elements; ++i) {
    MessageWriter value;
    value.Bytes(kTag, c.in<std::string>(0)[i]);
    value.Float(kSimpleValue, static_cast<float>(Widen(c.in<T>(1)[i])));
    summary.Bytes(kSummaryValue, value.bytes());
  }
  *c.out<std::string>(0) = summary.bytes();
  return absl::OkStatus();
}
absl::StatusOr<Kernel> ScalarSummaryKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(1), [&]<typename T>() { kernel = WriteScalars<T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(1));
  return kernel;
}
const OpRegistrar scalar(SummaryOp("ScalarSummary", {"tags: string", "values: T"}, {kNumberT}, ScalarSummaryKernel,
                                   "Numbers as a Summary message.", ScalarSummaryShape));

// The limits of TensorFlow's histograms: 1e-12 times powers of 1.1 and the largest number, the same negative, and 0.
const std::vector<double>& BucketLimits() {
  static const std::vector<double>& limits = *[] {
    std::vector<double> positive;
    for (double v = 1e-12; v < 1e20; v *= 1.1) positive.push_back(v);
    positive.push_back(std::numeric_limits<double>::max());
    auto* all = new std::vector<double>;
    for (size_t i = positive.size(); i-- > 0;) all->push_back(-positive[i]);
    all->push_back(0.0);
    all->insert(all->end(), positive.begin(), positive.end());
    return all;
  }();
  return limits;
}

struct Histogram {
  double min = std::numeric_limits<double>::max(), max = std::numeric_limits<double>::lowest();
  double num = 0, sum = 0, sum_squares = 0;
  std::vector<double> buckets = std::vector<double>(BucketLimits().size(), 0.0);

  void Add(double value) {
    const auto limit = std::upper_bound(BucketLimits().begin(), BucketLimits().end(), value);
    buckets[std::min<size_t>(limit - BucketLimits().begin(), buckets.size() - 1)] += 1;
    min = std::min(min, value);
    max = std::max(max, value);
    num += 1;
    sum += value;
    sum_squares += value * value;
  }
  // Empty buckets next to each other become one.
  std::string Message() const {
    std::vector<double> limits, counts;
    for (size_t i = 0; i < buckets.size();) {
      double limit = BucketLimits()[i], count = buckets[i++];
      for (; count <= 0 && i < buckets.size() && buckets[i] <= 0; ++i) limit = BucketLimits()[i];
      limits.push_back(limit);
      counts.push_back(count);
    }
    const auto packed = [](const std::vector<double>& values) {
      return absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double));
    };
    MessageWriter writer;
    const std::pair<int, double> fields[] = {
        {kMin, min}, {kMax, max}, {kNum, num}, {kSum, sum}, {kSumSquares, sum_squares}};
    for (const auto& [field, value] : fields) {
      if (value != 0 || std::signbit(value)) writer.Double(field, value);
    }
    writer.Bytes(kBucketLimit, packed(limits));
    writer.Bytes(kBucket, packed(counts));
    return writer.bytes();
  }
};

// HistogramSummary: how values are distributed.
absl::Status HistogramShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 0).status());
  c.set_output(0, Shape());
  return absl::OkStatus();
}
template <typename T>
absl::Status WriteHistogram(KernelContext& c) {
  if (c.input(0).num_elements != 1) return absl::InvalidArgumentError("tag is no scalar");
  const std::string& tag = *c.in<std::string>(0);
  Histogram histogram;
  for (int64_t i = 0; i < c.input(1).num_elements; ++i) {
    const double value = static_cast<double>(Widen(c.in<T>(1)[i]));
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::isnan(value) ? "NaN" : "infinity", " in the histogram of ", tag));
    }
    histogram.Add(value);
  }
  MessageWriter value, summary;
  value.Bytes(kTag, tag);
  value.Bytes(kHistogram, histogram.Message());
  summary.Bytes(kSummaryValue, value.bytes());
  *c.out<std::string>(0) = summary.bytes();
  return absl::OkStatus();
}
absl::StatusOr<Kernel> HistogramKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, Half, BFloat16, int32_t, int64_t, uint8_t, int8_t, int16_t, uint16_t, uint32_t, uint64_t>(
      setup.input_dtype(1), [&]<typename T>() { kernel = WriteHistogram<T>; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(1));
  return kernel;
}
const OpRegistrar histogram(SummaryOp("HistogramSummary", {"tag: string", "values: T"}, {"T: realnumbertype = float"},
                                      HistogramKernel, "A distribution as a Summary message.", HistogramShape));

// The next field of a message whose bytes begin at `at`: its number and, where it has a length, its contents. False at
// the end and for what is no message.
bool NextField(absl::string_view bytes, size_t& at, int& field, absl::string_view& contents) {
  const auto number = [&](uint64_t& value) {
    value = 0;
    for (int shift = 0; at < bytes.size() && shift < 64; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(bytes[at++]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  };
  uint64_t key, size = 0;
  if (!number(key)) return false;
  field = static_cast<int>(key >> 3);
  switch (key & 7) {
    case 0:
      return number(size);
    case 1:
      size = 8;
      break;
    case 2:
      if (!number(size)) return false;
      break;
    case 5:
      size = 4;
      break;
    default:
      return false;
  }
  if (size > bytes.size() - at) return false;
  contents = bytes.substr(at, size);
  at += size;
  return true;
}

// MergeSummary: one message after the other is one message with all values; two may not have one tag.
absl::Status MergeKernel(KernelContext& c) {
  std::string merged;
  std::set<std::string> tags;
  for (int i = 0; i < c.num_inputs(); ++i) {
    for (const std::string& summary : c.input(i).flat<std::string>()) {
      size_t at = 0;
      int field = 0;
      absl::string_view value, contents;
      while (at < summary.size()) {
        if (!NextField(summary, at, field, value)) {
          return absl::InvalidArgumentError(absl::StrCat("input ", i, " holds something else than summaries"));
        }
        size_t inner = 0;
        int inner_field = 0;
        while (field == kSummaryValue && NextField(value, inner, inner_field, contents)) {
          if (inner_field == kTag && !tags.insert(std::string(contents)).second) {
            return absl::InvalidArgumentError(absl::StrCat("the tag ", contents, " comes twice"));
          }
        }
      }
      merged += summary;
    }
  }
  *c.out<std::string>(0) = std::move(merged);
  return absl::OkStatus();
}
const OpRegistrar merge(SummaryOp("MergeSummary", {"inputs: N * string"}, {"N: int >= 1"}, MergeKernel,
                                  "Several Summary messages as one."));

// A TensorProto: dtype = 1, tensor_shape = 2 {dim = 2 {size = 1}}, tensor_content = 4, string_val = 8.
std::string TensorMessage(const TensorView& tensor) {
  MessageWriter shape, writer;
  for (int64_t size : tensor.shape->dims()) {
    MessageWriter dim;
    if (size != 0) dim.Varint(1, static_cast<uint64_t>(size));
    shape.Bytes(2, dim.bytes());
  }
  writer.Varint(1, static_cast<uint64_t>(tensor.dtype));
  writer.Bytes(2, shape.bytes());
  if (tensor.dtype == DT_STRING) {
    for (const std::string& text : tensor.flat<std::string>()) writer.Bytes(8, text);
  } else if (tensor.num_elements > 0) {
    writer.Bytes(4, absl::string_view(tensor.as<char>(), static_cast<size_t>(tensor.bytes())));
  }
  return writer.bytes();
}

// TensorSummary, TensorSummaryV2: a whole tensor.
absl::StatusOr<Kernel> TensorSummaryKernel(const KernelSetup& setup) {
  return Kernel([name = setup.node().name()](KernelContext& c) {
    MessageWriter value, summary;
    value.Bytes(kNodeName, name);
    value.Bytes(kTensor, TensorMessage(c.input(0)));
    summary.Bytes(kSummaryValue, value.bytes());
    *c.out<std::string>(0) = summary.bytes();
    return absl::OkStatus();
  });
}
absl::Status TensorSummaryV2Kernel(KernelContext& c) {
  if (c.input(0).rank() != 0 || c.input(2).rank() != 0) {
    return absl::InvalidArgumentError("tag or serialized_summary_metadata is no scalar");
  }
  MessageWriter value, summary;
  value.Bytes(kTag, *c.in<std::string>(0));
  value.Bytes(kTensor, TensorMessage(c.input(1)));
  value.Bytes(kMetadata, *c.in<std::string>(2));
  summary.Bytes(kSummaryValue, value.bytes());
  *c.out<std::string>(0) = summary.bytes();
  return absl::OkStatus();
}
const OpRegistrar tensor_summary(SummaryOp("TensorSummary", {"tensor: T"},
                                           {"T: type", "description: string = ''", "labels: list(string) = []",
                                            "display_name: string = ''"},
                                           TensorSummaryKernel, "A tensor as a Summary message."));
const OpRegistrar tensor_summary_v2(SummaryOp("TensorSummaryV2",
                                              {"tag: string", "tensor: T", "serialized_summary_metadata: string"},
                                              {"T: type"}, TensorSummaryV2Kernel,
                                              "A tensor as a Summary message with a tag."));

Output Collected(Output summary, const SummaryOptions& options) {
  if (summary.valid() && !options.collection.empty()) summary.graph().AddToCollection(options.collection, summary);
  return summary;
}
Output Tagged(const char* type, const std::string& tag, const Operand& value, const SummaryOptions& options) {
  if (!value.output().valid()) return Output();
  Graph& g = value.output().graph();
  const NameScope scope(g, options.name.empty() ? tag : options.name);
  const Output tags = Const(g, Tensor(tag), {.name = "tags", .where = value.where()});
  return Collected(NodeBuilder(type, {tags, value}).Name(scope.name()).Build(), options);
}

}  // namespace

Output ScalarSummary(const std::string& tag, Operand value, const SummaryOptions& options) {
  return Tagged("ScalarSummary", tag, value, options);
}
Output HistogramSummary(const std::string& tag, Operand values, const SummaryOptions& options) {
  return Tagged("HistogramSummary", tag, values, options);
}
Output MergeSummary(absl::Span<const Output> summaries, const OpOptions& options) {
  return NodeBuilder("MergeSummary", {}).Inputs(summaries).Name(options.name, "Merge/MergeSummary").Build();
}
Output MergeAllSummaries(Graph& g, const std::string& collection) {
  std::vector<Output> summaries;
  for (const CollectionItem& item : g.collection(collection)) summaries.push_back(item.AsOutput());
  return summaries.empty() ? Output() : MergeSummary(summaries);
}

}  // namespace staticflow
