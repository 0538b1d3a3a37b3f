// The names that ops on the innermost matrices had in TensorFlow's first versions, which old files still hold.
#ifndef STATICFLOW_OPS_BATCH_NAMES_H_
#define STATICFLOW_OPS_BATCH_NAMES_H_

#include <utility>

#include "absl/strings/str_cat.h"
#include "graph/op.h"

namespace staticflow {

// Registers an op under its name and with "Batch" before it: Cholesky, BatchCholesky.
class BothNames {
 public:
  explicit BothNames(const OpSpec& spec) : now_(spec), then_(WithOldName(spec)) {}

 private:
  static OpSpec WithOldName(OpSpec spec) {
    spec.name = absl::StrCat("Batch", spec.name);
    spec.doc = absl::StrCat("The old name of ", spec.name.substr(5), ".");
    return spec;
  }
  OpRegistrar now_, then_;
};

}  // namespace staticflow

#endif  // STATICFLOW_OPS_BATCH_NAMES_H_
