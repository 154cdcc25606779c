/** runv, killed at any moment: what there is of the container is known as stopped, and delete leaves nothing of it. */
import { expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { hostTest, type Rig } from "../support/rig";

/** What is there when it is killed. */
const points: Record<string, (rig: Rig, id: string) => boolean> = {
  "as soon as it has the id": ({ root }, id) => existsSync(join(root, id)),
  "when the container is recorded": ({ root }, id) => existsSync(join(root, id, "state.json")),
  "when it listens for its start": ({ root }, id) => existsSync(join(root, id, "start")),
  "when its process is recorded": ({ root }, id) => /"shim":/.test(read(join(root, id, "state.json"))),
  "in a hook": ({ directory }) => read(join(directory, "hook")) !== "",
};

for (const [point, reached] of Object.entries(points)) {
  hostTest(`create, killed ${point}`, async (rig) => {
    const id = rig.id("create");
    // It would wait for ever: it is killed before it could be done.
    const hook = { path: "/bin/sh", args: ["sh", "-c", `echo $$ >${rig.directory}/hook; exec sleep 1000`] };
    const bundle = await rig.bundle({
      args: ["sleep", "1000"],
      change: (config) => {
        config.hooks = { createRuntime: [hook] };
      },
    });
    const child = rig.spawn(["create", "-b", bundle, id]);
    // Without a pause between two looks: the moments are short.
    while (!reached(rig, id) && child.exitCode === null) await Bun.sleep(0);
    child.kill("SIGKILL");
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    const state = await rig.runv(["state", id]);
    if (state.code === 0) expect(JSON.parse(state.stdout)).toMatchObject({ status: "stopped", pid: 0 });
    else expect(state.stderr).toContain("container does not exist");
    expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
    expect((await rig.runv(["state", id])).stderr).toContain("container does not exist");
    // A hook is nobody's once its runtime was killed, as with runc.
    const pid = Number(read(join(rig.directory, "hook")));
    if (pid !== 0) process.kill(pid, "SIGKILL");
  });
}

hostTest("run in the foreground, killed: the container goes on, and can be deleted", async (rig) => {
  const id = rig.id("run");
  const bundle = await rig.bundle({ args: ["sh", "-c", "echo up; exec sleep 1000"] });
  const child = rig.spawn(["run", "-b", bundle, id]);
  expect(Buffer.from((await child.stdout.getReader().read()).value ?? []).toString()).toBe("up\n");
  child.kill("SIGKILL");
  await child.exited;
  expect(JSON.parse((await rig.runv(["state", id])).stdout).status).toBe("running");
  expect((await rig.runv(["delete", "--force", id])).code).toBe(0);
});

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
