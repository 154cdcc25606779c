/** Packets that come over a socket, and a descriptor that may come with one (unix(7), SCM_RIGHTS). */
import { SCM_RIGHTS, SOL_SOCKET } from "./constants";
import { SystemError, syscall } from "./local";
import { controlLength, messageHeader } from "./message-header";

/** MSG_CMSG_CLOEXEC of sys/socket.h. */
const MSG_CMSG_CLOEXEC = 0x4000_0000;
/** struct cmsghdr with room for one descriptor. */
const controlSize = 24;

/** What came. Nothing comes any more when its data are empty. */
export interface Packet {
  data: Uint8Array;
  descriptor: number | undefined;
}

/**
 * Waits for a packet, blocking.
 * @param most what one may have in bytes
 * @throws SystemError
 */
export function receivePacket(socket: number, most: number): Packet {
  const data = new Uint8Array(most);
  const control = new DataView(new ArrayBuffer(controlSize));
  const header = messageHeader(data, new Uint8Array(control.buffer));
  const length = throughSignals(() => syscall("recvmsg", socket, new Uint8Array(header.buffer), MSG_CMSG_CLOEXEC));
  const passed =
    header[controlLength]! >= 20n &&
    control.getInt32(8, true) === SOL_SOCKET &&
    control.getInt32(12, true) === SCM_RIGHTS;
  return { data: data.subarray(0, length), descriptor: passed ? control.getInt32(16, true) : undefined };
}

/** Does a system call again as long as a signal breaks it off. @throws SystemError */
export function throughSignals(call: () => number): number {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof SystemError && error.code === "EINTR")) throw error;
    }
  }
}
