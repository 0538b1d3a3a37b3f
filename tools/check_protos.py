#!/usr/bin/env python3
"""Compares the messages in proto/ with TensorFlow's: check_protos.py, in a Python that has TensorFlow.

For every message and enum in proto/*.proto, TensorFlow must have one of the same name, and every field of either must be
in both with the same name, number, type and label; so must every enum value. Prints the differences and exits with 1 if
there are any but those in OMITTED, which are deliberate. Needs protoc on the PATH.
"""

import importlib
import os
import pathlib
import pkgutil
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from google.protobuf import descriptor_pb2  # pylint: disable=wrong-import-position

# Fields that TensorFlow has and we do not. In binary files they survive as unknown fields.
OMITTED = {
    "MetaGraphDef.object_graph_def": "the objects of TensorFlow 2",
    "RunMetadata.session_metadata": "names a model for a server",
    "TensorInfo.composite_tensor": "the composite tensors of TensorFlow 2",
}
# Names that differ where names are not on the wire: TensorFlow itself has had two names for this oneof.
IGNORED_ONEOF_NAMES = {"TensorSliceProto.Extent"}

F = descriptor_pb2.FieldDescriptorProto


def collect(file, messages, enums):
    """Adds the messages and enums of a FileDescriptorProto by their name without the package."""
    prefix = "." + file.package + "."

    def add(message, scope):
        name = scope + message.name
        fields = {}
        for field in message.field:
            type_name = field.type_name
            if type_name.startswith(prefix):
                type_name = type_name[len(prefix) :]
            oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
            fields[field.name] = {
                "number": field.number,
                "type": F.Type.Name(field.type) + " " + type_name,
                "label": F.Label.Name(field.label),
                "packed": packed(field),
                "oneof": bool(oneof) if name in IGNORED_ONEOF_NAMES else oneof,
            }
        messages[name] = fields
        for nested in message.nested_type:
            add(nested, name + ".")
        for enum in message.enum_type:
            enums[name + "." + enum.name] = {value.name: value.number for value in enum.value}

    for message in file.message_type:
        add(message, "")
    for enum in file.enum_type:
        enums[enum.name] = {value.name: value.number for value in enum.value}


def packed(field):
    """Repeated numbers are packed in proto3 unless the field says otherwise."""
    if field.label != F.LABEL_REPEATED or field.type in (F.TYPE_STRING, F.TYPE_BYTES, F.TYPE_MESSAGE):
        return False
    return field.options.packed if field.options.HasField("packed") else True


def ours():
    root = pathlib.Path(__file__).resolve().parent.parent
    with tempfile.NamedTemporaryFile() as out:
        names = sorted(str(path.relative_to(root)) for path in (root / "proto").glob("*.proto"))
        subprocess.run(["protoc", "--descriptor_set_out=" + out.name, *names], cwd=root, check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read())
    messages, enums = {}, {}
    for file in files.file:
        collect(file, messages, enums)
    return messages, enums


def theirs():
    """Everything in package `tensorflow`, wherever the version at hand keeps it."""
    import tensorflow  # pylint: disable=import-outside-toplevel

    messages, enums = {}, {}
    for folder in ["core/framework", "core/protobuf", "core/util", "python/training", "compiler/xla/tsl/protobuf"]:
        for module in pkgutil.iter_modules([os.path.join(os.path.dirname(tensorflow.__file__), folder)]):
            if module.name.endswith("_pb2"):
                loaded = importlib.import_module("tensorflow.%s.%s" % (folder.replace("/", "."), module.name))
                file = descriptor_pb2.FileDescriptorProto()
                loaded.DESCRIPTOR.CopyToProto(file)
                if file.package == "tensorflow":
                    collect(file, messages, enums)
    return tensorflow.__version__, messages, enums


def main():
    our_messages, our_enums = ours()
    version, their_messages, their_enums = theirs()
    differences, omitted, fields = [], [], 0

    def compare(kind, mine, other):
        for name in sorted(mine):
            if name not in other:
                differences.append("%s %s: TensorFlow has none" % (kind, name))
                continue
            for member in sorted(mine[name].keys() | other[name].keys()):
                full = name + "." + member
                a, b = mine[name].get(member), other[name].get(member)
                if a == b:
                    continue
                if a is None and full in OMITTED:
                    omitted.append("omitted %s: %s" % (full, OMITTED[full]))
                else:
                    differences.append("%s: ours %s, TensorFlow's %s" % (full, a, b))

    compare("message", our_messages, their_messages)
    compare("enum", our_enums, their_enums)
    for stale in sorted(OMITTED.keys() - {line.split()[1].rstrip(":") for line in omitted}):
        differences.append("%s is in OMITTED, and not omitted" % stale)
    fields = sum(len(message) for message in our_messages.values())
    print("\n".join(omitted + differences))
    print(
        "%d messages, %d fields, %d enums compared with TensorFlow %s: %d omitted, %d differences"
        % (len(our_messages), fields, len(our_enums), version, len(omitted), len(differences))
    )
    return 1 if differences else 0


sys.exit(main())
