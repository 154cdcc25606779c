import { AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_STREAM, SOL_SOCKET } from "./constants";
import { addressOf, syscall } from "./local";

/**
 * Connects to a unix socket and sends it a descriptor with a name (unix(7), SCM_RIGHTS).
 * @throws SystemError; RangeError when the path is too long for a socket
 */
export function sendDescriptor(socketPath: string, fd: number, name: string): void {
  const socket = syscall("socket", AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    const address = socketAddress(socketPath);
    syscall("connect", socket, address, address.length);
    sendWithDescriptor(socket, Buffer.from(name), fd);
  } finally {
    syscall("close", socket);
  }
}

/** Sends bytes and a descriptor over a connected unix socket. @returns how many bytes were taken @throws SystemError */
export function sendWithDescriptor(socket: number, data: Uint8Array, fd: number): number {
  const iovec = new BigUint64Array([BigInt(addressOf(data)), BigInt(data.length)]);
  const control = controlMessage(fd);
  // struct msghdr: name, its length, iovec, its count, control, its length, flags
  const message = new BigUint64Array([
    0n,
    0n,
    BigInt(addressOf(new Uint8Array(iovec.buffer))),
    1n,
    BigInt(addressOf(control)),
    BigInt(control.length),
    0n,
  ]);
  return syscall("sendmsg", socket, new Uint8Array(message.buffer), 0);
}

/** struct cmsghdr with one descriptor: length, level, type, and the descriptor, padded to eight bytes. */
function controlMessage(fd: number): Uint8Array {
  const control = new DataView(new ArrayBuffer(24));
  control.setBigUint64(0, 20n, true);
  control.setInt32(8, SOL_SOCKET, true);
  control.setInt32(12, SCM_RIGHTS, true);
  control.setInt32(16, fd, true);
  return new Uint8Array(control.buffer);
}

/** struct sockaddr_un. @throws RangeError when the path is too long for it */
export function socketAddress(path: string): Uint8Array {
  const bytes = Buffer.from(`${path}\0`);
  if (bytes.length > 108) throw new RangeError(`the path of a socket has at most 107 bytes: ${path}`);
  const address = new Uint8Array(2 + bytes.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, 2);
  return address;
}
