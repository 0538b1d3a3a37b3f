// UnicodeTranscode, UnicodeDecode, UnicodeDecodeWithOffsets, UnicodeEncode. Contracts: ops/strings.h.
#include <algorithm>
#include <limits>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "graph/batch_dependence.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/strings.h"
#include "ops/utf8.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

constexpr uint32_t kLargest = 0x10ffff;
constexpr char kErrors[] = "errors: {'strict', 'replace', 'ignore'} = 'replace'",
               kOutputEncoding[] = "output_encoding: {'UTF-8', 'UTF-16-BE', 'UTF-32-BE'}",
               kReplacementChar[] = "replacement_char: int = 65533",
               kReplaceControl[] = "replace_control_characters: bool = false";

bool IsCodePoint(uint32_t c) { return c <= kLargest && (c < 0xd800 || c > 0xdfff); }

// ---- Reading ----

using Reader = TextPiece (*)(absl::string_view);

uint8_t ByteAt(absl::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

template <bool big>
uint32_t Unit16(absl::string_view bytes, size_t i) {
  return big ? uint32_t{ByteAt(bytes, i)} << 8 | ByteAt(bytes, i + 1)
             : uint32_t{ByteAt(bytes, i + 1)} << 8 | ByteAt(bytes, i);
}
template <bool big>
TextPiece ReadUtf16(absl::string_view bytes) {
  if (bytes.size() < 2) return {kReplacementCharacter, bytes.size(), false};
  const uint32_t first = Unit16<big>(bytes, 0);
  if (first < 0xd800 || first > 0xdfff) return {first, 2, true};
  if (first > 0xdbff) return {kReplacementCharacter, 2, false};
  if (bytes.size() < 4) return {kReplacementCharacter, bytes.size(), false};
  const uint32_t second = Unit16<big>(bytes, 2);
  if (second < 0xdc00 || second > 0xdfff) return {kReplacementCharacter, 2, false};
  return {0x10000 + ((first & 0x3ff) << 10 | (second & 0x3ff)), 4, true};
}
template <bool big>
TextPiece ReadUtf32(absl::string_view bytes) {
  if (bytes.size() < 4) return {kReplacementCharacter, bytes.size(), false};
  const uint32_t a = Unit16<big>(bytes, 0), b = Unit16<big>(bytes, 2), code = big ? a << 16 | b : b << 16 | a;
  return {IsCodePoint(code) ? code : kReplacementCharacter, 4, IsCodePoint(code)};
}
TextPiece ReadLatin1(absl::string_view bytes) { return {ByteAt(bytes, 0), 1, true}; }
TextPiece ReadAscii(absl::string_view bytes) {
  const bool valid = ByteAt(bytes, 0) < 0x80;
  return {valid ? ByteAt(bytes, 0) : kReplacementCharacter, 1, valid};
}

// How to read an encoding. "UTF-16" and "UTF-32" tell the order of bytes by a mark, which is no character; without
// one they have the larger byte first.
struct Encoding {
  Reader reader = nullptr;
  Reader swapped = nullptr;
  absl::string_view mark = "", swapped_mark = "";
};
absl::StatusOr<Encoding> EncodingNamed(const std::string& name) {
  std::string plain = absl::AsciiStrToLower(name);
  std::erase_if(plain, [](char c) { return c == '-' || c == '_' || c == ' '; });
  using namespace std::string_view_literals;
  const auto view = [](std::string_view s) { return absl::string_view(s.data(), s.size()); };
  if (plain == "utf8") return Encoding{.reader = ReadUtf8};
  if (plain == "utf16be") return Encoding{.reader = ReadUtf16<true>};
  if (plain == "utf16le") return Encoding{.reader = ReadUtf16<false>};
  if (plain == "utf16") return Encoding{ReadUtf16<true>, ReadUtf16<false>, view("\xfe\xff"sv), view("\xff\xfe"sv)};
  if (plain == "utf32be") return Encoding{.reader = ReadUtf32<true>};
  if (plain == "utf32le") return Encoding{.reader = ReadUtf32<false>};
  if (plain == "utf32") {
    return Encoding{ReadUtf32<true>, ReadUtf32<false>, view("\0\0\xfe\xff"sv), view("\xff\xfe\0\0"sv)};
  }
  if (plain == "latin1" || plain == "iso88591") return Encoding{.reader = ReadLatin1};
  if (plain == "usascii" || plain == "ascii") return Encoding{.reader = ReadAscii};
  return absl::InvalidArgumentError(
      absl::StrCat("input_encoding is '", name, "', expected a form of UTF-8, UTF-16 or UTF-32, Latin-1 or ASCII"));
}

// What happens to what is no character.
struct ErrorPolicy {
  bool strict = false, ignore = false, replace_control = false;
  uint32_t replacement = kReplacementCharacter;
};
absl::StatusOr<ErrorPolicy> PolicyOf(const KernelSetup& setup) {
  const std::string& errors = setup.attr<std::string>("errors");
  const int64_t replacement = setup.attr<int64_t>("replacement_char");
  if (replacement < 0 || replacement > int64_t{kLargest}) {
    return absl::InvalidArgumentError(absl::StrCat("replacement_char is ", replacement, ", no code point"));
  }
  ErrorPolicy policy = {.strict = errors == "strict", .ignore = errors == "ignore"};
  policy.replacement =
      IsCodePoint(static_cast<uint32_t>(replacement)) ? static_cast<uint32_t>(replacement) : kReplacementCharacter;
  if (setup.node().op().FindAttr("replace_control_characters") != nullptr) {
    policy.replace_control = setup.attr<bool>("replace_control_characters");
  }
  return policy;
}

// Calls emit(code point, offset) for what is read.
template <typename Emit>
absl::Status ReadAll(absl::string_view bytes, const Encoding& encoding, const ErrorPolicy& policy, Emit emit) {
  Reader reader = encoding.reader;
  size_t at = 0;
  if (!encoding.mark.empty()) {
    const absl::string_view front = bytes.substr(0, encoding.mark.size());
    if (front == encoding.swapped_mark) reader = encoding.swapped;
    if (front == encoding.mark || front == encoding.swapped_mark) at = front.size();
  }
  while (at < bytes.size()) {
    const TextPiece piece = reader(bytes.substr(at));
    const bool good = piece.valid && !(policy.replace_control && piece.code < 0x20);
    if (!good && policy.strict) {
      return absl::InvalidArgumentError(absl::StrCat("byte ", at, " of a string begins no valid character"));
    }
    if (good || !policy.ignore) emit(good ? piece.code : policy.replacement, at);
    at += piece.size;
  }
  return absl::OkStatus();
}

// ---- Writing ----

enum class OutputEncoding { kUtf8, kUtf16, kUtf32 };
OutputEncoding OutputOf(const KernelSetup& setup) {
  const std::string& name = setup.attr<std::string>("output_encoding");
  return name == "UTF-8"       ? OutputEncoding::kUtf8
         : name == "UTF-16-BE" ? OutputEncoding::kUtf16
                               : OutputEncoding::kUtf32;
}
void AppendBytes(std::string* text, uint32_t value, int count) {
  for (int i = count - 1; i >= 0; --i) text->push_back(static_cast<char>(value >> (8 * i)));
}
// REQUIRES: IsCodePoint(code).
void Write(OutputEncoding encoding, uint32_t code, std::string* text) {
  if (encoding == OutputEncoding::kUtf32) return AppendBytes(text, code, 4);
  if (encoding == OutputEncoding::kUtf16) {
    if (code < 0x10000) return AppendBytes(text, code, 2);
    AppendBytes(text, 0xd800 | (code - 0x10000) >> 10, 2);
    return AppendBytes(text, 0xdc00 | (code & 0x3ff), 2);
  }
  AppendUtf8(code, text);
}

// ---- The ops ----

// UnicodeTranscode: each string in another encoding.
absl::StatusOr<Kernel> TranscodeKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Encoding from, EncodingNamed(setup.attr<std::string>("input_encoding")));
  SF_ASSIGN_OR_RETURN(const ErrorPolicy policy, PolicyOf(setup));
  return Kernel([from, policy, to = OutputOf(setup)](KernelContext& c) -> absl::Status {
    for (int64_t i = 0; i < c.input(0).num_elements; ++i) {
      std::string text;
      SF_RETURN_IF_ERROR(
          ReadAll(c.in<std::string>(0)[i], from, policy, [&](uint32_t code, size_t) { Write(to, code, &text); }));
      c.out<std::string>(0)[i] = std::move(text);
    }
    return absl::OkStatus();
  });
}
const OpRegistrar transcode({.name = "UnicodeTranscode",
                             .inputs = {"input: string"},
                             .outputs = {"output: string"},
                             .attrs = {"input_encoding: string", kOutputEncoding, kErrors, kReplacementChar,
                                       kReplaceControl},
                             .shape = SameShape,
                             .gradient = kNotDifferentiable,
                             .kernel = TranscodeKernel,
                             .batch = ElementwiseBatch,
                             .doc = "Strings in another Unicode encoding."});

// UnicodeDecode(WithOffsets): the code points of all strings, and where each string's begin.
absl::Status DecodeShape(ShapeContext& c) {
  const Shape& input = c.input(0);
  const int64_t n = input.IsFullyDefined() ? AddSizes(input.num_elements(), 1) : Shape::kUnknownDim;
  c.set_output(0, {n});
  for (int i = 1; i < c.num_outputs(); ++i) c.set_output(i, {Shape::kUnknownDim});
  return absl::OkStatus();
}
template <typename Splits>
absl::Status Decode(KernelContext& c, const Encoding& encoding, const ErrorPolicy& policy, bool allocate_splits) {
  const int64_t n = c.input(0).num_elements;
  if (allocate_splits) SF_RETURN_IF_ERROR(c.AllocateOutput(0, {n + 1}));
  std::vector<std::pair<uint32_t, size_t>> characters;
  c.out<Splits>(0)[0] = 0;
  for (int64_t i = 0; i < n; ++i) {
    SF_RETURN_IF_ERROR(ReadAll(c.in<std::string>(0)[i], encoding, policy, [&](uint32_t code, size_t at) {
      characters.push_back({code, at});
    }));
    if (static_cast<int64_t>(characters.size()) > int64_t{std::numeric_limits<Splits>::max()}) {
      return absl::InvalidArgumentError("there are more characters than Tsplits can count");
    }
    c.out<Splits>(0)[i + 1] = static_cast<Splits>(characters.size());
  }
  const int64_t count = static_cast<int64_t>(characters.size());
  for (int i = 1; i < c.num_outputs(); ++i) SF_RETURN_IF_ERROR(c.AllocateOutput(i, {count}));
  for (int64_t i = 0; i < count; ++i) {
    c.out<int32_t>(1)[i] = static_cast<int32_t>(characters[static_cast<size_t>(i)].first);
    if (c.num_outputs() == 3) c.out<int64_t>(2)[i] = static_cast<int64_t>(characters[static_cast<size_t>(i)].second);
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> DecodeKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const Encoding encoding, EncodingNamed(setup.attr<std::string>("input_encoding")));
  SF_ASSIGN_OR_RETURN(const ErrorPolicy policy, PolicyOf(setup));
  const bool allocate = !setup.output_shape(0).IsFullyDefined(), wide = setup.output_dtype(0) == DT_INT64;
  return Kernel([=](KernelContext& c) {
    return wide ? Decode<int64_t>(c, encoding, policy, allocate) : Decode<int32_t>(c, encoding, policy, allocate);
  });
}
OpSpec DecodeOp(std::string name, std::string doc) {
  return {.name = std::move(name),
          .inputs = {"input: string"},
          .outputs = {"row_splits: Tsplits", "char_values: int32"},
          .attrs = {"input_encoding: string", kErrors, kReplacementChar, kReplaceControl,
                    "Tsplits: {int32, int64} = int64"},
          .shape = DecodeShape,
          .gradient = kNotDifferentiable,
          .kernel = DecodeKernel,
          .doc = std::move(doc)};
}
OpSpec WithOffsets(OpSpec spec) {
  spec.outputs.push_back("char_to_byte_starts: int64");
  return spec;
}
const OpRegistrar decode(DecodeOp("UnicodeDecode", "The code points of strings."));
const OpRegistrar decode_with_offsets(WithOffsets(DecodeOp("UnicodeDecodeWithOffsets",
                                                           "The code points of strings, and where each begins.")));

// UnicodeEncode: strings of code points.
absl::Status EncodeShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(0, 1).status());
  SF_ASSIGN_OR_RETURN(const Shape splits, c.WithRank(1, 1));
  if (splits.dim(0) == 0) return absl::InvalidArgumentError("input_splits is empty, expected at least one number");
  c.set_output(0, {splits.dim(0) == Shape::kUnknownDim ? Shape::kUnknownDim : splits.dim(0) - 1});
  return absl::OkStatus();
}
int64_t SplitAt(const TensorView& splits, int64_t i) {
  return splits.dtype == DT_INT64 ? splits.as<int64_t>()[i] : int64_t{splits.as<int32_t>()[i]};
}
absl::Status Encode(KernelContext& c, const ErrorPolicy& policy, OutputEncoding encoding) {
  const TensorView& splits = c.input(1);
  const int64_t n = splits.num_elements - 1, count = c.input(0).num_elements;
  if (SplitAt(splits, 0) != 0 || SplitAt(splits, n) != count) {
    return absl::InvalidArgumentError(absl::StrCat("input_splits goes from ", SplitAt(splits, 0), " to ",
                                                   SplitAt(splits, n), ", expected from 0 to ", count));
  }
  for (int64_t i = 0; i < n; ++i) {
    if (SplitAt(splits, i + 1) < SplitAt(splits, i)) {
      return absl::InvalidArgumentError(absl::StrCat("input_splits[", i + 1, "] is less than the one before"));
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    std::string text;
    for (int64_t k = SplitAt(splits, i); k < SplitAt(splits, i + 1); ++k) {
      const uint32_t code = static_cast<uint32_t>(c.in<int32_t>(0)[k]);
      const bool good = IsCodePoint(code);
      if (!good && policy.strict) {
        return absl::InvalidArgumentError(
            absl::StrCat("input_values[", k, "] is ", c.in<int32_t>(0)[k], ", no code point or a surrogate"));
      }
      if (good || !policy.ignore) Write(encoding, good ? code : policy.replacement, &text);
    }
    c.out<std::string>(0)[i] = std::move(text);
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> EncodeKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(const ErrorPolicy policy, PolicyOf(setup));
  return Kernel([policy, encoding = OutputOf(setup)](KernelContext& c) { return Encode(c, policy, encoding); });
}
const OpRegistrar encode({.name = "UnicodeEncode",
                          .inputs = {"input_values: int32", "input_splits: Tsplits"},
                          .outputs = {"output: string"},
                          .attrs = {"errors: {'ignore', 'replace', 'strict'} = 'replace'", kOutputEncoding,
                                    kReplacementChar, "Tsplits: {int32, int64} = int64"},
                          .shape = EncodeShape,
                          .gradient = kNotDifferentiable,
                          .kernel = EncodeKernel,
                          .doc = "Strings of code points."});

}  // namespace

Output UnicodeTranscode(Operand input, const std::string& input_encoding, const std::string& output_encoding,
                        const UnicodeOptions& options) {
  return NodeBuilder("UnicodeTranscode", {input})
      .Attr("input_encoding", input_encoding)
      .Attr("output_encoding", output_encoding)
      .Attr("errors", options.errors)
      .Attr("replacement_char", options.replacement_char)
      .Attr("replace_control_characters", options.replace_control_characters)
      .Name(options.name)
      .Build();
}
UnicodeCharacters UnicodeDecode(Operand input, const std::string& input_encoding, const UnicodeOptions& options) {
  Node* node = NodeBuilder("UnicodeDecodeWithOffsets", {input})
                   .Attr("input_encoding", input_encoding)
                   .Attr("errors", options.errors)
                   .Attr("replacement_char", options.replacement_char)
                   .Attr("replace_control_characters", options.replace_control_characters)
                   .Name(options.name)
                   .BuildNode();
  if (node == nullptr) return {};
  return {node->output(0), node->output(1), node->output(2)};
}
Output UnicodeEncode(Operand input_values, Operand input_splits, const std::string& output_encoding,
                     const UnicodeOptions& options) {
  return NodeBuilder("UnicodeEncode", {input_values, input_splits})
      .Attr("errors", options.errors)
      .Attr("output_encoding", output_encoding)
      .Attr("replacement_char", options.replacement_char)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
