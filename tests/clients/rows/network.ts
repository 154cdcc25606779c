import { table } from "../support/row";

/** A server that says its name, on port 80. */
const server = "nc -ll -p 80 -e hostname";
/** A name for an interface, and a number, that are the run's own. */
const parent = "parent=m$(( $(printf %s $N | cksum | cut -d' ' -f1) % 250 ));";
const address = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'";
const ask = "timeout 5 /bin/busybox nc -w 3";
/** Without what the two runs' own addresses are. */
const hidden = "sed -E 's/[0-9]+(\\.[0-9]+){3}/ADDRESS/g; s/([0-9a-f]{2}:){5}[0-9a-f]{2}/MAC/g'";

export const network = table("docker", "networks", [
  [
    "run --network bridge",
    `run busybox sh -c 'ip -4 addr show eth0; ip route' | ${hidden} | sed 's/@if[0-9]*//; s/^[0-9]*: //; s/ qdisc.*//; s/<.*>//'`,
    "inet ADDRESS/16",
  ],
  [
    "run --network none",
    "run --network none busybox sh -c 'ls /sys/class/net; ip route; ping -c1 -W1 127.0.0.1 | grep -c \"1 packets received\"'",
    "lo",
  ],
  [
    "run --network host",
    "run --network host busybox sh -c 'ls /sys/class/net | grep -c docker0'",
    "1",
    {
      differs:
        "the guest is not in the host's network: the hypervisor connects in its place, with the host's addresses, routes and names",
    },
  ],
  ["run --network host: reaches what listens on the host", `run --network host busybox sh -c 'true'; echo ran`, "ran"],
  [
    "run --network container:",
    `up --name $N --hostname box busybox ${server}; said run --network container:$N busybox nc -w 2 127.0.0.1 80`,
    "box",
  ],
  [
    "ping the host and back",
    `up --name $N busybox sleep 100; docker exec $N ping -c1 -W2 172.17.0.1 | grep -c '1 packets received'; ping -c1 -W2 $(${address} $N) | grep -c '1 packets received'`,
    "1\n1",
  ],
  [
    "ping between containers",
    `up --name $N busybox sleep 100; run busybox ping -c2 -W2 $(${address} $N) | grep -c '2 packets received'`,
    "1",
  ],
  [
    "run -p",
    `up --name $N --hostname box -p 127.0.0.1::80 busybox ${server}; port=$(docker port $N 80 | cut -d: -f2); said ${ask} 127.0.0.1 $port`,
    "box",
  ],
  [
    "run -p: the bridge's address",
    `up --name $N --hostname box -p 80 busybox ${server}; port=$(docker port $N 80 | head -1 | cut -d: -f2); said ${ask} 172.17.0.1 $port`,
    "box",
  ],
  [
    "user network: names",
    `docker network create $N >/dev/null; up --name $N-server --hostname box --network $N busybox ${server}; run --network $N busybox sh -c 'until nc -w 2 '$N'-server 80 | grep box; do sleep 0.2; done'`,
    "box",
  ],
  [
    "user network: resolv.conf",
    `docker network create $N >/dev/null; run --network $N busybox cat /etc/resolv.conf | grep -v '^#'`,
    "nameserver 127.0.0.11",
  ],
  [
    "user network: --network-alias",
    `docker network create $N >/dev/null; up --name $N-server --hostname box --network $N --network-alias other busybox ${server}; run --network $N busybox sh -c 'until nc -w 2 other 80 | grep box; do sleep 0.2; done'`,
    "box",
  ],
  [
    "user network: nslookup",
    `docker network create $N >/dev/null; up --name $N-a --network $N busybox sleep 100; run --network $N busybox nslookup -type=a $N-a 127.0.0.11 | ${hidden}`,
    "Name:",
  ],
  [
    "user network: --ip",
    "docker network create --subnet 10.99.$(( $(printf %s $N | cksum | cut -d' ' -f1) % 250 )).0/24 $N >/dev/null; run --network $N busybox ip -4 addr show eth0 | grep -c 'inet 10.99.*/24'",
    "1",
  ],
  [
    "user network: --internal",
    // With a default route until Docker 20.10, and without one since.
    "docker network create --internal $N >/dev/null; run --network $N busybox ip route | grep -c default; true",
  ],
  [
    "network connect, disconnect",
    `docker network create $N >/dev/null; up --name $N busybox sleep 100; docker network connect $N $N; eventually docker exec $N ip addr show eth1; docker exec $N ip -o -4 addr show eth1 | grep -c inet; docker network disconnect $N $N; gone() { ! docker exec $N ip link show eth1; }; eventually gone && echo gone`,
    "gone",
  ],
  [
    "network connect: names",
    `docker network create $N >/dev/null; up --name $N-server --hostname box --network $N busybox ${server}; up --name $N busybox sleep 100; docker network connect $N $N; said docker exec $N nc -w 2 $N-server 80`,
    "box",
  ],
  [
    "two networks",
    "docker network create $N-a >/dev/null; docker network create $N-b >/dev/null; docker create --name $N --runtime $RT --network $N-a busybox sh -c 'ls /sys/class/net' >/dev/null; docker network connect $N-b $N; docker start -a $N",
    "eth1",
  ],
  ["run --add-host", "run --add-host db:10.1.2.3 busybox grep -w db /etc/hosts", "10.1.2.3"],
  ["run --dns", "run --dns 10.9.9.9 --dns-search example.org busybox cat /etc/resolv.conf", "nameserver 10.9.9.9"],
  [
    "run --mac-address",
    "run --mac-address 02:42:00:aa:bb:cc busybox cat /sys/class/net/eth0/address",
    "02:42:00:aa:bb:cc",
  ],
  [
    "run --link",
    `up --name $N --hostname box busybox ${server}; run --link $N:linked busybox sh -c 'until nc -w 2 linked 80 | grep box; do sleep 0.2; done'`,
    "box",
  ],
  [
    "run --sysctl net.*",
    // Since Docker 28 an interface's are the network's.
    `forwarding="--sysctl net.ipv4.conf.eth0.forwarding=1"; case $(docker version -f '{{.Server.Version}}') in 2[0-7].*) ;; *) forwarding=--network=name=bridge,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.forwarding=1 ;; esac; run $forwarding --sysctl net.core.somaxconn=77 busybox cat /proc/sys/net/core/somaxconn`,
    "77",
  ],
  ["network create --driver macvlan", onParent("macvlan"), "inet 10.98.\n1"],
  ["network create --driver ipvlan", onParent("ipvlan"), "inet 10.98.\n1", { machine: "its kernel has no ipvlan" }],
  [
    "network create --ipv6",
    `docker network create --ipv6 --subnet fd00:$(printf %s $N | md5sum | cut -c1-4)::/64 $N >/dev/null; up --name $N --network $N busybox sleep 100
    address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}' $N)
    run --network $N busybox sh -c "ip -6 addr show eth0 | grep -c 'inet6 fd00'; ping6 -c2 -W5 $address | grep -c '2 packets received'"`,
    "1\n1",
  ],
  [
    "three containers on a user network, as compose makes them",
    `docker network create $N >/dev/null; up --name $N-db --network $N --network-alias db --hostname data busybox ${server}
    up --name $N-app --network $N --network-alias app busybox nc -ll -p 80 -e nc -w 3 db 80
    up --name $N-web --network $N -p 127.0.0.1::80 busybox nc -ll -p 80 -e nc -w 3 app 80
    said ${ask} 127.0.0.1 $(docker port $N-web 80 | cut -d: -f2)`,
    "data",
  ],
  [
    "network disconnect of the only one, connect of another",
    `docker network create $N >/dev/null; up --name $N busybox sleep 100; docker network disconnect bridge $N; gone() { ! docker exec $N ip link show eth0; }; eventually gone
    docker network connect $N $N; there() { docker exec $N ip route | grep default; }; eventually there && docker exec $N ping -c1 -W5 $(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' $N) | grep -c '1 packets received'`,
    "1",
  ],
  [
    "network connect --ip --alias",
    `docker network create --subnet 10.96.$(( $(printf %s $N | cksum | cut -d' ' -f1) % 250 )).0/24 $N >/dev/null; up --name $N --hostname box busybox ${server}
    docker network connect --alias other --ip 10.96.$(( $(printf %s $N | cksum | cut -d' ' -f1) % 250 )).77 $N $N; run --network $N busybox sh -c 'until nc -w 2 other 80 | grep box; do sleep 0.2; done'`,
    "box",
  ],
  [
    "run -P",
    `up --name $N --hostname box --expose 80 -P busybox ${server}; said ${ask} 172.17.0.1 $(docker port $N 80 | head -1 | cut -d: -f2)`,
    "box",
  ],
]);

/** Two containers on a network of the driver, whose parent is an interface of the row's own. */
function onParent(driver: string): string {
  return `${parent} ip link add $parent type veth peer name p$parent && ip link set $parent up && ip link set p$parent up
  docker network create -d ${driver} --subnet 10.98.\${parent#m}.0/24 -o parent=$parent $N >/dev/null
  up --name $N --network $N busybox sleep 100
  run --network $N busybox sh -c "ip -4 addr show eth0 | grep -o 'inet 10.98.'; ping -c2 -W5 $(${address} $N) | grep -c '2 packets received'"
  docker rm -f $N >/dev/null; ip link del $parent`;
}
