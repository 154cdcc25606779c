import { expect, test } from "bun:test";
import * as linux from "../linux/constants";
import { mountFlags, propagationFlags, recursiveAttributes, rootfsPropagations } from "./mount-options";

const constants: Record<string, unknown> = { ...linux };

test("an option and its opposite speak of the same flag", () => {
  const opposites = ["nodev dev", "nosuid suid", "noexec exec", "ro rw", "sync async", "silent loud", "noatime atime"];
  for (const [on, off] of opposites.map((pair) => pair.split(" ") as [string, string])) {
    expect(mountFlags[on]).toMatchObject({ clear: false });
    expect(mountFlags[off]).toEqual({ flag: mountFlags[on]!.flag, clear: true });
  }
  for (const name of ["nodev", "nosuid", "noexec", "noatime", "nodiratime", "nosymfollow"]) {
    const flag = constants[`MOUNT_ATTR_${name.toUpperCase()}`] as number;
    expect(flag).toBeGreaterThan(0);
    expect(recursiveAttributes[`r${name}`]).toEqual({ flag, clear: false });
    expect(recursiveAttributes[`r${name.slice(2)}`]).toEqual({ flag, clear: true });
  }
});

test("propagation, with and without all that is below", () => {
  expect(rootfsPropagations.length).toBe(8);
  for (const name of ["shared", "slave", "private", "unbindable"]) {
    const flag = constants[`MS_${name.toUpperCase()}`] as number;
    expect([propagationFlags[name], propagationFlags[`r${name}`]]).toEqual([flag, flag | linux.MS_REC]);
  }
});

test("names of a prototype are no options", () => {
  for (const table of [mountFlags, propagationFlags, recursiveAttributes]) {
    for (const name of ["constructor", "__proto__", "toString"]) expect(table[name]).toBeUndefined();
  }
});
