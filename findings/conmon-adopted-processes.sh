#!/bin/bash
# conmon that has an exit command goes on, when the container and that command have ended, until the last process has ended that its runtime left behind:
# `podman run --rm` does not return that long.
#
# Seen on 29 November 2026 with Debian's conmon 2.1.6+ds1-1 (Debian 12) and 2.1.12-4 (Debian 13). The runtime here is a script: `create` starts a
# container's process, which ends after a second, and another process in a session of its own, with nothing of conmon's open. conmon writes the container's
# exit file, runs the exit command, and then waits for the other process (waitpid of any child), which has nothing to do with the container; with its end it
# ends, too. Without an exit command, or without the other process, it ends by itself.
#
# conmon makes itself the subreaper of all that it starts, and no process can leave its subreaper. So a runtime that starts a daemon to stay (a cache, a template, a
# monitor of several containers) must not do so in what conmon calls: `create`. `start`, which podman itself calls, is free to.
#
# Needs apt with a source of Debian, its keyring and dpkg-deb; some 40 MB in a temporary folder, which is removed.
set -euo pipefail

work=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$work"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' 'Origin: Debian' 'Label: Debian' | head -1)
[ -n "$mirror" ] || { echo "apt has no source of Debian's main packages" >&2; exit 2; }

# install SUITE VERSION: conmon of this version, with all that it needs, below $work/SUITE. Prints nothing.
install() {
  local root=$work/$1 options name package
  mkdir -p "$root"/{etc/apt/preferences.d,var/lib/apt/lists/partial,var/cache/apt/archives/partial,var/lib/dpkg,tree/usr/{lib,lib64,bin,sbin}}
  : >"$root/var/lib/dpkg/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$root/etc/apt/sources.list"
  options=(-qq -o "Dir::State=$root/var/lib/apt" -o "Dir::State::status=$root/var/lib/dpkg/status" -o "Dir::Cache=$root/var/cache/apt"
    -o "Dir::Etc::sourcelist=$root/etc/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::preferencesparts=$root/etc/apt/preferences.d"
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  apt-get "${options[@]}" update
  apt-get "${options[@]}" -y --download-only install "conmon=$2" >"$root/log" 2>&1 ||
    { cat "$root/log" >&2; echo "Debian's $1 does not serve conmon $2 any more" >&2; exit 2; }
  for name in lib lib64 bin sbin; do ln -s "usr/$name" "$root/tree/$name"; done
  for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root/tree"; done
}

cat >"$work/runtime" <<'RUNTIME'
#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in --pid-file) pidfile=$2 ;; --bundle) bundle=$2 ;; esac
  shift
done
sleep 1 </dev/null >/dev/null 2>&1 &
echo $! >"$pidfile"
[ ! -e "$bundle/left" ] || { setsid sleep 1000 </dev/null >/dev/null 2>&1 3>&- 4>&- & echo $! >"$bundle/left"; }
RUNTIME
chmod 755 "$work/runtime"

# told SUITE nothing|left [OPTION…]: what conmon does when its container has ended, with options of its own.
told() {
  local tree=$work/$1/tree place conmon
  place=$(mktemp -d "$work/run.XXXXXX")
  mkdir "$place"/{bundle,exits}
  [ "$2" = nothing ] || : >"$place/bundle/left"
  (cd "$place/bundle" && "$tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$tree/usr/lib/x86_64-linux-gnu" "$tree/usr/bin/conmon" -c box -u box -n box \
    -r "$work/runtime" -b "$place/bundle" -p "$place/pid" --conmon-pidfile "$place/conmon" --exit-dir "$place/exits" -l "k8s-file:$place/log" --full-attach "${@:3}" >/dev/null 2>&1)
  conmon=$(cat "$place/conmon")
  until [ -e "$place/exits/box" ]; do kill -0 "$conmon" 2>/dev/null || break; done
  for _ in $(seq 50); do kill -0 "$conmon" 2>/dev/null || { echo "ended with its container"; break; }; sleep 0.1; done
  [ "$2" = nothing ] || kill "$(cat "$place/bundle/left")"
  kill -0 "$conmon" 2>/dev/null || return 0
  for _ in $(seq 50); do kill -0 "$conmon" 2>/dev/null || { echo "ended with the other process"; return; }; sleep 0.1; done
  kill -9 "$conmon"
  echo "did not end"
}

declare -A versions=([bookworm]=2.1.6+ds1-1 [trixie]=2.1.12-4)
failed=0
# expect WORDS SUITE nothing|left [OPTION…]
expect() {
  local found
  found=$(told "${@:2}")
  echo "conmon ${versions[$2]}, ${*:3}: $found"
  [ "$found" = "$1" ] || { echo "  expected: $1" >&2; failed=1; }
}

for suite in "${!versions[@]}"; do
  install "$suite" "${versions[$suite]}"
  expect "ended with its container" "$suite" nothing --exit-command /bin/true
  expect "ended with its container" "$suite" left
  expect "ended with the other process" "$suite" left --exit-command /bin/true
done
exit $failed
