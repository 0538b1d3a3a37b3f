// staticflow: the TensorFlow-1 graph for C++.
//
// The umbrella header: what a program needs to build a static dataflow graph, differentiate it, train it, save it and
// serve it.
//
//   #include "staticflow.h"
//   namespace sf = staticflow;
//
// Families that fewer programs use are included by themselves: ops/image.h, ops/strings.h, ops/sparse.h, ops/linalg.h,
// ops/lookup.h, ops/queue.h, ops/parsing.h, ops/summary.h and the like; in ops/train/ most optimizers, clipping and
// schedules of learning rates. All ops are linked in any case, for graphs from files.

#ifndef STATICFLOW_STATICFLOW_H_
#define STATICFLOW_STATICFLOW_H_

#include "graph/gradients.h"              // IWYU pragma: export
#include "graph/graph.h"                  // IWYU pragma: export
#include "graph/graph_def.h"              // IWYU pragma: export
#include "graph/meta_graph.h"             // IWYU pragma: export
#include "graph/status.h"                 // IWYU pragma: export
#include "graph/tensor.h"                 // IWYU pragma: export
#include "graph/variable_scope.h"         // IWYU pragma: export
#include "ops/array.h"                    // IWYU pragma: export
#include "ops/batch_norm.h"               // IWYU pragma: export
#include "ops/constraints.h"              // IWYU pragma: export
#include "ops/control_flow.h"             // IWYU pragma: export
#include "ops/control_flow_while.h"       // IWYU pragma: export
#include "ops/conv.h"                     // IWYU pragma: export
#include "ops/custom_gradient.h"          // IWYU pragma: export
#include "ops/diagnostics/diagnostics.h"  // IWYU pragma: export
#include "ops/functions.h"                // IWYU pragma: export
#include "ops/initializers.h"             // IWYU pragma: export
#include "ops/layers/layers.h"            // IWYU pragma: export
#include "ops/math.h"                     // IWYU pragma: export
#include "ops/matmul.h"                   // IWYU pragma: export
#include "ops/nn.h"                       // IWYU pragma: export
#include "ops/pool.h"                     // IWYU pragma: export
#include "ops/random.h"                   // IWYU pragma: export
#include "ops/regularizers.h"             // IWYU pragma: export
#include "ops/save_restore.h"             // IWYU pragma: export
#include "ops/state.h"                    // IWYU pragma: export
#include "ops/train/adam.h"               // IWYU pragma: export
#include "ops/train/architecture.h"       // IWYU pragma: export
#include "ops/train/callbacks.h"          // IWYU pragma: export
#include "ops/train/gradient_descent.h"   // IWYU pragma: export
#include "ops/train/losses.h"             // IWYU pragma: export
#include "ops/train/metrics.h"            // IWYU pragma: export
#include "ops/train/model_summary.h"      // IWYU pragma: export
#include "ops/train/momentum.h"           // IWYU pragma: export
#include "ops/train/saver.h"              // IWYU pragma: export
#include "ops/train/scaler.h"             // IWYU pragma: export
#include "ops/train/tensor_board.h"       // IWYU pragma: export
#include "ops/train/trainer.h"            // IWYU pragma: export
#include "runtime/io/checkpoint_state.h"  // IWYU pragma: export
#include "runtime/io/dataset.h"           // IWYU pragma: export
#include "runtime/io/events.h"            // IWYU pragma: export
#include "runtime/io/mnist.h"             // IWYU pragma: export
#include "runtime/profile.h"              // IWYU pragma: export
#include "runtime/session.h"              // IWYU pragma: export

#endif  // STATICFLOW_STATICFLOW_H_
