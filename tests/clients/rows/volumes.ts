import { table } from "../support/row";

/** A directory of the host with a file in it. */
const directory = "mkdir -p /tmp/$N/inner; echo from the host > /tmp/$N/file;";
const gone = "; code=$?; rm -rf /tmp/$N; exit $code";

export const volumes = table("docker", "files and volumes", [
  [
    "run -v",
    `${directory} run -v /tmp/$N:/v busybox sh -c 'cat /v/file; echo back > /v/back'; cat /tmp/$N/back${gone}`,
    "from the host\nback",
  ],
  [
    "run -v :ro",
    `${directory} run -v /tmp/$N:/v:ro busybox sh -c 'cat /v/file; echo > /v/x'${gone}`,
    "Read-only file system",
    { code: 1 },
  ],
  ["run -v of a file", `${directory} run -v /tmp/$N/file:/etc/motd busybox cat /etc/motd${gone}`, "from the host"],
  [
    "run -v: a change of the host is seen",
    `${directory} up --name $N -v /tmp/$N:/v busybox sleep 100; echo changed > /tmp/$N/file; docker exec $N cat /v/file${gone}`,
    "changed",
  ],
  [
    "run --mount bind-propagation=rslave",
    `${directory} up --name $N --mount type=bind,src=/tmp/$N,dst=/v,bind-propagation=rslave busybox sleep 100; mount -t tmpfs none /tmp/$N/inner; echo later > /tmp/$N/inner/f; sees() { docker exec $N cat /v/inner/f; }; said sees; docker rm -f $N >/dev/null; umount /tmp/$N/inner${gone}`,
    "later",
  ],
  [
    "run -v NAME",
    "run -v $N:/v busybox sh -c 'echo kept > /v/f'; run -v $N:/v busybox cat /v/f; docker volume ls -q --filter name=$N",
    "kept",
  ],
  ["run -v /anonymous", "run -v /v busybox sh -c 'grep -c \" /v \" /proc/mounts'", "1"],
  [
    "run --mount type=bind",
    `${directory} run --mount type=bind,src=/tmp/$N,dst=/v,readonly busybox cat /v/file${gone}`,
    "from the host",
  ],
  [
    "run --mount type=volume",
    "run --mount type=volume,src=$N,dst=/v busybox sh -c 'echo in; ls -ld /v | cut -c1-10'",
    "drwx",
  ],
  [
    "run --mount type=tmpfs",
    "run --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 busybox sh -c 'df -k /t | awk \"{ print \\$2 }\"; stat -c %a /t'",
    "1024",
  ],
  [
    "run --tmpfs",
    "run --tmpfs /t:size=2m,noexec busybox sh -c 'grep -o \"/t tmpfs.*noexec\" /proc/mounts | wc -l'",
    "1",
  ],
  [
    "run --read-only",
    "run --read-only --tmpfs /tmp busybox sh -c 'echo 1 > /tmp/a && echo tmp; echo 1 > /a'",
    "Read-only",
    { code: 1 },
  ],
  [
    "run --volumes-from",
    "up --name $N -v /v busybox sh -c 'echo shared > /v/f; sleep 100'; eventually run --volumes-from $N busybox test -e /v/f; run --volumes-from $N busybox cat /v/f",
    "shared",
  ],
  [
    "run: the owner of files",
    `${directory} run -v /tmp/$N:/v --user 1000:1000 busybox id -u; chown 1000 /tmp/$N; run -v /tmp/$N:/v --user 1000:1000 busybox touch /v/mine; stat -c %u:%g /tmp/$N/mine${gone}`,
    "1000:1000",
  ],
  [
    "run: links, modes, times",
    "run busybox sh -c 'cd /tmp; ln -s a b; ln b c; mkfifo p; chmod 4755 p; touch -t 200102030405 t; readlink b; stat -c %a p; stat -c %Y t'",
    "4755",
  ],
  ["run: a volume gets the image's files", "run -v $N:/etc busybox sh -c 'ls /etc | sort'", "passwd"],
  [
    "cp into a running container",
    "up --name $N busybox sleep 100; echo copied > /tmp/$N; docker cp /tmp/$N $N:/in; docker exec $N cat /in; rm /tmp/$N",
    "copied",
  ],
  [
    "cp out of a running container",
    "up --name $N busybox sh -c 'echo inside > /out; sleep 100'; eventually docker exec $N test -e /out; docker cp $N:/out /tmp/$N; cat /tmp/$N; rm /tmp/$N",
    "inside",
  ],
  [
    "cp of a directory, both ways",
    `${directory} ln -s file /tmp/$N/link; chmod 4711 /tmp/$N/file; up --name $N busybox sleep 100; docker cp -a /tmp/$N $N:/in; docker exec $N sh -c 'cd /in; readlink link; stat -c %a file; ls inner | wc -l; echo > inner/new'; docker cp $N:/in - | tar -t | sort${gone}`,
    "file\n4711\n0\nin/",
  ],
  ["cp - (tar)", "up --name $N busybox sleep 100; docker cp $N:/etc - | tar -t | sort | head -3", "etc/"],
  [
    "cp out of a stopped container",
    "up --name $N busybox sh -c 'echo late > /f'; docker wait $N; docker cp $N:/f - | tar -xO",
    "late",
  ],
  [
    "cp into a volume",
    "up --name $N -v $N:/v busybox sleep 100; echo x > /tmp/$N; docker cp /tmp/$N $N:/v/f; docker exec $N cat /v/f; rm /tmp/$N",
    "x",
  ],
  [
    "diff",
    "up --name $N busybox sh -c 'echo > /new; rm /etc/group; echo >> /etc/passwd'; docker wait $N; docker diff $N | sort",
    "A /new",
  ],
  [
    "commit",
    "up --name $N busybox sh -c 'echo committed > /c; sleep 100'; eventually docker exec $N test -e /c; docker commit $N $N; run $N cat /c",
    "committed",
  ],
  [
    "export",
    "up --name $N busybox sh -c 'echo > /exported; sleep 100'; eventually docker exec $N test -e /exported; docker export $N | tar -t | grep ^exported",
    "exported",
  ],
  [
    "build",
    "printf 'FROM busybox\\nCOPY f /f\\nENV A=b\\nCMD cat /f\\n' > /tmp/$N.d; mkdir /tmp/$N; echo built > /tmp/$N/f; DOCKER_BUILDKIT=0 docker build -q -t $N -f /tmp/$N.d /tmp/$N; run $N; rm -r /tmp/$N /tmp/$N.d",
    "built",
  ],
]);
