/** What has been done to hosts by way of runtimes, tried on canaries that do no harm. */
import { expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { hostTest } from "../support/rig";
import { binary } from "../support/runv";

/** Where the kernel shows its keys. */
const keyTest: typeof hostTest = existsSync("/proc/keys")
  ? hostTest
  : (name) => test.skip(`${name}: this kernel has no /proc/keys`, () => {});

hostTest(
  "what executes a container's beginning is in sealed memory, not a file of the host (CVE-2019-5736)",
  async (rig) => {
    const { runv, id } = rig;
    const bundle = await rig.bundle({ args: ["sleep", "1000"] });
    await runv(["create", "-b", bundle, id("sealed")]);
    const { pid } = JSON.parse((await runv(["state", id("sealed")])).stdout);
    const program = `/proc/${pid}/exe`;
    expect(readlinkSync(program)).toStartWith("/memfd:runv-init");
    expect(() => closeSync(openSync(program, "r+"))).toThrow();
    expect(statSync(program).ino).not.toBe(statSync(binary).ino);
    // Whoever shares its pid namespace, even its root, does not get at it.
    const look = "readlink /proc/1/exe; cat /proc/1/environ; readlink /proc/1/fd/*";
    const seen = await runv(["exec", id("sealed"), "sh", "-c", look]);
    expect(seen.stdout).toBe("");
    await runv(["delete", "--force", id("sealed")]);
  },
);

hostTest("a command has three descriptors, and those that were asked for (CVE-2024-21626)", async (rig) => {
  const { id, directory } = rig;
  const canary = join(directory, "canary");
  writeFileSync(canary, "alive\n");
  const bundle = await rig.bundle({ args: ["sh", "-c", "cd /proc/self/fd; echo *; cat <&3"] });
  const plain = await rig.bundle({ args: ["sh", "-c", "cd /proc/self/fd; echo *"] });
  const run = async (script: string) => {
    const child = Bun.spawn(["sh", "-c", script, "sh", ...rig.command([])], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, stdout, stderr };
  };
  const open = `exec 3<${canary} 4</ 5<${directory} 9</etc; "$@"`;
  // The shell holds the directory that it looks at.
  expect((await run(`${open} run -b ${plain} ${id("none")}`)).stdout).toMatch(/^0 1 2( 3)?\n$/);
  expect((await run(`${open} run --preserve-fds 1 -b ${bundle} ${id("one")}`)).stdout).toMatch(
    /^0 1 2 3( 4)?\nalive\n$/,
  );
  const gap = await run(`exec 3<${canary}; "$@" run --preserve-fds 3 -b ${bundle} ${id("gap")}`);
  expect(gap).toMatchObject({ code: 1, stderr: expect.stringContaining("descriptor") });
  await run(`"$@" run -d -b ${await rig.bundle({ args: ["sleep", "1000"] })} ${id("main")} >/dev/null 2>&1`);
  expect((await run(`${open} exec ${id("main")} sh -c 'cd /proc/self/fd; echo *'`)).stdout).toMatch(/^0 1 2( 3)?\n$/);
  await rig.runv(["delete", "--force", id("main")]);
});

hostTest("no descriptor is a working directory outside of the container (CVE-2024-21626)", async (rig) => {
  const { runv, id } = rig;
  const main = await rig.bundle({ args: ["sleep", "1000"] });
  await runv(["run", "-d", "-b", main, id("main")]);
  for (let fd = 3; fd < 12; fd++) {
    const cwd = `/proc/self/fd/${fd}`;
    const bundle = await rig.bundle({
      args: ["ls", "-d", "../../../../../../../..", rig.directory],
      change: ({ process }) => {
        process.cwd = cwd;
      },
    });
    const results = [
      await runv(["run", "-b", bundle, id(`cwd-${fd}`)]),
      await runv(["exec", "--cwd", cwd, id("main"), "ls", "-d", rig.directory]),
    ];
    for (const { code, stdout } of results) {
      expect(code).not.toBe(0);
      expect(stdout).not.toContain(rig.directory);
    }
  }
  await runv(["delete", "--force", id("main")]);
});

hostTest("a mask is the null device or nothing, whatever /dev/null is (CVE-2025-31133)", async (rig) => {
  const { id, directory } = rig;
  const canary = join(directory, "canary");
  writeFileSync(canary, "alive\n");
  for (const [name, make] of Object.entries({
    link: (path: string) => symlinkSync("/proc/sys/kernel/domainname", path),
    file: (path: string) => writeFileSync(path, ""),
    device: (path: string) => Bun.spawnSync(["mknod", path, "c", "1", "5"]),
  })) {
    const dev = join(directory, `dev-${name}`);
    mkdirSync(dev);
    make(join(dev, "null"));
    const bundle = await rig.bundle({
      args: ["true"],
      change: ({ mounts, linux }) => {
        const isBelow = ({ destination }: { destination: string }) => destination.startsWith("/dev");
        mounts.splice(0, mounts.length, ...mounts.filter((mount) => !isBelow(mount)));
        mounts.push({ destination: "/dev", type: "bind", source: dev, options: ["rbind"] });
        linux.maskedPaths = ["/proc/keys"];
      },
    });
    const { code, stderr } = await rig.runv(["run", "-b", bundle, id(`mask-${name}`)]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/null device|too many (levels of )?symbolic links|ELOOP/),
    ]);
  }
});

hostTest("streams change hands only where runc's do, and never the host's /dev/null", async (rig) => {
  const { id, directory } = rig;
  const asUser = await rig.bundle({
    args: ["sh", "-c", "echo one; echo two >/dev/stdout"],
    change: ({ process }) => {
      process.user = { uid: 1000, gid: 1000 };
    },
  });
  const before = statSync("/dev/null").uid;
  const file = join(directory, "file");
  writeFileSync(file, "");
  await rig.runv(["run", "-b", asUser, id("file")], { stdout: file });
  expect([statSync(file).uid, readFileSync(file, "utf8").split("\n")[0]]).toEqual([0, "one"]);
  const child = rig.spawn(["run", "-b", asUser, id("pipe")]);
  expect(await new Response(child.stdout).text()).toContain("one\n");
  await child.exited;
  expect(statSync("/dev/null").uid).toBe(before);
});

keyTest("the caller's session keyring stays the caller's", async (rig) => {
  const { id } = rig;
  const bundle = await rig.bundle({
    args: ["sh", "-c", "cat /proc/keys"],
    change: ({ linux }) => {
      linux.maskedPaths = [];
    },
  });
  const { stdout } = await rig.runv(["run", "-b", bundle, id("keys")]);
  if (stdout !== "") expect(stdout).toContain(`_ses.${id("keys")}`);
});

hostTest("/proc and /sys of an image that are links are not followed, nor is anything mounted by them", async (rig) => {
  const { id, directory } = rig;
  const canary = join(directory, "canary");
  mkdirSync(canary);
  const bundle = await rig.bundle({
    args: ["true"],
    change: ({ root }) => {
      Bun.spawnSync(["rmdir", join(root.path, "proc")]);
      symlinkSync(canary, join(root.path, "proc"));
    },
  });
  const { code, stderr } = await rig.runv(["run", "-b", bundle, id("proc")]);
  expect([code, stderr]).toEqual([1, expect.stringContaining("must be mounted on ordinary directory")]);
  expect(lstatSync(canary).isDirectory()).toBe(true);
});
