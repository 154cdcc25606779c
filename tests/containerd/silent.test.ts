/** A machine that stands still while a daemon looks after it: clients are told, and SIGKILL does without its answer. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "../support/rig";
import { TestDaemon } from "./support/daemon";
import { Docker } from "./support/docker";

runvTest("a hypervisor that is stopped: Stats, signals, AddProcess", async (rig) => {
  const bundle = await rig.bundle({ config: "docker-1.12.6", args: ["/bin/sleep", "1000"] });
  const id = rig.id("still");
  await TestDaemon.with(rig, async (daemon) => {
    const docker = await new Docker(daemon, "1.12").connect(Date.now() / 1000);
    const init = await docker.run(id, bundle);
    const exec = await docker.exec(id, bundle, ["/bin/sleep", "1000"]);
    const { machine } = JSON.parse(readFileSync(join(daemon.root, id, "state.json"), "utf8"));
    process.kill(machine.pid, "SIGSTOP");
    const silent = { code: 2, details: expect.stringContaining("the virtual machine does not answer") };
    const request = { id, pid: "more", args: ["true"], cwd: "/", user: {} };
    const outcomes = await Promise.all([
      daemon.try("Stats", { id }),
      daemon.try("Signal", { id, pid: exec.pid, signal: 15 }),
      daemon.try("Signal", { id, pid: "init", signal: 15 }),
      daemon.try("AddProcess", request),
    ]);
    for (const outcome of outcomes) expect(outcome).toEqual(silent);
    await daemon.call("Signal", { id, pid: exec.pid, signal: 9 });
    expect((await exec.exited()).status).toBe(137);
    await daemon.call("Signal", { id, pid: "init", signal: 9 });
    expect((await init.exited()).status).toBe(137);
    for (const { fifos } of [init, exec]) fifos.close();
    docker.close();
  });
});
