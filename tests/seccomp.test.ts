/** linux.seccomp, seen from inside. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { conventionsFor, numberOf } from "../src/guest/lower/seccomp/architectures";
import { readConfig } from "../src/oci/config";
import type { BundleOptions, Config } from "./support/bundle";
import { runvTest } from "./support/rig";
import { forgetRunc, runc } from "./support/runc";

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

/** uretprobe and uprobe: newer kernels, maybe this host's, do not ask a filter about them. */
const probes = [335, 336];

/** What Docker's profile lets pass without a look at the arguments is not tried: it would happen. */
function refusedNumbers(): number[] {
  const text = readFileSync(new URL("./configs/docker-plain.json", import.meta.url), "utf8");
  const seccomp = readConfig(JSON.parse(text)).linux.seccomp!;
  const allowed = new Set(
    seccomp.syscalls
      .filter(({ action }) => action === "SCMP_ACT_ALLOW")
      .flatMap(({ names }) => conventionsFor(seccomp.architectures).map((c) => names.map((name) => numberOf(name, c))))
      .flat(),
  );
  const all = Array.from({ length: 600 }, (_, number) => number);
  return [...all, ...all.map((number) => number + 0x4000_0000)].filter(
    (number) => !allowed.has(number) && !probes.includes(number),
  );
}

const python = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(nr, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(nr), *[ctypes.c_ulong(a) for a in args])
    return ctypes.get_errno() if result == -1 else "ok"
for nr in NUMBERS: print(nr, call(nr, 0, 0, 0, 0, 0, 0))
for persona in [1, 7, 9, 0x20001, 0x100000000, 0x100000008, 0xffffffff, 0x1ffffffff, 8, 0]:
    print("personality", persona, call(135, persona))
for flag in range(64): print("clone", flag, call(56, 1 << flag | 0x10000000))
`;

runvTest("Docker's profile refuses exactly what it refuses under runc", async (rig) => {
  const script = python.replace("NUMBERS", JSON.stringify(refusedNumbers()));
  const options: BundleOptions = { config: "docker-plain", rootfs: "debian", args: ["python3", "-c", script] };
  const seen = await rig.runv(["run", "-b", await rig.bundle(options), rig.id("same")]);
  const expected = await runc(rig, ["run", "-b", await rig.bundle(options), rig.id("same")]);
  forgetRunc(rig);
  expect(expected.code).toBe(0);
  const words = (text: string) => text.split("\n").map((line) => line.replace(/^(personality .*) \d+$/, "$1 number"));
  expect(words(seen.stdout)).toEqual(words(expected.stdout));
  expect(seen.stderr).toBe(expected.stderr);
});
