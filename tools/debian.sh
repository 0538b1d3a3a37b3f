# Sourced by the scripts that set a machine up: the Debian packages that the project needs.

# What building takes.
build_packages=(
  bazel-bootstrap bazel-platforms bazel-rules-java g++
  libabsl-dev libprotobuf-dev protobuf-compiler libgtest-dev libgmock-dev libbenchmark-dev zlib1g-dev
)

# Debian's own; another one on the PATH may be of another version.
bazel=/usr/bin/bazel

# install_packages NAME...: installs those that are missing and says which.
install_packages() {
  local missing=() package
  for package in "$@"; do
    if [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" != installed ]]; then
      missing+=("$package")
    fi
  done
  if [[ ${#missing[@]} -eq 0 ]]; then
    return 0
  fi
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  if [[ $EUID -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "missing Debian packages, and neither root nor sudo to install them: ${missing[*]}" >&2
      return 1
    fi
    apt=(sudo "${apt[@]}")
  fi
  echo "Installing the Debian packages ${missing[*]}" >&2
  local log
  log="$(mktemp)"
  "${apt[@]}" update >"$log" 2>&1 || true # A list that cannot be fetched need not matter.
  if ! "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    cat "$log" >&2
    echo "the packages could not be installed: ${missing[*]}" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}
