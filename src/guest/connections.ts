/** TCP connections of a guest's own network namespace: those with others than itself can be ended (sock_diag(7), SOCK_DESTROY). */
import { change, decodeMessages, dump } from "../linux/netlink/message";
import { Assembler } from "../program/assembler";
import { ProgramNetlink } from "../program/netlink";
import type { Program } from "../program/program";
import type { Guest } from "./guest";

/** linux/netlink.h, linux/sock_diag.h */
const [NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, SOCK_DESTROY] = [4, 20, 21];
const [AF_INET, AF_INET6, IPPROTO_TCP] = [2, 10, 6];
/** linux/inet_diag.h: the parts of struct inet_diag_req_v2 before its struct inet_diag_sockid, that, and where that is in struct inet_diag_msg. */
const [requestHead, idSize, idInMessage] = [8, 48, 4];
/** Where a connection's addresses are in its id. */
const [source, destination, addressSize] = [4, 20, 16];
/** net/tcp_states.h: all but those that listen, and those that wait for nothing but time. */
const states = 0xfff & ~((1 << 10) | (1 << 6));
/** So many are surely one program. */
const batch = 200;

const families = [AF_INET, AF_INET6] as const;

/** Those with others, by families. @throws RunvError GUEST_… */
export async function connectionsOf(guest: Guest): Promise<Uint8Array[][]> {
  return await Promise.all(families.map(async (family) => idsIn(await guest.call(listConnections(family)), family)));
}

/** Ends them, as far as the guest's kernel can: who reads or writes there gets an error (ECONNABORTED). @throws RunvError GUEST_… */
export async function endConnections(guest: Guest, connections: readonly Uint8Array[][]): Promise<void> {
  for (const [index, ids] of connections.entries()) {
    for (let from = 0; from < ids.length; from += batch) {
      await guest.call(destroy(families[index]!, ids.slice(from, from + batch)));
    }
  }
}

function listConnections(family: number): Program {
  const p = new Assembler();
  p.doing("look at the connections of the guest");
  new ProgramNetlink(p, 0, NETLINK_SOCK_DIAG).list(dump(SOCK_DIAG_BY_FAMILY, request(family, new Uint8Array(idSize))));
  return p.assemble();
}

function destroy(family: number, ids: readonly Uint8Array[]): Program {
  const p = new Assembler();
  p.doing("end the connections of the guest");
  const netlink = new ProgramNetlink(p, 0, NETLINK_SOCK_DIAG);
  // One may have ended; a kernel may not do this.
  for (const id of ids) netlink.change(change(SOCK_DESTROY, 0, request(family, id)), ["ENOENT", "ENOTSUP"]);
  return p.assemble();
}

function request(family: number, id: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(requestHead + idSize);
  bytes.set([family, IPPROTO_TCP]);
  new DataView(bytes.buffer).setUint32(4, states, true);
  bytes.set(id, requestHead);
  return bytes;
}

/** The ids of connections with others, in what the kernel has listed. */
export function idsIn(list: Uint8Array, family: number): Uint8Array[] {
  return decodeMessages(list).flatMap(({ type, body }) => {
    if (type !== SOCK_DIAG_BY_FAMILY || body.length < idInMessage + idSize || body[0] !== family) return [];
    const id = body.slice(idInMessage, idInMessage + idSize);
    const [own, other] = [source, destination].map((at) => Buffer.from(id.subarray(at, at + addressSize)));
    return own!.equals(other!) || isLoopback(other!, family) ? [] : [id];
  });
}

function isLoopback(address: Buffer, family: number): boolean {
  if (family === AF_INET) return address[0] === 127;
  return address.toString("hex") === "1".padStart(32, "0") || /^0{20}ffff7f/.test(address.toString("hex"));
}
