import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findQemu, identifyQemu } from "./binary";

const directory = mkdtempSync(join(tmpdir(), "runv-qemu-"));
const cache = join(directory, "cache");
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A program that counts its calls and says a version. */
function fake(name: string, says: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\necho x >> ${path}.calls\necho '${says}'\n`);
  chmodSync(path, 0o755);
  return path;
}

test("QEMU is asked for its version once", async () => {
  const path = fake("qemu", "QEMU emulator version 8.2.1");
  for (let i = 0; i < 3; i++) expect(await identifyQemu(path, cache)).toEqual({ path, version: [8, 2, 1] });
  expect(readFileSync(`${path}.calls`, "utf8")).toBe("x\n");
});

test("another program is asked again, a damaged cache is no error, nor is one that cannot be written", async () => {
  expect((await identifyQemu(fake("other", "QEMU emulator version 9.0.0"), cache)).version).toEqual([9, 0, 0]);
  writeFileSync(join(cache, "qemu-version.json"), "{");
  expect((await identifyQemu(join(directory, "other"), cache)).version).toEqual([9, 0, 0]);
  writeFileSync(join(directory, "file"), "");
  const nowhere = join(directory, "file", "cache");
  expect((await identifyQemu(join(directory, "other"), nowhere)).version).toEqual([9, 0, 0]);
});

test.each([
  ["old", "QEMU emulator version 4.2.1", "VM_QEMU_OLD", "is QEMU 4.2.1, runv needs 5.0 or later"],
  ["strange", "hello", "VM_QEMU_START", "not a version of QEMU: hello"],
])("%s", async (name, says, code, message) => {
  const error = await identifyQemu(fake(name, says)).catch((error) => error);
  expect(error.code).toBe(code);
  expect(error.message).toContain(message);
});

test("no QEMU", () => {
  mkdirSync(join(directory, "empty"), { recursive: true });
  expect(() => findQemu(join(directory, "none"))).toThrow(`no program at ${join(directory, "none")}`);
  expect(() => findQemu("qemu-of-nobody", join(directory, "empty"))).toThrow("no qemu-of-nobody on PATH");
  // A directory of that name is no program.
  expect(() => findQemu("empty", directory)).toThrow("no empty on PATH");
});
