import { SIGKILL } from "../linux/signals";
import { Assembler, Pidfd } from "../program/assembler";
import { writeFile } from "../program/files";
import type { Program } from "../program/program";
import { eachProcess } from "./each-process";
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
  else eachProcess(p, id, (pid) => p.syscall("kill", [pid, signal], { accept: ["ESRCH"] }));
  return p.assemble();
}
