import { expect, test } from "bun:test";
import { process as reader } from "../../oci/process";
import { Assembler } from "../../program/assembler";
import { disassemble } from "../../program/disassembler";
import { cpuSet, lowerAffinity, lowerScheduling, personalityOf } from "./scheduling";

test("a list of processors", () => {
  expect([...cpuSet("0-2,9").subarray(0, 3)]).toEqual([7, 2, 0]);
  expect(cpuSet("5000").every((byte) => byte === 0)).toBe(true);
});

test("what is not asked for is not set", () => {
  const p = new Assembler();
  lowerScheduling(p, reader({ args: ["sh"], cwd: "/" }), 0);
  lowerAffinity(p, undefined);
  expect(p.length).toBe(0);
});

test("scheduler and I/O priority", () => {
  const p = new Assembler();
  const scheduler = { policy: "SCHED_FIFO", priority: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"] };
  lowerScheduling(
    p,
    reader({ args: ["sh"], cwd: "/", scheduler, ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 4 } }),
    0,
  );
  const text = disassemble(p.assemble());
  expect(text).toContain("# set the scheduler SCHED_FIFO");
  expect(text).toContain(`ioprio_set(1, 0, ${(3 << 13) | 4})`);
});

test("an I/O priority without a number is the highest of its class", () => {
  const p = new Assembler();
  lowerScheduling(p, reader({ args: ["sh"], cwd: "/", ioPriority: { class: "IOPRIO_CLASS_BE" } }), 0);
  expect(disassemble(p.assemble())).toContain(`ioprio_set(1, 0, ${2 << 13})`);
});

test("processors that the machine lacks are no error", () => {
  const p = new Assembler();
  lowerAffinity(p, "500");
  expect(disassemble(p.assemble())).toMatch(/sched_setaffinity.*EINVAL/);
});

test("personalities", () => {
  const linux = (domain: "LINUX" | "LINUX32") => ({ personality: { domain } }) as Parameters<typeof personalityOf>[0];
  expect([personalityOf(linux("LINUX")), personalityOf(linux("LINUX32"))]).toEqual([0, 8]);
});
