// AsString, StringToNumber, EncodeBase64, DecodeBase64, DecodeRaw. Contracts: ops/strings.h.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/elementwise.h"
#include "ops/strings.h"

namespace staticflow {
namespace {

OpSpec OnStrings(OpSpec spec) {
  spec.shape = SameShape;
  spec.gradient = kNotDifferentiable;
  spec.iteration = {.split = Split::kFlat};
  return spec;
}

// printf with the one value that `format` names.
template <typename T>
std::string Print(const std::string& format, T value) {
  char buffer[64];
  const int length = std::snprintf(buffer, sizeof(buffer), format.c_str(), value);
  if (length < static_cast<int>(sizeof(buffer))) return std::string(buffer, std::max(length, 0));
  std::string text(length, '\0');
  std::snprintf(text.data(), text.size() + 1, format.c_str(), value);
  return text;
}

absl::StatusOr<std::string> NumberFormat(const KernelSetup& setup) {
  const int64_t precision = setup.attr<int64_t>("precision"), width = setup.attr<int64_t>("width");
  const bool scientific = setup.attr<bool>("scientific"), shortest = setup.attr<bool>("shortest");
  const std::string& fill = setup.attr<std::string>("fill");
  const DataType dtype = setup.input_dtype(0);
  constexpr int64_t kMost = 4096;
  if (fill.size() > 1 || (!fill.empty() && !absl::StrContains(" +-0#", fill))) {
    return absl::InvalidArgumentError(absl::StrCat("fill '", fill, "' is none of ' ', '+', '-', '0', '#'"));
  }
  if (precision > kMost || width > kMost) return absl::InvalidArgumentError("width or precision is above 4096");
  if (scientific && shortest) return absl::InvalidArgumentError("scientific and shortest exclude each other");
  if (!IsFloating(dtype) && (scientific || shortest || precision > -1)) {
    return absl::InvalidArgumentError("scientific, shortest and precision are for floating types");
  }
  std::string format = absl::StrCat("%", fill);
  if (width > -1) absl::StrAppend(&format, width);
  if (precision > -1) absl::StrAppend(&format, ".", precision);
  return absl::StrCat(format, !IsFloating(dtype) ? "lld" : shortest ? "g" : scientific ? "e" : "f");
}

// AsString: numbers as text.
absl::StatusOr<Kernel> AsStringKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(std::string format, NumberFormat(setup));
  Kernel kernel;
  const auto convert = [&]<typename T>(auto text) {
    kernel = [text](KernelContext& c) {
      for (int64_t i = c.range().begin; i < c.range().end; ++i) c.out<std::string>(0)[i] = text(c.in<T>(0)[i]);
      return absl::OkStatus();
    };
  };
  DispatchType<float, double, Half, BFloat16>(setup.input_dtype(0), [&]<typename T>() {
    convert.template operator()<T>([format](const T& x) { return Print(format, static_cast<double>(Widen(x))); });
  });
  DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t>(setup.input_dtype(0), [&]<typename T>() {
    convert.template operator()<T>([format](T x) { return Print(format, static_cast<long long>(x)); });
  });
  DispatchType<uint64_t>(setup.input_dtype(0), [&]<typename T>() {
    format.replace(format.size() - 3, 3, "llu");
    convert.template operator()<T>([format](T x) { return Print(format, static_cast<unsigned long long>(x)); });
  });
  if (setup.input_dtype(0) == DT_BOOL) {
    convert.template operator()<bool>([](bool x) { return std::string(x ? "true" : "false"); });
  }
  if (setup.input_dtype(0) == DT_STRING)
    convert.template operator()<std::string>([](const std::string& x) { return x; });
  if (!kernel) return NoKernelFor(setup, setup.input_dtype(0));
  return kernel;
}
const OpRegistrar as_string(OnStrings({.name = "AsString",
                                       .inputs = {"input: T"},
                                       .outputs = {"output: string"},
                                       .attrs = {"T: {float, double, int32, uint8, int16, int8, int64, bfloat16, "
                                                 "uint16, half, uint32, uint64, bool, string}",
                                                 "precision: int = -1", "scientific: bool = false",
                                                 "shortest: bool = false", "width: int = -1", "fill: string = ''"},
                                       .kernel = AsStringKernel,
                                       .batch = ElementwiseBatch,
                                       .doc = "Numbers as text."}));

// StringToNumber: text as numbers.
bool ParseNumber(const std::string& text, float* value) { return absl::SimpleAtof(text, value); }
bool ParseNumber(const std::string& text, double* value) { return absl::SimpleAtod(text, value); }
template <typename T>
bool ParseNumber(const std::string& text, T* value) {
  return absl::SimpleAtoi(text, value);
}
absl::StatusOr<Kernel> StringToNumberKernel(const KernelSetup& setup) {
  Kernel kernel;
  DispatchType<float, double, int32_t, int64_t, uint32_t, uint64_t>(setup.output_dtype(0), [&]<typename T>() {
    kernel = [](KernelContext& c) -> absl::Status {
      for (int64_t i = c.range().begin; i < c.range().end; ++i) {
        const std::string& text = c.in<std::string>(0)[i];
        if (!ParseNumber(text, c.out<T>(0) + i)) {
          return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no ", DataTypeName(kDataTypeOf<T>)));
        }
      }
      return absl::OkStatus();
    };
  });
  if (!kernel) return NoKernelFor(setup, setup.output_dtype(0));
  return kernel;
}
const OpRegistrar string_to_number(
    OnStrings({.name = "StringToNumber",
               .inputs = {"string_tensor: string"},
               .outputs = {"output: out_type"},
               .attrs = {"out_type: {float, double, int32, int64, uint32, uint64} = float"},
               .kernel = StringToNumberKernel,
               .batch = ElementwiseBatch,
               .doc = "Text as numbers."}));

// EncodeBase64, DecodeBase64.
absl::StatusOr<Kernel> EncodeKernel(const KernelSetup& setup) {
  const bool pad = setup.attr<bool>("pad");
  return Kernel([pad](KernelContext& c) {
    for (int64_t i = c.range().begin; i < c.range().end; ++i) {
      std::string text = absl::WebSafeBase64Escape(c.in<std::string>(0)[i]);
      if (pad) text.append((4 - text.size() % 4) % 4, '=');
      c.out<std::string>(0)[i] = std::move(text);
    }
    return absl::OkStatus();
  });
}
absl::Status DecodeKernel(KernelContext& c) {
  for (int64_t i = c.range().begin; i < c.range().end; ++i) {
    const std::string& text = c.in<std::string>(0)[i];
    const bool blank = std::any_of(text.begin(), text.end(), [](char ch) { return absl::ascii_isspace(ch); });
    if (blank || !absl::WebSafeBase64Unescape(text, c.out<std::string>(0) + i)) {
      return absl::InvalidArgumentError(absl::StrCat("element ", i, " is no base64"));
    }
  }
  return absl::OkStatus();
}
const OpRegistrar encode_base64(OnStrings({.name = "EncodeBase64",
                                           .inputs = {"input: string"},
                                           .outputs = {"output: string"},
                                           .attrs = {"pad: bool = false"},
                                           .kernel = EncodeKernel,
                                           .batch = ElementwiseBatch,
                                           .doc = "Bytes as base64."}));
const OpRegistrar decode_base64(OnStrings({.name = "DecodeBase64",
                                           .inputs = {"input: string"},
                                           .outputs = {"output: string"},
                                           .kernel = DecodeKernel,
                                           .batch = ElementwiseBatch,
                                           .doc = "Base64 as bytes."}));

// DecodeRaw: the bytes of strings of one length as elements of a type: bytes.shape + [n].
absl::Status DecodeRawShape(ShapeContext& c) {
  Shape shape = c.input(0);
  if (shape.has_rank()) {
    shape.push_back(Shape::kUnknownDim);
    c.set_output(0, std::move(shape));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DecodeRawKernel(const KernelSetup& setup) {
  const DataType dtype = setup.output_dtype(0);
  const size_t size = static_cast<size_t>(DataTypeSize(dtype));
  const bool swap = !setup.attr<bool>("little_endian") && size > 1;
  return Kernel([=](KernelContext& c) -> absl::Status {
    const absl::Span<std::string> strings = c.input(0).flat<std::string>();
    const size_t length = strings.empty() ? 0 : strings[0].size();
    for (const std::string& text : strings) {
      if (text.size() != length) {
        return absl::InvalidArgumentError(
            absl::StrCat("strings of ", length, " and of ", text.size(), " bytes, expected one length"));
      }
    }
    if (length % size != 0) {
      return absl::InvalidArgumentError(absl::StrCat(length, " bytes are no whole number of elements of ", size));
    }
    Shape shape = *c.input(0).shape;
    shape.push_back(static_cast<int64_t>(length / size));
    SF_RETURN_IF_ERROR(c.AllocateOutput(0, shape));
    char* out = c.out<char>(0);
    for (const std::string& text : strings) out = std::copy(text.begin(), text.end(), out);
    char* begin = c.out<char>(0);
    for (; swap && begin < out; begin += size) std::reverse(begin, begin + size);
    if (dtype == DT_BOOL) {
      for (char* b = c.out<char>(0); b < out; ++b) *b = *b != 0;
    }
    return absl::OkStatus();
  });
}
const OpRegistrar decode_raw({.name = "DecodeRaw",
                              .inputs = {"bytes: string"},
                              .outputs = {"output: out_type"},
                              .attrs = {"out_type: {half, float, double, int32, uint16, uint8, int16, int8, int64, "
                                        "bool, bfloat16}",
                                        "little_endian: bool = true"},
                              .shape = DecodeRawShape,
                              .gradient = kNotDifferentiable,
                              .kernel = DecodeRawKernel,
                              .doc = "The bytes of strings as numbers."});

}  // namespace

Output AsString(Operand input, const AsStringOptions& options) {
  return NodeBuilder("AsString", {input})
      .Attr("precision", options.precision)
      .Attr("scientific", options.scientific)
      .Attr("shortest", options.shortest)
      .Attr("width", options.width)
      .Attr("fill", options.fill)
      .Name(options.name)
      .Build();
}
Output StringToNumber(Operand input, DataType out_type, const OpOptions& options) {
  return NodeBuilder("StringToNumber", {input}).Attr("out_type", out_type).Name(options.name).Build();
}
Output EncodeBase64(Operand input, bool pad, const OpOptions& options) {
  return NodeBuilder("EncodeBase64", {input}).Attr("pad", pad).Name(options.name).Build();
}
Output DecodeBase64(Operand input, const OpOptions& options) {
  return NodeBuilder("DecodeBase64", {input}).Name(options.name).Build();
}

}  // namespace staticflow
