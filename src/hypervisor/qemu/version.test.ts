import { expect, test } from "bun:test";
import { atLeast, formatVersion, parseVersion } from "./version";

test.each([
  ["QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022", "7.2.22"],
  ["QEMU emulator version 5.0.0\n", "5.0.0"],
  ["QEMU emulator version 10.1.50 (v10.1.0-1234-gabcdef)\n", "10.1.50"],
  ["QEMU emulator version 9.2 (qemu-kvm-9.2)\n", "9.2.0"],
  ["warning: something\nQEMU emulator version 6.2.0\n", "6.2.0"],
])("%j is %s", (text, version) => {
  expect(formatVersion(parseVersion(text)!)).toBe(version);
});

test.each(["", "qemu-img version 7.2", "QEMU emulator version x"])("%j is no version", (text) => {
  expect(parseVersion(text)).toBeUndefined();
});

test("versions compare by their parts", () => {
  expect(atLeast([10, 0, 0], "9.2")).toBe(true);
  expect(atLeast([7, 2, 22], "7.2")).toBe(true);
  expect(atLeast([7, 2, 0], "7.2.1")).toBe(false);
  expect(atLeast([7, 10, 0], "7.9")).toBe(true);
  expect(atLeast([4, 99, 99], "5.0")).toBe(false);
});
