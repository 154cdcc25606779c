import { expect, test } from "bun:test";
import { filterCode } from "../../guest/lower/seccomp/compile";
import { runFilter } from "../../guest/lower/seccomp/interpreter";
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } from "../../linux/bpf";
import { type SyscallName, syscallNumber } from "../../linux/syscalls";
import { sandboxProfile } from "./sandbox-filter";

const code = filterCode(sandboxProfile(), "x86_64");
const answer = (name: SyscallName | number, ...args: bigint[]) =>
  runFilter(code, { nr: typeof name === "number" ? name : syscallNumber(name, "x86_64"), args }).returns;

test("what an emulator and its file server call is allowed, and so is what is newer than this list", () => {
  for (const name of ["read", "openat", "mknodat", "ioctl", "mmap", "ppoll"] as const) {
    expect([name, answer(name)]).toEqual([name, SECCOMP_RET_ALLOW]);
  }
  expect(answer(460)).toBe(SECCOMP_RET_ALLOW);
});

test("new processes, other privileges, namespaces and mounts end it", () => {
  for (const name of [
    "execve",
    "unshare",
    "setns",
    "setresuid",
    "mount",
    "umount2",
    "move_mount",
    "ptrace",
    "bpf",
  ] as const) {
    expect([name, answer(name)]).toEqual([name, SECCOMP_RET_KILL_PROCESS]);
  }
});

test("clone makes threads, and nothing else", () => {
  // As the C library calls it: CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID.
  const thread = 0x3d_0f00n;
  expect(answer("clone", thread)).toBe(SECCOMP_RET_ALLOW);
  for (const flags of [17n, thread & ~0x1_0000n, thread | 0x1000_0000n, thread | 0x4000n]) {
    expect([flags, answer("clone", flags)]).toEqual([flags, SECCOMP_RET_KILL_PROCESS]);
  }
  expect(answer("clone3")).toBe(SECCOMP_RET_ERRNO | 38);
});

test("its scheduling is not its own business, but for being idle", () => {
  expect(answer("setpriority")).toBe(SECCOMP_RET_ERRNO | 1);
  expect(answer(144, 0n, 1n)).toBe(SECCOMP_RET_ERRNO | 1);
  expect(answer(144, 0n, 5n)).toBe(SECCOMP_RET_ALLOW);
});
