/** Cgroups as the callers of a runtime use them: `exec --cgroup`, and what is on the host before a container is. */
import { expect } from "bun:test";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "./support/rig";
import { sharedRig } from "./support/shared";
import { until } from "./support/until";

const shared = sharedRig(async (rig) => {
  const bundle = await rig.bundle({
    args: ["sh", "-c", "mkdir /sys/fs/cgroup/below; while :; do sleep 0.1; done"],
    change: ({ linux, mounts }) => {
      linux.namespaces.push({ type: "cgroup" });
      const cgroup = mounts.find(({ destination }) => destination === "/sys/fs/cgroup");
      cgroup!.options = cgroup!.options?.filter((option) => option !== "ro") ?? [];
    },
  });
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
