import { AF_NETLINK } from "../constants";
import { viewOf } from "./message";

/** struct sockaddr_nl of a socket that is told of events. @param groups RTMGRP_* */
export function sockaddrNetlink(groups: number): Uint8Array {
  const address = new Uint8Array(12);
  viewOf(address).setUint16(0, AF_NETLINK, true);
  viewOf(address).setUint32(8, groups, true);
  return address;
}
