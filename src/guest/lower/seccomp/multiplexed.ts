/** Calls of 32-bit x86 that go through one number: linux/net.h, linux/ipc.h. As libseccomp, a rule on one speaks of both ways. */

/** By the first argument of socketcall(2), from 1. */
const socketCalls = [
  "socket",
  "bind",
  "connect",
  "listen",
  "accept",
  "getsockname",
  "getpeername",
  "socketpair",
  "send",
  "recv",
  "sendto",
  "recvfrom",
  "shutdown",
  "setsockopt",
  "getsockopt",
  "sendmsg",
  "recvmsg",
  "accept4",
  "recvmmsg",
  "sendmmsg",
];

/** By the first argument of ipc(2). */
const ipcCalls: Readonly<Record<string, number>> = {
  semop: 1,
  semget: 2,
  semctl: 3,
  semtimedop: 4,
  msgsnd: 11,
  msgrcv: 12,
  msgget: 13,
  msgctl: 14,
  shmat: 21,
  shmdt: 22,
  shmget: 23,
  shmctl: 24,
};

const [ipc, socketcall] = [117, 102];

/** The number of the carrier, and what its first argument is for this call. */
export function multiplexerOf(name: string): { number: number; call: number } | undefined {
  const socket = socketCalls.indexOf(name);
  if (socket >= 0) return { number: socketcall, call: socket + 1 };
  const call = Object.hasOwn(ipcCalls, name) ? ipcCalls[name] : undefined;
  return call === undefined ? undefined : { number: ipc, call };
}
