#!/bin/bash
# Measures what staticflow takes beside the time of its steps, and prints a table: start to first step, resident memory
# beyond the data, size of a stripped program and of the library, and (with --build) the time of building.
#
#   tools/footprint.sh            a minute after the build
#   tools/footprint.sh --build    builds a copy of the tree from nothing too, and tests a changed op file: minutes
#
# PEER_RAW is the folder of raw data (tools/peers/raw_data.py); without one only what needs no data is measured.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/tools/debian.sh"
build=
[[ "${1:-}" == --build ]] && build=1 && shift
if [[ $# -gt 0 ]]; then
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
install_packages "${build_packages[@]}" python3

cd "$root"
"$bazel" build //benchmarks:training //examples:all >&2
bin="$("$bazel" info bazel-bin 2>/dev/null)"
scratch="$(mktemp -d)"
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT

row() { printf '| %s | %s |\n' "$1" "$2"; }
mebibytes() { awk -v bytes="$1" 'BEGIN { printf "%.1f MiB", bytes / 1048576 }'; }
# difference LINE KEY KEY: of two numbers in a line of JSON.
difference() {
  python3 -c 'import json, sys; line = json.loads(sys.argv[1]); print("%.3g" % (line[sys.argv[2]] - line[sys.argv[3]]))' "$@"
}

row what measured
row --- ---
if [[ -n "${PEER_RAW:-}" ]]; then
  for workload in W1 W2 W5 W4; do
    starts=()
    for _ in 1 2 3 4 5; do
      line="$("$bin/benchmarks/training" --workload "$workload" --accsteps=1 --windows=0)"
      starts+=("$(difference "$line" to_first_step_s data_s)")
    done
    row "$workload: start to the end of the first step, less reading data (median of 5)" \
      "$(printf '%s\n' "${starts[@]}" | sort -g | sed -n 3p) s"
    line="$("$bin/benchmarks/training" --workload "$workload" --windows=1)"
    row "$workload: peak resident memory after training and a test on 5000 images, less data" \
      "$(difference "$line" peak_rss_mb data_mb) MiB"
  done
fi
line="$("$bin/benchmarks/training" --workload W7one --windows=1)"
row "one scalar addition: peak resident memory" \
  "$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["peak_rss_mb"])' "$line") MiB"

for program in batch_norm_lesson batch_norm_basics; do
  strip -o "$scratch/$program" "$bin/examples/$program"
  row "examples/$program, stripped" "$(mebibytes "$(stat -c %s "$scratch/$program")")"
done
library="$(find "$bin/proto" "$bin/graph" "$bin/runtime" "$bin/ops" -name '*.o' ! -name '*.pic.o' -exec size -t {} + |
  awk '$NF == "(TOTALS)" { sum += $1 + $2 } END { print sum }')"
row "the library: code and data of all its objects" "$(mebibytes "$library")"
row "Debian's shared libraries that a program loads" \
  "$(ldd "$scratch/batch_norm_lesson" | grep -c '=>') ($(ldd "$scratch/batch_norm_lesson" | grep -c libabsl) of them Abseil's)"

if [[ -n "$build" ]]; then
  copy="$scratch/tree"
  mkdir "$copy"
  tar --exclude='./bazel-*' --exclude=./.git --exclude=./user.bazelrc -c . | tar -x -C "$copy"
  cd "$copy"
  cold=("$bazel" "--output_base=$scratch/base" --nohome_rc)
  trap '"${cold[@]}" shutdown; chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
  seconds() { # of a command, whose output is kept
    local begin="$EPOCHREALTIME"
    "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; return 1; }
    awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.0f s", b - a }'
  }
  row "library and examples from nothing, $(nproc) processors" "$(seconds "${cold[@]}" build --disk_cache= //examples:all)"
  "${cold[@]}" test --disk_cache= //tests:ops_math_unary_arithmetic_test >&2
  # More than a comment: that would leave the object file as it is, and the test would not run again.
  echo 'extern const int kChanged; const int kChanged = 1;' >>ops/math_unary_arithmetic.cc
  row "an op file changed, to the end of its test" \
    "$(seconds "${cold[@]}" test --disk_cache= //tests:ops_math_unary_arithmetic_test)"
fi
