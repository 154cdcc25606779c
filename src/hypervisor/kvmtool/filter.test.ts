import { expect, test } from "bun:test";
import { type Call, runFilter } from "../../guest/lower/seccomp/interpreter";
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from "../../linux/bpf";
import { type SyscallName, syscallNumber } from "../../linux/syscalls";
import { signalFilter } from "./filter";

const pid = 4242;
const { program, own } = signalFilter();
program[own] = { ...program[own]!, k: pid };

const allowed = (call: Call) => runFilter(program, call).returns === SECCOMP_RET_ALLOW;
const calls = (name: SyscallName, ...args: (number | bigint)[]) =>
  allowed({ nr: syscallNumber(name, "x86_64"), args: args.map(BigInt) });

test("a thread of its own is signalled, nobody else's", () => {
  expect(calls("tgkill", pid, pid + 1, 12)).toBeTrue();
  expect(calls("tgkill", pid + 1, pid + 1, 9)).toBeFalse();
  for (const call of ["kill", "tkill", "rt_sigqueueinfo", "pidfd_send_signal", "ptrace", "process_vm_writev"] as const)
    expect(calls(call, 1, 9)).toBeFalse();
});

test("nor by way of a descriptor's owner", () => {
  expect([8, 15].map((command) => calls("fcntl", 3, command))).toEqual([false, false]);
  expect([1, 4, 9].map((command) => calls("fcntl", 3, command))).toEqual([true, true, true]);
  expect([0x8901, 0x8902].map((request) => calls("ioctl", 3, request))).toEqual([false, false]);
  expect(calls("ioctl", 3, 0xae80)).toBeTrue();
});

test("what it needs otherwise is let through, and by one convention only", () => {
  for (const call of ["openat", "read", "write", "execve", "close"] as const) expect(calls(call, 3)).toBeTrue();
  expect(program.at(-1)).toMatchObject({ k: SECCOMP_RET_ERRNO | 1 });
  expect(allowed({ nr: syscallNumber("read", "x86_64") | 0x4000_0000 })).toBeFalse();
  expect(allowed({ arch: 0x4000_0003, nr: 37 })).toBeFalse();
});
