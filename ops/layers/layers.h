// Layers: variables and ops behind one call, with the options, names and defaults of TensorFlow 1's tf.layers.
//
//   Output h = layers::Dense(g, x, {.units = 100, .use_bias = false});
//   h = Relu(layers::BatchNormalization(g, h, {.training = is_training}));
//   Output logits = layers::Dense(g, h, {.units = 10});
#ifndef STATICFLOW_OPS_LAYERS_LAYERS_H_
#define STATICFLOW_OPS_LAYERS_LAYERS_H_

#include "ops/layers/convolutional.h"
#include "ops/layers/core.h"
#include "ops/layers/normalization.h"
#include "ops/layers/pooling.h"
#include "ops/layers/recurrent.h"

#endif  // STATICFLOW_OPS_LAYERS_LAYERS_H_
