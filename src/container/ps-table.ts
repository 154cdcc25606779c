/** The table that ps(1) prints, of some processes. */
import { RunvError } from "../base/error";

/**
 * The header and the lines of these processes, which the column PID names, as runc does it.
 * @throws RunvError PS_NO_PID
 */
export function onlyProcesses(table: string, pids: ReadonlySet<string>): string {
  const [header = "", ...lines] = table.split("\n");
  const column = header.trim().split(/\s+/).indexOf("PID");
  if (column < 0) throw new RunvError("PS_NO_PID", "couldn't find PID field in ps output");
  const ours = lines.filter((line) => pids.has(line.trim().split(/\s+/)[column] ?? ""));
  return `${[header, ...ours].join("\n")}\n`;
}
