import { closeSync } from "node:fs";
import { memoryFile } from "../../linux/memory-file";

/** Has virsh, which takes documents from files, read one: it is in memory, and nowhere else. */
export async function withFile<T>(document: string, action: (path: string) => Promise<T>): Promise<T> {
  const fd = memoryFile("libvirt.xml", Buffer.from(document));
  try {
    return await action(`/proc/${process.pid}/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}
