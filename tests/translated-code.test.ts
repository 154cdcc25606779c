/** Under emulation the guest's code is translated, and what that takes is bounded, whatever runs: the container's limit on the host knows of it. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { directoryOf, hierarchies } from "../src/linux/cgroups";
import { partsOf } from "./drivers/support/parts";
import { newCode, writeProgram } from "./support/machine-code";
import { clean, runvTest, templatesOf } from "./support/rig";
import { holders, parentOf, readyProcess } from "./support/template-process";

const limit = 100 << 20;
/** More than a machine takes whose code is bounded; without a bound it takes 360 MiB. */
const mostMiB = 290;

runvTest("a machine's memory is bounded, whatever code runs in it: booted, cloned and forked", async (rig) => {
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: ({ root, linux }) => {
      writeProgram(join(root.path, "new-code"), newCode(75));
      linux.resources = { memory: { limit } };
    },
  });
  const kinds = {
    booted: ["--no-template"],
    cloned: ["--template", templatesOf(rig)],
    forked: ["--template", templatesOf(rig)],
  };
  for (const [kind, flags] of Object.entries(kinds)) {
    const id = rig.id(kind);
    const runv = (...args: string[]) => rig.runv(["--driver", "tcg", ...flags, ...args]);
    if (kind === "forked") await readyProcess(rig);
    expect(await runv("run", "-d", "-b", bundle, id)).toMatchObject({ code: 0, stderr: "" });
    const machine = partsOf(rig, id).machine!;
    if (kind === "forked") expect(holders(rig)).toContain(parentOf(parentOf(machine)));
    expect(await runv("exec", id, "/new-code")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(anonymousOf(machine)).toBeLessThan(mostMiB);
    // What it has for itself, all the guest's memory, and the monitor and shims beside it.
    expect(hostLimitOf(machine)).toBeGreaterThanOrEqual(224 + mostMiB + 256);
    expect((await runv("delete", "--force", id)).code).toBe(0);
  }
  await clean(rig);
});

/** What a process has for itself, in MiB. */
function anonymousOf(pid: number): number {
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

/** The limit of memory of a process's cgroup, in MiB. */
function hostLimitOf(pid: number): number {
  const [hierarchy] = hierarchies().filter(
    ({ version, controllers }) => version === 2 || controllers.includes("memory"),
  );
  const line = readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .split("\n")
    .map((text) => text.split(":"))
    .find(([, controllers = ""]) => (hierarchy!.version === 2 ? controllers === "" : controllers.includes("memory")));
  const file = hierarchy!.version === 2 ? "memory.max" : "memory.limit_in_bytes";
  return Number(readFileSync(`${directoryOf(hierarchy!, line![2]!)}/${file}`, "utf8")) / 2 ** 20;
}
