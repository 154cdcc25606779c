/**
 * Many containers, one after the other and at once: nothing gathers, and none gets in another's way. RUNV_TEST_CYCLES says how many
 * cycles there are to be, 20 unless told; how long they take is the benchmark's business (bench/).
 */
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Rig, runvTest, templatesOf } from "./support/rig";
import { until } from "./support/until";

const cycles = Number(process.env.RUNV_TEST_CYCLES ?? 20);
const atOnce = 20;

/** What there is of a rig, in numbers. */
function countsOf(rig: Rig, templates: string): Record<string, number> {
  const kinds = rig.leaks().map((item) => (item.startsWith("/") ? "file" : item.slice(0, item.indexOf(" "))));
  const counts: Record<string, number> = {
    sandboxes: readdirSync(join(rig.root, ".sandboxes")).length,
    templates: readdirSync(templates).filter((name) => !name.startsWith(".")).length,
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(rig.name)).length,
  };
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

const status = async ({ runv }: Rig, id: string): Promise<string> =>
  JSON.parse((await runv(["state", id])).stdout).status;

runvTest(`${cycles} times create, start, kill and delete leave as much as one time does`, async (rig) => {
  const templates = templatesOf(rig);
  const bundle = await rig.bundle({ args: ["sleep", "100000"] });
  const id = rig.id("cycle");
  const call = async (...args: string[]) => {
    const result = await rig.runv(["--template", templates, ...args], { stdout: "/dev/null" });
    expect(result).toMatchObject({ code: 0, stderr: "" });
  };
  let first: Record<string, number> | undefined;
  for (let cycle = 0; cycle < cycles; cycle++) {
    await call("create", "--bundle", bundle, id);
    await call("start", id);
    await call("kill", id, "KILL");
    await until("it has stopped", async () => (await status(rig, id)) === "stopped");
    await call("delete", id);
    const counts = await until("its last process has gone", () => {
      const now = countsOf(rig, templates);
      return now.process === undefined && now;
    });
    first ??= counts;
    expect({ cycle, ...counts }).toEqual({ cycle, ...first });
  }
});

runvTest(`${atOnce} containers at once`, async (rig) => {
  const ids = Array.from({ length: atOnce }, (_, index) => rig.id(String(index)));
  const start = async (id: string) => {
    const bundle = await rig.bundle({
      args: ["sleep", "100000"],
      change: (config) => Object.assign(config, { hostname: id }),
    });
    expect(await rig.runv(["run", "-d", "-b", bundle, id], { timeout: 280_000 })).toMatchObject({
      code: 0,
      stderr: "",
    });
  };
  // The first makes the template, if there is none.
  await start(ids[0]!);
  await Promise.all(ids.slice(1).map(start));
  expect((await rig.runv(["list", "-q"])).stdout.split("\n").filter(Boolean).sort()).toEqual([...ids].sort());
  // Each is in a machine of its own, and the one that was asked for.
  const said = await Promise.all(
    ids.map(
      async (id) => (await rig.runv(["exec", id, "sh", "-c", "hostname; cat /proc/sys/kernel/random/boot_id"])).stdout,
    ),
  );
  expect(said.map((lines) => lines.split("\n")[0])).toEqual(ids);
  expect(new Set(said.map((lines) => lines.split("\n")[1])).size).toBe(atOnce);
  await Promise.all(
    ids.map(async (id) =>
      expect(await rig.runv(["delete", "--force", id])).toEqual({ code: 0, stdout: "", stderr: "" }),
    ),
  );
});
