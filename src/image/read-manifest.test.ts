import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory, file, listCpio, writeCpio } from "./cpio";
import { writeInitrd } from "./initrd";
import { encodeManifest, type ImageManifest, manifestPath, protocolVersion } from "./manifest";
import { readImageManifest } from "./read-manifest";

const scratch = mkdtempSync(join(tmpdir(), "runv-manifest-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const manifest: ImageManifest = {
  format: 1,
  protocol: protocolVersion,
  arch: "x86_64",
  kernelRelease: "6.1.0-test",
  initSha256: "11",
  kernelSha256: "22",
  modules: {
    boot: ["/lib/modules/x/a.ko"],
    extra: { b: { path: "/lib/modules/x/b.ko", depends: ["a"] } },
    builtin: [],
  },
};
const modules = new Map([
  ["/lib/modules/x/b.ko", Buffer.from("bb")],
  ["/lib/modules/x/a.ko", Buffer.from("a")],
]);
const initrd = writeInitrd({ manifest, init: Buffer.from("init"), modules, vsock: [] });

function saved(content: Uint8Array | string): string {
  const path = join(scratch, "initrd");
  writeFileSync(path, content);
  return path;
}

function withManifest(value: unknown): Uint8Array {
  return writeCpio([file(manifestPath, encodeManifest(value as ImageManifest))]);
}

test("an initrd gives back its manifest", () => {
  expect(readImageManifest(saved(initrd))).toEqual(manifest);
});

test("a manifest larger than the first read too", () => {
  const boot = Array.from({ length: 3000 }, (_, index) => `/lib/modules/x/module-${index}.ko`);
  const large = { ...manifest, modules: { ...manifest.modules, boot } };
  expect(readImageManifest(saved(withManifest(large))).modules.boot).toEqual(boot);
});

test("the initrd holds the manifest first, then every directory before what is in it", () => {
  const paths = listCpio(initrd).map(({ path }) => path);
  expect(paths[0]).toBe(manifestPath);
  expect(paths).toContain("init");
  expect(paths.slice(-5)).toEqual(["lib", "lib/modules", "lib/modules/x", "lib/modules/x/a.ko", "lib/modules/x/b.ko"]);
  expect(paths.indexOf("runv")).toBeLessThan(paths.indexOf("runv/modules"));
});

describe("what is not runv's is refused, and named", () => {
  const gzip = Buffer.from(Bun.gzipSync("an initrd of hyperstart"));
  const cases: [name: string, content: Uint8Array | string, message: RegExp][] = [
    ["hyperstart's", gzip, /gzip.*hyperstart/],
    ["a distribution's", Bun.zstdCompressSync("initramfs"), /compressed with zstd/],
    ["another cpio", writeCpio([directory("etc"), file("etc/passwd", "")]), /beginning with "etc"/],
    ["an empty file", "", /it is empty/],
    ["text", "hello", /not a cpio archive/],
    ["a cut off one", initrd.subarray(0, 200), /cut off/],
    ["a manifest that is no JSON", writeCpio([file(manifestPath, "{")]), /does not|not one that/],
    ["another format", withManifest({ ...manifest, format: 2 }), /not one that this runv understands/],
    ["no modules", withManifest({ ...manifest, modules: {} }), /not one that this runv understands/],
    ["bad module", withManifest({ ...manifest, modules: { ...manifest.modules, extra: { b: 1 } } }), /not one that/],
  ];
  for (const [name, content, message] of cases) {
    test(name, () => {
      const failure = expect.objectContaining({ code: "IMAGE_NOT_RUNV", message: expect.stringMatching(message) });
      expect(() => readImageManifest(saved(content))).toThrow(failure);
    });
  }
});

test("another protocol is told from another format", () => {
  const path = saved(withManifest({ ...manifest, protocol: 7 }));
  expect(() => readImageManifest(path)).toThrow(expect.objectContaining({ code: "IMAGE_PROTOCOL" }));
});

test("a file that is not there, and a directory", () => {
  const missing = expect.objectContaining({
    code: "IMAGE_NOT_FOUND",
    hint: expect.stringContaining("runv image build"),
  });
  expect(() => readImageManifest(join(scratch, "none"))).toThrow(missing);
  expect(() => readImageManifest(scratch)).toThrow(expect.objectContaining({ code: "IMAGE_NOT_RUNV" }));
});
