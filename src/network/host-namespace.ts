/** A network namespace of this host, in which things can be done from outside of it. */
import { closeSync } from "node:fs";
import { CLONE_NEWNET } from "../linux/constants";
import { syscall } from "../linux/local";
import { inNetworkNamespace } from "../linux/namespaces";
import { NetlinkSocket } from "../linux/netlink/socket";

export class HostNamespace {
  /** The descriptor of it; undefined: that in which this process is. */
  readonly fd: number | undefined;
  #netlink: NetlinkSocket | undefined;
  #open = true;

  /** @param fd is closed with it */
  constructor(fd?: number) {
    this.fd = fd;
  }

  /** Does something in it: what `action` does before its first `await`. @throws SystemError, and what `action` throws */
  enter<T>(action: () => T): T {
    return this.fd === undefined ? action() : inNetworkNamespace(this.fd, action);
  }

  /** Rtnetlink in it. @throws SystemError */
  get netlink(): NetlinkSocket {
    this.#netlink ??= this.enter(() => new NetlinkSocket());
    return this.#netlink;
  }

  /** This process goes on in another namespace. @param namespace a descriptor, the caller's @throws SystemError */
  moveTo(namespace: number): void {
    syscall("setns", namespace, CLONE_NEWNET);
    this.#closeNetlink();
  }

  /** Lets go of it: it lives on with the processes in it. */
  close(): void {
    this.#closeNetlink();
    if (this.fd !== undefined && this.#open) closeSync(this.fd);
    this.#open = false;
  }

  #closeNetlink(): void {
    this.#netlink?.close();
    this.#netlink = undefined;
  }
}
