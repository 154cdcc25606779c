import { AF_INET, AF_INET6 } from "../linux/constants";
import { viewOf } from "../linux/netlink/message";
import { parseIp } from "../linux/netlink/scalars";

/** struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)), by the address. */
export function socketAddress(ip: string, port: number): Uint8Array {
  const bytes = parseIp(ip)!;
  const isIpv4 = bytes.length === 4;
  const address = new Uint8Array(isIpv4 ? 16 : 28);
  viewOf(address).setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  viewOf(address).setUint16(2, port);
  address.set(bytes, isIpv4 ? 4 : 8);
  return address;
}
