// Fused batch normalization: statistics, normalization and their gradient in one op each.
//
//   FusedBatchNormResult bn = FusedBatchNorm(x, gamma, beta, {.epsilon = 1e-3});            training
//   Output y = FusedBatchNorm(x, gamma, beta, moving_mean, moving_variance,
//                             {.is_training = false}).y;                                    inference
//
// The functions add to the graph and are not thread-safe. Source: tf.compat.v1.nn.fused_batch_norm.
#ifndef STATICFLOW_OPS_BATCH_NORM_H_
#define STATICFLOW_OPS_BATCH_NORM_H_

#include <string>

#include "graph/node_builder.h"

namespace staticflow {

struct FusedBatchNormOptions {
  float epsilon = 1e-3f;             // added to the variance
  bool is_training = true;           // statistics of the batch, else those given
  float exponential_avg_factor = 1;  // f: the returned statistics are f * the batch's + (1 - f) * those given
  std::string data_format = "NHWC";  // "NCHW"; "NDHWC", "NCDHW" for rank 5
  std::string name = "";
};

struct FusedBatchNormResult {
  Output y;               // like x
  Output batch_mean;      // per channel
  Output batch_variance;  // per channel; in training with n - 1 in the denominator, where y is normalized with n
};

// (x - mean) * scale / sqrt(variance + epsilon) + offset per channel of `x`, which is half, bfloat16 or float of rank 4
// (or 5); the other operands are float vectors with one element per channel. The variance is computed in two passes and
// never negative. Op: FusedBatchNormV3.
// `mean` and `variance` are needed, and returned, when is_training is false; in training they may be invalid Outputs
// unless exponential_avg_factor differs from 1. As in TensorFlow no gradient flows into them through y.
FusedBatchNormResult FusedBatchNorm(Operand x, Operand scale, Operand offset, Output mean, Output variance,
                                    const FusedBatchNormOptions& options = {});
FusedBatchNormResult FusedBatchNorm(Operand x, Operand scale, Operand offset,
                                    const FusedBatchNormOptions& options = {});

struct BatchNormWithGlobalNormalizationOptions {
  float variance_epsilon = 1e-3f;
  bool scale_after_normalization = true;  // whether gamma counts
  std::string name = "";
};
// (t - m) gamma / sqrt(v + variance_epsilon) + beta per channel of t [batch, rows, columns, channels]: what graphs from
// before the fused op have. half, float or double; differentiable once by every operand.
Output BatchNormWithGlobalNormalization(Operand t, Operand m, Operand v, Operand beta, Operand gamma,
                                        const BatchNormWithGlobalNormalizationOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_BATCH_NORM_H_
