#include "ops/diagnostics/checkpoint_copy.h"

#include <mutex>
#include <optional>

#include "absl/strings/numbers.h"
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

// Where a variable is in a checkpoint.
struct Place {
  std::string name;
  std::optional<TensorSlice> slice = std::nullopt;  // of a tensor; none: all of it
};

// A part `v/part_<k>` of a partitioned variable is a slice of the tensor v: in the one dimension in which it is
// shorter, it begins where the parts before it end. No place: neither the variable nor such a tensor is there.
std::optional<Place> FindPlace(const BundleReader& reader, const Graph& g, const Node& node) {
  const std::string name = VariableKey(node);
  if (reader.tensors().contains(name)) return Place{name};
  const size_t end = name.rfind("/part_");
  int64_t part = -1;
  if (end == std::string::npos || !absl::SimpleAtoi(name.substr(end + 6), &part)) return std::nullopt;
  const auto whole = reader.tensors().find(name.substr(0, end));
  const Shape& shape = node.attr<Shape>("shape");
  if (whole == reader.tensors().end() || !shape.IsFullyDefined() || shape.rank() != whole->second.shape.rank()) {
    return std::nullopt;
  }
  TensorSlice slice;
  for (int d = 0; d < shape.rank(); ++d) {
    slice.starts.push_back(0);
    slice.lengths.push_back(shape.dim(d));
    if (shape.dim(d) == whole->second.shape.dim(d)) continue;
    for (int64_t k = 0; k < part; ++k) {
      const Node* before = g.FindNode(absl::StrCat(whole->first, "/part_", k));
      if (before == nullptr || before->type() != node.type()) return std::nullopt;
      const Shape& other = before->attr<Shape>("shape");
      if (!other.IsFullyDefined() || other.rank() != shape.rank()) return std::nullopt;
      slice.starts[d] += other.dim(d);
    }
  }
  if (!InsideOf(slice, whole->second.shape)) return std::nullopt;
  return Place{whole->first, std::move(slice)};
}

}  // namespace

absl::StatusOr<std::vector<std::string>> LoadCheckpoint(Session& session, const Graph& g, const std::string& prefix) {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(EnvOf(session), prefix));
  std::vector<std::string> missing;
  for (const auto& node : g.nodes()) {
    if (!node->op().is(OpRole::kVariable) && !node->op().is(OpRole::kVarHandle)) continue;
    const std::string name = VariableKey(*node);
    const std::optional<Place> place = FindPlace(reader, g, *node);
    if (!place.has_value()) {
      missing.push_back(name);
      continue;
    }
    SF_ASSIGN_OR_RETURN(const Tensor value,
                        place->slice.has_value() ? reader.Read(place->name, *place->slice) : reader.Read(place->name));
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
