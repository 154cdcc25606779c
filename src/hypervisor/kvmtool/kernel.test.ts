import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeInitrd } from "../../image/initrd";
import { protocolVersion } from "../../image/manifest";
import { findBzImage } from "./kernel";

const directory = mkdtempSync(join(tmpdir(), "runv-lkvm-"));
afterAll(() => rmSync(directory, { recursive: true }));

const initrd = join(directory, "initrd");
const manifest = {
  ...{
    format: 1,
    protocol: protocolVersion,
    arch: "x86_64",
    kernelRelease: "6.1.0-test",
    initSha256: "",
    kernelSha256: "",
  },
  modules: { boot: [], extra: {}, builtin: [] },
};
writeFileSync(initrd, writeInitrd({ manifest, init: Buffer.from("init"), modules: new Map(), vsock: [] }));

/** The boot header of a bzImage, as far as it is looked at. */
function bzImage(release: string): Uint8Array {
  const image = Buffer.alloc(0x400);
  image.write("HdrS", 0x202);
  image.writeUInt16LE(0x100, 0x20e);
  image.write(`${release} (somebody) #1\0`, 0x300);
  return image;
}

function place(name: string, files: Record<string, Uint8Array | string>): string {
  mkdirSync(join(directory, name));
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(directory, name, file), bytes);
  return join(directory, name, "kernel");
}

test("the one that is asked for, or the one beside it", () => {
  const own = place("own", { kernel: bzImage("6.1.0-test") });
  expect(findBzImage(own, initrd)).toBe(own);
  const beside = place("beside", { kernel: "\x7fELF", vmlinuz: bzImage("6.1.0-test") });
  expect(findBzImage(beside, initrd)).toBe(join(directory, "beside/vmlinuz"));
});

test.each([
  ["none", { kernel: "\x7fELF" }, "lkvm starts bzImages only"],
  ["another", { kernel: "\x7fELF", vmlinuz: bzImage("5.10.0") }, "vmlinuz is Linux 5.10.0, and "],
])("%s is refused by name", (name, files, message) => {
  const kernel = place(name, files);
  expect(() => findBzImage(kernel, initrd)).toThrow(message);
});
