/** What only the driver kvmtool has. Run by kvmtool.test.ts: its name keeps it from other machines. */
import { expect } from "bun:test";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { partsOf } from "../drivers/support/parts";
import { type Rig, runvTest } from "../support/rig";
import { until } from "../support/until";

const flags = ["--driver", "kvmtool"];

async function failure(rig: Rig, more: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const bundle = await rig.bundle({ args: ["true"] });
  const { code, stderr } = await rig.runv([...flags, ...more, "run", "-b", bundle, rig.id("no")], { env });
  expect(code).toBe(1);
  return stderr;
}

runvTest("check finds it, and starts a machine", async ({ runv }) => {
  const { code, stdout } = await runv([...flags, "check"]);
  expect(stdout).toMatch(/^ok +lkvm +\/.*lkvm$/m);
  expect(stdout).toMatch(/^ok +vsock +\/dev\/vhost-vsock/m);
  expect(stdout).toMatch(/^ok +trial +kvmtool starts a machine in \d+ ms \(kvm\)$/m);
  expect(code).toBe(0);
});

runvTest("lkvm is root without what serving files does not take, and sees nothing of the host", async (rig) => {
  const id = rig.id("confined");
  const bundle = await rig.bundle({ args: ["sleep", "1000"] });
  expect(await rig.runv([...flags, "run", "-d", "-b", bundle, id])).toEqual({ code: 0, stdout: "", stderr: "" });
  const { machine } = partsOf(rig, id);
  const status = readFileSync(`/proc/${machine}/status`, "utf8");
  expect(status).toMatch(/^CapEff:\t0*8800001b$/m);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);
  expect(() => readFileSync(`/proc/${machine}/root/etc/passwd`)).toThrow("ENOENT");
  expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
});

runvTest("a machine of the pool stands still, and goes on for its container", async (rig) => {
  const pool = [...flags, "--pool", join(rig.directory, "pool")];
  const status = async () => JSON.parse((await rig.runv([...pool, "pool", "status", "--format", "json"])).stdout)[0];
  expect(await rig.runv([...pool, "pool", "start", "--size", "1"])).toEqual({ code: 0, stdout: "", stderr: "" });
  try {
    expect(await status()).toMatchObject({ ready: 1, taken: 0 });
    const bundle = await rig.bundle({ args: ["echo", "alive"] });
    const result = await rig.runv([...pool, "run", "-b", bundle, rig.id("pooled")]);
    expect(result).toEqual({ code: 0, stdout: "alive\n", stderr: "" });
    await until("it is known to be taken", async () => (await status()).taken === 1, 60_000);
  } finally {
    expect(await rig.runv([...pool, "pool", "stop"])).toEqual({ code: 0, stdout: "", stderr: "" });
  }
});

runvTest("what is wrong is said, with what to do", async (rig) => {
  const { directory } = rig;
  const withProgram = (path: string) => {
    const config = join(directory, "config.toml");
    writeFileSync(config, `lkvm = "${path}"\n`);
    return failure(rig, [], { RUNV_CONFIG: config });
  };
  expect(await withProgram("/nonexistent/lkvm")).toMatch(/no program at \/nonexistent\/lkvm.*VM_LKVM_MISSING/);
  expect(await withProgram("/bin/true")).toMatch(/\/bin\/true is too old, or no kvmtool.*VM_LKVM_OLD/);
  const kernel = join(directory, "kernel");
  copyFileSync("/bin/true", kernel);
  expect(await failure(rig, ["--kernel", kernel])).toMatch(/lkvm starts bzImages only: .*VM_KERNEL_FORMAT/);
  rmSync(kernel);
});

runvTest("a host without vsock is told so", async ({ command, bundle, id }) => {
  const words = command([...flags, "run", "-b", await bundle({ args: ["true"] }), id("no")]);
  const nodes = "null zero full random urandom tty ptmx pts net kvm";
  const hide = `mkdir /tmp/dev; mount -t tmpfs none /tmp/dev; cd /dev; cp -a ${nodes} /tmp/dev; mount --move /tmp/dev /dev; rmdir /tmp/dev`;
  const child = Bun.spawn(["unshare", "-m", "sh", "-ec", `${hide}; exec "$@"`, "sh", ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/there is no \/dev\/vhost-vsock.*VM_DRIVER_UNAVAILABLE/)]);
  expect(stderr).toContain("hint: modprobe vhost_vsock");
});

runvTest("the host's network is refused, with an alternative", async (rig) => {
  const bundle = await rig.bundle({
    args: ["true"],
    change: ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
    },
  });
  const { code, stderr } = await rig.runv([...flags, "run", "-b", bundle, rig.id("host")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("the driver kvmtool cannot take the host's network")]);
  expect(stderr).toContain("--driver qemu");
});
