import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { type Config, readConfig } from "../../oci/config";
import { parseJson } from "../../oci/json";
import { isBind } from "../../oci/mounts";
import { disassemble } from "../../program/disassembler";
import { type ContainerPlan, lowerContainer } from "./container";
import { lowerExec } from "./exec";
import { sharedSettings } from "./settings";

const configs = new URL("../../../tests/configs/", import.meta.url).pathname;
const names = readdirSync(configs).filter((name) => !/-process|-update-/.test(name));

function planOf(config: Config, more: Partial<ContainerPlan> = {}): ContainerPlan {
  const binds = config.mounts.flatMap((mount, index) => (isBind(mount) ? [index] : []));
  const sources = new Map(binds.map((index) => [index, { path: `/run/share/c/${index}`, directory: true }]));
  const settings = sharedSettings(config);
  return { id: "c", bundle: "/b", config, rootfs: "/run/share/c/rootfs", sources, settings, credit: 1, ...more };
}

function recorded(name: string): Config {
  const config = readConfig(parseJson(readFileSync(configs + name, "utf8"), name));
  config.linux.namespaces = config.linux.namespaces.map(({ type }) => ({ type }));
  return config;
}

function minimal(linux: object, more: object = {}): Config {
  const process = { args: ["/bin/true"], cwd: "/" };
  return readConfig({ ociVersion: "1.2.0", process, root: { path: "rootfs" }, linux, ...more });
}

/** The system calls of a program's text, in their order. */
const calls = (text: string) => [...text.matchAll(/^ *\d+ {2}(?:r\d+ = )?(\w+)\(/gm)].map(([, name]) => name);
const textOf = (config: Config, more: Partial<ContainerPlan> = {}) =>
  disassemble(lowerContainer(planOf(config, more)).main);

for (const name of names) {
  test(`${name} becomes a program`, () => {
    const config = recorded(name);
    const text = textOf(config);
    const seccomp = config.linux.seccomp !== undefined;
    const all = calls(text.slice(text.lastIndexOf("stop()")));
    // What is behind its end is jumped to only.
    const last = all.slice(0, all.indexOf("end"));
    const admin = config.process.capabilities?.effective?.includes("CAP_SYS_ADMIN") || config.process.noNewPrivileges;
    expect(last).toEqual(
      !seccomp ? ["execve"] : admin ? ["seccomp", "execve"] : ["capset", "seccomp", "capset", "execve"],
    );
    for (const { destination } of config.mounts) expect(text).toContain(` on ${destination}\n`);
    const further = { id: "c", init: 7, namespaces: config.linux.namespaces, process: config.process, credit: 1 };
    expect(disassemble(lowerExec({ ...further, settings: sharedSettings(config) }))).toContain("setns(pidfd of 7");
  });
}

test("with a user namespace, what needs the machine's root is another program's", () => {
  const ids = [{ containerID: 0, hostID: 1000, size: 10 }];
  const config = minimal({ namespaces: [{ type: "user" }, { type: "pid" }], uidMappings: ids, gidMappings: ids });
  const { main, outer } = lowerContainer(planOf(config));
  const inner = calls(disassemble(main));
  expect(inner.slice(0, 2)).toEqual(["umask", "stop"]);
  expect(inner.filter((name) => name === "stop").length).toBe(2);
  expect(inner).not.toContain("bpf");
  expect(inner).not.toContain("mknodat");
  const text = disassemble(outer!.withArgument(4711));
  expect(calls(text)).toContain("bpf");
  expect(Buffer.from(outer!.bytes).includes("0 1000 10\n\0")).toBe(true);
  expect(new DataView(main.bytes.buffer).getBigUint64(0, true)).toBe(0x30020000n);
  expect(lowerContainer(planOf(minimal({}))).outer).toBeUndefined();
});

test("namespaces of other containers of the machine are joined, others refused", () => {
  const config = minimal({
    namespaces: [
      { type: "ipc", path: "/proc/5/ns/ipc" },
      { type: "pid", path: "/p" },
    ],
  });
  expect(() => lowerContainer(planOf(config))).toThrow(
    "linux.namespaces[0].path: the ipc namespace is not of this container's machine",
  );
  const joined = new Map([
    ["ipc", 3],
    ["pid", 4],
  ] as const);
  const { main } = lowerContainer(planOf(config, { joined }));
  expect(disassemble(main)).toContain("setns(pidfd of 3, 134217728)");
  expect(new DataView(main.bytes.buffer).getUint32(8, true)).toBe(4);
  expect(lowerContainer(planOf(minimal({ namespaces: [{ type: "network", path: "/n" }] }))).outer).toBeUndefined();
});

test("a network namespace of the guest's is entered before its sysctls are set, and by every further process", () => {
  const namespaces = [{ type: "network" }, { type: "ipc", path: "/proc/5/ns/ipc" }, { type: "uts" }];
  const config = minimal({ namespaces, sysctl: { "net.core.somaxconn": "1" } });
  const joined = new Map([
    ["ipc", 3],
    ["network", 9],
  ] as const);
  const text = textOf(config, { joined });
  const at = ["setns(pidfd of 9, 1073741824)", "somaxconn", "setns(pidfd of 3, 134217728)"].map((what) =>
    text.indexOf(what),
  );
  expect(at).toEqual(at.toSorted((a, b) => a - b));
  expect(at[0]).toBeGreaterThan(0);
  const further = { id: "c", init: 7, namespaces: config.linux.namespaces, process: config.process, credit: 1 };
  const flags = 0x40000000 | 0x08000000 | 0x04000000 | 0x00020000;
  expect(disassemble(lowerExec({ ...further, settings: {} }))).toContain(`setns(pidfd of 7, ${flags})`);
});

test("with a user namespace of its own a container joins none of others", () => {
  const ids = [{ containerID: 0, hostID: 1000, size: 10 }];
  const namespaces = [{ type: "network" }, { type: "user" }, { type: "ipc" }];
  const config = minimal({ namespaces, uidMappings: ids, gidMappings: ids });
  const refused = (joined: ContainerPlan["joined"]) => () => lowerContainer(planOf(config, { joined: joined! }));
  const message =
    "linux.namespaces[1]: a container with a user namespace of its own cannot join namespaces of another container";
  for (const type of ["network", "ipc"] as const) expect(refused(new Map([[type, 3]]))).toThrow(message);
  expect(refused(new Map())).not.toThrow();
});

test("a user namespace that is joined is entered before what it is to own is made, and its ids are mapped already", () => {
  const ids = [{ containerID: 0, hostID: 1000, size: 10 }];
  const namespaces = [{ type: "user", path: "/proc/9/ns/user" }, { type: "pid" }, { type: "ipc" }];
  const config = minimal({ namespaces, uidMappings: ids, gidMappings: ids });
  const { main, outer } = lowerContainer(
    planOf(config, {
      joined: new Map([
        ["user", 3],
        ["ipc", 4],
      ]),
    }),
  );
  expect(outer).toBeUndefined();
  const text = disassemble(main);
  expect(text).not.toContain("id_map");
  const order = ["cgroup.procs", "setns(pidfd of 4", "setns(pidfd of 3", "unshare(537001984)", "succeed(", "fsconfig("];
  const at = order.map((what) => text.indexOf(what)).filter((index) => index >= 0);
  expect(at).toEqual(at.toSorted((a, b) => a - b));
  expect(at.length).toBeGreaterThanOrEqual(5);
});

test("a time namespace is entered once its clocks are set", () => {
  const timeOffsets = { boottime: { secs: -5 }, monotonic: { secs: 1, nanosecs: 2 } };
  const text = textOf(minimal({ namespaces: [{ type: "time" }], timeOffsets }));
  expect(text).toContain('"boottime -5 0"');
  expect(text).toContain('"monotonic 1 2"');
  expect(text.indexOf("unshare(128)")).toBeLessThan(text.indexOf("timens_offsets"));
  expect(text.indexOf("timens_offsets")).toBeLessThan(text.indexOf("time_for_children"));
});

test("without a cgroup namespace a container sees its own cgroup and no other", () => {
  const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] }];
  const shared = textOf(minimal({}, { mounts }));
  expect(shared).toMatch(/open_tree\(-100, "\/sys\/fs\/cgroup\/c"/);
  const own = textOf(minimal({ namespaces: [{ type: "cgroup" }] }, { mounts }));
  expect(own).toContain('fsopen("cgroup2"');
  expect(own.indexOf("unshare(33554432)")).toBeGreaterThan(own.indexOf("cgroup.procs"));
});
