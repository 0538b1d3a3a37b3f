"""The headers of the system that most files read, parsed once for all of them instead of once in each.

A compilation spent half of its time on the same files of the standard library and of Abseil. .bazelrc includes the header
made here in front of every file of ours, for speed only: each file still names what it uses, and a compilation with options
that no precompiled form has (other instruction sets, position-independent code) reads the header itself. Which files forgot
to name something, this shows:

    bazel build --copt=-DSTATICFLOW_WITHOUT_PRELUDE //...
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _precompiled_header_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(ctx = ctx, cc_toolchain = toolchain)
    compilation = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps]).compilation_context
    header = ctx.actions.declare_file(ctx.label.name + ".h")
    includes = ["#include " + name for name in ctx.attr.headers]
    ctx.actions.write(header, "\n".join(["#ifndef STATICFLOW_WITHOUT_PRELUDE"] + includes + ["#endif", ""]))

    # g++ looks into a folder of this name for the first form that suits the options of a compilation.
    forms = []
    for name, options in ctx.attr.forms.items():
        form = ctx.actions.declare_file("%s.h.gch/%s" % (ctx.label.name, name))
        variables = cc_common.create_compile_variables(
            feature_configuration = features,
            cc_toolchain = toolchain,
            source_file = header.path,
            output_file = form.path,
            user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts + options + ["-x", "c++-header"],
            quote_include_directories = compilation.quote_includes,
            include_directories = compilation.includes,
            system_include_directories = compilation.system_includes,
            preprocessor_defines = compilation.defines,
        )
        ctx.actions.run(
            executable = cc_common.get_tool_for_action(feature_configuration = features, action_name = "c++-compile"),
            arguments = cc_common.get_memory_inefficient_command_line(
                feature_configuration = features,
                action_name = "c++-compile",
                variables = variables,
            ),
            env = cc_common.get_environment_variables(
                feature_configuration = features,
                action_name = "c++-compile",
                variables = variables,
            ),
            inputs = depset([header], transitive = [compilation.headers, toolchain.all_files]),
            outputs = [form],
            mnemonic = "CppPrecompile",
            progress_message = "Precompiling %s for %s code" % (header.short_path, name),
        )
        forms.append(form)
    files = depset([header] + forms)
    return [
        DefaultInfo(files = files),
        CcInfo(compilation_context = cc_common.create_compilation_context(headers = files)),
    ]

precompiled_header = rule(
    implementation = _precompiled_header_impl,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo], doc = "The libraries whose headers are named."),
        "forms": attr.string_list_dict(mandatory = True, doc = "Further options, by the name of a form for them."),
        "headers": attr.string_list(mandatory = True, doc = "With their brackets or quotes."),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
)
