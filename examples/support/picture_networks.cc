#include "examples/support/picture_networks.h"

#include "examples/support/pictures.h"

namespace staticflow {
namespace {

constexpr int64_t kSeed = 1;  // the post's 0 would mean "any" here
constexpr double kEpsilon = 1e-3;

// What the last layer gets, of rank 2, and the first batch normalization on the way to it.
struct Body {
  Output features, normalized;
};

// With x = mean nothing is left to be rounded.
Output NormalizeByHand(Graph& g, Output x) {
  const VariableScope scope(g, "batch_normalization");
  const Variable gamma = GetVariable(g, "gamma"), beta = GetVariable(g, "beta");
  const MomentsResult batch = Moments(x, {0});
  return gamma.snapshot * ((x - batch.mean) / Sqrt(batch.variance + kEpsilon)) + beta.snapshot;
}

Output Normalize(Graph& g, Output x, const PictureNetworkOptions& options, double gamma = 1) {
  return layers::BatchNormalization(
      g, x,
      {.momentum = options.momentum, .training = options.training, .gamma_initializer = initializers::Constant(gamma)});
}

Body Dense(Graph& g, Output x, const PictureNetworkOptions& options) {
  Output h = layers::Flatten(g, x);
  h = layers::Dense(g, h, {.units = options.units});
  const Output normalized = options.by_hand ? NormalizeByHand(g, h) : Normalize(g, h, options);
  return {Relu(normalized), normalized};
}

Body Conv(Graph& g, Output x, const PictureNetworkOptions& options) {
  Output h = layers::Conv2D(g, x,
                            {.filters = options.filters,
                             .kernel_size = 7,
                             .strides = 2,
                             .kernel_initializer = initializers::GlorotUniform({.seed = kSeed})});
  const Output normalized = Normalize(g, h, options);
  return {layers::Flatten(g, Relu(normalized)), normalized};
}

Body ResNet(Graph& g, Output x, const PictureNetworkOptions& options) {
  const int64_t filters = options.filters;
  int64_t seed = kSeed;
  const auto conv = [&](Output in, int window, int stride, const char* padding) {
    return layers::Conv2D(g, in,
                          {.filters = filters,
                           .kernel_size = window,
                           .strides = stride,
                           .padding = padding,
                           .use_bias = false,
                           .kernel_initializer = initializers::GlorotUniform({.seed = seed++})});
  };
  const Output padded = Pad(x, {0, 0, 3, 3, 3, 3, 0, 0});  // ZeroPadding2D((3, 3))
  const Output normalized = Normalize(g, conv(padded, 7, 2, "valid"), options);
  Output h = layers::MaxPooling2D(g, Relu(normalized), {.pool_size = 3, .strides = 2});
  // The identity block: with gamma 0 at its end it starts as the identity.
  const Output shortcut = h;
  h = Relu(Normalize(g, conv(h, 1, 1, "valid"), options));
  h = Relu(Normalize(g, conv(h, 3, 1, "same"), options));
  h = Normalize(g, conv(h, 1, 1, "valid"), options, 0);
  h = Relu(h + shortcut);
  // GlobalAveragePooling2D beside GlobalMaxPooling2D, and a layer that starts as the identity too.
  h = Concat({Mean(h, {1, 2}), Max(h, {1, 2})}, 1);
  h = layers::Dense(g, h, {.units = 2 * filters, .kernel_initializer = initializers::Identity()});
  return {h, normalized};
}

}  // namespace

PictureNetwork ApplyPictureNetwork(Graph& g, const std::string& name, Output x, const PictureNetworkOptions& options) {
  const VariableScope scope(g, name, {.reuse = Reuse::kAutoReuse});
  const Body body = name == "dense"  ? Dense(g, x, options)
                    : name == "conv" ? Conv(g, x, options)
                                     : ResNet(g, x, options);
  const Output logits = layers::Dense(
      g, body.features, {.units = kPictureClasses, .kernel_initializer = initializers::GlorotUniform({.seed = kSeed})});
  return {Softmax(logits), body.normalized};
}

}  // namespace staticflow
