#!/bin/bash
# Times staticflow beside TensorFlow (graph mode), JAX and PyTorch on the same networks, data and initial weights, and
# prints a table for each workload. Installs what it needs: Debian packages, and each peer into an environment.
#
#   tools/bench_peers.sh                                        all workloads, 1 and 2 threads: about an hour
#   tools/bench_peers.sh --workloads=W1,W2 --threads=1          some of them
#   tools/bench_peers.sh --peers=tensorflow,jax --rounds=3 --seconds=1
#   tools/bench_peers.sh -- --widths=784,160,160,160,10 --batch=96 --activation=tanh     any other perceptron
#
# --workloads, --threads, --seconds, --rounds, --out: see tools/peers/compare.py. What follows "--" goes to all programs.
# Environment:
#   PEERS_HOME    where environments and data are kept; ~/.cache/staticflow-peers by default
#   PEERS_PYTHON  Python interpreters, separated by colons, that have some of the peers installed already
#   PEER_RAW      a folder that tools/peers/raw_data.py has made
#   MNIST         a folder of the four IDX files; Debian's Fashion-MNIST by default
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
source "$root/tools/debian.sh"
home="${PEERS_HOME:-$HOME/.cache/staticflow-peers}"

peers=tensorflow,jax,libtorch,torch
options=()
network=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --peers=*) peers="${1#*=}" ;;
    --) shift; network=("$@"); break ;;
    --workloads=* | --threads=* | --seconds=* | --rounds=* | --out=*) options+=("$1") ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
  shift
done
widths=
for flag in "${network[@]}"; do
  [[ "$flag" == --widths=* ]] && widths="${flag#*=}"
done
# A network given by its widths is one workload.
[[ -n "$widths" ]] && options=(--workloads=W2 "${options[@]}")

# python_with MODULE PACKAGE...: the interpreter that has the module, in an environment made for it if need be.
python_with() {
  local module="$1" candidate
  shift
  local environment="$home/$module"
  local candidates=()
  IFS=: read -r -a candidates <<<"${PEERS_PYTHON:-}"
  for candidate in "${candidates[@]}" "$environment/bin/python"; do
    if "$candidate" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$module') is None)" 2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  install_packages python3-venv
  echo "Installing $* into $environment" >&2
  python3 -m venv "$environment"
  # PyTorch's own index has a wheel without CUDA, which is a tenth of the size.
  if [[ "$module" != torch ]] ||
    ! "$environment/bin/pip" install --quiet --retries 1 --index-url https://download.pytorch.org/whl/cpu "$@" 2>/dev/null; then
    "$environment/bin/pip" install --quiet "$@" >&2
  fi
  echo "$environment/bin/python"
}

mkdir -p "$home"
install_packages "${build_packages[@]}" python3
programs=()
declare -A python
for peer in ${peers//,/ }; do
  case "$peer" in
    tensorflow) python[$peer]="$(python_with tensorflow tensorflow-cpu)" ;;
    jax) python[$peer]="$(python_with jax 'jax[cpu]')" ;;
    torch | libtorch) python[$peer]="$(python_with torch torch numpy)" ;;
    *) echo "there is no peer '$peer'; there are tensorflow, jax, libtorch, torch" >&2; exit 2 ;;
  esac
  programs+=("$peer=${python[$peer]} $root/tools/peers/peer_$peer.py")
done
[[ ${#programs[@]} -gt 0 ]] || { echo "no peers" >&2; exit 2; }
any_python="${python[${peers%%,*}]}"

if [[ -n "${python[libtorch]:-}" ]]; then
  # The C++ library of the wheel.
  torch="$("${python[libtorch]}" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])')"
  source="$root/tools/peers/peer_libtorch.cc"
  binary="$home/peer_libtorch"
  if [[ ! "$binary" -nt "$source" || ! "$binary" -nt "$torch/version.py" ]]; then
    echo "Building $binary" >&2
    g++ -std=c++20 -O2 "$source" -I"$torch/include" -I"$torch/include/torch/csrc/api/include" \
      -L"$torch/lib" -Wl,-rpath,"$torch/lib" -ltorch -ltorch_cpu -lc10 -o "$binary"
  fi
  programs=("${programs[@]/#libtorch=*/libtorch=$binary}")
fi

if [[ -z "${PEER_RAW:-}" ]]; then
  export PEER_RAW="$home/raw"
  if [[ -z "${MNIST:-}" ]]; then
    install_packages dataset-fashion-mnist
    MNIST=/usr/share/datasets/fashion-mnist
  fi
  # Of which data set the arrays are.
  if [[ "$(cat "$PEER_RAW/source" 2>/dev/null)" != "$MNIST" ]]; then
    "$any_python" -B "$root/tools/peers/raw_data.py" "$MNIST" "$PEER_RAW"
    echo "$MNIST" >"$PEER_RAW/source"
  fi
fi
if [[ -n "$widths" && ! -e "$PEER_RAW/$widths.f32" ]]; then
  "$any_python" -B "$root/tools/peers/raw_data.py" --weights "$widths" "$PEER_RAW"
fi

cd "$root"
"$bazel" build //benchmarks:training >&2
training="$("$bazel" info bazel-bin 2>/dev/null)/benchmarks/training"
cd "$OLDPWD"
export PYTHONDONTWRITEBYTECODE=1
python3 "$root/tools/peers/compare.py" "${options[@]}" "staticflow=$training" "${programs[@]}" -- "${network[@]}"
