#!/bin/bash
# Builds everything and runs all tests on a Debian 12 machine; installs the Debian packages that are missing.
#
#   tests/run.sh                        all tests
#   tests/run.sh --config=asan          with AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/run.sh //tests:ops_math_test  some of them; other arguments are Bazel's as well
#
# Closes with a line "N passed, N failed", which counts test cases; what did not build or broke off counts as one failure.
# Exits with 0 if there were test cases and all of them passed.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/tools/debian.sh"
install_packages "${build_packages[@]}" python3

targets=(//...)
programs=(//benchmarks:all //tests:golden_runner)  # what no test uses must build too
options=()
for argument in "$@"; do
  [[ "$argument" == //* || "$argument" == :* ]] && targets=() && programs=()
  [[ "$argument" == --* ]] && options+=("$argument")
done

events="$(mktemp)"
trap 'rm -f "$events"' EXIT
cd "$root"
# Links of a build with another output folder would be searched for packages; Bazel makes them anew.
find . -maxdepth 1 -type l -name 'bazel-*' -delete
status=0
"$bazel" test --keep_going --build_event_json_file="$events" "$@" "${targets[@]}" || status=$?
if [[ ${#programs[@]} -gt 0 ]]; then
  "$bazel" build --keep_going "${options[@]}" "${programs[@]}" || status=1
fi
python3 tests/count.py "$events" "$status"
