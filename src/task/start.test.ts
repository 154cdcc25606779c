import { expect, test } from "bun:test";
import { bootstrap } from "./start";

const address = "unix:///run/s";
const document = (version: number) => JSON.stringify({ version, address, protocol: "ttrpc" });

test.each([
  [undefined, address],
  ["", address],
  ["x", address],
  ["1", address],
  ["2", document(2)],
  ["3", document(3)],
  ["4", document(3)],
])("a containerd that takes version %p", (most, answer) => expect(bootstrap(address, most)).toBe(answer));
