// Sample nodes of any op, for what looks at the whole registry: attributes made up where they have no default, and what
// inputs go with them.
//
//   const OpSample sample = SampleOp(*FindOp("Conv2D"), /*rank=*/4);
//   sample.inputs.size() == 2      sample.attrs.at("strides")    // [1, 1, 1, 1]
//
// Pure functions of the registry; may be called from any thread.
#ifndef STATICFLOW_GRAPH_OP_SAMPLE_H_
#define STATICFLOW_GRAPH_OP_SAMPLE_H_

#include <vector>

#include "absl/types/span.h"
#include "graph/graph.h"

namespace staticflow {

struct OpSample {
  struct Input {
    const ArgDef* argument = nullptr;
    DataType dtype = DT_INVALID;
  };
  AttrMap attrs;
  std::vector<Input> inputs;  // flat: of a list argument as many as its attribute says
};

// Attributes without default get the first value that is allowed: a floating type where there is one, the least number,
// the first string; lists of integers, such as strides and windows, get `rank` ones.
OpSample SampleOp(const Op& op, int rank);

// Adds the node. `operands` are flat, as the sample's inputs.
// Null after an error, which the graph then keeps.
Node* BuildSample(const Op& op, const OpSample& sample, absl::Span<const Output> operands, Graph& g);

}  // namespace staticflow

#endif  // STATICFLOW_GRAPH_OP_SAMPLE_H_
