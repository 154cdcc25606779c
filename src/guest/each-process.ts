import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../linux/constants";
import type { Assembler, Register } from "../program/assembler";
import { close } from "../program/files";
import { cgroupOf } from "./lower/cgroup";

/**
 * Does something with the id of each process of a container, in init's pid namespace. The program reads `cgroup.procs`, an id
 * a line, byte by byte.
 */
export function eachProcess(p: Assembler, id: string, body: (pid: Register) => void): void {
  const byte = p.zeroed(8);
  const file = p.value("openat", [AT_FDCWD, p.text(`${cgroupOf(id)}/cgroup.procs`), O_RDONLY | O_CLOEXEC]);
  const [pid, length, digit, twice] = [p.register(), p.register(), p.register(), p.register()];
  const [next, end, line] = [p.label(), p.label(), p.label()];
  p.set(pid, 0);
  p.place(next);
  p.syscall("read", [file, byte, 1], { into: length });
  p.jumpIf(length, "=", 0, end);
  p.load(byte, 1, digit);
  p.jumpIf(digit, "=", "\n".charCodeAt(0), line);
  // pid × 10 + digit, where there is nothing but addition
  p.add(pid, pid, twice);
  p.add(twice, twice, pid);
  p.add(pid, pid, pid);
  p.add(pid, twice, pid);
  p.add(pid, digit, pid);
  p.add(pid, -"0".charCodeAt(0), pid);
  p.jump(next);
  p.place(line);
  body(pid);
  p.set(pid, 0);
  p.jump(next);
  p.place(end);
  close(p, file);
  p.release(pid, length, digit, twice);
}
