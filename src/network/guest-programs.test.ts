import { expect, test } from "bun:test";
import { setLink } from "../linux/netlink/link";
import { disassemble } from "../program/disassembler";
import type { Program } from "../program/program";
import { serveConnection, serveDatagrams } from "./dns/guest-programs";
import { configureNetwork, holdNetwork, moveToProcess, watchLinks } from "./guest-programs";
import { connectToLoopback } from "./loopback/guest-program";

const steps = [{ doing: "set something", request: setLink(2, { up: true }), accept: [] }];
const place = { ip: "127.0.0.11", port: 53 };

/** Everything that is done in a network namespace of the guest's. */
const programs: [what: string, make: (namespace: number | undefined) => Program][] = [
  ["configures it", (namespace) => configureNetwork(steps, namespace)[0]!],
  ["watches its interfaces", watchLinks],
  ["answers for its resolver over UDP", (namespace) => serveDatagrams({ ...place, namespace }, 1)],
  ["and over TCP", (namespace) => serveConnection({ ...place, namespace })],
  ["connects to its loopback address", (namespace) => connectToLoopback(80, namespace)],
];

for (const [what, make] of programs) {
  test(`what ${what} goes there first, and stays in the guest's own otherwise`, () => {
    const there = disassemble(make(9));
    expect(there).toContain("setns(pidfd of 9, 1073741824)");
    expect(there.indexOf("setns(")).toBeLessThan(there.indexOf("socket("));
    expect(disassemble(make(undefined))).not.toContain("setns(");
  });
}

test("a namespace is held by a process that is cloned into it and stops", () => {
  const { bytes } = holdNetwork();
  expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(0x40000000n);
  expect(disassemble(holdNetwork())).toMatch(/stop\(\)\s*$/);
});

test("an interface is moved under a name that the kernel finds free", () => {
  expect(Buffer.from(moveToProcess(4, 4711).bytes).includes("new%d\0")).toBe(true);
});
