/** Cgroups as the callers of a runtime use them: `exec --cgroup`, and what is on the host before a container is. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./support/bundle";
import { type Rig, runvTest } from "./support/rig";
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
  expect(await cgroupOf("--cgroup", "..")).toContain(".. is not a sub cgroup path");
  expect(await cgroupOf("--cgroup", "nothing")).toContain("join the container's cgroup");
});

/** Starts processes in cgroups of the container's own, one in another. @returns when they have said so */
async function sleepBelow({ runv, id }: Rig, container: string): Promise<void> {
  const script = `
    cd /sys/fs/cgroup
    for cgroup in nest nest/deep nest/deep/deeper; do
      mkdir -p $cgroup
      sh -c "echo \\$\\$ >$cgroup/cgroup.procs; trap 'echo $cgroup >>/tmp/said; exit' TERM; while :; do sleep 0.1; done" &
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
