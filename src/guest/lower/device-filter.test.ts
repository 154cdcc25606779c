import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Ebpf, type EbpfInstruction } from "../../linux/ebpf";
import { readConfig } from "../../oci/config";
import type { DeviceRule } from "../../oci/devices";
import { deviceFilter, usualFilter } from "./device-filter";

/** Runs a filter as the kernel would. */
function run(program: readonly EbpfInstruction[], context: readonly number[]): number {
  const r = [0, 0, 0, 0, 0, 0];
  for (let at = 0; ; at++) {
    const { code, dst = 0, src = 0, offset = 0, immediate = 0 } = program[at]!;
    if (code === Ebpf.exit) return r[0]!;
    if (code === Ebpf.loadWord) r[dst] = context[offset / 4]!;
    else if (code === Ebpf.moveImmediate) r[dst] = immediate;
    else if (code === Ebpf.moveRegister) r[dst] = r[src]!;
    else if (code === Ebpf.andImmediate) r[dst]! &= immediate;
    else if (code === Ebpf.shiftRight) r[dst]! >>>= immediate;
    else if (code === Ebpf.jumpDifferent) at += r[dst] !== immediate ? offset : 0;
    else if (code === Ebpf.jumpDifferentRegister) at += r[dst] !== r[src] ? offset : 0;
    else if (code === Ebpf.jumpSet) at += (r[dst]! & immediate) !== 0 ? offset : 0;
    else if (code === Ebpf.jump) at += offset;
    else throw new Error(`code ${code}`);
  }
}

/** Whether `c 1:3 rw` is allowed. */
function allows(rules: readonly DeviceRule[], text: string): boolean {
  const [, type, major, minor, access = ""] = /^([bc]) (\d+):(\d+) (\w+)$/.exec(text)!;
  const bits = [..."mrw"].reduce((all, letter, bit) => all | (access.includes(letter) ? 1 << bit : 0), 0);
  const context = [(type === "b" ? 1 : 2) | (bits << 16), Number(major), Number(minor)];
  return run(deviceFilter(rules), context) === 1;
}

const denyAll: DeviceRule = { allow: false, access: "rwm" };

test("what every container may", () => {
  for (const rules of [[], [denyAll]]) {
    for (const device of ["c 1:3 rw", "c 136:7 rw", "c 5:2 rwm", "c 200:1 m", "b 8:0 m"]) {
      expect([device, allows(rules, device)]).toEqual([device, true]);
    }
    for (const device of ["c 1:1 r", "b 8:0 r", "c 5:1 rw", "b 1:3 r"]) {
      expect([device, allows(rules, device)]).toEqual([device, false]);
    }
  }
});

test("rules add to one another; access must be allowed by one of them", () => {
  const rules: DeviceRule[] = [
    denyAll,
    { allow: true, type: "b", major: 8, minor: 0, access: "r" },
    { allow: true, type: "c", major: 226, access: "rw" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
    { allow: false, type: "c", major: 10, minor: 229, access: "w" },
  ];
  expect(allows(rules, "b 8:0 r")).toBe(true);
  expect(allows(rules, "b 8:0 rw")).toBe(false);
  expect(allows(rules, "b 8:1 r")).toBe(false);
  expect(allows(rules, "c 226:128 rw")).toBe(true);
  expect(allows(rules, "c 10:229 r")).toBe(true);
  expect(allows(rules, "c 10:229 rw")).toBe(false);
});

test("all but some", () => {
  const rules: DeviceRule[] = [
    { allow: true, access: "rwm" },
    { allow: false, type: "b", major: 8, access: "w" },
  ];
  expect(allows(rules, "c 1:1 rw")).toBe(true);
  expect(allows(rules, "b 8:0 r")).toBe(true);
  expect(allows(rules, "b 8:0 w")).toBe(false);
  expect(allows(rules, "b 8:0 rw")).toBe(false);
});

test("a rule for all devices forgets those before it", () => {
  const first: DeviceRule = { allow: true, type: "b", major: 8, minor: 0, access: "rwm" };
  expect(allows([first, denyAll], "b 8:0 r")).toBe(false);
  expect(allows([denyAll, { allow: true, type: "a" }], "b 8:0 rw")).toBe(true);
});

/** The rules in a config.json that a client wrote. */
function rulesOf(config: string): readonly DeviceRule[] {
  const text = readFileSync(new URL(`../../../tests/configs/${config}.json`, import.meta.url), "utf8");
  return readConfig(JSON.parse(text)).linux.resources!.devices;
}

test("Docker's rules", () => {
  const rules = rulesOf("docker-plain");
  expect(allows(rules, "c 1:9 rw")).toBe(true);
  expect(allows(rules, "b 254:0 r")).toBe(false);
});

test("what clients write is a filter that the guest has, unless there are devices of one's own", () => {
  const ready = (config: string) => usualFilter(rulesOf(config));
  const [docker, podman] = [ready("docker-plain"), ready("podman-plain")];
  expect([docker, podman]).toEqual([expect.any(String), expect.any(String)]);
  expect(docker).not.toBe(podman);
  expect([ready("docker-limits"), ready("ctr-plain")]).toEqual([docker, docker]);
  expect(ready("cri-2-container")).toBe(podman);
  expect([ready("docker-device"), ready("docker-privileged")]).toEqual([undefined, undefined]);
});
