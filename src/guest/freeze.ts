import { AT_FDCWD, O_CLOEXEC, O_RDONLY, POLLPRI } from "../linux/constants";
import { Assembler } from "../program/assembler";
import { close, writeFile } from "../program/files";
import type { Program } from "../program/program";
import { cgroupOf } from "./lower/cgroup";
import { lowerSyncShare } from "./prepare";

/**
 * Stops all processes of a container, or lets them go on, and waits until that is so: `cgroup.freeze`, and the line "frozen" of
 * `cgroup.events`, whose changes poll(2) tells.
 */
export function freeze(id: string, frozen: boolean): Program {
  const p = new Assembler();
  lowerFreeze(p, id, frozen);
  return p.assemble();
}

/** Stops all processes of a container, and then has the guest write back what it holds of the share. */
export function freezeWrittenBack(id: string): Program {
  const p = new Assembler();
  lowerFreeze(p, id, true);
  lowerSyncShare(p);
  return p.assemble();
}

function lowerFreeze(p: Assembler, id: string, frozen: boolean): void {
  p.doing(frozen ? "pause the container" : "resume the container");
  writeFile(p, `${cgroupOf(id)}/cgroup.freeze`, frozen ? "1" : "0");
  const size = 256;
  const content = p.zeroed(size);
  const file = p.value("openat", [AT_FDCWD, p.text(`${cgroupOf(id)}/cgroup.events`), O_RDONLY | O_CLOEXEC]);
  const pollfd = p.zeroed(8);
  p.store(pollfd, file, 4);
  p.store(pollfd.plus(4), POLLPRI, 2);
  const [again, done] = [p.label(), p.label()];
  const [digit, offset] = [p.register(), p.register()];
  p.place(again);
  p.syscall("lseek", [file, 0, 0]);
  const length = p.value("read", [file, content, size]);
  // The file ends "frozen N\n".
  p.add(length, content, offset);
  p.add(offset, -2, offset);
  p.load(offset, 1, digit);
  p.jumpIf(digit, "=", frozen ? "1".charCodeAt(0) : "0".charCodeAt(0), done);
  p.syscall("ppoll", [pollfd, 1, 0, 0, 8]);
  p.jump(again);
  p.place(done);
  close(p, file);
}
