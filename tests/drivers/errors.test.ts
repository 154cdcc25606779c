/**
 * What QEMU's drivers say when something is wrong: all that this machine has, or those that RUNV_TEST_DRIVERS names. Those of other
 * hypervisors have tests of their own.
 */
import { expect } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { kvmProblem } from "../../src/hypervisor/qemu/kvm";
import { type Rig, runvTest } from "../support/rig";

/** Runs a container that cannot start. @returns what runv says */
async function failure(rig: Rig, flags: readonly string[], config = ""): Promise<string> {
  const path = join(rig.directory, "config.toml");
  writeFileSync(path, config);
  const bundle = await rig.bundle({ args: ["true"] });
  const command = [...flags, "run", "-b", bundle, rig.id("no")];
  const { code, stderr } = await rig.runv(command, { env: { RUNV_CONFIG: path } });
  expect(code).toBe(1);
  return stderr;
}

const problem = kvmProblem();

const named = process.env.RUNV_TEST_DRIVERS?.split(",");
const here = ["qemu", "tcg", ...(problem === undefined ? ["kvm"] : [])];

for (const driver of here.filter((name) => named?.includes(name) ?? true)) {
  const flags = ["--driver", driver];

  runvTest(`${driver}: no QEMU, and one that is too old`, async (rig) => {
    expect(await failure(rig, flags, 'qemu = "/nonexistent/qemu"')).toMatch(
      /no program at \/nonexistent\/qemu.* code=VM_QEMU_MISSING\nhint: .*config\.toml/,
    );
    const bin = join(rig.directory, "bin");
    mkdirSync(bin);
    const old = join(bin, "qemu");
    writeFileSync(old, "#!/bin/sh\necho QEMU emulator version 4.2.1\n", { mode: 0o755 });
    expect(await failure(rig, flags, `qemu = "${old}"`)).toMatch(
      /is QEMU 4\.2\.1, runv needs 5\.0 or later.* code=VM_QEMU_OLD\nhint: apt-get install/,
    );
  });

  runvTest(`${driver}: a kernel that is none, and one without a PVH entry`, async (rig) => {
    const kernel = join(rig.directory, "kernel");
    writeFileSync(kernel, "text\n");
    const words = /\/kernel is no kernel that QEMU can start: .*VM_KERNEL_FORMAT\nhint: .*runv image build/;
    expect(await failure(rig, [...flags, "--kernel", kernel])).toMatch(words);
    copyFileSync("/bin/true", kernel);
    expect(await failure(rig, [...flags, "--kernel", kernel])).toMatch(words);
  });
}

if (problem !== undefined) {
  runvTest("kvm, where the machine has it not: said, with why", async (rig) => {
    expect(await failure(rig, ["--driver", "kvm"])).toContain(
      `the driver kvm does not work on this machine: ${problem.message}" code=VM_DRIVER_UNAVAILABLE\nhint: use --driver auto`,
    );
  });

  runvTest("check says which accelerator is taken, and why", async ({ runv }) => {
    const { stdout } = await runv(["check"]);
    expect(stdout).toMatch(/^warning +kvm +.*; machines run in software emulation, which is slower/m);
    expect(stdout).toContain(problem.message);
    expect(stdout).toMatch(/^ok +trial +.* starts a machine in \d+ ms \(tcg\)$/m);
    const kvm = await runv(["--driver", "kvm", "check"]);
    expect([kvm.code, kvm.stdout]).toEqual([1, expect.stringMatching(/^missing +kvm +/m)]);
  });
}

runvTest("kvmtool, where it is not or KVM is not", async (rig) => {
  expect(await failure(rig, ["--driver", "kvmtool"], 'lkvm = "/nonexistent/lkvm"')).toMatch(
    /no program at \/nonexistent\/lkvm.* code=VM_LKVM_MISSING\nhint: /,
  );
});

runvTest("a user who is not root is told so", async ({ command, bundle, directory, id }) => {
  const root = join(directory, "root-of-nobody");
  mkdirSync(root);
  let rootfs = "";
  const path = await bundle({
    args: ["true"],
    change: (config) => {
      rootfs = config.root.path;
    },
  });
  chmodSync(root, 0o777);
  for (const open of [directory, path, dirname(rootfs), rootfs]) chmodSync(open, 0o755);
  const words = command(["--root", root, "run", "-b", path, id("no")]);
  const child = Bun.spawn(["setpriv", "--reuid", "65534", "--clear-groups", ...words], {
    cwd: "/",
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("runv is started by another user than root")]);
});
