#include "ops/train/training_backup.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "graph/proto_bytes.h"
#include "graph/status.h"
#include "ops/array.h"
#include "ops/random_counter.h"
#include "ops/state.h"
#include "ops/train/trainer_state.pb.h"
#include "runtime/io/bundle.h"
#include "runtime/io/checkpoint_state.h"

namespace staticflow::train {
namespace {

constexpr int kKeep = 2;  // the newest, and one in case that it is damaged

Variable StateVariable(Graph& g) {
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope root(g, "");
  return NewVariable(g, Tensor(""),
                     {.name = "trainer/state",
                      .trainable = false,
                      .collections = {std::string(kLocalVariables)},
                      .use_resource = false});
}

SaverOptions AllVariables(Graph& g) {
  SaverOptions options = {.max_to_keep = kKeep, .name = "trainer/save"};
  for (const Variable& variable : g.variables()) options.var_list.push_back(variable.ref());
  return options;
}

absl::StatusOr<RandomPositions> PositionsOf(const proto::TrainerState& state) {
  RandomPositions positions;
  for (const proto::TrainerState::RandomPosition& random : state.random_positions()) {
    Philox::Block block;
    if (random.counter_size() != static_cast<int>(block.size())) {
      return absl::DataLossError(absl::StrCat("the position of random op '", random.node(), "' is damaged"));
    }
    std::copy(random.counter().begin(), random.counter().end(), block.begin());
    positions[random.node()] = block;
  }
  return positions;
}

}  // namespace

TrainingBackup::TrainingBackup(Graph& g) : graph_(g), state_(StateVariable(g)), saver_(g, AllVariables(g)) {
  if (state_.variable == nullptr) return;
  const ControlDependencies outside(g, ControlDependencies::kClear);
  const NameScope scope(g, "trainer/");
  new_state_ = Placeholder(g, {.dtype = DT_STRING, .shape = {}, .name = "new_state"});
  assign_ = Assign(state_.ref(), new_state_, {.name = "assign_state"});
}

absl::Status TrainingBackup::Save(Session& session, const std::string& directory, proto::TrainerState* state) {
  SF_RETURN_IF_ERROR(graph_.status());
  state->clear_random_positions();
  for (const auto& [node, block] : ReadRandomPositions(graph_, session.resources())) {
    proto::TrainerState::RandomPosition* position = state->add_random_positions();
    position->set_node(node);
    for (const uint32_t word : block) position->add_counter(word);
  }
  SF_ASSIGN_OR_RETURN(const std::string bytes, SerializeMessage(*state));
  SF_RETURN_IF_ERROR(session.Run({{new_state_, Tensor(bytes)}}, std::vector<Output>(), {assign_}).status());
  return saver_.Save(session, JoinPath(directory, "backup"), {.global_step = state->step(), .write_meta_graph = false})
      .status();
}

absl::StatusOr<bool> TrainingBackup::Restore(Session& session, const std::string& directory,
                                             absl::FunctionRef<absl::Status(const proto::TrainerState&)> accept) {
  SF_RETURN_IF_ERROR(graph_.status());
  Env* env = session.options().env != nullptr ? session.options().env : PosixEnv();
  const absl::StatusOr<CheckpointState> listed = ReadCheckpointState(env, directory);
  if (absl::IsNotFound(listed.status())) return false;
  SF_RETURN_IF_ERROR(listed.status());
  const absl::StatusOr<std::string> latest = LatestCheckpoint(env, directory);
  if (!latest.ok()) return absl::DataLossError(latest.status().message());
  SF_ASSIGN_OR_RETURN(const BundleReader reader, BundleReader::Open(env, *latest));
  SF_ASSIGN_OR_RETURN(const Tensor bytes, reader.Read(state_.name()));
  proto::TrainerState state;
  const bool is_scalar = bytes.dtype() == DT_STRING && bytes.num_elements() == 1;
  if (!is_scalar || !state.ParseFromString(bytes.scalar<std::string>())) {
    return absl::DataLossError(absl::StrCat(*latest, ": the trainer's state is damaged"));
  }
  SF_ASSIGN_OR_RETURN(const RandomPositions positions, PositionsOf(state));
  SF_RETURN_IF_ERROR(accept(state));
  SF_RETURN_IF_ERROR(saver_.Restore(session, *latest));
  SF_RETURN_IF_ERROR(WriteRandomPositions(graph_, positions, session.resources()));
  SF_RETURN_IF_ERROR(saver_.RecoverLastCheckpoints(session, directory));
  return true;
}

}  // namespace staticflow::train
