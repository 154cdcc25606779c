import { describe, expect, test } from "bun:test";
import { parseAddress } from "../linux/netlink/address";
import { defaultRoute } from "../linux/netlink/route";
import { parseIp } from "../linux/netlink/scalars";
import { changesOf, type LinkPair } from "./changes";
import type { Interface, NetworkConfig } from "./config";
import { desiredItems } from "./desired";

const link: Interface = {
  index: 7,
  name: "eth0",
  type: 1,
  up: true,
  arp: true,
  mtu: 1500,
  mac: "02:42:ac:11:00:02",
  kind: "veth",
  master: undefined,
  disableIpv6: false,
};
const pair = (before: Interface | undefined, after: Interface): LinkPair => ({ hostIndex: 7, index: 2, before, after });

const empty: NetworkConfig = { links: [link], addresses: [], routes: [], neighbours: [], rules: [] };
const config: NetworkConfig = {
  ...empty,
  addresses: [parseAddress("127.0.0.1/8", 1)!, parseAddress("172.17.0.2/16", 7)!, parseAddress("10.0.0.1/8", 9)!],
  routes: [defaultRoute(parseIp("172.17.0.1")!, 7), defaultRoute(parseIp("10.0.0.2")!, 9)],
};

const guestIndex = new Map([
  [1, 1],
  [7, 2],
]);
const items = desiredItems(config, guestIndex);
const none = new Map();

const doing = (...parameters: Parameters<typeof changesOf>) => changesOf(...parameters).map((step) => step.doing);

test("a new interface is named before it is up, then it gets its addresses, then its routes", () => {
  expect(doing(none, items, [pair(undefined, link)])).toEqual([
    "forget link-local addresses of the interface eth0",
    "configure the interface eth0",
    "set up the interface eth0",
    "add the address 172.17.0.2/16",
    "add a route",
  ]);
});

test("IPv6 is switched off before an interface goes up", () => {
  const after = { ...link, disableIpv6: true };
  expect(doing(none, none, [pair(undefined, after)]).slice(1)).toEqual([
    "configure the interface eth0",
    "switch IPv6 of the interface eth0",
    "set up the interface eth0",
  ]);
});

test("what the guest has already is not told again", () => {
  expect(doing(items, items, [pair(link, link)])).toEqual([]);
});

test("what is gone is undone, routes before addresses", () => {
  expect(doing(items, desiredItems(empty, guestIndex), [pair(link, link)])).toEqual([
    "remove a route",
    "remove the address 172.17.0.2/16",
  ]);
});

test("an interface without ARP is told so", () => {
  const arpOff = { ...link, arp: false };
  expect(doing(items, items, [pair(link, arpOff)])).toEqual(["configure the interface eth0"]);
  expect(doing(items, items, [pair(arpOff, arpOff)])).toEqual([]);
});

test("an interface that stays up keeps what it has", () => {
  expect(doing(items, items, [pair(link, { ...link, mtu: 1400 })])).toEqual(["configure the interface eth0"]);
});

describe("an interface that has to be set down", () => {
  test.each([
    ["for its name", { name: "eth1" }],
    ["for its address", { mac: "02:42:ac:11:00:03" }],
  ])("%s gets all of it again", (_, change) => {
    const after = { ...link, ...change };
    expect(doing(items, items, [pair(link, after)])).toEqual([
      `set down the interface ${after.name}`,
      `configure the interface ${after.name}`,
      `set up the interface ${after.name}`,
      "add the address 172.17.0.2/16",
      "add a route",
    ]);
  });
});

test("the same interface under another number in the guest is another", () => {
  const other = desiredItems(config, new Map([[7, 3]]));
  expect(doing(items, other, [])).toHaveLength(4);
});
