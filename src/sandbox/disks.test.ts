import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Guest } from "../guest/guest";
import type { Machine } from "../hypervisor/driver";
import { file, writeCpio } from "../image/cpio";
import { encodeManifest, manifestPath, protocolVersion } from "../image/manifest";
import type { Program } from "../program/program";
import { Disks } from "./disks";

const directory = mkdtempSync(join(tmpdir(), "runv-disks-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** An initrd without modules. */
function emptyInitrd(): string {
  const modules = { boot: [], extra: {}, builtin: [] };
  const hashes = { initSha256: "11", kernelSha256: "22" };
  const manifest = {
    format: 1,
    protocol: protocolVersion,
    arch: "x86_64",
    kernelRelease: "6",
    ...hashes,
    modules,
  } as const;
  const path = join(directory, "initrd");
  writeFileSync(path, writeCpio([file(manifestPath, encodeManifest(manifest))]));
  return path;
}

test("a container's disks are all taken away, also if the guest does not unmount them, and QEMU refuses one", async () => {
  const present = new Set<string>();
  const tried: string[] = [];
  const machine = {
    capabilities: { hotplugDisk: true },
    addDisk: async ({ id }: { id: string }) => void present.add(id),
    removeDisk: async (id: string) => {
      tried.push(id);
      if (id === "runv1") throw new Error("QEMU does not want to");
      present.delete(id);
    },
  } as unknown as Machine;
  const guest = {
    call: async ({ notes }: Program) => {
      if (notes[0]!.doing.startsWith("let go")) throw new Error("the guest does not want to");
      return Buffer.from([...present].map((id, i) => `vd${"abc"[i]} ${id} 254:${i}\n`).join(""));
    },
  } as unknown as Guest;
  const disks = new Disks(machine, guest, emptyInitrd());
  const fd = openSync("/dev/null", "r");
  for (const container of ["one", "one", "two"]) {
    const disk = { op: "disk", container, pid: process.pid, fd, device: false, format: "raw", readOnly: true } as const;
    await disks.add({ ...disk, root: undefined });
  }
  closeSync(fd);
  await expect(disks.remove("one")).rejects.toThrow("the guest does not want to");
  expect(tried).toEqual(["runv1", "runv2"]);
  expect([...present]).toEqual(["runv1", "runv3"]);
});
