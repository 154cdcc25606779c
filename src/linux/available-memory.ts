import { readFileSync } from "node:fs";

/** How much memory this machine has for new programs, in MiB: MemAvailable of proc_meminfo(5). */
export function availableMiB(): number {
  return Number(/^MemAvailable: +(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) / 1024;
}
