/** What is tried where Xen is real. Run by xen.test.ts: its name keeps it from other machines. */
import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drivers } from "../../src/hypervisor";
import { identityOf } from "../../src/linux/identity";
import { partsOf } from "../drivers/support/parts";
import { output } from "../support/command";
import { type Rig, runvTest } from "../support/rig";
import { commandLine } from "../support/runv";
import { until } from "../support/until";

const done = { code: 0, stdout: "", stderr: "" };
/** Xen's letters for the state of a domain; undefined when it is not there. */
const stateOf = async (domain: string) =>
  new RegExp(`^${domain} .* ([-rbpscd]{6}) `, "m").exec(await output("xl", "list"))?.[1];
/** The name of a container's domain. */
const domainOf = ({ root }: Rig, id: string) =>
  `runv-${JSON.parse(readFileSync(join(root, id, "state.json"), "utf8")).sandbox}`;
const [, image] = /--kernel,(.*),--initrd/.exec(commandLine([]).join()) ?? [];

runvTest(
  "auto takes Xen; a domain whose monitor and guard were killed at once goes with the container",
  async (rig) => {
    const { runv, bundle, id } = rig;
    const path = await bundle({ args: ["sleep", "1000"] });
    expect(await runv(["run", "-d", "-b", path, id("orphan")])).toEqual(done);
    expect((await runv(["exec", id("orphan"), "cat", "/sys/hypervisor/type"])).stdout).toBe("xen\n");
    const domain = domainOf(rig, id("orphan"));
    const { monitor } = partsOf(rig, id("orphan"));
    const children = readFileSync(`/proc/${monitor}/task/${monitor}/children`, "utf8").trim().split(" ");
    const guard = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("destroy"));
    for (const pid of [Number(guard), monitor]) process.kill(pid, "SIGKILL");
    await until("the monitor is dead", () => identityOf(monitor) === undefined, 60_000);
    expect(await stateOf(domain)).toBeDefined();
    expect(await runv(["delete", "--force", id("orphan")])).toEqual(done);
    expect(await stateOf(domain)).toBeUndefined();
  },
);

runvTest("a domain stands still, goes on, and is gone", async ({ directory, name }) => {
  const xen = drivers().find(({ name }) => name === "xen")!;
  const spec = { name, directory, kernel: image!, initrd: image!.replace(/kernel$/, "hyper-initrd.img") };
  const machine = await xen.launch({ ...spec, cpus: 1, memoryMiB: 128 });
  try {
    await machine.pause();
    expect(await stateOf(name)).toMatch("p");
    await machine.resume();
    expect(await stateOf(name)).not.toMatch("p");
  } finally {
    expect(await machine.kill()).toMatchObject({ code: null, signal: null });
  }
  expect(await stateOf(name)).toBeUndefined();
});

runvTest("a user who may not use Xen is told so", async ({ command, directory }) => {
  const words = ["setpriv", "--reuid", "65534", "--clear-groups", ...command(["--driver", "xen", "check"])];
  const env = { ...process.env, HOME: directory };
  const child = Bun.spawn(words, { cwd: "/", env, stdio: ["ignore", "pipe", "ignore"] });
  const [stdout] = await Promise.all([child.stdout.text(), child.exited]);
  expect(stdout).toMatch(/^missing +xen +\/dev\/xen\/privcmd may not be opened: .*\(fix: run as root\)$/m);
});

runvTest("what is wrong is said, with what to do", async ({ command, bundle, directory, id }) => {
  const path = await bundle({ args: ["true"] });
  const hostNetwork = await bundle({
    args: ["true"],
    change: ({ linux }) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "network");
    },
  });
  const fail = async (flags: readonly string[], world: readonly string[] = [], from = path) => {
    const words = command(["--driver", "xen", ...flags, "run", "-b", from, id("no")]);
    const child = Bun.spawn([...world, ...words], { stdio: ["ignore", "ignore", "pipe"] });
    const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await fail([], [], hostNetwork)).toMatch(/the driver xen cannot take a tap .*code=UNSUPPORTED/);
  const hidden = "for file in $(type -ap xl); do mount --bind /dev/null $file; done";
  const withoutXl = ["unshare", "-m", "bash", "-c", `${hidden}; exec "$@"`, "bash"];
  expect(await fail([], withoutXl)).toMatch(/there is no xl on PATH.*code=VM_DRIVER_UNAVAILABLE/);
  const withoutDaemons = ["unshare", "--pid", "--fork", "--mount-proc"];
  expect(await fail([], withoutDaemons)).toMatch(/xenstored does not run.*\n.*systemctl start xenstored xenconsoled/);
  const kernel = join(directory, "kernel");
  writeFileSync(kernel, "text");
  expect(await fail(["--kernel", kernel])).toMatch(/kernel is no kernel.*code=VM_KERNEL_FORMAT/);
});
