# What tests/packages/walk does with the system and with those who call runv. Sourced; of what it makes outside of this system, cgroups, `cgroups` is the name.
export DEBIAN_FRONTEND=noninteractive
log=/tmp/walk.log
cgroups=runv-walk-$(cat /proc/sys/kernel/random/uuid)
# For systems that are busy, as those of tests are.
echo "start_timeout = 300" >/tmp/walk.toml
export RUNV_CONFIG=/tmp/walk.toml
printf '[containers]\ndefault_ulimits = []\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[network]\nnetwork_backend = "netavark"\n' >/tmp/containers.conf
export CONTAINERS_CONF=/tmp/containers.conf

# Cgroups are the host's. Where a controller is not mounted, conmon leaves a plain file in a plain directory.
remove_cgroups() {
  find /sys/fs/cgroup -path "*/$cgroups/conmon/tasks" -exec rm -f {} + 2>/dev/null || true
  find /sys/fs/cgroup -depth -type d \( -path "*/$cgroups*" -o -name libpod_parent \) -exec rmdir {} + 2>/dev/null || true
}
trap remove_cgroups EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

# step NAME: says that it is done, with the seconds that it took.
step() {
  echo "walk: $1: $SECONDS s"
  SECONDS=0
}

# quietly WHAT COMMAND…: what it says goes to the log, and is said when it fails.
quietly() {
  local what=$1
  shift
  "$@" >$log 2>&1 </dev/null || fail "$what: $(cat $log)"
}

# All files but those of the packages' managers and of the clients, and of those who look at what is installed.
files() {
  find /etc /opt /run /srv /usr /var -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/rpm -o -path /usr/lib/sysimage -o -path /var/cache \
    -o -path /var/log -o -path /etc/ld.so.cache -o -path /etc/libvirt -o -path '/run/docker*' -o -path /run/containerd -o -path '/run/containers' -o -path /run/libpod \
    -o -path /run/lock -o -path /run/systemd -o -path /run/netns -o -path /run/xtables.lock -o -path /run/needrestart -o -path /var/lib/cni \) -prune -o -print | sort
}

# Processes of runv's and of its hypervisors.
processes() {
  local each
  for each in /proc/[0-9]*/exe; do readlink "$each" || true; done | grep -E '/(runv|qemu-system-[^/ ]*)( |$)' || true
}

# The root file system of all containers.
busybox() {
  mkdir -p /tmp/bundle/rootfs/{bin,dev,etc,proc,sys,tmp}
  cp /bin/busybox /tmp/bundle/rootfs/bin
  chroot /tmp/bundle/rootfs /bin/busybox --install -s /bin
}

bundle() {
  runv spec --bundle /tmp/bundle
  sed -i -e 's/"terminal": true/"terminal": false/' -e 's/^\(\t*\)"sh"$/\1"sleep", "100000"/' -e "s|\"linux\": {|&\n\t\t\"cgroupsPath\": \"/$cgroups/walk\",|" /tmp/bundle/config.json
}

walk_podman() { podman --runtime /usr/bin/runv "$@"; }

# Docker's daemon, in a network namespace of its own; Docker and podman have started a container already, with runc.
start_clients() {
  local old=()
  # Until version 24 it lowers its own score, which not everybody may.
  ! dockerd --help | grep -q oom-score-adjust || old=(--oom-score-adjust 0)
  unshare -n bash -c '
    ip link set lo up
    containerd >/tmp/containerd.log 2>&1 &
    dockerd --containerd /run/containerd/containerd.sock "$@" >/tmp/dockerd.log 2>&1 &
    echo $! >/tmp/dockerd.pid
    trap "kill \$(jobs -p); wait; exit" TERM
    wait
  ' docker "${old[@]}" &
  clients=$!
  local i
  for ((i = 0; i < 300; i++)); do
    ! docker version >/dev/null 2>&1 || break
    sleep 0.2
  done
  docker version >/dev/null 2>&1 || fail "Docker: $(tail -20 /tmp/dockerd.log)"
  tar -C /tmp/bundle/rootfs -c . | quietly_reading "docker import" docker import -c 'CMD ["sh"]' - walk
  tar -C /tmp/bundle/rootfs -c . | quietly_reading "podman import" podman import -c 'CMD ["sh"]' - walk
  quietly "docker run, by runc" docker run --rm --cgroup-parent /$cgroups walk true
  quietly "podman run, by runc" podman --runtime runc run --rm --network none --cgroup-parent /$cgroups walk true
}

quietly_reading() { "${@:2}" >$log 2>&1 || fail "$1: $(cat $log)"; }

# Docker knows the runtimes of daemon.json.
docker_reload() {
  kill -HUP "$(cat /tmp/dockerd.pid)"
  for ((i = 0; i < 100; i++)); do
    ! docker info --format '{{json .Runtimes}}' | grep -q '"runv"' || return 0
    sleep 0.1
  done
  fail "Docker does not know runv: $(tail -5 /tmp/dockerd.log)"
}

stop_clients() {
  kill $clients
  wait $clients || true
}
