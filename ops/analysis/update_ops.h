// UpdateOpsFor: of the collection update_ops, what belongs to one loss, so that training one network of several leaves
// the averages of the others alone.
//
//   std::vector<Operation> updates = UpdateOpsFor(d_loss, d_variables);        // after the last layer is built
//   Operation d_step;
//   {
//     ControlDependencies after(g, updates);
//     d_step = train::Adam(g, {.learning_rate = 2e-4}).Minimize(d_loss, {.var_list = d_variables});
//   }
//
// In place of ControlDependencies(g, g.collection(kUpdateOps)), which in a network of two makes the discriminator's
// step move the generator's averages, and back. Only reads the graph.
#ifndef STATICFLOW_OPS_ANALYSIS_UPDATE_OPS_H_
#define STATICFLOW_OPS_ANALYSIS_UPDATE_OPS_H_

#include <vector>

#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

// The members of the collection update_ops, in its order, whose layer lies on the way to `loss` and belongs to what is
// trained: its gamma or beta is among `var_list` (references, handles or values of variables; empty: the trainable
// ones), or, where it has neither, the trainable variable that is nearest before it is. Updates that are none of batch
// normalization are judged by the same: the tensor they are computed from lies on the way to the loss, and the nearest
// trainable variable before it is trained. Empty when the loss is invalid.
std::vector<Operation> UpdateOpsFor(Output loss, absl::Span<const Output> var_list = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_ANALYSIS_UPDATE_OPS_H_
