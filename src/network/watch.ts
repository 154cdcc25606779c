/** Told of changes in a network namespace. */
import { messageOf } from "../base/error";
import { log } from "../base/log";
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from "../linux/constants";
import { syscall } from "../linux/local";
import {
  NETLINK_ROUTE,
  RTMGRP_IPV4_IFADDR,
  RTMGRP_IPV4_ROUTE,
  RTMGRP_IPV6_IFADDR,
  RTMGRP_IPV6_ROUTE,
  RTMGRP_LINK,
  RTMGRP_NEIGH,
} from "../linux/netlink/constants";
import { sockaddrNetlink } from "../linux/netlink/socket-address";
import type { HostNamespace } from "./host-namespace";

const groups =
  RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE;

/**
 * Calls `changed` whenever something of the namespace changes.
 * @returns a function that stops watching
 */
export async function watchNetwork(host: HostNamespace, changed: () => void): Promise<() => void> {
  let stopped = false;
  let socket: { terminate(): void };
  const open = async () => {
    const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const fd = host.enter(() => syscall("socket", AF_NETLINK, type, NETLINK_ROUTE));
    const address = sockaddrNetlink(groups);
    syscall("bind", fd, address, address.length);
    socket = await Bun.connect({ fd, socket: { data: changed, drain() {}, close: lost, error: lost } });
    if (stopped) socket.terminate();
  };
  // The kernel breaks it off when more happens than there is room for: then anything may have changed.
  const lost = () => {
    if (stopped) return;
    open().catch((error) => log.warn(`follow the network namespace: ${messageOf(error)}`));
    changed();
  };
  await open();
  return () => {
    stopped = true;
    socket.terminate();
  };
}
