import { expect, test } from "bun:test";
import { mountsBelow } from "./mounts";

const mountinfo = [
  "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
  "2 1 0:5 / /data rw - tmpfs none rw",
  "3 2 0:6 / /data/a ro,nosuid shared:3 - tmpfs none rw",
  "4 3 0:7 /sub /data/a/with\\040blank rw - ext4 /dev/sdb rw",
  "5 1 0:8 / /database rw - tmpfs none rw",
  "6 2 0:9 / /data/a rw - tmpfs none rw",
  "",
].join("\n");

test("the mounts below a directory, of several on one place the last", () => {
  expect(mountsBelow("/data", mountinfo)).toEqual([
    { path: "a/with blank", options: ["rw"] },
    { path: "a", options: ["rw"] },
  ]);
  expect(mountsBelow("/data/a", mountinfo).map(({ path }) => path)).toEqual(["with blank"]);
  expect(mountsBelow("/", mountinfo).map(({ path }) => path)).toEqual([
    "data",
    "data/a/with blank",
    "database",
    "data/a",
  ]);
  expect(mountsBelow("/elsewhere", mountinfo)).toEqual([]);
});
