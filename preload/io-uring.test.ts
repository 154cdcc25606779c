/** preload/io-uring.c: QEMU is told that there is no io_uring, whose memory machines that are forked would share. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

test("who asks for an io_uring gets none", () => {
  const directory = mkdtempSync(join(tmpdir(), "runv-io-uring-"));
  try {
    const program = join(directory, "io-uring");
    const cc = ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", program];
    const build = Bun.spawnSync([...cc, join(import.meta.dir, "testing/io-uring.c"), "-ldl"]);
    expect(build.stderr.toString()).toBe("");
    const run = Bun.spawnSync([program], { env: { LD_PRELOAD: join(import.meta.dir, "../dist/preload.so") } });
    const none = -constants.errno.ENOSYS;
    expect([run.exitCode, run.stdout.toString()]).toEqual([0, `${none} ${none}\n`]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
