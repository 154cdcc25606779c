import { openLiving, printEvent, timerInterval } from "../event-line";
import type { EventsOptions } from "../options";
import { statusOf } from "../record/status";
import { countHostOomKills, hostStats } from "./stats";

/** How often the end of memory and of the container is looked for, in milliseconds: the kernel tells it in another way in each version of cgroups. */
const lookMs = 100;

/** `runv events` of a container on this host. @returns the exit code */
export async function showHostEvents({ global: { root }, id, stats, intervalMs }: EventsOptions): Promise<number> {
  const record = openLiving(root, id);
  const printStats = () => printEvent("stats", id, hostStats(record));
  if (stats) {
    printStats();
    return 0;
  }
  const { promise, resolve } = Promise.withResolvers<void>();
  let told = countHostOomKills(record.cgroup);
  const look = () => {
    for (const kills = countHostOomKills(record.cgroup); told < kills; told++) printEvent("oom", id);
    if (statusOf(root, record) === "stopped") resolve();
  };
  const timers = [setInterval(printStats, timerInterval(intervalMs)), setInterval(look, lookMs)];
  await promise;
  for (const timer of timers) clearInterval(timer);
  return 0;
}
