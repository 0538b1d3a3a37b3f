// Assertions and messages: effects that leave the graph.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "graph/gradients.h"
#include "graph/shape_inference.h"
#include "ops/batch_rules.h"
#include "ops/control_flow.h"
#include "runtime/kernel.h"

namespace staticflow {
namespace {

// The first `summarize` values, "..." when there are more.
void AppendValues(const TensorView& view, int64_t summarize, std::string* out) {
  const int64_t shown = summarize < 0 ? view.num_elements : std::min(summarize, view.num_elements);
  absl::StrAppend(out, "[");
  for (int64_t i = 0; i < shown; ++i) {
    if (i > 0) absl::StrAppend(out, " ");
    DispatchType<float, double>(view.dtype, [&]<typename T>() { absl::StrAppend(out, view.as<T>()[i]); });
    DispatchType<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool>(
        view.dtype, [&]<typename T>() { absl::StrAppend(out, +view.as<T>()[i]); });
    DispatchType<Half, BFloat16>(view.dtype, [&]<typename T>() { absl::StrAppend(out, float(view.as<T>()[i])); });
    if (view.dtype == DT_STRING) absl::StrAppend(out, "\"", view.as<std::string>()[i], "\"");
    if (view.dtype == DT_RESOURCE) absl::StrAppend(out, view.as<ResourceHandle>()[i].name);
  }
  absl::StrAppend(out, shown < view.num_elements ? "...]" : "]");
}

std::string ValuesText(const KernelContext& c, int first, int64_t summarize) {
  std::string text;
  for (int i = first; i < c.num_inputs(); ++i) AppendValues(c.input(i), summarize, &text);
  return text;
}

void Say(KernelContext& c, absl::string_view text) {
  if (c.step().warn != nullptr && *c.step().warn) (*c.step().warn)(text);
}

// Assert: InvalidArgument unless the condition holds.
absl::StatusOr<Kernel> AssertKernel(const KernelSetup& setup) {
  const int64_t summarize = setup.attr<int64_t>("summarize");
  return Kernel([summarize](KernelContext& c) -> absl::Status {
    if (c.input(0).num_elements != 1) return absl::InvalidArgumentError("the condition is no scalar");
    if (c.scalar<bool>(0)) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("assertion failed: ", ValuesText(c, 1, summarize)));
  });
}
absl::Status AssertShape(ShapeContext& c) { return c.WithRank(0, 0).status(); }
const OpRegistrar assert_op({.name = "Assert",
                             .inputs = {"condition: bool", "data: T"},
                             .attrs = {"T: list(type) >= 1", "summarize: int = 3"},
                             .shape = AssertShape,
                             .gradient = kNotDifferentiable,
                             .kernel = AssertKernel,
                             .traits = kStateful | kAlwaysRuns,
                             .doc = "Ends the step with an error unless a condition holds."});

// How often a Print op has run in its session.
struct PrintCount : Resource {
  std::atomic<int64_t> count = 0;
};

// Print: output = input, with a line on the way.   dx = dy.
absl::Status CopyInput(KernelContext& c) {
  const TensorView& in = c.input(0);
  if (in.dtype == DT_STRING) {
    std::copy_n(c.in<std::string>(0), in.num_elements, c.out<std::string>(0));
  } else if (in.dtype == DT_RESOURCE) {
    std::copy_n(c.in<ResourceHandle>(0), in.num_elements, c.out<ResourceHandle>(0));
  } else if (in.bytes() > 0 && in.data != c.output(0).data) {
    std::memcpy(c.output(0).data, in.data, static_cast<size_t>(in.bytes()));
  }
  return absl::OkStatus();
}
absl::StatusOr<Kernel> PrintKernel(const KernelSetup& setup) {
  SF_ASSIGN_OR_RETURN(PrintCount * counter,
                      setup.resources().FindOrCreate<PrintCount>(absl::StrCat("print/", setup.node().name()),
                                                                 [] { return std::make_unique<PrintCount>(); }));
  return Kernel([counter, message = setup.attr<std::string>("message"), first_n = setup.attr<int64_t>("first_n"),
                 summarize = setup.attr<int64_t>("summarize")](KernelContext& c) {
    if (first_n < 0 || counter->count.fetch_add(1) < first_n) {
      Say(c, absl::StrCat(message, ValuesText(c, 1, summarize)));
    }
    return CopyInput(c);
  });
}
void PrintGradient(GradientContext& c) { c.set_dx(0, c.dy(0)); }
const OpRegistrar print_op({.name = "Print",
                            .inputs = {"input: T", "data: U"},
                            .outputs = {"output: T"},
                            .attrs = {"T: type", "U: list(type) >= 0", "message: string = ''", "first_n: int = -1",
                                      "summarize: int = 3"},
                            .shape = SameShape,
                            .gradient = PrintGradient,
                            .kernel = PrintKernel,
                            .traits = kStateful | kAlwaysRuns,
                            .batch = PassBatch,
                            .doc = "Passes its input on and writes a line."});

// PrintV2: writes its input, a string.
absl::StatusOr<Kernel> PrintV2Kernel(const KernelSetup& setup) {
  static constexpr const char* kStreams[] = {"stdout", "stderr", "log(info)", "log(warning)", "log(error)"};
  const std::string& stream = setup.attr<std::string>("output_stream");
  if (stream.substr(0, 7) != "file://" && std::count(std::begin(kStreams), std::end(kStreams), stream) == 0) {
    return absl::InvalidArgumentError(absl::StrCat("output_stream is '", stream,
                                                   "', expected stdout, stderr, log(info), log(warning), log(error) "
                                                   "or file://"));
  }
  return Kernel([end = setup.attr<std::string>("end")](KernelContext& c) -> absl::Status {
    if (c.input(0).num_elements != 1) return absl::InvalidArgumentError("the text is no scalar");
    // The sink ends lines by itself.
    Say(c, absl::StrCat(c.scalar<std::string>(0), end == "\n" ? "" : end));
    return absl::OkStatus();
  });
}
const OpRegistrar print_v2({.name = "PrintV2",
                            .inputs = {"input: string"},
                            .attrs = {"output_stream: string = 'stderr'", "end: string = '\n'"},
                            .shape = AssertShape,
                            .gradient = kNotDifferentiable,
                            .kernel = PrintV2Kernel,
                            .traits = kStateful | kAlwaysRuns,
                            .doc = "Writes a string."});

}  // namespace

Operation Assert(Operand condition, absl::Span<const Output> data, const AssertOptions& options) {
  return NodeBuilder("Assert", {condition})
      .Inputs(data)
      .Attr("summarize", options.summarize)
      .Name(options.name)
      .BuildNode();
}

Output Print(Operand input, absl::Span<const Output> data, const PrintOptions& options) {
  return NodeBuilder("Print", {input})
      .Inputs(data)
      .Attr("message", options.message)
      .Attr("first_n", options.first_n)
      .Attr("summarize", options.summarize)
      .Name(options.name)
      .Build();
}

Operation PrintLine(Operand input, const OpOptions& options) {
  return NodeBuilder("PrintV2", {input}).Name(options.name).BuildNode();
}

}  // namespace staticflow
