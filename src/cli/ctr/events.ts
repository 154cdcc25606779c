/** `ctr events` */
import { print } from "../../base/output";
import { formatTime, parseTime } from "../../base/time";
import { timeOf, toTimestamp } from "../../protobuf/timestamp";
import { string } from "../flags";
import { CtrFailure, subcommand } from "./subcommand";

/** The width of a column of containerd's ctr, blanks included. */
const width = 31;

export const events = subcommand({
  name: "events",
  summary: "receive events from the containerd daemon",
  usage: "",
  flags: { timestamp: string("get events from a specific time stamp in RFC3339Nano format", { short: "t" }) },
  async run({ client, flags }) {
    const since = flags.timestamp ? parseTime(flags.timestamp) : undefined;
    if (flags.timestamp && since === undefined) throw new CtrFailure(`cannot parse "${flags.timestamp}" as RFC3339`);
    const stream = client.events(since === undefined ? {} : { timestamp: toTimestamp(since) });
    print(row(["TIME", "TYPE", "ID", "PID", "STATUS"]));
    for await (const { timestamp, type, id, pid, status } of stream) {
      print(row([formatTime(timeOf(timestamp ?? {})), type, id, pid, String(status)]));
    }
    throw new CtrFailure("EOF");
  },
});

function row(cells: readonly string[]): string {
  return `${cells.map((cell, index) => (index === cells.length - 1 ? cell : cell.padEnd(width - 1).concat(" "))).join("")}\n`;
}
