import { table } from "../support/row";

export const observe = table("docker", "what is known of a container", [
  [
    "ps",
    "up --name $N busybox sleep 100; docker ps --filter name=$N --format '{{.Names}} {{.Image}} {{.State}}'",
    "running",
  ],
  [
    "logs",
    "up --name $N busybox sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; done'; docker wait $N; docker logs $N 2>/dev/null; docker logs $N 2>&1 >/dev/null",
    "err 3",
  ],
  ["logs --tail, --since", "up --name $N busybox seq 10; docker wait $N; docker logs --tail 2 --since 10m $N", "9\n10"],
  ["logs -f", "up --name $N busybox sh -c 'echo a; sleep 1; echo b'; docker logs -f $N", "a\nb"],
  [
    "logs: much of it",
    "up --name $N busybox seq 100000; docker wait $N; docker logs $N | md5sum",
    "dea9193b768319cbb4ff1a137ac03113",
  ],
  [
    "run --log-driver local, logs -t",
    "up --name $N --log-driver local busybox echo x; docker wait $N; docker logs -t $N | sed 's/^20.*Z/a time/'",
    "a time x",
  ],
  [
    "run --log-driver none",
    "up --name $N --log-driver none busybox echo x; docker wait $N; docker logs $N",
    "does not support reading",
    { code: 1 },
  ],
  [
    "top",
    "up --name $N busybox sleep 2000; docker exec -d $N sleep 1000; docker top $N -o pid,args | sed 's/ *[0-9]* *//' | sort",
    "sleep 1000\nsleep 2000",
  ],
  [
    "top: children of the container's processes",
    "up --name $N busybox sh -c 'sleep 1000 & sleep 2000'; docker top $N -o pid,args | sed 's/ *[0-9]* *//' | sort",
    "sleep 2000",
    {
      differs:
        "children are the guest's alone: Docker asks the host's ps(1), which sees a process for each that Docker has started; docker exec ps shows them",
    },
  ],
  [
    "stats",
    "up --name $N busybox sh -c 'while :; do :; done'; eventually sh -c \"/usr/bin/docker stats --no-stream --format '{{.CPUPerc}}' $N | grep -E '^[1-9]'\" && docker stats --no-stream --format '{{.MemUsage}} {{.NetIO}} {{.PIDs}}' $N | grep -cE '^[0-9.]+[KM]iB / .*B / .*B [1-9]'",
    "1",
  ],
  [
    "stats -m",
    "up --name $N -m 100m busybox sleep 100; docker stats --no-stream --format '{{.MemUsage}}' $N | sed 's/.* //'",
    "100MiB",
    {
      differs:
        "Docker reads the limit of the cgroup on the host, which has room for the guest's kernel and the hypervisor too",
    },
  ],
  [
    "events",
    "docker run --rm --runtime $RT --name $N busybox true; sleep 1; docker events --since 1m --until $(date +%s) --filter container=$N --format '{{.Action}}'",
    "start\n",
  ],
  [
    "events: oom",
    "up --name $N -m 32m --memory-swap 32m busybox sh -c 'tail /dev/zero; sleep 2'; docker wait $N; sleep 1; docker events --since 1m --until $(date +%s) --filter container=$N --format '{{.Action}}'",
    "oom",
  ],
  [
    "events: exec",
    "up --name $N busybox sleep 100; docker exec $N true; sleep 1; docker events --since 1m --until $(date +%s) --filter container=$N --filter event=exec_die --format '{{.Actor.Attributes.exitCode}}'",
    "0",
  ],
  [
    "events: what is done to it",
    // Docker tells that it has stopped and that it has ended in either order.
    "up --name $N busybox sleep 100; id=$(docker inspect -f '{{.Id}}' $N); docker pause $N; docker unpause $N; docker rename $N $N-new; docker kill -s WINCH $N-new; docker stop -t 0 $N-new; sleep 1; docker events --since 1m --until $(date +%s) --filter container=$id --format '{{.Action}}' | sed -z 's/stop\\ndie/die\\nstop/'",
    "pause\nunpause\nrename\nkill\nkill\n",
  ],
  [
    "events: health_status",
    "up --name $N --health-cmd true --health-interval 0.3s busybox sleep 100; told() { docker events --since 1m --until $(date +%s) --filter container=$N --format '{{.Action}}' | grep health_status; }; said told | sort -u",
    "health_status: healthy",
  ],
  [
    "inspect: the error of a command that is missing",
    "docker run --name $N --runtime $RT busybox missing; docker inspect -f '{{.State.ExitCode}} {{.State.Error}}' $N",
    "127 failed to create",
  ],
  [
    "inspect: pid",
    "up --name $N busybox sleep 100; test -d /proc/$(docker inspect -f '{{.State.Pid}}' $N) && echo lives",
    "lives",
  ],
  [
    "inspect: times",
    "up --name $N busybox true; docker wait $N; docker inspect -f '{{.State.FinishedAt}}' $N | sed 's/^20.*Z$/a year/'",
    "a year",
  ],
  ["info", "docker info -f '{{range $k, $v := .Runtimes}}{{$k}} {{end}}'", "RUNTIME"],
  [
    "checkpoint create, ls: files are directories of the host's",
    "up --name $N busybox sleep 100; said=$(docker checkpoint create $N one 2>&1 | grep -oEi 'cannot checkpoint: root.path|criu' | head -n 1); docker checkpoint ls $N | wc -l; docker exec $N echo goes on; echo $said",
    /^1\ngoes on\ncriu$/i,
    {
      differs:
        "runc wants CRIU, which is not there; runv has no use for it, and saves what has its files on a disk of its machine",
    },
  ],
  ["port", "up --name $N -p 80 busybox sleep 100; docker port $N | sed 's/:[0-9]*$/:PORT/'", "80/tcp"],
]);
