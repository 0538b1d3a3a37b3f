// ModelSummary: a graph as a table of its layers, as Keras prints it.
//
//   std::printf("%s", train::ModelSummary({.inputs = {x}, .output = logits, .title = "kerasmodel1"}).c_str());
//
//   Layer (type)                 Output Shape              Param #
//   =================================================================
//   input (Placeholder)          (None, 784)               0
//   _________________________________________________________________
//   dense (Dense)                (None, 100)               78500
//
// A layer is a scope: the one that the names of its variables have, else the first component of a node's name that is
// no scope around layers; its type is what the layer's function is called, or the op's type. Rows stand in the order of
// the nodes. A layer that is applied again has a row of its own without parameters: its variables count once. Only
// reads the graph; may be called from any thread while nobody adds nodes.
#ifndef STATICFLOW_OPS_TRAIN_MODEL_SUMMARY_H_
#define STATICFLOW_OPS_TRAIN_MODEL_SUMMARY_H_

#include <string>
#include <vector>

#include "graph/graph.h"

namespace staticflow::train {

struct ModelSummaryOptions {
  std::vector<Output> inputs = {};
  Output output = Output();
  std::string title = "model";
};

struct LayerSummary {
  std::string name;
  std::string type;
  Shape output_shape;
  int64_t trainable = 0;  // numbers, not tensors
  int64_t non_trainable = 0;
};

// The layers between the inputs and the output. Variables of optimizers are no parameters.
std::vector<LayerSummary> SummarizeLayers(const ModelSummaryOptions& options);
std::string ModelSummary(const ModelSummaryOptions& options);

}  // namespace staticflow::train

#endif  // STATICFLOW_OPS_TRAIN_MODEL_SUMMARY_H_
