#!/bin/bash
# QEMU 11 tells a vhost-user device nothing of memory that is private to QEMU; QEMU 7.2 does.
#
# Seen on 29 November 2026 with Debian's qemu-system-x86 1:11.1.3+ds-1 (sid) and 1:7.2+dfsg-7+deb12u18+b3 (Debian 12): a machine whose memory is a file,
# mapped with share=off, and a disk of vhost-user-blk-pci. The firmware starts the disk's queue, and before that QEMU is to say where the guest's
# memory is (VHOST_USER_SET_MEM_TABLE). 7.2 sends it, with the file's descriptor and its own address of it. 11.1 sends none, says "Failed initializing vhost-user memory
# map, consider using -object memory-backend-file share=on", and goes on without the disk. With share=on both send it.
#
# Whoever serves a device from within QEMU's process, or maps the file itself, could do with private memory until then. A device that is plugged in
# while the machine runs is there all the same, and its driver in the guest waits for answers that cannot come.
#
# Needs apt with a source of Debian, its keyring, python3 and dpkg-deb; some 300 MB in a temporary folder, which is removed.
set -euo pipefail

work=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 'Origin: Debian' 'Label: Debian' | head -1)
[ -n "$mirror" ] || { echo "apt has no source of Debian's main packages" >&2; exit 2; }

# install SUITE VERSION…: QEMU of this version, with all that it needs, below $work/SUITE. Prints nothing.
install() {
  local root=$work/$1 options
  mkdir -p "$root"/{etc/apt/preferences.d,etc/apt/apt.conf.d,var/lib/apt/lists/partial,var/cache/apt/archives/partial,var/lib/dpkg,tree}
  : >"$root/var/lib/dpkg/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$root/etc/apt/sources.list"
  options=(-qq -o "Dir::State=$root/var/lib/apt" -o "Dir::State::status=$root/var/lib/dpkg/status" -o "Dir::Cache=$root/var/cache/apt"
    -o "Dir::Etc::sourcelist=$root/etc/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::preferencesparts=$root/etc/apt/preferences.d"
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" -y --download-only install "qemu-system-x86=$2" >"$root/log" 2>&1 ||
    { cat "$root/log" >&2; echo "Debian's $1 does not serve $2 any more" >&2; exit 2; }
  # One place for what some packages still have in /lib and others in /usr/lib.
  mkdir -p "$root"/tree/usr/{lib,lib64,bin,sbin}
  for name in lib lib64 bin sbin; do ln -s "usr/$name" "$root/tree/$name"; done
  for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root/tree"; done
}

# qemu SUITE ARGUMENT…: with its own loader and libraries.
qemu() {
  local tree=$work/$1/tree
  export QEMU_MODULE_DIR=$tree/usr/lib/x86_64-linux-gnu/qemu
  exec "$tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/usr/bin/qemu-system-x86_64" \
    -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" "${@:2}"
}

# A disk that answers what QEMU asks of it, and says what it was told of the guest's memory until its queue is started.
cat >"$work/disk.py" <<'PYTHON'
import array, os, socket, struct, sys

GET_FEATURES, SET_MEM_TABLE, SET_VRING_KICK, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_CONFIG = 1, 5, 12, 15, 17, 24
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
connection, _ = listener.accept()
connection.settimeout(15)
regions = 0

def answer(request, payload):
    connection.sendall(struct.pack("<III", request, 5, len(payload)) + payload)

while True:
    try:
        head, controls, _, _ = connection.recvmsg(12, socket.CMSG_SPACE(64))
    except TimeoutError:
        break  # QEMU has nothing more to say
    for _, _, data in controls:
        for fd in array.array("i", data[: len(data) // 4 * 4]):
            os.close(fd)
    if len(head) < 12:
        break  # QEMU has let go
    request, _, size = struct.unpack("<III", head)
    body = b""
    while len(body) < size:
        body += connection.recv(size - len(body))
    if request == GET_FEATURES:
        answer(request, struct.pack("<Q", 1 << 32 | 1 << 30))  # VERSION_1, PROTOCOL_FEATURES
    elif request == GET_PROTOCOL_FEATURES:
        answer(request, struct.pack("<Q", 1 << 0 | 1 << 9))  # MQ, CONFIG
    elif request == GET_QUEUE_NUM:
        answer(request, struct.pack("<Q", 1))
    elif request == GET_CONFIG:
        answer(request, body[:12] + struct.pack("<Q", 2048) + bytes(size - 20))
    elif request == SET_MEM_TABLE:
        regions = struct.unpack_from("<I", body)[0]
    elif request == SET_VRING_KICK:
        break
print("regions:", regions)
PYTHON

# told SUITE SHARE: of how much memory the disk is told.
told() {
  local place disk machine
  place=$(mktemp -d "$work/run.XXXXXX")
  python3 "$work/disk.py" "$place/socket" >"$place/told" &
  disk=$!
  until [ -S "$place/socket" ]; do kill -0 $disk; done
  (qemu "$1" -nodefaults -display none -accel tcg -m 128 -M pc,memory-backend=memory \
    -object "memory-backend-file,id=memory,size=128M,mem-path=$place/memory,share=$2" \
    -chardev "socket,id=disk,path=$place/socket" -device vhost-user-blk-pci,chardev=disk,bootindex=0) 2>"$place/words" &
  machine=$!
  wait $disk
  kill $machine 2>/dev/null || true
  wait $machine 2>/dev/null || true
  cat "$place/told"
  grep -o 'consider using .*' "$place/words" | head -1 || true
}

declare -A versions=([bookworm]=1:7.2+dfsg-7+deb12u18+b3 [sid]=1:11.1.3+ds-1)
failed=0
# expect SUITE SHARE WORDS
expect() {
  local found
  found=$(told "$1" "$2" | paste -sd ' ')
  echo "QEMU ${versions[$1]}, share=$2: $found"
  [ "$found" = "$3" ] || { echo "  expected: $3" >&2; failed=1; }
}

for suite in "${!versions[@]}"; do install "$suite" "${versions[$suite]}"; done
expect bookworm on "regions: 1"
expect bookworm off "regions: 1"
expect sid on "regions: 1"
expect sid off "regions: 0 consider using -object memory-backend-file share=on"
exit $failed
