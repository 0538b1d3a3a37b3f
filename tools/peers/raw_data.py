#!/usr/bin/env python3
"""Writes MNIST, or a data set of its form, as the raw arrays that the benchmarks and their peers read.

    raw_data.py /usr/share/datasets/fashion-mnist RAW
    raw_data.py --weights 784,160,10 RAW                    # adds a perceptron's weights, as RAW/784,160,10.f32

x.f32, y.i64: the training images in [0,1] and classes, in one shuffled order; tx.f32, ty.i64: the first 5000 of the test
set; W1.f32, W4.f32, W5.f32: the networks' initial weights, layer by layer, normal(0, 0.05) or (W5) orthogonal.
"""
import gzip
import os
import struct
import sys

import numpy as np


def read_idx(folder, name):
    path = os.path.join(folder, name)
    opened = open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz")
    with opened as f:
        rank = struct.unpack(">I", f.read(4))[0] & 255
        return np.frombuffer(f.read(), np.uint8, offset=4 * rank) if rank == 1 else \
            np.frombuffer(f.read(), np.uint8, offset=4 * rank).reshape(-1, 784)


def pixels(bytes_):
    floats = bytes_.astype(np.float32)
    floats *= np.float32(1 / 255.0)
    return floats


def main():
    if len(sys.argv) != (4 if "--weights" in sys.argv else 3):
        sys.exit(__doc__)
    source, *rest, target = sys.argv[1:]
    widths = rest[0] if rest else ""
    sys.argv = sys.argv[:1]  # protocol.py reads flags
    from protocol import Network

    def write_weights(name, network):
        np.concatenate([w.ravel() for w in network.weights()]).tofile(os.path.join(target, name + ".f32"))
    os.makedirs(target, exist_ok=True)
    if source == "--weights":
        return write_weights(widths, Network(widths=[int(w) for w in widths.split(",")]))
    images, classes = read_idx(source, "train-images-idx3-ubyte"), read_idx(source, "train-labels-idx1-ubyte")
    order = np.random.RandomState(1).permutation(len(images))
    pixels(images[order]).tofile(os.path.join(target, "x.f32"))
    classes[order].astype(np.int64).tofile(os.path.join(target, "y.i64"))
    pixels(read_idx(source, "t10k-images-idx3-ubyte")[:5000]).tofile(os.path.join(target, "tx.f32"))
    read_idx(source, "t10k-labels-idx1-ubyte")[:5000].astype(np.int64).tofile(os.path.join(target, "ty.i64"))
    for name in ("W1", "W4", "W5"):
        write_weights(name, Network(name))


main()
