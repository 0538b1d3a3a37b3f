// The three networks of the forum post about predictions for single pictures.
//
//   PictureNetwork trained = ApplyPictureNetwork(g, "dense", x, {.training = true});
//   PictureNetwork fixed = ApplyPictureNetwork(g, "dense", x, {.training = is_training});     // the same variables
//
//   dense   flatten, dense `units`, batch norm, relu, dense 6
//   conv    convolution 7 x 7 / 2 of `filters` channels, batch norm, relu, flatten, dense 6
//   resnet  zero padding, that convolution, batch norm, relu, max pooling, a residual block of three convolutions,
//           global average beside global maximum pooling, a dense layer that starts as the identity, dense 6
#ifndef STATICFLOW_EXAMPLES_SUPPORT_PICTURE_NETWORKS_H_
#define STATICFLOW_EXAMPLES_SUPPORT_PICTURE_NETWORKS_H_

#include <string>

#include "staticflow.h"

namespace staticflow {

struct PictureNetworkOptions {
  layers::Training training = true;
  // Dense only: batch normalization with the statistics of the batch as gamma (x - mean) / sqrt(variance + epsilon) +
  // beta, of the layer that was applied before.
  bool by_hand = false;
  int64_t units = 64 * 7 * 7;
  int64_t filters = 64;
  double momentum = 0.99;
};

struct PictureNetwork {
  Output probabilities;
  Output normalized;  // what the first batch normalization gives
};

// `x` is [n, 64, 64, 3]. The variables lie in the scope `name` (dense, conv or resnet); they are those of the first
// application. Errors stick to the graph.
PictureNetwork ApplyPictureNetwork(Graph& g, const std::string& name, Output x, const PictureNetworkOptions& options);

}  // namespace staticflow

#endif  // STATICFLOW_EXAMPLES_SUPPORT_PICTURE_NETWORKS_H_
