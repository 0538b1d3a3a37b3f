// Saver: saves the variables of a graph to checkpoints, and restores them.
//
//   train::Saver saver(g, {.max_to_keep = 5});                    // after the last variable was made
//   SF_ASSIGN_OR_RETURN(std::string path, saver.Save(session, "out/model.ckpt", {.global_step = 100}));
//   SF_RETURN_IF_ERROR(saver.Restore(session, path));             // or what LatestCheckpoint (io) finds
//
// A Saver is nodes of the graph, named as TensorFlow's (save/SaveV2, save/RestoreV2, save/restore_all, ...), so the
// graph in a `.meta` file carries it:
//
//   SF_ASSIGN_OR_RETURN(MetaGraph meta, ImportMetaGraph(bytes, g));
//   SF_ASSIGN_OR_RETURN(train::Saver saver, train::Saver::FromMetaGraph(g, meta));
//
// Save is power-safe: at every moment the directory holds a whole checkpoint, and the `checkpoint` file names one. Old
// ones are removed only after the new one is durable. A failed save changes nothing that was there.
//
// Complete or not: what steps of the session have read must be in the checkpoint. A saver of a part of the variables
// (the trainable ones, without the moving averages) is told on Save by their names, once in a session; so is a step
// that reads what Restore left as it was. SessionOptions::audit decides whether that is a warning or an error,
// SaverOptions::partial that it is meant so.
//
// One thread at a time may use a Saver; the session may run other steps meanwhile.
// Source: tf.train.Saver (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_SAVER_H_
#define STATICFLOW_OPS_TRAIN_SAVER_H_

#include <optional>
#include <set>
#include <source_location>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "graph/graph.h"
#include "graph/meta_graph.h"
#include "runtime/session.h"

namespace staticflow::train {

struct SaverOptions {
  int max_to_keep = 5;  // checkpoints kept; 0: all
  // References, handles or values of variables; empty: the collection "variables". Each is saved under its name.
  std::vector<Output> var_list = {};
  // Besides, one checkpoint is kept for good after each so many hours.
  double keep_checkpoint_every_n_hours = 10000;
  bool partial = false;  // var_list leaves out on purpose what steps read: nothing is said of it
  std::string name = "save";
  std::source_location where = std::source_location::current();
};

struct SaveOptions {
  std::optional<int64_t> global_step = std::nullopt;  // "model.ckpt" becomes "model.ckpt-100"
  bool write_meta_graph = true;                       // `<prefix>.meta`, the graph
  bool write_state = true;                            // the `checkpoint` file, which Saver and LatestCheckpoint read
};

class Saver {
 public:
  // Adds its nodes to the graph; errors stick to the graph. InvalidArgument when there is nothing to save.
  explicit Saver(Graph& g, const SaverOptions& options = {});
  // The saver that an imported graph brought along. NotFound when it brought none, or nodes of it are missing.
  static absl::StatusOr<Saver> FromMetaGraph(Graph& g, const MetaGraph& meta);

  // Writes the variables' values; returns the path prefix, which Restore takes.
  // FailedPrecondition: a variable without value, or, with Audit::kError, one that is left out. ResourceExhausted: the
  // disk is full. Other errors name the file.
  absl::StatusOr<std::string> Save(Session& session, const std::string& prefix, const SaveOptions& options = {});

  // Gives all variables of the saver the values of the checkpoint. Nothing is changed after an error: NotFound lists
  // every variable that the checkpoint lacks, InvalidArgument every one of another shape or dtype, both together with
  // the entries that no variable takes; DataLoss: damage; OutOfRange: a data file that is
  // cut off.
  absl::Status Restore(Session& session, const std::string& prefix);

  // Takes over checkpoints that an earlier process wrote, as the `checkpoint` file of `directory` lists them: they
  // count towards max_to_keep, and are removed in their turn. Nothing happens where there is no such file.
  absl::Status RecoverLastCheckpoints(Session& session, const std::string& directory);

  // The prefixes that this saver has written and not removed, oldest first.
  std::vector<std::string> last_checkpoints() const;
  SaverInfo info() const;

 private:
  struct Kept {
    std::string prefix;
    double time = 0;  // seconds since the epoch
  };
  Saver(Graph* g, int max_to_keep, double keep_hours);

  void Build(const std::vector<const Variable*>& variables);
  // The keys of the variables that the saver restores, and so saves.
  std::set<std::string> Covered() const;
  // Says what steps of the session read and the saver does not save, or restore.
  absl::Status CheckCompleteness(Session& session, bool saves) const;
  // Whether the checkpoint has every tensor that restore_ assigns, with the variable's dtype and shape.
  absl::Status CheckAgainst(Env* env, const std::string& prefix) const;
  // Makes `prefix` the current checkpoint of its directory and removes those that are too many.
  absl::Status Record(Session& session, Env* env, const std::string& prefix);

  Graph* graph_;
  int max_to_keep_ = 5;
  bool partial_ = false;
  double keep_seconds_ = 0;
  double next_preserved_ = 0;  // a checkpoint written after this moment is kept for good
  double last_preserved_ = 0;
  Output filename_;    // save/Const, fed with the prefix
  Output save_;        // save/control_dependency
  Operation restore_;  // save/restore_all
  std::vector<Kept> kept_;
  std::string swept_directory_;  // where temporary files of dead processes were looked for
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_SAVER_H_
