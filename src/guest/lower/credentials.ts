/** Who a process is and what it may do: ids, groups, capabilities, limits (config.md, "POSIX process", "Linux Process"). */
import { log } from "../../base/log";
import {
  LINUX_CAPABILITY_VERSION_3,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
} from "../../linux/constants";
import { type Capabilities, capabilityMask, capabilityNames, capabilityNumber } from "../../oci/capabilities";
import type { Process, User } from "../../oci/process";
import { type Rlimit, rlimitNumber } from "../../oci/rlimits";
import type { Assembler, Operand } from "../../program/assembler";

/** Sets the limits of a process, 0 the calling one. Above those that it has takes the machine's CAP_SYS_RESOURCE. */
export function lowerRlimits(p: Assembler, rlimits: readonly Rlimit[], pid: Operand): void {
  for (const { type, soft, hard } of rlimits) {
    p.doing(`set ${type} to ${soft}:${hard}`);
    const limits = p.bytes(new Uint8Array(new BigUint64Array([BigInt(soft), BigInt(hard)]).buffer));
    p.syscall("prlimit64", [pid, rlimitNumber(type), limits, 0]);
  }
}

/**
 * Makes the process its user, with its capabilities and no others.
 * @param keep capabilities that stay permitted, beyond its own, until `lowerCapabilities` takes them: none are effective
 */
export function lowerCredentials(p: Assembler, process: Process, keep: bigint): void {
  const capabilities = process.capabilities ?? {};
  dropBounding(p, capabilities);
  p.doing("keep capabilities while the user changes");
  p.syscall("prctl", [PR_SET_KEEPCAPS, 1, 0, 0, 0]);
  lowerUser(p, process.user);
  p.syscall("prctl", [PR_SET_KEEPCAPS, 0, 0, 0, 0]);
  lowerCapabilities(p, capabilities, { permitted: keep, effective: 0n });
  lowerAmbient(p, capabilities);
  if (!process.noNewPrivileges) return;
  p.doing("set no_new_privs");
  p.syscall("prctl", [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
}

function lowerUser(p: Assembler, { uid, gid, additionalGids }: User): void {
  p.doing("set the additional groups");
  const groups = p.bytes(new Uint8Array(new Uint32Array(additionalGids).buffer));
  p.syscall("setgroups", [additionalGids.length, groups]);
  p.doing(`set the group ${gid}`);
  p.syscall("setresgid", [gid, gid, gid]);
  p.doing(`set the user ${uid}`);
  p.syscall("setresuid", [uid, uid, uid]);
}

function dropBounding(p: Assembler, { bounding = [] }: Capabilities): void {
  p.doing("drop capabilities of the bounding set");
  for (const [number, name] of capabilityNames.entries()) {
    // A kernel that does not know a capability (EINVAL) cannot give it either.
    if (!bounding.includes(name)) p.syscall("prctl", [PR_CAPBSET_DROP, number, 0, 0, 0], { accept: ["EINVAL"] });
  }
}

/** Sets the effective, permitted and inheritable capabilities, with some `more`. */
export function lowerCapabilities(
  p: Assembler,
  capabilities: Capabilities,
  more: { permitted: bigint; effective: bigint } = { permitted: 0n, effective: 0n },
): void {
  p.doing("set the capabilities");
  const sets = [
    capabilityMask(capabilities.effective) | more.effective,
    capabilityMask(capabilities.permitted) | more.permitted,
    capabilityMask(capabilities.inheritable),
  ];
  const words = [0n, 32n].flatMap((shift) => sets.map((mask) => Number((mask >> shift) & 0xffff_ffffn)));
  const header = p.bytes(new Uint8Array(new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]).buffer));
  p.syscall("capset", [header, p.bytes(new Uint8Array(new Uint32Array(words).buffer))]);
}

/** Names that were warned of already: a program may be written twice. */
const told = new Set<string>();

function lowerAmbient(p: Assembler, { ambient = [], permitted = [], inheritable = [] }: Capabilities): void {
  p.doing("clear the ambient capabilities");
  p.syscall("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0]);
  for (const name of ambient) {
    // As runc: one that is not permitted and inheritable too cannot be ambient (capabilities(7)), which is no error.
    if (!permitted.includes(name) || !inheritable.includes(name)) {
      if (!told.has(name)) log.warn(`can't raise ambient capability ${name}: operation not permitted`);
      told.add(name);
      continue;
    }
    p.doing(`raise the ambient capability ${name}`);
    p.syscall("prctl", [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilityNumber(name), 0, 0]);
  }
}
