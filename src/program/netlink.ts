/** Pieces of programs that speak netlink. */
import { AF_NETLINK, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_RAW } from "../linux/constants";
import { type ErrnoName, errnoOf } from "../linux/errno";
import { NETLINK_ROUTE } from "../linux/netlink/constants";
import { encodeRequest, type NetlinkRequest } from "../linux/netlink/message";
import { sockaddrNetlink } from "../linux/netlink/socket-address";
import type { Address, Assembler, Register } from "./assembler";

/** As large as the kernel's largest answers (netlink(7)). */
const bufferSize = 1 << 16;
/** Where in an answer struct nlmsgerr has its error: a negative errno of four bytes. */
const errorAt = 16;
const two32 = 1n << 32n;

/** A program's netlink socket. */
export class ProgramNetlink {
  readonly #p: Assembler;
  readonly #buffer: Address;
  readonly #socket: Register;
  readonly #result: Register;

  /**
   * @param groups RTMGRP_* of events that are to come as well
   * @param protocol NETLINK_*
   */
  constructor(p: Assembler, groups = 0, protocol = NETLINK_ROUTE) {
    this.#p = p;
    this.#buffer = p.zeroed(bufferSize);
    this.#socket = p.value("socket", [AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol]);
    this.#result = p.register();
    if (groups === 0) return;
    const address = sockaddrNetlink(groups);
    p.syscall("bind", [this.#socket, p.bytes(address), address.length]);
  }

  /** Makes a change. Say before what it is for. @param accept errors that do not end the program */
  change(request: NetlinkRequest, accept: readonly ErrnoName[] = []): void {
    const p = this.#p;
    this.#send(request);
    p.syscall("recvfrom", [this.#socket, this.#buffer, bufferSize, 0, 0, 0]);
    const done = p.label();
    p.load(this.#buffer.plus(errorAt), 4, this.#result);
    p.jumpIf(this.#result, "=", 0, done);
    for (const name of accept) p.jumpIf(this.#result, "=", two32 - BigInt(errnoOf(name)), done);
    p.add(this.#result, -two32, this.#result);
    p.fail(this.#result);
    p.place(done);
  }

  /** Puts out a list. The kernel has all of it ready when it is asked, so what is not there is the end. */
  list(request: NetlinkRequest): void {
    const p = this.#p;
    const [next, end] = [p.label(), p.label()];
    this.#send(request);
    p.place(next);
    const receive = [this.#socket, this.#buffer, bufferSize, MSG_DONTWAIT, 0, 0];
    p.syscall("recvfrom", receive, { into: this.#result, accept: ["EAGAIN"], otherwise: end });
    p.output(this.#buffer, this.#result);
    p.jump(next);
    p.place(end);
  }

  /** Waits for an event. */
  wait(): void {
    this.#p.syscall("recvfrom", [this.#socket, this.#buffer, bufferSize, 0, 0, 0]);
  }

  #send(request: NetlinkRequest): void {
    const bytes = encodeRequest(request, 1);
    this.#p.syscall("sendto", [this.#socket, this.#p.bytes(bytes), bytes.length, 0, 0, 0]);
  }
}
