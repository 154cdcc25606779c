import { expect, test } from "bun:test";
import { filterCode } from "../../guest/lower/seccomp/compile";
import { runFilter } from "../../guest/lower/seccomp/interpreter";
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } from "../../linux/bpf";
import { type SyscallName, syscallNumber } from "../../linux/syscalls";
import { reachRules, sandboxProfile } from "./sandbox-filter";

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

test("it reaches nobody by sockets, io_uring or interfaces that stay; QEMU's own router has its two kinds", () => {
  const profile = (hasRouter: boolean) => ({
    defaultAction: "SCMP_ACT_ALLOW" as const,
    ...{ architectures: [], syscalls: reachRules(hasRouter) },
  });
  const started = filterCode(profile(false), "x86_64");
  const router = filterCode(profile(true), "x86_64");
  const ask = (filter: typeof code, nr: number, ...args: bigint[]) => runFilter(filter, { nr, args }).returns;
  const [socket, ioctl, refused] = [41, 16, SECCOMP_RET_ERRNO | 1];
  // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK, and one that does not exist.
  const kinds = [1n, 2n, 10n, 16n, 40n, 77n];
  expect(kinds.map((kind) => ask(started, socket, kind))).toEqual(kinds.map(() => refused));
  expect(kinds.map((kind) => ask(code, socket, kind))).toEqual(kinds.map(() => refused));
  expect(kinds.filter((kind) => ask(router, socket, kind) === SECCOMP_RET_ALLOW)).toEqual([2n, 10n]);
  for (const filter of [started, router, code]) {
    for (const call of [425, 426, 427]) expect(ask(filter, call)).toBe(SECCOMP_RET_ERRNO | 38);
    // TUNSETPERSIST, and TUNSETOFFLOAD, which QEMU needs.
    expect(ask(filter, ioctl, 5n, 0x4004_54cbn)).toBe(refused);
    // The kernel does not look at the upper half.
    expect(ask(filter, ioctl, 5n, 0x1_4004_54cbn)).toBe(refused);
    expect(ask(filter, ioctl, 5n, 0x4004_54d0n)).toBe(SECCOMP_RET_ALLOW);
  }
});
