/** Containers outlive the daemon: whoever is killed and starts again finds them, their output, and what has ended meanwhile. */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runvTest } from "../support/rig";
import { until } from "../support/until";
import { brief, TestDaemon } from "./support/daemon";
import { Docker, type Wire } from "./support/docker";
import { Fifos } from "./support/fifos";

const echo = 'echo started; while read line; do echo "got $line"; done; echo eof; exit 7';

runvTest("a daemon that was killed: streams flow on, ends are told once, with their time and status", async (rig) => {
  const [stays, ends, paused] = ["stays", "ends", "paused"].map((name) => rig.id(name)) as [string, string, string];
  await TestDaemon.with(rig, async (daemon) => {
    const streams: Record<string, Fifos> = {};
    for (const id of [stays, ends, paused]) {
      const bundlePath = await rig.bundle({ args: ["sh", "-c", echo] });
      streams[id] = new Fifos(rig.directory).open();
      await daemon.call("CreateContainer", { id, bundlePath, ...streams[id].paths });
      await streams[id].see(/started\n/);
    }
    const exec = new Fifos(rig.directory).open();
    const more = new Fifos(rig.directory).open();
    const add = { args: ["sh", "-c", "read line; exit 5"], cwd: "/" };
    await daemon.call("AddProcess", { id: stays, pid: "ends", ...add, ...exec.paths });
    await daemon.call("AddProcess", { id: stays, pid: "stays", ...add, ...more.paths });
    await daemon.call("UpdateContainer", { id: paused, status: "paused" });
    const before = await daemon.stored();

    await daemon.kill();
    streams[stays]!.write("while away\n");
    await streams[stays]!.see(/got while away\n/);
    exec.write("end\n");
    await daemon.runv(["kill", ends, "KILL"]);
    await until("its end", async () => JSON.parse((await daemon.runv(["state", ends])).stdout).status === "stopped");
    const restarted = Date.now() / 1000;
    await daemon.start();

    const { containers } = await daemon.call("State", {});
    expect(containers.map(({ id, status }) => `${id} ${status}`).sort()).toEqual([
      `${paused} paused`,
      `${stays} running`,
    ]);
    const after = await daemon.stored();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length).map(brief).sort()).toEqual([`exit ${ends} init 137`, `exit ${stays} ends 5`]);
    for (const { timestamp } of after.slice(before.length)) expect(Number(timestamp!.seconds)).toBeLessThan(restarted);

    const events = daemon.follow({});
    await daemon.call("UpdateContainer", { id: paused, status: "running" });
    streams[stays]!.write("again\n");
    await streams[stays]!.see(/got again\n/);
    await daemon.call("UpdateProcess", { id: stays, pid: "stays", closeStdin: true });
    await events.see("exit", stays, "stays");
    for (const id of [stays, paused]) await daemon.call("UpdateProcess", { id, pid: "init", closeStdin: true });
    for (const id of [stays, paused]) expect((await events.see("exit", id, "init")).status).toBe(7);
    for (const id of [stays, paused]) expect(streams[id]!.output).toEndWith("eof\n");
    events.close();

    // Once more, with nothing left: it tells nothing again.
    const all = (await daemon.stored()).map(brief);
    expect(await daemon.stop()).toBe(0);
    await daemon.start();
    expect((await daemon.stored()).map(brief)).toEqual(all);
    expect(daemon.leftovers()).toEqual([]);
    for (const fifos of [...Object.values(streams), exec, more]) fifos.close();
  });
});

for (const wire of ["1.11", "1.12"] as const satisfies Wire[]) {
  runvTest(`Docker ${wire} is killed, and starts again with its containers (live-restore)`, async (rig) => {
    await TestDaemon.with(rig, async (daemon) => {
      const first = await new Docker(daemon, wire).connect(Date.now() / 1000);
      const loop = 'trap "exit 3" TERM; i=0; while :; do sleep 0.1; i=$((i+1)); echo tick $i; done';
      const [stays, ends] = [rig.id("stays"), rig.id("ends")];
      const bundle = await rig.bundle({ args: ["sh", "-c", loop] });
      const a = await first.run(stays, bundle);
      const b = await first.run(ends, await rig.bundle({ args: ["sh", "-c", "read line; echo bye; exit 5"] }), {
        interactive: true,
      });
      await a.fifos.see(/tick 3\n/);
      const last = first.time(first.events.events.at(-1)!);
      b.fifos.write("end\n");
      // Docker is killed: all that it had open is closed.
      first.close();
      a.fifos.close();
      b.fifos.close();
      await until("its end is told", async () => (await daemon.stored(ends)).some(({ type }) => type === "exit"));

      const second = await new Docker(daemon, wire).connect(last);
      expect((await second.events.see("exit", ends, "init")).status).toBe(5);
      expect(second.events.events.filter((event) => event.type === "exit" && event.id === ends)).toHaveLength(1);
      expect(await daemon.try("State", { id: ends })).toMatchObject({ details: "containerd: container not found" });
      expect((await daemon.call("State", { id: stays })).containers[0]!.status).toBe("running");
      expect((await daemon.stored(stays)).map(({ type }) => type)).toEqual(["start-container"]);
      const again = new Fifos(bundle, "init").open();
      await again.see(/tick \d+\n.*tick \d+\n/s);
      await daemon.call("Signal", { id: stays, pid: "init", signal: 15 });
      expect((await second.events.see("exit", stays, "init")).status).toBe(3);
      again.close();
      second.close();
    });
  });
}

runvTest("memory that ended while the daemon was away is told, once", async (rig) => {
  await TestDaemon.with(rig, async (daemon) => {
    const hog = "x=0123456789abcdef; while :; do x=$x$x; done";
    const scripts = {
      lives: `while read line; do (${hog}); echo still here; done; exit 3`,
      dies: `read line; exec sh -c '${hog}'`,
    };
    const streams = { lives: new Fifos(rig.directory), dies: new Fifos(rig.directory) };
    for (const name of ["lives", "dies"] as const) {
      const bundlePath = await rig.bundle({
        args: ["sh", "-c", `echo started; ${scripts[name]}`],
        change: ({ linux }) => (linux.resources = { memory: { limit: 32 << 20 } }),
      });
      streams[name].open();
      await daemon.call("CreateContainer", { id: rig.id(name), bundlePath, ...streams[name].paths });
      await streams[name].see(/started\n/);
    }
    const types = async (name: string) => (await daemon.stored(rig.id(name))).map(({ type }) => type);
    streams.lives.write("go\n");
    await streams.lives.see(/still here\n/);
    await until("it is told", async () => (await types("lives")).includes("oom"));

    await daemon.kill();
    streams.dies.write("go\n");
    const state = async () => JSON.parse((await daemon.runv(["state", rig.id("dies")])).stdout);
    await until("its end", async () => (await state()).status === "stopped");
    await daemon.start();
    expect(await types("lives")).toEqual(["start-container", "oom"]);
    await until("its end is told", async () => (await types("dies")).includes("exit"));
    expect(await types("dies")).toEqual(["start-container", "oom", "exit"]);

    await daemon.kill();
    streams.lives.write("go\n");
    await streams.lives.see(/still here\n.*still here\n/s);
    await daemon.start();
    await until("it is told", async () => (await types("lives")).length === 3);
    await daemon.call("UpdateProcess", { id: rig.id("lives"), pid: "init", closeStdin: true });
    await until("its end is told", async () => (await types("lives")).includes("exit"));
    expect(await types("lives")).toEqual(["start-container", "oom", "oom", "exit"]);
    for (const fifos of Object.values(streams)) fifos.close();
  });
});

runvTest("a machine that does not answer: its container can be killed, and that is told", async (rig) => {
  await TestDaemon.with(rig, async (daemon) => {
    const id = rig.id("silent");
    const bundlePath = await rig.bundle({ args: ["sleep", "1000"] });
    await daemon.call("CreateContainer", { id, bundlePath });
    const { machine } = JSON.parse(readFileSync(`${daemon.root}/${id}/state.json`, "utf8"));
    process.kill(machine.pid, "SIGSTOP");
    await daemon.call("Signal", { id, pid: "init", signal: 9 });
    const told = async () => (await daemon.stored(id)).map(brief);
    await until("its end is told", async () => (await told()).includes(`exit ${id} init 137`), 120_000);
    expect((await daemon.call("State", {})).containers).toEqual([]);
    await until("nothing is left", () => daemon.leftovers().length === 0);
  });
});

runvTest("two daemons do not share a directory; one that ends with its last container", async (rig) => {
  await TestDaemon.with(
    rig,
    async (daemon) => {
      const second = await rig.runv(["containerd", "--state-dir", daemon.state, "-l", join(rig.directory, "d.sock")]);
      expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining("code=DAEMON_RUNNING") });
      const id = rig.id("only");
      await daemon.call("CreateContainer", { id, bundlePath: await rig.bundle({ args: ["true"] }) });
      expect(await daemon.ended()).toBe(0);
      expect(daemon.log()).toContain("the last container has ended");
      expect(readFileSync("/proc/net/unix", "utf8")).not.toContain(daemon.socket);
    },
    ["--solo-namespaced", "--containerd-dir", join(rig.directory, "own")],
  );
});
