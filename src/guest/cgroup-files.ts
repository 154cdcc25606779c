/** The files of a container's cgroup in the guest, and what of the machine belongs to an account of it. */
import { AT_FDCWD, CLONE_NEWNET, O_CLOEXEC, O_RDONLY } from "../linux/constants";
import { type Address, Assembler, Pidfd } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";
import { cgroupOf } from "./lower/cgroup";

/** Most bytes that are read of a file. */
const most = 16 << 10;
/** The length of a file that is not there. */
const missing = 0xffffffff;

/** Network interfaces, of the network that the container sees (proc(5)). */
export const networkFile = "/proc/thread-self/net/dev";

/**
 * Puts out files of a container's cgroup, all in one go: of each its length and its content.
 * @param names of the files; an absolute path is one of the machine's, seen from the container's network namespace
 * @param init the handle of the container's first process
 */
export function readCgroupFiles(id: string, init: number, names: readonly string[]): Program {
  const p = new Assembler();
  p.doing("read the container's cgroup");
  const length = p.zeroed(8);
  const content = p.zeroed(most);
  const directory = p.value("openat", [AT_FDCWD, p.text(cgroupOf(id)), O_RDONLY | O_CLOEXEC]);
  // It may have ended, or be in the network namespace of the machine: then that is what there is to see.
  p.syscall("setns", [new Pidfd(init), CLONE_NEWNET], { accept: "any" });
  for (const name of names) {
    const [gone, next] = [p.label(), p.label()];
    const options = { accept: "any", otherwise: gone } as const;
    const file = p.value("openat", [directory, p.text(name), O_RDONLY | O_CLOEXEC], options);
    const size = p.value("read", [file, content, most], options);
    close(p, file);
    output(p, length, size);
    p.output(content, size);
    p.jump(next);
    p.place(gone);
    output(p, length, missing);
    p.place(next);
    p.release(size);
  }
  close(p, directory);
  return p.assemble();
}

function output(p: Assembler, at: Address, length: Parameters<Assembler["store"]>[1]): void {
  p.store(at, length, 4);
  p.output(at, 4);
}

/**
 * Reads what the program put out. It comes from the guest: what does not fit is left out.
 * @param names those that the program was made for
 * @returns the files that there are, by their names
 */
export function decodeCgroupFiles(output: Uint8Array, names: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  let at = 0;
  for (const name of names) {
    if (at + 4 > output.length) break;
    const length = view.getUint32(at, true);
    at += 4;
    if (length === missing) continue;
    if (length > most || at + length > output.length) break;
    files.set(name, Buffer.from(output.subarray(at, at + length)).toString("latin1"));
    at += length;
  }
  return files;
}
