// StringLength, StringLower, StringUpper, StringStrip, Substr. Contracts: ops/strings.h.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/strings.h"
#include "ops/utf8.h"

namespace staticflow {
namespace {

constexpr char kUnit[] = "unit: {'BYTE', 'UTF8_CHAR'} = 'BYTE'";

bool IsFirstByte(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

int64_t CountUnits(const std::string& text, bool characters) {
  if (!characters) return static_cast<int64_t>(text.size());
  return std::count_if(text.begin(), text.end(), IsFirstByte);
}

// The byte at which unit `index` begins; the string's size when it has no more units.
size_t ByteOfUnit(const std::string& text, int64_t index, bool characters) {
  if (!characters) return static_cast<size_t>(std::min<int64_t>(index, static_cast<int64_t>(text.size())));
  size_t at = 0;
  for (int64_t seen = 0; at < text.size(); ++at) {
    if (IsFirstByte(text[at]) && seen++ == index) break;
  }
  return at;
}

absl::StatusOr<Kernel> LengthKernel(const KernelSetup& setup) {
  const bool characters = setup.attr<std::string>("unit") == "UTF8_CHAR";
  return Kernel([characters](KernelContext& c) {
    for (int64_t i = c.range().begin; i < c.range().end; ++i) {
      c.out<int32_t>(0)[i] = static_cast<int32_t>(CountUnits(c.in<std::string>(0)[i], characters));
    }
    return absl::OkStatus();
  });
}
const OpRegistrar length({.name = "StringLength",
                          .inputs = {"input: string"},
                          .outputs = {"output: int32"},
                          .attrs = {kUnit},
                          .shape = SameShape,
                          .gradient = kNotDifferentiable,
                          .kernel = LengthKernel,
                          .iteration = {.split = Split::kFlat},
                          .batch = ElementwiseBatch,
                          .doc = "The lengths of strings."});

std::string Lower(const std::string& text) { return absl::AsciiStrToLower(text); }
std::string Upper(const std::string& text) { return absl::AsciiStrToUpper(text); }
std::string Strip(const std::string& text) { return std::string(absl::StripAsciiWhitespace(text)); }

template <std::string (*F)(const std::string&)>
absl::Status EachString(KernelContext& c) {
  for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<std::string>(0)[i] = F(c.in<std::string>(0)[i]);
  return absl::OkStatus();
}
OpSpec EachStringOp(const char* name, KernelSource kernel, std::vector<std::string> attrs, const char* doc) {
  return {.name = name,
          .inputs = {"input: string"},
          .outputs = {"output: string"},
          .attrs = std::move(attrs),
          .shape = SameShape,
          .gradient = kNotDifferentiable,
          .kernel = kernel,
          .iteration = {.split = Split::kFlat},
          .batch = ElementwiseBatch,
          .doc = doc};
}
const char kEncoding[] = "encoding: {'', 'utf-8'} = ''";
template <std::string (*Ascii)(const std::string&), std::string (*Unicode)(const std::string&)>
absl::StatusOr<Kernel> CaseKernel(const KernelSetup& setup) {
  return setup.attr<std::string>("encoding").empty() ? Kernel(EachString<Ascii>) : Kernel(EachString<Unicode>);
}
const OpRegistrar lower(EachStringOp("StringLower", CaseKernel<Lower, LowerUtf8>, {kEncoding},
                                     "Letters in lower case: those of ASCII, or of Unicode with encoding 'utf-8'."));
const OpRegistrar upper(EachStringOp("StringUpper", CaseKernel<Upper, UpperUtf8>, {kEncoding},
                                     "Letters in upper case: those of ASCII, or of Unicode with encoding 'utf-8'."));
const OpRegistrar strip(EachStringOp("StringStrip", EachString<Strip>, {}, "Strings without white space at the ends."));

// Substr: input[pos : pos + len] with broadcasting.
absl::Status SubstrShape(ShapeContext& c) {
  SF_ASSIGN_OR_RETURN(const Shape part, c.input(1).MergeWith(c.input(2)));
  SF_ASSIGN_OR_RETURN(Shape shape, BroadcastShapes(c.input(0), part));
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}

// The offset of output element i in an operand that is broadcast to `out`.
int64_t BroadcastOffset(const Shape& operand, const Shape& out, int64_t i) {
  int64_t offset = 0, stride = 1;
  for (int d = 1; d <= operand.rank(); ++d) {
    const int64_t size = out.dim(-d);
    if (operand.dim(-d) > 1) offset += i % size * stride;
    stride *= operand.dim(-d);
    i /= size;
  }
  return offset;
}

template <typename T>
absl::Status SubstrInto(KernelContext& c, bool characters, bool allocate) {
  if (*c.input(1).shape != *c.input(2).shape) return absl::InvalidArgumentError("pos and len have different shapes");
  if (allocate) {
    SF_ASSIGN_OR_RETURN(const Shape shape, BroadcastShapes(*c.input(0).shape, *c.input(1).shape));
    SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
  }
  const Shape& out = *c.output(0).shape;
  const auto [begin, end] = allocate ? IndexRange{0, c.output(0).num_elements} : c.range();
  for (int64_t i = begin; i < end; ++i) {
    const std::string& text = c.in<std::string>(0)[BroadcastOffset(*c.input(0).shape, out, i)];
    const int64_t at = BroadcastOffset(*c.input(1).shape, out, i);
    const int64_t units = CountUnits(text, characters);
    int64_t pos = c.in<T>(1)[at];
    const int64_t len = std::max<int64_t>(0, c.in<T>(2)[at]);
    if (pos < -units || pos > units) {
      return absl::InvalidArgumentError(absl::StrCat("pos ", pos, " is outside a string of ", units));
    }
    if (pos < 0) pos += units;
    const size_t first = ByteOfUnit(text, pos, characters);
    const size_t last = ByteOfUnit(text, AddSizes(pos, len), characters);
    c.out<std::string>(0)[i] = text.substr(first, last - first);
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> SubstrKernel(const KernelSetup& setup) {
  const bool characters = setup.attr<std::string>("unit") == "UTF8_CHAR";
  const bool allocate = !setup.output_shape(0).IsFullyDefined();
  Kernel kernel;
  DispatchType<int32_t, int64_t>(setup.input_dtype(1), [&]<typename T>() {
    kernel = [=](KernelContext& c) { return SubstrInto<T>(c, characters, allocate); };
  });
  return kernel;
}
const OpRegistrar substr({.name = "Substr",
                          .inputs = {"input: string", "pos: T", "len: T"},
                          .outputs = {"output: string"},
                          .attrs = {"T: indextype", kUnit},
                          .shape = SubstrShape,
                          .gradient = kNotDifferentiable,
                          .kernel = SubstrKernel,
                          .iteration = {.split = Split::kFlat},
                          .batch = ElementwiseBatch,
                          .doc = "Parts of strings."});

}  // namespace

Output StringLength(Operand input, const std::string& unit, const OpOptions& options) {
  return NodeBuilder("StringLength", {input}).Attr("unit", unit).Name(options.name).Build();
}
Output StringLower(Operand input, const StringCaseOptions& o) {
  return NodeBuilder("StringLower", {input}).Attr("encoding", o.encoding).Name(o.name).Build();
}
Output StringUpper(Operand input, const StringCaseOptions& o) {
  return NodeBuilder("StringUpper", {input}).Attr("encoding", o.encoding).Name(o.name).Build();
}
Output StringStrip(Operand input, const OpOptions& o) {
  return NodeBuilder("StringStrip", {input}).Name(o.name).Build();
}
Output Substr(Operand input, Operand pos, Operand len, const SubstrOptions& options) {
  NodeBuilder builder("Substr", {input, pos, len});
  if (pos.is_number() && len.is_number()) builder.Attr("T", DT_INT32);
  return builder.Attr("unit", options.unit).Name(options.name).Build();
}

}  // namespace staticflow
