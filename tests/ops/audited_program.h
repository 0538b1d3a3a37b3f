// What the programs are made of that the tests of audits look at, and what of them is run.
#ifndef STATICFLOW_TESTS_OPS_AUDITED_PROGRAM_H_
#define STATICFLOW_TESTS_OPS_AUDITED_PROGRAM_H_

#include <vector>

#include "ops/array.h"
#include "ops/layers/core.h"
#include "ops/math.h"
#include "ops/nn.h"
#include "runtime/session.h"

namespace staticflow {

// Four examples of three numbers and two classes.
struct AuditedProgram {
  Graph g;
  Output x = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 3}, .name = "x"});
  Output labels = Placeholder(g, {.dtype = DT_FLOAT, .shape = {-1, 2}, .name = "labels"});
  Output is_training = PlaceholderWithDefault(g, false, {.name = "is_training"});
  Tensor batch = Tensor::Matrix<float>({{1, 2, 3}, {4, 5, 7}, {0, 1, 0}, {2, 2, 1}});
  Tensor targets = Tensor::Matrix<float>({{1, 0}, {0, 1}, {1, 0}, {0, 1}});

  Output Logits(Output h) { return layers::Dense(g, h, {.units = 2}); }
  Output LossOf(Output logits) { return Mean(SoftmaxCrossEntropyWithLogits(logits, labels)); }
  Session::Feeds Feeds(bool training) { return {{x, batch}, {labels, targets}, {is_training, training}}; }
};

struct AuditedCall {
  Session::Feeds feeds = {};
  std::vector<Output> fetches = {};
  std::vector<Operation> targets = {};
};

}  // namespace staticflow

#endif  // STATICFLOW_TESTS_OPS_AUDITED_PROGRAM_H_
