// RMSProp (Tieleman and Hinton): steps by the gradient over its root mean square, or (centered) its deviation from the
// mean, with momentum.
//
//   Operation step = train::RMSProp(g, {.learning_rate = 0.001, .momentum = 0.9}).Minimize(loss);
//
// Slots of w: "rms", "mg" when centered, and "momentum", named w/RMSProp, w/RMSProp_1, ... in this order.
#ifndef STATICFLOW_OPS_TRAIN_RMS_PROP_H_
#define STATICFLOW_OPS_TRAIN_RMS_PROP_H_

#include <string>

#include "ops/train/optimizer.h"

namespace staticflow::train {

struct RMSPropOptions {
  Operand learning_rate = 0.001;
  Operand decay = 0.9;  // the share of the past in the averages
  Operand momentum = 0.0;
  Operand epsilon = 1e-10;
  bool centered = false;
  bool use_locking = false;  // kept for files
  std::string name = "RMSProp";
};

class RMSProp : public Optimizer {
 public:
  explicit RMSProp(Graph& g, const RMSPropOptions& options = {}) : Optimizer(g, options.name), options_(options) {}

 private:
  void CreateSlots(absl::Span<const Variable* const> variables) override;
  void Prepare() override;
  Operation Apply(Output gradient, const Variable& variable) override;
  Operation ApplyRows(Output rows, Output indices, const Variable& variable) override;
  // The node of either form, without the gradient.
  NodeBuilder Begin(bool is_rows, const Variable& variable);

  RMSPropOptions options_;
  Output learning_rate_, decay_, momentum_, epsilon_;
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_RMS_PROP_H_
