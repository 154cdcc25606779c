/** What guests of arm64 have of their own. Run by conformance.test.ts, with RUNV_TEST_ARCH. */
import { expect } from "bun:test";
import { join } from "node:path";
import { conventionsFor, numberOf } from "../../src/guest/lower/seccomp/architectures";
import type { Config } from "../support/bundle";
import { runvTest } from "../support/rig";

const [aarch64] = conventionsFor([], "aarch64");

runvTest("a container gets the machine of its command, with the kernel and the templates of that", async (rig) => {
  const { runv, bundle, id } = rig;
  const path = await bundle({ args: ["sh", "-c", "uname -m; grep -c 0x41 /proc/cpuinfo"] });
  for (const which of ["first", "second"])
    expect(await runv(["run", "-b", path, id(which)])).toEqual({ code: 0, stdout: "aarch64\n1\n", stderr: "" });
});

runvTest("a filter means the system calls of arm64, by their names", async ({ runv, bundle, id }) => {
  const change = ({ linux, process }: Config) => {
    process.noNewPrivileges = true;
    linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X86_64"],
      syscalls: [{ names: ["mkdirat", "mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }],
    };
  };
  expect([numberOf("mkdirat", aarch64!), numberOf("mkdir", aarch64!)]).toEqual([34, undefined]);
  const args = ["sh", "-c", "mkdir /tmp/a 2>&1; grep -E '^Seccomp:' /proc/self/status; true"];
  const { code, stdout } = await runv(["run", "-b", await bundle({ args, change }), id("filter")]);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: "mkdir: can't create directory '/tmp/a': No space left on device\nSeccomp:\t2\n",
  });
});

runvTest("what is named otherwise is what is taken, or refused", async ({ runv, bundle, id, directory }) => {
  const path = await bundle({ args: ["true"] });
  const refused = async (...flags: string[]) => {
    const { code, stderr } = await runv([...flags, "run", "-b", path, id("refused")]);
    expect(code).not.toBe(0);
    return stderr;
  };
  const host = join(import.meta.dir, "../../dist/image");
  const images = ["--kernel", `${host}/kernel`, "--initrd", `${host}/hyper-initrd.img`];
  expect(await refused(...images)).toMatch(/is for machines of x86_64, not of aarch64.*IMAGE_ARCHITECTURE/);
  expect(await refused("--initrd", join(directory, "none"))).toMatch(
    /IMAGE_NOT_FOUND.*\n.*runv image build --arch arm64/,
  );
  for (const driver of ["kvm", "libvirt", "kvmtool"])
    expect(await refused("--driver", driver)).toMatch(`the driver ${driver} has no machines of arm64 on this host`);
  // A machine of the other kind starts, and its kernel knows no such program.
  expect(await refused(...images, "--arch", "amd64")).toContain("exec format error");
  expect(await refused("--arch", "mips")).toMatch(/mips/);
});

runvTest("a container of another architecture is refused by a pod's machine", async ({ runv, bundle, id }) => {
  const first = await bundle({ args: ["sleep", "1000"] });
  expect(await runv(["run", "-d", "-b", first, id("first")])).toMatchObject({ code: 0 });
  const { pid } = JSON.parse((await runv(["state", id("first")])).stdout);
  const change = (config: Config) => {
    config.linux.namespaces = config.linux.namespaces.map(({ type }: { type: string }) =>
      type === "ipc" ? { type, path: `/proc/${pid}/ns/ipc` } : { type },
    );
    config.annotations = { "org.runv.arch": "amd64" };
  };
  const second = await bundle({ args: ["true"], change });
  const { code, stderr } = await runv(["run", "-b", second, id("second")]);
  expect(code).not.toBe(0);
  expect(stderr).toContain("a container for amd64 cannot be in the machine of");
  await runv(["delete", "--force", id("first")]);
});
