import { messageOf, RunvError } from "../base/error";
import { log } from "../base/log";
import { decodeCgroupFiles, readCgroupFiles } from "../guest/cgroup-files";
import { followMemory } from "../guest/watch-memory";
import type { SandboxClient } from "../sandbox/client";
import { openLiving, printEvent, timerInterval } from "./event-line";
import type { EventsOptions } from "./options";
import { connected, initOf, withSandbox } from "./record/open";
import { statFiles, statsOf } from "./stats";

/**
 * `runv events`: what the container uses, once or at an interval, and when it is out of memory, a line of JSON for each. Without
 * `stats` it ends with the container.
 * @returns the exit code
 */
export async function showEvents({ global, id, stats, intervalMs }: EventsOptions): Promise<number> {
  const record = openLiving(global.root, id);
  const program = readCgroupFiles(id, initOf(record), statFiles);
  const printStats = async (client: SandboxClient) => {
    const files = decodeCgroupFiles(await client.guest.call(program), statFiles);
    printEvent("stats", id, statsOf(files));
  };
  if (stats) await withSandbox(global.root, record, printStats);
  else await connected(global.root, record, (client) => follow(id, client, intervalMs, () => printStats(client)));
  return 0;
}

async function follow(
  id: string,
  client: SandboxClient,
  intervalMs: number,
  printStats: () => Promise<void>,
): Promise<void> {
  let ended = false;
  const timer = setInterval(() => {
    printStats().catch((error: unknown) => {
      if (!ended) log.error(messageOf(error));
    });
  }, timerInterval(intervalMs));
  let before: number | undefined;
  const count = (kills: number) => {
    if (before !== undefined) printEvent("oom", id);
    before = kills;
  };
  try {
    await Promise.race([followMemory(client.guest, id, count), client.closed]);
  } catch (error) {
    // The machine ends with its container.
    if (!(error instanceof RunvError && error.code === "SANDBOX_GONE")) throw error;
  } finally {
    ended = true;
    clearInterval(timer);
  }
}
