/** Pieces of programs that work on files by their path. */
import { AT_FDCWD, O_CLOEXEC, O_WRONLY, RLIMIT_NOFILE } from "../linux/constants";
import type { Address, Assembler, Operand, Register, SyscallOptions } from "./assembler";

/** Closes a descriptor and gives its register back. */
export function close(p: Assembler, ...fds: Register[]): void {
  for (const fd of fds) p.syscall("close", [fd]);
  p.release(...fds);
}

/** Writes text to an open file in one write(2), as the files of /proc and /sys want it. */
export function writeText(p: Assembler, fd: Operand, text: string, options: SyscallOptions = {}): void {
  p.syscall("write", [fd, p.text(text), Buffer.byteLength(text)], options);
}

/** Opens a file of the guest and writes text to it. */
export function writeFile(p: Assembler, path: string, text: string, options: SyscallOptions = {}): void {
  const fd = p.value("openat", [AT_FDCWD, p.text(path), O_WRONLY | O_CLOEXEC]);
  writeText(p, fd, text, options);
  close(p, fd);
}

/** Writes text to a file that a kernel may not have, or may not take it. */
export function tryToWrite(p: Assembler, path: string, text: string): void {
  const end = p.label();
  const fd = p.value("openat", [AT_FDCWD, p.text(path), O_WRONLY | O_CLOEXEC], { accept: "any", otherwise: end });
  writeText(p, fd, text, { accept: "any" });
  close(p, fd);
  p.place(end);
}

/** Lets the process have many descriptors, where it may. @returns where its own limit is, for `setFileLimit` */
export function raiseFileLimit(p: Assembler, descriptors: number): Address {
  const before = p.zeroed(16);
  const many = BigInt(descriptors);
  const limit = p.bytes(new Uint8Array(new BigUint64Array([many, many]).buffer));
  p.syscall("prlimit64", [0, RLIMIT_NOFILE, 0, before]);
  // What may be raised to is never lowered, for to raise that again takes a privilege. No bound at all is -1.
  const [keep, set] = [p.label(), p.label()];
  const most = p.load(before.plus(8), 8);
  p.jumpIf(most, "<", 0, keep);
  p.jumpIf(most, "<", descriptors, set);
  p.place(keep);
  p.store(limit.plus(8), most, 8);
  p.place(set);
  p.release(most);
  setFileLimit(p, limit);
  return before;
}

/** Sets the limit to a struct rlimit64. */
export function setFileLimit(p: Assembler, limit: Address): void {
  p.syscall("prlimit64", [0, RLIMIT_NOFILE, limit, 0], { accept: ["EPERM"] });
}
