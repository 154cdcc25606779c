/** What a container's network namespace holds, the container has. */
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Config } from "./support/bundle";
import { inNamespace, type Lab, makeLab, type Station } from "./support/lab";
import { type Rig, runvTest } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

const idle = ["sleep", "1000"];

async function start(rig: Rig, suffix: string, path: string | undefined, change: (config: Config) => void = () => {}) {
  const bundle = await rig.bundle({
    args: idle,
    change: (config) => {
      inNamespace(config, path);
      change(config);
    },
  });
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id(suffix)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

/** A test with a lab, of which nothing is left. */
function labTest(name: string, body: (rig: Rig, lab: Lab) => Promise<void>): void {
  runvTest(name, async (rig) => {
    const lab = await makeLab(rig.name);
    try {
      await body(rig, lab);
    } finally {
      for (const id of (await rig.runv(["list", "-q"])).stdout.split("\n").filter(Boolean)) {
        await rig.runv(["delete", "--force", id]);
      }
      await lab.remove();
    }
  });
}

/** Runs a script in a container. */
async function inside({ runv, id }: Rig, suffix: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await runv(["exec", id(suffix), "sh", "-c", script]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

/** Interfaces that runv made in a namespace, and qdiscs that catch frames. */
async function traces({ ip, run }: Station): Promise<string[]> {
  const links = (await ip("-br", "link")).split("\n").filter((line) => line.startsWith("runv"));
  const qdiscs = (await run("tc", "qdisc")).split("\n").filter((line) => line.includes("ingress"));
  return [...links, ...qdiscs];
}

describe("two containers and a host on a bridge", () => {
  let lab: Lab;
  let one: Station;
  const runvTest = sharedRig(
    async (rig) => {
      lab = await makeLab(rig.name);
      const [first, two] = [await lab.station(), await lab.station()];
      one = first;
      await lab.plug(one, "eth0", 11);
      await lab.plug(two, "eth0", 12);
      for (const { ip } of [one, two]) {
        await ip("route", "add", "default", "via", "10.9.0.1");
        await ip("-6", "route", "add", "default", "via", "fd09::1");
      }
      await one.ip("link", "set", "eth0", "mtu", "1400");
      await one.ip("route", "add", "192.0.2.0/24", "via", "10.9.0.7", "metric", "7", "mtu", "1300");
      await one.ip("route", "add", "198.51.100.0/24", "via", "10.8.0.1", "dev", "eth0", "onlink", "table", "100");
      await one.ip("rule", "add", "from", "10.9.0.11", "table", "100", "prio", "50");
      await one.ip("neigh", "add", "10.9.0.99", "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "permanent");
      await one.ip("addr", "add", "203.0.113.5/32", "dev", "lo");
      await start(rig, "one", one.path);
      await start(rig, "two", two.path);
    },
    () => lab.remove(),
  );

  runvTest("the guest's interface is the namespace's", async (rig) => {
    const links = await inside(rig, "one", "ip -o link");
    expect(links.split("\n").filter(Boolean)).toHaveLength(2);
    const mac = /link\/ether (\S+)/.exec(await one.ip("link", "show", "eth0"))![1]!;
    expect(links).toMatch(new RegExp(`eth0: <.*UP.*> mtu 1400 .*link/ether ${mac} `));
    const addresses = await inside(rig, "one", "ip -o addr");
    for (const address of ["10.9.0.11/24", "fd09::11/64", "203.0.113.5/32", "127.0.0.1/8", "::1/128"]) {
      expect(addresses).toContain(` ${address} `);
    }
    const linkLocal = /inet6 (fe80\S+)/.exec(await one.ip("addr", "show", "eth0"))![1]!;
    expect(addresses).toContain(` ${linkLocal} `);
    expect(addresses).not.toContain("tentative");
  });

  runvTest("and so are its routes, rules and neighbours", async (rig) => {
    const routes = await inside(rig, "one", "ip route; ip -6 route");
    expect(routes).toContain("default via 10.9.0.1 dev eth0");
    expect(routes).toContain("default via fd09::1 dev eth0");
    expect(routes).toMatch(/192\.0\.2\.0\/24 via 10\.9\.0\.7 dev eth0 +metric 7/);
    expect(await inside(rig, "one", "ip route show table 100")).toContain(
      "198.51.100.0/24 via 10.8.0.1 dev eth0 onlink",
    );
    expect(await inside(rig, "one", "ip rule")).toContain("50:\tfrom 10.9.0.11 lookup 100");
    expect(await inside(rig, "one", "ip neigh")).toMatch(/10\.9\.0\.99 dev eth0 lladdr 02:00:00:00:00:99 .*PERMANENT/);
  });

  runvTest("all reach each other, over IPv4 and IPv6", async (rig) => {
    for (const to of ["10.9.0.1", "10.9.0.12", "fd09::1", "fd09::12", "203.0.113.5"]) {
      expect(await inside(rig, "one", `ping -c 2 -W 5 ${to}`)).toContain(" 0% packet loss");
    }
    for (const to of ["10.9.0.11", "fd09::11"]) {
      expect(await lab.hub.run("busybox", "ping", "-c", "2", "-W", "5", to)).toContain(" 0% packet loss");
    }
  });

  runvTest("TCP carries what it is given, to the host, from it, and between containers", async (rig) => {
    const make =
      "mkfifo /dev/shm/fifo; dd if=/dev/urandom of=/dev/shm/sent bs=1M count=8 2>/dev/null; md5sum < /dev/shm/sent";
    const [sum] = await Promise.all([inside(rig, "one", make), inside(rig, "two", "mkfifo /dev/shm/fifo")]);
    const toHub = lab.hub.run("sh", "-c", "socat -u TCP-LISTEN:5000 STDOUT | md5sum");
    await listening(lab.hub, 5000);
    await inside(rig, "one", "nc 10.9.0.1 5000 < /dev/shm/sent");
    expect(await toHub).toBe(sum);
    // A fifo that is open on both sides: nc ends when the other side does.
    const toTwo = inside(rig, "two", "nc -l -p 5001 <> /dev/shm/fifo > /dev/shm/got; md5sum < /dev/shm/got");
    await until("two listens", async () => (await inside(rig, "two", "netstat -ltn")).includes(":5001 "));
    await inside(rig, "one", "nc fd09::12 5001 < /dev/shm/sent");
    expect(await toTwo).toBe(sum);
    const serve = inside(rig, "two", "nc -l -p 5002 < /dev/shm/got");
    await until("two listens", async () => (await inside(rig, "two", "netstat -ltn")).includes(":5002 "));
    expect(await lab.hub.run("sh", "-c", "socat -u TCP:10.9.0.12:5002 STDOUT | md5sum")).toBe(sum);
    await serve;
  });

  runvTest("an interface that comes is plugged, one that goes is unplugged", async (rig) => {
    await lab.plug(one, "eth1", 21);
    await until("the guest has eth1", async () => (await inside(rig, "one", "ip -o addr")).includes("10.9.0.21/24"));
    await one.ip("link", "set", "eth1", "mtu", "1300");
    await until("its new MTU", async () => (await inside(rig, "one", "ip -o link")).includes("mtu 1300"));
    await one.ip("link", "set", "eth1", "arp", "off");
    await until("no ARP", async () => (await inside(rig, "one", "ip -o link show eth1")).includes("NOARP"));
    await one.ip("addr", "add", "10.9.9.9/32", "dev", "eth1");
    await until("its new address", async () => (await inside(rig, "one", "ip -o addr")).includes("10.9.9.9/32"));
    await one.ip("addr", "del", "10.9.9.9/32", "dev", "eth1");
    await until("it is gone", async () => !(await inside(rig, "one", "ip -o addr")).includes("10.9.9.9/32"));
    const ipv6 = "/proc/sys/net/ipv6/conf/eth1/disable_ipv6";
    await one.run("sh", "-c", `echo 1 > ${ipv6}`);
    await until("IPv6 is off", async () => (await inside(rig, "one", `cat ${ipv6}`)) === "1\n");
    await one.ip("link", "del", "eth1");
    await until("eth1 is gone", async () => !(await inside(rig, "one", "ip -o link")).includes("eth1"));
    expect(await inside(rig, "one", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
    await until(
      "its tap is gone",
      async () => (await traces(one)).filter((line) => line.includes("runv1")).length === 0,
    );
  });

  runvTest("the namespace's own stack does not answer in the guest's place", async (rig) => {
    await inside(rig, "one", "ip link set eth0 down");
    try {
      const answer = lab.hub.run("busybox", "ping", "-c", "1", "-W", "1", "10.9.0.11");
      expect(await answer.catch(() => "silence")).toBe("silence");
    } finally {
      await inside(rig, "one", "ip link set eth0 up");
    }
  });

  runvTest(
    "a container that names the namespace runs in the machine that is there; of another root it is refused",
    async (rig) => {
      const { bundle, runv, id, directory } = rig;
      const bootId = ["cat", "/proc/sys/kernel/random/boot_id"];
      const other = await bundle({ args: bootId, change: (config) => inNamespace(config, one.path) });
      const joined = await runv(["run", "-b", other, id("other")]);
      expect(joined).toEqual({ code: 0, stderr: "", stdout: (await runv(["exec", id("one"), ...bootId])).stdout });
      const { code, stderr } = await runv(["--root", `${directory}/elsewhere`, "run", "-b", other, id("elsewhere")]);
      expect(code).toBe(1);
      expect(stderr).toContain("another virtual machine or program takes them already");
    },
  );
});

/** Waits until somebody listens at a port, in a station. */
async function listening({ run }: Station, port: number): Promise<void> {
  await until(`somebody listens at ${port}`, async () =>
    (await run("cat", "/proc/net/tcp", "/proc/net/tcp6")).includes(`:${port.toString(16).toUpperCase()} 0`),
  );
}

labTest("what is plugged between create and start is there when the container begins", async (rig, lab) => {
  const { bundle, runv, id } = rig;
  const script = "ip -o addr; ping -c 1 -W 5 10.9.0.1";
  const made = await bundle({ args: ["sh", "-c", script], change: (config) => inNamespace(config, undefined) });
  const child = rig.spawn(["create", "-b", made, id("late")]);
  expect(await child.exited).toBe(0);
  const { pid } = JSON.parse((await runv(["state", id("late")])).stdout) as { pid: number };
  await lab.hub.ip("link", "add", "port5", "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  await lab.hub.ip("link", "set", "port5", "master", "br0", "up");
  const within = ["nsenter", "-t", String(pid), "-n"];
  await lab.hub.run(...within, "ip", "addr", "add", "10.9.0.5/24", "dev", "eth0");
  await lab.hub.run(...within, "ip", "link", "set", "eth0", "up");
  expect((await runv(["start", id("late")])).code).toBe(0);
  const output = await new Response(child.stdout).text();
  expect(output).toContain(" 10.9.0.5/24 ");
  expect(output).toContain(" 0% packet loss");
});

labTest("a tap is kept in a namespace made for the machine, and goes with its interface", async (rig, lab) => {
  const { runv, bundle, id } = rig;
  const made = await bundle({ args: ["sleep", "100"], change: (config) => inNamespace(config, undefined) });
  expect((await runv(["run", "-d", "-b", made, id("own")])).code).toBe(0);
  const { pid } = JSON.parse((await runv(["state", id("own")])).stdout) as { pid: number };
  const within = (...words: string[]) => lab.hub.run("nsenter", "-t", String(pid), "-n", ...words);
  expect(await within("ip", "-d", "link", "show", "type", "tun")).toContain("persist on");
  await lab.hub.ip("link", "add", "port7", "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  await within("ip", "link", "set", "eth0", "up");
  await until("the guest has eth0", async () => (await inside(rig, "own", "ip -o link")).includes("eth0"));
  await lab.hub.ip("link", "del", "port7");
  await until("its tap is gone", async () => (await within("ip", "link", "show", "type", "tun")) === "");
});

labTest("a prestart hook fills the namespace of the pid that it is given", async (rig, lab) => {
  const script = `pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
    ip -n ${rig.name}-hub link add port6 type veth peer name eth0 netns $pid
    ip -n ${rig.name}-hub link set port6 master br0 up
    nsenter -t $pid -n ip addr add 10.9.0.6/24 dev eth0
    nsenter -t $pid -n ip link set eth0 up`;
  const bundle = await rig.bundle({
    args: ["sh", "-c", "cat /proc/sys/net/ipv4/conf/eth0/rp_filter; ip -o addr; ping -c 1 -W 5 10.9.0.1"],
    change: (config) => {
      inNamespace(config, undefined);
      config.hooks = { prestart: [{ path: "/bin/sh", args: ["sh", "-c", script], env: [`PATH=${process.env.PATH}`] }] };
      (config.linux as Record<string, unknown>).sysctl = { "net.ipv4.conf.eth0.rp_filter": "2" };
    },
  });
  const { stdout, stderr } = await rig.runv(["run", "-b", bundle, rig.id("hook")]);
  expect(stderr).toBe("");
  expect(stdout).toStartWith("2\n");
  expect(stdout).toContain(" 10.9.0.6/24 ");
  expect(stdout).toContain(" 0% packet loss");
  // The kernel removes a namespace when it comes to it.
  await until("the namespace is gone", async () => !(await lab.hub.ip("-br", "link")).includes("port6"));
});

labTest("interfaces are added, listed, updated and removed by hand", async (rig, lab) => {
  const { runv, id } = rig;
  const station = await lab.station();
  await lab.plug(station, "eth0", 41);
  await start(rig, "one", station.path);
  const one = id("one");
  // Called in the hub's namespace, where the tap is to be.
  const flags = [
    "--tapname",
    "hand",
    "--name",
    "lan0",
    "--ip",
    "10.9.0.42/24",
    "--mac",
    "02:00:00:00:00:42",
    "--mtu",
    "1400",
  ];
  const added = await lab.hub.run(...rig.command(["interface", "add", ...flags, one]));
  expect(added).toBe("Add interface successfully.\n");
  await lab.hub.ip("link", "set", "hand", "master", "br0");
  expect(await inside(rig, "one", "ip -o link")).toMatch(/lan0: .* mtu 1400 .* 02:00:00:00:00:42 /);
  // Two interfaces of one network: ping what only one of them leads to.
  expect(await lab.hub.run("busybox", "ping", "-c", "1", "-W", "5", "10.9.0.42")).toContain(" 0% packet loss");
  expect(
    (await runv(["interface", "update", "--add-ip", "10.8.0.1/24", "--delete-ip", "10.9.0.42/24", one, "lan0"])).stdout,
  ).toBe('Interface "lan0" is updated\n');
  expect((await runv(["interface", "update", "--add-ip", "10.8.0.1/24", one, "lan0"])).stderr).toContain(
    "lan0 has the address 10.8.0.1/24 already",
  );
  expect((await runv(["interface", "update", "--mtu", "1300", one, "eth0"])).code).toBe(0);
  expect(await station.ip("link", "show", "eth0")).toContain("mtu 1300");
  const rows = (await runv(["interface", "ls", one])).stdout.split("\n").map((line) => line.split(/ {2,}/));
  expect(rows[0]).toEqual(["Name", "Mac", "IP", "Mtu"]);
  expect(rows[1]![0]).toBe("eth0");
  expect(rows[1]![2]).toContain("10.9.0.41/24");
  expect(rows[1]![3]).toBe("1300");
  expect(rows[2]).toEqual(["lan0", "02:00:00:00:00:42", "10.8.0.1/24", "1400"]);
  expect(await inside(rig, "one", "ip -o addr show lan0")).toContain(" 10.8.0.1/24 ");
  // All of an update, or nothing: here the second of two changes is refused by the kernel.
  for (const [name, address] of [
    ["lan0", "10.8.0.1/24"],
    ["eth0", "10.9.0.41/24"],
  ] as const) {
    const before = (await runv(["interface", "ls", one])).stdout;
    const both = ["--add-ip", "10.7.0.1/24", "--delete-ip", address, "--mtu", "5"];
    expect((await runv(["interface", "update", ...both, one, name])).code).not.toBe(0);
    expect((await runv(["interface", "ls", one])).stdout).toBe(before);
    const seen = () => inside(rig, "one", `ip -o -4 addr show ${name}`);
    await until(`${name} is as before`, async () => / inet (\S+) /.exec(await seen())?.[1] === address);
    expect(await seen()).not.toContain("10.7.0.1");
  }
  expect((await runv(["interface", "rm", one, "eth0"])).stderr).toContain(
    "belongs to the container's network namespace",
  );
  expect((await runv(["interface", "rm", one, "none"])).stderr).toContain("can't find target interface name");
  expect((await runv(["interface", "rm", one, "lan0"])).stdout).toBe('Interface "lan0" is deleted\n');
  expect(await inside(rig, "one", "ip -o link")).not.toContain("lan0");
  await until("the tap is gone", async () => !(await lab.hub.ip("-br", "link")).includes("hand"));
  // One that somebody else has made stays when it is not used any more.
  await lab.hub.ip("tuntap", "add", "theirs", "mode", "tap");
  await lab.hub.run(...rig.command(["interface", "add", "--tapname", "theirs", "--name", "lan1", one]));
  expect((await runv(["interface", "rm", one, "lan1"])).stdout).toBe('Interface "lan1" is deleted\n');
  expect(await lab.hub.ip("tuntap", "show")).toMatch(/^theirs: tap .*persist/);
});

labTest("on the host's network a container reaches what the host reaches", async (rig, lab) => {
  const bundle = await rig.bundle({
    args: ["sh", "-c", "ip -o link; ping -c 1 -W 5 10.0.2.2; nc 10.9.0.1 5000 < /dev/null"],
    change: (config) => {
      inNamespace(config, undefined);
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
    },
  });
  const served = lab.hub.run("sh", "-c", "echo from the hub | socat -u STDIN TCP-LISTEN:5000");
  await listening(lab.hub, 5000);
  const output = await lab.hub.run(...rig.command(["run", "-b", bundle, rig.id("host")]));
  await served;
  expect(output).toMatch(/2: eth0: /);
  expect(output).toContain(" 0% packet loss");
  expect(output).toEndWith("from the hub\n");
});

labTest("nothing is left in a namespace, also of a monitor that was killed", async (rig, lab) => {
  const station = await lab.station();
  await lab.plug(station, "eth0", 31);
  await start(rig, "one", station.path);
  expect(await traces(station)).toHaveLength(3);
  await rig.runv(["delete", "--force", rig.id("one")]);
  expect(await traces(station)).toEqual([]);
  await start(rig, "two", station.path);
  const { monitor } = JSON.parse(readFileSync(`${rig.root}/${rig.id("two")}/state.json`, "utf8"));
  process.kill(monitor.pid, "SIGKILL");
  await until("its machine is gone", async () => (await station.ip("-br", "link")).includes("runv0") === false);
  await rig.runv(["delete", "--force", rig.id("two")]);
  expect(await traces(station)).toEqual([]);
});

labTest("without a network there is none to see", async (rig) => {
  const bundle = await rig.bundle({ args: ["ip", "-o", "link"], change: (config) => inNamespace(config, undefined) });
  const { stdout } = await rig.runv(["run", "-b", bundle, rig.id("none")]);
  expect(stdout.split("\n").filter(Boolean)).toHaveLength(1);
  expect(stdout).toMatch(/^1: lo: <LOOPBACK,UP,LOWER_UP>/);
});
