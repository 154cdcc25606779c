/** preload/private-memory.c in a program that maps a file as QEMU maps a clone's memory: testing/private-memory.c. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = mkdtempSync(join(tmpdir(), "runv-private-memory-"));
const program = join(directory, "program");
const loaded = { LD_PRELOAD: join(import.meta.dir, "../dist/preload.so") };

beforeAll(() => {
  const cc = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program];
  const build = Bun.spawnSync([...cc, join(import.meta.dir, "testing/private-memory.c")]);
  expect(build.stderr.toString()).toBe("");
});

afterAll(() => rmSync(directory, { recursive: true }));

const mapped = (path: string, mode: "r" | "rw", env = {}) =>
  Bun.spawnSync([program, path, mode], { env }).stdout.toString();

test("what is opened for reading is mapped privately where it is to be shared; what is opened for writing is shared", () => {
  const path = join(directory, "memory");
  const original = Buffer.alloc(4096, "template");
  writeFileSync(path, original);
  expect(mapped(path, "r")).toBe("Permission denied\n");
  expect(mapped(path, "r", loaded)).toBe("mine\n");
  expect(readFileSync(path).equals(original)).toBeTrue();
  expect(mapped(path, "rw", loaded)).toBe("mine\n");
  expect(readFileSync(path, "latin1").slice(0, 8)).toBe("minelate");
});
