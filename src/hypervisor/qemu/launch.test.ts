import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { patience } from "../../../tests/support/patience";
import { chooseDriver } from "../index";

/** A home of its own, which the jail takes in: programs in /tmp itself would take in all of /tmp. */
const home = mkdtempSync(join(tmpdir(), "runv-launch-"));
const bin = join(home, "bin");
const sandbox = join(home, "sandbox");
for (const directory of [bin, sandbox]) mkdirSync(directory);
for (const file of ["kernel", "initrd"]) writeFileSync(join(home, file), "");
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Launches a script in QEMU's place, in the true jail. */
async function launch(script: string, kernel = "kernel", driver = "tcg") {
  const qemu = join(bin, "qemu");
  writeFileSync(qemu, `#!/bin/sh\ncase "$1" in --version) echo QEMU emulator version 7.2.0; exit;; esac\n${script}\n`);
  chmodSync(qemu, 0o755);
  const { launch } = await chooseDriver(driver, { qemu, cacheDirectory: join(home, "cache") });
  const spec = { name: "t", directory: sandbox, cpus: 1, memoryMiB: 128, startTimeoutMs: 1000 * patience };
  return launch({ ...spec, kernel: join(home, kernel), initrd: join(home, "initrd") });
}

const root = process.getuid?.() === 0;
const failure = (script: string, kernel?: string) => launch(script, kernel).catch((error) => error);

test.skipIf(!root)("QEMU's words when it would not start", async () => {
  const error = await failure("printf 'qemu: no \\033[1msuch option\\n' >&2; exit 1");
  expect(error.code).toBe("VM_QEMU_START");
  expect(error.message).toBe("qemu would not start (exit code 1): qemu: no \\x1b[1msuch option");
});

test.skipIf(!root)("QEMU that says nothing is ended in time", async () => {
  const began = performance.now();
  const error = await failure("echo $$ >&2; exec sleep 1000");
  expect(error.code).toBe("VM_QEMU_TIMEOUT");
  expect(performance.now() - began).toBeLessThan(5000 * patience);
  const pid = /: (\d+)$/.exec(error.message)![1];
  expect(() => readFileSync(`/proc/${pid}/stat`)).toThrow();
});

test.skipIf(!root)("QEMU dies of a signal", async () => {
  expect((await failure("kill -SEGV $$")).message).toContain("qemu would not start (SIGSEGV)");
});

test.skipIf(!root)("a kernel that is not there", async () => {
  const error = await failure("exit 0", "none");
  expect(error.code).toBe("VM_QEMU_START");
  expect(error.message).toStartWith(`start qemu: take ${home}/none: does not exist`);
});

test.skipIf(!root)("what QEMU is and sees", async () => {
  const { message } = await failure(
    "{ ls /; ls /sandbox /home /root /etc /proc/self; grep -E '^(Uid|CapEff|NoNewPrivs)' /proc/self/status; id -u; echo >/x; } >&2; exit 1",
  );
  expect(message).not.toContain("sandbox\n");
  for (const gone of ["/sandbox", "/home", "/root", "/proc/self/status"]) expect(message).toContain(`${gone}`);
  expect(message).toMatch(/\n1879\d{6}\n/);
  expect(message).toMatch(/cannot create \/x: .*[Rr]ead-only/);
  expect(message).toMatch(/(^|\n)initrd\nkernel\n/);
});

test.skipIf(!root)("--driver kvm where it cannot work", async () => {
  if ((await (await chooseDriver("kvm")).probe()).available) return;
  const error = await launch("exit 0", "kernel", "kvm").catch((error) => error);
  expect(error.code).toBe("VM_DRIVER_UNAVAILABLE");
  expect(error.message).toStartWith("the driver kvm does not work on this machine: ");
});

test("an unknown driver", async () => {
  await expect(chooseDriver("bochs")).rejects.toMatchObject({ code: "VM_DRIVER_UNKNOWN" });
});
