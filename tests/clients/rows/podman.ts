import { table } from "../support/row";
import { started, units } from "./systems";

/** podman with this row's runtime. */
const p = 'p() { podman --runtime $RT "$@"; };';
const gone = "; code=$?; p rm -f -t 0 $N >/dev/null 2>&1; exit $code";

export const podman = table("podman", "containers and pods", [
  ["run --rm", `${p} p run --rm busybox echo hi`, "hi"],
  [
    "run: exit codes",
    `${p} p run --rm busybox sh -c 'exit 7'; echo $?; p run --rm busybox missing 2>&1 | grep -c "not found"; p run --rm busybox missing >/dev/null 2>&1; echo $?`,
    "7\n1\n127",
  ],
  ["run -i", `${p} echo words | p run --rm -i busybox cat`, "words"],
  ["run -it", `${p} tty podman --runtime $RT run --rm -it busybox tty`, "/dev/pts/0"],
  ["run -d, logs", `${p} p run -d --name $N busybox echo logged >/dev/null; p wait $N; p logs $N${gone}`, "logged"],
  [
    "exec",
    `${p} p run -d --name $N busybox sleep 100 >/dev/null; p exec $N sh -c 'echo in; exit 5'; echo $?${gone}`,
    "in\n5",
  ],
  [
    "exec -it",
    `${p} p run -d --name $N busybox sleep 100 >/dev/null; tty podman --runtime $RT exec -it $N tty${gone}`,
    "/dev/pts/",
  ],
  [
    "run -p",
    `${p} p run -d --name $N -p 127.0.0.1::80 --hostname box busybox nc -ll -p 80 -e hostname >/dev/null; port=$(p port $N 80 | cut -d: -f2); eventually nc -w 3 127.0.0.1 $port; nc -w 3 127.0.0.1 $port${gone}`,
    "box",
  ],
  ["run --network none", `${p} p run --rm --network none busybox ls /sys/class/net`, "lo"],
  [
    "run -v --user",
    `${p} mkdir /tmp/$N; echo file > /tmp/$N/f; p run --rm -v /tmp/$N:/v:ro --user 1000 busybox sh -c 'cat /v/f; id -u'; rm -r /tmp/$N`,
    "file\n1000",
  ],
  ["run -m --pids-limit", `${p} p run --rm -m 64m --pids-limit 50 busybox echo limited`, "limited"],
  [
    "stats",
    `${p} p run -d --name $N busybox sh -c 'while :; do :; done' >/dev/null; p stats --no-stream --format '{{.Name}} {{.PIDS}}' $N | sed 's/[1-9][0-9]*$/some/'${gone}`,
    "some",
  ],
  [
    "top",
    `${p} p run -d --name $N busybox sleep 12345 >/dev/null; p top $N args${gone}`,
    "sleep 12345",
    {
      differs:
        "podman looks for the processes in the pid namespace on the host: they are in the guest; podman exec ps shows them",
    },
  ],
  [
    "cp",
    `${p} p run -d --name $N busybox sleep 100 >/dev/null; echo copied > /tmp/$N; p cp /tmp/$N $N:/f; p exec $N cat /f; p cp $N:/f /tmp/$N.out; cat /tmp/$N.out; rm /tmp/$N*${gone}`,
    "copied\ncopied",
  ],
  [
    "pause, unpause",
    `${p} p run -d --name $N busybox sleep 100 >/dev/null; p pause $N >/dev/null; p inspect -f '{{.State.Status}}' $N; p unpause $N >/dev/null; p exec $N echo runs${gone}`,
    "paused\nruns",
  ],
  [
    "stop, start",
    `${p} p run -d --name $N busybox sleep 100 >/dev/null; p stop -t 0 $N >/dev/null; p start $N >/dev/null; p exec $N echo again${gone}`,
    "again",
  ],
  ["kill", `${p} p run -d --name $N busybox sleep 100 >/dev/null; p kill $N >/dev/null; p wait $N${gone}`, "137"],
  [
    "diff, commit",
    `${p} p run -d --name $N busybox sh -c 'echo > /new; sleep 100' >/dev/null; eventually p exec $N test -e /new; p diff $N | grep new${gone}`,
    "A /new",
  ],
  [
    "pod: members reach one another",
    `${p} p pod create --name $N >/dev/null; p run -d --pod $N --name $N-a busybox nc -ll -p 80 -e hostname >/dev/null; eventually p run --rm --pod $N busybox nc -w 2 127.0.0.1 80; p run --rm --pod $N busybox nc -w 2 127.0.0.1 80; p pod rm -f -t 0 $N >/dev/null`,
    "NAME",
  ],
  [
    "pod: ps, stop",
    `${p} p pod create --name $N >/dev/null; p run -d --pod $N busybox sleep 100 >/dev/null; p pod ps --filter name=$N --format '{{.Status}} {{.NumberOfContainers}}'; p pod stop -t 0 $N >/dev/null; p pod ps --filter name=$N --format '{{.Status}}'; p pod rm -f -t 0 $N >/dev/null`,
    "Running 2",
  ],
  [
    "network create: names",
    `${p} p network create $N >/dev/null 2>&1; p run -d --name $N-server --hostname box --network $N busybox nc -ll -p 80 -e hostname >/dev/null 2>&1; p run --rm --network $N busybox sh -c 'until nc -w 2 '$N'-server 80 | grep box; do sleep 0.2; done' 2>/dev/null; p rm -f -t 0 $N-server >/dev/null 2>&1; p network rm $N >/dev/null 2>&1`,
    "box",
  ],
  [
    "run --health-cmd, healthcheck run",
    `${p} p run -d --name $N --health-cmd 'echo checked' --health-interval disable busybox sleep 100 >/dev/null; p healthcheck run $N; echo $?; p inspect -f '{{.State.Health.Status}}' $N${gone}`,
    "0\nhealthy",
  ],
  [
    "run --secret",
    `${p} printf hidden | p secret create $N - >/dev/null; p run --rm --secret $N busybox sh -c 'cat /run/secrets/*'; p secret rm $N >/dev/null`,
    "hidden",
  ],
  [
    "run -m: more than it may use",
    `${p} p run -d --name $N -m 32m --memory-swap 32m busybox tail /dev/zero >/dev/null; p wait $N; p inspect -f '{{.State.OOMKilled}}' $N${gone}`,
    "137",
  ],
  [
    "pod stats",
    `${p} p pod create --name $N >/dev/null; p run -d --pod $N --name $N-a busybox sleep 100 >/dev/null; p pod stats --no-stream --format '{{.Name}}' $N | grep -e -a$; p pod rm -f -t 0 $N >/dev/null`,
    "NAME-a",
  ],
  [
    "pod create --share pid",
    `${p} p pod create --name $N --share net,ipc,uts,pid >/dev/null; p run -d --pod $N busybox sleep 12345 >/dev/null; p run --rm --pod $N busybox ps -o args | grep -c 'sleep 12345'; p pod rm -f -t 0 $N >/dev/null`,
    /[12]/,
  ],
  [
    "run --pid container:, --ipc container:",
    `${p} p run -d --name $N busybox sleep 12345 >/dev/null; p run --rm --pid container:$N --network none busybox sh -c 'ps -o args | grep -c ^sleep; ls /sys/class/net'; p run --rm --ipc container:$N busybox ls /sys/class/net${gone}`,
    "1\nlo\neth0\nlo",
  ],
  [
    "run --uidmap, --userns container:",
    `${p} p run -d --name $N --uidmap 0:100000:65536 busybox sleep 1000 >/dev/null; p run --rm --userns container:$N busybox sh -c 'cat /proc/self/uid_map | tr -s " "; id -u; touch /tmp/a && stat -c %u /tmp/a; echo $$'; p exec $N sh -c 'readlink /proc/self/ns/user | grep -c user'${gone}`,
    "0 100000 65536\n0\n0\n1\n1",
  ],
  [
    "run -v :O",
    `${p} mkdir -p /tmp/$N; echo below > /tmp/$N/f; echo > /tmp/$N/g; p run --rm -v /tmp/$N:/v:O busybox sh -c 'echo above > /v/f; mkdir /v/d; mv /v/g /v/d; cat /v/f; cd /v; find . | sort'; cat /tmp/$N/f; ls /tmp/$N; rm -r /tmp/$N`,
    "above\n.\n./d\n./d/g\n./f\nbelow\nf\ng",
  ],
  [
    "run --mount type=image",
    `${p} p run --rm --mount type=image,src=localhost/busybox,dst=/i busybox sh -c 'cat /i/etc/group; echo > /i/f'; p run --rm --mount type=image,src=localhost/busybox,dst=/i,rw=true busybox sh -c 'echo written > /i/f; cat /i/f'`,
    "daemon:x:1:\nwritten\nsh: can't create /i/f: Read-only file system",
  ],
  [
    "run --systemd always, exec, healthcheck run, stop",
    `${p} ${units}; p run -d --name $N --systemd always --stop-signal RTMIN+13 --health-cmd 'systemctl is-active told' --health-interval disable $flags host /lib/systemd/systemd >/dev/null
    p exec $N ${started}; p exec $N sh -c 'cat /proc/1/comm; systemctl is-active told'; p healthcheck run $N; echo $?; p stop -t 60 $N >/dev/null; p wait $N; rm -r /tmp/$N${gone}`,
    "systemd\nactive\n0\n0",
    { slow: true },
  ],
  [
    "play kube",
    `${p} printf 'apiVersion: v1\\nkind: Pod\\nmetadata: {name: %s}\\nspec:\\n  containers:\\n  - {name: one, image: busybox, imagePullPolicy: Never, command: [sh, -c, "echo played; sleep 100"]}\\n' $N > /tmp/$N; p play kube /tmp/$N >/dev/null 2>&1; eventually sh -c "podman logs $N-one | grep played"; p logs $N-one; p pod rm -f -t 0 $N >/dev/null 2>&1; rm /tmp/$N`,
    "played",
  ],
]);
