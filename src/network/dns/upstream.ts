/**
 * A resolver in the container's namespace, as Docker's is, asks others with the container's address. All that comes in goes to the
 * guest; so that such answers reach the resolver, what the namespace itself sends has ports that the guest does not use by itself.
 */
import { writeFileSync } from "node:fs";
import type { Link } from "../../linux/netlink/link";
import type { NetlinkSocket } from "../../linux/netlink/socket";
import { keepReplies, mirrorArpReplies } from "../../linux/netlink/traffic";
import { cookie, portIndex } from "../cable";
import type { Port } from "../tap";

const dnsPort = 53;
/** The last 1024 ports: above those that Linux takes by itself (ip_local_port_range, 32768 to 60999). */
const ports = { port: 0xfc00, mask: 0xfc00 };

/** Lets answers to questions that are asked in this thread's namespace come in at an interface. @throws NetlinkError */
export function letNamesThrough(socket: NetlinkSocket, { index, name }: Link, port: Port): void {
  writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", `${ports.port} ${0xffff}`);
  const doing = `let answers to the namespace's resolver in at ${name}`;
  socket.change(doing, mirrorArpReplies(index, portIndex(socket, port), cookie));
  for (const protocol of ["udp", "tcp"] as const) socket.change(doing, keepReplies(index, protocol, dnsPort, ports));
}
