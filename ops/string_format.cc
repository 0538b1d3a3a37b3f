// StringFormat: text with tensors in it. Contract: ops/strings.h.
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/elementwise.h"
#include "ops/strings.h"

namespace staticflow {
namespace {

// The shortest of two precisions that reads back as the same number.
template <typename T>
std::string ShortFloat(T value, int digits, int more_digits) {
  char buffer[40];
  std::snprintf(buffer, sizeof(buffer), "%.*g", digits, static_cast<double>(value));
  const T read = static_cast<T>(std::is_same_v<T, float> ? std::strtof(buffer, nullptr) : std::strtod(buffer, nullptr));
  if (read != value && value == value) {
    std::snprintf(buffer, sizeof(buffer), "%.*g", more_digits, static_cast<double>(value));
  }
  return buffer;
}

std::string ElementText(const TensorView& view, int64_t i) {
  std::string text;
  DispatchType<Half, BFloat16>(view.dtype, [&]<typename T>() { text = ShortFloat(float(view.as<T>()[i]), 6, 9); });
  DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool>(
      view.dtype, [&]<typename T>() { text = absl::StrCat(+view.as<T>()[i]); });
  if (view.dtype == DT_FLOAT) text = ShortFloat(view.as<float>()[i], 6, 9);
  if (view.dtype == DT_DOUBLE) text = ShortFloat(view.as<double>()[i], 15, 17);
  if (view.dtype == DT_STRING) text = absl::StrCat("\"", view.as<std::string>()[i], "\"");
  return text;
}

// The part of the tensor from `offset` on, from dimension `dim` on: "[1 2 3 ... 6 7 8]".
void AppendPart(const TensorView& view, int dim, int64_t offset, int64_t summarize, std::string& text) {
  if (dim == view.rank()) {
    absl::StrAppend(&text, ElementText(view, offset));
    return;
  }
  const int64_t size = view.dim(dim), stride = view.shape->num_elements(dim + 1, view.rank());
  const bool shorten = summarize >= 0 && size - summarize > summarize;
  const int below = view.rank() - dim - 1;
  const std::string separator = below == 0 ? " " : absl::StrCat(std::string(below, '\n'), std::string(dim + 1, ' '));
  absl::StrAppend(&text, "[");
  for (int64_t i = 0; i < size; ++i) {
    if (i > 0) absl::StrAppend(&text, separator);
    if (shorten && i == summarize) {
      absl::StrAppend(&text, "...", separator);
      i = size - summarize;
      if (i == size) break;
    }
    AppendPart(view, dim + 1, offset + i * stride, summarize, text);
  }
  absl::StrAppend(&text, "]");
}

absl::StatusOr<Kernel> FormatKernel(const KernelSetup& setup) {
  const std::string& text = setup.attr<std::string>("template");
  const std::string& placeholder = setup.attr<std::string>("placeholder");
  if (placeholder.empty()) return absl::InvalidArgumentError("placeholder is empty");
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end = text.find(placeholder); end != std::string::npos; end = text.find(placeholder, begin)) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + placeholder.size();
  }
  parts.push_back(text.substr(begin));
  if (parts.size() != static_cast<size_t>(setup.num_inputs()) + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the template has ", parts.size() - 1, " of the placeholder for ", setup.num_inputs(), " inputs"));
  }
  return Kernel([parts, summarize = setup.attr<int64_t>("summarize")](KernelContext& c) {
    std::string result = parts[0];
    for (int i = 0; i < c.num_inputs(); ++i) {
      AppendPart(c.input(i), 0, 0, summarize, result);
      absl::StrAppend(&result, parts[i + 1]);
    }
    *c.out<std::string>(0) = std::move(result);
    return absl::OkStatus();
  });
}
const OpRegistrar format({.name = "StringFormat",
                          .inputs = {"inputs: T"},
                          .outputs = {"output: string"},
                          .attrs = {"T: list(type) >= 0", "template: string = '%s'", "placeholder: string = '%s'",
                                    "summarize: int = 3"},
                          .shape = ScalarShape,
                          .gradient = kNotDifferentiable,
                          .kernel = FormatKernel,
                          .doc = "Text with tensors in place of placeholders."});

}  // namespace

Output StringFormat(const std::string& text, absl::Span<const Output> inputs, const StringFormatOptions& options) {
  return NodeBuilder("StringFormat", {})
      .Inputs(inputs)
      .Attr("template", text)
      .Attr("placeholder", options.placeholder)
      .Attr("summarize", options.summarize)
      .Name(options.name)
      .Build();
}

}  // namespace staticflow
