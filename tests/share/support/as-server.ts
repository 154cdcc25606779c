/**
 * Makes system calls as a process would that serves a share and was taken over: in its mount namespace, as its user, with its capabilities.
 * Called with its process id and a list of calls in JSON; prints what each came to.
 */
import { openSync, readFileSync } from "node:fs";
import { print } from "../../../src/base/output";
import { CLONE_NEWNS, LINUX_CAPABILITY_VERSION_3, PR_SET_KEEPCAPS } from "../../../src/linux/constants";
import { SystemError, syscall } from "../../../src/linux/local";
import type { SyscallName } from "../../../src/linux/syscalls";

const CLONE_FS = 0x200;

const [, , pid = "", calls = "[]"] = process.argv;
const status = readFileSync(`/proc/${pid}/status`, "utf8");
const numbers = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)![1]!.split(/\s+/);
const [uid, gid] = [Number(numbers("Uid")[0]), Number(numbers("Gid")[0])];
const capabilities = Number.parseInt(numbers("CapEff")[0]!, 16) >>> 0;
syscall("unshare", CLONE_FS);
syscall("setns", openSync(`/proc/${pid}/ns/mnt`, "r"), CLONE_NEWNS);
syscall("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0);
syscall("setresgid", gid, gid, gid);
syscall("setresuid", uid, uid, uid);
const head = new Uint8Array(new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]).buffer);
syscall("capset", head, new Uint8Array(new Uint32Array([capabilities, capabilities, capabilities, 0, 0, 0]).buffer));
const outcomes = (JSON.parse(calls) as [SyscallName, ...(string | number)[]][]).map(([name, ...args]) => {
  try {
    syscall(name, ...args);
    return "done";
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.code;
  }
});
print(JSON.stringify(outcomes));
