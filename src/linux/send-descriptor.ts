import { SCM_RIGHTS, SOL_SOCKET } from "./constants";
import { addressOf, syscall } from "./local";
import { connectSocket } from "./unix-socket";

/**
 * Connects to a unix socket and sends it a descriptor with a name (unix(7), SCM_RIGHTS).
 * @throws SystemError; RangeError when the path is too long for a socket
 */
export function sendDescriptor(socketPath: string, fd: number, name: string): void {
  const socket = connectSocket(socketPath);
  try {
    sendWithDescriptors(socket, Buffer.from(name), [fd]);
  } finally {
    syscall("close", socket);
  }
}

/** Sends bytes and descriptors over a connected unix socket. @returns how many bytes were taken @throws SystemError */
export function sendWithDescriptors(socket: number, data: Uint8Array, fds: readonly number[]): number {
  const iovec = new BigUint64Array([BigInt(addressOf(data)), BigInt(data.length)]);
  const control = controlMessage(fds);
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

/** struct cmsghdr with descriptors: length, level, type, and the descriptors, padded to eight bytes. */
function controlMessage(fds: readonly number[]): Uint8Array {
  const length = 16 + 4 * fds.length;
  const control = new DataView(new ArrayBuffer((length + 7) & ~7));
  control.setBigUint64(0, BigInt(length), true);
  control.setInt32(8, SOL_SOCKET, true);
  control.setInt32(12, SCM_RIGHTS, true);
  for (const [index, fd] of fds.entries()) control.setInt32(16 + 4 * index, fd, true);
  return new Uint8Array(control.buffer);
}
