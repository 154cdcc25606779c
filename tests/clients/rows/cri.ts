import { join } from "node:path";
import { type Table, table } from "../support/row";

/** cri: what crictl is elsewhere (../cri/main.ts). P: a pod of this row's runtime, by its own shim if $SHIM says so; box: a container in it, started, with its limit of memory. */
const begin = `
cri() { ${process.execPath} ${join(import.meta.dir, "../cri/main.ts")} "$@"; }
P=$(cri runp $RT$SHIM $N) || exit
box() { name=$1; memory=$2; shift 2; C=$(cri create $P $N $name $memory "$@") && cri start $C; }
`;
const end = "; code=$?; cri stopp $P; cri rmp $P; exit $code";

/** A script in which there is such a pod; it is removed at the end. */
export const criRow = (script: string) => `${begin}${script}${end}`;

export const cri = table("CRI", "pods", [
  ["RunPodSandbox, PodSandboxStatus", criRow("cri statusp $P | sed 's/[0-9.]*$/ADDRESS/'"), "ready ADDRESS"],
  [
    "two containers share localhost and a host name",
    criRow(
      "box server 0 nc -ll -p 80 -e hostname; box client 0 sleep 1000; cri ps $P; said cri exec $C nc -w 2 127.0.0.1 80",
    ),
    "client running\nserver running\nbox",
  ],
  [
    "the host reaches the pod's address",
    criRow("box server 0 nc -ll -p 80 -e hostname; said nc -w 2 $(cri statusp $P | cut -d' ' -f2) 80"),
    "box",
  ],
  ["ExecSync", criRow("box one 0 sleep 1000; cri exec $C sh -c 'echo out; echo err >&2; exit 5'; echo $?"), "5"],
  [
    "ContainerStatus, logs",
    criRow(
      "box one 0 sh -c 'echo said; exit 3'; ended() { cri status $C | grep exited; }; eventually ended; cri status $C; cri logs $N one",
    ),
    "exited 3 Error\nstdout F said",
  ],
  [
    "ContainerStatus: OOMKilled",
    criRow(
      "box one 33554432 tail /dev/zero; ended() { cri status $C | grep exited; }; eventually ended; cri status $C",
    ),
    "exited 137 OOMKilled",
  ],
  [
    "StopContainer, RemoveContainer: the pod goes on",
    criRow(
      "box one 0 sleep 1000; first=$C; box other 0 sleep 1000; cri stop $first; cri status $first; cri rm $first; cri ps $P; cri exec $C echo lives",
    ),
    "other running\nlives",
  ],
  [
    "StopContainer: with time to end by itself",
    criRow(
      "box one 0 sh -c 'trap \"exit 4\" TERM; echo ready; while :; do sleep 0.1; done'; ready() { cri logs $N one | grep ready; }; eventually ready; cri stop $C 10; cri status $C",
    ),
    "exited 4",
  ],
  [
    "StopPodSandbox: nothing runs any more",
    `${begin} box one 0 sleep 1000; cri stopp $P; cri statusp $P; cri status $C; cri rmp $P; cri statusp $P 2>&1 | grep -o 'not found'`,
    "not ready\nexited 137 Error\nnot found",
  ],
]);

/** Those in which it matters who serves containerd. */
const ofShims = /^two containers|^ExecSync|OOMKilled|the pod goes on|^StopPodSandbox/;

export const criByOwnShim: Table = {
  ...cri,
  title: "pods by runv's own shim",
  rows: cri.rows
    .filter(({ name }) => ofShims.test(name))
    .map(({ script, ...rest }) => ({ ...rest, script: `SHIM=-shim; ${script}` })),
};
