import { accessSync, closeSync, constants, openSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import type { NicBackend, TapBackend } from "../hypervisor/driver";
import { IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, TUNSETIFF, TUNSETPERSIST } from "../linux/constants";
import { syscall } from "../linux/local";

/** The ports of machines are called so, with a number. */
export const portPattern = /^runv\d+$/;

/** An interface of this namespace that is the host's end of one of the machine's: what is sent out of it, the guest receives. */
export interface Port {
  name: string;
  backend: NicBackend;
  /**
   * Whether it stays when its machine has ended, until its namespace goes: the kernel takes a dozen milliseconds to remove an interface, for
   * which the end of the last process that has it would wait. @throws SystemError
   */
  keep(kept: boolean): void;
  /** Lets go of it; it goes with the machine's interface. */
  close(): void;
}

/** A port that the driver makes, when it adds the machine's interface. */
export function driversPort(name: string): Port {
  return { name, backend: { link: name }, keep: () => {}, close: () => {} };
}

/**
 * Makes a tap in the network namespace that this thread is in, or opens the one of this name. It goes with the last copy of its descriptor, unless it is kept. Where the kernel has
 * /dev/vhost-net, it is used: then frames do not pass through the hypervisor's process.
 * @throws RunvError NETWORK_TAP
 */
export function makeTap(name: string): Port & { backend: TapBackend } {
  let fd: number | undefined;
  try {
    fd = openSync("/dev/net/tun", "r+");
    const request = new Uint8Array(40);
    request.set(Buffer.from(name));
    new DataView(request.buffer).setUint16(16, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
    syscall("ioctl", fd, TUNSETIFF, request);
    const tap = fd;
    let isKept = false;
    const keep = (kept: boolean) => {
      syscall("ioctl", tap, TUNSETPERSIST, kept ? 1 : 0);
      isKept = kept;
    };
    const close = () => {
      // One that was there before is its maker's, to keep or not.
      if (isKept) keep(false);
      closeSync(tap);
    };
    return { name, backend: { tap, vhost: hasVhost() }, keep, close };
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw new RunvError("NETWORK_TAP", `make the tap ${name}: ${messageOf(cause)}`, {
      cause,
      hint: "the kernel needs tun (modprobe tun), and /dev/net/tun must be there",
    });
  }
}

function hasVhost(): boolean {
  try {
    accessSync("/dev/vhost-net", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
