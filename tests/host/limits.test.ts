/** The limits and devices of a container without a virtual machine, in this host's cgroups: of either version. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../support/bundle";
import { hostTest } from "../support/rig";
import { marker } from "../support/runv";

const isLegacy = existsSync("/sys/fs/cgroup/memory/memory.limit_in_bytes");

/** For what only cgroups of version 1 have. */
const legacyTest: typeof hostTest = isLegacy
  ? hostTest
  : (name) => test.skip(`${name}: this host has no cgroups of version 1`, () => {});

const limit = (resources: object) => (config: Config) => {
  Object.assign(config.linux, { resources: { ...(config.linux.resources as object), ...resources } });
};

legacyTest("limits are the processes' own", async (rig) => {
  const files =
    "memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes pids/pids.max cpu/cpu.shares cpu/cpu.cfs_quota_us cpuset/cpuset.cpus";
  const bundle = await rig.bundle({
    args: [
      "sh",
      "-c",
      `cd /sys/fs/cgroup; cat ${files}; sh -c 'for i in 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5; do sleep 1 & done' 2>&1 | grep -c fork`,
    ],
    change: limit({
      memory: { limit: 64 << 20, reservation: 32 << 20 },
      pids: { limit: 12 },
      cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0" },
    }),
  });
  const { stdout } = await rig.runv(["run", "-b", bundle, rig.id("limits")]);
  expect(stdout.split("\n").slice(0, 6)).toEqual([String(64 << 20), String(32 << 20), "12", "512", "50000", "0"]);
  expect(Number(stdout.split("\n")[6])).toBeGreaterThan(0);
});

hostTest("a device that no rule allows cannot be opened, though its node be made", async (rig) => {
  const probe =
    "mknod /dev/free c 1 5; mknod /dev/locked c 10 237; for d in free locked; do (: </dev/$d) 2>/dev/null && echo $d; done; :";
  const bundle = (devices: object[]) =>
    rig.bundle({
      args: ["sh", "-c", probe],
      change: (config) => {
        limit({ devices })(config);
        const { capabilities } = config.process as unknown as { capabilities: Record<string, string[]> };
        for (const set of Object.values(capabilities)) set.push("CAP_MKNOD");
      },
    });
  const run = async (devices: object[]) =>
    (await rig.runv(["run", "-b", await bundle(devices), rig.id("devices")])).stdout;
  expect(await run([{ allow: false, access: "rwm" }])).toBe("free\n");
  expect(
    await run([
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 237, access: "r" },
    ]),
  ).toBe("free\nlocked\n");
  expect(
    await run([
      { allow: true, access: "rwm" },
      { allow: false, type: "c", major: 10, minor: 237 },
    ]),
  ).toBe("free\n");
});

hostTest("a limit that this host cannot hold is an error, and nothing is left", async (rig) => {
  const { runv, id } = rig;
  const tooMuch = await rig.bundle({ change: limit({ cpu: { cpus: "4000" } }) });
  expect(await runv(["create", "-b", tooMuch, id("cpus")])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("cpuset.cpus"),
  });
  const contradiction = await rig.bundle({ change: limit({ memory: { limit: 64 << 20, swap: 32 << 20 } }) });
  expect((await runv(["create", "-b", contradiction, id("swap")])).stderr).toContain("memory.swap");
});

hostTest("a limit of descriptors is what it was, though more were needed to copy a directory", async (rig) => {
  const [, hard] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))!;
  const bundle = await rig.bundle({
    args: ["sh", "-c", "ulimit -Hn; ls /bin/sh"],
    change: ({ process, mounts }) => {
      process.rlimits = [{ type: "RLIMIT_NOFILE", soft: Number(hard), hard: Number(hard) }];
      mounts.push({ destination: "/bin", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
    },
  });
  const { code, stdout } = await rig.runv(["run", "-b", bundle, rig.id("copied")]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${hard}\n/bin/sh\n` });
});

legacyTest("a cgroup that others are in is no container's", async (rig) => {
  const path = `/sys/fs/cgroup/pids/${rig.name}`;
  mkdirSync(path);
  const sleeper = Bun.spawn(["sh", "-c", `echo $$ >${path}/cgroup.procs; exec sleep 1000`]);
  while (readFileSync(`${path}/cgroup.procs`, "utf8") === "") await Bun.sleep(1);
  const bundle = await rig.bundle({
    change: ({ linux }) => {
      linux.cgroupsPath = `/${rig.name}`;
    },
  });
  const { code, stderr } = await rig.runv(["create", "-b", bundle, rig.id("shared")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("container's cgroup is not empty: 1 process(es) found")]);
  expect(sleeper.exitCode).toBeNull();
  sleeper.kill();
  await sleeper.exited;
  await Bun.$`rmdir ${path}`;
});

/** A world with nothing but version 2. What a hybrid host has in version 1 is not there. */
const inUnified = `
  set -e
  cd /
  if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
  fi
  exec "$@"
`;

hostTest("with version 2 alone: devices by BPF, its own cgroup, pause, kill", async (rig) => {
  const { id, name } = rig;
  const probe =
    "mknod /dev/free c 1 5; mknod /dev/locked c 10 237; for d in free locked; do (: </dev/$d) 2>/dev/null && echo $d; done; cat /proc/self/cgroup; ls /sys/fs/cgroup/cgroup.procs; sleep 1000";
  const bundle = await rig.bundle({
    args: ["sh", "-c", probe],
    change: (config) => {
      config.linux.cgroupsPath = `/${name}`;
      config.linux.namespaces.push({ type: "cgroup" });
      const { capabilities } = config.process as unknown as { capabilities: Record<string, string[]> };
      for (const set of Object.values(capabilities)) set.push("CAP_MKNOD");
    },
  });
  const script = `
    "$@" run -d -b ${bundle} ${id("two")} >${rig.directory}/out 2>&1
    "$@" pause ${id("two")} && cat /sys/fs/cgroup/${name}/cgroup.events && "$@" resume ${id("two")}
    "$@" exec ${id("two")} cat /proc/self/cgroup
    "$@" update --memory 64M --pids-limit 30 --cpu-quota 70000 ${id("two")}
    (cd /sys/fs/cgroup/${name}; cat memory.max pids.max cpu.max 2>/dev/null)
    "$@" events --stats ${id("two")}
    "$@" ps --format json ${id("two")} | tr , '\\n' | wc -l
    "$@" kill --all ${id("two")} KILL
    until "$@" state ${id("two")} | grep -q stopped; do :; done
    "$@" delete ${id("two")}
    ls -d /sys/fs/cgroup/${name}`;
  const child = Bun.spawn(
    ["unshare", "-m", "sh", "-c", inUnified, "sh", "sh", "-c", script, "sh", ...rig.command([])],
    {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, [marker]: name },
    },
  );
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  const out = readFileSync(join(rig.directory, "out"), "utf8").split("\n");
  expect(out.slice(0, 1)).toEqual(["free"]);
  expect(out.filter((line) => line.startsWith("0::"))).toEqual(["0::/"]);
  expect(out).toContain("/sys/fs/cgroup/cgroup.procs");
  expect(stdout).toContain("frozen 1");
  expect(stdout).toContain("0::/\n");
  // A hybrid host's version 2 has no controllers.
  if (!isLegacy) expect(stdout).toContain(`${64 << 20}\n30\n70000 100000\n`);
  expect(JSON.parse(stdout.split("\n").find((line) => line.startsWith("{"))!).data.cpu.usage.total).toBeGreaterThan(0);
  expect(stdout.trim().split("\n").at(-1)).toBe("1");
  expect(stderr).toContain("No such file");
});
