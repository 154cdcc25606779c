import { expect, test } from "bun:test";
import { findDisk } from "./disks";

const listed = (text: string) => Buffer.from(text);

test("a disk is found by its serial number", () => {
  const output = listed("vda runv1 254:0\nvdb runv2 254:16\nvdc  254:32\n");
  expect(findDisk(output, "runv2")).toEqual({ name: "vdb", major: 254, minor: 16 });
  expect(findDisk(output, "runv3")).toBeUndefined();
});

test("a guest's answers that are no disks are none", () => {
  for (const line of [
    "sda runv1 8:0",
    "vda runv1 254",
    "vda runv1 99999:0",
    "vda/../x runv1 1:1",
    "vda runv1 254:0 ",
  ]) {
    expect(findDisk(listed(`${line}\n`), "runv1")).toBeUndefined();
  }
});
