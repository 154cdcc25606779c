import { table } from "../support/row";

const id = "docker inspect -f";

export const run = table("docker", "run", [
  ["run --rm", "run --network none busybox echo hi", "hi"],
  ["run: the exit code", "run busybox sh -c 'exit 7'", undefined, { code: 7 }],
  ["run: killed by a signal", "run busybox sh -c 'sh -c \"kill -9 \\$\\$\"; exit $?'", undefined, { code: 137 }],
  ["run: no such command", "run busybox missing", "executable file not found", { code: 127 }],
  ["run: a command that cannot be executed", "run busybox /etc/passwd", "permission denied", { code: 126 }],
  ["run: a flag that is none", "run --no-such-flag busybox", "unknown flag", { code: 125 }],
  ["run: stdout and stderr", "run busybox sh -c 'echo out; echo err >&2' 2>/dev/null", /^out$/],
  ["run -i", "printf 'one\\ntwo\\n' | run -i busybox cat", "one\ntwo"],
  ["run -it", "tty docker run --rm -it --runtime $RT busybox tty", "/dev/pts/0"],
  [
    "run -t: a window's size",
    `tty "stty rows 31 cols 101; docker run --rm -it --runtime $RT busybox sh -c 'until stty size 2>/dev/null | grep 31; do :; done'"`,
    "31 101",
  ],
  ["run -d, logs", "up --name $N busybox echo logged; docker wait $N; docker logs $N", "logged"],
  [
    "run --init",
    "run --init busybox ps -o args | sed 's/ *$//'",
    "docker-init",
    { differsForeign: "the init is a program of the host's, which a kernel of another architecture does not know" },
  ],
  ["run --user", "run --user 1000:1001 busybox id", "uid=1000 gid=1001"],
  ["run --user NAME", "run --user daemon busybox id", "uid=1(daemon)"],
  ["run --group-add", "run --group-add 77 busybox id", "77"],
  ["run -e, -w", "run -e A=b -w /var busybox sh -c 'echo $A $PWD'", "b /var"],
  [
    "run --env-file",
    "echo A=from a file > /tmp/$N; run --env-file /tmp/$N busybox sh -c 'echo $A'; rm /tmp/$N",
    "from a file",
  ],
  ["run --entrypoint", "run --entrypoint /bin/echo busybox entered", "entered"],
  ["run --hostname", "run --hostname box --domainname example.org busybox sh -c 'hostname; cat /etc/hostname'", "box"],
  [
    "run --label, inspect",
    `up --name $N --label a=b busybox true; ${id} '{{.Config.Labels.a}} {{.HostConfig.Runtime}}' $N`,
    "b",
  ],
  ["run --cidfile", "run --cidfile /tmp/$N busybox true && wc -c < /tmp/$N; rm /tmp/$N", "64"],
  ["run --rm: nothing is left", "run --name $N busybox true; docker ps -aq --filter name=$N", /^$/],
  ["run --platform and --pull never", "run --pull never busybox echo pulled", "pulled"],
  ["run: environment", "run busybox env | grep -v HOSTNAME | sort", "HOME=/root"],
  [
    "run: mounts",
    "run busybox cat /proc/mounts | cut -d' ' -f2 | sort",
    "/proc",
    { host: "it has cgroups of version 1, and neither /proc/kcore nor /proc/sysrq-trigger to be hidden" },
  ],
]);
