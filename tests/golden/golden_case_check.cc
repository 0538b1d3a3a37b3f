#include "tests/golden/golden_case_check.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "graph/gradients.h"
#include "graph/meta_graph.h"
#include "graph/node_builder.h"
#include "graph/tensor_proto.h"
#include "proto/tensor.pb.h"
#include "runtime/session.h"
#include "tests/golden/golden_case.pb.h"

namespace staticflow {
namespace {

namespace fs = std::filesystem;
using absl::StrCat;

constexpr absl::string_view kTemporaryFolder = "@TMP@";

// A folder that lives as long as the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* root = std::getenv("TEST_TMPDIR");
    path_ = StrCat(root != nullptr ? root : "/tmp", "/golden_XXXXXX");
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

absl::StatusOr<golden::GoldenCase> ReadCase(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  golden::GoldenCase message;
  if (!file || !message.ParseFromIstream(&file)) return absl::DataLossError("the file is no golden case");
  return message;
}

absl::StatusOr<Tensor> ReadTensor(const std::string& bytes) {
  proto::TensorProto message;
  if (!message.ParseFromString(bytes)) return absl::DataLossError("a tensor of the case does not parse");
  return TensorFromProto(message);
}

template <typename T>
bool NearElement(T got, T want, double rtol, double atol) {
  const double g = static_cast<double>(got), w = static_cast<double>(want);
  if (std::isnan(w)) return std::isnan(g);
  // rtol * infinity would let everything pass.
  if (std::isinf(w)) return g == w;
  return g == w || std::abs(g - w) <= atol + rtol * std::abs(w);
}

// OK when the tensors agree within the tolerances.
absl::Status Compare(const Tensor& got, const Tensor& want, double rtol, double atol) {
  if (got.dtype() != want.dtype() || !(got.shape() == want.shape())) {
    return absl::InternalError(StrCat("got ", got.ToString(), ", want ", want.ToString()));
  }
  int64_t wrong = -1;
  const auto compare = [&]<typename T, typename Wide>() {
    for (int64_t i = want.num_elements() - 1; i >= 0; --i) {
      const Wide g = static_cast<Wide>(got.data<T>()[i]), w = static_cast<Wide>(want.data<T>()[i]);
      if (!NearElement(g, w, rtol, atol)) wrong = i;
    }
  };
  const bool floating =
      DispatchType<float, double>(got.dtype(), [&]<typename T>() { compare.template operator()<T, T>(); }) ||
      DispatchType<Half, BFloat16>(got.dtype(), [&]<typename T>() { compare.template operator()<T, float>(); });
  if (floating ? wrong < 0 : BitwiseEqual(got, want)) return absl::OkStatus();
  return absl::InternalError(
      StrCat(wrong < 0 ? "" : StrCat("element ", wrong, ": "), "got ", got.ToString(20), ", want ", want.ToString(20)));
}

// One case while it is checked.
class GoldenCheck {
 public:
  GoldenCheck(const golden::GoldenCase& golden_case, const GoldenOptions& options)
      : case_(golden_case), session_(graph_, SessionOptionsFor(options)) {}

  absl::Status Run();

 private:
  using NamedTensors = google::protobuf::RepeatedPtrField<golden::NamedTensor>;
  using NamedFeeds = std::vector<std::pair<std::string, Tensor>>;

  static SessionOptions SessionOptionsFor(const GoldenOptions& options) {
    SessionOptions session_options;
    session_options.threads = options.threads;
    session_options.warn = [](absl::string_view) {};
    return session_options;
  }

  absl::Status Load();
  absl::StatusOr<NamedFeeds> Feeds(const NamedTensors& tensors) const;
  absl::Status RunStep(const golden::Step& step, bool compare);
  absl::Status CheckGradient(const golden::GradientCheck& check);
  absl::StatusOr<std::vector<Output>> BuildGradients(const golden::GradientCheck& check);
  absl::StatusOr<Output> MakeConst(const std::string& bytes);

  bool StageIs(absl::string_view stage) const {
    const std::vector<std::string> stages = absl::StrSplit(case_.error_stage(), '|');
    return !case_.expect_error().empty() && absl::c_linear_search(stages, stage);
  }
  // OK when `status` is one of the errors that the case expects.
  absl::Status ExpectError(absl::string_view stage, const absl::Status& status) const;

  const golden::GoldenCase& case_;
  Graph graph_;
  Session session_;
  TemporaryFolder folder_;
};

absl::Status GoldenCheck::ExpectError(absl::string_view stage, const absl::Status& status) const {
  if (status.ok()) return absl::InternalError(StrCat(stage, " succeeded, expected ", case_.expect_error()));
  const std::vector<std::string> codes = absl::StrSplit(case_.expect_error(), '|');
  if (absl::c_linear_search(codes, absl::StatusCodeToString(status.code()))) return absl::OkStatus();
  return absl::InternalError(StrCat(stage, " failed with ", status.ToString(), ", expected ", case_.expect_error()));
}

absl::Status GoldenCheck::Load() {
  // Imported as a MetaGraphDef, so that its collections are checked too.
  if (case_.graph_def().empty() && !case_.meta_graph_def().empty()) {
    return ImportMetaGraph(case_.meta_graph_def(), graph_).status();
  }
  return ImportGraphDef(case_.graph_def(), graph_);
}

absl::StatusOr<GoldenCheck::NamedFeeds> GoldenCheck::Feeds(const NamedTensors& tensors) const {
  NamedFeeds feeds;
  for (const golden::NamedTensor& tensor : tensors) {
    SF_ASSIGN_OR_RETURN(Tensor value, ReadTensor(tensor.tensor()));
    if (value.dtype() == DT_STRING) {
      for (std::string& s : value.flat<std::string>()) {
        if (absl::StartsWith(s, kTemporaryFolder)) s = StrCat(folder_.path(), s.substr(kTemporaryFolder.size()));
      }
    }
    feeds.emplace_back(tensor.name(), std::move(value));
  }
  return feeds;
}

absl::Status GoldenCheck::RunStep(const golden::Step& step, bool compare) {
  SF_ASSIGN_OR_RETURN(const NamedFeeds feeds, Feeds(step.feeds()));
  std::vector<std::string> fetches;
  for (const golden::NamedTensor& fetch : step.fetches()) fetches.push_back(fetch.name());
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> values,
                      session_.RunByName(feeds, fetches, {step.targets().begin(), step.targets().end()}));
  for (size_t i = 0; compare && i < values.size(); ++i) {
    SF_ASSIGN_OR_RETURN(const Tensor want, ReadTensor(step.fetches(static_cast<int>(i)).tensor()));
    SF_RETURN_IF_ERROR(Annotate(Compare(values[i], want, case_.rtol(), case_.atol()), StrCat("'", fetches[i], "': ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<Output> GoldenCheck::MakeConst(const std::string& bytes) {
  SF_ASSIGN_OR_RETURN(const Tensor value, ReadTensor(bytes));
  return NodeBuilder(graph_, OpWithRole(OpRole::kConst).name(), std::source_location::current())
      .Attr("dtype", value.dtype())
      .Attr("value", value)
      .Name("grad_ys")
      .Build();
}

absl::StatusOr<std::vector<Output>> GoldenCheck::BuildGradients(const golden::GradientCheck& check) {
  std::vector<Output> ys, xs;
  GradientOptions options;
  for (const std::string& name : check.ys()) {
    SF_ASSIGN_OR_RETURN(ys.emplace_back(), graph_.FindOutput(name));
  }
  for (const std::string& name : check.xs()) {
    SF_ASSIGN_OR_RETURN(xs.emplace_back(), graph_.FindOutput(name));
  }
  for (const golden::NamedTensor& grad_y : check.grad_ys()) {
    SF_ASSIGN_OR_RETURN(options.grad_ys.emplace_back(), MakeConst(grad_y.tensor()));
  }
  std::vector<Output> gradients = Gradients(ys, xs, options);
  for (int order = 1; order < check.order(); ++order) {
    std::erase_if(gradients, [](Output gradient) { return !gradient.valid(); });
    gradients = Gradients(gradients, xs);
  }
  SF_RETURN_IF_ERROR(graph_.status());
  return gradients;
}

absl::Status GoldenCheck::CheckGradient(const golden::GradientCheck& check) {
  const absl::StatusOr<std::vector<Output>> gradients = BuildGradients(check);
  if (StageIs("GRADIENT")) return ExpectError("building the gradients", gradients.status());
  SF_RETURN_IF_ERROR(gradients.status());
  SF_ASSIGN_OR_RETURN(const NamedFeeds named, Feeds(check.feeds()));
  Session::Feeds feeds;
  for (const auto& [name, value] : named) {
    SF_ASSIGN_OR_RETURN(const Output output, graph_.FindOutput(name));
    feeds.emplace_back(output, value);
  }
  std::vector<Output> fetches;
  std::vector<const golden::NamedTensor*> wanted;
  for (size_t i = 0; i < gradients->size(); ++i) {
    const golden::NamedTensor& expected = check.expected(static_cast<int>(i));
    if ((*gradients)[i].valid() == expected.tensor().empty()) {
      return absl::InternalError(
          StrCat("the gradient by '", expected.name(), "' ", expected.tensor().empty() ? "exists" : "is missing"));
    }
    if (!(*gradients)[i].valid()) continue;
    fetches.push_back((*gradients)[i]);
    wanted.push_back(&expected);
  }
  SF_ASSIGN_OR_RETURN(const std::vector<Tensor> values, session_.Run(feeds, fetches));
  for (size_t i = 0; i < values.size(); ++i) {
    SF_ASSIGN_OR_RETURN(const Tensor want, ReadTensor(wanted[i]->tensor()));
    SF_RETURN_IF_ERROR(Annotate(Compare(values[i], want, case_.rtol(), case_.atol()),
                                StrCat("the gradient by '", wanted[i]->name(), "': ")));
  }
  return absl::OkStatus();
}

absl::Status GoldenCheck::Run() {
  const absl::Status loaded = Load();
  if (StageIs("LOAD") && (!loaded.ok() || !StageIs("RUN"))) return ExpectError("loading", loaded);
  SF_RETURN_IF_ERROR(Annotate(loaded, "loading: "));
  if (case_.init_targets_size() > 0) {
    const std::vector<std::string> targets(case_.init_targets().begin(), case_.init_targets().end());
    SF_RETURN_IF_ERROR(Annotate(session_.RunByName({}, {}, targets).status(), "initializing: "));
  }
  for (int i = 0; i < case_.steps_size(); ++i) {
    const std::string place = StrCat("step ", i);
    const bool must_fail = StageIs("RUN") && i == case_.steps_size() - 1;
    const absl::Status status = RunStep(case_.steps(i), !must_fail);
    if (must_fail) return ExpectError(place, status);
    SF_RETURN_IF_ERROR(Annotate(status, place + ": "));
  }
  for (int i = 0; i < case_.gradients_size(); ++i) {
    SF_RETURN_IF_ERROR(Annotate(CheckGradient(case_.gradients(i)), StrCat("gradient check ", i, ": ")));
  }
  return absl::OkStatus();
}

// The first op type of the case that is not registered; "" when there is none, or when the case is about that.
std::string UnknownOp(const golden::GoldenCase& golden_case) {
  if (absl::StrContains(golden_case.error_stage(), "LOAD") &&
      absl::StrContains(golden_case.expect_error(), "NOT_FOUND")) {
    return "";
  }
  for (const std::string& type : golden_case.op_types()) {
    if (FindOp(type) == nullptr) return type;
  }
  return "";
}

}  // namespace

GoldenResult CheckGoldenCase(const std::string& path, const GoldenOptions& options) {
  const absl::StatusOr<golden::GoldenCase> golden_case = ReadCase(path);
  if (!golden_case.ok()) {
    return {.outcome = GoldenOutcome::kFailed, .name = path, .reason = std::string(golden_case.status().message())};
  }
  GoldenResult result{.outcome = GoldenOutcome::kPassed, .name = golden_case->name(), .reason = ""};
  const std::string unknown = options.known_ops_only ? UnknownOp(*golden_case) : "";
  if (!unknown.empty()) {
    result.outcome = GoldenOutcome::kSkipped;
    result.reason = StrCat("there is no op of type '", unknown, "'");
    return result;
  }
  const absl::Status status = GoldenCheck(*golden_case, options).Run();
  if (!status.ok()) {
    result.outcome = GoldenOutcome::kFailed;
    result.reason = status.ToString();
  }
  return result;
}

absl::StatusOr<std::vector<std::string>> GoldenOpTypes(const std::string& path) {
  SF_ASSIGN_OR_RETURN(const golden::GoldenCase golden_case, ReadCase(path));
  return std::vector<std::string>(golden_case.op_types().begin(), golden_case.op_types().end());
}

absl::StatusOr<std::string> GoldenMetaGraph(const std::string& path) {
  SF_ASSIGN_OR_RETURN(const golden::GoldenCase golden_case, ReadCase(path));
  return golden_case.meta_graph_def();
}

absl::StatusOr<std::vector<std::string>> FindGoldenCases(absl::Span<const std::string> paths) {
  std::vector<std::string> cases;
  std::vector<fs::path> folders;
  std::error_code error;
  for (const std::string& path : paths) {
    if (fs::is_directory(path, error)) {
      folders.push_back(path);
    } else if (fs::exists(path, error)) {
      cases.push_back(path);
    } else {
      return absl::NotFoundError(StrCat("there is no file or folder '", path, "'"));
    }
  }
  while (!folders.empty()) {
    const fs::path folder = folders.back();
    folders.pop_back();
    if (fs::exists(folder / "contents.json", error)) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      if (entry.is_directory(error)) {
        folders.push_back(entry.path());
      } else if (entry.path().extension() == ".pb") {
        cases.push_back(entry.path().string());
      }
    }
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

}  // namespace staticflow
