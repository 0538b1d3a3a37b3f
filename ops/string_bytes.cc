// DecodePaddedRaw, DecodeCompressed. Contracts: ops/strings.h.
#include <zlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "graph/batch_dependence.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/array_shapes.h"
#include "ops/strings.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// DecodePaddedRaw: the first bytes of each string, or zeros behind it, as elements of a type.
absl::Status PaddedShape(ShapeContext& c) {
  SF_RETURN_IF_ERROR(c.WithRank(1, 0).status());
  SF_ASSIGN_OR_RETURN(const auto length, ScalarFromInput(c, 1));
  Shape shape = c.input(0);
  if (length.has_value()) {
    const int64_t size = DataTypeSize(c.node().output_dtype(0));
    if (*length <= 0 || *length % size != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("fixed_length is ", *length, ", expected a multiple of ", size, " above 0"));
    }
    if (shape.has_rank()) shape.push_back(*length / size);
  } else if (shape.has_rank()) {
    shape.push_back(Shape::kUnknownDim);
  }
  c.set_output(0, std::move(shape));
  return absl::OkStatus();
}
absl::StatusOr<Kernel> PaddedKernel(const KernelSetup& setup) {
  const int64_t size = DataTypeSize(setup.output_dtype(0));
  const bool swap = !setup.attr<bool>("little_endian") && size > 1;
  return Kernel([=](KernelContext& c) {
    const int64_t length = c.scalar<int32_t>(1);
    char* out = c.out<char>(0);
    for (const std::string& text : c.input(0).flat<std::string>()) {
      const int64_t given = std::min(length, static_cast<int64_t>(text.size()));
      std::fill(std::copy_n(text.begin(), given, out), out + length, '\0');
      for (int64_t i = 0; swap && i < length; i += size) std::reverse(out + i, out + i + size);
      out += length;
    }
    return absl::OkStatus();
  });
}
const OpRegistrar padded({.name = "DecodePaddedRaw",
                          .inputs = {"input_bytes: string", "fixed_length: int32"},
                          .outputs = {"output: out_type"},
                          .attrs = {"out_type: {float, double, int32, uint16, uint8, int16, int8, int64, bfloat16}",
                                    "little_endian: bool = true"},
                          .shape = PaddedShape,
                          .gradient = kNotDifferentiable,
                          .kernel = PaddedKernel,
                          .doc = "So many bytes of each string as numbers, zeros where it is shorter."});

// DecodeCompressed: what was compressed by zlib or gzip.
constexpr size_t kMaxBytes = size_t{1} << 31;

// One stream of either format, or as much as there is of it; the window's size plus 16 stands for gzip.
absl::StatusOr<std::string> Inflate(const std::string& bytes, int window_bits) {
  if (bytes.empty()) return std::string();
  if (bytes.size() > kMaxBytes) return absl::ResourceExhaustedError("the string is larger than 2 GiB");
  z_stream stream = {};
  if (inflateInit2(&stream, window_bits) != Z_OK) return absl::InternalError("zlib cannot be used");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  int result = Z_OK;
  while (result == Z_OK && text.size() <= kMaxBytes) {
    constexpr size_t kStep = 65536;
    const size_t before = text.size();
    text.resize(before + kStep);
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + before);
    stream.avail_out = kStep;
    result = inflate(&stream, Z_NO_FLUSH);
    text.resize(before + kStep - stream.avail_out);
    if (result == Z_BUF_ERROR || (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) break;
  }
  const std::string reason = stream.msg == nullptr ? "not valid" : stream.msg;
  inflateEnd(&stream);
  if (text.size() > kMaxBytes) return absl::ResourceExhaustedError("the contents are larger than 2 GiB");
  if (result != Z_STREAM_END && result != Z_OK && result != Z_BUF_ERROR) {
    return absl::DataLossError(absl::StrCat("the string cannot be decompressed: ", reason));
  }
  return text;
}
absl::StatusOr<Kernel> CompressedKernel(const KernelSetup& setup) {
  const std::string& type = setup.attr<std::string>("compression_type");
  if (type != "" && type != "ZLIB" && type != "GZIP") {
    return absl::InvalidArgumentError(absl::StrCat("compression_type is '", type, "', expected '', ZLIB or GZIP"));
  }
  const int window_bits = type == "GZIP" ? MAX_WBITS + 16 : MAX_WBITS;
  return Kernel([is_plain = type.empty(), window_bits](KernelContext& c) -> absl::Status {
    for (int64_t i = 0; i < c.input(0).num_elements; ++i) {
      std::string text = c.in<std::string>(0)[i];
      if (!is_plain) {
        SF_ASSIGN_OR_RETURN(text, Inflate(text, window_bits));
      }
      c.out<std::string>(0)[i] = std::move(text);
    }
    return absl::OkStatus();
  });
}
const OpRegistrar compressed({.name = "DecodeCompressed",
                              .inputs = {"bytes: string"},
                              .outputs = {"output: string"},
                              .attrs = {"compression_type: string = ''"},
                              .shape = SameShape,
                              .gradient = kNotDifferentiable,
                              .kernel = CompressedKernel,
                              .batch = ElementwiseBatch,
                              .doc = "Strings that were compressed by zlib or gzip."});

}  // namespace

Output DecodePaddedRaw(Operand input_bytes, Operand fixed_length, DataType out_type, const OpOptions& options) {
  return NodeBuilder("DecodePaddedRaw", {input_bytes, fixed_length})
      .Attr("out_type", out_type)
      .Name(options.name)
      .Build();
}
Output DecodeCompressed(Operand bytes, const std::string& compression_type, const OpOptions& options) {
  return NodeBuilder("DecodeCompressed", {bytes}).Attr("compression_type", compression_type).Name(options.name).Build();
}

}  // namespace staticflow
