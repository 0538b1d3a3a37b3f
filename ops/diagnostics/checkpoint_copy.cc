#include "ops/diagnostics/checkpoint_copy.h"

#include <mutex>

#include "absl/strings/str_cat.h"
#include "graph/status.h"
#include "graph/variable_key.h"
#include "runtime/io/bundle.h"
#include "runtime/io/env.h"
#include "runtime/resource_store.h"
#include "runtime/store_mutex.h"

namespace staticflow {
namespace {

Env* EnvOf(Session& session) { return session.options().env != nullptr ? session.options().env : PosixEnv(); }

absl::StatusOr<Tensor> ValueOf(Session& session, const std::string& name) {
  VariableSlot* slot = session.resources().FindVariable(name);
  std::shared_lock lock(session.resources().mutex());
  if (slot == nullptr || !slot->initialized) {
    return absl::FailedPreconditionError(absl::StrCat("the variable '", name, "' has no value"));
  }
  return slot->value.Clone();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LoadCheckpoint(Session& session, const Graph& g, const std::string& prefix) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(EnvOf(session), prefix));
  std::vector<std::string> missing;
  for (const auto& node : g.nodes()) {
    if (!node->op().is(OpRole::kVariable) && !node->op().is(OpRole::kVarHandle)) continue;
    const std::string name = VariableKey(*node);
    if (!reader.tensors().contains(name)) {
      missing.push_back(name);
      continue;
    }
    SF_ASSIGN_OR_RETURN(const Tensor value, reader.Read(name));
    absl::StatusOr<VariableSlot*> slot =
        session.resources().Variable(name, node->attr<DataType>("dtype"), node->attr<Shape>("shape"));
    if (!slot.ok()) return Annotate(slot.status(), absl::StrCat(node->DebugName(), ": "));
    std::unique_lock lock(session.resources().mutex());
    const absl::Status assigned = (*slot)->Assign(value.dtype(), value.shape(), value.raw());
    if (!assigned.ok()) return Annotate(assigned, absl::StrCat(node->DebugName(), " from ", prefix, ": "));
  }
  return missing;
}

absl::Status CopyCheckpoint(Session& session, const std::string& from, const std::string& to,
                            const std::map<std::string, std::string>& changed) {
  Env* env = EnvOf(session);
  BundleWriter writer(env, to);
  if (from.empty()) {
    for (const std::string& name : session.resources().InitializedVariables()) {
      SF_ASSIGN_OR_RETURN(const Tensor value, ValueOf(session, name));
      SF_RETURN_IF_ERROR(writer.Add(name, value));
    }
    return writer.Finish();
  }
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, from));
  std::map<std::string, std::string> variables;  // by their names in the checkpoint
  for (const auto& [variable, name] : changed) variables[name] = variable;
  for (const auto& [name, entry] : reader.tensors()) {
    if (variables.contains(name)) continue;
    SF_ASSIGN_OR_RETURN(const Tensor value, reader.Read(name));
    SF_RETURN_IF_ERROR(writer.Add(name, value));
  }
  for (const auto& [name, variable] : variables) {
    SF_ASSIGN_OR_RETURN(const Tensor value, ValueOf(session, variable));
    SF_RETURN_IF_ERROR(writer.Add(name, value));
  }
  return writer.Finish();
}

}  // namespace staticflow
