#!/bin/bash
# Builds and runs an example on a Debian 12 machine; installs the Debian packages that are missing.
#
#   examples/run.sh                           the batch normalization lesson on Fashion-MNIST, about a minute
#   examples/run.sh batch_norm_basics         another example, by name
#   examples/run.sh batch_norm_lesson --data=DIR --activation=sigmoid
#   examples/run.sh --help                    the names of all examples
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/tools/debian.sh"

default_example=batch_norm_lesson
default_data=/usr/share/datasets/fashion-mnist

list_examples() {
  echo "The examples are:"
  local source
  for source in "$root"/examples/*.cc; do
    [[ -e "$source" ]] && echo "  $(basename "$source" .cc)"
  done
  return 0
}

example="$default_example"
if [[ $# -gt 0 && "$1" != -* ]]; then
  example="$1"
  shift
elif [[ "${1:-}" == -h || "${1:-}" == --help ]]; then
  echo "usage: examples/run.sh [EXAMPLE] [FLAGS...]   (EXAMPLE is $default_example if not given)"
  list_examples
  exit 0
fi
if [[ "$example" == */* || ! -e "$root/examples/$example.cc" ]]; then
  echo "There is no example '$example'." >&2
  list_examples >&2
  exit 2
fi

flags=("$@")
packages=("${build_packages[@]}")
# Examples on pictures say in their source where they look for them.
if grep -q "\"$default_data\"" "$root/examples/$example.cc" &&
   [[ " $*" != *" --data"* && " $*" != *" -data"* && " $*" != *" --help"* ]]; then
  packages+=(dataset-fashion-mnist)
  flags=("--data=$default_data" "${flags[@]}")
fi
install_packages "${packages[@]}"

cd "$root"
"$bazel" build "//examples:$example" >&2
program="$("$bazel" info bazel-bin 2>/dev/null)/examples/$example"
cd "$OLDPWD"
exec "$program" "${flags[@]}"
