/** What Docker of that time does, as it was recorded, on both wires. */
import { expect } from "bun:test";
import { closeSync, existsSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O_NONBLOCK, O_RDONLY } from "../../src/linux/constants";
import { runvTest } from "../support/rig";
import { until } from "../support/until";
import { brief, TestDaemon } from "./support/daemon";
import { Docker, type Wire } from "./support/docker";

const loop = 'trap "echo got TERM; exit 3" TERM; trap "echo usr" USR1; echo started; while :; do sleep 0.1; done';

/** Says the terminal's size once it has one; busybox's stty succeeds without. */
const sized = "until stty size 2>&- | grep .; do sleep 0.1; done";

for (const wire of ["1.11", "1.12"] as const satisfies Wire[]) {
  const config = wire === "1.11" ? "docker-1.11.2" : "docker-1.12.6";

  runvTest(`Docker ${wire}: run, exec, top, stats, pause, update, kill, stop, start again`, async (rig) => {
    const bundle = await rig.bundle({ config, args: ["/bin/sh", "-c", loop] });
    const id = rig.id("long");
    await TestDaemon.with(rig, async (daemon) => {
      const docker = await new Docker(daemon, wire).connect(Date.now() / 1000);
      const long = await docker.run(id, bundle);
      await long.fifos.see(/started\n/);

      const echo = await docker.exec(id, bundle, ["/bin/echo", "in-exec"]);
      expect((await echo.exited()).status).toBe(0);
      expect(echo.fifos.output).toBe("in-exec\n");
      const code = await docker.exec(id, bundle, ["/bin/sh", "-c", "exit 11"]);
      expect((await code.exited()).status).toBe(11);
      expect(await docker.tryExec(id, bundle, ["/no/such"])).toMatchObject({
        code: 2,
        details: expect.stringContaining("no such file or directory"),
      });
      expect(await docker.tryExec(id, bundle, ["nothing"])).toMatchObject({
        code: 2,
        details: expect.stringContaining("executable file not found"),
      });

      const cat = await docker.exec(id, bundle, ["/bin/cat"], { interactive: true });
      cat.fifos.write("typed");
      await daemon.call("UpdateProcess", { id, pid: cat.pid, closeStdin: true });
      await cat.exited();
      expect(cat.fifos.output).toBe("typed");

      const script = `${sized}; tty; exit 6`;
      const tty = await docker.exec(id, bundle, ["/bin/sh", "-c", script], { terminal: true });
      await daemon.call("UpdateProcess", { id, pid: tty.pid, width: 88, height: 21 });
      expect((await tty.exited()).status).toBe(6);
      expect(tty.fifos.output).toMatch(/21 88\r\n\/dev\/pts\/\d\r\n$/);
      const late = await daemon.try("UpdateProcess", { id, pid: tty.pid, closeStdin: true });
      expect(late).toMatchObject({ code: 2, details: "containerd: process not found for container" });

      const [state] = (await daemon.call("State", { id })).containers;
      for (const pid of state!.pids) expect(existsSync(`/proc/${pid}`)).toBe(true);
      const stats = await daemon.call("Stats", { id });
      expect(wire === "1.11" ? stats.seconds : stats.timestamp!.seconds).toBeGreaterThan(1_700_000_000n);
      expect(stats.cgroup_stats!.memory_stats!.usage!.limit).toBe(128n << 20n);

      void daemon.call("UpdateContainer", { id, pid: "init", status: "paused" });
      await docker.events.see("pause", id);
      void daemon.call("UpdateContainer", { id, pid: "init", status: "running" });
      await docker.events.see("resume", id);
      await daemon.call("UpdateContainer", { id, pid: "init", resources: { memoryLimit: 200n << 20n } });
      await daemon.call("Signal", { id, pid: "init", signal: 10 });
      await long.fifos.see(/usr\n/);
      await daemon.call("Signal", { id, pid: "init", signal: 15 });
      expect((await long.exited()).status).toBe(3);
      expect(long.fifos.output).toEndWith("got TERM\n");
      expect(await daemon.try("State", { id })).toMatchObject({ code: 2, details: "containerd: container not found" });
      long.fifos.close();

      const again = await docker.run(id, bundle);
      const exec = await docker.exec(id, bundle, ["/bin/sleep", "50"]);
      await daemon.call("Signal", { id, pid: "init", signal: 9 });
      expect((await again.exited()).status).toBe(137);
      expect((await exec.exited()).status).toBe(137);
      // The processes of a container end before its first does.
      expect(docker.events.events.slice(-2).map(brief)).toEqual([`exit ${id} ${exec.pid} 137`, `exit ${id} init 137`]);
      for (const { fifos } of [again, echo, code, cat, tty, exec]) fifos.close();
      docker.close();
      await until("nothing is left", () => daemon.leftovers().length === 0);
    });
  });

  runvTest(`Docker ${wire}: a terminal; a command that is missing; a restart policy`, async (rig) => {
    await TestDaemon.with(rig, async (daemon) => {
      const docker = await new Docker(daemon, wire).connect(Date.now() / 1000);
      const script = `${sized}; read line; echo $line; exit 9`;
      const change = (config: { process: { terminal?: boolean } }) => {
        config.process.terminal = true;
      };
      const terminal = await rig.bundle({ config, args: ["/bin/sh", "-c", script], change });
      const tty = await docker.run(rig.id("tty"), terminal, { terminal: true });
      await daemon.call("UpdateProcess", { id: rig.id("tty"), pid: "init", width: 99, height: 33 });
      await tty.fifos.see(/33 99\r\n/);
      tty.fifos.write("typed\r");
      expect((await tty.exited()).status).toBe(9);
      expect(tty.fifos.output).toEndWith("typed\r\ntyped\r\n");
      expect(tty.fifos.errors).toBe("");

      const missing = await rig.bundle({ config, args: ["/no/such"] });
      const outcome = await docker.tryRun(rig.id("none"), missing);
      expect(outcome).toMatchObject({ code: 2, details: expect.stringContaining("no such file or directory") });

      const failing = await rig.bundle({ config, args: ["/bin/sh", "-c", "echo out; exit 4"] });
      for (let tries = 0; tries < 2; tries++) {
        const { fifos, exited } = await docker.run(rig.id("rs"), failing);
        expect((await exited()).status).toBe(4);
        expect(fifos.output).toBe("out\n");
        fifos.close();
      }
      tty.fifos.close();
      docker.close();
    });
  });
}

runvTest(
  "Docker 1.12 finds its FIFOs taken while the machine starts: it waits no longer than 15 s for that",
  async (rig) => {
    const [reached, go] = [join(rig.directory, "reached"), join(rig.directory, "go")];
    const hook = `touch ${reached}; until [ -e ${go} ]; do sleep 0.1; done`;
    const change = (config: { hooks?: unknown }) => {
      config.hooks = { prestart: [{ path: "/bin/sh", args: ["sh", "-c", hook] }] };
    };
    const bundle = await rig.bundle({ config: "docker-1.12.6", args: ["/bin/echo", "out"], change });
    await TestDaemon.with(rig, async (daemon) => {
      const docker = await new Docker(daemon, "1.12").connect(Date.now() / 1000);
      const running = docker.run(rig.id("slow"), bundle);
      await until("the hook runs", () => existsSync(reached), 60_000);
      // Nobody writes: that is the end. Somebody may: there is nothing yet.
      const stdout = openSync(join(bundle, "init-stdout"), O_RDONLY | O_NONBLOCK);
      try {
        expect(() => readSync(stdout, Buffer.alloc(1))).toThrow("EAGAIN");
      } finally {
        closeSync(stdout);
        writeFileSync(go, "");
      }
      const { fifos, exited } = await running;
      expect((await exited()).status).toBe(0);
      expect(fifos.output).toBe("out\n");
      fifos.close();
      docker.close();
    });
  },
);
