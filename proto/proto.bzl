"""C++ from .proto files, with the protoc of @com_google_protobuf."""

load("//proto:cold.bzl", "COLD")

def cc_proto(name, srcs, deps = [], visibility = None):
    """A cc_library of the code generated from `srcs`.

    Imports and includes are written from the root of the repository: import "proto/graph.proto",
    #include "proto/graph.pb.h".

    Args:
      name: of the library.
      srcs: .proto files of this package.
      deps: other cc_proto libraries that they import.
      visibility: of the library.
    """
    stems = [src[:-len(".proto")] for src in srcs]
    repository = native.repository_name()
    root = "." if repository == "@" else "external/" + repository[1:]
    up = "/".join([".." for _ in native.package_name().split("/")])
    native.filegroup(
        name = name + "_protos",
        srcs = srcs + [dep + "_protos" for dep in deps],
        visibility = visibility,
    )
    native.genrule(
        name = name + "_generated",
        srcs = srcs + [dep + "_protos" for dep in deps],
        outs = [stem + suffix for stem in stems for suffix in [".pb.h", ".pb.cc"]],
        cmd = "$(execpath @com_google_protobuf//:protoc) --proto_path=%s --cpp_out=$(RULEDIR)/%s %s" % (
            root,
            up,
            " ".join(["$(execpath %s)" % src for src in srcs]),
        ),
        tools = ["@com_google_protobuf//:protoc"],
    )
    native.cc_library(
        name = name,
        srcs = [stem + ".pb.cc" for stem in stems],
        hdrs = [stem + ".pb.h" for stem in stems],
        # Generated code is a seventh of the build at -O2 and no part of a step.
        copts = ["-w"] + COLD,
        visibility = visibility,
        deps = deps + [
            "//third_party:prelude",
            "@com_google_protobuf//:protobuf",
        ],
    )
