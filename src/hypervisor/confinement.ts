/**
 * What keeps a hypervisor to its machine, as pieces of the program that becomes it: a file system of its own, limits, a user id of its own,
 * few capabilities and no way to get more; and it dies with its monitor.
 */
import { dirname } from "node:path";
import {
  AT_FDCWD,
  CLONE_NEWIPC,
  CLONE_NEWNS,
  LINUX_CAPABILITY_VERSION_3,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SLAVE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  RLIMIT_NOFILE,
  S_IFREG,
} from "../linux/constants";
import { SIGKILL } from "../linux/signals";
import type { Address, Assembler, Register } from "../program/assembler";
import type { JailEntry } from "./jail";

/**
 * What serving a share for all users takes (linux/capability.h): chown, dac_override, fowner, fsetid, mknod, setfcap. Not
 * dac_read_search, which lets a process open any file of a file system by its handle, jail or not (open_by_handle_at(2)), and nothing else
 * that dac_override does not.
 */
export const toServe = [0, 1, 3, 4, 27, 31];
/** A template's memory and /dev/kvm are not everybody's: dac_override. */
export const toOpen = [1];
/** More than there are; the kernel refuses those it does not know. */
const lastCapability = 63;
/** Between systemd's ranges of ids and 2³¹ nobody allocates any; a process id has 22 bits (/proc/sys/kernel/pid_max). */
export const firstId = 0x7000_0000;
export const idCount = 1 << 22;
/** linux/resource.h */
const RLIMIT_CORE = 4;
/** fs.nr_open's default. A share's guest may hold as many files open. */
const files = 1_048_576n;

/** The process dies with its parent. */
export function tie(p: Assembler, name: string, parent: number): void {
  p.doing(`tie ${name} to its monitor`);
  p.syscall("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  const alive = p.label();
  p.jumpIf(p.value("getppid", []), "=", parent, alive);
  p.fail(3); // ESRCH: it died before
  p.place(alive);
}

/** linux/keyctl.h */
const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** The process has a session keyring of its own, and nothing that is in its caller's. Where there are no keyrings, or none may be made, there is nothing to take. */
export function newKeyring(p: Assembler, name: string): void {
  p.doing(`give ${name} its own session keyring`);
  p.syscall("keyctl", [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0], { accept: ["ENOSYS", "EPERM", "EDQUOT"] });
}

/**
 * The process has a root of its own, on a directory.
 * @param name of the hypervisor, for errors and mount tables
 * @param path where the text of a path of the host's is
 */
export function makeJail(
  p: Assembler,
  name: string,
  directory: string,
  entries: readonly JailEntry[],
  path = (text: string): Address => p.text(text),
): void {
  newKeyring(p, name);
  p.doing(`give ${name} its own mount namespace`);
  p.syscall("unshare", [CLONE_NEWNS | CLONE_NEWIPC]);
  p.syscall("mount", [0, p.text("/"), 0, MS_REC | MS_SLAVE, 0]);
  // The jail covers `directory`, in which some of the sources may be: hold all of them first.
  const trees = entries.map((entry) => {
    if (!("source" in entry)) return undefined;
    p.doing(`take ${entry.source}`);
    if (entry.recursive) return p.value("openat", [AT_FDCWD, path(entry.source), O_PATH | O_DIRECTORY | O_CLOEXEC]);
    return p.value("open_tree", [AT_FDCWD, path(entry.source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC]);
  });
  p.doing(`make ${name}'s root`);
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  p.syscall("mount", [p.text(name), path(directory), p.text("tmpfs"), flags, p.text("mode=755,size=64k")]);
  p.syscall("chdir", [path(directory)]);
  const made = new Set<string>([""]);
  for (const [index, entry] of entries.entries()) {
    const inner = entry.path.slice(1);
    p.doing(`put ${entry.path} into ${name}'s root`);
    makeDirectories(p, dirname(`/${inner}`).slice(1), made);
    if ("link" in entry) {
      p.syscall("symlinkat", [p.text(entry.link), AT_FDCWD, p.text(inner)]);
      continue;
    }
    if ("scratch" in entry) {
      makeDirectories(p, inner, made);
      p.syscall("mount", [p.text(name), p.text(inner), p.text("tmpfs"), flags, p.text("mode=700,size=64k")]);
      continue;
    }
    if ("processes" in entry) {
      mountProcesses(p, inner, made);
      continue;
    }
    if (entry.kind === "directory") makeDirectories(p, inner, made);
    else p.syscall("mknodat", [AT_FDCWD, p.text(inner), S_IFREG | 0o600, 0]);
    const tree = trees[index]!;
    if (entry.recursive) bindWithMounts(p, tree, inner);
    else p.syscall("move_mount", [tree, p.text(""), AT_FDCWD, p.text(inner), MOVE_MOUNT_F_EMPTY_PATH]);
    p.syscall("close", [tree]);
    if (entry.writable) continue;
    p.syscall("mount", [0, p.text(inner), 0, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, 0]);
  }
  p.doing(`enter ${name}'s root`);
  p.syscall("pivot_root", [p.text("."), p.text(".")]);
  p.syscall("umount2", [p.text("."), MNT_DETACH]);
  p.syscall("chdir", [p.text("/")]);
  p.syscall("mount", [0, p.text("/"), 0, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, 0]);
}

/**
 * Mounts a proc(5) in which each process finds itself, and no other that it could not trace anyway. Where that is refused, there are the descriptors of
 * this process alone.
 */
function mountProcesses(p: Assembler, path: string, made: Set<string>): void {
  makeDirectories(p, path, made);
  const [refused, done] = [p.label(), p.label()];
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
  const mount = [p.text("proc"), p.text(path), p.text("proc"), flags, p.text("subset=pid,hidepid=ptraceable")];
  p.syscall("mount", mount, { accept: "any", otherwise: refused });
  p.jump(done);
  p.place(refused);
  const descriptors = p.value("open_tree", [
    ...[AT_FDCWD, p.text("/proc/self/fd")],
    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC,
  ] as const);
  makeDirectories(p, `${path}/self/fd`, made);
  p.syscall("move_mount", [descriptors, p.text(""), AT_FDCWD, p.text(`${path}/self/fd`), MOVE_MOUNT_F_EMPTY_PATH]);
  p.syscall("close", [descriptors]);
  p.place(done);
}

/**
 * Binds an open directory with all that is mounted below it, in one step: a mount that the monitor attaches meanwhile would not
 * reach a tree that is taken (open_tree(2)) and not yet put anywhere.
 */
function bindWithMounts(p: Assembler, directory: Register, path: string): void {
  const prefix = "/proc/self/fd/";
  const link = p.bytes(Buffer.concat([Buffer.from(prefix), Buffer.alloc(24)]));
  p.release(p.decimal(link.plus(prefix.length), directory));
  p.syscall("mount", [link, p.text(path), 0, MS_BIND | MS_REC, 0]);
}

function makeDirectories(p: Assembler, path: string, made: Set<string>): void {
  const parts = path.split("/");
  for (let depth = 1; depth <= parts.length; depth++) {
    const directory = parts.slice(0, depth).join("/");
    if (made.has(directory)) continue;
    made.add(directory);
    p.syscall("mkdirat", [AT_FDCWD, p.text(directory), 0o755]);
  }
}

/** What the process may have open, and that it leaves no dump. */
export function setLimits(p: Assembler, name: string): void {
  p.doing(`set ${name}'s limits`);
  // A dump would hold the guest's memory.
  p.syscall("prlimit64", [0, RLIMIT_CORE, p.bytes(limits(0n)), 0]);
  const old = p.bytes(limits(0n));
  const done = p.label();
  const refused = p.label();
  p.syscall("prlimit64", [0, RLIMIT_NOFILE, p.bytes(limits(files)), 0], { accept: ["EPERM"], otherwise: refused });
  p.jump(done);
  p.place(refused);
  p.syscall("prlimit64", [0, RLIMIT_NOFILE, 0, old]);
  p.store(old, p.load(old.plus(8), 8), 8);
  p.syscall("prlimit64", [0, RLIMIT_NOFILE, old, 0]);
  p.place(done);
}

function limits(both: bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([both, both]).buffer);
}

/** What is not kept, no program that is executed gets again. */
export function dropCapabilities(p: Assembler, name: string, kept: readonly number[]): void {
  p.doing(`drop ${name}'s capabilities`);
  for (let capability = 0; capability <= lastCapability; capability++) {
    if (kept.includes(capability)) continue;
    p.syscall("prctl", [PR_CAPBSET_DROP, capability, 0, 0, 0], { accept: ["EINVAL"] });
  }
}

/** The process has a user id of its own, these capabilities, and no way to get more. */
export function dropPrivileges(p: Assembler, name: string, kept: readonly number[]): void {
  dropCapabilities(p, name, kept);
  p.doing(`give ${name} its own user id`);
  const id = p.add(p.value("getpid", []), firstId);
  p.syscall("setgroups", [0, 0]);
  p.syscall("setresgid", [id, id, id]);
  p.syscall("prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0]);
  p.syscall("setresuid", [id, id, id]);
  p.doing(`keep the capabilities that ${name} needs`);
  const header = p.bytes(new Uint8Array(new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]).buffer));
  const mask = kept.reduce((bits, capability) => (bits | (1 << capability)) >>> 0, 0);
  p.syscall("capset", [header, p.bytes(new Uint8Array(new Uint32Array([mask, mask, mask, 0, 0, 0]).buffer))]);
  for (const capability of kept) p.syscall("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0]);
  p.syscall("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
}
