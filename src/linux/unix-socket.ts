/** unix(7) sockets, where their descriptors are needed. */
import { closeSync, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import {
  AF_UNIX,
  SO_PEERCRED,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./constants";
import { syscall } from "./local";

/** What a path of a socket can have at most, in bytes. */
export const longestSocketPath = 107;

/** struct sockaddr_un. @throws RangeError when the path is too long */
export function socketAddress(path: string): Uint8Array {
  const bytes = Buffer.from(`${path}\0`);
  if (bytes.length > longestSocketPath + 1)
    throw new RangeError(`the path of a socket has at most ${longestSocketPath} bytes: ${path}`);
  const address = new Uint8Array(2 + bytes.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, 2);
  return address;
}

/**
 * Connects to a socket.
 * @param flags SOCK_NONBLOCK, or nothing
 * @param type SOCK_STREAM or SOCK_SEQPACKET
 * @returns its descriptor
 * @throws SystemError, RangeError
 */
export function connectSocket(path: string, flags = 0, type = SOCK_STREAM): number {
  const address = socketAddress(path);
  const socket = syscall("socket", AF_UNIX, type | SOCK_CLOEXEC | flags, 0);
  try {
    syscall("connect", socket, address, address.length);
    return socket;
  } catch (error) {
    syscall("close", socket);
    throw error;
  }
}

/**
 * Listens on a socket of packets, which is made. Its path may be as long as any.
 * @returns its descriptor
 * @throws SystemError
 */
export function listenForPackets(path: string): number {
  return byDirectory(path, (short) => {
    const address = socketAddress(short);
    const socket = syscall("socket", AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    try {
      syscall("bind", socket, address, address.length);
      syscall("listen", socket, mostWaiting);
      return socket;
    } catch (error) {
      syscall("close", socket);
      throw error;
    }
  });
}

/**
 * Connects to such a socket.
 * @param flags SOCK_NONBLOCK, or 0
 * @returns its descriptor
 * @throws SystemError
 */
export function connectForPackets(path: string, flags = SOCK_NONBLOCK): number {
  return byDirectory(path, (short) => connectSocket(short, flags, SOCK_SEQPACKET));
}

/** How many may wait to be accepted: the kernel's own bound (net.core.somaxconn) is lower where it was set so. */
const mostWaiting = 4096;

/** Does something with a path of a file that is never too long for a socket: by way of its directory. */
function byDirectory<T>(path: string, action: (short: string) => T): T {
  const directory = openSync(dirname(path), "r");
  try {
    return action(`/proc/self/fd/${directory}/${basename(path)}`);
  } finally {
    closeSync(directory);
  }
}

/**
 * Two sockets that are connected with each other.
 * @param flags SOCK_NONBLOCK, or 0
 * @param type SOCK_STREAM or SOCK_SEQPACKET
 * @returns their descriptors
 * @throws SystemError
 */
export function socketPair(flags = SOCK_NONBLOCK, type = SOCK_STREAM): [number, number] {
  const two = new Int32Array(2);
  syscall("socketpair", AF_UNIX, type | SOCK_CLOEXEC | flags, 0, bytesOf(two));
  return [two[0]!, two[1]!];
}

/** The process at the other end of a connection: who has called connect(2), or listen(2). @throws SystemError */
export function peerOf(socket: number): number {
  const credentials = new Int32Array(3);
  const length = new Int32Array([credentials.byteLength]);
  syscall("getsockopt", socket, SOL_SOCKET, SO_PEERCRED, bytesOf(credentials), bytesOf(length));
  return credentials[0]!;
}

function bytesOf(numbers: Int32Array): Uint8Array {
  return new Uint8Array(numbers.buffer);
}
