/** The process that serves files over virtiofs, beside QEMU. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { descendantsOf } from "../../src/linux/processes";
import { withFlags } from "../drivers/support/driver";
import { runvTest } from "../support/rig";
import { until } from "../support/until";

runvTest("it is counted with the container, and the machine ends when it does", async (rig) => {
  const { runv, root, id } = withFlags(rig, ["--share", "virtiofs"]);
  const bundle = await rig.bundle({ args: ["sleep", "100000"] });
  expect(await runv(["run", "-d", "-b", bundle, id("served")])).toMatchObject({ code: 0, stderr: "" });
  const { monitor, machine } = JSON.parse(readFileSync(join(root, id("served"), "state.json"), "utf8"));
  const servers = descendantsOf(monitor.pid).filter((pid) => pid !== machine.pid);
  expect(servers.map((pid) => readFileSync(`/proc/${pid}/comm`, "utf8"))).toContain("virtiofsd\n");
  const cgroups = (pid: number) => readFileSync(`/proc/${pid}/cgroup`, "utf8");
  for (const pid of servers) expect(cgroups(pid)).toBe(cgroups(machine.pid));
  process.kill(servers[0]!, "SIGKILL");
  const state = async () => JSON.parse((await runv(["state", id("served")])).stdout).status;
  await until("the container ends", async () => (await state()) === "stopped", 60_000);
  const log = () => readFileSync(join(root, id("served"), "monitor.log"), "utf8");
  await until("the monitor says why", () => log().includes("virtiofsd ended (SIGKILL)"), 60_000);
  expect((await runv(["delete", id("served")])).code).toBe(0);
});

runvTest("a machine grows, and its new memory is good for files", async (rig) => {
  const { runv, id } = withFlags(rig, ["--share", "virtiofs"]);
  const bundle = await rig.bundle({
    args: ["sleep", "100000"],
    change: ({ root, linux }) => {
      root.readonly = false;
      linux.resources = { memory: { limit: 64 << 20 } };
    },
  });
  expect(await runv(["run", "-d", "-b", bundle, id("grown")])).toMatchObject({ code: 0, stderr: "" });
  expect(await runv(["update", "--memory", String(320 << 20), id("grown")])).toMatchObject({ code: 0, stderr: "" });
  // More than the machine began with.
  const script = "dd if=/dev/urandom of=/srv-file bs=1M count=200 2>&-; sha256sum </srv-file; sha256sum </srv-file";
  const { code, stdout } = await runv(["exec", id("grown"), "sh", "-c", script]);
  expect(code).toBe(0);
  const [first, second] = stdout.split("\n");
  expect(first).toMatch(/^[0-9a-f]{64} /);
  expect(second).toBe(first!);
  expect((await runv(["delete", "--force", id("grown")])).code).toBe(0);
});

runvTest("where there is none, the container is refused", async (rig) => {
  const bundle = await rig.bundle();
  const config = join(rig.directory, "config.toml");
  await Bun.write(config, `virtiofsd = "${rig.directory}/none"\n`);
  const { code, stderr } = await rig.runv(["--share", "virtiofs", "run", "-b", bundle, rig.id("none")], {
    env: { RUNV_CONFIG: config },
  });
  expect(code).not.toBe(0);
  expect(stderr).toContain(`share files over virtiofs: no program at ${rig.directory}/none`);
  expect(stderr).toContain("code=VM_VIRTIOFSD_MISSING");
});
