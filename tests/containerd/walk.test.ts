/** runv-containerd and runv ctr, as docs/runv-containerd.md walks through them. */
import { expect } from "bun:test";
import { runvTest } from "../support/rig";
import { until } from "../support/until";
import { TestDaemon } from "./support/daemon";

runvTest("a container from start to end, by ctr", async (rig) => {
  const loop = 'trap "exit 3" TERM; while :; do sleep 0.1; done';
  const bundle = await rig.bundle({ args: ["sh", "-c", loop] });
  await TestDaemon.with(rig, async (daemon) => {
    const id = rig.id("walk");
    const events = daemon.follow({});
    expect(await daemon.ctr(["containers", "start", id, bundle])).toEqual({ code: 0, stdout: "", stderr: "" });
    const list = await daemon.ctr(["containers"]);
    expect(list.stdout).toMatch(new RegExp(`^ID +PATH +STATUS +PROCESSES\n${id} +${bundle} +running +init\n$`));
    const ps = await daemon.ctr(["containers", "exec", `--id=${id}`, "--pid=20", "--cwd=/", "-a", "ps", "aux"]);
    expect(ps).toMatchObject({ code: 0, stderr: "" });
    expect(ps.stdout).toMatch(/^PID +USER +COMMAND\n +1 root +sh -c trap/);
    expect((await daemon.ctr(["containers", "kill", "-s", "15", id])).code).toBe(0);
    expect(await events.see("exit", id, "init")).toMatchObject({ status: 3 });
    events.close();
    await until("nothing is left", () => daemon.leftovers().length === 0);
  });
});
