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

# Which architecture this machine is of, by the name of Debian and of images, and the C compiler for the other one that runv knows.
case $(uname -m) in
aarch64) host=arm64 foreign_compiler=x86_64-linux-gnu-gcc foreign_packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
*) host=amd64 foreign_compiler=aarch64-linux-gnu-gcc foreign_packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
esac

# need_packages COMMAND=PACKAGE…: installs the Debian packages whose commands are missing.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# need_qemu: that of this machine's architecture.
need_qemu() {
  if [ "$host" = arm64 ]; then need_packages qemu-system-aarch64=qemu-system-arm; else need_packages qemu-system-x86_64=qemu-system-x86; fi
}

# need_static_busybox: what the smallest rootfs is made of. The package `busybox` has a dynamic one, which is of no use there.
need_static_busybox() {
  if [ ! -x /bin/busybox ] || ldd /bin/busybox >/dev/null 2>&1; then install_packages busybox-static; fi
}

# need_compiler: a C compiler with the C library's headers; what musl-gcc uses lacks one or the other.
need_compiler() {
  echo '#include <stdint.h>' | cc -fsyntax-only -x c - 2>/dev/null || install_packages gcc libc6-dev
}

# has_foreign_compiler: whether there is one, with a C library.
has_foreign_compiler() { echo 'int main(void) { return 0; }' | $foreign_compiler -static -x c -o /dev/null - 2>/dev/null; }

need_foreign_compiler() { has_foreign_compiler || install_packages $foreign_packages; }

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

# need_bun ARCH FILE: Bun's executable for another architecture, of the version and with the digest that the lock file has.
need_bun() {
  local package=@oven/bun-linux-${1/amd64/x64} version integrity work
  package=${package/arm64/aarch64}
  read -r version integrity < <(bun --print "const { version, integrity } = (await Bun.file('package-lock.json').json()).packages['node_modules/$package']; [version, integrity].join(' ')")
  [ "$(cat "$2.version" 2>/dev/null)" != "$integrity" ] || return 0
  need_packages npm=npm
  say "downloading $package $version"
  work=$(mktemp -d)
  (cd "$work" && npm pack --silent --ignore-scripts "$package@$version" >/dev/null) || die "downloading $package $version failed"
  [ "sha512-$(sha512sum "$work"/*.tgz | cut -d' ' -f1 | tr a-f A-F | basenc --base16 -d | base64 -w0)" = "$integrity" ] ||
    die "$package $version is not what package-lock.json says"
  tar -xzf "$work"/*.tgz -C "$work"
  mv "$work/package/bin/bun" "$2"
  rm -rf "$work"
  echo "$integrity" >"$2.version"
}

# up_to_date RESULT INPUT…: whether RESULT was made from files and directories with exactly this content. What is built for another architecture lies
# in a directory of dist, and would in dist where that is the machine's own.
up_to_date() {
  made_from=$(find "${@:2}" -type f ! -name '*.test.ts' -print0 | sort -z | xargs -0 sha256sum | sed 's|  dist/a[mdr]*64/|  dist/|' | sha256sum)
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

# need_foreign_image: the same for guests of the other architecture, in dist/image/ARCH.
need_foreign_image() {
  local other=arm64
  [ "$host" = amd64 ] || other=amd64
  up_to_date dist/image/$other/kernel src/image dist/init-foreign && return
  dist/runv image build --arch $other --output dist/image/$other
  built dist/image/$other/kernel
}
