import { SCM_RIGHTS, SOL_SOCKET } from "./constants";
import { syscall } from "./local";
import { messageHeader } from "./message-header";
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
  const control = controlMessage(fds);
  const header = messageHeader(data, control);
  return syscall("sendmsg", socket, new Uint8Array(header.buffer), 0);
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
