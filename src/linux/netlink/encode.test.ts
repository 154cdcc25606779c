/** Each request is compared with what ip(8) and tc(8) send for the same, as strace(1) saw it. */
import { expect, test } from "bun:test";
import { addAddress, deleteAddress, parseAddress } from "./address";
import { RTA_DST, RTA_GATEWAY, RTA_METRICS, RTA_MULTIPATH, RTA_OIF, RTA_PRIORITY } from "./constants";
import { setLink } from "./link";
import { encodeRequest, type NetlinkRequest } from "./message";
import { addNeighbour } from "./neighbour";
import { addRoute } from "./route";
import { parseIp, parseMac, u32 } from "./scalars";
import { addIngress, deleteIngress, redirect } from "./traffic";

const index = 3;
const ip = (text: string) => parseIp(text)!;
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const same = (number: number) => number;

function route(header: number[], attributes: [number, Uint8Array][]): NetlinkRequest {
  return addRoute({ header: Uint8Array.from(header), attributes: new Map(attributes) }, same);
}

const cases: [command: string, request: NetlinkRequest, sent: string][] = [
  [
    "ip link set v0 up",
    setLink(index, { up: true }),
    "2000000010000500SSSSSSSS000000000000000003000000 01000000 01000000",
  ],
  [
    "ip link set v0 arp off",
    setLink(index, { arp: false }),
    "2000000010000500SSSSSSSS000000000000000003000000 80000000 80000000",
  ],
  [
    "ip link set v0 mtu 1400",
    setLink(index, { mtu: 1400 }),
    "2800000010000500SSSSSSSS000000000000000003000000 00000000 00000000 0800040078050000",
  ],
  [
    "ip link set v0 address 02:42:ac:11:00:02",
    setLink(index, { mac: "02:42:ac:11:00:02" }),
    "2c00000010000500SSSSSSSS000000000000000003000000 00000000 00000000 0a0001000242ac1100020000",
  ],
  [
    "ip link set v0 name eth0",
    setLink(index, { name: "eth0" }),
    "2c00000010000500SSSSSSSS000000000000000003000000 00000000 00000000 090003006574683000000000",
  ],
  [
    "ip link set v0 netns 4711",
    setLink(index, { namespaceOf: 4711 }),
    "2800000010000500SSSSSSSS000000000000000003000000 00000000 00000000 0800130067120000",
  ],
  [
    "ip link set v0 addrgenmode none",
    setLink(index, { noLinkLocal: true }),
    "3000000010000500SSSSSSSS000000000000000003000000 00000000 00000000 10001a000c000a000500080001000000",
  ],
  [
    "ip addr replace 172.17.0.2/16 broadcast 172.17.255.255 dev v0",
    addAddress(parseAddress("172.17.0.2/16", index)!),
    "3000000014000505SSSSSSSS00000000 02100000 03000000 08000200ac110002 08000400ac11ffff 08000100ac110002",
  ],
  [
    "ip addr del 172.17.0.2/16 dev v0",
    deleteAddress(parseAddress("172.17.0.2/16", index)!),
    "2800000015000500SSSSSSSS00000000 02100000 03000000 08000200ac110002 08000100ac110002",
  ],
  [
    "ip addr replace fd00::2/64 dev v0 nodad",
    addAddress(parseAddress("fd00::2/64", index)!),
    `4000000014000505SSSSSSSS00000000 0a400200 03000000 14000200fd000000000000000000000000000002
     14000100fd000000000000000000000000000002`,
  ],
  [
    "ip route add default via 172.17.0.1 dev v0",
    route(
      [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0],
      [
        [RTA_GATEWAY, ip("172.17.0.1")],
        [RTA_OIF, u32(index)],
      ],
    ),
    "2c00000018000506SSSSSSSS00000000 02000000fe03000100000000 08000500ac110001 0800040003000000",
  ],
  [
    "ip route add 10.0.0.0/8 via 192.0.2.1 dev v0 onlink metric 7 mtu 1300",
    route(
      [2, 8, 0, 0, 254, 3, 0, 1, 4, 0, 0, 0],
      [
        [RTA_OIF, u32(index)],
        [RTA_PRIORITY, u32(7)],
        [RTA_METRICS, bytes("0800020014050000")],
        [RTA_GATEWAY, ip("192.0.2.1")],
        [RTA_DST, ip("10.0.0.0")],
      ],
    ),
    `4800000018000506SSSSSSSS00000000 02080000fe03000104000000 080001000a000000 08000500c0000201 0800060007000000
     0800040003000000 0c0008000800020014050000`,
  ],
  [
    "ip route add blackhole 10.66.0.0/16",
    route([2, 16, 0, 0, 254, 3, 0, 6, 0, 0, 0, 0], [[RTA_DST, ip("10.66.0.0")]]),
    "2400000018000506SSSSSSSS00000000 02100000fe03000600000000 080001000a420000",
  ],
  [
    "ip route add 10.7.0.0/16 nexthop via 172.17.0.3 dev v0 weight 2 nexthop via 172.17.0.4 dev v0",
    addRoute(
      {
        header: Uint8Array.of(2, 16, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0),
        attributes: new Map([
          [RTA_DST, ip("10.7.0.0")],
          [RTA_MULTIPATH, bytes("100000010900000008000500ac110003100000000900000008000500ac110004")],
        ]),
      },
      (from) => (from === 9 ? index : 0),
    ),
    `4800000018000506SSSSSSSS00000000 02100000fe03000100000000 080001000a070000
     24000900100000010300000008000500ac110003100000000300000008000500ac110004`,
  ],
  [
    "ip neigh replace 172.17.0.9 lladdr 02:00:00:00:00:01 dev v0 nud permanent",
    addNeighbour({ index, family: 2, ip: ip("172.17.0.9"), mac: parseMac("02:00:00:00:00:01")! }),
    "300000001c000505SSSSSSSS00000000 02000000 03000000 80000000 08000100ac110009 0a0002000200000000010000",
  ],
  [
    "tc qdisc add dev v0 ingress",
    addIngress(index),
    "3000000024000506SSSSSSSS00000000 00000000 03000000 0000ffff f1ffffff 00000000 0c000100696e677265737300",
  ],
  [
    "tc qdisc del dev v0 ingress",
    deleteIngress(index),
    "3000000025000500SSSSSSSS00000000 00000000 03000000 0000ffff f1ffffff 00000000 0c000100696e677265737300",
  ],
  [
    "tc filter add dev v0 parent ffff: protocol all prio 9 u32 match u32 0 0 action mirred egress redirect dev v1 cookie 72756e76",
    redirect(index, 2, "runv"),
    `940000002c000506SSSSSSSS00000000 00000000 03000000 00000000 0000ffff 00030900 0800010075333200 68000200
     40000700 3c000100 0b0001006d69727265640000 24000280 20000200 0000000000000000040000000000000000000000
     0100000002000000 0800060072756e76 24000500 0100010000000000000000000000000000000000000000000000000000000000`,
  ],
];

test.each(cases)("%s", (_, request, sent) => {
  const sequence = 0x6b028863;
  const expected = sent.replace(/\s/g, "").replace("SSSSSSSS", "6388026b");
  expect(Buffer.from(encodeRequest(request, sequence)).toString("hex")).toBe(expected);
});
