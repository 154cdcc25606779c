/** `runv events` */
import { RunvError } from "../base/error";
import type { EventsOptions } from "../container/options";
import { type Command, command } from "./command";
import { containerId, existingContainer, type Perform } from "./container";
import { bool, string } from "./flags";
import { usage } from "./parse";
import { parseDuration } from "./values";

export const events = (perform: Perform<EventsOptions>): Command =>
  command({
    name: "events",
    summary: "display container events such as OOM notifications, cpu, memory, and IO usage statistics",
    usage: existingContainer,
    description: `The events command displays information about the container. By default the
information is displayed once every 5 seconds.`,
    flags: {
      interval: string("set the stats collection interval", { default: "5s" }),
      stats: bool("display the container's stats then exit"),
    },
    args: [1, 1],
    run: async ({ flags, args, global }) =>
      perform({ global, id: containerId(args[0]), stats: flags.stats, intervalMs: interval(flags.interval) }),
  });

function interval(text: string): number {
  const duration = parseDuration(text);
  if (duration === undefined) throw usage(`invalid value ${JSON.stringify(text)} for flag -interval: parse error`);
  if (duration > 0) return duration;
  throw new RunvError("USAGE", "duration interval must be greater than 0");
}
