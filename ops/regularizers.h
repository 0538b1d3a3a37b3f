// Regularizers: cheap values that build a loss from a variable's value, for `.kernel_regularizer` of a layer or
// `.regularizer` of GetVariable. The losses join the collection regularization_losses:
//
//   Output h = layers::Dense(g, x, {.units = 100, .kernel_regularizer = regularizers::L2(1e-4)});
//   Output loss = losses::GetTotalLoss(g);           // the data's losses and dense/kernel/Regularizer/mul
//
// The factories are pure and may be called from any thread; calling a regularizer adds to its graph. A factor of 0
// builds no nodes and no loss. Source of formulas and nodes: tf.keras.regularizers (TensorFlow 1.15); Orthogonal:
// Keras.
#ifndef STATICFLOW_OPS_REGULARIZERS_H_
#define STATICFLOW_OPS_REGULARIZERS_H_

#include "graph/variable_scope.h"

namespace staticflow::regularizers {

// l1 sum(|w|)
Regularizer L1(double l1 = 0.01);
// l2 sum(w^2)
Regularizer L2(double l2 = 0.01);
// l1 sum(|w|) + l2 sum(w^2)
Regularizer L1L2(double l1 = 0.01, double l2 = 0.01);

struct OrthogonalOptions {
  double factor = 0.01;
  bool rows = true;  // whether the rows are to be orthogonal, else the columns
};
// factor times the mean of |u . v| over all pairs of different rows (or columns) of a matrix, each first made a unit
// vector. InvalidArgument unless the variable is a matrix with at least two of them.
Regularizer Orthogonal(const OrthogonalOptions& options = {});

}  // namespace staticflow::regularizers

#endif  // STATICFLOW_OPS_REGULARIZERS_H_
