/** Rtnetlink on this machine: in the network namespace in which the calling thread is when the socket is made. */
import { RunvError } from "../../base/error";
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW } from "../constants";
import { type ErrnoName, errnoName, errnoText } from "../errno";
import { syscall } from "../local";
import {
  NETLINK_EXT_ACK,
  NETLINK_ROUTE,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSGERR_ATTR_MSG,
  SOL_NETLINK,
} from "./constants";
import {
  decodeAttributes,
  decodeMessages,
  encodeRequest,
  type NetlinkMessage,
  type NetlinkRequest,
  viewOf,
} from "./message";
import { readText, u32 } from "./scalars";

/** A request that the kernel refused. */
export class NetlinkError extends RunvError {
  constructor(
    readonly errno: number,
    doing: string,
    why: string | undefined,
  ) {
    super("NETWORK_NETLINK", `${doing}: ${errnoText(errno)}${why === undefined ? "" : `: ${why}`}`);
  }
}

/** As large as the kernel's largest answers (netlink(7)). */
const bufferSize = 1 << 16;
/** How often a list is asked for again that changed while it was read. */
const mostTries = 10;

export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(bufferSize);
  #sequence = 0;

  /** @throws SystemError */
  constructor() {
    this.#fd = syscall("socket", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    syscall("setsockopt", this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, u32(1), 4);
  }

  /**
   * Makes a change.
   * @param doing what it is for: the beginning of the error
   * @param accept errors that are none
   * @returns whether the change was made, rather than refused with an accepted error
   * @throws NetlinkError
   */
  change(doing: string, request: NetlinkRequest, accept: readonly ErrnoName[] = []): boolean {
    const sequence = this.#send(request);
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence || message.type !== NLMSG_ERROR) continue;
        const error = errorOf(message);
        if (error === undefined) return true;
        if ((accept as readonly string[]).includes(errnoName(error.errno))) return false;
        throw new NetlinkError(error.errno, doing, error.text);
      }
    }
  }

  /** Reads a list. @returns what `decode` makes of its entries, less what it makes undefined. @throws NetlinkError */
  list<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T | undefined): T[] {
    for (let tries = 1; ; tries++) {
      const { entries, interrupted } = this.#dump(request, decode);
      if (!interrupted || tries === mostTries) return entries;
    }
  }

  close(): void {
    syscall("close", this.#fd);
  }

  #dump<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T | undefined) {
    const entries: T[] = [];
    const sequence = this.#send(request);
    let interrupted = false;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        const error = message.type === NLMSG_ERROR ? errorOf(message) : undefined;
        if (error !== undefined) throw new NetlinkError(error.errno, "read the network's configuration", error.text);
        if (message.type === NLMSG_DONE) return { entries, interrupted };
        const entry = decode(message);
        if (entry !== undefined) entries.push(entry);
      }
    }
  }

  #send(request: NetlinkRequest): number {
    const sequence = ++this.#sequence;
    const bytes = encodeRequest(request, sequence);
    syscall("sendto", this.#fd, bytes, bytes.length, 0, 0, 0);
    return sequence;
  }

  #receive(): NetlinkMessage[] {
    const length = syscall("recvfrom", this.#fd, this.#buffer, this.#buffer.length, 0, 0, 0);
    // A copy: entries outlive the next answer.
    return decodeMessages(this.#buffer.slice(0, length));
  }
}

/** struct nlmsgerr; undefined for success. The kernel's own words are behind the request that it repeats. */
function errorOf({ body, flags }: NetlinkMessage): { errno: number; text: string | undefined } | undefined {
  const view = viewOf(body);
  const errno = -view.getInt32(0, true);
  if (errno === 0) return undefined;
  const repeated = (flags & NLM_F_CAPPED) !== 0 ? 16 : view.getUint32(4, true);
  const attributes = (flags & NLM_F_ACK_TLVS) === 0 ? undefined : decodeAttributes(body, 4 + repeated);
  return { errno, text: readText(attributes?.get(NLMSGERR_ATTR_MSG)) };
}
