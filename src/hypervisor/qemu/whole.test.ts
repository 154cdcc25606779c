import { expect, test } from "bun:test";
import { placeOf, readNotes, refusal, sizesOf, type WholeNotes } from "./whole";

const notes: WholeNotes = {
  ...{ version: "7.2.22", accelerator: "tcg", machine: "pc-i440fx-7.2", hasNic: true, cpus: 1, memoryMiB: 128 },
  ...{ most: { cpus: 4, memoryMiB: 1024 }, size: { cpus: 1, memoryMiB: 128 }, disks: { runv1: 12 } },
};
const nic = { id: "nic0", mac: "02:72:75:6e:76:00", backend: { tap: 3 } };

const codeOf = (action: () => unknown): string | undefined => {
  try {
    action();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test("a machine is restored by a QEMU of its version, with its accelerator and its devices", () => {
  expect(readNotes(notes, [7, 2, 30], "tcg", nic)).toEqual(notes);
  for (const version of [
    [7, 1, 9],
    [7, 3, 0],
    [8, 2, 22],
  ] as const) {
    expect(codeOf(() => readNotes(notes, version, "tcg", nic))).toBe("CHECKPOINT_DIFFERS");
  }
  expect(codeOf(() => readNotes(notes, [7, 2, 22], "kvm", nic))).toBe("CHECKPOINT_DIFFERS");
  expect(codeOf(() => readNotes(notes, [7, 2, 22], "tcg", undefined))).toBe("CHECKPOINT_DIFFERS");
  expect(sizesOf(notes)).toEqual({ cpus: 1, memoryMiB: 128, most: { cpus: 4, memoryMiB: 1024 } });
  expect(placeOf(notes, "runv1")).toEqual({ addr: "c" });
  expect(codeOf(() => placeOf(notes, "runv2"))).toBe("CHECKPOINT_DAMAGED");
});

test("notes that are none are refused", () => {
  for (const wrong of [
    undefined,
    [],
    { ...notes, version: 7 },
    { ...notes, memoryMiB: 1.5 },
    { ...notes, disks: { runv1: "12" } },
    { ...notes, size: {} },
    { ...notes, most: 4 },
    { ...notes, hasNic: undefined },
  ]) {
    expect(codeOf(() => readNotes(wrong, [7, 2, 22], "tcg", nic))).toBe("CHECKPOINT_DAMAGED");
  }
});

test("what cannot be made again is not saved", () => {
  expect(refusal(0, 0, "tcg", "x86_64")).toBeUndefined();
  expect(refusal(1, 0, "tcg", "x86_64")).toContain("memory");
  expect(refusal(0, 1, "tcg", "x86_64")).toContain("interfaces");
  expect(refusal(0, 0, "tcg", "aarch64")).toContain("aarch64");
  expect(refusal(0, 0, "kvm", "x86_64")).toContain("kvm");
});
