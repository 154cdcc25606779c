/** User, time and cgroup namespaces, seen from inside. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Config } from "./support/bundle";
import { runvTest } from "./support/rig";
import { until } from "./support/until";

function withNamespaces(config: Config): void {
  config.linux.namespaces.push({ type: "user" }, { type: "time" }, { type: "cgroup" });
  config.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  config.linux.gidMappings = [{ containerID: 0, hostID: 200_000, size: 65_536 }];
  config.linux.timeOffsets = { boottime: { secs: 1_000_000 }, monotonic: { secs: 2_000_000, nanosecs: 5 } };
  config.linux.resources = { memory: { limit: 64 << 20 } };
  config.linux.sysctl = { "kernel.msgmax": "1234", "net.ipv4.ip_forward": "1" };
  config.process.oomScoreAdj = -500;
  config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 70_000, hard: 70_000 }];
  const all = ["CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_SETUID"];
  config.process.capabilities = { bounding: all, effective: all, permitted: all };
  config.process.noNewPrivileges = false;
  config.linux.seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["swapon"], action: "SCMP_ACT_ERRNO" }],
  };
}

const probe = `
id -u; cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '
test $(cut -d. -f1 /proc/uptime) -gt 1000000 && echo later
cat /proc/self/cgroup /sys/fs/cgroup/memory.max /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj
ulimit -n
echo >/dev/null && stat -c %t:%T /dev/null
hostname inside && hostname
mount -t tmpfs tmpfs /tmp && touch /tmp/a && chown 5 /tmp/a && stat -c %u /tmp/a
mknod /tmp/null c 1 3 2>&1
ls /sys/kernel >/dev/null && echo sys
cat /proc/kcore 2>/dev/null | wc -c
`;

runvTest("a user namespace owns the container's others", async ({ runv, bundle, id }) => {
  const path = await bundle({ args: ["sleep", "100"], change: withNamespaces });
  const container = id("user");
  expect(await runv(["run", "-d", "-b", path, container])).toMatchObject({ code: 0, stderr: "" });
  const expected = [
    "0",
    " 0 100000 65536",
    " 0 200000 65536",
    "later",
    "0::/",
    "67108864",
    "1234",
    "1",
    "-500",
    "70000",
    "1:3",
    "inside",
    "5",
    "mknod: /tmp/null: Operation not permitted",
    "sys",
    "0",
    "",
  ];
  const { stdout, stderr } = await runv(["exec", container, "sh", "-c", probe]);
  expect({ lines: stdout.split("\n"), stderr }).toEqual({ lines: expected, stderr: "" });
  expect(await runv(["delete", "--force", container])).toMatchObject({ code: 0 });
  const once = await bundle({ args: ["sh", "-c", probe], change: withNamespaces });
  const own = await runv(["run", "-b", once, id("own")]);
  expect({ lines: own.stdout.split("\n"), stderr: own.stderr }).toEqual({ lines: expected, stderr: "" });
});

runvTest(
  "a container that joins a user namespace has others that this one owns, and joins what it owns",
  async (rig) => {
    const { runv, bundle, id, root } = rig;
    const first = await bundle({ args: ["sleep", "1000"], change: withNamespaces });
    expect(await runv(["run", "-d", "-b", first, id("first")])).toMatchObject({ code: 0, stderr: "" });
    const { shim } = JSON.parse(readFileSync(`${root}/${id("first")}/state.json`, "utf8"));
    const joining =
      (...types: string[]) =>
      (config: Config) => {
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => !types.includes(type));
        config.linux.namespaces.push(...types.map((type) => ({ type, path: `/proc/${shim.pid}/ns/${type}` })));
        // As podman has it: runc asks for mappings.
        config.linux.uidMappings = config.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 1 }];
        config.linux.resources = { memory: { limit: 67108864 } };
        config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 1234, hard: 1_000_000 }];
        for (const set of Object.values(config.process.capabilities as Record<string, string[]>))
          set.push("CAP_SYS_ADMIN");
        config.hostname = "second";
      };
    const probe = `
cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '
hostname; hostname other && hostname
echo $$; ulimit -n
mount -t proc proc /tmp && echo proc
stat -c %u:%g /dev/shm /proc/1`;
    const namespaces = async (suffix: string) =>
      (
        await runv([
          "exec",
          id(suffix),
          "sh",
          "-c",
          "cd /proc/self/ns; for type in user ipc uts pid; do readlink $type; done",
        ])
      ).stdout.trim();
    const before = await namespaces("first");
    const once = await bundle({ args: ["sh", "-c", probe], change: joining("user", "ipc") });
    expect(await runv(["run", "-b", once, id("once")])).toEqual({
      code: 0,
      stdout: " 0 100000 65536\n 0 200000 65536\nsecond\nother\n1\n1234\nproc\n0:0\n0:0\n",
      stderr: "",
    });
    const second = await bundle({ args: ["sleep", "1000"], change: joining("user", "ipc", "pid", "uts") });
    expect(await runv(["run", "-d", "-b", second, id("second")])).toMatchObject({ code: 0, stderr: "" });
    expect(await namespaces("second")).toBe(before);
    await runv(["kill", id("second"), "KILL"]);
    const status = async () => JSON.parse((await runv(["state", id("second")])).stdout).status;
    await until("its end is known", async () => (await status()) === "stopped");
    for (const suffix of ["second", "first"]) expect((await runv(["delete", "--force", id(suffix)])).code).toBe(0);
  },
);
