"""The headers that are precompiled for most files: third_party/precompiled.bzl."""

# What most files need, directly or not; .bazelrc includes it in front of every one. Op files have a few headers of ours
# besides (//ops:prelude).
PRELUDE = [
    "<algorithm>",
    "<cmath>",
    "<cstdint>",
    "<cstring>",
    "<functional>",
    "<limits>",
    "<map>",
    "<memory>",
    "<optional>",
    "<string>",
    "<utility>",
    "<vector>",
    "\"absl/container/flat_hash_map.h\"",
    "\"absl/container/flat_hash_set.h\"",
    "\"absl/container/inlined_vector.h\"",
    "\"absl/status/status.h\"",
    "\"absl/status/statusor.h\"",
    "\"absl/strings/str_cat.h\"",
    "\"absl/strings/str_join.h\"",
    "\"absl/types/span.h\"",
]

PRELUDE_DEPS = [
    "@com_google_absl//absl/container:flat_hash_map",
    "@com_google_absl//absl/container:flat_hash_set",
    "@com_google_absl//absl/container:inlined_vector",
    "@com_google_absl//absl/status",
    "@com_google_absl//absl/status:statusor",
    "@com_google_absl//absl/strings",
    "@com_google_absl//absl/types:span",
]
