/** The machine that a result was measured on, and how much it was left alone meanwhile. */
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";

export interface Machine {
  date: string;
  processors: number;
  processor: string;
  memoryGB: number;
  kernel: string;
  /** The first line that each program says of its version. */
  versions: Record<string, string>;
  load: Load;
}

export interface Load {
  /** The load average over a minute, before and after. */
  before: number;
  after: number;
  /** When each figure was begun; what the benchmark did before is in it. */
  at: Record<string, number>;
  /** Of all processor time in the seconds before the first figure, how much was taken by others, in per cent. */
  othersPercent: number;
}

/** Describes the machine; takes two seconds in which nothing else must run. */
export async function describeMachine(versions: Record<string, string>): Promise<Machine> {
  const [{ model = "" } = {}] = cpus();
  return {
    date: new Date().toISOString(),
    processors: cpus().length,
    processor: processorName(model),
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: release(),
    versions,
    load: { before: loadNow(), after: 0, at: {}, othersPercent: await busyPercent(2000) },
  };
}

/** The load average over the last minute. */
export function loadNow(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}

function processorName(model: string): string {
  const text = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(text)?.[1] ?? "?";
  if (model !== "" && model !== "unknown") return model;
  return `${field("vendor_id")} family ${field("cpu family")} model ${field("model")}`;
}

async function busyPercent(milliseconds: number): Promise<number> {
  const before = jiffies();
  await Bun.sleep(milliseconds);
  const after = jiffies();
  const [total, idle] = [after.total - before.total, after.idle - before.idle];
  return Math.round((100 * (total - idle)) / Math.max(1, total));
}

function jiffies(): { total: number; idle: number } {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const fields = line.split(/\s+/).slice(1, 9).map(Number);
  return { total: fields.reduce((sum, field) => sum + field, 0), idle: fields[3]! + fields[4]! };
}
