/**
 * What a container's first process needs from the machine's root: its cgroup, its id mappings, limits above those it has. Without
 * a user namespace it is root itself and does it for itself. With one it waits while a program of its own, outside of
 * the container, does it.
 */
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } from "../../linux/constants";
import type { Config } from "../../oci/config";
import type { IdMapping } from "../../oci/ids";
import { findNamespace } from "../../oci/namespaces";
import type { Process } from "../../oci/process";
import type { Rlimit } from "../../oci/rlimits";
import type { Address, Assembler, Register } from "../../program/assembler";
import { close, writeText } from "../../program/files";
import { cgroupOf } from "./cgroup";
import { lowerRlimits } from "./credentials";
import type { Ground } from "./ground";
import { hasCpuset, lowerCpuset, lowerScheduling } from "./scheduling";
import { lowerSysctls } from "./sysctl";

/** The process that something is done for: its id, and that in decimal. */
export interface Target {
  pid: Register | 0;
  /** Its name in /proc. */
  name: Address;
  /** Its id in decimal, and how long that is. */
  text: Address;
  length: Register | 1;
}

/** The calling process. */
export function self(p: Assembler): Target {
  return { pid: 0, name: p.text("self"), text: p.text("0"), length: 1 };
}

/** The process whose id is the program's argument: the first eight bytes of its memory. */
export function argument(p: Assembler): Target {
  const pid = p.load(p.bytes(new Uint8Array(8)), 8);
  const text = p.zeroed(24);
  return { pid, name: text, text, length: p.decimal(text, pid) };
}

/** Makes the cgroup and moves the process there, sets its oom_score_adj and its clocks, and maps its ids. */
export function lowerOuter(p: Assembler, ground: Ground, config: Config, target: Target): void {
  const { linux, process } = config;
  ground.enterCgroup(p, config, target);
  if (hasCpuset(linux)) lowerCpuset(p, target.pid);
  lowerSysctls(p, linux.sysctl, true);
  const proc = processDirectory(p, target);
  lowerOomScore(p, process, proc);
  lowerTimeOffsets(p, linux.timeOffsets, proc);
  if (findNamespace(linux.namespaces, "user")?.path === undefined) {
    lowerMappings(p, "uid", linux.uidMappings, proc);
    lowerMappings(p, "gid", linux.gidMappings, proc);
  }
  close(p, proc);
}

/** Sets resource limits and scheduling, which may grow by the machine's root only. */
export function lowerLimits(p: Assembler, process: Process, { pid }: Target): void {
  lowerRlimits(p, process.rlimits, pid);
  lowerScheduling(p, process, pid);
}

/**
 * Sets what `lowerLimits` does of a process that has yet to make its container, and may not be kept from that by its own limit of descriptors: the rest of it
 * that process does by `lowerOwnFileLimit`.
 */
export function lowerEarlyLimits(p: Assembler, { descriptors }: Ground, process: Process, target: Target): void {
  const rlimits = process.rlimits.map((limit) => (isFileLimit(limit) ? atLeast(limit, descriptors) : limit));
  lowerLimits(p, { ...process, rlimits }, target);
}

/** Sets a process's own limit of descriptors, once all is made. */
export function lowerOwnFileLimit(p: Assembler, { rlimits }: Process): void {
  lowerRlimits(p, rlimits.filter(isFileLimit), 0);
}

function isFileLimit({ type }: Rlimit): boolean {
  return type === "RLIMIT_NOFILE";
}

function atLeast({ type, soft, hard }: Rlimit, least: number): Rlimit {
  const larger = (value: Rlimit["soft"]) => (BigInt(value) < BigInt(least) ? least : value);
  return { type, soft: larger(soft), hard: larger(hard) };
}

/** Sets oom_score_adj, where the process is seen in /proc. */
export function lowerOomScore(p: Assembler, { oomScoreAdj }: Process, proc: Register): void {
  if (oomScoreAdj === undefined) return;
  p.doing(`set oom_score_adj to ${oomScoreAdj}`);
  writeIn(p, proc, "oom_score_adj", String(oomScoreAdj));
}

/** Moves a process into the container's cgroup. */
export function joinCgroup(p: Assembler, id: string, { text, length }: Target): void {
  p.doing("join the container's cgroup");
  const file = p.value("openat", [AT_FDCWD, p.text(`${cgroupOf(id)}/cgroup.procs`), O_WRONLY | O_CLOEXEC]);
  p.syscall("write", [file, text, length]);
  close(p, file);
}

/** The process's directory in /proc. */
export function processDirectory(p: Assembler, { name }: Target): Register {
  const proc = p.value("openat", [AT_FDCWD, p.text("/proc"), O_PATH | O_DIRECTORY | O_CLOEXEC]);
  const directory = p.value("openat", [proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC]);
  close(p, proc);
  return directory;
}

/** config-linux.md, "Offset for Time Namespace" */
function lowerTimeOffsets(p: Assembler, offsets: Config["linux"]["timeOffsets"], proc: Register): void {
  for (const clock of ["monotonic", "boottime"] as const) {
    const offset = offsets?.[clock];
    if (offset === undefined) continue;
    p.doing(`set the offset of the clock ${clock}`);
    writeIn(p, proc, "timens_offsets", `${clock} ${offset.secs} ${offset.nanosecs}`);
  }
}

/** config-linux.md, "User namespace mappings" */
function lowerMappings(p: Assembler, kind: "uid" | "gid", mappings: readonly IdMapping[] = [], proc: Register): void {
  if (mappings.length === 0) return;
  p.doing(`map the container's ${kind}s`);
  const lines = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`);
  writeIn(p, proc, `${kind}_map`, lines.join(""));
}

function writeIn(p: Assembler, directory: Register, file: string, text: string): void {
  const fd = p.value("openat", [directory, p.text(file), O_WRONLY | O_CLOEXEC]);
  writeText(p, fd, text);
  close(p, fd);
}
