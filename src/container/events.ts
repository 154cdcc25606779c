import { messageOf, RunvError } from "../base/error";
import { stringifyExactly } from "../base/exact-json";
import { log } from "../base/log";
import { print } from "../base/output";
import { decodeCgroupFiles, readCgroupFiles } from "../guest/cgroup-files";
import { followMemory } from "../guest/watch-memory";
import type { SandboxClient } from "../sandbox/client";
import type { EventsOptions } from "./options";
import { connected, initOf, openContainer, withSandbox } from "./record/open";
import { statFiles, statsOf } from "./stats";

/** In milliseconds; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1;

/**
 * `runv events`: what the container uses, once or at an interval, and when it is out of memory, a line of JSON for each. Without
 * `stats` it ends with the container.
 * @returns the exit code
 */
export async function showEvents({ global, id, stats, intervalMs }: EventsOptions): Promise<number> {
  const { record, status } = openContainer(global.root, id);
  if (status === "stopped" || status === "creating") {
    throw new RunvError("CONTAINER_NOT_RUNNING", `container with id ${id} is not running`);
  }
  const program = readCgroupFiles(id, initOf(record), statFiles);
  const printStats = async (client: SandboxClient) => {
    const files = decodeCgroupFiles(await client.guest.call(program), statFiles);
    printEvent({ type: "stats", id, data: statsOf(files) });
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
  const timer = setInterval(
    () => {
      printStats().catch((error: unknown) => {
        if (!ended) log.error(messageOf(error));
      });
    },
    Math.min(intervalMs, longestTimer),
  );
  let before: number | undefined;
  const count = (kills: number) => {
    if (before !== undefined) printEvent({ type: "oom", id });
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

function printEvent(event: unknown): void {
  print(`${stringifyExactly(event)}\n`);
}
