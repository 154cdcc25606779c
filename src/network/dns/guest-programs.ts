/** The guest's side of name resolution: programs that listen where the namespace's resolver listens on the host. */
import {
  AF_INET,
  MSG_DONTWAIT,
  POLLIN,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../../linux/constants";
import { Assembler, type Label, type Register } from "../../program/assembler";
import { Stdio } from "../../program/instruction";
import type { Program } from "../../program/program";
import { carryConnection, carryingHead } from "../carried";
import { enterNetwork } from "../guest-programs";
import { socketAddress } from "../socket-address";

/**
 * A datagram on its way between guest and host: its length (4 bytes, and 4 that are zero), the guest's struct sockaddr_in, and what is
 * in it. To the guest each is of the size in which a pipe never splits what is written to it (pipe(7), PIPE_BUF).
 */
export const recordSize = 4096;
export const payloadAt = 24;
/** Where in a record the address is, and how long it is. */
export const addressAt = 8;
export const addressSize = 16;

const [stdin, stdout] = [0, 1];
const bothWays = { stdio: Stdio.stdin | Stdio.stdout };

/** Where the guest listens. */
export interface Place {
  ip: string;
  port: number;
  /** In which of its network namespaces: the handle of a process that is in it; undefined: its own. */
  namespace: number | undefined;
}

/** Takes datagrams at an address and puts them out; sends what comes in as answers. */
export function serveDatagrams(place: Place, credit: number): Program {
  const p = new Assembler();
  const socket = bound(p, SOCK_DGRAM, place);
  const [query, answer] = [p.zeroed(1 << 16), p.zeroed(recordSize)];
  const length = p.zeroed(8);
  const received = p.register();
  loop(p, socket, {
    readable: ({ next }) => {
      p.store(length, addressSize, 4);
      const room = (1 << 16) - payloadAt;
      const from = [socket, query.plus(payloadAt), room, MSG_DONTWAIT, query.plus(addressAt), length];
      p.syscall("recvfrom", from, { into: received, accept: "any", otherwise: next });
      p.store(query, received, 4);
      p.syscall("write", [stdout, query, p.add(received, payloadAt, received)]);
    },
    stdin: ({ end }) => {
      p.syscall("read", [stdin, answer, recordSize], { into: received });
      p.jumpIf(received, "=", 0, end);
      p.load(answer, 4, received);
      const to = [socket, answer.plus(payloadAt), received, MSG_DONTWAIT, answer.plus(addressAt), addressSize];
      p.syscall("sendto", to, { accept: "any" });
    },
  });
  return p.assemble({ ...bothWays, credit });
}

/** Waits for a connection, stops, and carries it. */
export function serveConnection(place: Place): Program {
  const p = new Assembler();
  const listener = bound(p, SOCK_STREAM, place);
  p.syscall("listen", [listener, 16]);
  const connection = p.value("accept4", [listener, 0, 0, SOCK_CLOEXEC]);
  p.syscall("close", [listener]);
  p.stop();
  carryConnection(p, connection);
  return p.assemble(carryingHead);
}

function bound(p: Assembler, type: number, { ip, port, namespace }: Place): Register {
  p.doing(`listen for names at ${ip} in the guest`);
  enterNetwork(p, namespace);
  const socket = p.value("socket", [AF_INET, type | SOCK_CLOEXEC, 0]);
  const one = p.bytes(Uint8Array.of(1, 0, 0, 0));
  p.syscall("setsockopt", [socket, SOL_SOCKET, SO_REUSEADDR, one, 4]);
  if (type === SOCK_STREAM) p.syscall("setsockopt", [socket, SOL_SOCKET, SO_REUSEPORT, one, 4]);
  p.syscall("bind", [socket, p.bytes(socketAddress(ip, port)), addressSize]);
  return socket;
}

/** Where the parts of a loop may go. */
interface Places {
  /** On, past this part. */
  next: Label;
  /** Out of the loop. */
  end: Label;
}

/** Waits for a descriptor and for stdin, and does what is to be done for each, until one jumps to the end. */
function loop(p: Assembler, fd: Register, parts: Record<"readable" | "stdin", (places: Places) => void>): void {
  const pollfds = [p.zeroed(8), p.zeroed(8)] as const;
  const [again, end] = [p.label(), p.label()];
  const events = p.register();
  for (const [pollfd, waited] of [
    [pollfds[0], fd],
    [pollfds[1], stdin],
  ] as const) {
    p.store(pollfd, waited, 4);
    p.store(pollfd.plus(4), POLLIN, 2);
  }
  p.place(again);
  p.syscall("ppoll", [pollfds[0], 2, 0, 0, 8]);
  for (const [pollfd, part] of [
    [pollfds[0], parts.readable],
    [pollfds[1], parts.stdin],
  ] as const) {
    const next = p.label();
    p.load(pollfd.plus(6), 2, events);
    p.jumpIf(events, "=", 0, next);
    part({ next, end });
    p.place(next);
  }
  p.jump(again);
  p.place(end);
}
