/** What libxl writes about each domain, and nobody removes. */
import { readdirSync, rmSync } from "node:fs";

const directory = "/var/log/xen";

/** Removes the logs of a domain that is gone. */
export function removeLogs(name: string): void {
  for (const file of list()) {
    if (file.startsWith(`xl-${name}.log`) || file.startsWith(`qemu-dm-${name}.log`)) {
      rmSync(`${directory}/${file}`, { force: true });
    }
  }
}

function list(): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
