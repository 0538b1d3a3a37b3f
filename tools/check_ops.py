"""Compares ops with TensorFlow over random attributes, types and shapes.

    tools/check_ops.py [--count 20] [--seed 1] [--only REGEX] /tmp/cases
    bazel run //tests:golden_runner -- --known-ops /tmp/cases

Writes golden cases: one op each, with random inputs of all types that TensorFlow computes, edge cases among them
(empty tensors, scalars, NaN, infinities, the ends of integers, negative axes, every padding and data format), and what
TensorFlow gives for them: values, gradients, gradients as nodes of the graph and the gradients of those, or an error.
The runner says where this library differs. Needs TensorFlow 2 and protoc; nothing here is part of the build. Each op
has a process of its own: some of TensorFlow's kernels end theirs.
"""
import argparse
import os
import re
import sys

import numpy as np

from golden_case import GoldenCase, tf
from random_case import FLOATS, MANY, NUMBERS, Draw, types

R = tf.raw_ops
OPS = []  # (name, function of a Draw)


def op(function):
  OPS.append((function.__name__, function))
  return function


def unary(*names):
  for name in names:
    def build(d, name=name, dtypes=tuple(types(name))):
      x = d.tensor(d.shape(), d.pick(*dtypes))
      d.finish(getattr(R, name)(**{"features" if name in FEATURES else "x": x}), [x])
    OPS.append((name, build))


FEATURES = {"Relu", "Relu6", "Elu", "Selu", "Softplus", "Softsign"}
unary("Abs", "Neg", "Sign", "Square", "Invert", "Sqrt", "Rsqrt", "Exp", "Expm1", "Log", "Log1p", "Sin", "Cos", "Tan", "Asin",
      "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Sigmoid", "Erf", "Erfc", "Lgamma", "Digamma",
      "Reciprocal", "Floor", "Ceil", "Rint", "Elu", "Selu", "Softplus", "Softsign", "Relu", "Relu6", "IsNan", "IsInf",
      "IsFinite", "Inv", "Erfinv", "Ndtri", "ZerosLike", "OnesLike", "BesselI0e", "BesselI1e", "Dawsn", "Expint", "Spence",
      "PopulationCount")


def binary(*names, dtypes=None, special=True):
  for name in names:
    def build(d, name=name, dtypes=tuple(dtypes or types(name))):
      dtype = d.pick(*dtypes)
      a, b = d.broadcast()
      x, y = d.tensor(a, dtype, special=special), d.tensor(b, dtype, special=special)
      d.finish(getattr(R, name)(x=x, y=y), [x, y])
    OPS.append((name, build))


binary("Add", "AddV2", "Sub", "Mul", "Maximum", "Minimum", "SquaredDifference", "FloorDiv", "FloorMod", "Less",
       "GreaterEqual", "RealDiv", "Div", "DivNoNan", "MulNoNan", "Atan2", "Xdivy", "Xlogy", "Xlog1py", "Equal",
       "NotEqual", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Pow")
binary("LeftShift", "RightShift", special=False)
binary("LogicalAnd", "LogicalOr", dtypes=["bool"])


def gradient_of(*names, value="y"):
  """Ops that TensorFlow's gradients are made of: the value (or the argument) and what comes back."""
  for name in names:
    def build(d, name=name, dtypes=tuple(types(name))):
      shape, dtype = d.shape(), d.pick(*dtypes)
      x, dy = d.tensor(shape, dtype), d.tensor(shape, dtype)
      d.finish(getattr(R, name)(**{value: x, "dy" if value == "y" else "gradients": dy}), [x, dy])
    OPS.append((name, build))


gradient_of("SqrtGrad", "RsqrtGrad", "ReciprocalGrad", "InvGrad", "TanhGrad", "SigmoidGrad")
gradient_of("ReluGrad", "SoftplusGrad", "SoftsignGrad", "LeakyReluGrad", value="features")
gradient_of("EluGrad", "SeluGrad", value="outputs")


def reduction(*names, dtypes=None):
  for name in names:
    def build(d, name=name, dtypes=tuple(dtypes or types(name))):
      shape = d.shape()
      x = d.tensor(shape, d.pick(*dtypes))
      axes = list({d.axis(len(shape)) for _ in range(d.rng.randint(0, 3))}) if shape else []
      axis = d.index(axes if d.flag() or not axes else axes[0], "int32")
      d.finish(getattr(R, name)(input=x, axis=axis, keep_dims=d.flag()), [x])
    OPS.append((name, build))


reduction("Sum", "Mean", "Max", "Min", "Prod")
reduction("All", "Any", dtypes=["bool"])


@op
def ArgMax(d):
  shape = d.shape(1)
  x = d.tensor(shape, d.pick(*NUMBERS), special=False)
  d.finish(R.ArgMax(input=x, dimension=d.index(d.axis(len(shape)), "int32"), output_type=d.pick(tf.int32, tf.int64)))


@op
def Cumsum(d):
  shape = d.shape(1)
  x = d.tensor(shape, d.pick(*NUMBERS))
  d.finish(d.pick(R.Cumsum, R.Cumprod)(x=x, axis=d.index(d.axis(len(shape)), "int32"), exclusive=d.flag(),
                                       reverse=d.flag()), [x])


@op
def Cast(d):
  to = d.pick(*MANY, "bool")
  d.finish(R.Cast(x=d.tensor(d.shape(), d.pick(*MANY, "bool"), special="float" in to), DstT=tf.as_dtype(to)))


@op
def ConcatV2(d):
  shape, dtype = d.shape(1), d.pick(*MANY, "string", "bool")
  axis = d.axis(len(shape))
  parts = []
  for _ in range(d.rng.randint(2, 4)):
    part = list(shape)
    if -len(shape) <= axis < len(shape):
      part[axis] = d.size()
    parts.append(d.tensor(part, dtype))
  d.finish(R.ConcatV2(values=parts, axis=d.index(axis)), parts)


@op
def Pack(d):
  shape, dtype = d.shape(0, 3), d.pick(*MANY, "string")
  parts = [d.tensor(shape, dtype) for _ in range(d.rng.randint(1, 4))]
  d.finish(R.Pack(values=parts, axis=d.axis(len(shape) + 1)), parts)


@op
def Split(d):
  shape = d.shape(1)
  x, n = d.tensor(shape, d.pick(*MANY, "string")), d.size(3) or 1
  d.finish(R.Split(axis=d.index(d.axis(len(shape)), "int32"), value=x, num_split=n), [x])


@op
def Reshape(d):
  shape = d.shape()
  x, n = d.tensor(shape, d.pick(*MANY, "string")), int(np.prod(shape))
  to = d.pick([-1], [n], [1, -1], [2, -1], list(reversed(shape)), shape + [1], [0, -1])
  d.finish(R.Reshape(tensor=x, shape=d.index(to)), [x])


@op
def Transpose(d):
  shape = d.shape()
  x, perm = d.tensor(shape, d.pick(*MANY, "string", "bool")), d.rng.permutation(len(shape))
  if len(shape) > 1 and d.rng.rand() < 0.05:
    perm[0] = perm[1]
  d.finish(R.Transpose(x=x, perm=d.index(perm)), [x])


@op
def StridedSlice(d):
  shape = [d.size(5) for _ in range(d.rng.randint(1, 4))]
  n = d.rng.randint(1, len(shape) + 2)
  x = d.tensor(shape, d.pick(*NUMBERS, "string"))
  strides = [d.pick(1, 1, 2, -1, -2) for _ in range(n)]
  bits = lambda p: int(sum(1 << i for i in range(n) if d.rng.rand() < p))
  dtype = d.pick("int32", "int64")
  begin, end = d.index(d.rng.randint(-4, 5, n), dtype), d.index(d.rng.randint(-4, 6, n), dtype)
  d.finish(R.StridedSlice(input=x, begin=begin, end=end, strides=d.index(strides, dtype), begin_mask=bits(0.3), end_mask=bits(0.3),
                          ellipsis_mask=1 << d.rng.randint(n) if d.rng.rand() < 0.3 else 0, new_axis_mask=bits(0.15),
                          shrink_axis_mask=bits(0.2)), [x])


@op
def Slice(d):
  shape = d.shape(1)
  begin = [d.rng.randint(0, s + 1) for s in shape]
  size = [d.pick(-1, d.rng.randint(0, s - b + 1)) for s, b in zip(shape, begin)]
  x, dtype = d.tensor(shape, d.pick(*MANY, "string")), d.pick("int32", "int64")
  d.finish(R.Slice(input=x, begin=d.index(begin, dtype), size=d.index(size, dtype)), [x])


@op
def Pad(d):
  shape = d.shape()
  x = d.tensor(shape, d.pick(*NUMBERS))
  paddings = d.index(d.rng.randint(0, 3, [len(shape), 2]))
  d.finish(R.Pad(input=x, paddings=paddings), [x])


@op
def MirrorPad(d):
  shape = [d.rng.randint(1, 5) for _ in range(d.rng.randint(1, 4))]
  x = d.tensor(shape, d.pick(*NUMBERS))
  paddings = d.index([[d.rng.randint(0, s + 1), d.rng.randint(0, s)] for s in shape])
  d.finish(R.MirrorPad(input=x, paddings=paddings, mode=d.pick("REFLECT", "SYMMETRIC")), [x])


@op
def Tile(d):
  shape = d.shape()
  x = d.tensor(shape, d.pick(*NUMBERS, "string"))
  d.finish(R.Tile(input=x, multiples=d.index(d.rng.randint(0, 4, [len(shape)]))), [x])


@op
def GatherV2(d):
  shape = d.shape(1)
  axis = d.axis(len(shape), 0)
  x = d.tensor(shape, d.pick(*MANY, "string"))
  high = max(shape[axis], 1) + (d.rng.rand() < 0.1)
  indices = d.index(d.rng.randint(0, high, d.shape(0, 2)))
  batch = d.pick(0, 0, 0, 0)
  d.finish(R.GatherV2(params=x, indices=indices, axis=d.index(axis), batch_dims=batch), [x])


@op
def GatherNd(d):
  shape = d.shape(1, 3)
  depth = d.rng.randint(0, len(shape) + 1)
  outer = d.shape(0, 2)
  index = np.zeros(outer + [depth], np.int64)
  for i in range(depth):
    index[..., i] = d.rng.randint(0, max(shape[i], 1) + (d.rng.rand() < 0.05), outer)
  x = d.tensor(shape, d.pick(*NUMBERS, "string"))
  d.finish(R.GatherNd(params=x, indices=d.index(index)), [x])


@op
def ScatterNd(d):
  shape = [d.rng.randint(1, 4) for _ in range(d.rng.randint(1, 4))]
  depth = d.rng.randint(1, len(shape) + 1)
  outer = d.shape(1, 2)
  index = np.stack([d.rng.randint(0, shape[i], outer) for i in range(depth)], -1)
  updates = d.tensor(outer + shape[depth:], d.pick(*NUMBERS), special=False)
  dtype = d.pick("int32", "int64")
  d.finish(R.ScatterNd(indices=d.index(index, dtype), updates=updates, shape=d.index(shape, dtype)), [updates])


@op
def SelectV2(d):
  a, b = d.broadcast()
  dtype = d.pick(*MANY, "string")
  x, y = d.tensor(a, dtype), d.tensor(b, dtype)
  d.finish(R.SelectV2(condition=d.tensor(d.pick(a, b, []), "bool"), t=x, e=y), [x, y])


@op
def OneHot(d):
  shape = d.shape(0, 3)
  dtype = d.pick(*NUMBERS, "string", "bool")
  d.finish(R.OneHot(indices=d.index(d.rng.randint(-1, 5, shape)), depth=d.index(d.size(), "int32"),
                    on_value=d.value([], dtype), off_value=d.value([], dtype), axis=d.axis(len(shape) + 1)))


@op
def ReverseV2(d):
  shape = d.shape()
  x = d.tensor(shape, d.pick(*MANY, "string"))
  axes = sorted({d.rng.randint(len(shape)) for _ in range(2)}) if shape else []
  d.finish(R.ReverseV2(tensor=x, axis=d.index([a - d.pick(0, len(shape)) for a in axes])), [x])


@op
def TopKV2(d):
  shape = d.shape(1, 3)
  x = d.tensor(shape, d.pick(*NUMBERS), special=False)
  d.finish(list(R.TopKV2(input=x, k=d.index(d.rng.randint(0, shape[-1] + 2), "int32"))), [x])


@op
def UnsortedSegmentSum(d):
  ids = d.shape(1, 2)
  x = d.tensor(ids + d.shape(0, 2), d.pick(*NUMBERS), special=False)
  name = d.pick("UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd")
  d.finish(getattr(R, name)(data=x, segment_ids=d.index(d.rng.randint(-1, 4, ids)), num_segments=d.index(4)), [x])


@op
def SegmentSum(d):
  n = d.size()
  x = d.tensor([n] + d.shape(0, 2), d.pick(*NUMBERS), special=False)
  name = d.pick("SegmentSum", "SegmentMax", "SegmentMin", "SegmentMean", "SegmentProd")
  d.finish(getattr(R, name)(data=x, segment_ids=d.index(np.sort(d.rng.randint(0, 4, n)))), [x])


@op
def MatMul(d):
  m, k, n = d.size(), d.size(), d.size()
  ta, tb, dtype = d.flag(), d.flag(), d.pick(*NUMBERS)
  a = d.tensor([k, m] if ta else [m, k], dtype)
  b = d.tensor([n, k] if tb else [k, n], dtype)
  d.finish(R.MatMul(a=a, b=b, transpose_a=ta, transpose_b=tb), [a, b])


@op
def BatchMatMulV2(d):
  a, b = d.broadcast()
  m, k, n = d.size(), d.size(), d.size()
  ta, tb, dtype = d.flag(), d.flag(), d.pick(*FLOATS, "int32")
  x = d.tensor(a[:2] + ([k, m] if ta else [m, k]), dtype, special=False)
  y = d.tensor(b[:2] + ([n, k] if tb else [k, n]), dtype, special=False)
  d.finish(R.BatchMatMulV2(x=x, y=y, adj_x=ta, adj_y=tb), [x, y])


def picture(d, spatial=2):
  return [d.size(2)] + [d.rng.randint(1, 8) for _ in range(spatial)] + [d.rng.randint(1, 4)]


@op
def Conv2D(d):
  shape, dtype = picture(d), d.pick(*FLOATS)
  groups = d.pick(1, 1, shape[3])
  filter_shape = [d.rng.randint(1, 4), d.rng.randint(1, 4), shape[3] // groups, groups * d.rng.randint(1, 3)]
  x, w = d.tensor(shape, dtype, special=False), d.tensor(filter_shape, dtype, special=False)
  dilation = d.pick(1, 1, 2)
  stride = 1 if dilation > 1 else d.pick(1, 2, 3)
  padding = d.pick("SAME", "VALID", "EXPLICIT")
  explicit = [0, 0] + [int(v) for v in d.rng.randint(0, 3, 4)] + [0, 0] if padding == "EXPLICIT" else []
  d.finish(R.Conv2D(input=x, filter=w, strides=[1, stride, stride, 1], padding=padding, explicit_paddings=explicit,
                    dilations=[1, dilation, dilation, 1]), [x, w])


@op
def DepthwiseConv2dNative(d):
  shape, dtype, stride = picture(d), d.pick(*FLOATS), d.pick(1, 2)
  x = d.tensor(shape, dtype, special=False)
  w = d.tensor([d.rng.randint(1, 4), d.rng.randint(1, 4), shape[3], d.rng.randint(1, 3)], dtype, special=False)
  d.finish(R.DepthwiseConv2dNative(input=x, filter=w, strides=[1, stride, stride, 1], padding=d.pick("SAME", "VALID")),
           [x, w])


@op
def MaxPool(d):
  x = d.tensor(picture(d), d.pick(*FLOATS), special=False)
  k, s = d.rng.randint(1, 4), d.rng.randint(1, 4)
  name = d.pick("MaxPool", "AvgPool")
  d.finish(getattr(R, name)(**{"input" if name == "MaxPool" else "value": x}, ksize=[1, k, k, 1], strides=[1, s, s, 1],
                            padding=d.pick("SAME", "VALID")), [x])


@op
def Conv3D(d):
  shape, dtype, stride = picture(d, 3), d.pick(*FLOATS), d.pick(1, 2)
  x = d.tensor(shape, dtype, special=False)
  w = d.tensor([d.rng.randint(1, 3) for _ in range(3)] + [shape[4], d.rng.randint(1, 3)], dtype, special=False)
  d.finish(R.Conv3D(input=x, filter=w, strides=[1, stride, stride, stride, 1], padding=d.pick("SAME", "VALID")), [x, w])


@op
def Softmax(d):
  x = d.tensor(d.shape(1), d.pick(*FLOATS))
  d.finish(d.pick(R.Softmax, R.LogSoftmax)(logits=x), [x])


@op
def SparseSoftmaxCrossEntropyWithLogits(d):
  n, classes = d.size(), d.rng.randint(1, 5)
  x = d.tensor([n, classes], d.pick(*FLOATS), special=False)
  labels = d.feed(d.rng.randint(0, classes, [n]).astype(d.pick("int32", "int64")))
  d.finish(list(R.SparseSoftmaxCrossEntropyWithLogits(features=x, labels=labels)), [x])


@op
def BiasAdd(d):
  shape = d.shape(2)
  dtype = d.pick(*NUMBERS)
  x, b = d.tensor(shape, dtype), d.tensor([shape[-1]], dtype)
  d.finish(R.BiasAdd(value=x, bias=b), [x, b])


@op
def ResizeBilinear(d):
  x = d.tensor(picture(d), d.pick(*FLOATS, "uint8"), special=False)
  mode = d.pick({}, {"align_corners": True}, {"half_pixel_centers": True})
  name = d.pick("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic")
  d.finish(getattr(R, name)(images=x, size=d.index(d.rng.randint(1, 8, 2), "int32"), **mode), [x])


@op
def SpaceToDepth(d):
  b = d.pick(2, 3)
  x = d.tensor([d.size(2), b * d.size(2), b * d.size(2), d.size(3) * b * b], d.pick(*NUMBERS))
  d.finish(d.pick(R.SpaceToDepth, R.DepthToSpace)(input=x, block_size=b), [x])


@op
def Range(d):
  dtype = d.pick(*NUMBERS)
  start, limit = d.rng.randint(-5, 6, 2)
  delta = d.pick(1, 2, -1, -3, 0)
  d.finish(R.Range(start=d.index(start, dtype), limit=d.index(limit, dtype), delta=d.index(delta, dtype)))


@op
def Where(d):
  d.finish(R.Where(condition=d.tensor(d.shape(1), d.pick("bool", "float32", "int32", "int8", "float64"))))


@op
def Bincount(d):
  weights = d.pick([], None)
  x = d.rng.randint(-1 if d.rng.rand() < 0.05 else 0, 6, d.size(6)).astype(np.int32)
  w = np.array([], np.float32) if weights == [] else d.value(x.shape, "float32", special=False)
  d.finish(R.Bincount(arr=d.feed(x), size=d.index(4, "int32"), weights=d.feed(w)))


@op
def CropAndResize(d):
  shape = picture(d)
  shape[0] = max(shape[0], 1)
  n = d.size(3)
  x, boxes = d.tensor(shape, d.pick(*FLOATS, "uint8"), special=False), d.tensor([n, 4], "float32", special=False, low=-0.3,
                                                                                high=1.3)
  d.finish(R.CropAndResize(image=x, boxes=boxes, box_ind=d.feed(d.rng.randint(0, shape[0], n).astype(np.int32)),
                           crop_size=d.index(d.rng.randint(1, 4, 2), "int32"), extrapolation_value=0.5), [x, boxes])


@op
def Unique(d):
  x = d.value([d.size(8)], d.pick(*types("Unique")), low=-2, high=2)
  d.finish(list(R.Unique(x=d.feed(np.round(x) if x.dtype.kind == "f" else x), out_idx=d.pick(tf.int32, tf.int64))))


@op
def SplitV(d):
  shape, sizes = d.shape(1), [d.size(3) for _ in range(d.rng.randint(1, 4))]
  axis = d.rng.randint(-len(shape), len(shape))
  shape[axis] = sum(sizes)
  if d.flag():
    sizes[d.rng.randint(len(sizes))] = -1
  x = d.tensor(shape, d.pick(*types("SplitV")))
  d.finish(list(R.SplitV(value=x, size_splits=d.index(sizes), axis=d.index(axis, "int32"), num_split=len(sizes))), [x])


@op
def FusedBatchNormV3(d):
  shape, training = picture(d), d.flag()
  c, average = shape[3], d.pick(1.0, 1.0, 0.1)
  x = d.tensor(shape, d.pick(*types("FusedBatchNormV3")), special=False)
  scale, offset = d.tensor([c], "float32", special=False), d.tensor([c], "float32", special=False)
  known = 0 if training and average == 1 else c
  mean, variance = d.tensor([known], "float32", special=False), d.tensor([known], "float32", special=False, low=0.1)
  ys = R.FusedBatchNormV3(x=x, scale=scale, offset=offset, mean=mean, variance=variance, epsilon=d.pick(1e-4, 0.1),
                          exponential_avg_factor=average, is_training=training)
  d.case.fetch(*ys[1:3])
  d.finish(ys[0], [x, scale, offset])


@op
def Einsum(d):
  sizes = {letter: d.rng.randint(1, 4) for letter in "ijkl"}
  equation = d.pick("ij,jk->ik", "ijk,ikl->ijl", "ij->ji", "ij->", "ii->i", "i,j->ij", "ij,ij->", "ijk->kji",
                    "ijij->ij")
  dtype = d.pick(*FLOATS)
  xs = [d.tensor([sizes[i] for i in term], dtype, special=False) for term in equation.split("->")[0].split(",")]
  d.finish(R.Einsum(inputs=xs, equation=equation), xs)


def write_cases(name, build, arguments):
  written = failing = refused = 0
  for i in range(arguments.count):
    case = GoldenCase(f"check/{name}_{i}", rtol=1e-6, atol=1e-6)
    rng = np.random.RandomState([arguments.seed, i] + [ord(c) for c in name])
    try:
      with case:
        build(Draw(rng, case))
      failing += case.write(arguments.folder) is not None
      written += 1
    except (ValueError, TypeError, LookupError, tf.errors.OpError):
      refused += 1  # a mistake that TensorFlow's Python finds before there is a graph
  print(f"{name}: {written} cases, {failing} of them must fail; {refused} were refused while building")


def main():
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("folder")
  parser.add_argument("--count", type=int, default=20, help="cases per op")
  parser.add_argument("--seed", type=int, default=1)
  parser.add_argument("--only", default="", help="a regular expression for names of ops")
  arguments = parser.parse_args()
  for name, build in OPS:
    if not re.search(arguments.only, name):
      continue
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
      write_cases(name, build, arguments)
      sys.stdout.flush()
      os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
      print(f"{name}: TensorFlow ended its process")


if __name__ == "__main__":
  main()
