import { closeSync } from "node:fs";
import { inNetworkNamespace, makeNetworkNamespace } from "../linux/namespaces";
import { setLink } from "../linux/netlink/link";
import { NetlinkSocket } from "../linux/netlink/socket";

/** Makes a network namespace that has its loopback interface up, as runc does. @returns its descriptor @throws SystemError, NetlinkError */
export function makeWithLoopback(): number {
  const fd = makeNetworkNamespace();
  try {
    const setUp = withSocket((socket) => socket.change("set up lo", setLink(1, { up: true })));
    inNetworkNamespace(fd, setUp);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** What an action with a socket is as one without. */
export function withSocket(action: (socket: NetlinkSocket) => void): () => void {
  return () => {
    const socket = new NetlinkSocket();
    try {
      action(socket);
    } finally {
      socket.close();
    }
  };
}
