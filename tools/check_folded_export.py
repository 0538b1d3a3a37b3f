#!/usr/bin/env python3
"""Runs a model and its folded export in TensorFlow on the same random inputs, and compares.

    bazel run //tools:sf -- export --fetches=logits --data=images.npy --output=model.pb model.ckpt
    tools/check_folded_export.py model.ckpt model.pb x:0 logits:0 is_training:0=false

Arguments: the checkpoint with its .meta, the exported GraphDef or the folder of the SavedModel, the input, the result, and
values for other inputs. A SavedModel is loaded twice, as TensorFlow 1 does and as TensorFlow 2 does.
Prints the largest difference; exits with 1 when it is above 1e-4 of the largest result. Needs TensorFlow.
"""
import os
import subprocess
import sys
import tempfile

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_eager_execution()


def original(prefix, feed, fetch, constants, shape_of):
    with tf.Graph().as_default() as graph, tf.Session() as session:
        tf.train.import_meta_graph(prefix + '.meta', clear_devices=True)
        reader = tf.train.load_checkpoint(prefix)
        for variable in tf.global_variables():
            variable.load(reader.get_tensor(variable.op.name), session)
        x = shape_of(graph.get_tensor_by_name(feed))
        feeds = {feed: x}
        feeds.update({name: value == 'true' if value in ('true', 'false') else float(value) for name, value in constants})
        return x, session.run(fetch, feeds)


def exported(path, feed, fetch, x):
    if os.path.isdir(path):
        return saved_model(path, feed, fetch, x)
    graph_def = tf.GraphDef()
    with open(path, 'rb') as file:
        graph_def.ParseFromString(file.read())
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        return session.run([fetch, 'export_report:0'], {feed: x})


def saved_model(path, feed, fetch, x):
    with tf.Graph().as_default(), tf.Session() as session:
        meta = tf.saved_model.load(session, ['serve'], path)
        signature = meta.signature_def['serving_default']
        names = [info.name for info in [*signature.inputs.values(), *signature.outputs.values()]]
        if names != [feed, fetch]:
            sys.exit(f'serving_default takes and gives {names}, expected {[feed, fetch]}')
        got, report = session.run([fetch, 'export_report:0'], {feed: x})
    loaded = """
import sys, numpy as np, tensorflow as tf
call = tf.saved_model.load(sys.argv[1]).signatures['serving_default']
np.save(sys.argv[3], call(**{sys.argv[4]: tf.constant(np.load(sys.argv[2]))})[sys.argv[5]])
"""
    with tempfile.TemporaryDirectory() as folder:
        files = [os.path.join(folder, name) for name in ('x.npy', 'y.npy')]
        np.save(files[0], x)
        words = [name.split(':')[0] for name in (feed, fetch)]
        subprocess.run([sys.executable, '-c', loaded, path, *files, *words], check=True)
        if not np.array_equal(np.load(files[1]), got):
            sys.exit('TensorFlow 2 and 1 compute different results of the SavedModel')
    return got, report


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    prefix, path, feed, fetch = sys.argv[1:5]
    constants = [word.split('=') for word in sys.argv[5:]]

    def random_input(tensor):
        shape = [64 if size is None else size for size in tensor.shape.as_list()]
        return np.random.RandomState(1).uniform(-1, 1, shape).astype(tensor.dtype.as_numpy_dtype)

    x, want = original(prefix, feed, fetch, constants, random_input)
    got, report = exported(path, feed, fetch, x)
    error = np.abs(want - got).max()
    print(report.decode(), end='')
    print(f'TensorFlow {tf.version.VERSION}: largest difference {error:.3g} of results up to {np.abs(want).max():.3g}')
    sys.exit(0 if error <= 1e-4 * np.abs(want).max() else 1)


main()
