/** What ps(1) wants to know of the processes of a container. */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY } from "../linux/constants";
import { type Address, Assembler, type Register } from "../program/assembler";
import { close } from "../program/files";
import type { Program } from "../program/program";
import { eachProcess } from "./each-process";

/** Files of /proc/PID (proc(5)) that are read of each process, and those of /proc itself. */
const processFiles = ["stat", "status", "cmdline", "statm"] as const;
const machineFiles = ["stat", "uptime", "meminfo", "version", "loadavg", "cpuinfo", "sys/kernel/pid_max"] as const;
/** Most bytes that are read of a file. */
const most = 16 << 10;

/** A snapshot of /proc: the content of its files by their path, `12/stat` or `uptime`. */
export type ProcSnapshot = Map<string, Uint8Array>;

/** Puts out the files of the container's processes: for each, a process id (0 for the machine), a size, the content. */
export function readProcesses(id: string): Program {
  const p = new Assembler();
  p.doing("read the container's processes");
  const header = p.zeroed(8);
  const content = p.zeroed(most);
  const proc = p.value("openat", [AT_FDCWD, p.text("/proc"), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  for (const name of machineFiles) outputFileOf(p, proc, 0, name, header, content);
  const path = p.zeroed(24);
  eachProcess(p, id, (pid) => {
    const gone = p.label();
    p.release(p.decimal(path, pid));
    const options = { accept: ["ENOENT"], otherwise: gone } as const;
    const directory = p.value("openat", [proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC], options);
    for (const name of processFiles) outputFileOf(p, directory, pid, name, header, content);
    close(p, directory);
    p.place(gone);
  });
  return p.assemble();
}

/** Puts out one file; an empty one when its process has ended meanwhile. */
function outputFileOf(
  p: Assembler,
  directory: Register,
  pid: Register | number,
  name: string,
  header: Address,
  content: Address,
): void {
  const [opened, write] = [p.label(), p.label()];
  const length = p.register();
  p.set(length, 0);
  const gone = { accept: ["ENOENT", "ESRCH"], otherwise: write } as const;
  const file = p.value("openat", [directory, p.text(name), O_RDONLY | O_CLOEXEC], gone);
  p.syscall("read", [file, content, most], { into: length, accept: ["ESRCH"], otherwise: opened });
  p.place(opened);
  close(p, file);
  p.jumpIf(length, "≥", 0, write);
  p.set(length, 0);
  p.place(write);
  p.store(header, pid, 4);
  p.store(header.plus(4), length, 4);
  p.output(header, 8);
  p.output(content, length);
  p.release(length);
}

/**
 * Reads what the program put out. It comes from the guest: what does not fit is left out.
 * @returns the files by their path below /proc
 */
export function decodeProcesses(output: Uint8Array): ProcSnapshot {
  const files: ProcSnapshot = new Map();
  const view = new DataView(output.buffer, output.byteOffset, output.length);
  let at = 0;
  for (let index = 0; at + 8 <= output.length; index++) {
    const pid = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (length > most || at + 8 + length > output.length) break;
    const machine = machineFiles[index];
    const name = machine ?? `${pid}/${processFiles[(index - machineFiles.length) % processFiles.length]}`;
    if (length > 0) files.set(name, output.slice(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return files;
}
