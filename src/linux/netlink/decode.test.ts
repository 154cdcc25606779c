import { describe, expect, test } from "bun:test";
import { addAddress, decodeAddress, formatAddress, parseAddress } from "./address";
import { decodeLink } from "./link";
import { decodeAttributes, decodeMessages, encodeAttributes, type NetlinkMessage } from "./message";
import { decodeNeighbour } from "./neighbour";
import { recorded } from "./recorded.fixture";
import { addRoute, decodeRoute, hasGateway, interfacesOf } from "./route";
import { addRule, decodeRule } from "./rule";
import { formatIp, formatMac, parseIp, parseMac } from "./scalars";
import { decodeIngress, decodeRedirect } from "./traffic";

function all<T>(kind: keyof typeof recorded, decode: (message: NetlinkMessage) => T | undefined): T[] {
  return decodeMessages(Buffer.from(recorded[kind], "hex")).flatMap((message) => decode(message) ?? []);
}

describe("what a kernel said", () => {
  test("links", () => {
    const links = all("links", decodeLink);
    expect(links.map(({ name, kind, up, mtu }) => [name, kind, up, mtu])).toEqual([
      ["lo", undefined, false, 65536],
      ["v1", "veth", true, 1500],
      ["v0", "veth", true, 1400],
    ]);
    expect(links[2]).toMatchObject({ index: 3, type: 1, mac: "02:42:ac:11:00:02", master: undefined });
  });

  test("addresses", () => {
    expect(all("addresses", decodeAddress).map((address) => [address.index, formatAddress(address)])).toContainValues([
      [3, "172.17.0.2/16"],
      [3, "fd00::2/64"],
    ]);
  });

  test("routes: those that somebody made, of all tables but local", () => {
    const routes = all("routes", decodeRoute);
    expect(routes.filter(({ header }) => header[0] === 2)).toHaveLength(3);
    expect(routes.filter(hasGateway).map(interfacesOf)).toEqual([[3], [3], [3]]);
    // As it was made: 10.0.0.0/8 via 192.0.2.1 dev v0 onlink metric 7 mtu 1300
    const again = addRoute(routes[1]!, (index) => index + 4);
    expect(Buffer.from(again.body).toString("hex")).toBe(
      "02080000fe03000104000000080001000a00000008000500c0000201080006000700000008000f00fe00000008000400070000000c0008000800020014050000",
    );
  });

  test("rules: those that somebody made", () => {
    const rules = all("rules", decodeRule);
    expect(rules).toHaveLength(1);
    expect(addRule(rules[0]!).body.subarray(0, 12)).toEqual(Uint8Array.of(2, 0, 32, 0, 100, 0, 0, 1, 0, 0, 0, 0));
  });

  test("neighbours: those that somebody entered", () => {
    const neighbours = all("neighbours", decodeNeighbour);
    expect(neighbours.map(({ ip, mac }) => [formatIp(ip), formatMac(mac)])).toEqual([
      ["172.17.0.9", "02:00:00:00:00:01"],
    ]);
  });

  test("the ingress qdisc and its filter", () => {
    expect(all("qdiscs", decodeIngress)).toEqual([3]);
    expect(all("filters", decodeRedirect)).toEqual([{ to: 2, cookie: "runv" }]);
  });

  test("cut off anywhere, it is read as far as it goes", () => {
    const whole = Buffer.from(recorded.filters + recorded.routes + recorded.links, "hex");
    const decoders = [
      decodeLink,
      decodeAddress,
      decodeRoute,
      decodeRule,
      decodeNeighbour,
      decodeIngress,
      decodeRedirect,
    ];
    for (let length = 0; length < whole.length; length++) {
      for (const message of decodeMessages(whole.subarray(0, length))) for (const decode of decoders) decode(message);
    }
  });

  test("and so is nonsense", () => {
    const random = Buffer.from(recorded.links, "hex");
    const decoders = [
      decodeLink,
      decodeAddress,
      decodeRoute,
      decodeRule,
      decodeNeighbour,
      decodeIngress,
      decodeRedirect,
    ];
    for (let at = 16; at < random.length; at++) {
      const broken = Uint8Array.from(random);
      broken[at] = 0xff;
      for (const message of decodeMessages(broken)) for (const decode of decoders) decode(message);
    }
  });
});

test("attributes are what was encoded", () => {
  const bytes = encodeAttributes([
    [1, Uint8Array.of(1, 2, 3)],
    [2, [[3, Uint8Array.of(4)]]],
  ]);
  expect(bytes.length % 4).toBe(0);
  const attributes = decodeAttributes(bytes);
  expect([...attributes.get(1)!]).toEqual([1, 2, 3]);
  expect([...decodeAttributes(attributes.get(2)!).get(3)!]).toEqual([4]);
});

test.each([
  ["10.0.0.1", "10.0.0.1"],
  ["::", "::"],
  ["::1", "::1"],
  ["fe80:0:0:0:0:0:0:1", "fe80::1"],
  ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
  ["1:0:0:2::", "1:0:0:2::"],
  ["10:0:0:100::1", "10:0:0:100::1"],
  ["2001:DB8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::ffff:1.2.3.4", "::ffff:102:304"],
])("the address %s is written %s", (text, written) => {
  expect(formatIp(parseIp(text)!)).toBe(written);
});

test("what is no address", () => {
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.04",
    "g::",
    "1::2::3",
    "fe80::1%eth0",
    "1.2.3.4::",
    ":::",
    "1:2",
    "1::2:3:4:5:6:7:8",
  ])
    expect(parseIp(text)).toBeUndefined();
  for (const text of ["1.2.3.4", "1.2.3.4/33", "::/129", "1.2.3.4/a", "/8"]) expect(parseAddress(text)).toBeUndefined();
  for (const text of ["", "02:42", "02:42:ac:11:00:0g", "02:42:ac:11:00:02:03"]) expect(parseMac(text)).toBeUndefined();
});

test("an address without a prefix route stays one", () => {
  const address = parseAddress("172.17.0.2/16")!;
  const attributes = new Map([...address.attributes, [8, Uint8Array.of(0x80, 2, 0, 0)] as const]);
  expect(Buffer.from(addAddress({ ...address, attributes }).body).toString("hex")).toEndWith("0800080000020000");
});
