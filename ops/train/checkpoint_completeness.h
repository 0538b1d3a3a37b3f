// Whether checkpoints hold what a session uses. For Saver; there is one of these in a session's resources.
//
//   SF_ASSIGN_OR_RETURN(CheckpointCompleteness * completeness, CheckpointCompleteness::Of(session));
//   completeness->NotSaved(saved);             // {"bn/moving_mean"}: steps read it, and the saver does not save it
//   completeness->Restored(prefix, restored);  // from now on steps that read anything else are told of
//
// What steps read is learned when the session audits them (runtime/audit.h), so with Audit::kOff there is nothing to
// tell. Steps that save count as readers of nothing.
//
// Variables are named by their keys (graph/variable_key.h). Local variables are no part of a checkpoint.
// Thread-safe.
#ifndef STATICFLOW_OPS_TRAIN_CHECKPOINT_COMPLETENESS_H_
#define STATICFLOW_OPS_TRAIN_CHECKPOINT_COMPLETENESS_H_

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "runtime/audit.h"
#include "runtime/resource_store.h"

namespace staticflow::train {

class CheckpointCompleteness : public Resource {
 public:
  // That of a session, made on first use.
  static absl::StatusOr<CheckpointCompleteness*> Of(ResourceStore& resources);

  // The variables that steps of the session have read and that are not in `covered`, sorted.
  std::vector<std::string> NotSaved(const std::set<std::string>& covered);
  // The same, but for those that another restore, or a step after one, gave a value.
  std::vector<std::string> NotRestored(const std::set<std::string>& covered);
  // The variables of `covered` have the values of checkpoint `prefix`; those that no restore covers are as they were,
  // which steps that read them from now on are told, until one writes them.
  void Restored(const std::string& prefix, const std::set<std::string>& covered);
  // Whether `sentence` was not told before.
  bool IsNew(const std::string& sentence);

  // Learns what a step reads and writes; one sentence when it reads what the last Restored left as it was.
  std::vector<std::string> Audit(const AuditedStep& step);

 private:
  std::mutex mutex_;
  std::set<std::string> read_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> told_ ABSL_GUARDED_BY(mutex_);
  std::string restored_from_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> settled_ ABSL_GUARDED_BY(mutex_);  // restored, or written since
};

// "a, b and 5 more"
std::string NameSome(const std::vector<std::string>& names);

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_CHECKPOINT_COMPLETENESS_H_
