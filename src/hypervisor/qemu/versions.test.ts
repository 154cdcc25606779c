import { expect, test } from "bun:test";
import { parseVersion } from "./version";
import { changesFor, describeVersion, newestTried } from "./versions";

const of = (text: string) => parseVersion(`QEMU emulator version ${text}`)!;

test.each([
  ["7.2.22", false],
  ["9.0.4", false],
  ["9.1.0", true],
  ["11.1.3", true],
])("version %s: a machine's state goes to a set of descriptors: %p", (text, inSet) => {
  expect(changesFor(of(text)).stateInSet).toBe(inSet);
});

test("a version that nobody has seen is told what the newest is, and is said to be new", () => {
  expect(changesFor(of("99.0.0"))).toEqual(changesFor(of(`${newestTried}.0`)));
  expect(describeVersion(of("99.0.0"))).toContain("newer than");
  expect(describeVersion(of(`${newestTried}.9`))).not.toContain("newer than");
});
