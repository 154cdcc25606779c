import { expect, test } from "bun:test";
import { memoryPolicy } from "../../oci/memory-policy";
import { process as reader } from "../../oci/process";
import { numberSet } from "../../oci/scheduling";
import { Assembler } from "../../program/assembler";
import { disassemble } from "../../program/disassembler";
import { lowerExec } from "./exec";
import { hasCpuset, lowerAffinity, lowerMemoryPolicy, lowerScheduling, personalityOf } from "./scheduling";

test("a list of processors", () => {
  expect([...numberSet("0-2,9").subarray(0, 3)]).toEqual([7, 2, 0]);
  expect(numberSet("5000").every((byte) => byte === 0)).toBe(true);
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

test("a memory policy with and without nodes", () => {
  const textOf = (policy: object) => {
    const p = new Assembler();
    lowerMemoryPolicy(p, memoryPolicy(policy));
    return disassemble(p.assemble());
  };
  const flags = ["MPOL_F_STATIC_NODES"];
  expect(textOf({ mode: "MPOL_BIND", nodes: "0", flags })).toMatch(/set_mempolicy\(32770, .+, 1025\)/);
  expect(textOf({ mode: "MPOL_LOCAL" })).toContain("set_mempolicy(4)");
});

test("personalities", () => {
  const linux = (domain: "LINUX" | "LINUX32") => ({ personality: { domain } }) as Parameters<typeof personalityOf>[0];
  expect([personalityOf(linux("LINUX")), personalityOf(linux("LINUX32"))]).toEqual([0, 8]);
});

test("with a list of processors a process is bound to those of its cgroup, once it is in it, and one of exec's is, too", () => {
  const linux = (cpus?: string) => ({ resources: { cpu: { cpus } } }) as Parameters<typeof hasCpuset>[0];
  expect(["0", "", undefined].map((cpus) => hasCpuset(linux(cpus)))).toEqual([true, false, false]);
  const text = (cpuset: boolean) => {
    const process = reader({ args: ["sh"], cwd: "/" });
    const settings = cpuset ? { cpuset } : {};
    return disassemble(lowerExec({ id: "x", init: 1, namespaces: [], process, settings, credit: 4096 }));
  };
  expect(text(true)).toMatch(/cgroup\.procs[\s\S]*sched_setaffinity\(0, 128, /);
  expect(text(false)).not.toContain("sched_setaffinity");
});
