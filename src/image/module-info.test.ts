import { expect, test } from "bun:test";
import { bytesOf, readElf } from "./elf";
import { madeUpElf } from "./made-up-elf";
import { moduleName, readModuleInfo } from "./module-info";
import { trimModule, withoutSignature } from "./module-trim";

const modinfo =
  "license=GPL\0depends=virtio-ring,virtio\0softdep=pre: crypto-crc32c other post: late\0alias=fs-x\0alias=pci:v1*\0name=x\0";
const module = madeUpElf({
  sections: [
    { name: ".text", data: "code" },
    { name: ".BTF", data: "types for debuggers" },
    { name: ".modinfo", data: modinfo },
  ],
});

function signed(bytes: Uint8Array): Uint8Array {
  const size = Buffer.from([0, 0, 0, 10]);
  return Buffer.concat([
    bytes,
    new Uint8Array(10),
    new Uint8Array(8),
    size,
    Buffer.from("~Module signature appended~\n"),
  ]);
}

test("a module says what it depends on", () => {
  expect(readModuleInfo(module, "it")).toEqual({
    depends: ["virtio_ring", "virtio"],
    softBefore: ["crypto_crc32c", "other"],
    aliases: ["fs_x", "pci:v1*"],
  });
});

test("one that depends on nothing says so", () => {
  const lonely = madeUpElf({ sections: [{ name: ".modinfo", data: "depends=\0softdep=post: late\0" }] });
  expect(readModuleInfo(lonely, "it")).toEqual({ depends: [], softBefore: [], aliases: [] });
});

test("names of files are names of modules", () => {
  expect(["a/b/virtio-rng.ko", "9p.ko.xz", "nf_nat"].map(moduleName)).toEqual(["virtio_rng", "9p", "nf_nat"]);
});

test("a signature is cut off, and nothing else", () => {
  expect(Buffer.from(withoutSignature(signed(module))).equals(module)).toBe(true);
  expect(withoutSignature(module)).toBe(module);
});

test("trimming drops what debuggers read and keeps the rest under its number", () => {
  const trimmed = trimModule(signed(module), "it");
  const { sections } = readElf(trimmed, "trimmed");
  const text = (index: number) => Buffer.from(bytesOf(trimmed, sections[index]!)).toString();
  expect(sections.map(({ name }) => name)).toEqual(["", ".text", "", ".modinfo", ".shstrtab"]);
  expect([text(1), text(2), text(3)]).toEqual(["code", "", modinfo]);
  expect(Buffer.from(trimmed).includes("types for debuggers")).toBe(false);
});

test("what a module reads when it is loaded stays, whatever its name begins with", () => {
  const kept = [".BTF_ids", ".comments", ".debugfs"];
  const dropped = [".BTF", ".comment", ".debug_info", ".rela.debug_info", ".note.GNU-stack"];
  const all = madeUpElf({ sections: [...kept, ...dropped].map((name) => ({ name, data: name })) });
  const names = readElf(trimModule(all, "it"), "trimmed").sections.map(({ name }) => name);
  expect(names.filter((name) => name !== "")).toEqual([...kept, ".shstrtab"]);
});

test("trimming leaves the module as it was, be it a Buffer", () => {
  const before = Buffer.from(module);
  trimModule(before, "it");
  expect(before.equals(module)).toBe(true);
});
