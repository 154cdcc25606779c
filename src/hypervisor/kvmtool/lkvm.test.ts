import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findLkvm } from "./lkvm";

const directory = mkdtempSync(join(tmpdir(), "runv-lkvm-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A program that has these options and says so as lkvm does: on standard error, with an exit code. */
function program(name: string, options: readonly string[]): string {
  const path = join(directory, name);
  const lines = options.map((option) => `    ${option}   words`).join("\n");
  writeFileSync(path, `#!/bin/sh\ncat >&2 <<'END'\n usage: lkvm run [<options>]\n\n${lines}\nEND\nexit 129\n`, {
    mode: 0o755,
  });
  return path;
}

test("one that can do all that is asked of it", async () => {
  const path = program("lkvm", ["-c, --cpus <n>", "--vsock <n>", "--nodefaults", "--loglevel <error>"]);
  expect(await findLkvm(path)).toBe(path);
  expect(await findLkvm(undefined, directory)).toBe(path);
});

test("one that is too old, and what it lacks", async () => {
  const path = program("old", ["--vsock <n>"]);
  await expect(findLkvm(path)).rejects.toMatchObject({
    code: "VM_LKVM_OLD",
    message: `${path} is too old, or no kvmtool: it has no option --nodefaults, --loglevel`,
    hint: expect.stringContaining("kvmtool.git"),
  });
});

test("none", async () => {
  await expect(findLkvm("/nonexistent/lkvm")).rejects.toMatchObject({
    code: "VM_LKVM_MISSING",
    message: "no program at /nonexistent/lkvm",
  });
});
