"""Writes golden cases: small TensorFlow graphs with the values, gradients and errors that TensorFlow gives for them.

    case = GoldenCase("lists/push_pop")
    with case:
        x = case.feed("x", np.ones([2, 3], np.float32))
        case.fetch(tf.raw_ops.Neg(x=x))
    case.write("tests/golden")

Needs TensorFlow 2 (which has TensorFlow 1's graphs as tf.compat.v1) and protoc. tests/golden/README.md says what a case
holds and how it is checked.
"""
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

v1 = tf.compat.v1
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _load_proto():
  folder = tempfile.mkdtemp()
  source = os.path.join(ROOT, "tests", "golden")
  subprocess.run(["protoc", "-I", source, "--python_out", folder, os.path.join(source, "golden_case.proto")], check=True)
  sys.path.insert(0, folder)
  import golden_case_pb2  # pylint: disable=import-error,import-outside-toplevel
  return golden_case_pb2


golden_case_pb2 = _load_proto()


def _config():
  """A session that runs each op as it is."""
  options = config_pb2.GraphOptions(
      optimizer_options=config_pb2.OptimizerOptions(opt_level=config_pb2.OptimizerOptions.L0, do_constant_folding=False),
      rewrite_options=rewriter_config_pb2.RewriterConfig(disable_meta_optimizer=True))
  return config_pb2.ConfigProto(
      graph_options=options, device_count={"GPU": 0}, inter_op_parallelism_threads=1, intra_op_parallelism_threads=1)


# How lines about where an error came from begin.
_NOT_THE_MESSAGE = ("Graph execution error", "Detected at", " ", "Node:", "\t [[", "Original stack")


def _tensor_bytes(value):
  value = np.asarray(value)
  proto = tf.make_tensor_proto(value)
  if value.dtype.kind not in "OSU":
    # All numbers go where the reader looks for them.
    full = type(proto)(dtype=proto.dtype, tensor_shape=proto.tensor_shape, tensor_content=value.tobytes())
    return full.SerializeToString()
  return proto.SerializeToString()


def _functions_in(nodes):
  for node in nodes:
    yield node.op
    for attr in node.attr.values():
      yield attr.func.name
      for function in attr.list.func:
        yield function.name


def _keep_used_functions(definition):
  """Takes the functions out that nothing in the graph calls: those of gradients that TensorFlow built."""
  by_name = {f.signature.name: f for f in definition.library.function}
  gradient_of = {g.function_name: g.gradient_func for g in definition.library.gradient}
  used, found = set(), set(_functions_in(definition.node))
  while found:
    used |= found
    found = {name for f in found if f in by_name for name in _functions_in(by_name[f].node_def)}
    found |= {gradient_of[f] for f in used if f in gradient_of}
    found -= used
  kept = [f for f in definition.library.function if f.signature.name in used]
  del definition.library.function[:]
  definition.library.function.extend(kept)


class GoldenCase:
  """One case: build its graph inside `with`, then write it."""

  def __init__(self, name, rtol=1e-5, atol=1e-6, note=""):
    self.name = name
    self.proto = golden_case_pb2.GoldenCase(
        name=name, rtol=rtol, atol=atol, note=note, source="tools/golden_case.py, TensorFlow " + tf.__version__)
    self.graph = tf.Graph()
    self.feeds = {}
    self.fetches = []
    self.checks = []
    self.built = []
    self.init = []

  def __enter__(self):
    self.scope = self.graph.as_default()
    self.scope.__enter__()
    return self

  def __exit__(self, *error):
    return self.scope.__exit__(*error)

  def feed(self, name, value, shape="known"):
    """A placeholder that is fed `value`; shape: "known", or anything that a placeholder takes."""
    value = np.asarray(value)
    dtype = tf.string if value.dtype.kind in "OSU" else tf.as_dtype(value.dtype)
    x = v1.placeholder(dtype, value.shape if isinstance(shape, str) else shape, name=name)
    self.feeds[x] = value
    return x

  def fetch(self, *tensors):
    self.fetches.extend(tf.identity(t) for t in tensors)

  def gradient(self, ys, xs, order=1):
    """Also checks the sum of d ys / d xs, as the library builds it, against TensorFlow's.

    With order 2 the sum of d (all elements of those) / d xs, and so on.
    """
    ys, xs = list(ys), list(xs)
    gradients = v1.gradients(ys, xs)
    for _ in range(order - 1):
      self.built.extend(g for g in gradients if g is not None)
      gradients = v1.gradients([g for g in gradients if g is not None], xs)
    self.checks.append((ys, xs, gradients, order))

  def _named(self, name, value):
    return golden_case_pb2.NamedTensor(name=name, tensor=_tensor_bytes(value))

  def _feeds(self):
    return [self._named(x.name, value) for x, value in self.feeds.items()]

  def run(self):
    """Asks TensorFlow; the message of its error, or None. Raises OpError when only a gradient fails."""
    # Gradients that TensorFlow built are no part of the graph that is written.
    definition = self.graph.as_graph_def()
    built_by_tf = self.built + [g for _, _, gs, _ in self.checks for g in gs if g is not None]
    if built_by_tf:
      ends = {t.op.name for t in self.fetches} | {t.op.name for ys, xs, _, _ in self.checks for t in ys + xs}
      ends |= {x.op.name for x in self.feeds}
      definition = v1.graph_util.extract_sub_graph(definition, sorted(ends))
      _keep_used_functions(definition)
    self.proto.graph_def = definition.SerializeToString()
    functions = definition.library.function
    self.proto.op_types.extend(sorted(({n.op for n in definition.node} | {n.op for f in functions for n in f.node_def}) -
                                      {f.signature.name for f in functions}))
    with v1.Session(graph=self.graph, config=_config()) as session:
      try:
        for op in self.init:
          session.run(op)
        step = self.proto.steps.add(feeds=self._feeds())
        values = session.run(self.fetches, self.feeds)
      except tf.errors.OpError as error:
        return self._expect(error)
      step.fetches.extend(self._named(t.name, value) for t, value in zip(self.fetches, values))
      for ys, xs, gradients, order in self.checks:
        check = self.proto.gradients.add(ys=[y.name for y in ys], xs=[x.name for x in xs], feeds=self._feeds())
        if order > 1:
          check.order = order
        for x, gradient in zip(xs, gradients):
          value = None if gradient is None else session.run(tf.convert_to_tensor(gradient), self.feeds)
          check.expected.append(
              golden_case_pb2.NamedTensor(name=x.name) if value is None else self._named(x.name, value))
    return None

  def _expect(self, error):
    """Makes this a case that must fail."""
    del self.proto.steps[:]
    step = self.proto.steps.add(feeds=self._feeds())
    step.fetches.extend(golden_case_pb2.NamedTensor(name=t.name) for t in self.fetches)
    self.proto.expect_error = {
        tf.errors.InvalidArgumentError: "INVALID_ARGUMENT",
        tf.errors.OutOfRangeError: "OUT_OF_RANGE|INVALID_ARGUMENT",
        tf.errors.FailedPreconditionError: "FAILED_PRECONDITION",
        tf.errors.UnimplementedError: "UNIMPLEMENTED",
        tf.errors.NotFoundError: "NOT_FOUND",
    }.get(type(error), "INTERNAL|INVALID_ARGUMENT")
    self.proto.error_stage = "LOAD|RUN"
    told = [line for line in error.message.split("\n") if line and not line.startswith(_NOT_THE_MESSAGE)]
    self.proto.note += told[0][:200] if told else ""
    return error.message

  def write(self, folder):
    message = self.run()
    path = os.path.join(folder, self.name + ".pb")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
      file.write(self.proto.SerializeToString(deterministic=True))
    return message
