// sf explain: what a step of the graph in a file runs.
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/explain.h"
#include "runtime/profile.h"
#include "tools/sf.h"

namespace staticflow {
namespace {

// The feeds for one step: those given, zeros for the others.
absl::StatusOr<std::vector<Tensor>> StepFeeds(const SfSignature& what, const Explanation& plan) {
  std::vector<Tensor> feeds;
  for (size_t i = 0; i < what.signature.feeds.size(); ++i) {
    SF_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(what.signature.feeds[i].dtype(), plan.feed_shapes[i]));
    for (const auto& [feed, value] : what.values) {
      if (feed == what.signature.feeds[i]) tensor = value;
    }
    feeds.push_back(std::move(tensor));
  }
  return feeds;
}

}  // namespace

absl::StatusOr<int> SfExplain(const SfArguments& arguments, std::ostream& out) {
  if (arguments.format != "text" && arguments.format != "dot" && arguments.format != "trace") {
    return absl::InvalidArgumentError(absl::StrCat("--format=", arguments.format, ", expected text, dot or trace"));
  }
  int code = 0;
  for (const std::string& path : arguments.files) {
    SF_ASSIGN_OR_RETURN(const ModelFile file, OpenModelFile(path));
    SF_ASSIGN_OR_RETURN(const SfSignature what, ReadSignature(file, arguments));
    Session session(*file.graph, {.threads = 1});
    ExplainOptions options;
    for (Output feed : what.signature.feeds) {
      Shape shape = feed.shape();
      if (shape.rank() > 0 && shape.dim(0) < 0 && arguments.batch_size > 0) shape.set_dim(0, arguments.batch_size);
      options.feed_shapes.push_back(shape);
    }
    for (const auto& [feed, value] : what.values) {
      if (value.dtype() == DT_BOOL) options.feed_values.push_back({feed, value.scalar<bool>()});
    }
    SF_ASSIGN_OR_RETURN(const Explanation plan, session.Explain(what.signature, options));
    if (arguments.format == "text") out << path << "\n" << ExplanationText(plan);
    if (arguments.format == "dot") out << ExplanationDot(plan);
    if (arguments.format == "trace") {
      SF_RETURN_IF_ERROR(Initialize(file, arguments, session));
      SF_ASSIGN_OR_RETURN(const std::vector<Tensor> feeds, StepFeeds(what, plan));
      SF_ASSIGN_OR_RETURN(const Step step, session.Prepare(what.signature));
      SF_RETURN_IF_ERROR(step.Run(feeds).status());  // the first one also touches its memory
      StepProfile profile;
      SF_RETURN_IF_ERROR(step.Run(feeds, {.profile = &profile}).status());
      out << ExplanationTrace(plan, profile);
    }
    if (!plan.strays.empty() || !plan.missing_feeds.empty() || !plan.races.empty()) code = 1;
  }
  return code;
}

}  // namespace staticflow
