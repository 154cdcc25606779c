/** What is tried where KVM is real. Run by kvm.test.ts: its name keeps it from other machines. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { partsOf } from "../drivers/support/parts";
import { runvTest } from "../support/rig";

const done = { code: 0, stdout: "", stderr: "" };

/** The line of `runv check` about a subject. */
const lineOf = (output: string, subject: string) => output.split("\n").find((line) => line.split(/\s+/)[1] === subject);

runvTest("check finds KVM, and auto takes it", async ({ runv, directory }) => {
  const { stdout, code } = await runv(["--template", `${directory}/templates`, "check"]);
  expect(lineOf(stdout, "kvm")).toMatch(/^ok +kvm +the processor and \/dev\/kvm support it$/);
  expect(lineOf(stdout, "trial")).toMatch(/^ok .* starts a machine in \d+ ms \(kvm\)$/);
  expect(code).toBe(0);
});

runvTest("a user who may not open /dev/kvm is told so, and auto would emulate", async ({ command, directory }) => {
  const words = command(["check"]);
  const child = Bun.spawn(["setpriv", "--reuid", "65534", "--clear-groups", ...words], {
    cwd: "/",
    env: { ...process.env, HOME: directory },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [stdout] = await Promise.all([child.stdout.text(), child.exited]);
  expect(lineOf(stdout, "kvm")).toMatch(
    /^warning +kvm +\/dev\/kvm may not be opened; machines run in software emulation/,
  );
});

runvTest("--driver kvm says why where the device is none, or not there", async ({ command, bundle, id }) => {
  const words = command(["--driver", "kvm", "run", "-b", await bundle({ args: ["true"] }), id("none")]);
  const nodes = "null zero full random urandom tty ptmx pts net";
  const without = `mkdir /tmp/dev; mount -t tmpfs none /tmp/dev; cd /dev; cp -a ${nodes} /tmp/dev; mount --move /tmp/dev /dev; rmdir /tmp/dev`;
  const worlds = [
    { hide: "mount --bind /dev/null /dev/kvm", why: "/dev/kvm does not make a virtual machine: " },
    { hide: without, why: "there is no /dev/kvm" },
  ];
  for (const { hide, why } of worlds) {
    const world = ["unshare", "-m", "sh", "-ec", `${hide}; exec "$@"`, "sh", ...words];
    const child = Bun.spawn(world, { stdio: ["ignore", "ignore", "pipe"] });
    const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`the driver kvm does not work on this machine: ${why}`),
    ]);
  }
});

runvTest("machines are clones of one template, and each is itself", async (rig) => {
  const { runv, bundle, id } = rig;
  const path = await bundle({ args: ["sleep", "1000"] });
  const flags = ["--driver", "kvm"];
  // Nothing is made where others have made it.
  const { stdout: key } = await runv([...flags, "template", "build"]);
  const times: number[] = [];
  const boots: string[] = [];
  for (const name of ["first", "second"]) {
    const began = performance.now();
    expect(await runv([...flags, "run", "-d", "-b", path, id(name)])).toEqual(done);
    times.push(Math.round(performance.now() - began));
    const { machine } = partsOf(rig, id(name));
    expect(readFileSync(`/proc/${machine}/cmdline`, "utf8").split("\0")).toContain("-incoming");
    boots.push((await runv(["exec", id(name), "cat", "/proc/sys/kernel/random/boot_id"])).stdout);
    expect(await runv(["delete", "--force", id(name)])).toEqual(done);
  }
  expect(boots).toEqual([expect.stringMatching(/^[0-9a-f-]{36}\n$/), expect.stringMatching(/^[0-9a-f-]{36}\n$/)]);
  expect(new Set(boots).size).toBe(2);
  expect((await runv(["template", "ls"])).stdout).toMatch(new RegExp(`^${key.trim()} +good `, "m"));
  process.stderr.write(`remark: run -d with KVM, of clones: ${times.join(", ")} ms\n`);
});
