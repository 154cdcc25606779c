/**
 * The sockets between a machine and its monitor. QEMU is libvirt's and runs under libvirt's user, so they are in a directory that is that
 * user's alone. The monitor listens and QEMU connects: so the kernel tells which process it is.
 */
import { chmodSync, chownSync, closeSync, mkdirSync, rmdirSync, rmSync } from "node:fs";
import { RunvError } from "../../base/error";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from "../../linux/constants";
import { SystemError, syscall } from "../../linux/local";
import { peerOf, socketAddress } from "../../linux/unix-socket";

/** Short, for a socket's path has at most 107 bytes. */
const base = "/run/runv-libvirt";

/** From asm-generic/fcntl.h. */
const F_SETFL = 4;

export interface Owner {
  uid: number;
  gid: number;
}

/** A socket that waits for QEMU. */
export interface Place {
  path: string;
  fd: number;
}

function placesOf(machine: string): string {
  return `${base}/${machine}`;
}

/** Makes the directory of a machine's sockets. */
export function makePlaces(machine: string, { uid, gid }: Owner): string {
  mkdirSync(base, { recursive: true, mode: 0o711 });
  chmodSync(base, 0o711);
  const directory = placesOf(machine);
  mkdirSync(directory, { mode: 0o700 });
  chownSync(directory, uid, gid);
  return directory;
}

/** Removes it; one that is gone already is fine. */
export function removePlaces(machine: string): void {
  rmSync(placesOf(machine), { recursive: true, force: true });
  try {
    rmdirSync(base);
  } catch {
    // Others have theirs in it.
  }
}

/** Makes a socket that the owner may connect to. @throws SystemError */
export function listen(path: string, { uid, gid }: Owner): Place {
  const fd = syscall("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const address = socketAddress(path);
  syscall("bind", fd, address, address.length);
  syscall("listen", fd, 1);
  chownSync(path, uid, gid);
  chmodSync(path, 0o600);
  return { path, fd };
}

/**
 * Takes the connection that QEMU has made when its machine is there, and closes the place.
 * @returns its descriptor, and the process at its other end
 * @throws RunvError VM_AGENT_CHANNEL
 */
export function accept({ path, fd }: Place): { fd: number; pid: number } {
  try {
    // QEMU has connected, or never will.
    syscall("fcntl", fd, F_SETFL, SOCK_NONBLOCK);
    const connection = syscall("accept4", fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return { fd: connection, pid: peerOf(connection) };
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new RunvError("VM_AGENT_CHANNEL", `libvirt's QEMU has not connected to ${path}: ${cause.message}`, {
      cause,
      hint: "libvirtd must see the host's /run",
    });
  } finally {
    closeSync(fd);
  }
}
