"""TensorFlow in graph mode, as fast as it goes on small networks: Session.make_callable, the executor in the caller's
thread (inter_op_parallelism_threads = -1), batch normalization by moments on matrices and fused on pictures."""
import os

from protocol import *

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow.compat.v1 as tf

run = Run("tensorflow", "graph")
tf.disable_v2_behavior()
net = run.network


def session():
    s = tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=run.threads, inter_op_parallelism_threads=-1))
    s.run(tf.global_variables_initializer())
    return s


def batch_norm(h, training):
    n = int(h.shape[-1])
    gamma, beta = tf.Variable(tf.ones([n])), tf.Variable(tf.zeros([n]))
    mean, variance = (tf.Variable(v([n]), trainable=False) for v in (tf.zeros, tf.ones))
    fused = len(h.shape) == 4

    def train():
        if fused:
            y, m, v = tf.nn.fused_batch_norm(h, gamma, beta, epsilon=EPSILON, is_training=True)
        else:
            m, v = tf.nn.moments(h, [0])
            y = tf.nn.batch_normalization(h, m, v, beta, gamma, EPSILON)
        with tf.control_dependencies([tf.assign(mean, mean * DECAY + m * (1 - DECAY)),
                                      tf.assign(variance, variance * DECAY + v * (1 - DECAY))]):
            return tf.identity(y)

    def infer():
        if fused:
            return tf.nn.fused_batch_norm(h, gamma, beta, mean=mean, variance=variance, epsilon=EPSILON,
                                          is_training=False)[0]
        return tf.nn.batch_normalization(h, mean, variance, beta, gamma, EPSILON)
    return tf.cond(training, train, infer)


def forward(x, training):
    activation = {"relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid, "tanh": tf.nn.tanh}[net.activation]
    weights = [tf.Variable(w) for w in net.weights()]
    h = tf.reshape(x, [-1, 28, 28, 1]) if net.convolutions else x
    for i in range(1, net.convolutions + 1):
        h = tf.nn.conv2d(h, weights.pop(0), strides=[1, net.stride(i), net.stride(i), 1], padding="SAME")
        h = activation(batch_norm(h, training) if net.batch_norm else h)
    if net.convolutions:
        h = tf.reshape(h, [-1, net.widths[0]])
    for i, w in enumerate(weights):
        h, last = tf.matmul(h, w), i == len(weights) - 1
        h = batch_norm(h, training) if net.batch_norm and not last else h + tf.Variable(tf.zeros([int(w.shape[1])]))
        h = h if last else activation(h)
    return h


def scalars():
    x, c = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    if run.wide:
        h = tf.add_n([x + tf.constant(float(i)) for i in range(run.additions)])
    else:
        h = x
        for _ in range(run.additions):
            h = h + c
    call, one = session().make_callable(h, feed_list=[x, c]), np.float32(1)
    run.serve(lambda: call(one, one))


def main():
    if run.scalars:
        scalars()
    x, y = tf.placeholder(tf.float32, [None, 784]), tf.placeholder(tf.float32, [None, 10])
    training = tf.placeholder(tf.bool, [])
    logits = forward(x, training)
    yes, no = np.array(True), np.array(False)
    if run.inference:
        call = session().make_callable(logits, feed_list=[x, training])
        run.serve(lambda: call(run.x[run.batch()], no))
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=logits))
    optimizer = {"sgd": tf.train.GradientDescentOptimizer, "adam": tf.train.AdamOptimizer,
                 "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9)}[net.optimizer](net.learning_rate)
    train = optimizer.minimize(loss)
    right = tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1))
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
    s = session()
    feeds = [x, y, training] if net.batch_norm else [x, y]
    call = s.make_callable(train, feed_list=feeds)

    def step():
        b = run.batch()
        call(run.x[b], run.labels[b], yes) if net.batch_norm else call(run.x[b], run.labels[b])
    run.serve(step, lambda: s.run(accuracy, {x: run.test_x, y: run.test_labels, training: False}))


main()
