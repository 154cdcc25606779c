import { expect, test } from "bun:test";
import { disassemble } from "../program/disassembler";
import { awaitMemory, bringUpCpus, decodeMemorySize } from "./grow";
import { updateCgroup } from "./update-cgroup";

const program = updateCgroup("id", [
  { file: "memory.max", value: "1" },
  { file: "cpuset.cpus", value: "0", accept: ["EINVAL"] },
  { file: "pids.max", value: "2" },
]);
const text = disassemble(program);

test("each file is read before it is written, and written back once more by the code that undoes it", () => {
  expect(text.match(/ openat\(/g)).toHaveLength(3);
  expect(text.match(/ read\(/g)).toHaveLength(3);
  // The last one has nobody after it who could refuse.
  expect(text.match(/write\(/g)).toHaveLength(3 + 2);
});

test("what refuses is named", () => {
  const said = program.notes.findLast(({ doing }) => doing.includes("pids.max"));
  expect(said?.doing).toBe('set pids.max of the container\'s cgroup to "2"');
});

test("programs for processors and memory that come", () => {
  expect(disassemble(bringUpCpus(1, 3)).match(/openat\(.*cpu[12]\/online/g)).toHaveLength(2);
  expect(disassemble(awaitMemory(5))).toContain("sysinfo(");
  expect(decodeMemorySize(new Uint8Array([1, 2]))).toBe(0);
  expect(decodeMemorySize(new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0]))).toBe(256);
});
