"""Compares the registry, as docs/ops.md shows it, with TensorFlow's: types with a CPU kernel, and gradients.

    tools/check_registry.py [docs/ops.md]

Prints the op types of which TensorFlow computes more types, or differentiates what this library does not, and the
other way round. Nothing here is part of the build. Needs TensorFlow 2.
"""
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# The first import registers ops, kernels and gradients, those of TensorFlow 1 included.
import tensorflow as tf  # pylint: disable=unused-import
from tensorflow.python.framework import dtypes, kernels, op_def_registry, ops

# What this library leaves out by plan: complex and quantized numbers, and types that no model of TensorFlow 1 has.
LEFT_OUT = re.compile(r"complex|^q|float8|int[24]$|resource|_ref")


def read_ops(path):
  """op type -> ({attr: set of types, None for all}, gradient column)."""
  found = {}
  for line in open(path):
    cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
    if len(cells) != 7 or not cells[0].startswith("`"):
      continue
    types = {}
    for attr in cells[3].split("<br>"):
      match = re.match(r"`(\w+)`: ([^=]*)", attr)
      if match:
        names = {n.strip() for n in match.group(2).split(",")}
        types[match.group(1)] = None if names & {"any type", "type", "list(type)"} else names
    found[cells[0].strip("`")] = (types, cells[5])
  return found


def kernel_types():
  """op type -> attr -> types of the CPU kernels; an attr that no kernel constrains has what the op's definition says."""
  found = {}
  for kernel in kernels.get_all_registered_kernels().kernel:
    if kernel.device_type != "CPU":
      continue
    definition = op_def_registry.get(kernel.op)
    if definition is None:
      continue
    attrs = found.setdefault(kernel.op, {})
    constrained = {c.name: {name(t) for t in c.allowed_values.list.type} for c in kernel.constraint}
    for attr in definition.attr:
      if attr.type != "type":
        continue
      allowed = {name(t) for t in attr.allowed_values.list.type}
      given = constrained.get(attr.name, allowed or None)
      known = attrs.get(attr.name, set())
      attrs[attr.name] = None if given is None or known is None else known | (given & allowed if allowed else given)
  return found


def name(t):
  spelled = dtypes.as_dtype(t).name
  return {"float32": "float", "float64": "double", "float16": "half"}.get(spelled, spelled)


def compare_types(ours):
  for op, attrs in sorted(kernel_types().items()):
    if op not in ours:
      continue
    for attr, theirs in sorted(attrs.items()):
      here = ours[op][0].get(attr)
      if theirs is None or here is None:
        continue
      missing = sorted(t for t in theirs - here if not LEFT_OUT.search(t))
      more = sorted(t for t in here - theirs if not LEFT_OUT.search(t))
      if missing or more:
        print(f"types {op} {attr}:" + (" missing " + ", ".join(missing) if missing else "") +
              (" beyond " + ", ".join(more) if more else ""))


# Nothing flows there, whatever a gradient function says.
NOTHING_FLOWS = ("it has no outputs", "its results are no floating numbers", "it has no inputs")
# The walk over the graph differentiates these without asking them.
LEFT_TO_THE_WALK = {"Case", "Exit", "If", "RefExit", "RefNextIteration", "StatelessCase", "StatelessIf",
                    "StatelessWhile", "While"}


def compare_gradients(ours):
  registry = ops.gradient_registry
  theirs = {op: "function" if registry.lookup(op) else "none" for op in registry.list()}
  for op, (_, gradient) in sorted(ours.items()):
    if gradient.endswith(NOTHING_FLOWS) or op in LEFT_TO_THE_WALK or op_def_registry.get(op) is None:
      continue
    here = "function" if gradient.startswith(("yes", "twice", "once")) else "error" if "error" in gradient else "none"
    there = theirs.get(op, "error")
    if here != there:
      print(f"gradient {op}: {gradient} | TensorFlow: {there}")


def main():
  path = sys.argv[1] if len(sys.argv) > 1 else "docs/ops.md"
  ours = read_ops(path)
  compare_types(ours)
  compare_gradients(ours)


if __name__ == "__main__":
  main()
