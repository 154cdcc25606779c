/** linux.seccomp, seen from inside. */
import { expect } from "bun:test";
import type { Config } from "./support/bundle";
import { runvTest } from "./support/rig";

/** Makes directories and reports what each attempt says, and how the process is confined. */
const probe = `
mkdir /tmp/a 2>&1; mkdir -p /tmp/b/c 2>&1
grep -E '^(Seccomp|NoNewPrivs|CapPrm|CapEff)' /proc/self/status
`;

function withProfile(seccomp: object, noNewPrivileges: boolean) {
  return (config: Config) => {
    config.process.noNewPrivileges = noNewPrivileges;
    config.linux.seccomp = seccomp;
    config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
  };
}

const deny = (names: string[], more: object = {}) => ({
  defaultAction: "SCMP_ACT_ALLOW",
  architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
  syscalls: [{ names, action: "SCMP_ACT_ERRNO", ...more }],
});

for (const noNewPrivileges of [true, false]) {
  runvTest(`a filter, ${noNewPrivileges ? "with" : "without"} no_new_privs`, async ({ runv, bundle, id }) => {
    const profile = deny(["mkdir", "mkdirat"], { errnoRet: 28 });
    const path = await bundle({ args: ["sh", "-c", probe], change: withProfile(profile, noNewPrivileges) });
    const { stdout, stderr, code } = await runv(["run", "-b", path, id("deny")]);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).toContain("/tmp/a': No space left on device");
    expect(stdout).toMatch(/Seccomp:\s*2\nSeccomp_filters:\s*1\n/);
    expect(stdout).toMatch(noNewPrivileges ? /NoNewPrivs:\s*1/ : /NoNewPrivs:\s*0/);
    // AUDIT_WRITE, KILL, NET_BIND_SERVICE: the CAP_SYS_ADMIN that loaded the filter is gone.
    expect(stdout).toMatch(/CapPrm:\s*0000000020000420\nCapEff:\s*0000000020000420/);
  });
}

runvTest("Docker's own profile, for a further process too", async ({ runv, bundle, id }) => {
  const path = await bundle({ config: "docker-plain", args: ["sleep", "100"] });
  const container = id("docker");
  expect(await runv(["run", "-d", "-b", path, container])).toMatchObject({ code: 0 });
  const look = await runv(["exec", container, "sh", "-c", "grep Seccomp: /proc/self/status; unshare -U true; true"]);
  expect(look.stdout).toMatch(/Seccomp:\s*2/);
  expect(look.stderr).toContain("Operation not permitted");
  expect(await runv(["delete", "--force", container])).toMatchObject({ code: 0 });
});

runvTest("a call that ends the process", async ({ runv, bundle, id }) => {
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS" }],
  };
  const path = await bundle({ args: ["mkdir", "/tmp/a"], change: withProfile(profile, true) });
  expect(await runv(["run", "-b", path, id("kill")])).toEqual({ code: 128 + 31, stdout: "", stderr: "" });
});
