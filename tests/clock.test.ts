/** A container's clocks are the host's, also after its machine has stood still; CLOCK_MONOTONIC never goes backwards. */
import { expect } from "bun:test";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { partsOf } from "./drivers/support/parts";
import { bothClocks, writeProgram } from "./support/machine-code";
import { clean, type Rig, runvTest, templatesOf } from "./support/rig";
import { holders, parentOf, readyProcess } from "./support/template-process";

/** How far a clock may be off, in ms. */
const allowedMs = 100;
/** Longer than it takes ACPI's timer, which has 24 bits, to come round. */
const standsStillMs = 7_000;

runvTest("the clocks of a machine that boots, is cloned, is forked, and stands still for a while", async (rig) => {
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: ({ root }) => writeProgram(join(root.path, "clocks"), bothClocks),
  });
  const templates = ["--template", templatesOf(rig)];
  for (const [kind, flags] of Object.entries({ booted: ["--no-template"], cloned: templates, forked: templates })) {
    if (kind === "forked") await readyProcess(rig);
    const id = rig.id(kind);
    const started = await rig.runv(["--driver", "tcg", ...flags, "run", "-d", "-b", bundle, id]);
    expect([kind, started]).toMatchObject([kind, { code: 0, stderr: "" }]);
    const { machine } = partsOf(rig, id);
    if (kind === "forked") expect(holders(rig)).toContain(parentOf(parentOf(machine!)));
    const before = await clocks(rig, id);
    process.kill(machine!, "SIGSTOP");
    await Bun.sleep(standsStillMs);
    process.kill(machine!, "SIGCONT");
    const after = await clocks(rig, id);
    // It has not lost the time, either.
    expect(after.monotonic - before.monotonic).toBeGreaterThan(standsStillMs - allowedMs);
    if (kind === "forked") {
      if (availableParallelism() > 1) await onTwoProcessors(rig, id);
      else process.stderr.write("a second processor is not tried: this machine has one\n");
    }
    expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
  }
  await clean(rig);
});

/** What a container's clocks say, in ms, the time of day of which must be the host's. */
async function clocks({ runv }: Rig, id: string): Promise<{ realtime: number; monotonic: number }> {
  const before = Date.now();
  const [realtime = 0, monotonic = 0] = decode(
    (await runv(["exec", id, "sh", "-c", "/clocks | od -An -v -tx1"])).stdout,
  );
  expect(realtime).toBeGreaterThan(before - allowedMs);
  expect(realtime).toBeLessThan(Date.now() + allowedMs);
  return { realtime, monotonic };
}

function decode(hex: string): number[] {
  const bytes = Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
  const at = (offset: number) =>
    Number(bytes.readBigInt64LE(offset)) * 1000 + Number(bytes.readBigInt64LE(offset + 8)) / 1e6;
  return Array.from({ length: bytes.length / 32 }, (_, index) => [at(32 * index), at(32 * index + 16)]).flat();
}

/** A processor that is added has the same clock: it never goes backwards for who is here and there in turn. */
async function onTwoProcessors({ runv }: Rig, id: string): Promise<void> {
  expect(await runv(["update", "--cpu-period", "100000", "--cpu-quota", "200000", id])).toMatchObject({ code: 0 });
  const turns = "for i in 1 2 3 4 5 6 7 8; do taskset 1 /clocks; taskset 2 /clocks; done | od -An -v -tx1";
  const { stdout, code } = await runv(["exec", id, "sh", "-c", turns]);
  expect(code).toBe(0);
  const monotonic = decode(stdout).filter((_, index) => index % 2 === 1);
  expect(monotonic).toHaveLength(16);
  expect(monotonic).toEqual(monotonic.toSorted((a, b) => a - b));
}
