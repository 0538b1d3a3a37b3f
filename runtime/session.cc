#include "runtime/session.h"

#include <algorithm>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "runtime/explain.h"
#include "runtime/prepared_step.h"
#include "runtime/program.h"

namespace staticflow {
namespace {

absl::Status CheckOutput(const Graph& graph, Output output, absl::string_view what) {
  if (!output.valid()) return absl::InvalidArgumentError(absl::StrCat("a ", what, " is no output of any node"));
  if (&output.graph() == &graph) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(output.node()->DebugName(), ": the ", what, " is of another graph than the session's"));
}

absl::Status CheckSignature(const Graph& graph, const Signature& signature) {
  SF_RETURN_IF_ERROR(graph.status());
  for (Output feed : signature.feeds) SF_RETURN_IF_ERROR(CheckOutput(graph, feed, "feed"));
  for (Output fetch : signature.fetches) SF_RETURN_IF_ERROR(CheckOutput(graph, fetch, "fetch"));
  for (Operation target : signature.targets) {
    if (!target.valid()) return absl::InvalidArgumentError("a target is no operation");
    if (&target.node()->graph() != &graph) {
      return absl::InvalidArgumentError(
          absl::StrCat(target.node()->DebugName(), ": the target is of another graph than the session's"));
    }
  }
  return absl::OkStatus();
}

// What distinguishes signatures. Of nodes it is the address: their ids change when calls are inlined.
using SignatureKey = std::vector<std::pair<const Node*, int>>;
SignatureKey KeyOf(const Signature& signature) {
  SignatureKey key;
  for (Output feed : signature.feeds) key.push_back({feed.node(), feed.index()});
  key.push_back({nullptr, 0});
  for (Output fetch : signature.fetches) key.push_back({fetch.node(), fetch.index()});
  key.push_back({nullptr, 0});
  for (Operation target : signature.targets) key.push_back({target.node(), 0});
  return key;
}

}  // namespace

// The prepared signatures of a session, the least recently used going first.
class SignatureCache {
 public:
  std::shared_ptr<PreparedStep> Find(const SignatureKey& key) {
    std::lock_guard lock(mutex_);
    auto it = steps_.find(key);
    if (it == steps_.end()) return nullptr;
    it->second.last_use = ++clock_;
    return it->second.step;
  }

  void Insert(const SignatureKey& key, std::shared_ptr<PreparedStep> step, size_t limit) {
    std::lock_guard lock(mutex_);
    steps_[key] = {std::move(step), ++clock_};
    while (steps_.size() > limit) {
      auto oldest = steps_.begin();
      for (auto it = steps_.begin(); it != steps_.end(); ++it) {
        if (it->second.last_use < oldest->second.last_use) oldest = it;
      }
      steps_.erase(oldest);
    }
  }

  void Clear() {
    std::lock_guard lock(mutex_);
    steps_.clear();
  }

 private:
  struct Entry {
    std::shared_ptr<PreparedStep> step;
    int64_t last_use = 0;
  };
  std::mutex mutex_;
  absl::flat_hash_map<SignatureKey, Entry> steps_ ABSL_GUARDED_BY(mutex_);
  int64_t clock_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::vector<Tensor>> Step::Run(absl::Span<const Tensor> feeds, const RunOptions& options) const {
  if (prepared_ == nullptr) return absl::FailedPreconditionError("the step was not prepared");
  return prepared_->Run(feeds, options);
}

Session::Session(const Graph& graph, SessionOptions options)
    : graph_(graph),
      state_(std::make_shared<SessionState>(std::move(options))),
      signatures_(std::make_unique<SignatureCache>()) {}

Session::~Session() { Close(); }

const SessionOptions& Session::options() const { return state_->options(); }
ResourceStore& Session::resources() { return state_->resources(); }

void Session::Close() {
  state_->Close();
  signatures_->Clear();
}

absl::StatusOr<std::shared_ptr<PreparedStep>> Session::FindPrepared(Signature signature) {
  SF_RETURN_IF_ERROR(CheckSignature(graph_, signature));
  const SignatureKey key = KeyOf(signature);
  std::shared_ptr<PreparedStep> step = signatures_->Find(key);
  if (step != nullptr) return step;
  SF_ASSIGN_OR_RETURN(Program program, CompileProgram(signature));
  step =
      std::make_shared<PreparedStep>(state_, std::make_shared<const Program>(std::move(program)), std::move(signature));
  signatures_->Insert(key, step, static_cast<size_t>(std::max(1, state_->options().max_plans)));
  return step;
}

absl::StatusOr<Step> Session::Prepare(Signature signature) {
  ActiveCall call(*state_);
  SF_RETURN_IF_ERROR(call.status());
  SF_ASSIGN_OR_RETURN(std::shared_ptr<PreparedStep> prepared, FindPrepared(std::move(signature)));
  return Step(std::move(prepared));
}

absl::StatusOr<std::vector<Tensor>> Session::Run(const Feeds& feeds, const std::vector<Output>& fetches,
                                                 const std::vector<Operation>& targets, const RunOptions& options) {
  ActiveCall call(*state_);
  SF_RETURN_IF_ERROR(call.status());
  Signature signature{.fetches = fetches, .targets = targets};
  std::vector<Tensor> values;
  for (const auto& [output, tensor] : feeds) {
    signature.feeds.push_back(output);
    values.push_back(tensor);
  }
  SF_ASSIGN_OR_RETURN(std::shared_ptr<PreparedStep> prepared, FindPrepared(std::move(signature)));
  return prepared->Run(values, options);
}

absl::StatusOr<Tensor> Session::Run(const Feeds& feeds, Output fetch) {
  SF_ASSIGN_OR_RETURN(std::vector<Tensor> values, Run(feeds, std::vector<Output>{fetch}));
  return std::move(values[0]);
}

absl::StatusOr<std::vector<Tensor>> Session::RunByName(const std::vector<std::pair<std::string, Tensor>>& feeds,
                                                       const std::vector<std::string>& fetches,
                                                       const std::vector<std::string>& targets) {
  Feeds by_output;
  std::vector<Output> outputs;
  std::vector<Operation> operations;
  for (const auto& [name, tensor] : feeds) {
    SF_ASSIGN_OR_RETURN(Output output, graph_.FindOutput(name));
    by_output.push_back({output, tensor});
  }
  for (const std::string& name : fetches) {
    SF_ASSIGN_OR_RETURN(Output output, graph_.FindOutput(name));
    outputs.push_back(output);
  }
  for (const std::string& name : targets) {
    Node* node = graph_.FindNode(name);
    if (node == nullptr) return absl::NotFoundError(absl::StrCat("the graph has no node '", name, "'"));
    operations.push_back(node);
  }
  return Run(by_output, outputs, operations);
}

absl::Status Session::Initialize() {
  SF_RETURN_IF_ERROR(graph_.status());
  std::vector<Operation> initializers;
  for (const Variable& variable : graph_.variables()) {
    if (variable.initializer != nullptr) initializers.push_back(variable.initializer);
  }
  absl::Status all = Run({}, std::vector<Output>(), initializers).status();
  if (all.code() != absl::StatusCode::kFailedPrecondition) return all;
  // An initial value reads a variable that an earlier initializer sets.
  for (Operation initializer : initializers) {
    SF_RETURN_IF_ERROR(Run({}, std::vector<Output>(), {initializer}).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Session::PlanText(const Signature& signature, absl::Span<const Tensor> feeds) {
  ActiveCall call(*state_);
  SF_RETURN_IF_ERROR(call.status());
  SF_ASSIGN_OR_RETURN(std::shared_ptr<PreparedStep> prepared, FindPrepared(signature));
  return prepared->PlanText(feeds);
}

absl::StatusOr<Explanation> Session::Explain(const Signature& signature, const ExplainOptions& options) {
  ActiveCall call(*state_);
  SF_RETURN_IF_ERROR(call.status());
  SF_RETURN_IF_ERROR(CheckSignature(graph_, signature));
  return ExplainSignature(graph_, signature, options, state_->options(), &state_->resources());
}

absl::StatusOr<Explanation> Session::Explain(const Signature& signature) { return Explain(signature, {}); }

}  // namespace staticflow
