import { AT_FDCWD, O_CLOEXEC, O_RDONLY, POLLPRI } from "../linux/constants";
import { Assembler, type Register } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";
import type { Guest } from "./guest";
import { cgroupOf } from "./lower/cgroup";

const most = 4096;
/** struct pollfd: the descriptor, and what to wait for. */
const pollSize = 8;
/** Where the digit of "populated 1", the first line of cgroup.events, is. */
const populatedAt = "populated ".length;

/**
 * Watches a container's cgroup: puts out `memory.events` and stops, again whenever one of its numbers has changed (poll(2) tells),
 * and ends when the container has no processes any more. The host lets it go on; nothing is asked for again and again.
 */
export function watchMemoryEvents(id: string): Program {
  const p = new Assembler();
  p.doing("watch the container's memory");
  const content = p.zeroed(most);
  const polled = p.zeroed(2 * pollSize);
  const files = ["memory.events", "cgroup.events"].map((name, index) => {
    const file = p.value("openat", [AT_FDCWD, p.text(`${cgroupOf(id)}/${name}`), O_RDONLY | O_CLOEXEC]);
    p.store(polled.plus(index * pollSize), file, 4);
    p.store(polled.plus(index * pollSize + 4), POLLPRI, 2);
    return file;
  }) as [Register, Register];
  const [again, ended] = [p.label(), p.label()];
  const length = p.register();
  /** Its cgroup is removed as soon as a container is: then there is nothing to read. */
  const read = (file: Register) => {
    p.syscall("lseek", [file, 0, 0], { accept: ["ENODEV"], otherwise: ended });
    p.syscall("read", [file, content, most], { into: length, accept: ["ENODEV"], otherwise: ended });
  };
  p.place(again);
  read(files[0]);
  p.output(content, length);
  read(files[1]);
  const digit = p.load(content.plus(populatedAt), 1);
  p.jumpIf(digit, "=", "0".charCodeAt(0), ended);
  p.stop();
  p.syscall("ppoll", [polled, 2, 0, 0, 8]);
  p.jump(again);
  p.place(ended);
  close(p, ...files);
  return p.assemble();
}

/**
 * Follows what the end of memory costs a container.
 * @param onKills told how many of its processes that were, at first and whenever it has become more
 * @returns fulfilled when the container has none left
 */
export async function followMemory(guest: Guest, id: string, onKills: (kills: number) => void): Promise<void> {
  const watcher = guest.run(watchMemoryEvents(id));
  let last: number | undefined;
  for (;;) {
    const { at, output } = await watcher.next();
    const kills = oomKills(output);
    if (last === undefined || kills > last) onKills(kills);
    last = kills;
    if (at !== "stopped") return;
    watcher.go();
  }
}

/** How many processes of a container the end of memory has cost until now. @throws RunvError GUEST_… */
export async function countOomKills(guest: Guest, id: string): Promise<number> {
  const { output } = await guest.run(watchMemoryEvents(id)).next();
  return oomKills(output);
}

/** How many processes the end of memory has cost, as `memory.events` tells it. */
export function oomKills(memoryEvents: Uint8Array): number {
  const text = Buffer.from(memoryEvents).toString("latin1");
  return Number(/^oom_kill (\d{1,15})$/m.exec(text)?.[1] ?? 0);
}
