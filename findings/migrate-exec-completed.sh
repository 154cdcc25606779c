#!/bin/bash
# QEMU saves a machine to a command (`migrate exec:…`) and says "completed" though the command has failed, if it did so after it had read all.
#
# Seen on 30 November 2026 with Debian's qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12), 1:10.0.13+ds-0+deb13u1 (Debian 13) and 1:11.1.3+ds-1 (sid): a
# machine of 16 MiB is saved by `gzip`, whose output is a disk that is full. gzip collects what it writes until its input ends; then writing fails, and it exits with 1. query-migrate says
# "completed". `cat` in its place fails while QEMU still writes, and that is told ("failed").
#
# QEMU does not look at the command's exit code. So a saved machine that went through a compressor may lack its end although all was well according to QEMU, and who then ends the machine
# has lost it: save to a file and compress that, or have the command leave its exit code somewhere, and look at it first.
#
# Needs apt with a source of Debian, its keyring, python3, gzip and dpkg-deb; some 400 MB in a temporary folder, which is removed.
set -euo pipefail

work=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 'Origin: Debian' 'Label: Debian' | head -1)
[ -n "$mirror" ] || { echo "apt has no source of Debian's main packages" >&2; exit 2; }

# install SUITE VERSION: QEMU of this version, with all that it needs, below $work/SUITE. Prints nothing.
install() {
  local root=$work/$1 options name package
  mkdir -p "$root"/{etc/apt/preferences.d,var/lib/apt/lists/partial,var/cache/apt/archives/partial,var/lib/dpkg,tree/usr/{lib,lib64,bin,sbin}}
  : >"$root/var/lib/dpkg/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$root/etc/apt/sources.list"
  options=(-qq -o "Dir::State=$root/var/lib/apt" -o "Dir::State::status=$root/var/lib/dpkg/status" -o "Dir::Cache=$root/var/cache/apt"
    -o "Dir::Etc::sourcelist=$root/etc/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::preferencesparts=$root/etc/apt/preferences.d"
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" -y --download-only install "qemu-system-x86=$2" >"$root/log" 2>&1 ||
    { cat "$root/log" >&2; echo "Debian's $1 does not serve $2 any more" >&2; exit 2; }
  for name in lib lib64 bin sbin; do ln -s "usr/$name" "$root/tree/$name"; done
  for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root/tree"; done
}

cat >"$work/save.py" <<'PYTHON'
# save.py SOCKET COMMAND QEMU…: how QEMU says that saving a machine by the command has ended.
import json, socket, subprocess, sys

path, command, *qemu = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
machine = "-M pc -accel tcg -m 16 -S -nodefaults -display none".split()
process = subprocess.Popen([*qemu, *machine, "-chardev", f"socket,id=qmp,path={path}", "-mon", "chardev=qmp,mode=control"])
connection, _ = listener.accept()
lines = connection.makefile("rw")
lines.readline()

def call(name, **arguments):
    lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
    lines.flush()
    while True:
        answer = json.loads(lines.readline())
        if "event" not in answer:
            return answer["return"]

call("qmp_capabilities")
call("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
call("migrate", uri=f"exec:{command}")
while (status := call("query-migrate")["status"]) not in ("completed", "failed"):
    json.loads(lines.readline())  # an event: it has gone on
print(status)
process.kill()
process.wait()
PYTHON

# saved SUITE COMMAND: QEMU's word for it.
saved() {
  local tree=$work/$1/tree place
  place=$(mktemp -d "$work/run.XXXXXX")
  QEMU_MODULE_DIR=$tree/usr/lib/x86_64-linux-gnu/qemu python3 "$work/save.py" "$place/qmp" "$2" \
    "$tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/usr/bin/qemu-system-x86_64" \
    -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" 2>"$place/words"
}

declare -A versions=([bookworm]=1:7.2+dfsg-7+deb12u18+b3 [trixie]=1:10.0.13+ds-0+deb13u1 [sid]=1:11.1.3+ds-1)
failed=0
# expect SUITE COMMAND WORD EXIT
expect() {
  local found code=$work/code
  rm -f "$code"
  found=$(saved "$1" "$2; echo \$? > $code.new; mv $code.new $code")
  until [ -e "$code" ]; do sleep 0.1; done
  echo "QEMU ${versions[$1]}, $2: $found; its exit code: $(cat "$code")"
  [ "$found $(cat "$code")" = "$3 1" ] || { echo "  expected: $3; 1" >&2; failed=1; }
}

for suite in bookworm trixie sid; do
  install "$suite" "${versions[$suite]}"
  expect "$suite" "gzip > /dev/full" completed
  expect "$suite" "cat > /dev/full" failed
done
exit $failed
