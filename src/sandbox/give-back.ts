/**
 * When a guest begins to give back what it frees. To tell of free memory its kernel writes to the description of all that is free, which clones
 * have in common as long as nobody writes to it: 4 KiB for each 4 MiB. So one that has used no memory to speak of is left alone.
 */
import { readFileSync } from "node:fs";
import { messageOf } from "../base/error";
import { log } from "../base/log";
import type { Guest } from "../guest/guest";
import { loadModules, reportFreePages } from "../guest/prepare";
import { readImageManifest } from "../image/read-manifest";
import type { Sandbox } from "./connect";
import { modulesFor } from "./modules";

/** How often it is looked at what a machine has taken, in ms. */
const lookEveryMs = 2_000;
/** What an idle container never takes, in MiB; what emulated code is translated to counts, too. */
const worthwhileMiB = 24;

/**
 * Has a guest give back what it frees, to its end: a clone from when it has taken some memory, others at once. Nothing happens where its machine cannot.
 * @param initrd the machine's, which has the module for that
 */
export function giveBackMemory({ machine, guest, cloned }: Sandbox, initrd: string): void {
  const { pid, capabilities } = machine;
  if (!capabilities.freePageReporting || pid === undefined) return;
  const start = () =>
    void begin(guest, initrd).catch((error) => log.debug(`memory that is freed stays taken: ${messageOf(error)}`));
  if (cloned !== true) {
    start();
    return;
  }
  const atFirst = ownMiB(pid) ?? 0;
  const timer = setInterval(() => {
    const own = ownMiB(pid);
    if (own !== undefined && own - atFirst < worthwhileMiB) return;
    clearInterval(timer);
    if (own !== undefined) start();
  }, lookEveryMs);
  timer.unref();
}

async function begin(guest: Guest, initrd: string): Promise<void> {
  await guest.call(loadModules(modulesFor(readImageManifest(initrd), ["virtio_balloon"])));
  await guest.call(reportFreePages());
}

/** What a process has of memory that is no file's, in MiB (proc_pid_status(5)); undefined when it has ended. */
export function ownMiB(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
    const kibibytes = of("RssAnon") + of("RssShmem");
    return Number.isNaN(kibibytes) ? undefined : kibibytes / 1024;
  } catch {
    return undefined;
  }
}
