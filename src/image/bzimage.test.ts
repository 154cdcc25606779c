import { expect, test } from "bun:test";
import { extractVmlinux, isBzImage } from "./bzimage";
import { madeUpKernel } from "./made-up-elf";

const kernel = madeUpKernel();

/** A bzImage with this payload: one sector of boot code, four of setup, the payload at some place behind. */
function bzImage(payload: Uint8Array, { version = 0x20f, length = payload.length } = {}): Uint8Array {
  const start = 5 * 512 + 300;
  const bytes = new Uint8Array(start + payload.length + 77);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 4;
  bytes.set(Buffer.from("HdrS"), 0x202);
  view.setUint16(0x206, version, true);
  view.setUint32(0x248, 300, true);
  view.setUint32(0x24c, length, true);
  bytes.set(payload, start);
  return bytes;
}

/** Formats but gzip are followed by the plain size. */
function sized(payload: Uint8Array): Uint8Array {
  return Buffer.concat([payload, new Uint8Array(new Uint32Array([kernel.length]).buffer)]);
}

async function packed(...command: string[]): Promise<Uint8Array | undefined> {
  if (Bun.which(command[0]!) === null) return undefined;
  const child = Bun.spawn(command, { stdin: kernel, stdout: "pipe" });
  return new Response(child.stdout).bytes();
}

test("gzip", async () => {
  const image = bzImage(Bun.gzipSync(kernel as Uint8Array<ArrayBuffer>));
  expect(isBzImage(image)).toBe(true);
  expect(await extractVmlinux(image, "it")).toEqual(kernel);
});

test("zstd", async () => {
  expect(await extractVmlinux(bzImage(sized(Bun.zstdCompressSync(kernel))), "it")).toEqual(new Uint8Array(kernel));
});

for (const command of ["xz --check=crc32", "xz --format=lzma", "lz4 -l", "bzip2"]) {
  test(command, async () => {
    const payload = await packed(...command.split(" "), "-c");
    if (payload !== undefined) expect(await extractVmlinux(bzImage(sized(payload)), "it")).toEqual(kernel);
  });
}

test("an ELF file is taken as it is, a compressed one decompressed", async () => {
  expect(await extractVmlinux(kernel, "it")).toBe(kernel);
  expect(await extractVmlinux(Bun.gzipSync(kernel as Uint8Array<ArrayBuffer>), "it")).toEqual(kernel);
});

test("what cannot be a kernel is refused, with what is wrong", async () => {
  const refused = (bytes: Uint8Array) => extractVmlinux(bytes, "it").then(() => "taken", String);
  const gzip = Bun.gzipSync(kernel as Uint8Array<ArrayBuffer>);
  expect(await refused(Buffer.from("not a kernel"))).toContain("neither a bzImage nor an ELF file");
  expect(await refused(bzImage(gzip, { version: 0x207 }))).toContain("older than 2.08");
  expect(await refused(bzImage(gzip, { length: 1 << 30 }))).toContain("outside the file");
  expect(await refused(bzImage(Bun.gzipSync("hello")))).toContain("not an ELF file");
  expect(await refused(bzImage(gzip.slice(0, -20)))).toContain("decompress it (gzip)");
});
