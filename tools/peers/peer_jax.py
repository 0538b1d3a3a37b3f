"""JAX: the whole step is one compiled function whose state is donated; steps are dispatched without waiting."""
import os

from protocol import *

os.environ["JAX_PLATFORMS"] = "cpu"
import jax
import jax.numpy as jnp
import numpy as np

run = Run("jax", "jit")
net = run.network
tree = jax.tree_util.tree_map


def parameters():
    """for each layer its weights and the bias, or gamma and beta; for each normalization the moving averages"""
    layers, averages = [], []
    weights = net.weights()
    for i, w in enumerate(weights):
        n = w.shape[-1]
        if net.batch_norm and i + 1 < len(weights):
            layers.append({"w": jnp.asarray(w), "gamma": jnp.ones(n), "beta": jnp.zeros(n)})
            averages.append((jnp.zeros(n), jnp.ones(n)))
        else:
            layers.append({"w": jnp.asarray(w), "beta": jnp.zeros(n)})
    return layers, averages


def normalize(h, layer, averages, training):
    if training:
        axes = tuple(range(h.ndim - 1))
        mean = h.mean(axes)
        variance = jnp.square(h).mean(axes) - jnp.square(mean)
        averages = tuple(old * DECAY + new * (1 - DECAY) for old, new in zip(averages, (mean, variance)))
    else:
        mean, variance = averages
    scale = jax.lax.rsqrt(variance + EPSILON) * layer["gamma"]
    return h * scale + (layer["beta"] - mean * scale), averages


def forward(layers, averages, x, training):
    activation = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[net.activation]
    h, moved = x.reshape(-1, 28, 28, 1) if net.convolutions else x, []
    for i, layer in enumerate(layers):
        if i < net.convolutions:
            h = jax.lax.conv_general_dilated(h, layer["w"], (net.stride(i + 1),) * 2, "SAME",
                                             dimension_numbers=("NHWC", "HWIO", "NHWC"))
        else:
            h = h.reshape(h.shape[0], -1) @ layer["w"]
        if "gamma" in layer:
            h, a = normalize(h, layer, averages[i], training)
            moved.append(a)
        else:
            h = h + layer["beta"]
        if i + 1 < len(layers):
            h = activation(h)
    return h, moved


def updated(layers, slots, gradients):
    """the layers and slots after one step of the optimizer"""
    rate = net.learning_rate
    if net.optimizer == "sgd":
        return tree(lambda p, g: p - rate * g, layers, gradients), slots
    if net.optimizer == "momentum":
        speed = tree(lambda v, g: 0.9 * v + g, slots, gradients)
        return tree(lambda p, v: p - rate * v, layers, speed), speed
    m, v, t = slots
    t = t + 1
    m = tree(lambda a, g: 0.9 * a + 0.1 * g, m, gradients)
    v = tree(lambda a, g: 0.999 * a + 0.001 * g * g, v, gradients)
    rate = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return tree(lambda p, a, b: p - rate * a / (jnp.sqrt(b) + 1e-8), layers, m, v), (m, v, t)


def main():
    if run.scalars:
        def additions(x, c):
            if run.wide:
                return sum(x + np.float32(i) for i in range(run.additions))
            for _ in range(run.additions):
                x = x + c
            return x
        call, one = jax.jit(additions), jnp.float32(1)
        run.serve(lambda: call(one, one).block_until_ready())
    layers, averages = parameters()
    infer = jax.jit(lambda layers, averages, x: forward(layers, averages, x, False)[0])
    if run.inference:
        run.serve(lambda: np.asarray(infer(layers, averages, run.x[run.batch()])))

    def loss(layers, averages, x, y):
        logits, averages = forward(layers, averages, x, True)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean(), averages

    def train(state, x, y):
        layers, averages, slots = state
        gradients, averages = jax.grad(loss, has_aux=True)(layers, averages, x, y)
        layers, slots = updated(layers, slots, gradients)
        return layers, averages, slots
    zeros = tree(jnp.zeros_like, layers)
    slots = {"sgd": (), "momentum": zeros, "adam": (zeros, tree(jnp.zeros_like, layers), jnp.float32(0))}[net.optimizer]
    state, compiled, classes = [(layers, averages, slots)], jax.jit(train, donate_argnums=0), run.y.astype(np.int32)

    def step():
        b = run.batch()
        state[0] = compiled(state[0], run.x[b], classes[b])
    run.serve(step, lambda: np.mean(np.asarray(infer(*state[0][:2], run.test_x)).argmax(1) == run.test_y),
              wait=lambda: jax.block_until_ready(state[0]))


main()
