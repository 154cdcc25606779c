import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildImage } from "./build";
import { imageInfo } from "./info";
import { madeUpElf, madeUpKernel } from "./made-up-elf";
import { modulesDirectory } from "./paths";

const scratch = mkdtempSync(join(tmpdir(), "runv-image-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const init = Buffer.from("init");
const modules = join(scratch, "modules/6.1.0-test");
const kernel = put("vmlinux", madeUpKernel());

function put(path: string, data: Uint8Array | string): string {
  const full = join(scratch, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, data);
  return full;
}

function putModule(path: string, depends: string, alias = ""): void {
  const module = madeUpElf({ sections: [{ name: ".modinfo", data: `depends=${depends}\0alias=${alias}\0` }] });
  put(join("modules/6.1.0-test/kernel", path), path.endsWith(".zst") ? Bun.zstdCompressSync(module) : module);
}

put("modules/6.1.0-test/modules.builtin", "kernel/drivers/virtio/virtio_pci.ko\nkernel/fs/fuse/virtiofs.ko\n");
putModule("drivers/char/virtio_console.ko.zst", "");
putModule("net/9p/9pnet.ko", "");
putModule("net/9p/9pnet_virtio.ko", "9pnet");
putModule("fs/9p/9p.ko", "9pnet", "fs-9p");
putModule("drivers/net/tun.ko", "", "char-major-10-200");

async function build(name: string, from: { modules?: string } = {}) {
  const output = { kernel: join(scratch, name, "kernel"), initrd: join(scratch, name, "initrd") };
  await buildImage({ kernel, ...from, cache: scratch, init, output, progress: () => {} });
  return output;
}

test("a kernel with modules: the image knows which, and is the same each time", async () => {
  const [first, second] = [await build("one", { modules: join(scratch, "modules") }), await build("two", { modules })];
  const { manifest, kernelFits, initIsOurs } = imageInfo(first, init);
  expect(manifest.modules.boot).toEqual(["/lib/modules/6.1.0-test/virtio_console.ko"]);
  expect(manifest.modules.extra["9p"]).toEqual({ path: "/lib/modules/6.1.0-test/9p.ko", depends: ["9pnet"] });
  expect(manifest.modules.builtin).toEqual(["virtio_pci", "virtiofs"]);
  expect([kernelFits, initIsOurs]).toEqual([true, true]);
  expect(readFileSync(first.initrd).equals(readFileSync(second.initrd))).toBe(true);
  expect(readdirSync(dirname(first.kernel)).sort()).toEqual(["initrd", "kernel", "modules"]);
});

test("what the kernel may ask for lies beside the initrd, and that of another kernel no more", async () => {
  put("asked/modules/5.0/aliases", "");
  const { initrd } = await build("asked", { modules });
  const directory = modulesDirectory(initrd, "6.1.0-test");
  expect(readdirSync(dirname(directory))).toEqual(["6.1.0-test"]);
  expect(readdirSync(directory).sort()).toEqual(["9p.ko", "9pnet.ko", "aliases", "tun.ko"]);
  expect(readFileSync(join(directory, "aliases"), "utf8")).toBe(
    "9p 9pnet 9p\nfs_9p 9pnet 9p\n9pnet 9pnet\ntun tun\nchar_major_10_200 tun\n",
  );
  expect(statSync(directory).mode & 0o777).toBe(0o755);
});

test("a kernel without modules has all built in", async () => {
  const { manifest } = imageInfo(await build("alone"), init);
  expect(manifest.modules).toMatchObject({ boot: [], extra: {} });
  expect(manifest.modules.builtin).toContain("9pnet_virtio");
});

test("what a modules.builtin beside the kernel leaves out is missed", async () => {
  put("modules.builtin", "kernel/drivers/virtio/virtio_pci.ko\n");
  const error = await build("unfit").catch((thrown) => thrown);
  rmSync(join(scratch, "modules.builtin"));
  expect(error).toMatchObject({ code: "IMAGE_MODULES_MISSING", message: expect.stringContaining("9p") });
});

test("modules of another kernel are refused", async () => {
  const other = put("other/6.2.0/modules.builtin", "");
  await expect(build("x", { modules: dirname(dirname(other)) })).rejects.toThrow(
    "holds no modules of kernel 6.1.0-test",
  );
});

test("another kernel or init beside the initrd is noticed", async () => {
  const output = await build("changed");
  writeFileSync(output.kernel, "another");
  expect(imageInfo(output, Buffer.from("newer"))).toMatchObject({ kernelFits: false, initIsOurs: false });
});

test("where one of the two cannot be written, the other stays as it was, and nothing is left", async () => {
  const { kernel: written } = await build("whole", { modules });
  writeFileSync(written, "the old kernel");
  const directory = dirname(written);
  const output = { kernel: written, initrd: join(directory, "i".repeat(250)) };
  await expect(buildImage({ kernel, modules, cache: scratch, init, output, progress: () => {} })).rejects.toMatchObject(
    {
      code: "IMAGE_UNWRITABLE",
    },
  );
  expect(readFileSync(written, "utf8")).toBe("the old kernel");
  expect(readdirSync(directory).sort()).toEqual(["initrd", "kernel", "modules"]);
});
