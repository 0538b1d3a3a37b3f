"""The libraries staticflow stands on, as Debian installs them, under their upstream labels.

A workspace that brings its own copy of one of them declares it under the same name before it calls
staticflow_system_repositories(), which leaves existing names alone.
"""

def _system_repository_impl(ctx):
    """Lays out the BUILD files of third_party/<name> as a repository of its own; headers are in /usr/include."""
    for package, targets in ctx.attr.packages.items():
        lines = ["package(default_visibility = [\"//visibility:public\"])"]
        lines += ["cc_library(name = %s, deps = [%s])" % (repr(t), repr(ctx.attr.library)) for t in targets]
        ctx.file(package + "/BUILD", "\n".join(lines) + "\n", executable = False)
    ctx.symlink(ctx.attr.build_file, "BUILD")
    ctx.file("WORKSPACE", "workspace(name = %s)\n" % repr(ctx.name), executable = False)

_system_repository = repository_rule(
    implementation = _system_repository_impl,
    attrs = {
        "build_file": attr.label(mandatory = True, doc = "The BUILD file of the root package."),
        "library": attr.string(doc = "The root target that the targets of `packages` stand for."),
        "packages": attr.string_list_dict(doc = "Further packages and the targets in each."),
    },
)

# Abseil's public targets, so that dependencies are written as upstream writes them.
_ABSL_PACKAGES = {
    "absl/algorithm": ["algorithm", "container"],
    "absl/base": ["base", "config", "core_headers", "dynamic_annotations", "endian", "log_severity", "prefetch"],
    "absl/cleanup": ["cleanup"],
    "absl/container": [
        "btree",
        "fixed_array",
        "flat_hash_map",
        "flat_hash_set",
        "inlined_vector",
        "node_hash_map",
        "node_hash_set",
    ],
    "absl/debugging": ["failure_signal_handler", "leak_check", "stacktrace", "symbolize"],
    "absl/flags": ["commandlineflag", "config", "flag", "marshalling", "parse", "reflection", "usage"],
    "absl/functional": ["any_invocable", "bind_front", "function_ref"],
    "absl/hash": ["hash"],
    "absl/memory": ["memory"],
    "absl/meta": ["type_traits"],
    "absl/numeric": ["bits", "int128"],
    "absl/random": ["bit_gen_ref", "distributions", "random", "seed_gen_exception", "seed_sequences"],
    "absl/status": ["status", "statusor"],
    "absl/strings": ["cord", "str_format", "strings"],
    "absl/synchronization": ["synchronization"],
    "absl/time": ["time"],
    "absl/types": ["any", "compare", "optional", "span", "variant"],
    "absl/utility": ["utility"],
}

def staticflow_system_repositories():
    """Declares the repositories of the system libraries that the workspace has not declared itself."""
    for name in [
        "com_google_benchmark",
        "com_google_googletest",
        "com_google_protobuf",
        "zlib",
    ]:
        if not native.existing_rule(name):
            _system_repository(name = name, build_file = "@staticflow//third_party:%s.BUILD" % name)
    if not native.existing_rule("com_google_absl"):
        _system_repository(
            name = "com_google_absl",
            build_file = "@staticflow//third_party:com_google_absl.BUILD",
            library = "//:absl",
            packages = _ABSL_PACKAGES,
        )
