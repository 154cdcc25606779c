import { type Table, table } from "../support/row";

const quiet = ">/dev/null";
/** Waits for so many running tasks of a service. */
const tasks =
  "tasks() { test $(docker service ps -q --filter desired-state=running $N | xargs -r docker inspect -f '{{.Status.State}}' | grep -c running) = $1; };";
const runtime = `sed -i 's/"default-runtime":"[a-z]*"/"default-runtime":"'$RT'"/' /etc/docker/daemon.json; kill -HUP $(cat /run/docker.pid)
is_default() { test $(docker info -f '{{.DefaultRuntime}}') = $RT; }; eventually is_default || exit 1;`;
const create = `${runtime} ${tasks} create() { docker service create -d --stop-grace-period 0s --name $N --no-resolve-image "$@" ${quiet}; };`;
const inside = 'inside() { docker exec $(docker ps -q --filter name=$N. | head -1) "$@"; };';
const gone =
  "; code=$?; docker service rm $N >/dev/null 2>&1; eventually sh -c 'test -z \"$(/usr/bin/docker ps -q --filter name='$N'.)\"'; exit $code";

export const swarm: Table = {
  ...table("Swarm", "with the runtime as default-runtime", [
    [
      "service create",
      `${create} ${inside} create busybox sleep 1000; eventually tasks 1 && inside echo runs${gone}`,
      "runs",
    ],
    [
      "service: the runtime",
      `${create} create busybox sleep 1000; eventually tasks 1; docker inspect -f '{{.HostConfig.Runtime}}' $(docker ps -q --filter name=$N.)${gone}`,
      "RUNTIME",
    ],
    [
      "service scale",
      `${create} create busybox sleep 1000; docker service scale -d $N=3 ${quiet}; eventually tasks 3 && echo three${gone}`,
      "three",
    ],
    [
      "service update",
      `${create} ${inside} create --env A=1 busybox sleep 1000; eventually tasks 1; docker service update -d --env-add A=2 $N ${quiet}; updated() { inside sh -c 'test $A = 2'; }; eventually updated && inside sh -c 'echo $A'${gone}`,
      "2",
    ],
    [
      "service update: one that fails, rollback",
      `${create} ${inside} create --env A=1 --update-monitor 1s busybox sh -c 'test $A = 1 && sleep 1000'; eventually tasks 1; docker service update -d --env-add A=2 $N ${quiet}; docker service rollback -d $N ${quiet}; back() { tasks 1 && inside sh -c 'test $A = 1'; }; eventually back && inside sh -c 'echo $A'${gone}`,
      "1",
    ],
    [
      "stack deploy",
      `${runtime} printf 'version: "3.3"\\nservices:\\n  db: {image: busybox, stop_grace_period: 0s, hostname: data, command: nc -ll -p 80 -e hostname, deploy: {endpoint_mode: dnsrr}}\\n  app: {image: busybox, stop_grace_period: 0s, command: sleep 1000}\\n' > /tmp/$N; docker stack deploy --resolve-image never -c /tmp/$N $N ${quiet}; rm /tmp/$N
      hears() { docker exec $(docker ps -q --filter name=$N\\_app. | head -1) nc -w 2 db 80; }; said hears; removed() { docker stack rm $N >/dev/null 2>&1; }; eventually removed; eventually sh -c 'test -z "$(/usr/bin/docker ps -q --filter name='$N'_)"'`,
      "data",
    ],
    [
      "service: secret and config",
      `${create} ${inside} echo hidden | docker secret create $N - ${quiet}; echo told | docker config create $N - ${quiet}; create --secret $N --config source=$N,target=/told busybox sleep 1000; eventually tasks 1 && inside sh -c 'cat /run/secrets/* /told'; docker service rm $N ${quiet}; docker secret rm $N ${quiet}; docker config rm $N ${quiet}${gone}`,
      "hidden\ntold",
    ],
    [
      "service logs",
      `${create} create busybox sh -c 'echo said; sleep 1000'; eventually sh -c "/usr/bin/docker service logs --raw $N | grep said" && docker service logs --raw $N${gone}`,
      "said",
    ],
    [
      "service: a task that ends is made again",
      `${create} create --restart-delay 0s busybox sleep 1000; eventually tasks 1; docker kill $(docker ps -q --filter name=$N.) ${quiet}; again() { test $(docker service ps -q $N | wc -l) = 2 && tasks 1; }; eventually again && echo again${gone}`,
      "again",
    ],
    [
      "service on an overlay network: names",
      `${create} docker network create -d overlay --attachable $N ${quiet}; docker service create -d --endpoint-mode dnsrr --name $N-server --no-resolve-image --hostname box --network $N busybox nc -ll -p 80 -e hostname ${quiet}; create --network $N busybox sleep 1000; eventually tasks 1; ${inside} hears() { inside nc -w 2 $N-server 80; }; eventually hears && hears; docker service rm $N-server ${quiet}${gone}`,
      "box",
    ],
  ]),
  alone: true,
};
