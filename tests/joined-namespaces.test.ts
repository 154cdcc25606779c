/** A container that joins namespaces of another one is in its machine, and has its own network all the same. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Config } from "./support/bundle";
import { inNamespace, type Lab, makeLab, type Station } from "./support/lab";
import { startResolver } from "./support/resolver";
import type { Rig } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

const idle = ["sleep", "1000"];
let lab: Lab;
let one: Station;
let two: Station;
let three: Station;

/** The container whose namespaces others join. */
const runvTest = sharedRig(
  async (rig) => {
    lab = await makeLab(rig.name);
    one = await lab.station();
    two = await lab.station();
    three = await lab.station();
    for (const [index, station] of [one, two, three].entries()) await lab.plug(station, "eth0", 11 + index);
    await start(rig, "one", one.path);
  },
  () => lab.remove(),
);

async function start(rig: Rig, suffix: string, path: string | undefined, change: (config: Config) => void = () => {}) {
  const bundle = await bundleOf(rig, path, change, idle);
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id(suffix)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

function bundleOf(rig: Rig, path: string | undefined, change: (config: Config) => void, args: string[]) {
  return rig.bundle({
    args,
    change: (config) => {
      inNamespace(config, path);
      change(config);
    },
  });
}

/** Has a container join namespaces of another one, by its pid, as Docker and podman do. */
function joining({ root, id }: Rig, suffix: string, ...types: string[]) {
  const { shim } = JSON.parse(readFileSync(`${root}/${id(suffix)}/state.json`, "utf8"));
  return ({ linux }: Config) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => !types.includes(type));
    linux.namespaces.push(...types.map((type) => ({ type, path: `/proc/${shim.pid}/ns/${type}` })));
  };
}

async function inside({ runv, id }: Rig, suffix: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await runv(["exec", id(suffix), "sh", "-c", script]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function remove({ runv, id }: Rig, suffix: string): Promise<void> {
  expect(await runv(["delete", "--force", id(suffix)])).toMatchObject({ code: 0, stderr: "" });
}

/** What runv has in a namespace: its taps, and what catches frames. */
async function traces({ ip, run }: Station): Promise<string[]> {
  const links = (await ip("-br", "link")).split("\n").filter((line) => line.startsWith("runv"));
  return [...links, ...(await run("tc", "qdisc")).split("\n").filter((line) => line.includes("ingress"))];
}

runvTest("of the pid and ipc namespaces, with a network that is filled, changes and goes", async (rig) => {
  await two.ip("route", "add", "default", "via", "10.9.0.1");
  await start(rig, "two", two.path, (config) => {
    joining(rig, "one", "pid", "ipc")(config);
    config.linux.sysctl = { "net.ipv4.conf.eth0.rp_filter": "2" };
  });
  const namespaces = "for type in pid ipc; do readlink /proc/self/ns/$type; done";
  expect(await inside(rig, "two", namespaces)).toBe(await inside(rig, "one", namespaces));
  expect(await inside(rig, "two", "ps -o args | grep -c '^sleep 1000'")).toBe("2\n");
  expect(await inside(rig, "two", "ls /sys/class/net; cat /proc/sys/net/ipv4/conf/eth0/rp_filter")).toBe(
    "eth0\nlo\n2\n",
  );
  expect(await inside(rig, "two", "ip route")).toContain("default via 10.9.0.1 dev eth0");
  const addresses = await inside(rig, "two", "ip -o addr");
  for (const address of ["10.9.0.12/24", "fd09::12/64", "127.0.0.1/8"]) expect(addresses).toContain(` ${address} `);
  expect(addresses).not.toContain("10.9.0.11");
  expect(await inside(rig, "one", "ip -o addr; cat /proc/sys/net/ipv4/conf/eth0/rp_filter")).not.toMatch(
    /10\.9\.0\.12|^2$/m,
  );
  for (const to of ["127.0.0.1", "10.9.0.1", "10.9.0.11", "fd09::1"]) {
    expect(await inside(rig, "two", `ping -c 1 -W 5 ${to}`)).toContain(" 0% packet loss");
  }
  expect(await lab.hub.run("busybox", "ping", "-c", "1", "-W", "5", "10.9.0.12")).toContain(" 0% packet loss");
  // What both have at once, for a moment, is one name: the guest's own namespace, where new devices appear, has an eth0 and two's eth1 to come.
  await Promise.all([lab.plug(two, "eth1", 22), lab.plug(one, "eth1", 21)]);
  await until("two has eth1", async () => (await inside(rig, "two", "ip -o addr")).includes("10.9.0.22/24"));
  await until("one has eth1", async () => (await inside(rig, "one", "ip -o addr")).includes("10.9.0.21/24"));
  for (const { ip } of [one, two]) await ip("link", "del", "eth1");
  for (const of of ["one", "two"]) {
    await until(`${of}'s eth1 is gone`, async () => !(await inside(rig, of, "ip -o link")).includes("eth1"));
  }
  const third = await bundleOf(rig, two.path, () => {}, ["ip", "-o", "addr"]);
  expect((await rig.runv(["run", "-b", third, rig.id("third")])).stdout).toContain(" 10.9.0.12/24 ");
  expect(await inside(rig, "two", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
  await remove(rig, "two");
  expect(await traces(two)).toEqual([]);
  expect(await inside(rig, "one", "ip -o link")).toMatch(/^1: lo: .*\n\d+: eth0: .*\n$/);
  expect(await inside(rig, "one", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
});

runvTest("interfaces that are added by hand are its own", async (rig) => {
  const { runv, id } = rig;
  await start(rig, "two", undefined, joining(rig, "one", "pid"));
  expect(await inside(rig, "two", "ip -o link")).toMatch(/^1: lo: <LOOPBACK,UP,LOWER_UP>.*\n$/);
  const flags = ["--tapname", "hand", "--name", "lan0", "--ip", "10.9.0.42/24"];
  await lab.hub.run(...rig.command(["interface", "add", ...flags, id("two")]));
  await lab.hub.ip("link", "set", "hand", "master", "br0");
  expect(await inside(rig, "two", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
  expect((await runv(["interface", "ls", id("two")])).stdout).toContain("lan0");
  expect((await runv(["interface", "ls", id("one")])).stdout).not.toContain("lan0");
  expect((await runv(["interface", "update", "--add-ip", "10.8.0.1/24", id("two"), "lan0"])).code).toBe(0);
  expect(await inside(rig, "two", "ip -o addr show lan0")).toContain(" 10.8.0.1/24 ");
  await remove(rig, "two");
  await until("the tap is gone", async () => !(await lab.hub.ip("-br", "link")).includes("hand"));
});

runvTest("names are resolved where its own network has a resolver", async (rig) => {
  const resolvers = [
    await startResolver(lab.hub.path, "10.9.0.1", "192.0.2.2"),
    await startResolver(two.path, "127.0.0.11", "192.0.2.1", "10.9.0.1"),
  ];
  try {
    await start(rig, "two", two.path, joining(rig, "one", "pid"));
    const asked = await inside(rig, "two", "nslookup near.test 127.0.0.11; nslookup far.test 127.0.0.11");
    expect([...asked.matchAll(/Address:\s+(192\S+)/g)].map(([, ip]) => ip)).toEqual(["192.0.2.1", "192.0.2.2"]);
    const back = "head -c 5000 /dev/zero | tr '\\0' x | nc 127.0.0.11 53 | wc -c";
    expect((await inside(rig, "two", back)).trim()).toBe("5000");
    expect(await inside(rig, "one", "netstat -lnu")).not.toContain("127.0.0.11");
  } finally {
    for (const child of resolvers) child.kill();
    await remove(rig, "two");
  }
});

runvTest("a network is filled between create and start", async (rig) => {
  const { runv, id } = rig;
  const script = "ip -o addr; ping -c 1 -W 5 10.9.0.1";
  const bundle = await bundleOf(rig, undefined, joining(rig, "one", "ipc"), ["sh", "-c", script]);
  const child = rig.spawn(["create", "-b", bundle, id("late")]);
  expect(await child.exited).toBe(0);
  const { pid } = JSON.parse((await runv(["state", id("late")])).stdout) as { pid: number };
  await lab.hub.ip("link", "add", "port5", "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  await lab.hub.ip("link", "set", "port5", "master", "br0", "up");
  const within = ["nsenter", "-t", String(pid), "-n", "ip"];
  await lab.hub.run(...within, "addr", "add", "10.9.0.5/24", "dev", "eth0");
  await lab.hub.run(...within, "link", "set", "eth0", "up");
  expect((await runv(["start", id("late")])).code).toBe(0);
  const output = await new Response(child.stdout).text();
  expect(output).toContain(" 10.9.0.5/24 ");
  expect(output).toContain(" 0% packet loss");
  await remove(rig, "late");
  await until("its interface is gone", async () => !(await lab.hub.ip("-br", "link")).includes("port5"));
});

runvTest("the first goes, the others stay; a monitor that is killed leaves nothing", async (rig) => {
  await start(rig, "two", two.path);
  await start(rig, "three", three.path, joining(rig, "two", "ipc"));
  await remove(rig, "two");
  expect(await traces(two)).toEqual([]);
  expect(await inside(rig, "three", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
  await start(rig, "again", two.path, joining(rig, "three", "pid"));
  expect(await inside(rig, "again", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
  const { monitor } = JSON.parse(readFileSync(`${rig.root}/${rig.id("three")}/state.json`, "utf8"));
  process.kill(monitor.pid, "SIGKILL");
  await until("its taps are gone", async () => (await traces(three)).every((line) => !line.startsWith("runv")));
  await remove(rig, "again");
  await remove(rig, "three");
  for (const station of [two, three]) expect(await traces(station)).toEqual([]);
});

runvTest("with the pid namespace's first process its container ends", async (rig) => {
  // On the host's network, which needs none of the machine's interfaces.
  await start(rig, "first", undefined, ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
  });
  await start(rig, "second", two.path, joining(rig, "first", "pid"));
  expect(await inside(rig, "second", "ping -c 1 -W 5 10.9.0.1")).toContain(" 0% packet loss");
  expect(await inside(rig, "first", "ip -o addr")).toContain(" 10.0.2.15/24 ");
  await rig.runv(["kill", rig.id("first"), "KILL"]);
  const status = async () => JSON.parse((await rig.runv(["state", rig.id("second")])).stdout).status;
  await until("the second has stopped", async () => (await status()) === "stopped");
  for (const suffix of ["second", "first"]) await remove(rig, suffix);
  expect(await traces(two)).toEqual([]);
});

runvTest("what no one machine can hold is refused", async (rig) => {
  const refused = async (path: string | undefined, change: (config: Config) => void) => {
    const bundle = await bundleOf(rig, path, change, idle);
    const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id("refused")]);
    expect(code).toBe(1);
    return stderr;
  };
  await start(rig, "other", two.path);
  const id = rig.id;
  expect(await refused(two.path, joining(rig, "one", "pid"))).toContain(
    `the pid namespace is of container ${id("one")}, which is not in the virtual machine of container ${id("other")}`,
  );
  const host = (config: Config) => {
    joining(rig, "one", "pid")(config);
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
  };
  expect(await refused(undefined, host)).toContain(`that of container ${id("one")} has a network of its own`);
  const user = (config: Config) => {
    joining(rig, "one", "ipc")(config);
    config.linux.namespaces.push({ type: "user" });
    config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  };
  expect(await refused(undefined, user)).toContain("a container with a user namespace of its own cannot join");
  await remove(rig, "other");
});
