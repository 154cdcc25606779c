import { inNetworkNamespace, makeNetworkNamespace } from "../linux/namespaces";
import { setLink } from "../linux/netlink/link";
import { NetlinkSocket } from "../linux/netlink/socket";

/** Makes a network namespace that has its loopback interface up, as runc does. @returns its descriptor @throws SystemError, NetlinkError */
export function makeWithLoopback(): number {
  const fd = makeNetworkNamespace();
  inNetworkNamespace(
    fd,
    withSocket((socket) => socket.change("set up lo", setLink(1, { up: true }))),
  );
  return fd;
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
