import { closeSync, openSync } from "node:fs";
import { messageOf, RunvError } from "../base/error";
import { IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, TUNSETIFF } from "../linux/constants";
import { syscall } from "../linux/local";

/** The taps that runv makes are called so, with a number. */
export const tapPattern = /^runv\d+$/;

/** One end of a cable, whose other end is an interface: frames that go out of the interface are read from the descriptor. */
export interface Tap {
  name: string;
  fd: number;
  /** A descriptor of /dev/vhost-net, where the kernel has it: then frames do not pass through the hypervisor's process. */
  vhost: number | undefined;
}

/**
 * Makes a tap in the network namespace that this thread is in. It goes with the last copy of its descriptor.
 * @throws RunvError NETWORK_TAP
 */
export function makeTap(name: string): Tap {
  let fd: number | undefined;
  try {
    fd = openSync("/dev/net/tun", "r+");
    const request = new Uint8Array(40);
    request.set(Buffer.from(name));
    new DataView(request.buffer).setUint16(16, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
    syscall("ioctl", fd, TUNSETIFF, request);
    return { name, fd, vhost: openVhost() };
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw new RunvError("NETWORK_TAP", `make the tap ${name}: ${messageOf(cause)}`, {
      cause,
      hint: "the kernel needs tun (modprobe tun), and /dev/net/tun must be there",
    });
  }
}

/** Closes this process's descriptors of a tap. */
export function closeTap({ fd, vhost }: Tap): void {
  closeSync(fd);
  if (vhost !== undefined) closeSync(vhost);
}

function openVhost(): number | undefined {
  try {
    return openSync("/dev/vhost-net", "r+");
  } catch {
    return undefined;
  }
}
