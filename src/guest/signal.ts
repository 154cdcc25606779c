import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../linux/constants";
import { SIGKILL } from "../linux/signals";
import { Assembler, Pidfd } from "../program/assembler";
import { close, writeFile } from "../program/files";
import type { Program } from "../program/program";
import { cgroupOf } from "./lower/cgroup";

/** Sends a signal to a process. */
export function killInit(handle: number, signal: number): Program {
  const p = new Assembler();
  p.doing("signal the container's process");
  p.syscall("pidfd_send_signal", [new Pidfd(handle), signal, 0, 0]);
  return p.assemble();
}

/** Sends a signal to every process of a container. SIGKILL reaches those that are being born, too (cgroup.kill). */
export function killAll(id: string, signal: number): Program {
  const p = new Assembler();
  p.doing("signal all processes of the container");
  if (signal === SIGKILL) writeFile(p, `${cgroupOf(id)}/cgroup.kill`, "1");
  else signalEach(p, id, signal);
  return p.assemble();
}

/** Reads cgroup.procs, a process id a line, byte by byte, and signals each. */
function signalEach(p: Assembler, id: string, signal: number): void {
  const byte = p.zeroed(8);
  const file = p.value("openat", [AT_FDCWD, p.text(`${cgroupOf(id)}/cgroup.procs`), O_RDONLY | O_CLOEXEC]);
  const [pid, length, digit] = [p.register(), p.register(), p.register()];
  const [next, end, line] = [p.label(), p.label(), p.label()];
  p.set(pid, 0);
  p.place(next);
  p.syscall("read", [file, byte, 1], { into: length });
  p.jumpIf(length, "=", 0, end);
  p.load(byte, 1, digit);
  p.jumpIf(digit, "=", 10, line);
  // pid = pid × 10 + digit, with nothing but additions
  p.add(pid, pid, pid);
  const twice = p.add(pid, 0);
  p.add(pid, pid, pid);
  p.add(pid, pid, pid);
  p.add(pid, twice, pid);
  p.add(pid, digit, pid);
  p.add(pid, -48, pid);
  p.jump(next);
  p.place(line);
  p.syscall("kill", [pid, signal], { accept: ["ESRCH"] });
  p.set(pid, 0);
  p.jump(next);
  p.place(end);
  close(p, file);
}
