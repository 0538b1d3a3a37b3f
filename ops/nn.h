// Neural-network functions: activations, bias, softmax and its losses, normalization by moments, dropout.
//
//   Output h = Relu(BiasAdd(MatMul(x, w), b));
//   Output loss = Mean(SoftmaxCrossEntropyWithLogits(logits, labels));
//
// Unless stated otherwise T is half, bfloat16, float or double, the result has the operand's shape and type, and every
// function is differentiable, twice where mathematics allows it. Errors stick to the graph. Names, formulas and
// gradients are those of tf.nn (TensorFlow 1.15). None of the functions is thread-safe: each adds to the graph.
#ifndef STATICFLOW_OPS_NN_H_
#define STATICFLOW_OPS_NN_H_

#include <string>
#include <utility>
#include <vector>

#include "graph/node_builder.h"

namespace staticflow {

// ---- Activations ----

// max(x, 0), min(max(x, 0), 6): any real number type. A NaN stays NaN.
Output Relu(Operand features, const OpOptions& options = {});
Output Relu6(Operand features, const OpOptions& options = {});

struct LeakyReluOptions {
  float alpha = 0.2f;  // the slope below zero
  std::string name = "";
};
// x where x > 0, alpha * x elsewhere.
Output LeakyRelu(Operand features, const LeakyReluOptions& options = {});

// x where x > 0, exp(x) - 1 elsewhere.
Output Elu(Operand features, const OpOptions& options = {});
// scale * Elu with its alpha, such that activations normalize themselves (Klambauer et al. 2017).
Output Selu(Operand features, const OpOptions& options = {});
// log(1 + exp(x)), without overflow.
Output Softplus(Operand features, const OpOptions& options = {});
// x / (1 + |x|).
Output Softsign(Operand features, const OpOptions& options = {});

// ---- Bias ----

struct BiasAddOptions {
  std::string data_format = "NHWC";  // or "NCHW": the channels are dimension 1, not the last one
  std::string name = "";
};
// value + bias, where `bias` is a vector with one element per channel of `value` (rank 2 or more, any number type).
Output BiasAdd(Operand value, Operand bias, const BiasAddOptions& options = {});

// ---- Softmax and losses ----

// exp(x) / sum(exp(x)) over the last dimension, and its logarithm; rank 1 or more.
Output Softmax(Operand logits, const OpOptions& options = {});
Output LogSoftmax(Operand logits, const OpOptions& options = {});

struct SoftmaxCrossEntropyOptions {
  // Whether gradients flow into the labels too. Then it is tf.nn.softmax_cross_entropy_with_logits_v2, else the older
  // function without _v2, which holds the labels constant.
  bool labels_gradient = false;
  std::string name = "";
};
// -sum(labels * LogSoftmax(logits)) over the last dimension: [..., classes] x [..., classes] -> [...], one loss per
// row. The labels are probabilities. Matrices of labels and logits broadcast against each other.
Output SoftmaxCrossEntropyWithLogits(Operand logits, Operand labels, const SoftmaxCrossEntropyOptions& options = {});

// The same for labels that are class numbers, int32 or int64: [..., classes] x [...] -> [...].
// Running it gives InvalidArgument for a label outside [0, classes).
Output SparseSoftmaxCrossEntropyWithLogits(Operand logits, Operand labels, const OpOptions& options = {});

// max(x, 0) - x * z + log(1 + exp(-|x|)) for logits x and labels z of one shape: one loss per element.
Output SigmoidCrossEntropyWithLogits(Operand logits, Operand labels, const OpOptions& options = {});

// sum(t^2) / 2 over all elements, a scalar.
Output L2Loss(Operand t, const OpOptions& options = {});

// ---- Normalization ----

struct MomentsOptions {
  bool keep_dims = false;  // keep the reduced dimensions with size 1
  std::string name = "";   // of the scope; "": "moments"
};
struct MomentsResult {
  Output mean;
  Output variance;  // of the population: divided by n, not n - 1; never negative
};
// Mean and variance of `x` over `axes`. Nodes:
// moments/{mean,StopGradient,SquaredDifference,variance,Squeeze,Squeeze_1}.
MomentsResult Moments(Operand x, const std::vector<int64_t>& axes, const MomentsOptions& options = {});

// (x - mean) * scale / sqrt(variance + epsilon) + offset, all broadcast against x. `offset` and `scale` may be
// invalid Outputs: then there is none. Nodes: batchnorm/{add,Rsqrt,mul,mul_1,mul_2,sub,add_1}.
Output BatchNormalization(Operand x, Output mean, Output variance, Output offset, Output scale, double epsilon,
                          const OpOptions& options = {});

struct LrnOptions {
  int64_t depth_radius = 5;
  float bias = 1;
  float alpha = 1;
  float beta = 0.5f;
  std::string name = "";
};
// Local response normalization over channels: x / (bias + alpha * sum(x^2 of the channels within depth_radius))^beta.
// `input` is [batch, height, width, channels], T half, bfloat16 or float.
Output LRN(Operand input, const LrnOptions& options = {});

struct DropoutOptions {
  double rate = 0.5;  // the share of elements that become zero, in [0, 1)
  int64_t seed = 0;   // 0: the graph chooses one
  std::string name = "";
};
// x / (1 - rate), or 0 with probability `rate`, for each element by itself. `x` itself when the rate is 0.
// Errors: InvalidArgument for a rate outside [0, 1).
Output Dropout(Operand x, const DropoutOptions& options = {});

// ---- Other filters ----

struct Dilation2DOptions {
  std::vector<int64_t> strides = {1, 1, 1, 1};
  std::vector<int64_t> rates = {1, 1, 1, 1};  // distance of the filter's elements
  std::string padding = "SAME";               // or "VALID"
  std::string name = "";
};
// Greyscale morphology: the largest input + filter under a window, for each channel; input [batch, rows, columns,
// channels], filter [rows, columns, channels]. Any real number type.
Output Dilation2D(Operand input, Operand filter, const Dilation2DOptions& options = {});

struct IsotonicRegressionOptions {
  DataType output_dtype = DT_FLOAT;  // a floating input's type; double for int32 and int64, float for int8 and int16
  std::string name = "";
};
struct IsotonicRegressionResult {
  Output output;
  Output segments;  // int32: the number of its run of equal values, for each element
};
// The row nearest to each row of `input` (least squares) among those that do not increase.
IsotonicRegressionResult IsotonicRegression(Operand input, const IsotonicRegressionOptions& options = {});

// ---- Layouts ----

struct DataFormatOptions {
  std::string src_format = "NHWC";
  std::string dst_format = "NCHW";  // the same letters in another order
  std::string name = "";
};
// The numbers of dimensions of a picture in src_format, as they are in dst_format. int32 or int64; no gradient.
Output DataFormatDimMap(Operand x, const DataFormatOptions& options = {});
// A vector with an element per dimension (or one per spatial dimension, or a matrix with a row of two for each), such
// as strides, shapes and paddings, in the order of dst_format.
Output DataFormatVecPermute(Operand x, const DataFormatOptions& options = {});

}  // namespace staticflow

#endif  // STATICFLOW_OPS_NN_H_
