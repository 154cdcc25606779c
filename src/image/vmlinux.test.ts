import { describe, expect, test } from "bun:test";
import { bytesOf, readElf } from "./elf";
import { madeUpElf, madeUpKernel, xenNote } from "./made-up-elf";
import { hasPvhEntry, prepareVmlinux, releaseOf } from "./vmlinux";

describe("a kernel", () => {
  const kernel = madeUpKernel();
  const { bytes, arch, release } = prepareVmlinux(kernel, "kernel");

  test("says what it is", () => expect([arch, release]).toEqual(["x86_64", "6.1.0-test"]));

  test("keeps what is loaded and its notes, at the same place in their pages", () => {
    const { programs, sections } = readElf(bytes, "trimmed");
    const before = readElf(kernel, "kernel").programs.filter(({ type }) => type !== 6);
    expect(programs.map((program) => Buffer.from(bytesOf(bytes, program)))).toEqual(
      before.map((program) => Buffer.from(bytesOf(kernel, program))),
    );
    expect(programs.map(({ offset }) => offset % 4096)).toEqual(before.map(({ offset }) => offset % 4096));
    expect(sections).toEqual([]);
    expect(hasPvhEntry(bytes, readElf(bytes, "trimmed"))).toBe(true);
  });

  test("comes out the same when it is trimmed again", () =>
    expect(prepareVmlinux(bytes, "again").bytes).toEqual(bytes));
});

test("a kernel without PVH entry is refused, with the option that it lacks", () => {
  expect(() => prepareVmlinux(madeUpKernel({ note: 6 }), "it")).toThrow(
    expect.objectContaining({ code: "IMAGE_KERNEL_UNUSABLE", hint: expect.stringContaining("CONFIG_PVH") }),
  );
});

test("the entry is found behind other notes, and only among Xen's", () => {
  const several = Buffer.concat([xenNote(1), xenNote(18)]);
  const foreign = xenNote(18);
  foreign.set(Buffer.from("GNU\0"), 12);
  const found = (data: Uint8Array) => {
    const elf = madeUpElf({ segments: [{ type: 4, data }] });
    return hasPvhEntry(elf, readElf(elf, "notes"));
  };
  expect([found(several), found(foreign), found(new Uint8Array(7))]).toEqual([true, false, false]);
});

test("the release is that of the banner, not of a format string", () => {
  const text = Buffer.from("Linux version %s (%s)\0…Linux version 6.9.1+deb13-amd64 (x@y) #1 SMP");
  expect(releaseOf(text)).toBe("6.9.1+deb13-amd64");
  expect(releaseOf(Buffer.from("Linux version unknown"))).toBeUndefined();
});

test("what is no ELF file, or half of one, is said to be so", () => {
  const code = expect.objectContaining({ code: "IMAGE_ELF_MALFORMED" });
  expect(() => prepareVmlinux(Buffer.from("hello"), "it")).toThrow(code);
  expect(() => prepareVmlinux(madeUpKernel().subarray(0, 100), "it")).toThrow(code);
});
