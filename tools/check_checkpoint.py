#!/usr/bin/env python3
"""Lets TensorFlow read a checkpoint that staticflow wrote. Needs TensorFlow; run by hand.

  tools/check_checkpoint.py out/model.ckpt                    lists the tensors and reads every one
  tools/check_checkpoint.py out/model.ckpt --equal other      also compares each, bit for bit, with another checkpoint
"""

import argparse
import sys

import tensorflow as tf


def read(prefix):
    """All tensors of a checkpoint by name."""
    reader = tf.train.load_checkpoint(prefix)
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def equal(a, b):
    """Whether dtype, shape and bytes agree."""
    if isinstance(a, bytes) or isinstance(b, bytes):
        return a == b
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prefix")
    parser.add_argument("--equal", metavar="PREFIX", help="a checkpoint with the same tensors")
    args = parser.parse_args()
    tensors = read(args.prefix)
    for name, value in sorted(tensors.items()):
        print(f"{name}  {getattr(value, 'dtype', 'string')}{list(getattr(value, 'shape', []))}")
    failures = 0
    if args.equal:
        others = read(args.equal)
        for name in sorted(tensors.keys() | others.keys()):
            if name not in tensors or name not in others or not equal(tensors[name], others[name]):
                print(f"DIFFERENT: {name}")
                failures += 1
    print(f"{len(tensors)} tensors, {failures} different")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
