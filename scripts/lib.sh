# What ./build, ./demo, ./test, ./install, ./uninstall, ./package and tests/worlds/run share. They source it first; it changes to the project's root.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
# Bun keeps nothing in the home of whoever runs this.
export BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

need_root() { [ "$(id -u)" = 0 ] || die "$1 needs root: sudo $1"; }

# need_packages COMMAND=PACKAGE…: installs the Debian packages whose commands are missing.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# need_static_busybox: what the smallest rootfs is made of. The package `busybox` has a dynamic one, which is of no use there.
need_static_busybox() {
  if [ ! -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then install_packages busybox-static; fi
}

# need_compiler: a C compiler with the C library's headers; what musl-gcc uses lacks one or the other.
need_compiler() {
  echo '#include <stdint.h>' | cc -fsyntax-only -x c - 2>/dev/null || install_packages gcc libc6-dev
}

# has_foreign_compiler: whether there is a C compiler for guests of arm64, with a C library.
has_foreign_compiler() { echo 'int main(void) { return 0; }' | aarch64-linux-gnu-gcc -static -x c -o /dev/null - 2>/dev/null; }

# need_foreign_compiler: on a machine that is not one of them itself.
need_foreign_compiler() {
  [ "$(uname -m)" = aarch64 ] || has_foreign_compiler || install_packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross
}

install_packages() {
  local log
  command -v apt-get >/dev/null || die "please install (Debian's names): $*"
  [ "$(id -u)" = 0 ] || die "please install, or run this as root: apt-get install $*"
  say "installing $*"
  log=$(mktemp)
  if ! { apt-get update -qq && apt-get install -qq --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    die "installing $* failed"
  fi
  rm -f "$log"
}

# need_toolchain: Bun, TypeScript and Biome, from the lock file, into node_modules. Nothing is downloaded twice.
need_toolchain() {
  local bun
  if ! cmp -s package-lock.json node_modules/.runv-lock; then
    need_packages npm=npm
    say "installing the toolchain into node_modules"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    # What Bun's postinstall script would do: put the binary that runs here in the place of a placeholder.
    for bun in node_modules/@oven/*/bin/bun; do
      if "$bun" --version >/dev/null 2>&1; then ln -f "$bun" node_modules/bun/bin/bun.exe; fi
    done
    bun --version >/dev/null || die "Bun does not run on this machine ($(uname -m))"
    cp package-lock.json node_modules/.runv-lock
  fi
}

bun() { node_modules/bun/bin/bun.exe "$@"; }

# up_to_date RESULT INPUT…: whether RESULT was made from files and directories with exactly this content.
up_to_date() {
  made_from=$(find "${@:2}" -type f ! -name '*.test.ts' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  [ -e "$1" ] && [ "$made_from" = "$(cat "$1.inputs" 2>/dev/null)" ]
}

# built RESULT: notes that it was made from what up_to_date looked at last.
built() { echo "$made_from" >"$1.inputs"; }

# need_image: a kernel and an initrd for the VMs of the demo and the tests, in dist/image.
need_image() {
  need_packages xz=xz-utils
  up_to_date dist/image/kernel src/image dist/init && return
  dist/runv image build --output dist/image
  built dist/image/kernel
}

# need_foreign_image: the same for guests of arm64, in dist/image/arm64.
need_foreign_image() {
  up_to_date dist/image/arm64/kernel src/image dist/init-aarch64 && return
  dist/runv image build --arch arm64 --output dist/image/arm64
  built dist/image/arm64/kernel
}
