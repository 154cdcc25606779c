/**
 * Sockets between a host and its machines, vsock(7). Every guest of the host can reach what listens there: so a caller is known by its
 * number, which the kernel vouches for.
 */
import { closeSync, existsSync } from "node:fs";
import { RunvError } from "../../base/error";
import { AF_VSOCK, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../linux/constants";
import { SystemError, syscall } from "../../linux/local";
import type { Problem } from "../driver";

/** linux/vm_sockets.h */
const VMADDR_ANY = 0xffff_ffff;
const sizeOfAddress = 16;
/** The numbers below are the hypervisor's and the host's own; the kernel takes no more than 31 bits everywhere. */
const firstCid = 3;
const lastCid = 0x7fff_ffff;

/** Why machines cannot have a vsock here. */
export function vsockProblem(): Problem | undefined {
  if (existsSync("/dev/vhost-vsock")) return undefined;
  return { message: "there is no /dev/vhost-vsock", fix: "modprobe vhost_vsock" };
}

/** A number for a machine: one of two thousand millions, and lkvm says so should another machine have the same. */
export function randomCid(): number {
  return firstCid + (crypto.getRandomValues(new Uint32Array(1))[0]! % (lastCid - firstCid));
}

/** Waits for one machine's agent. */
export interface Listener {
  port: number;
  /** @returns the connection that the machine of this number has made; undefined when it has not yet */
  accept(cid: number): number | undefined;
  close(): void;
}

/** Listens at a port that the kernel chooses. @throws RunvError VM_AGENT_CHANNEL */
export function listen(): Listener {
  try {
    const fd = syscall("socket", AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const address = new Uint8Array(sizeOfAddress);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_VSOCK, true);
    view.setUint32(4, VMADDR_ANY, true);
    view.setUint32(8, VMADDR_ANY, true);
    syscall("bind", fd, address, sizeOfAddress);
    syscall("listen", fd, 8);
    syscall("getsockname", fd, address, new Uint8Array(Uint32Array.of(sizeOfAddress).buffer));
    return { port: view.getUint32(4, true), accept: (cid) => accept(fd, cid), close: () => closeSync(fd) };
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new RunvError("VM_AGENT_CHANNEL", `listen for the guest's agent on vsock: ${cause.message}`, {
      cause,
      hint: "modprobe vhost_vsock",
    });
  }
}

function accept(listener: number, cid: number): number | undefined {
  for (;;) {
    const address = new Uint8Array(sizeOfAddress);
    let connection: number;
    try {
      const length = new Uint8Array(Uint32Array.of(sizeOfAddress).buffer);
      connection = syscall("accept4", listener, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } catch (error) {
      if (error instanceof SystemError && ["EAGAIN", "ECONNABORTED", "EINTR"].includes(error.code)) return undefined;
      throw error;
    }
    if (new DataView(address.buffer).getUint32(8, true) === cid) return connection;
    // Another machine's.
    closeSync(connection);
  }
}
