import { closeSync, openSync } from "node:fs";
import { RunvError } from "../../base/error";
import { inNetworkNamespace } from "../../linux/namespaces";
import { decodeLink, getLinks, moveLink } from "../../linux/netlink/link";
import { NetlinkSocket } from "../../linux/netlink/socket";

/**
 * Moves an interface out of the network namespace of another process into this thread's.
 * @param from its name there
 * @param to its name here
 * @throws NetlinkError; RunvError NETWORK_TAP when there is none
 */
export function fetchLink(pid: number, from: string, to: string): void {
  const [there, here] = [openSync(`/proc/${pid}/ns/net`, "r"), openSync("/proc/thread-self/ns/net", "r")];
  try {
    const socket = inNetworkNamespace(there, () => new NetlinkSocket());
    try {
      const link = socket.list(getLinks(), decodeLink).find(({ name }) => name === from);
      if (link === undefined) throw new RunvError("NETWORK_TAP", `libvirt has made no interface ${from}`);
      socket.change(`take the interface ${from} of libvirt's`, moveLink(link.index, here, to));
    } finally {
      socket.close();
    }
  } finally {
    closeSync(there);
    closeSync(here);
  }
}
