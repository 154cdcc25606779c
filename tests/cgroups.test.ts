/** Cgroups as the callers of a runtime use them: `exec --cgroup`, and what is on the host before a container is. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { type Rig, runvTest } from "./support/rig";
import { marker } from "./support/runv";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

/** The bundle of a container that may make cgroups, and whose first process TERM does not end. */
const writable = (rig: Rig, change: (config: Config) => void = () => {}) =>
  rig.bundle({
    args: ["sh", "-c", "trap : TERM; mkdir /sys/fs/cgroup/below; while :; do sleep 0.1; done"],
    change: (config) => {
      const { linux, mounts } = config;
      linux.namespaces.push({ type: "cgroup" });
      const cgroup = mounts.find(({ destination }) => destination === "/sys/fs/cgroup");
      cgroup!.options = cgroup!.options?.filter((option) => option !== "ro") ?? [];
      mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
      change(config);
    },
  });

const shared = sharedRig(async (rig) => {
  const bundle = await writable(rig);
  const { code, stderr } = await rig.runv(["run", "-d", "-b", bundle, rig.id("main")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

shared("exec --cgroup runs a process in a cgroup that the container has made", async ({ runv, id }) => {
  const cgroupOf = async (...flags: string[]) => {
    const { stdout, stderr } = await runv(["exec", ...flags, id("main"), "cat", "/proc/self/cgroup"]);
    return stdout + stderr;
  };
  await until("the cgroup is made", async () => (await cgroupOf("--cgroup", "below")) === "0::/below\n");
  expect(await cgroupOf("--cgroup", "cpu,memory:/below")).toBe("0::/below\n");
  expect(await cgroupOf("--cgroup", "/")).toBe("0::/\n");
  expect(await cgroupOf("--cgroup", "..")).toContain("bad sub cgroup path: ..");
  expect(await cgroupOf("--cgroup", "nothing")).toContain("join the container's cgroup");
});

/** Starts processes in cgroups of the container's own, one in another. @returns when they have said so */
async function sleepBelow({ runv, id }: Rig, container: string): Promise<void> {
  const script = `
    cd /sys/fs/cgroup
    for cgroup in nest nest/deep nest/deep/deeper; do
      mkdir -p $cgroup
      sh -c "echo \\$\\$ >$cgroup/cgroup.procs; trap 'echo $cgroup >>/tmp/said; exit' TERM; while :; do sleep 0.1; done" >/dev/null 2>&1 &
      until grep -q . $cgroup/cgroup.procs; do :; done
    done
  `;
  expect(await runv(["exec", id(container), "sh", "-c", script], { stdout: "/dev/null" })).toMatchObject({ code: 0 });
}

shared("ps and kill --all reach the processes in all of its cgroups", async (rig) => {
  const { runv, id } = rig;
  await sleepBelow(rig, "main");
  const { stdout } = await runv(["ps", id("main"), "-eo", "pid,args"]);
  for (const cgroup of ["nest", "nest/deep", "nest/deep/deeper"]) expect(stdout).toContain(`>${cgroup}/cgroup.procs`);
  expect(stdout.split("\n")[0]).toMatch(/^ *PID COMMAND$/);
  expect(await runv(["kill", "--all", id("main"), "TERM"])).toEqual({ code: 0, stdout: "", stderr: "" });
  await until("all of them have had it", async () => {
    const said = await runv(["exec", id("main"), "cat", "/tmp/said"]);
    return said.stdout.split("\n").sort().join() === ",nest,nest/deep,nest/deep/deeper";
  });
});

shared("a container that shares the machine leaves none of its cgroups there", async (rig) => {
  const { runv, id, root } = rig;
  const { shim } = JSON.parse(readFileSync(join(root, id("main"), "state.json"), "utf8"));
  const bundle = await writable(rig, (config) => {
    const network = config.linux.namespaces.find(({ type }) => type === "network");
    network!.path = `/proc/${shim.pid}/ns/net`;
  });
  for (const _ of [1, 2]) {
    // The same name again: there is no such cgroup left.
    expect(await runv(["run", "-d", "-b", bundle, id("member")])).toMatchObject({ code: 0, stderr: "" });
    await sleepBelow(rig, "member");
    expect(await runv(["delete", "--force", id("member")])).toEqual({ code: 0, stdout: "", stderr: "" });
  }
});

/** As systemd, Docker and buildkit do: processes in cgroups below, which have the controllers. */
const nest = `
  cd /sys/fs/cgroup
  mkdir -p init.scope/deep other
  while read -r pid; do echo $pid >init.scope/deep/cgroup.procs; done <cgroup.procs
  # Who looks whether this is done is in the cgroup for a moment.
  for c in $(cat cgroup.controllers); do until echo +$c >cgroup.subtree_control; do sleep 0.1; done; done 2>/dev/null
  trap : TERM
  sh -c 'trap "echo other >>/tmp/said" TERM; while :; do sleep 0.1; done' &
  echo $! >other/cgroup.procs
  echo done >/tmp/nested
  while :; do sleep 0.1; done
`;

for (const user of [false, true]) {
  runvTest(
    `a container${user ? " in a user namespace" : ""} that nests cgroups is reached as any other`,
    async (rig) => {
      const { runv, id } = rig;
      const bundle = await writable(rig, ({ process, linux }) => {
        process.args = ["sh", "-c", nest];
        linux.resources = { ...(linux.resources as object), memory: { limit: 96 << 20 } };
        if (!user) return;
        linux.namespaces.push({ type: "user" });
        linux.uidMappings = linux.gidMappings = [{ containerID: 0, hostID: 0, size: 65536 }];
      });
      expect(await runv(["run", "-d", "-b", bundle, id("nest")])).toMatchObject({ code: 0, stderr: "" });
      const inside = (...args: string[]) => runv(["exec", id("nest"), ...args]);
      await until("it has nested", async () => (await inside("cat", "/tmp/nested")).stdout === "done\n");
      // "No internal processes": a process goes where the first one is.
      expect(await inside("cat", "/proc/self/cgroup")).toEqual({
        code: 0,
        stdout: "0::/init.scope/deep\n",
        stderr: "",
      });
      const at = (path: string) => runv(["exec", "--cgroup", path, id("nest"), "cat", "/proc/self/cgroup"]);
      expect((await at("other")).stdout).toBe("0::/other\n");
      // Whoever names the container's own is told that it cannot be.
      expect(await at("/")).toMatchObject({ code: 255, stderr: expect.stringContaining("device or resource busy") });
      const { stdout } = await runv(["ps", id("nest"), "-eo", "pid,args"]);
      expect(stdout).toMatch(/mkdir -p init\.scope.*trap "echo other/s);
      for (const command of [["pause"], ["resume"], ["update", "--pids-limit", "77"]]) {
        expect(await runv([...command, id("nest")])).toEqual({ code: 0, stdout: "", stderr: "" });
      }
      expect((await inside("cat", "/sys/fs/cgroup/pids.max")).stdout).toBe("77\n");
      const stats = JSON.parse((await runv(["events", "--stats", id("nest")])).stdout).data;
      expect(stats.pids).toMatchObject({ limit: 77 });
      expect(stats.memory.usage.usage).toBeGreaterThan(100_000);
      expect(await runv(["kill", "--all", id("nest"), "TERM"])).toEqual({ code: 0, stdout: "", stderr: "" });
      await until("all have had it", async () => (await inside("cat", "/tmp/said")).stdout === "other\n");
      // Threads of its first process's cgroup are elsewhere: such a cgroup takes no processes of others.
      await inside("sh", "-c", "cd /sys/fs/cgroup; mkdir threads; echo threaded >threads/cgroup.type; rmdir threads");
      expect(await inside("true")).toMatchObject({ code: 0 });
      // What costs one of its cgroups a process is the container's end of memory.
      const greedy = "echo 20000000 >/sys/fs/cgroup/other/memory.max; dd if=/dev/zero of=/dev/null bs=64M count=1";
      const killed = await runv(["exec", "--cgroup", "other", id("nest"), "sh", "-c", greedy]);
      expect(killed.code).toBe(137);
      await until("it is noticed", async () => {
        const state = await runv(["events", "--stats", id("nest")]);
        return JSON.parse(state.stdout).data.memory.usage.failcnt > 0;
      });
      expect(await runv(["delete", "--force", id("nest")])).toEqual({ code: 0, stdout: "", stderr: "" });
    },
  );
}

runvTest("a frozen cgroup of the host is refused, and stays as it was", async ({ runv, id, name, bundle }) => {
  const freezer = existsSync("/sys/fs/cgroup/freezer") ? "/sys/fs/cgroup/freezer" : "/sys/fs/cgroup";
  const cgroup = join(freezer, `${name}-frozen`);
  const [file, frozen, thawed] = freezer.endsWith("freezer")
    ? ["freezer.state", "FROZEN", "THAWED"]
    : ["cgroup.freeze", "1", "0"];
  mkdirSync(cgroup);
  writeFileSync(join(cgroup, file!), frozen!);
  const path = await bundle({
    change: ({ linux }) => {
      linux.cgroupsPath = `/${name}-frozen`;
    },
  });
  const { code, stderr } = await runv(["run", "-b", path, id("frozen")]);
  expect(code).toBe(1);
  expect(stderr).toContain("container's cgroup unexpectedly frozen");
  writeFileSync(join(cgroup, file!), thawed!);
  rmdirSync(cgroup);
});

/** A world with nothing but version 2, in which a command's own cgroup has processes: theirs, as in each service and session of systemd's. */
const inService = `
  set -e
  cd /sys/fs/cgroup
  if [ "$(stat -fc %T .)" != cgroup2fs ]; then
    cd /
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
    cd /sys/fs/cgroup
  fi
  mkdir -p $0/service
  for directory in . $0; do
    for name in $(cat cgroup.controllers); do echo +$name >$directory/cgroup.subtree_control; done
  done
  echo $$ >$0/service/cgroup.procs
  run=0
  "$@" || run=$?
  echo $$ >cgroup.procs
  timeout 20 sh -c "until rmdir $0/service $0; do :; done" 2>/dev/null
  exit $run
`;

runvTest("in version 2, without a path, it is beside the caller's own, which has processes", async (rig) => {
  const bundle = await rig.bundle({
    args: ["sleep", "1000"],
    change: ({ linux }) => {
      delete linux.cgroupsPath;
    },
  });
  const id = rig.id("beside");
  const script = `"$@" run -d -b ${bundle} ${id} && find /sys/fs/cgroup -name ${id} && "$@" delete --force ${id}`;
  const service = ["unshare", "-m", "sh", "-c", inService, rig.name, "sh", "-c", script, "sh"];
  const path = join(rig.directory, "said");
  const file = Bun.file(path);
  const child = Bun.spawn([...service, ...rig.command([])], {
    stdio: ["ignore", file, file],
    env: { ...process.env, [marker]: rig.name },
  });
  const code = await child.exited;
  expect([code, readFileSync(path, "utf8")]).toEqual([0, `/sys/fs/cgroup/${rig.name}/${id}\n`]);
});
