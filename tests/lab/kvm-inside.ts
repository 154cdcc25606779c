/** What is tried where KVM is real. Run by kvm.test.ts: its name keeps it from other machines. */
import { expect } from "bun:test";
import { runvTest } from "../support/rig";

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

runvTest("the first machine makes a template, the second is its clone", async ({ runv, bundle, id, directory }) => {
  const path = await bundle({ args: ["cat", "/proc/sys/kernel/random/boot_id"] });
  const flags = ["--driver", "kvm", "--template", `${directory}/templates`];
  const times: number[] = [];
  const boots: string[] = [];
  for (const name of ["first", "second", "third"]) {
    const began = performance.now();
    const { code, stdout, stderr } = await runv([...flags, "run", "-b", path, id(name)]);
    times.push(Math.round(performance.now() - began));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    boots.push(stdout);
  }
  expect(new Set(boots).size).toBe(3);
  const { stdout: list } = await runv(["--template", `${directory}/templates`, "template", "ls"]);
  expect(list.match(/^[0-9a-f]+ +good +1 +/gm)).toHaveLength(1);
  process.stderr.write(
    `remark: run with KVM: ${times[0]} ms with making the template, then ${times.slice(1).join(", ")} ms\n`,
  );
});
