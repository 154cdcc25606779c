import { table } from "../support/row";

/** The image as ctr has it, and a container of it with this row's runtime. */
const image = "docker.io/library/busybox:latest";
const gone =
  "; code=$?; ctr task kill -s 9 $N >/dev/null 2>&1; ctr task delete -f $N >/dev/null 2>&1; ctr container rm $N >/dev/null 2>&1; exit $code";

type Rows = Parameters<typeof table>[2];

/** @param flags of `ctr run` that choose this row's runtime */
function tasks(flags: string): Rows {
  // run: a container in the foreground; up: one of this row's name in the background.
  const begin = `run() { ctr run --rm ${flags} "$@"; }; up() { ctr run -d ${flags} ${image} $N "$@"; };`;
  return [
    ["run --rm", `${begin} run ${image} $N echo hi`, "hi"],
    ["run: the exit code", `${begin} run ${image} $N sh -c 'exit 7'`, undefined, { code: 7 }],
    [
      "run: no such command",
      `${begin} run ${image} $N missing 2>&1 | grep -o 'executable file not found'`,
      "not found",
    ],
    ["run --tty", `${begin} tty "ctr run --rm -t ${flags} ${image} $N tty"`, "/dev/pts/0"],
    ["run -d, task ls", `${begin} up sleep 100; ctr task ls | grep $N | awk '{ print $3 }'${gone}`, "RUNNING"],
    [
      "task exec",
      `${begin} up sleep 100; ctr task exec --exec-id e $N sh -c 'echo in; exit 5'; echo $?${gone}`,
      "in\n5",
    ],
    [
      "task kill",
      `${begin} up sleep 100; ctr task kill -s 9 $N; stopped() { ctr task ls | grep $N | grep STOPPED; }; eventually stopped && echo stopped${gone}`,
      "stopped",
    ],
    [
      "task pause, resume",
      `${begin} up sleep 100; ctr task pause $N; ctr task ls | grep $N | awk '{ print $3 }'; ctr task resume $N; ctr task exec --exec-id e $N sh -c 'echo runs; sleep 0.2'${gone}`,
      "PAUSED\nruns",
    ],
    ["task ps", `${begin} up sleep 100; ctr task ps $N | wc -l${gone}`, "2"],
    ["task metrics", `${begin} up sleep 100; ctr task metrics $N | grep -cE "^memory.usage(_in_bytes)? "${gone}`, "1"],
    ["run --memory-limit", `${begin} run --memory-limit 67108864 ${image} $N echo limited`, "limited"],
    ["run --env --cwd", `${begin} run --env A=b --cwd /var ${image} $N sh -c 'echo $A; pwd'`, "b\n/var"],
    ["run --net-host", `${begin} run --net-host ${image} $N echo ran`, "ran"],
    [
      "run --mount",
      `${begin} echo mounted > /tmp/$N; run --mount type=bind,src=/tmp/$N,dst=/m,options=rbind:ro ${image} $N cat /m; rm /tmp/$N`,
      "mounted",
    ],
    ["run --cni", `${begin} run --cni ${image} $N sh -c 'ip -o -4 addr show eth0 | grep -c inet'`, "1"],
    [
      "a pod, as CRI makes it",
      `${begin} up sleep 1000; pid=$(ctr task ls | awk -v n=$N '$1 == n { print $2 }')
    run --with-ns network:/proc/$pid/ns/net --with-ns ipc:/proc/$pid/ns/ipc \\
      --with-ns pid:/proc/$pid/ns/pid --with-ns uts:/proc/$pid/ns/uts --annotation io.kubernetes.cri.container-type=container \\
      ${image} $N-member ps -o args${gone}`,
      "sleep 1000",
    ],
  ];
}

const byRuncsShim = "--runc-binary $(command -v $RT) --runc-root /run/$RT-ctr";
const byOwnShim = "--runtime io.containerd.$RT.v2";

export const containerd = table("ctr", "tasks", tasks(byRuncsShim));
/** What is of the container's configuration is the same whoever calls. */
const ofConfiguration = ["run --memory-limit", "run --env --cwd", "run --net-host", "run --mount"];
const ofShims = tasks(byOwnShim).filter(([name]) => !ofConfiguration.includes(name));
export const ownShim = table("ctr", "tasks by runv's own shim", ofShims);
