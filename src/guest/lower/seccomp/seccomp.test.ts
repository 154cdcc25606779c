import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  BPF_MAXINSNS,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
} from "../../../linux/bpf";
import type { Architecture } from "../../../linux/syscalls";
import { readConfig } from "../../../oci/config";
import type { Seccomp, SeccompArgument } from "../../../oci/seccomp";
import type { SeccompAction, SeccompOperator } from "../../../oci/seccomp-names";
import { type CallingConvention, conventionsFor, numberOf } from "./architectures";
import { compileSeccomp, filterCode } from "./compile";
import { type Call, runFilter } from "./interpreter";

const [allow, eperm, enosys] = [SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 1, SECCOMP_RET_ERRNO | 38];
const i386 = 0x4000_0003;
const x32 = 0x4000_0000;

function profile(seccomp: object): Seccomp {
  const process = { args: ["sh"], cwd: "/" };
  const config = { ociVersion: "1.0.0", process, root: { path: "r" }, linux: { seccomp } };
  return readConfig(config).linux.seccomp!;
}

function profileOf(file: string): Seccomp {
  const text = readFileSync(new URL(`../../../../tests/configs/${file}.json`, import.meta.url), "utf8");
  return readConfig(JSON.parse(text)).linux.seccomp!;
}

function runOn(seccomp: Seccomp, machine: Architecture = "x86_64") {
  const program = filterCode(seccomp, machine);
  return (call: Call) => runFilter(program, call).returns;
}

/** What one rule does to an argument. */
function holds(args: Partial<SeccompArgument>[], values: bigint[], nr = 16, arch?: number): boolean {
  const rule = { names: ["ioctl"], action: "SCMP_ACT_TRAP", args };
  const all = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"], syscalls: [rule] };
  const call = arch === undefined ? { nr, args: values } : { nr, args: values, arch };
  return runOn(profile(all))(call) === SECCOMP_RET_TRAP;
}

test("Docker's profile: every call of every architecture is decided as a plain look into it decides", () => {
  const seccomp = profileOf("docker-plain");
  const run = runOn(seccomp);
  const conventions = conventionsFor(seccomp.architectures, "x86_64");
  expect(conventions.map(({ name }) => name)).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  for (const convention of conventions) {
    const plain = new Set(
      seccomp.syscalls
        .filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args.length === 0)
        .flatMap(({ names }) => names.map((name) => numberOf(name, convention))),
    );
    const newest = Math.max(...[...plain].map((number) => number ?? 0));
    const special = new Set(
      seccomp.syscalls
        .filter(({ action, args }) => action !== "SCMP_ACT_ALLOW" || args.length > 0)
        .flatMap(({ names }) => names.map((name) => numberOf(name, convention))),
    );
    for (let number = convention.bit; number < convention.bit + 600; number++) {
      if (special.has(number)) continue;
      const expected = plain.has(number) ? allow : number > newest ? enosys : eperm;
      expect([convention.name, number, run({ arch: convention.audit, nr: number })]).toEqual([
        convention.name,
        number,
        expected,
      ]);
    }
  }
});

test("Docker's profile: what looks at arguments", () => {
  const run = runOn(profileOf("docker-plain"));
  const CLONE_NEWUSER = 0x1000_0000n;
  expect(run({ nr: 56, args: [17n] })).toBe(allow);
  expect(run({ nr: 56, args: [17n | CLONE_NEWUSER] })).toBe(eperm);
  expect(run({ nr: 56, args: [17n | (1n << 40n)] })).toBe(allow);
  expect(run({ nr: 435 })).toBe(enosys);
  for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffff_ffffn]) {
    expect(run({ nr: 135, args: [persona] })).toBe(allow);
    expect(run({ nr: 135, args: [persona + 1n] })).toBe(eperm);
  }
  expect(run({ nr: 135, args: [1n << 32n] })).toBe(eperm);
  expect(run({ nr: 136, arch: i386, args: [1n << 32n] })).toBe(allow);
  expect(run({ nr: 0, arch: 0xc000_00b7 })).toBe(SECCOMP_RET_KILL_THREAD);
});

test("the search is short", () => {
  const program = filterCode(profileOf("docker-plain"), "x86_64");
  expect(program.length).toBeLessThan(900);
  let most = 0;
  for (let nr = 0; nr < 500; nr++) {
    // personality(2) has five comparisons of its own.
    if (nr !== 135) most = Math.max(most, runFilter(program, { nr, args: [5n] }).steps);
  }
  expect(most).toBeLessThan(20);
});

const operators: [SeccompOperator, (a: bigint, b: bigint) => boolean][] = [
  ["SCMP_CMP_EQ", (a, b) => a === b],
  ["SCMP_CMP_NE", (a, b) => a !== b],
  ["SCMP_CMP_LT", (a, b) => a < b],
  ["SCMP_CMP_LE", (a, b) => a <= b],
  ["SCMP_CMP_GT", (a, b) => a > b],
  ["SCMP_CMP_GE", (a, b) => a >= b],
];
const interesting = [
  0n,
  1n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1_0000_0001n,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
];

test("comparisons are of 64 bits, and of 32 where arguments are", () => {
  for (const [op, truth] of operators) {
    for (const value of interesting) {
      const asWritten = value <= 0x1_0000_0001n ? Number(value) : value;
      for (const given of interesting) {
        const arg = { index: 2, value: asWritten as number, op };
        expect([op, value, given, holds([arg], [0n, 0n, given])]).toEqual([op, value, given, truth(given, value)]);
        const low = truth(given & 0xffff_ffffn, value & 0xffff_ffffn);
        expect([op, value, given, holds([arg], [0n, 0n, given], 54, i386)]).toEqual([op, value, given, low]);
      }
    }
  }
});

test("masked comparisons", () => {
  const arg = { index: 1, op: "SCMP_CMP_MASKED_EQ" as const, value: 0xf0_0000_00f0, valueTwo: 0x10_0000_0020 };
  expect(holds([arg], [0n, 0x10_0000_0020n])).toBe(true);
  expect(holds([arg], [0n, 0x1f_ffff_ff2fn])).toBe(true);
  expect(holds([arg], [0n, 0x20_0000_0020n])).toBe(false);
  expect(holds([arg], [0n, 0x10_0000_0030n])).toBe(false);
});

test("comparisons of several arguments must all hold, of one argument any", () => {
  const arg = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" as const });
  const values: [bigint, bigint][] = [
    [1n, 2n],
    [1n, 0n],
    [0n, 2n],
    [0n, 0n],
  ];
  expect(values.map((pair) => holds([arg(0, 1), arg(1, 2)], pair))).toEqual([true, false, false, false]);
  expect([1n, 2n, 3n].map((value) => holds([arg(0, 1), arg(0, 2)], [value]))).toEqual([true, true, false]);
});

test("every action, and the number that some carry", () => {
  const outcomes: [SeccompAction, number][] = [
    ["SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW],
    ["SCMP_ACT_ERRNO", eperm],
    ["SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD],
    ["SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD],
    ["SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS],
    ["SCMP_ACT_LOG", SECCOMP_RET_LOG],
    ["SCMP_ACT_TRACE", SECCOMP_RET_TRACE | 1],
    ["SCMP_ACT_TRAP", SECCOMP_RET_TRAP],
  ];
  for (const [action, returns] of outcomes) {
    const run = runOn(
      profile({ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 5, syscalls: [{ names: ["read"], action }] }),
    );
    expect([action, run({ nr: 0 })]).toEqual([action, returns]);
    expect(run({ nr: 1 })).toBe(SECCOMP_RET_ERRNO | 5);
    expect(runOn(profile({ defaultAction: action }))({ nr: 3 })).toBe(returns);
  }
  const trace = { names: ["read"], action: "SCMP_ACT_TRACE", errnoRet: 77 };
  expect(runOn(profile({ defaultAction: "SCMP_ACT_ALLOW", syscalls: [trace] }))({ nr: 0 })).toBe(
    SECCOMP_RET_TRACE | 77,
  );
  expect(() => compileSeccomp(profile({ defaultAction: "SCMP_ACT_NOTIFY" }))).toThrow("SCMP_ACT_NOTIFY");
});

test("of several rules for a call the first without comparisons stands above all", () => {
  const when = { names: ["read"], action: "SCMP_ACT_TRAP", args: [{ index: 0, value: 1, op: "SCMP_CMP_EQ" }] };
  const always = { names: ["read"], action: "SCMP_ACT_LOG" };
  const late = { names: ["read"], action: "SCMP_ACT_ERRNO" };
  const same = { names: ["read"], action: "SCMP_ACT_ALLOW" };
  const rules = (...syscalls: object[]) => runOn(profile({ defaultAction: "SCMP_ACT_ALLOW", syscalls }));
  const read1 = { nr: 0, args: [1n] };
  expect(rules(when, always, late)(read1)).toBe(SECCOMP_RET_LOG);
  expect(rules(late, when, always)(read1)).toBe(eperm);
  expect(rules(same, when)(read1)).toBe(SECCOMP_RET_TRAP);
  expect(rules(when)({ nr: 0, args: [2n] })).toBe(allow);
});

test("x32 and the other machine's calls end the caller where the profile does not list them", () => {
  const rules = [{ names: ["read", "write"], action: "SCMP_ACT_ALLOW" }];
  const run = runOn(profile({ defaultAction: "SCMP_ACT_ERRNO", syscalls: rules }));
  expect([run({ nr: 0 }), run({ nr: 5 }), run({ nr: 500 })]).toEqual([allow, eperm, eperm]);
  expect(run({ nr: x32 })).toBe(SECCOMP_RET_KILL_THREAD);
  expect(run({ nr: 3, arch: i386 })).toBe(SECCOMP_RET_KILL_THREAD);
});

test("socket calls of 32-bit x86 go both ways", () => {
  const rules = [{ names: ["socket", "accept", "msgget"], action: "SCMP_ACT_ALLOW" }];
  const run = runOn(profile({ defaultAction: "SCMP_ACT_TRAP", architectures: ["SCMP_ARCH_X86"], syscalls: rules }));
  const by = (nr: number, call: bigint) => run({ arch: i386, nr, args: [call] }) === allow;
  expect([by(359, 0n), by(102, 1n), by(102, 5n), by(102, 2n), by(117, 13n), by(117, 1n)]).toEqual([
    true,
    true,
    true,
    false,
    true,
    false,
  ]);
});

test("an ARM machine", () => {
  const rules = [{ names: ["read", "open", "nothing_of_that_name"], action: "SCMP_ACT_ALLOW" }];
  const architectures = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X86_64"];
  const run = runOn(profile({ defaultAction: "SCMP_ACT_ERRNO", architectures, syscalls: rules }), "aarch64");
  const [aarch64, arm] = [0xc000_00b7, 0x4000_0028];
  expect([run({ arch: aarch64, nr: 63 }), run({ arch: aarch64, nr: 62 }), run({ arch: aarch64, nr: 64 })]).toEqual([
    allow,
    eperm,
    enosys,
  ]);
  expect([run({ arch: arm, nr: 3 }), run({ arch: arm, nr: 5 }), run({ arch: arm, nr: 4 })]).toEqual([
    allow,
    allow,
    eperm,
  ]);
  expect(run({ nr: 0 })).toBe(SECCOMP_RET_KILL_THREAD);
});

test("flags, and the kernel's bound", () => {
  const flags = (list?: string[]) => compileSeccomp(profile({ defaultAction: "SCMP_ACT_ALLOW", flags: list })).flags;
  expect(flags()).toBe(4);
  expect(flags([])).toBe(0);
  expect(flags(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"])).toBe(3);
  expect(flags(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])).toBe(0);
  const args = [0, 1, 2, 3, 4, 5].map((index) => ({ index, value: index, op: "SCMP_CMP_GT" }));
  const rule = { names: ["ioctl"], action: "SCMP_ACT_TRAP", args };
  const huge = profile({ defaultAction: "SCMP_ACT_ALLOW", syscalls: Array(200).fill(rule) });
  expect(filterCode(huge, "x86_64").length).toBeGreaterThan(BPF_MAXINSNS);
  expect(() => compileSeccomp(huge)).toThrow(/linux.seccomp: compiles to \d+ instructions/);
});

test("the tables agree with the numbers that runv itself uses", async () => {
  const { syscallNumber } = await import("../../../linux/syscalls");
  const [x86] = conventionsFor([], "x86_64") as [CallingConvention];
  const [arm] = conventionsFor([], "aarch64") as [CallingConvention];
  for (const name of [
    "openat2",
    "mount_setattr",
    "clone",
    "ppoll",
    "renameat2",
    "truncate",
    "statfs",
    "fcntl",
  ] as const) {
    expect([name, numberOf(name, x86), numberOf(name, arm)]).toEqual([
      name,
      syscallNumber(name, "x86_64"),
      syscallNumber(name, "aarch64"),
    ]);
  }
});
