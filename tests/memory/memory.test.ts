/** A container without limits has the memory that real work takes, and takes none of it from the host before it is used. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultMemoryMiB, memorySource } from "../../src/sandbox/default-memory";
import { ownMiB } from "../../src/sandbox/give-back";
import { partsOf } from "../drivers/support/parts";
import { command } from "../support/command";
import { clean, type Rig, runvTest, templatesOf } from "../support/rig";
import { until } from "../support/until";

const score = 250;

/** A bundle without limits, whose root has the program. */
async function bundleOf(rig: Rig): Promise<string> {
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: ({ process }) => Object.assign(process, privileged),
  });
  const { root } = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  const program = join(import.meta.dir, "work.c");
  await command("cc", "-O1", "-static", "-pthread", "-o", join(root.path, "bin/work"), program);
  return bundle;
}

const privileged = {
  rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 1 << 18 }],
  oomScoreAdj: score,
};

runvTest("threads, files, connections and memory of real work, in a container without limits", async (rig) => {
  const templates = templatesOf(rig);
  const runv = (...args: string[]) => rig.runv(["--template", templates, ...args], { timeout: 300_000 });
  const id = rig.id("real");
  expect(await runv("run", "-d", "-b", await bundleOf(rig), id)).toMatchObject({ code: 0, stderr: "" });
  const machine = partsOf(rig, id).machine!;
  const atFirst = ownMiB(machine)!;
  const has = defaultMemoryMiB(memorySource("auto", undefined, templates));
  expect(has).toBeGreaterThanOrEqual(1024);

  const meminfo = await runv("exec", id, "cat", "/proc/meminfo");
  const total = Number(/^MemTotal: +(\d+) kB/m.exec(meminfo.stdout)?.[1]) / 1024;
  expect(total).toBeGreaterThan(has * 0.9);
  expect(total).toBeLessThanOrEqual(has);
  // All that there is, and little of it taken.
  expect(atFirst).toBeLessThan(120);
  expect(readFileSync(`/proc/${machine}/oom_score_adj`, "utf8").trim()).toBe(String(score));

  for (const work of [
    ["threads", "600"],
    ["threads", "3000"],
    ["files", "8300"],
    ["connections", "200"],
    ["touch", "600"],
  ]) {
    expect([...work, await runv("exec", id, "work", ...work)]).toEqual([
      ...work,
      { code: 0, stdout: "done\n", stderr: "" },
    ]);
  }
  // What was used and freed is the host's again.
  await until("the memory comes back", () => ownMiB(machine)! < atFirst + 250, 120_000);
  expect((await runv("delete", "--force", id)).code).toBe(0);
  await clean(rig);
});

runvTest("a limit holds as ever: the end of memory is the container's", async (rig) => {
  const bundle = await rig.bundle({
    args: ["tail", "/dev/zero"],
    change: ({ linux }) => (linux.resources = { memory: { limit: 100 << 20 } }),
  });
  expect((await rig.runv(["run", "-b", bundle, rig.id("limited")])).code).toBe(137);
});
