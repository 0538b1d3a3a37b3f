"""Random golden cases of single ops: types, shapes, values and attributes, edge cases among them.

    with GoldenCase("check/Tanh_0", rtol=1e-6, atol=1e-6) as case:
      d = Draw(np.random.RandomState(1), case)
      x = d.tensor(d.shape(), d.pick(*types("Tanh")))
      d.finish(tf.raw_ops.Tanh(x=x), [x])
"""
import numpy as np
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import kernels, op_def_registry

from golden_case import tf, v1

FLOATS = ["float32", "float64"]
NUMBERS = ["float32", "float64", "int32", "int64"]
MANY = NUMBERS + ["float16", "bfloat16", "int8", "uint8", "int16"]
SHORT = ["float16", "bfloat16"]
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
# Relative and absolute: a few roundings of the type, more of a long sum.
TOLERANCES = {"float64": (2e-6, 2e-6), "float32": (2e-4, 1e-4), "float16": (1e-2, 8e-3), "bfloat16": (6e-2, 6e-2)}


def types(name, attr="T"):
  """The types for which TensorFlow has a kernel of the op on CPU, of those that this library has."""
  def names(values):
    return {tf.dtypes.as_dtype(t).name for t in values if types_pb2.DataType.Name(t) != "DT_INVALID"}
  found, allowed = set(), set()
  for definition in op_def_registry.get(name).attr:
    if definition.name == attr:
      allowed = names(definition.allowed_values.list.type)
  for kernel in kernels.get_registered_kernels_for_op(name).kernel:
    if kernel.device_type == "CPU":
      constraints = [c for c in kernel.constraint if c.name == attr]
      found |= set().union(*(names(c.allowed_values.list.type) for c in constraints)) if constraints else allowed
  return sorted(found & set(FLOATS + SHORT + INTEGERS + ["bool", "string"]))


class Draw:
  """Random choices of one case, and the case that they go into."""

  def __init__(self, rng, case):
    self.rng = rng
    self.case = case
    self.count = 0

  def pick(self, *choices):
    return choices[self.rng.randint(len(choices))]

  def flag(self):
    return bool(self.rng.randint(2))

  def size(self, most=4):
    return int(self.pick(0, 1, 1, 2, 3, most) if self.rng.rand() < 0.3 else self.rng.randint(1, most + 1))

  def shape(self, least=0, most=4):
    return [self.size() for _ in range(self.rng.randint(least, most + 1))]

  def value(self, shape, dtype, special=True, low=-4, high=4):
    if dtype == "bool":
      return self.rng.rand(*shape) < 0.5
    if dtype == "string":
      return np.array([self.pick("", "a", "bc", "abc") for _ in range(int(np.prod(shape)))], object).reshape(shape)
    x = self.rng.uniform(low, high, shape)
    if "float" in dtype:
      x = np.array(np.round(x * 4) / 4 if self.rng.rand() < 0.3 else x)
      if special and x.size and self.rng.rand() < 0.2:
        x.flat[self.rng.randint(x.size)] = self.pick(np.nan, np.inf, -np.inf, 0.0, -0.0)
    else:
      x = np.round(np.abs(x) if dtype.startswith("u") else x)
      if special and x.size and self.rng.rand() < 0.2:
        ends = np.iinfo(dtype)
        x = np.array(x, object)
        x.flat[self.rng.randint(x.size)] = self.pick(ends.min, ends.max, 0)
    return np.asarray(x).astype(tf.as_dtype(dtype).as_numpy_dtype)

  def feed(self, value):
    """A placeholder; a third of them know nothing of the shape."""
    self.count += 1
    shape = "known" if self.rng.rand() < 0.67 else None
    return self.case.feed(f"x{self.count}", value, shape)

  def tensor(self, shape, dtype, **options):
    return self.feed(self.value(shape, dtype, **options))

  def broadcast(self):
    """Two shapes that broadcast, mostly."""
    whole = self.shape()
    def part():
      shape = [1 if self.rng.rand() < 0.3 else d for d in whole]
      return shape[self.rng.randint(len(shape) + 1):] if self.rng.rand() < 0.3 else shape
    a, b = part(), part()
    if self.rng.rand() < 0.05:
      b = b + [7]
    return a, b

  def index(self, value, dtype=None):
    """Values that give shapes: a constant, or fed."""
    value = np.asarray(value, dtype or self.pick("int32", "int64"))
    return tf.constant(value) if self.flag() else self.feed(value)

  def axis(self, rank, wrong=0.05):
    return int(self.rng.randint(-rank - (self.rng.rand() < wrong), rank + (self.rng.rand() < wrong)) if rank else 0)

  def finish(self, outputs, inputs=()):
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    self.case.fetch(*outputs)
    floating = [x for x in inputs if x.dtype.is_floating]
    ys = [y for y in outputs if y.dtype.is_floating]
    used = {t.dtype.base_dtype.name for t in outputs + list(inputs)} & set(TOLERANCES)
    for dtype in used:
      relative, absolute = TOLERANCES[dtype]
      self.case.proto.rtol = max(self.case.proto.rtol, relative)
      self.case.proto.atol = max(self.case.proto.atol, absolute)
    if floating and ys:
      self.gradients(ys, floating)

  def gradients(self, ys, xs):
    """Of the graph, or of a graph that has the nodes of its gradients."""
    ys = [weighed(y, 1.3 + i) for i, y in enumerate(ys)]
    if self.flag():
      self.case.gradient(ys, xs)
      return
    with tf.name_scope("made"):
      made = [tf.convert_to_tensor(g) for g in v1.gradients(ys, xs) if g is not None]
    if not made:
      return
    self.case.fetch(*made)
    try:
      with tf.name_scope("second"):
        self.case.gradient([weighed(g, 0.7 + i) for i, g in enumerate(made)], xs)
    except LookupError:
      pass  # TensorFlow differentiates this once only


def weighed(y, step):
  """y with a different factor for each element: ones hide what sums to nothing."""
  angles = tf.cast(tf.range(tf.size(y)), tf.float32) * step + 0.5
  return tf.stop_gradient(tf.reshape(tf.cast(tf.sin(angles), y.dtype), tf.shape(y))) * y
