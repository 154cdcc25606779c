import { expect, test } from "bun:test";
import { isArm64Kernel, prepareArm64 } from "./arm64-image";

/** What there is of an Image that is looked at: the magic, and the banner. */
function image(banner = "Linux version 6.1.0-57-arm64 (a@b) #1"): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set([0x4d, 0x5a]);
  bytes.set(Buffer.from("ARM\x64"), 56);
  bytes.set(Buffer.from(banner), 1000);
  return bytes;
}

/** An EFI program that unpacks it. */
function packed(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(512 + payload.length + 100);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4d, 0x5a, 0, 0, ...Buffer.from("zimg")]);
  view.setUint32(8, 512, true);
  view.setUint32(12, payload.length, true);
  bytes.set(payload, 512);
  return bytes;
}

test.each([
  ["plain", image()],
  ["compressed", Bun.gzipSync(image() as Uint8Array<ArrayBuffer>)],
  ["in an EFI program", packed(Bun.gzipSync(image() as Uint8Array<ArrayBuffer>))],
  ["in an EFI program, by zstd", packed(Bun.zstdCompressSync(image() as Uint8Array<ArrayBuffer>))],
])("an Image, %s", async (_, bytes) => {
  expect(await isArm64Kernel(bytes, "k")).toBe(true);
  const { arch, release, bytes: plain } = await prepareArm64(bytes, "k");
  expect([arch, release, plain.length]).toEqual(["aarch64", "6.1.0-57-arm64", 4096]);
});

test("what is none", async () => {
  expect(await isArm64Kernel(new Uint8Array(4096), "k")).toBe(false);
  expect(await isArm64Kernel(Bun.gzipSync(new Uint8Array(4096)), "k")).toBe(false);
  const error = await prepareArm64(image("no banner"), "k").catch((error) => error);
  expect([error.code, error.message]).toEqual([
    "IMAGE_KERNEL_UNUSABLE",
    expect.stringContaining("it does not contain an Image of arm64's"),
  ]);
});
