"""Options for code that no step of a network waits for: compiled for size, which also compiles sooner."""

COLD = select({
    "//:optimized": ["-Os"],
    "//conditions:default": [],
})
