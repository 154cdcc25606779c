import { table } from "../support/row";

/** The image as ctr has it, and a container of it with this row's runtime. */
const image = "docker.io/library/busybox:latest";
const run = `run() { ctr run --rm --runc-binary $(command -v $RT) --runc-root /run/$RT-ctr "$@"; };`;
const up = `up() { ctr run -d --runc-binary $(command -v $RT) --runc-root /run/$RT-ctr ${image} $N "$@"; };`;
const gone =
  "; code=$?; ctr task kill -s 9 $N >/dev/null 2>&1; ctr task delete -f $N >/dev/null 2>&1; ctr container rm $N >/dev/null 2>&1; exit $code";

export const containerd = table("ctr", "tasks", [
  ["run --rm", `${run} run ${image} $N echo hi`, "hi"],
  ["run: the exit code", `${run} run ${image} $N sh -c 'exit 7'`, undefined, { code: 7 }],
  ["run: no such command", `${run} run ${image} $N missing 2>&1 | grep -o 'executable file not found'`, "not found"],
  ["run --tty", `${run} eval "tty ctr run --rm -t --runc-binary $(command -v $RT) ${image} $N tty"`, "/dev/pts/0"],
  ["run -d, task ls", `${up} up sleep 100; ctr task ls | grep $N | awk '{ print $3 }'${gone}`, "RUNNING"],
  ["task exec", `${up} up sleep 100; ctr task exec --exec-id e $N sh -c 'echo in; exit 5'; echo $?${gone}`, "in\n5"],
  [
    "task kill",
    `${up} up sleep 100; ctr task kill -s 9 $N; stopped() { ctr task ls | grep $N | grep STOPPED; }; eventually stopped && echo stopped${gone}`,
    "stopped",
  ],
  [
    "task pause, resume",
    `${up} up sleep 100; ctr task pause $N; ctr task ls | grep $N | awk '{ print $3 }'; ctr task resume $N; ctr task exec --exec-id e $N sh -c 'echo runs; sleep 0.2'${gone}`,
    "PAUSED\nruns",
  ],
  ["task ps", `${up} up sleep 100; ctr task ps $N | wc -l${gone}`, "2"],
  ["task metrics", `${up} up sleep 100; ctr task metrics $N | grep -c memory.usage_in_bytes${gone}`, "1"],
  ["run --memory-limit", `${run} run --memory-limit 67108864 ${image} $N echo limited`, "limited"],
  ["run --env --cwd", `${run} run --env A=b --cwd /var ${image} $N sh -c 'echo $A; pwd'`, "b\n/var"],
  ["run --net-host", `${run} run --net-host ${image} $N echo ran`, "ran"],
  [
    "run --mount",
    `${run} echo mounted > /tmp/$N; run --mount type=bind,src=/tmp/$N,dst=/m,options=rbind:ro ${image} $N cat /m; rm /tmp/$N`,
    "mounted",
  ],
  ["run --cni", `${run} run --cni ${image} $N sh -c 'ip -o -4 addr show eth0 | grep -c inet'`, "1"],
  [
    "a pod, as CRI makes it",
    `${up} up sleep 1000; pid=$(ctr task ls | awk -v n=$N '$1 == n { print $2 }')
    ctr run --rm --runc-binary $(command -v $RT) --runc-root /run/$RT-ctr --with-ns network:/proc/$pid/ns/net --with-ns ipc:/proc/$pid/ns/ipc \\
      --with-ns pid:/proc/$pid/ns/pid --with-ns uts:/proc/$pid/ns/uts --annotation io.kubernetes.cri.container-type=container \\
      ${image} $N-member ps -o args${gone}`,
    "sleep 1000",
  ],
]);
