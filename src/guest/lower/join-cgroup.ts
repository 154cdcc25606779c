/** The cgroup of a further process of a container. */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY, O_WRONLY } from "../../linux/constants";
import { type Address, type Assembler, Pidfd, type Register } from "../../program/assembler";
import { close } from "../../program/files";
import { cgroupPath } from "../places";
import { cgroupOf } from "./cgroup";

/** A path (PATH_MAX of limits.h) with what is before it in /proc/PID/cgroup. */
const most = 4096 + 64;
/** What is before the path of version 2's cgroup, with its slash: `0::/`. */
const prefix = "0::/".length;
/** How often the first process is asked where it is, if it moves meanwhile. */
const mostTries = 8;
/** What keeps a process out of a cgroup: its controllers are its children's; it is part of a threaded one; it is gone. */
const closedErrors = ["EBUSY", "ENOTSUP", "ENOENT", "ENODEV"] as const;

/**
 * Moves the calling process into the container's cgroup; if that has given its controllers to cgroups below, no process can be in it
 * (cgroups(7), "no internal processes"), then into that of the container's first process, as runc.
 * @param init the handle of the container's first process
 */
export function joinCgroupOf(p: Assembler, id: string, init: number): void {
  const [again, closed, joined] = [p.label(), p.label(), p.label()];
  p.doing("join the container's cgroup");
  const own = p.value("openat", [AT_FDCWD, p.text(cgroupOf(id)), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const failed = join(p, own, joined);
  p.release(failed);
  close(p, own);
  p.doing("join the cgroup of the container's first process");
  const [tries, directory, result] = [p.register(), p.register(), p.register()];
  const content = p.zeroed(most);
  const root = p.value("openat", [AT_FDCWD, p.text(cgroupPath), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const file = openOwnCgroup(p, pidOf(p, init));
  p.set(tries, mostTries);
  p.place(again);
  p.syscall("lseek", [file, 0, 0]);
  const length = p.value("read", [file, content, most]);
  // The line's end, of a path that begins at the root.
  const end = p.add(content, length);
  p.add(end, -1, end);
  p.store(end, 0, 1);
  const open = [root, content.plus(prefix), O_PATH | O_DIRECTORY | O_CLOEXEC] as const;
  p.syscall("openat", open, { into: directory, accept: closedErrors, otherwise: closed });
  p.set(result, join(p, directory, joined));
  p.syscall("close", [directory]);
  p.set(directory, result);
  p.place(closed);
  p.add(tries, -1, tries);
  p.jumpIf(tries, "≠", 0, again);
  p.fail(directory);
  p.place(joined);
}

/** Joins a cgroup that may be closed to processes. @returns a register with −errno, when it goes on here */
function join(p: Assembler, directory: Register, joined: ReturnType<Assembler["label"]>): Register {
  const [failed, result] = [p.label(), p.register()];
  const flags = O_WRONLY | O_CLOEXEC;
  const unless = { into: result, accept: closedErrors, otherwise: failed };
  p.syscall("openat", [directory, p.text("cgroup.procs"), flags], unless);
  p.syscall("write", [result, p.text("0"), 1], unless);
  p.jump(joined);
  p.place(failed);
  return result;
}

/** Opens /proc/PID/cgroup. */
function openOwnCgroup(p: Assembler, pid: Register): Register {
  const proc = p.value("openat", [AT_FDCWD, p.text("/proc"), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const directory = p.value("openat", [proc, pid, O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const file = p.value("openat", [directory, p.text("cgroup"), O_RDONLY | O_CLOEXEC]);
  close(p, proc, directory);
  return file;
}

/** The address of a process's id in decimal, in the machine's pid namespace: the kernel tells it of a pidfd (pidfd_open(2)). */
function pidOf(p: Assembler, handle: number): Register {
  const [number, content] = [p.zeroed(24), p.zeroed(1024)];
  p.release(p.decimal(number, new Pidfd(handle)));
  const directory = p.value("openat", [AT_FDCWD, p.text("/proc/self/fdinfo"), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const file = p.value("openat", [directory, number, O_RDONLY | O_CLOEXEC]);
  p.syscall("read", [file, content, 1024]);
  close(p, file, directory);
  // "Pid:\t" begins the one line that begins with a capital P.
  const at = afterByte(p, content, "P");
  p.add(at, "id:\t".length, at);
  const end = p.register();
  p.set(end, at);
  p.release(afterByte(p, end, "\n", end));
  p.store(p.add(end, -1, end), 0, 1);
  return at;
}

/** The address behind the next such byte, which must be there. */
function afterByte(p: Assembler, from: Address | Register, character: string, at = p.register()): Register {
  const next = p.label();
  p.set(at, from);
  const byte = p.register();
  p.place(next);
  p.load(at, 1, byte);
  p.add(at, 1, at);
  p.jumpIf(byte, "≠", character.charCodeAt(0), next);
  p.release(byte);
  return at;
}
