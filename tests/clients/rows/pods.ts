import { type Row, table } from "../support/row";

/** podman with this row's runtime, and a pod of it: see the functions' names. */
const begin = `
p() { podman --runtime $RT "$@"; }
pod() { p pod create --name $N "$@" >/dev/null; }
member() { name=$1; shift; p run -d --pod $N --name $N-$name "$@" >/dev/null; }
state() { p inspect -f '{{.State.Status}}' $N-$1; }
states() { podman pod inspect $N | sed -n 's/^ *"State": "\\([a-z]*\\)",*/\\1/p' | sort | uniq -c | sed 's/^ *//'; }
become() { wanted=$1; are() { [ "$(states)" = "$wanted" ]; }; eventually are; states; }
`;
const end =
  "; code=$?; podman pod rm -f -t 0 $N >/dev/null 2>&1; podman ps -aq --filter name=$N | xargs -r podman rm -f -t 0 >/dev/null 2>&1; exit $code";

const rows: readonly (readonly [string, string, (string | RegExp)?, Partial<Row>?])[] = [
  [
    "pod create: nothing runs before its first member",
    "pod; podman pod ps --filter name=$N --format '{{.Status}} {{.NumberOfContainers}}'; member one busybox sleep 1000; podman pod ps --filter name=$N --format '{{.Status}} {{.NumberOfContainers}}'",
    "Created 1\nRunning 2",
  ],
  [
    "pod start: the infra container by itself",
    "pod; p pod start $N >/dev/null; podman ps --filter pod=$N --format '{{.Image}} {{.Status}}' | sed 's/:.* Up.*/ up/'",
    "localhost/podman-pause up",
  ],
  ["run --pod new:NAME", "p run --rm --pod new:$N busybox hostname", "NAME"],
  [
    "exec, exec -it in a member",
    "pod; member one busybox sleep 1000; p exec $N-one sh -c 'echo in; exit 5'; echo $?; tty podman --runtime $RT exec -it $N-one tty",
    "in\n5\n/dev/pts/",
  ],
  [
    "logs, pod logs",
    "pod; member one busybox echo first; member two busybox sh -c 'echo second >&2'; p wait $N-one $N-two; p logs $N-one; p logs $N-two; podman pod logs --names $N 2>&1 | sort",
    "NAME-one first\nNAME-two second",
  ],
  [
    "members' exit codes; a pod of which one has ended is degraded",
    "pod; member one busybox sh -c 'exit 3'; member two busybox sleep 1000; p wait $N-one; degraded() { podman pod ps --filter name=$N --format '{{.Status}}' | grep Degraded; }; eventually degraded; degraded; p run --pod $N --rm busybox sh -c 'exit 4'; echo $?",
    "3\nDegraded\n4",
  ],
  [
    "run in the foreground returns, whoever has joined it",
    "p run --name $N busybox sh -c 'until [ -e /over ]; do sleep 0.1; done; exit 6' & first=$!; running() { [ \"$(p inspect -f '{{.State.Status}}' $N)\" = running ]; }; eventually running; p run -d --name $N-other --ipc container:$N busybox sleep 1000 >/dev/null; p exec $N touch /over; wait $first; echo $?; state other",
    "6\nrunning",
  ],
  [
    "pod top",
    "pod; member one busybox sleep 12345; podman pod top $N args | grep -v catatonit | sed 's/^COMMAND.*/COMMAND/'",
    "sleep 12345",
    {
      differs:
        "podman looks for the processes in the pid namespaces on the host: they are in the guest; podman exec ps shows them",
    },
  ],
  [
    "pod pause, unpause",
    "pod; member one busybox sh -c 'while :; do date +%s%N > /now; sleep 0.1; done'; eventually p exec $N-one test -s /now; p pod pause $N >/dev/null; become '2 paused'; p exec $N-one true 2>/dev/null || echo refused; p pod unpause $N >/dev/null; become '2 running'; p exec $N-one echo goes on",
    "2 paused\nrefused\n2 running\ngoes on",
  ],
  [
    "pod stop: members may end by themselves",
    "pod; member one busybox sh -c 'trap \"exit 3\" TERM; touch /ready; while :; do sleep 0.1; done'; eventually p exec $N-one test -e /ready; p pod stop $N >/dev/null; become '2 exited'; p inspect -f '{{.State.ExitCode}}' $N-one",
    "2 exited\n3",
  ],
  [
    "pod stop, start",
    "pod -p 127.0.0.1::80; member one busybox nc -ll -p 80 -e hostname; p pod stop -t 0 $N >/dev/null; p pod start $N >/dev/null; become '2 running'; said p exec $N-one nc -w 2 127.0.0.1 80",
    "2 running\nNAME",
  ],
  [
    "pod restart",
    "pod; member one busybox sh -c 'trap exit TERM; echo x >> /times; while :; do sleep 0.1; done'; eventually p exec $N-one test -s /times; p pod restart $N >/dev/null; become '2 running'; twice() { [ $(p exec $N-one cat /times | wc -l) = 2 ]; }; eventually twice; p exec $N-one cat /times",
    "2 running\nx\nx",
  ],
  [
    "pod kill",
    "pod; member one busybox sleep 1000; member two busybox sh -c 'trap \"exit 9\" USR1; touch /ready; while :; do sleep 0.1; done'; eventually p exec $N-two test -e /ready; p pod kill -s KILL $N >/dev/null; p wait $N-one $N-two; become '3 exited'",
    "137\n137\n3 exited",
  ],
  [
    "pod rm of a running pod, pod rm -f",
    "pod; member one busybox sleep 1000; podman pod rm $N >/dev/null 2>&1; echo $?; podman pod rm -f -t 0 $N >/dev/null; podman ps -aq --filter name=$N | wc -l; podman pod ps -q --filter name=$N | wc -l",
    /^[1-9]\d*\n0\n0/,
  ],
  [
    "a member is removed, the others go on",
    "pod; member one busybox sleep 1000; member two busybox sleep 1000; p rm -f -t 0 $N-one >/dev/null; p exec $N-two echo lives; become '2 running'",
    "lives\n2 running",
  ],
  [
    "stop, start of one member",
    "pod; member one busybox sleep 1000; member two busybox sleep 1000; p stop -t 0 $N-one >/dev/null; p exec $N-two echo lives; p start $N-one >/dev/null; p exec $N-one echo again; become '3 running'",
    "lives\nagain\n3 running",
  ],
  [
    "pod create --share: what is shared",
    "pod --share uts --hostname box; member one busybox sleep 1000; p exec $N-one sh -c 'hostname; cat /proc/net/dev | grep -c eth0'; member two --network none busybox sleep 1000; p exec $N-two sh -c 'hostname; ls /sys/class/net'",
    "box\n1\nbox\nlo",
  ],
  [
    "pod create -p",
    "pod -p 127.0.0.1::80; member one busybox nc -ll -p 80 -e hostname; port=$(podman port $(podman pod inspect -f '{{.InfraContainerID}}' $N) 80 | cut -d: -f2); said nc -w 3 127.0.0.1 $port",
    "NAME",
  ],
  [
    "pod create --network none, --hostname, --add-host, --dns",
    "pod --network none --hostname box 2>&1; member one busybox sleep 1000; p exec $N-one sh -c 'hostname; ls /sys/class/net'; podman pod rm -f -t 0 $N >/dev/null; pod --add-host db:10.1.2.3 --dns 10.9.9.9; member one busybox sleep 1000; p exec $N-one sh -c 'grep -w db /etc/hosts; grep nameserver /etc/resolv.conf'",
    "box\nlo\n10.1.2.3\tdb\nnameserver 10.9.9.9",
  ],
  [
    "run --network container: of a pod's member, which podman refuses",
    "pod; member one busybox nc -ll -p 80 -e hostname; eventually p exec $N-one nc -w 2 127.0.0.1 80; p run --rm --network container:$N-one busybox true",
    // Of podman 4, and of 5.
    /containers not in pods cannot depend on containers in pods|is part of a pod, but container is not/,
    { code: 125 },
  ],
  [
    "/dev/shm is the pod's, and memory",
    "pod; member one busybox sleep 1000; member two busybox sleep 1000; p exec $N-one sh -c 'echo shared > /dev/shm/f; exec 3<>/dev/shm/gone; rm /dev/shm/gone; echo kept >&3; truncate -s 100 /proc/self/fd/3; stat -L -c %s /proc/self/fd/3'; p exec $N-two sh -c 'cat /dev/shm/f; df /dev/shm | tail -1 | tr -s \" \" | cut -d\" \" -f1,2,6'",
    "100\nshared\nshm 64000 /dev/shm",
  ],
  [
    "run --ipc shareable, container:",
    "p run -d --name $N --ipc shareable busybox sleep 1000 >/dev/null; p exec $N sh -c 'echo shared > /dev/shm/f'; p run --rm --ipc container:$N busybox cat /dev/shm/f; p run --rm --shm-size 1m busybox sh -c 'df /dev/shm | tail -1 | tr -s \" \" | cut -d\" \" -f2'",
    "shared\n1024",
  ],
  [
    "pod create --uidmap: members share its user namespace",
    "pod --uidmap 0:100000:65536; member one busybox sleep 1000; p run --rm --pod $N busybox sh -c 'cat /proc/self/uid_map | tr -s \" \"; id -u; ip link show lo | grep -c UP; touch /dev/shm/a && stat -c %u /dev/shm/a'; p exec $N-one stat -c %u /dev/shm/a /proc/1",
    "0 100000 65536\n0\n1\n0\n0\n0",
  ],
  [
    "pod create -v: a volume of all members",
    "mkdir /tmp/$N; pod -v /tmp/$N:/v; member one busybox sh -c 'echo from one > /v/f; sleep 1000'; member two busybox sleep 1000; eventually p exec $N-two test -s /v/f; p exec $N-two cat /v/f; podman pod rm -f -t 0 $N >/dev/null; rm -r /tmp/$N",
    "from one",
  ],
  [
    "create --init-ctr",
    "pod; p create --pod $N --init-ctr once --name $N-before busybox echo prepared >/dev/null; p create --pod $N --name $N-one busybox sleep 1000 >/dev/null; p pod start $N >/dev/null 2>&1; p exec $N-one echo runs; become '2 running'",
    "runs\n2 running",
  ],
  [
    "a member that is killed for want of memory, the others go on",
    "pod; member one busybox sleep 1000; member two -m 32m --memory-swap 32m busybox tail /dev/zero; p wait $N-two; p inspect -f '{{.State.OOMKilled}}' $N-two; p exec $N-one echo lives",
    /^137\n(true|false)\nlives/,
  ],
  [
    "run --restart on-failure in a pod",
    "pod; member one --restart on-failure:2 busybox sh -c 'echo x >> /times; exit 4'; thrice() { [ \"$(p inspect -f '{{.RestartCount}} {{.State.Status}}' $N-one)\" = '2 exited' ]; }; eventually thrice; p inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' $N-one",
    "2 exited 4",
  ],
  [
    "run --user, --read-only, --cap-drop, --tmpfs in a pod",
    "pod; p run --rm --pod $N --user 1000 --read-only --cap-drop all --tmpfs /t busybox sh -c 'id -u; touch /x; touch /t/x && grep CapEff /proc/self/status'",
    "1000\nCapEff:\t0000000000000000",
  ],
  [
    "generate kube, play kube, play kube --down",
    `pod; member one busybox sleep 1000; podman generate kube $N > /tmp/$N.yaml 2>/dev/null; podman pod rm -f -t 0 $N >/dev/null; p play kube /tmp/$N.yaml >/dev/null 2>&1; p exec $N-$N-one echo played || p exec $N-one echo played; p play kube --down /tmp/$N.yaml >/dev/null 2>&1; podman pod ps -q --filter name=$N | wc -l; rm /tmp/$N.yaml`,
    "played\n0",
  ],
  [
    "play kube: two containers, volumes, environment, limits",
    `printf '%s\\n' 'apiVersion: v1' 'kind: Pod' "metadata: {name: $N}" 'spec:' '  hostname: box'  '  volumes:' "  - {name: host, hostPath: {path: /tmp/$N, type: DirectoryOrCreate}}" '  containers:' '  - {name: one, image: busybox, imagePullPolicy: Never, command: [sh, -c, "echo $WORD > /host/g; sleep 1000"], env: [{name: WORD, value: told}], volumeMounts: [{name: host, mountPath: /host}], resources: {limits: {memory: 64Mi}}}' '  - {name: two, image: busybox, imagePullPolicy: Never, command: [sleep, "1000"], securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true}, volumeMounts: [{name: host, mountPath: /host}]}' > /tmp/$N.yaml
p play kube /tmp/$N.yaml >/dev/null 2>&1; eventually p exec $N-two test -s /host/g; p exec $N-two sh -c 'cat /host/g; id -u; hostname; touch /x'; podman pod rm -f -t 0 $N >/dev/null 2>&1; rm -r /tmp/$N /tmp/$N.yaml`,
    "told\n1000\nbox",
  ],
  [
    "network connect, disconnect",
    "podman network create $N-other >/dev/null; podman network create $N-net >/dev/null; p run -d --name $N-one --network $N-net busybox sleep 1000 >/dev/null; podman network connect $N-other $N-one; eventually p exec $N-one test -e /sys/class/net/eth1; p exec $N-one ls /sys/class/net; podman network disconnect $N-other $N-one; gone() { ! p exec $N-one test -e /sys/class/net/eth1; }; eventually gone; p exec $N-one ls /sys/class/net; p rm -f -t 0 $N-one >/dev/null 2>&1; podman network rm $N-other $N-net >/dev/null",
    "eth0\neth1\nlo\neth0\nlo",
  ],
];

/** Pods as podman makes them: a container that holds their namespaces, and members that join it. */
export const pods = table(
  "podman",
  "pods",
  rows.map(([name, script, ...more]) => [name, `${begin}${script}${end}`, ...more] as const),
);
