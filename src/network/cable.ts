/** The way of frames on the host: between an interface of the namespace and a port of the machine's. */
import { RunvError } from "../base/error";
import { decodeLink, getLinks, type Link, setLink } from "../linux/netlink/link";
import type { NetlinkSocket } from "../linux/netlink/socket";
import {
  addIngress,
  decodeIngress,
  decodeRedirect,
  deleteIngress,
  getFilters,
  getQdiscs,
  redirect,
} from "../linux/netlink/traffic";
import type { Port } from "./tap";

/** By this, runv knows its own filters again. */
export const cookie = "runv";

/**
 * Joins an interface and a port of the machine's: each frame that comes in at one goes out of the other. The namespace's own stack sees none of them,
 * so it answers nothing in the guest's place.
 * @throws NetlinkError; RunvError NETWORK_BUSY
 */
export function joinCable(socket: NetlinkSocket, link: Link, port: Port): void {
  const index = portIndex(socket, port);
  socket.change(`set up ${port.name}`, setLink(index, { mtu: link.mtu, up: true }));
  for (const [from, to, name] of [
    [link.index, index, link.name],
    [index, link.index, port.name],
  ] as const) {
    if (!watch(socket, from, name)) {
      if (!cutStaleCable(socket, from) || !watch(socket, from, name)) throw busy(name);
    }
    socket.change(`redirect what comes in at ${name}`, redirect(from, to, cookie));
  }
}

/** The number of a port in this namespace. */
export function portIndex(socket: NetlinkSocket, port: Port): number {
  return socket.list(getLinks(), decodeLink).find(({ name }) => name === port.name)!.index;
}

function watch(socket: NetlinkSocket, index: number, name: string): boolean {
  return socket.change(`watch what comes in at ${name}`, addIngress(index), ["EEXIST"]);
}

/**
 * Undoes `joinCable` of a machine whose monitor was killed.
 * @returns whether the interface was joined to a port that is no more
 */
function cutStaleCable(socket: NetlinkSocket, index: number): boolean {
  const present = new Set(socket.list(getLinks(), decodeLink).map((link) => link.index));
  const filters = socket.list(getFilters(index), decodeRedirect);
  const isStale = filters.some((filter) => filter.cookie === cookie && !present.has(filter.to));
  if (isStale) cutCable(socket, index);
  return isStale;
}

/** Undoes what machines have left in a namespace whose monitors were killed. @throws NetlinkError */
export function cutStaleCables(socket: NetlinkSocket): void {
  for (const index of socket.list(getQdiscs(), decodeIngress)) cutStaleCable(socket, index);
}

/** Undoes what `joinCable` did to an interface; what it did to the port goes with that. */
export function cutCable(socket: NetlinkSocket, index: number): void {
  socket.change("stop watching an interface", deleteIngress(index), ["ENODEV", "ENOENT", "EINVAL"]);
}

function busy(name: string): RunvError {
  return new RunvError(
    "NETWORK_BUSY",
    `take the frames of ${name}: another virtual machine or program takes them already`,
    {
      hint: "a network namespace can be given to one virtual machine at a time",
    },
  );
}
