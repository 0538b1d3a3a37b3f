#include "ops/train/saver.h"

#include <algorithm>
#include <cstdio>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "graph/source_line.h"
#include "graph/variable_key.h"
#include "ops/analysis/checkpoint_coverage.h"
#include "ops/array.h"
#include "ops/control_flow.h"
#include "ops/save_restore.h"
#include "ops/state.h"
#include "ops/train/checkpoint_completeness.h"
#include "runtime/io/bundle.h"
#include "runtime/io/checkpoint_state.h"

namespace staticflow::train {
namespace {

double Now() { return static_cast<double>(absl::GetCurrentTimeNanos()) * 1e-9; }

Env* EnvOf(const Session& session) { return session.options().env != nullptr ? session.options().env : PosixEnv(); }

void Warn(const Session& session, const std::string& text) {
  if (session.options().warn) {
    session.options().warn(text);
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

std::string MetaPath(const std::string& prefix) { return absl::StrCat(prefix, ".meta"); }

Tensor StringVector(const std::vector<std::string>& strings) {
  return Tensor::Of<std::string>({static_cast<int64_t>(strings.size())}, absl::MakeConstSpan(strings));
}

// One variable that a restore writes.
struct Target {
  std::string key;  // in the checkpoint
  const Node* variable = nullptr;
  bool is_part = false;  // of a partitioned variable, under a key that it shares with the other parts
};

// What `restore` assigns from a checkpoint, as far as its nodes tell: Assign <- (Identity) <- RestoreV2 <- names.
std::vector<Target> Targets(Operation restore) {
  std::vector<Target> targets;
  absl::flat_hash_set<const Node*> seen;
  std::vector<const Node*> stack = {restore.node()};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    if (!seen.insert(node).second) continue;
    stack.insert(stack.end(), node->control_inputs().begin(), node->control_inputs().end());
    if (node->num_inputs() != 2) continue;
    const Node* variable = VariableBehind(node->input(0));
    Output value = node->input(1);
    while (value.node()->op().is(OpRole::kIdentity)) value = value.node()->input(0);
    if (variable == nullptr || value.node()->type() != "RestoreV2") continue;
    const Node* names = value.node()->input(1).node();
    const Node* slices = value.node()->input(2).node();
    if (!names->op().is(OpRole::kConst) || !slices->op().is(OpRole::kConst)) continue;
    const Tensor& keys = names->attr<Tensor>("value");
    const Tensor& specs = slices->attr<Tensor>("value");
    if (value.index() >= std::min(keys.num_elements(), specs.num_elements())) continue;
    targets.push_back({.key = keys.flat<std::string>()[value.index()],
                       .variable = variable,
                       .is_part = !specs.flat<std::string>()[value.index()].empty()});
  }
  return targets;
}

}  // namespace

Saver::Saver(Graph* g, int max_to_keep, double keep_hours)
    : graph_(g), max_to_keep_(max_to_keep), keep_seconds_(keep_hours * 3600), next_preserved_(Now() + keep_seconds_) {}

Saver::Saver(Graph& g, const SaverOptions& options)
    : Saver(&g, options.max_to_keep, options.keep_checkpoint_every_n_hours) {
  partial_ = options.partial;
  const SourceLine line = LineOf(options.where);
  const auto fail = [&](absl::string_view message) {
    g.RecordError(absl::InvalidArgumentError(
        absl::StrCat("Saver '", options.name, "' (", line.file, ":", line.line, "): ", message)));
  };
  std::vector<const Variable*> variables;
  for (Output output : options.var_list) {
    const Variable* variable = output.valid() ? g.FindVariable(output.node()) : nullptr;
    if (variable == nullptr) {
      fail(absl::StrCat(output.valid() ? output.name() : "an invalid output", " in var_list is no variable"));
      return;
    }
    variables.push_back(variable);
  }
  if (options.var_list.empty()) variables = g.variables(kGlobalVariables);
  if (variables.empty()) {
    fail("there is no variable to save");
    return;
  }
  std::sort(variables.begin(), variables.end(),
            [](const Variable* a, const Variable* b) { return a->name() < b->name(); });

  const std::optional<SourceLine> outer_line = g.line_override();
  g.set_line_override(line);
  {
    const ControlDependencies outside(g, ControlDependencies::kClear);
    const NameScope scope(g, options.name);
    Build(variables);
  }
  g.set_line_override(outer_line);
}

void Saver::Build(const std::vector<const Variable*>& variables) {
  Graph& g = *graph_;
  const Output input = Const(g, Tensor("model"), {.name = "filename/input"});
  filename_ = PlaceholderWithDefault(g, PlaceholderWithDefault(g, input, {.name = "filename"}), {.name = "Const"});

  std::vector<std::string> names;
  std::vector<Output> values;
  std::vector<DataType> dtypes;
  for (const Variable* variable : variables) {
    names.push_back(variable->name());
    values.push_back(variable->is_resource ? variable->snapshot : variable->ref());
    dtypes.push_back(variable->dtype);
  }
  const std::vector<std::string> slices(names.size());
  const auto strings = [&](const std::vector<std::string>& list, const char* name) {
    return Const(g, StringVector(list), {.name = name});
  };
  const Output save_names = strings(names, "SaveV2/tensor_names");
  const Output save_slices = strings(slices, "SaveV2/shape_and_slices");
  const Operation save = SaveV2(filename_, save_names, save_slices, values);
  if (partial_ && save.valid()) save.node()->SetExtraAttr(kPartialSaver, true);
  save_ = WithDependencies({&save, 1}, filename_);
  const Output restore_names = strings(names, "RestoreV2/tensor_names");
  const Output restore_slices = strings(slices, "RestoreV2/shape_and_slices");
  const std::vector<Output> restored = RestoreV2(filename_, restore_names, restore_slices, dtypes);
  if (restored.size() != variables.size() || !save_.valid()) return;
  save_.node()->SetExtraAttr("_class", std::vector<std::string>{absl::StrCat("loc:@", filename_.node()->name())});
  std::vector<Operation> assigns;
  for (size_t i = 0; i < variables.size(); ++i) {
    const Variable& variable = *variables[i];
    if (variable.is_resource) {
      assigns.push_back(NodeBuilder("AssignVariableOp", {variable.ref(), Identity(restored[i])}).BuildNode());
    } else {
      assigns.push_back(Assign(variable.ref(), restored[i], {.validate_shape = variable.shape.IsFullyDefined()}));
    }
  }
  restore_ = Group(g, assigns, {.name = "restore_all"});
}

absl::StatusOr<Saver> Saver::FromMetaGraph(Graph& g, const MetaGraph& meta) {
  if (!meta.saver.has_value()) return absl::NotFoundError("the imported graph brought no saver");
  Saver saver(&g, meta.saver->max_to_keep, meta.saver->keep_checkpoint_every_n_hours);
  SF_ASSIGN_OR_RETURN(saver.filename_, g.FindOutput(meta.saver->filename_tensor));
  SF_ASSIGN_OR_RETURN(saver.save_, g.FindOutput(meta.saver->save_tensor));
  saver.restore_ = g.FindNode(meta.saver->restore_op);
  if (!saver.restore_.valid()) {
    return absl::NotFoundError(absl::StrCat("the graph has no node '", meta.saver->restore_op, "'"));
  }
  return saver;
}

absl::StatusOr<std::string> Saver::Save(Session& session, const std::string& prefix, const SaveOptions& options) {
  SF_RETURN_IF_ERROR(graph_->status());
  SF_RETURN_IF_ERROR(CheckCompleteness(session, /*saves=*/true));
  Env* env = EnvOf(session);
  const std::string path = options.global_step.has_value() ? absl::StrCat(prefix, "-", *options.global_step) : prefix;
  const std::string directory = DirName(path);
  if (directory != swept_directory_) {
    SF_RETURN_IF_ERROR(env->CreateDir(directory));
    SF_RETURN_IF_ERROR(SweepTemporaries(env, directory));
    swept_directory_ = directory;
  }
  SF_RETURN_IF_ERROR(session.Run({{filename_, Tensor(path)}}, std::vector<Output>{save_}).status());
  if (options.write_meta_graph) {
    SF_ASSIGN_OR_RETURN(const std::string bytes, MetaGraphBytes(*graph_, {.saver = info()}));
    SF_RETURN_IF_ERROR(ReplaceFile(env, MetaPath(path), bytes));
  }
  if (options.write_state) SF_RETURN_IF_ERROR(Record(session, env, path));
  return path;
}

absl::Status Saver::Record(Session& session, Env* env, const std::string& prefix) {
  std::vector<Kept> kept = kept_;
  std::erase_if(kept, [&](const Kept& k) { return k.prefix == prefix; });
  kept.push_back({.prefix = prefix, .time = Now()});
  std::vector<Kept> superfluous;
  double last_preserved = last_preserved_, next_preserved = next_preserved_;
  while (max_to_keep_ > 0 && kept.size() > static_cast<size_t>(max_to_keep_)) {
    const Kept oldest = kept.front();
    kept.erase(kept.begin());
    if (oldest.time > next_preserved) {
      next_preserved += keep_seconds_;
      last_preserved = oldest.time;
    } else {
      superfluous.push_back(oldest);
    }
  }
  CheckpointState state;
  state.latest = prefix;
  state.last_preserved_timestamp = last_preserved;
  for (const Kept& k : kept) {
    state.all.push_back(k.prefix);
    state.timestamps.push_back(k.time);
  }
  SF_RETURN_IF_ERROR(WriteCheckpointState(env, DirName(prefix), state));
  kept_ = std::move(kept);
  last_preserved_ = last_preserved;
  next_preserved_ = next_preserved;
  // The new checkpoint is durable and named: what follows may fail without harm.
  for (const Kept& old : superfluous) {
    for (const absl::Status& status : {DeleteBundle(env, old.prefix), env->Remove(MetaPath(old.prefix))}) {
      if (!status.ok() && !absl::IsNotFound(status)) {
        Warn(session, absl::StrCat("an old checkpoint cannot be removed: ", status.ToString()));
      }
    }
  }
  return absl::OkStatus();
}

std::set<std::string> Saver::Covered() const {
  std::set<std::string> covered;
  for (const Target& target : Targets(restore_)) covered.insert(VariableKey(*target.variable));
  return covered;
}

absl::Status Saver::CheckCompleteness(Session& session, bool saves) const {
  const Audit audit = session.options().audit;
  if (partial_ || audit == Audit::kOff) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(CheckpointCompleteness* const completeness, CheckpointCompleteness::Of(session.resources()));
  const std::vector<std::string> left_out =
      saves ? completeness->NotSaved(Covered()) : completeness->NotRestored(Covered());
  if (left_out.empty()) return absl::OkStatus();
  const std::string sentence =
      absl::StrCat("the saver of ", restore_.name(), saves ? " does not save " : " does not restore ",
                   NameSome(left_out), ", which steps of this session read: ",
                   saves ? "what is restored from it goes on with other values" : "they stay as they are");
  if (audit == Audit::kError) return absl::FailedPreconditionError(sentence);
  if (completeness->IsNew(sentence)) Warn(session, sentence);
  return absl::OkStatus();
}

absl::Status Saver::CheckAgainst(Env* env, const std::string& prefix) const {
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, prefix));
  std::vector<std::string> missing, different, unused;
  std::set<std::string> taken;
  for (const Target& target : Targets(restore_)) {
    taken.insert(target.key);
    if (target.is_part) continue;  // checked when it is read
    const auto entry = reader.tensors().find(target.key);
    if (entry == reader.tensors().end()) {
      missing.push_back(target.key);
      continue;
    }
    if (entry->second.dtype == DT_INVALID) return entry->second.damage;
    const DataType dtype = target.variable->attr<DataType>("dtype");
    const Shape& shape =
        target.variable->output(0).is_ref() ? target.variable->output_shape(0) : target.variable->attr<Shape>("shape");
    if (entry->second.dtype != dtype || !shape.IsCompatibleWith(entry->second.shape)) {
      different.push_back(absl::StrCat(target.key, " is ", DataTypeName(entry->second.dtype),
                                       entry->second.shape.ToString(), ", the variable ", target.variable->DebugName(),
                                       " ", DataTypeName(dtype), shape.ToString()));
    }
  }
  std::sort(missing.begin(), missing.end());
  std::sort(different.begin(), different.end());
  if (missing.empty() && different.empty()) return absl::OkStatus();
  for (const auto& [key, entry] : reader.tensors()) {
    if (!taken.contains(key)) unused.push_back(key);
  }
  std::string message = absl::StrCat("checkpoint ", prefix);
  if (!missing.empty()) absl::StrAppend(&message, " lacks ", absl::StrJoin(missing, ", "));
  if (!different.empty()) absl::StrAppend(&message, missing.empty() ? ": " : "; ", absl::StrJoin(different, "; "));
  if (!unused.empty()) absl::StrAppend(&message, "; no variable takes its ", NameSome(unused));
  return missing.empty() ? absl::InvalidArgumentError(message) : absl::NotFoundError(message);
}

absl::Status Saver::Restore(Session& session, const std::string& prefix) {
  SF_RETURN_IF_ERROR(graph_->status());
  SF_RETURN_IF_ERROR(CheckAgainst(EnvOf(session), prefix));
  SF_RETURN_IF_ERROR(CheckCompleteness(session, /*saves=*/false));
  SF_RETURN_IF_ERROR(session.Run({{filename_, Tensor(prefix)}}, std::vector<Output>(), {restore_}).status());
  if (partial_) return absl::OkStatus();
  SF_ASSIGN_OR_RETURN(CheckpointCompleteness* const completeness, CheckpointCompleteness::Of(session.resources()));
  completeness->Restored(prefix, Covered());
  return absl::OkStatus();
}

absl::Status Saver::RecoverLastCheckpoints(Session& session, const std::string& directory) {
  const absl::StatusOr<CheckpointState> state = ReadCheckpointState(EnvOf(session), directory);
  if (absl::IsNotFound(state.status())) return absl::OkStatus();
  SF_RETURN_IF_ERROR(state.status());
  std::vector<Kept> recovered;
  for (size_t i = 0; i < state->all.size(); ++i) {
    // Others' paths are not ours to remove.
    if (DirName(state->all[i]) != "." && DirName(state->all[i]) != directory) continue;
    const std::string prefix = JoinPath(directory, BaseName(state->all[i]));
    if (std::any_of(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.prefix == prefix; })) continue;
    recovered.push_back({.prefix = prefix, .time = i < state->timestamps.size() ? state->timestamps[i] : 0});
  }
  last_preserved_ = state->last_preserved_timestamp;
  kept_.insert(kept_.begin(), recovered.begin(), recovered.end());
  return absl::OkStatus();
}

std::vector<std::string> Saver::last_checkpoints() const {
  std::vector<std::string> prefixes;
  for (const Kept& k : kept_) prefixes.push_back(k.prefix);
  return prefixes;
}

SaverInfo Saver::info() const {
  SaverInfo info;
  info.filename_tensor = filename_.name();
  info.save_tensor = save_.name();
  info.restore_op = restore_.name();
  info.max_to_keep = max_to_keep_;
  info.keep_checkpoint_every_n_hours = static_cast<float>(keep_seconds_ / 3600);
  return info;
}

}  // namespace staticflow::train
