/**
 * Many of everything. RUNV_TEST_WHOLE=1 runs it in full size (50 containers by 10 clients, a thousand execs, a loop of 100 with a daemon that
 * is killed), which takes a quarter of an hour on two slow cores.
 */
import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { ApiClient } from "../../src/containerd/client";
import { runvTest } from "../support/rig";
import { until } from "../support/until";
import { brief, type Event, TestDaemon } from "./support/daemon";

const whole = process.env.RUNV_TEST_WHOLE === "1";
const size = whole
  ? { containers: 50, clients: 10, execs: 1000, rounds: 100, kills: 25 }
  : { containers: 8, clients: 4, execs: 40, rounds: 6, kills: 2 };

runvTest(`${size.containers} containers by ${size.clients} clients at once`, async (rig) => {
  const bundlePath = await rig.bundle({ args: ["sh", "-c", "exit 3"], change: shareNothing });
  await TestDaemon.with(rig, async (daemon) => {
    const events = daemon.follow({});
    const ids = Array.from({ length: size.containers }, (_, index) => rig.id(`n${index}`));
    const clients = Array.from({ length: size.clients }, () => new ApiClient(daemon.socket));
    await Promise.all(
      clients.map(async (client, index) => {
        for (const id of ids.filter((_, at) => at % size.clients === index)) {
          await client.call("CreateContainer", { id, bundlePath });
        }
      }),
    );
    for (const client of clients) client.close();
    await until("all have ended", () => count(events.events, "exit") === ids.length, 120_000);
    for (const id of ids) {
      expect(events.events.filter((event) => event.id === id).map(brief)).toEqual([
        `start-container ${id}  0`,
        `exit ${id} init 3`,
      ]);
    }
    expect((await daemon.call("State", {})).containers).toEqual([]);
    expect(daemon.leftovers()).toEqual([]);
    events.close();
  });
});

runvTest(`${size.execs} execs, a reader of events that stands still, and a daemon that does not grow`, async (rig) => {
  const id = rig.id("execs");
  const bundlePath = await rig.bundle({ args: ["sleep", "100000"] });
  await TestDaemon.with(rig, async (daemon) => {
    await daemon.call("CreateContainer", { id, bundlePath });
    const slow = daemon.follow({ id });
    slow.pause();
    const run = async (from: number, to: number) => {
      await inParallel(4, from, to, async (index) => {
        await daemon.call("AddProcess", { id, pid: `p${index}`, args: ["sh", "-c", `exit ${index % 100}`], cwd: "/" });
      });
      await until("all have ended", async () => processes(daemon, id), 120_000);
    };
    const half = size.execs / 2;
    await run(0, half);
    const [memory, files] = [residentMiB(daemon.pid), openFiles(daemon.pid)];
    await run(half, size.execs);
    // Half of the execs leave nothing behind in a process that has seen as many before.
    expect(residentMiB(daemon.pid)).toBeLessThan(memory + 48);
    expect(openFiles(daemon.pid)).toBeLessThan(files + 10);
    slow.resume();
    await until("the reader has caught up", () => slow.events.length === 2 * size.execs, 60_000);
    for (let index = 0; index < size.execs; index++) {
      const seen = slow.events.filter(({ pid }) => pid === `p${index}`).map(({ type, status }) => `${type} ${status}`);
      expect(seen).toEqual(["start-process 0", `exit ${index % 100}`]);
    }
    slow.close();
    await daemon.call("Signal", { id, pid: "init", signal: 9 });
    await until("it is gone", () => daemon.leftovers().length === 0, 60_000);
  });
});

runvTest(`a daemon that is killed ${size.kills} times in ${size.rounds} rounds of create, exec, kill`, async (rig) => {
  const bundlePath = await rig.bundle({ args: ["sleep", "100000"], change: shareNothing });
  await TestDaemon.with(rig, async (daemon) => {
    let [round, done] = [0, false];
    /** Calls that were answered: of these both events must be told. */
    const answered = { containers: new Set<string>(), execs: new Set<string>() };
    const worker = async () => {
      while (round < size.rounds) {
        const id = rig.id(`r${round++}`);
        if (!(await attempt(daemon, () => daemon.call("CreateContainer", { id, bundlePath })))) continue;
        answered.containers.add(id);
        const exec = { id, pid: "x", args: ["true"], cwd: "/" };
        if (await attempt(daemon, () => daemon.call("AddProcess", exec))) answered.execs.add(id);
        while (!(await attempt(daemon, () => daemon.call("Signal", { id, pid: "init", signal: 9 }))))
          await Bun.sleep(50);
      }
    };
    const killer = async () => {
      for (let kills = 0; kills < size.kills; kills++) {
        const from = round;
        await until("some rounds", () => done || round >= from + Math.floor(size.rounds / (size.kills + 1)), 300_000);
        // At any moment of whatever it does.
        await Bun.sleep(Math.random() * 300);
        await daemon.kill();
        await daemon.start();
      }
    };
    const killing = killer();
    await Promise.all([worker(), worker()]);
    done = true;
    await killing;
    const running = async () => (await daemon.call("State", {})).containers.map(({ id }) => id);
    const known = (id: string) => answered.containers.has(id);
    await until("the end of all that was killed", async () => !(await running()).some(known), 120_000);
    // One that had started when the daemon was killed lives on, though its client has had no answer.
    for (const id of await running()) await daemon.call("Signal", { id, pid: "init", signal: 9 });
    await until("nothing runs", async () => (await running()).length === 0, 120_000);
    await until("nothing is left", () => daemon.leftovers().length === 0, 60_000);
    const events = await daemon.stored();
    for (const id of answered.containers) {
      expect(events.filter((event) => event.id === id && event.pid !== "x").map(({ type }) => type)).toEqual([
        "start-container",
        "exit",
      ]);
    }
    for (const id of answered.execs) {
      expect(events.filter((event) => event.id === id && event.pid === "x").map(({ type }) => type)).toEqual([
        "start-process",
        "exit",
      ]);
    }
    // Of what was not answered either both are told or nothing.
    expect(count(events, "exit")).toBe(count(events, "start-container") + count(events, "start-process"));
  });
});

/** The containers share a root file system and have no cgroup of a name of their own. */
function shareNothing(config: { linux: { cgroupsPath?: string } }): void {
  delete config.linux.cgroupsPath;
}

/** Makes a call of which nobody knows whether the daemon lives to answer it. @returns whether it succeeded */
async function attempt(daemon: TestDaemon, call: () => Promise<unknown>): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    const { code } = error as { code?: number };
    if (code === 2) return (error as Error).message.includes("not found");
    // The connection has gone: it may come back.
    await daemon.client.connect(60_000).catch(() => {});
    return false;
  }
}

async function inParallel(atATime: number, from: number, to: number, action: (index: number) => Promise<void>) {
  let next = from;
  const worker = async () => {
    while (next < to) await action(next++);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

async function processes(daemon: TestDaemon, id: string): Promise<boolean> {
  return (await daemon.call("State", { id })).containers[0]!.processes.length === 1;
}

function count(events: readonly Event[], type: string): number {
  return events.filter((event) => event.type === type).length;
}

function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
