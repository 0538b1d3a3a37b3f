// ExponentialMovingAverage: shadows of variables that follow them slowly; evaluate with these.
//
//   train::ExponentialMovingAverage average(g, {.decay = 0.999});
//   Operation follow;
//   {
//     ControlDependencies after(g, {train_step});
//     follow = average.Apply();                          // run this instead of train_step
//   }
//   Saver saver(g, {.var_list = ..., .partial = true});  // average.Average(w)->ref() holds what to evaluate with
//
// The shadow of w is the variable w/ExponentialMovingAverage, no part of the trainable variables; it begins with w's
// value. Not thread-safe: it adds to the graph, which must outlive it; errors stick to the graph.
// Source: tf.train.ExponentialMovingAverage (TensorFlow 1.15).
#ifndef STATICFLOW_OPS_TRAIN_MOVING_AVERAGE_H_
#define STATICFLOW_OPS_TRAIN_MOVING_AVERAGE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "graph/node_builder.h"

namespace staticflow::train {

struct ExponentialMovingAverageOptions {
  double decay = 0.999;  // shadow -= (1 - decay) * (shadow - variable)
  // A variable or scalar that counts updates: the decay is then at most (1 + n) / (10 + n), so that averages follow
  // faster in the beginning.
  Output num_updates = Output();
  std::string name = "ExponentialMovingAverage";
};

class ExponentialMovingAverage {
 public:
  explicit ExponentialMovingAverage(Graph& g, const ExponentialMovingAverageOptions& options = {})
      : graph_(g), options_(options) {}

  // One operation that updates the shadows, which the first call makes, of `variables` (references, handles or values);
  // empty: the trainable ones. InvalidArgument for something else than a floating variable.
  Operation Apply(absl::Span<const Output> variables = {});
  Operation Apply(std::initializer_list<Output> variables) {
    return Apply(absl::MakeConstSpan(variables.begin(), variables.size()));
  }

  // The shadow of a variable; null when Apply has not met it.
  const Variable* Average(Output variable) const;
  // The name that its shadow has or would have.
  std::string AverageName(Output variable) const;
  // For restoring averages in place of the variables: name in the checkpoint -> variable. All trainable variables and
  // those that have shadows under their shadows' names, other variables of the graph under their own.
  std::map<std::string, Output> VariablesToRestore() const;

 private:
  const Variable* MakeShadow(const Variable& variable);

  Graph& graph_;
  ExponentialMovingAverageOptions options_;
  std::vector<std::pair<const Node*, const Variable*>> shadows_;  // by the variable's node
};

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_MOVING_AVERAGE_H_
