import { table } from "../support/row";

const state = "docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' $N";
/** Ends by SIGTERM with code 3, and says which other signals come. */
const careful =
  'sh -c \'trap "exit 3" TERM; trap "echo got USR1" USR1; trap "echo got HUP" HUP; echo ready; while :; do sleep 0.1; done\'';
const ready = 'eventually sh -c "/usr/bin/docker logs $N | grep -q ready"';

export const lifecycle = table("docker", "the life of a container", [
  [
    "create, start",
    `docker create --name $N --runtime $RT busybox echo started >/dev/null; ${state}; docker start $N; docker wait $N; docker logs $N`,
    "created 0",
  ],
  [
    "start -a",
    "docker create --name $N --runtime $RT busybox sh -c 'echo attached; exit 4' >/dev/null; docker start -a $N",
    "attached",
    { code: 4 },
  ],
  [
    "start -ai",
    "docker create -i --name $N --runtime $RT busybox cat >/dev/null; echo words | docker start -ai $N",
    "words",
  ],
  [
    "start again",
    "docker create --name $N --runtime $RT busybox sh -c 'echo x >> /f; wc -l < /f' >/dev/null; docker start -a $N; docker start -a $N",
    "1\n2",
  ],
  [
    "attach",
    `up -i --name $N busybox sh -c 'read a; echo "<$a>"; sleep 1'; echo word | docker attach $N >/dev/null; docker wait $N; docker logs $N`,
    "<word>",
  ],
  [
    "attach, detach with its keys",
    "up -it --name $N busybox sh -c 'sleep 100'; (sleep 1; printf '\\020\\021') | script -qec \"/usr/bin/docker attach $N\" /dev/null; status $N",
    "running",
  ],
  ["exec", "up --name $N busybox sleep 100; docker exec $N sh -c 'echo inside; exit 5'", "inside", { code: 5 }],
  ["exec -i", "up --name $N busybox sleep 100; echo sent | docker exec -i $N cat", "sent"],
  ["exec -it", "up --name $N busybox sleep 100; tty /usr/bin/docker exec -it $N tty", "/dev/pts/"],
  [
    "exec -it: a window's size",
    `up --name $N busybox sleep 100; tty "stty rows 31 cols 101; docker exec -it $N sh -c 'until stty size 2>/dev/null | grep 31; do :; done'"`,
    "31 101",
  ],
  [
    "exec -d",
    "up --name $N busybox sleep 100; docker exec -d $N touch /done; eventually docker exec $N test -e /done && echo done",
    "done",
  ],
  [
    "exec -u -w -e",
    "up --name $N busybox sleep 100; docker exec -u 5:6 -w /var -e A=b $N sh -c 'id -u; id -g; pwd; echo $A'",
    "5\n6\n/var\nb",
  ],
  [
    "exec --privileged",
    "up --name $N busybox sleep 100; docker exec --privileged $N grep CapEff /proc/self/status",
    /CapEff:\t00000[0-9a-f]{3}ffffffff/,
    { machine: "without CAP_SYS_RESOURCE there are no containers with all capabilities" },
  ],
  [
    "exec: no such command",
    "up --name $N busybox sleep 100; docker exec $N missing",
    "executable file not found",
    // Of Docker 20.10, and of 28.
    { code: [126, 127] },
  ],
  [
    "exec: a command that cannot be executed",
    "up --name $N busybox sleep 100; docker exec $N /etc/passwd",
    "permission denied",
    { code: 126 },
  ],
  [
    "exec in a stopped container",
    "up --name $N busybox true; docker wait $N; docker exec $N true",
    "is not running",
    { code: 1 },
  ],
  [
    "exec of many",
    "up --name $N busybox sleep 100; for i in 1 2 3 4 5 6; do docker exec $N echo $i & done | sort; wait",
    "6",
  ],
  ["stop", `up --name $N busybox ${careful}; ${ready}; docker stop $N; ${state}`, "exited 3"],
  ["stop -t", `up --name $N busybox sleep 100; docker stop -t 1 $N; ${state}`, "exited 137"],
  ["run --stop-timeout", `up --name $N --stop-timeout 1 busybox sleep 100; docker stop $N; ${state}`, "exited 137"],
  [
    "run --stop-signal",
    `up --name $N --stop-signal USR1 busybox sh -c 'trap "exit 9" USR1; echo ready; while :; do sleep 0.1; done'; ${ready}; docker stop $N; ${state}`,
    "exited 9",
  ],
  ["kill", `up --name $N busybox sleep 100; docker kill $N; docker wait $N; ${state}`, "exited 137"],
  [
    "kill -s",
    `up --name $N busybox ${careful}; ${ready}; docker kill -s USR1 $N; eventually sh -c "/usr/bin/docker logs $N | grep 'got USR1'"; docker kill -s 1 $N; eventually sh -c "/usr/bin/docker logs $N | grep 'got HUP'"; docker logs $N`,
    "got HUP",
  ],
  [
    "kill of a stopped container",
    "up --name $N busybox true; docker wait $N; docker kill $N",
    "is not running",
    { code: 1 },
  ],
  [
    "restart",
    `up --name $N busybox sh -c 'echo x >> /f; sleep 100'; eventually docker exec $N test -s /f; docker restart -t 0 $N; eventually docker exec $N sh -c 'test $(wc -l < /f) = 2' && ${state}`,
    "running 0",
  ],
  [
    "pause, unpause",
    `up --name $N busybox sleep 100; docker pause $N; ${state}; docker exec $N true; docker unpause $N; ${state}; docker exec $N echo runs`,
    "paused 0",
  ],
  [
    "pause: nothing goes on",
    "up --name $N busybox sh -c 'while :; do date +%s%N > /t; done'; eventually docker exec $N test -s /t; docker pause $N >/dev/null; docker cp $N:/t - | md5sum > /tmp/$N; docker cp $N:/t - | md5sum | cmp - /tmp/$N && echo same; rm /tmp/$N",
    "same",
  ],
  [
    "rm of a running container",
    "up --name $N busybox sleep 100; docker rm $N",
    // Of Docker 20.10, and of later ones.
    /cannot remove (a running container|container .*: container is running)/,
    { code: 1 },
  ],
  ["rm -f", "up --name $N busybox sleep 100; docker rm -f $N; docker ps -aq --filter name=$N | wc -l", "0"],
  [
    "rm -f of a paused container",
    "up --name $N busybox sleep 100; docker pause $N; docker rm -f $N; docker ps -aq --filter name=$N | wc -l",
    "0",
  ],
  ["rename", "up --name $N busybox sleep 100; docker rename $N $N-new; docker exec $N-new echo renamed", "renamed"],
  ["wait", "up --name $N busybox sh -c 'sleep 0.5; exit 6'; docker wait $N", "6"],
  [
    "update -m",
    "up --name $N -m 64m --memory-swap 64m busybox sleep 100; docker update -m 32m --memory-swap 32m $N; docker exec $N sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true'",
    "33554432",
  ],
  [
    "update --cpus --pids-limit",
    "up --name $N busybox sleep 100; docker update --cpus 0.5 --pids-limit 20 $N; docker exec $N sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true'",
    "20",
  ],
  [
    "update --restart",
    "up --name $N busybox sleep 100; docker update --restart always $N; docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' $N",
    "always",
  ],
  [
    "run --restart on-failure",
    "up --name $N --restart on-failure:2 busybox false; eventually is $N exited; docker inspect -f '{{.RestartCount}} {{.State.ExitCode}}' $N",
    "2 1",
  ],
  [
    "run --restart always",
    "up --name $N --restart always busybox sh -c 'echo x; sleep 0.3'; eventually sh -c \"test \\$(/usr/bin/docker logs $N | wc -l) -ge 2\" && echo again",
    "again",
  ],
  [
    "run --health-cmd",
    "up --name $N --health-cmd 'test -e /ok' --health-interval 0.3s --health-retries 2 busybox sleep 100; health() { test \"$(docker inspect -f '{{.State.Health.Status}}' $N)\" = $1; }; eventually health unhealthy && docker exec $N touch /ok; eventually health healthy && echo healthy",
    "healthy",
  ],
  [
    "run --health-cmd: what it said",
    "up --name $N --health-cmd 'echo checked; exit 3' --health-interval 0.3s --health-retries 1 busybox sleep 100; health() { test \"$(docker inspect -f '{{.State.Health.Status}}' $N)\" = unhealthy; }; eventually health; docker inspect -f '{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}{{end}}' $N | head -1",
    "3 checked",
  ],
  [
    "run --health-timeout",
    "up --name $N --health-cmd 'sleep 60' --health-timeout 0.5s --health-interval 0.3s --health-retries 1 busybox sleep 100; health() { test \"$(docker inspect -f '{{.State.Health.Status}}' $N)\" = unhealthy; }; eventually health && echo unhealthy",
    "unhealthy",
  ],
  [
    "HEALTHCHECK of an image, --no-healthcheck",
    "printf 'FROM busybox\\nHEALTHCHECK --interval=300ms CMD echo built in\\n' | DOCKER_BUILDKIT=0 docker build -q -t $N - >/dev/null; up --name $N $N sleep 100; health() { test \"$(docker inspect -f '{{.State.Health.Status}}' $N)\" = healthy; }; eventually health && echo healthy; up --name $N-none --no-healthcheck $N sleep 100; docker inspect -f '{{.State.Health}}' $N-none",
    "healthy\n<nil>",
  ],
  [
    "run --rm -d, stop",
    'docker run --rm -d --runtime $RT --name $N busybox sleep 100; docker stop -t 0 $N; gone() { test -z "$(docker ps -aq --filter name=$N)"; }; eventually gone && echo gone',
    "gone",
  ],
  [
    "a signal to docker run",
    "/usr/bin/docker run --rm --name $N --runtime $RT busybox " +
      careful +
      ' & pid=$!; eventually is $N running; eventually sh -c "/usr/bin/docker logs $N | grep -q ready"; kill $pid; wait $pid; echo $?',
    "3",
  ],
]);
