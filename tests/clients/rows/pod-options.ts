import { type Row, type Table, table } from "../support/row";
import { criRow } from "./cri";

const options = (words: string) => `export BOX_WITH='${words}'; `;
const ofPod = (words: string) => `export POD_WITH='${words}'; `;
const sleeping = "box one 0 sleep 1000; ";

const rows: readonly (readonly [string, string, (string | RegExp)?, Partial<Row>?])[] = [
  [
    "RunAsUser, RunAsGroup, SupplementalGroups",
    criRow(`${options("user=1000 group=1001 groups=77,88")}${sleeping}cri exec $C sh -c 'id -u; id -g; id -G'`),
    "1000\n1001\n1001 77 88",
  ],
  ["RunAsUserName", criRow(`${options("username=daemon")}${sleeping}cri exec $C id -u`), "1"],
  [
    "capabilities: added, dropped",
    criRow(
      `${options("add=SYS_TIME drop=CHOWN")}${sleeping}cri exec $C grep CapEff /proc/self/status; cri exec $C chown 1 /tmp; echo $?`,
    ),
    "Operation not permitted",
  ],
  ["ReadonlyRootfs", criRow(`${options("readonly")}${sleeping}cri exec $C touch /x; echo $?`), "Read-only file system"],
  [
    "MaskedPaths, ReadonlyPaths",
    criRow(
      `${options("mask=/etc/passwd read-only-path=/tmp")}${sleeping}cri exec $C sh -c 'cat /etc/passwd | wc -c; touch /tmp/x'; echo $?`,
    ),
    "0\n1",
  ],
  [
    "NoNewPrivs, seccomp of the runtime and unconfined",
    criRow(
      `${options("no-new-privileges seccomp=runtime")}${sleeping}cri exec $C grep -E 'NoNewPrivs|^Seccomp:' /proc/self/status; ${options("seccomp=unconfined")}box two 0 sleep 1000; cri exec $C grep -E 'NoNewPrivs|^Seccomp:' /proc/self/status`,
    ),
    "NoNewPrivs:\t1\nSeccomp:\t2\nNoNewPrivs:\t0\nSeccomp:\t0",
  ],
  [
    "mounts: private and rslave; a link of the host",
    `mkdir -p /run/$N/v /run/$N/more; ln -s v /run/$N/link; mount --bind /run/$N/v /run/$N/v; mount --make-shared /run/$N/v; mkdir /run/$N/v/host /run/$N/v/inside; echo told > /run/$N/more/f
${criRow(
  `${options("mount=/run/'$N'/link:/private: mount=/run/'$N'/v:/slave:rslave")}${sleeping}mount --bind /run/$N/more /run/$N/v/host; seen() { cri exec $C test -e /slave/host/f; }; eventually seen; cri exec $C sh -c 'cat /slave/host/f; ls /private/host | wc -l'`,
)}`,
    "told\n0",
  ],
  [
    "SYS_ADMIN: the host name",
    criRow(`${options("add=SYS_ADMIN")}${sleeping}cri exec $C hostname other; cri exec $C hostname`),
    "other",
  ],
  [
    "HostPID off: PID namespaces of the pod and of containers",
    criRow(
      `${options("pid=pod")}${sleeping}${options("pid=pod")}box two 0 sleep 2000; cri exec $C ps -o args | grep -c '^sleep'; ${options("pid=container")}box three 0 sleep 3000; cri exec $C ps -o args | grep -c '^sleep'`,
    ),
    /\n1$/,
  ],
  [
    "/dev/shm is the pod's, and memory",
    criRow(
      `${sleeping}cri exec $C sh -c 'echo shared > /dev/shm/f; exec 3<>/dev/shm/gone; rm /dev/shm/gone; echo kept >&3; truncate -s 100 /proc/self/fd/3; stat -L -c %s /proc/self/fd/3'; box two 0 sleep 1000; cri exec $C sh -c 'cat /dev/shm/f; df /dev/shm | tail -1 | tr -s " " | cut -d" " -f1,2,6'`,
    ),
    "100\nshared\nshm 65536 /dev/shm",
  ],
  [
    "WorkingDir, Envs, devices",
    criRow(
      `${options("workdir=/var env=WORD=told device=/dev/loop-control")}${sleeping}cri exec $C sh -c 'pwd; echo $WORD; ls /dev/loop-control'`,
    ),
    "/var\ntold\n/dev/loop-control",
  ],
  [
    "ExecSync: a timeout ends the process",
    criRow(
      `${sleeping}EXEC_TIMEOUT=1 cri exec $C sleep 2345 2>&1 | grep -c 'timeout\\|deadline'; gone() { [ "$(cri exec $C ps -o args | grep -c '^sleep 2345')" = 0 ]; }; eventually gone; cri exec $C echo goes on`,
    ),
    "1\ngoes on",
  ],
  [
    "Exec with a terminal and standard input, over the streaming server",
    criRow(`${sleeping}echo 'tty; exit' | cri execit $C sh | tr -d '\\r' | grep -o '^/dev/pts/.*'`),
    "/dev/pts/",
  ],
  [
    "Attach",
    criRow(
      `${options("stdin")}box one 0 sh -c 'read word; echo got $word; sleep 2'; (echo word; sleep 1) | cri attach $C | grep -o 'got word'; until cri status $C | grep -q exited; do sleep 0.1; done`,
    ),
    "got word",
  ],
  [
    "PortForward",
    criRow(
      "box one 0 nc -ll -p 80 -e hostname; answers() { cri exec $C nc -w 2 127.0.0.1 80; }; eventually answers; cri forward $P 80 | grep -o box",
    ),
    "box",
  ],
  [
    "UpdateContainerResources, ContainerStats",
    criRow(
      `box one 67108864 sh -c 'while :; do :; done'; cri update $C 50331648 && echo updated; used() { cri stats $C | grep 'processor used, memory used'; }; eventually used; cri stats $C`,
    ),
    "updated\nprocessor used, memory used",
  ],
  [
    "ReopenContainerLog",
    criRow(
      "box one 0 sh -c 'while :; do echo line; sleep 0.1; done'; written() { cri logs $N one | grep line; }; eventually written; mv /run/$N/one.log /run/$N/old.log; cri reopen $C; eventually written; echo written anew",
    ),
    "written anew",
  ],
];

const podRows: readonly (readonly [string, string, (string | RegExp)?, Partial<Row>?])[] = [
  [
    "DNSConfig",
    `${ofPod("dns=10.9.9.9,box.example,ndots:8")}${criRow(`${sleeping}cri exec $C cat /etc/resolv.conf`)}`,
    "search box.example\nnameserver 10.9.9.9\noptions ndots:8",
  ],
  [
    "PortMappings: a port of the host's",
    `case $RT in runc) port=21801 ;; *) port=21802 ;; esac; export POD_WITH=port=$port:80; ${criRow("box one 0 nc -ll -p 80 -e hostname; said nc -w 2 127.0.0.1 $port")}`,
    "box",
    // CNI's plugin fails where another one makes its chains just then.
    { alone: true },
  ],
  [
    "sysctls",
    `${ofPod("sysctl=kernel.shm_rmid_forced=1 sysctl=net.ipv4.ip_local_port_range=1024\t65000")}${criRow(`${sleeping}cri exec $C cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_local_port_range`)}`,
    "1\n1024\t65000",
  ],
  [
    "HostNetwork: reaches what listens on the host",
    `case $RT in runc) address=10.98.0.1 port=21803 ;; *) address=10.98.0.2 port=21804 ;; esac; ip address add $address/32 dev lo; /bin/busybox nc -ll -p $port -e hostname & trap "kill $!; ip address del $address/32 dev lo" EXIT; ${ofPod("network=node no-hostname")}${options("network=node")}${criRow(`${sleeping}[ "$(said cri exec $C nc -w 2 $address $port)" = "$(hostname)" ] && echo reached`)}`,
    "reached",
  ],
];

/** What critest asks for pods and containers, besides their lives: its subjects, as rows. */
export const podOptions: Table = table("CRI", "what pods and containers are made with", [...rows, ...podRows]);

/** Those in which it matters who serves containerd. */
const ofShims = /^ExecSync|^Exec with|^Attach|^PortForward|^Update|\/dev\/shm/;

export const podOptionsByOwnShim: Table = {
  ...podOptions,
  title: "what pods and containers are made with, by runv's own shim",
  rows: podOptions.rows
    .filter(({ name }) => ofShims.test(name))
    .map(({ script, ...rest }) => ({ ...rest, script: `SHIM=-shim; ${script}` })),
};
