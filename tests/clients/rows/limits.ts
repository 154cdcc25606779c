import { table } from "../support/row";

export const limits = table("docker", "limits and privileges", [
  [
    "run -m: more than it may use",
    "up --name $N -m 64m --memory-swap 64m busybox sh -c 'tail /dev/zero'; docker wait $N; docker inspect -f '{{.State.OOMKilled}}' $N",
    "137\ntrue",
  ],
  [
    "run -m, inspect",
    "run -m 100m busybox sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'",
    "104857600",
  ],
  ["run -m --memory-swap", "run -m 64m --memory-swap 128m busybox true"],
  ["run -m --memory-swappiness", "run -m 64m --memory-swappiness 0 busybox true"],
  ["run -m --oom-kill-disable", "run -m 64m --oom-kill-disable busybox true"],
  ["run --blkio-weight", "run --blkio-weight 300 busybox true"],
  ["run --device-write-bps", "run --device-write-bps /dev/vda:1mb busybox true"],
  ["run --cpuset-mems", "run --cpuset-mems 0 busybox grep Mems_allowed_list /proc/self/status", "0"],
  ["run --cpus", "run --cpus 0.5 busybox true"],
  ["run --cpu-shares", "run --cpu-shares 512 busybox true"],
  [
    "run --cpu-period --cpu-quota, --memory-reservation, inspect",
    "up --name $N --cpu-period 50000 --cpu-quota 25000 -m 64m --memory-reservation 32m busybox sleep 100; docker inspect -f '{{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}} {{.HostConfig.MemoryReservation}}' $N",
    "50000 25000 33554432",
  ],
  ["run --userns host", "run --userns host busybox cat /proc/self/uid_map | tr -s ' '", "0 0 4294967295"],
  ["run --cpuset-cpus", "run --cpuset-cpus 0 busybox grep Cpus_allowed_list /proc/self/status", "0"],
  [
    "run --pids-limit",
    "run --pids-limit 8 busybox sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait' | sort -u",
    "fork",
    { code: 0 },
  ],
  ["run --ulimit", "run --ulimit nofile=512:1024 busybox sh -c 'ulimit -n; ulimit -Hn'", "512\n1024"],
  [
    "run --sysctl",
    "run --sysctl net.ipv4.ip_forward=0 --sysctl kernel.msgmax=10000 busybox sh -c 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'",
    "0\n10000",
  ],
  ["run --shm-size", "run --shm-size 16m busybox df -k /dev/shm | awk '{ print $2 }'", "16384"],
  ["run --oom-score-adj", "run --oom-score-adj 321 busybox cat /proc/self/oom_score_adj", "321"],
  ["run: capabilities", "run busybox grep Cap /proc/self/status", "CapEff:\t00000000a80425fb"],
  [
    "run --cap-add",
    "run --cap-add NET_ADMIN --cap-add SYS_TIME busybox grep Cap /proc/self/status",
    "CapEff:\t00000000aa0435fb",
  ],
  [
    "run --cap-drop",
    "run --cap-drop ALL busybox sh -c '(grep CapEff /proc/self/status; chown 1:1 /tmp) 2>&1'",
    "not permitted",
    { code: 1 },
  ],
  [
    "run --security-opt no-new-privileges",
    "run --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status",
    "NoNewPrivs:\t1",
  ],
  [
    "run --security-opt seccomp=unconfined",
    "run --security-opt seccomp=unconfined busybox grep -w Seccomp: /proc/self/status",
    "Seccomp:\t0",
  ],
  [
    "run: Docker's seccomp filter",
    "run busybox sh -c 'grep -w Seccomp: /proc/self/status; unshare -r true'",
    "Seccomp:\t2",
    { code: 1 },
  ],
  [
    "run --security-opt seccomp=FILE",
    `echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' > /tmp/$N
    run --security-opt seccomp=/tmp/$N busybox mkdir /x; code=$?; rm /tmp/$N; exit $code`,
    "not permitted",
    { code: 1 },
  ],
  [
    "run --privileged",
    "run --privileged busybox sh -c 'grep CapEff /proc/self/status; mkdir /m && mount -t tmpfs none /m && echo mounted'",
    "mounted",
    { machine: "without CAP_SYS_RESOURCE there are no containers with all capabilities" },
  ],
  [
    "run --privileged: writes sysctls",
    "run --privileged busybox sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward && echo written'",
    "written",
    { machine: "without CAP_SYS_RESOURCE there are no containers with all capabilities" },
  ],
  ["run --device", "run --device /dev/zero:/dev/mine busybox sh -c 'head -c3 /dev/mine | wc -c'", "3"],
  [
    "run --device-cgroup-rule",
    "run --device-cgroup-rule 'c 1:3 rwm' busybox sh -c 'mknod /n c 1 3 && echo x > /n && echo made'",
    "made",
  ],
  [
    "run: devices",
    "run busybox sh -c 'ls /dev; stat -c %a:%t:%T /dev/null'",
    "null",
    { host: "its kernel has no /proc/kcore, to which /dev/core leads" },
  ],
  ["run --ipc none", "run --ipc none busybox ls /dev | grep -v core", /^(?!.*shm)/s],
  [
    "run --ipc shareable, container:",
    "up --name $N --ipc shareable busybox sleep 100; run --ipc container:$N busybox true && echo ran",
    "ran",
  ],
  ["run --pid host", "run --pid host busybox sh -c 'test $(ls -d /proc/[0-9]* | wc -l) -gt 5 && echo many'", "many"],
  [
    "run --pid container:",
    "up --name $N busybox sleep 54321; run --pid container:$N busybox ps -o args",
    "sleep 54321",
  ],
  [
    "run --pid container:, on a user network",
    `docker network create $N >/dev/null; up --name $N-web --hostname box --network $N busybox nc -ll -p 80 -e hostname; up --name $N busybox sleep 54321
    run --pid container:$N --network $N busybox sh -c 'ps -o args; until nc -w 2 '$N'-web 80 | grep box; do sleep 0.2; done'`,
    /sleep 54321.*box/s,
  ],
  [
    "run --ipc container:, rm -f of that container",
    `up --name $N-first --ipc shareable busybox sleep 1000; up --name $N --ipc container:$N-first busybox sleep 1000
    docker rm -f $N-first >/dev/null; docker exec $N sh -c 'ping -c 1 -W 5 172.17.0.1 | grep -c "1 packets received"'`,
    "1",
  ],
  [
    "run --pid container:, network connect, disconnect",
    `docker network create $N >/dev/null; up --name $N-first busybox sleep 1000; up --name $N --pid container:$N-first busybox sleep 1000
    docker network connect $N $N; eventually docker exec $N ip link show eth1; docker exec $N-first ls /sys/class/net
    docker network disconnect $N $N; gone() { ! docker exec $N ip link show eth1; }; eventually gone; docker exec $N ls /sys/class/net`,
    "eth0\nlo\neth0\nlo",
  ],
  ["run --uts host", "run --uts host busybox hostname | wc -l", "1"],
  ["run --cgroupns private", "run --cgroupns private busybox cat /proc/self/cgroup | head -1 | cut -d: -f3", "/"],
  ["run --cgroup-parent", "run --cgroup-parent /$N busybox true"],
  [
    "run --isolation, --runtime unknown",
    "docker run --rm --runtime none busybox true",
    // Of Docker 20.10, and of later ones.
    /[Uu]nknown (or invalid )?runtime/,
    { code: 125 },
  ],
]);
