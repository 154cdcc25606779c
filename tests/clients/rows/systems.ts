/** Containers that do what a whole system does: others inside, systemd, tunnels, file systems. Their programs are the host's, by a volume of its /usr. */
import { table } from "../support/row";

/** Runs a shell script in a container of the image `host`. */
const inside = (flags: string, script: string) => `cat > /tmp/$N <<'END'
${script}
END
run ${flags} -v /usr:/usr:ro -v /tmp/$N:/job:ro host sh -e /job; code=$?; rm /tmp/$N; exit $code`;

/** An image in /image, for containers in containers. */
const image = `mkdir -p /image/bin; cp /bin/busybox /image/bin; for name in sh sleep ip cat; do ln -s busybox /image/bin/$name; done`;

const privileged = {
  machine: "without CAP_SYS_RESOURCE there are no containers with all capabilities",
  slow: true,
};

/** What systemd is given in place of the host's units: a service that says when it is ready. */
export const units = `mkdir -p /tmp/$N/units /tmp/$N/none
echo 0123456789abcdef0123456789abcdef > /tmp/$N/machine-id
printf '[Unit]\\nDefaultDependencies=no\\n[Service]\\nType=notify\\nNotifyAccess=all\\nExecStart=/bin/sh -c "systemd-notify --ready; exec sleep 100000"\\n' > /tmp/$N/units/told.service
printf '[Unit]\\nDefaultDependencies=no\\nRequires=told.service\\nAfter=told.service\\n' > /tmp/$N/units/default.target
flags="-v /usr:/usr:ro -v /tmp/$N/units:/etc/systemd/system:ro -v /tmp/$N/machine-id:/etc/machine-id:ro"
for place in system system-generators; do flags="$flags -v /tmp/$N/none:/usr/lib/systemd/$place:ro"; done`;

/** Waits in it until systemd has started all. */
export const started = `timeout 300 sh -c 'until systemctl -q is-active default.target 2>/dev/null; do sleep 1; done'`;

const pinged = (address: string) => `sh -c 'busybox ping -c 1 -W 1 ${address} | grep -q "1 packets received"'`;

export const systems = table("docker", "containers that do a system's work", [
  [
    "Docker in Docker: overlay2, run, exec, a network",
    inside(
      "--privileged -m 1g --tmpfs /run --tmpfs /var/lib/docker:exec --tmpfs /var/lib/containerd:exec",
      `${image}
# A dockerd that is to start containerd itself gives it 15 s, and ends.
containerd >/var/lib/docker/containerd.log 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.5; done
dockerd --storage-driver overlay2 --containerd /run/containerd/containerd.sock >/var/lib/docker/log 2>&1 &
until /usr/bin/docker info >/dev/null 2>&1; do kill -0 $! || { cat /var/lib/docker/log; exit 1; }; sleep 0.5; done
/usr/bin/docker info -f '{{.Driver}}'
tar -C /image -c . | /usr/bin/docker import -c 'ENV PATH=/bin' - inner >/dev/null
/usr/bin/docker run --rm inner sh -c 'echo in a container of a container; ip addr show eth0' | grep -o 'in a.*\\|inet 172'
/usr/bin/docker run -d --name other inner sleep 1000 >/dev/null
/usr/bin/docker exec other cat /proc/1/comm; /usr/bin/docker rm -f other`,
    ),
    "overlay2\nin a container of a container\ninet 172\nsleep\nother",
    privileged,
  ],
  [
    "podman in Docker: build, run, exec, fuse-overlayfs",
    inside(
      "--privileged -m 1g --tmpfs /run --tmpfs /var/lib/containers:exec",
      `${image}
settings() { printf '[storage]\\ndriver="overlay"\\nrunroot="/run/%s"\\ngraphroot="/var/lib/containers/%s"\\n%s\\n' $1 $1 "$2" > /etc/containers/storage.conf; }
printf '[containers]\\ndefault_ulimits=[]\\n[engine]\\ncgroup_manager="cgroupfs"\\nevents_logger="file"\\nruntime="runc"\\n[network]\\nnetwork_backend="netavark"\\n' > /etc/containers/containers.conf
settings overlay
tar -C /image -c . | podman import -q -c 'ENV PATH=/bin' - inner >/dev/null
printf 'FROM inner\\nRUN echo built > /built\\n' > /tmp/Containerfile
buildah bud -q --isolation oci -t built /tmp >/dev/null
exec 2>/dev/null
podman run -d --name other built sleep 1000 >/dev/null; podman exec other cat /built; podman rm -f -t 0 other >/dev/null
podman run --rm inner sh -c 'ip addr show eth0' | grep -o 'inet 10'
settings fuse '[storage.options.overlay]
mount_program="/usr/bin/fuse-overlayfs"'
tar -C /image -c . | podman import -q -c 'ENV PATH=/bin' - inner >/dev/null
podman run --rm --network none inner sh -c 'echo written > /f; cat /f /proc/mounts' | grep -o 'written\\|^[^ ]*overlayfs'`,
    ),
    "built\ninet 10\nwritten\nfuse-overlayfs",
    privileged,
  ],
  [
    "systemd as the first process, exec, a healthcheck, stop",
    `${units}
    up --name $N --cap-add SYS_ADMIN -v /sys/fs/cgroup:/sys/fs/cgroup:ro --tmpfs /run --tmpfs /tmp -e container=docker --stop-signal SIGRTMIN+13 --health-cmd 'systemctl is-active told' --health-interval 1s $flags host /lib/systemd/systemd
    docker exec $N ${started}; docker exec $N sh -c 'cat /proc/1/comm; systemctl is-active told'
    healthy() { [ "$(docker inspect -f {{.State.Health.Status}} $N)" = healthy ]; }; eventually healthy && docker stop -t 60 $N >/dev/null; docker wait $N; rm -r /tmp/$N`,
    "systemd\nactive\n0",
    { slow: true },
  ],
  [
    "WireGuard between two containers",
    `docker network create $N >/dev/null
    for n in 1 2; do
      (umask 077; wg genkey > /tmp/$N-$n); up --name $N-$n --network $N --cap-add NET_ADMIN -v /usr:/usr:ro -v /tmp/$N-$n:/key:ro host sleep 1000
    done
    for n in 1 2; do
      other=$((3 - n)); public=$(wg pubkey < /tmp/$N-$other)
      docker exec $N-$n sh -ec "ip link add wg0 type wireguard; wg set wg0 private-key /key listen-port 5000 peer $public allowed-ips 10.99.0.$other/32 endpoint $N-$other:5000; ip addr add 10.99.0.$n/24 dev wg0; ip link set wg0 up" || exit
    done; rm /tmp/$N-?
    eventually docker exec $N-1 ${pinged("10.99.0.2")} && docker exec $N-2 sh -c 'wg show wg0 transfer | grep -c .'`,
    "1",
    { machine: "its kernel has no WireGuard", slow: true },
  ],
  [
    "a tunnel (TUN) between two network namespaces",
    inside(
      "--cap-add NET_ADMIN --cap-add SYS_ADMIN --device /dev/net/tun",
      `ip netns add other
socat UNIX-LISTEN:/socket,type=5 TUN:10.98.0.1/24,up &
until [ -S /socket ]; do sleep 0.1; done
ip netns exec other socat UNIX-CONNECT:/socket,type=5 TUN:10.98.0.2/24,up &
until busybox ping -c 1 -W 1 10.98.0.2 >/dev/null 2>&1; do sleep 0.1; done
ip -br addr show tun0 | tr -s ' ' | cut -d' ' -f1,3`,
    ),
    "tun0 10.98.0.1/24",
  ],
  [
    "iptables: what one user sends does not pass through a proxy, all else does",
    inside(
      "--cap-add NET_ADMIN",
      `mkdir /proxy /other; echo through the proxy > /proxy/page; echo directly > /other/page
busybox httpd -p 15001 -h /proxy; busybox httpd -p 8000 -h /other
iptables -t nat -N PROXY
iptables -t nat -A PROXY -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -A OUTPUT -p tcp --dport 8000 -m owner ! --uid-owner 1337 -j PROXY
for user in 0 1337; do setpriv --reuid $user --clear-groups busybox wget -q -O - http://127.0.0.1:8000/page; done
iptables -t nat -S PROXY`,
    ),
    "through the proxy\ndirectly\n-N PROXY\n-A PROXY -p tcp -j REDIRECT --to-ports 15001",
  ],
  [
    "a FUSE file system",
    inside(
      "--device /dev/fuse --cap-add SYS_ADMIN",
      `mkdir /files /m; echo packed > /files/f; mksquashfs /files /image -quiet -no-progress >/dev/null
squashfuse /image /m; cat /m/f; grep -o ' /m fuse.squashfuse' /proc/mounts; umount /m; ls /m`,
    ),
    "packed\n /m fuse.squashfuse",
  ],
  [
    "an ext4 image on a loop device",
    inside(
      "--cap-add SYS_ADMIN --device-cgroup-rule 'b 7:* rwm' --device-cgroup-rule 'c 10:237 rwm'",
      `mknod /dev/loop-control c 10 237; for n in $(seq 0 7); do mknod /dev/loop$n b 7 $n; done
mkdir /files /m; echo packed > /files/f; truncate -s 16M /image; mkfs.ext4 -q -d /files /image
mount -o loop /image /m; cat /m/f; echo written > /m/g; grep -o ' /m ext4 rw' /proc/mounts; umount /m`,
    ),
    "packed\n /m ext4 rw",
  ],
]);
