/** Saves the memory of a machine that stands still: what it has of its own, and for the rest what is in the file that it is mapped from. */
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { messageOf, RunvError } from "../../base/error";
import { copyData } from "../../linux/memory-file";

/** Where the memory is in QEMU. */
interface Mapping {
  start: number;
  end: number;
  shared: boolean;
  /** Its file is found by this name in /proc/PID/map_files; undefined: it has none. */
  file: string | undefined;
}

const pageSize = 4096;
/** Most that is read at once, in bytes. */
const most = 1 << 20;
/** After so many bytes others get their turn. */
const turn = 32 << 20;
/** Documentation/admin-guide/mm/pagemap.rst, bits 63, 62 and 61 of an entry: in memory, in swap, a file's or shared. In its upper half. */
const [inMemory, inSwap, ofFile] = [1 << 31, 1 << 30, 1 << 29];

/**
 * @param pid QEMU's
 * @param size of the memory, in bytes
 * @param to an empty file, which is as long afterwards, and has holes
 * @throws RunvError VM_SAVE
 */
export async function saveMemory(pid: number, size: number, to: number): Promise<void> {
  try {
    const mapping = findMapping(readFileSync(`/proc/${pid}/maps`, "latin1"), size);
    if (mapping === undefined) throw new RangeError("it is not found in qemu's");
    ftruncateSync(to, size);
    if (mapping.file !== undefined) withFile(`/proc/${pid}/map_files/${mapping.file}`, (file) => copyData(file, to));
    if (!mapping.shared) await copyOwn(pid, mapping, to);
  } catch (cause) {
    throw new RunvError("VM_SAVE", `save the memory of the virtual machine: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Finds a mapping of that size, which the kernel may show in several pieces.
 * @returns undefined if there is none, or several
 */
export function findMapping(maps: string, size: number): Mapping | undefined {
  const found: (Mapping & { inode: string; next: number })[] = [];
  for (const line of maps.split("\n")) {
    const [, range, from, to, mode, offset, inode] = linePattern.exec(line) ?? [];
    if (range === undefined) continue;
    const [start, end] = [Number.parseInt(from!, 16), Number.parseInt(to!, 16)];
    const at = Number.parseInt(offset!, 16);
    const last = found.at(-1);
    if (inode !== "0" && last?.inode === inode && last?.end === start && last?.next === at) {
      last.end = end;
      last.next = at + end - start;
    } else if (inode === "0" || at === 0) {
      const file = inode === "0" ? undefined : range;
      found.push({ start, end, shared: mode!.endsWith("s"), file, inode: inode!, next: at + end - start });
    }
  }
  const [only, ...others] = found.filter(({ start, end }) => end - start === size);
  return others.length > 0 ? undefined : only;
}

/** proc_pid_maps(5), of what can be written to. */
const linePattern = /^(([0-9a-f]+)-([0-9a-f]+)) (rw[x-][sp]) ([0-9a-f]+) \S+ (\d+)/;

/** Copies the pages that are the process's own. */
async function copyOwn(pid: number, { start, end }: Mapping, to: number): Promise<void> {
  const [pages, memory] = ["pagemap", "mem"].map((name) => openSync(`/proc/${pid}/${name}`, "r")) as [number, number];
  try {
    const entries = new Uint32Array((2 * most) / pageSize);
    const bytes = new Uint8Array(most);
    let sinceTurn = 0;
    for (let at = start; at < end; at += most) {
      const count = Math.min(most, end - at) / pageSize;
      const read = readSync(pages, new Uint8Array(entries.buffer), 0, count * 8, (at / pageSize) * 8);
      if (read !== count * 8) throw new RangeError("its pages are not told of");
      for (const [first, last] of runsOf(entries, count)) {
        const length = (last - first) * pageSize;
        const from = at + first * pageSize;
        transfer(memory, from, bytes.subarray(0, length), to, from - start);
        sinceTurn += length;
      }
      if (sinceTurn < turn) continue;
      sinceTurn = 0;
      await Bun.sleep(0);
    }
  } finally {
    for (const fd of [pages, memory]) closeSync(fd);
  }
}

/** The runs of pages that are a process's own, in entries of its pagemap. */
export function runsOf(entries: Uint32Array, count: number): [first: number, end: number][] {
  const runs: [number, number][] = [];
  for (let page = 0; page < count; page++) {
    const flags = entries[2 * page + 1]!;
    if ((flags & (inMemory | inSwap)) === 0 || (flags & ofFile) !== 0) continue;
    const last = runs.at(-1);
    if (last?.[1] === page) last[1]++;
    else runs.push([page, page + 1]);
  }
  return runs;
}

function transfer(from: number, position: number, bytes: Uint8Array, to: number, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(from, bytes, done, bytes.length - done, position + done);
    if (read === 0) throw new RangeError("it cannot be read");
    done += read;
  }
  for (let done = 0; done < bytes.length; ) done += writeSync(to, bytes, done, bytes.length - done, at + done);
}

function withFile(path: string, action: (fd: number) => void): void {
  const fd = openSync(path, "r");
  try {
    action(fd);
  } finally {
    closeSync(fd);
  }
}
