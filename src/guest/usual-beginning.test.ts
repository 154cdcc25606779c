import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readInit } from "../image/init-binary";
import { usualBeginning } from "./usual-beginning";

test("what most programs begin with goes through to its end, on this kernel too", async () => {
  const directory = mkdtempSync(join(tmpdir(), "beginning-"));
  try {
    const init = join(directory, "init");
    writeFileSync(init, readInit(), { mode: 0o755 });
    const running = Bun.spawn([init, "--exec", "0"], {
      stdin: usualBeginning(init).bytes,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, errors] = await Promise.all([running.stdout.bytes(), running.stderr.text()]);
    expect({ code: await running.exited, errors, bytes: output.length }).toEqual({ code: 0, errors: "", bytes: 64 });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
