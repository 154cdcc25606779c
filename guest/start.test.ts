/** The ways init is started, and what it says at first. */
import { expect, test } from "bun:test";
import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as linux from "../src/linux/constants";
import { errnoOf } from "../src/linux/errno";
import type { Assembler } from "../src/program/assembler";
import { FrameType } from "../src/wire/frame";
import { initBinary, useInit } from "./testing/init";
import { exit, mebi, pipes, program, shell } from "./testing/programs";

const { init, directory } = useInit();

test("hello tells the version, the machine and the kernel", async () => {
  const { payload, process: handle } = await init.hello.promise;
  const view = new DataView(payload.buffer);
  expect(handle).toBe(0);
  expect([view.getUint32(0, true), view.getUint32(4, true)]).toEqual([2, process.arch === "x64" ? 62 : 183]);
  expect(Buffer.from(payload.subarray(8)).toString()).toBe(
    (await Bun.file("/proc/sys/kernel/osrelease").text()).trim(),
  );
});

/** Runs a program with `--exec`. */
async function alone(bytes: Uint8Array): Promise<{ code: number; out: string; err: string }> {
  const file = join(directory, "program");
  writeFileSync(file, bytes);
  const fd = openSync(file, "r");
  const child = Bun.spawn([initBinary(), "--exec", "3"], { stdio: ["ignore", "pipe", "pipe", fd] });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  closeSync(fd);
  return { code, out, err };
}

test("--exec runs a program in this very process", async () => {
  expect(await alone(shell("ls /proc/$$/fd; exit 4").bytes)).toEqual({ code: 4, out: "0\n1\n2\n", err: "" });
  expect(await alone(program((p) => p.output(p.text("text"), 4)).bytes)).toEqual({ code: 0, out: "text", err: "" });
});

test("--exec tells which instruction failed", async () => {
  const failing = program((p) => {
    p.syscall("getpid", []);
    p.syscall("close", [99999]);
  });
  expect(await alone(failing.bytes)).toEqual({ code: 125, out: "", err: "runv-init: instruction 1: errno 9\n" });
  for (const write of [(p: Assembler) => p.stop(), (p: Assembler) => p.give(1)]) {
    expect((await alone(program(write).bytes)).err).toBe(`runv-init: instruction 0: errno ${errnoOf("ENOTCONN")}\n`);
  }
  expect(await alone(new Uint8Array(3))).toEqual({ code: 125, out: "", err: "runv-init: malformed program\n" });
});

test("without /proc, which tells what processes have executed, it does not serve", async () => {
  // A root without /proc, for the static init. Who is not root may change its root in a user namespace of its own.
  const root = join(directory, "root");
  mkdirSync(join(root, "dev"), { recursive: true });
  writeFileSync(join(root, "dev/null"), "");
  copyFileSync(join(import.meta.dir, "../dist/init"), join(root, "init"));
  const flags = process.getuid?.() === 0 ? 0 : linux.CLONE_NEWUSER;
  const blind = init.run(
    program(
      (p) => {
        p.syscall("chroot", [p.text(root)]);
        p.syscall("execve", [p.text("/init"), p.vector(["init", "--fd", "0"]), p.vector([])]);
      },
      { flags, stdio: pipes, credit: mebi },
    ),
  );
  blind.eof();
  await blind.end();
  expect(blind.text(2)).toBe("runv-init: cannot look at init's own program: No such file or directory\n");
  expect(blind.numbers(FrameType.exit)).toEqual(exit(125));
});
